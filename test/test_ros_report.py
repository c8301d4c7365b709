# SPDX-License-Identifier: Apache-2.0
"""The same bag, faults included, through the reader and through topics: the same report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bag_messages as bag
import numpy as np
from ros_harness import CAMERA, FRAME_ID, QUICK, Robot, eventually, frame, running
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from f4x_ros.core.config import Config
from f4x_ros.core.data import to_quaternion
from f4x_ros.core.perception import Perception
from f4x_ros.eval.subjects.feed import Feed
from f4x_ros.eval.subjects.run_recorder import RunRecorder
from f4x_ros.io import open_source
from f4x_ros.io.bag_topics import CAMERA_INFO, IMAGE, TF
from f4x_ros.ros.client import PerceptionClient

FRAMES = 12
KINDS = {"image": Image, "camera_info": CameraInfo, "depth/image": Image, "/tf": TFMessage}
SAME = (
    *("frames", "frames_mapped", "frames_heldout", "frames_there", "frames_dropped", "left_out"),
    *("left_out_first_ns", "psnr_heldout_db", "depth_median_error_m", "gaussians", "tracks"),
)


def transform(i: int, parent: str, child: str, *, w: float | None = None) -> Any:
    made = frame(i)
    assert made.T_map_camera is not None
    x, y, z = made.T_map_camera[:3, 3].tolist()
    qx, qy, qz, qw = to_quaternion(made.T_map_camera).tolist()
    stamped = bag.make(
        "geometry_msgs/msg/TransformStamped",
        header=bag.header(made.stamp_ns, parent),
        child_frame_id=child,
        transform=bag.make(
            "geometry_msgs/msg/Transform",
            translation=bag.make("geometry_msgs/msg/Vector3", x=x, y=y, z=z),
            rotation=bag.make(
                "geometry_msgs/msg/Quaternion", x=qx, y=qy, z=qz, w=qw if w is None else w
            ),
        ),
    )
    return bag.make(TF, transforms=[stamped])


def faulty() -> list[tuple[str, str, int, Any]]:
    """Twelve frames; what is wrong with some stands beside them."""
    messages: list[tuple[str, str, int, Any]] = []
    for i in range(FRAMES):
        made = frame(i)
        assert made.depth is not None
        ns = made.stamp_ns
        K = CAMERA.to_opencv_K()
        info = bag.info(
            ns,
            d=np.full(5, np.nan if i == 4 else 0.0),  # one calibration that is none
            k=K.reshape(-1),
            p=np.hstack([K, np.zeros((3, 1))]).reshape(-1),
        )
        info.header = bag.header(ns, f"/{FRAME_ID}")  # a slash of ROS 1
        info.height, info.width = CAMERA.height, CAMERA.width
        color = bag.image(ns, "rgb8", made.rgb, f"/{FRAME_ID}")
        if i == 2:
            color.data = color.data[:-50]  # cut
        metres = made.depth.astype(np.float64 if i == 6 else np.float32)
        metres[0, 0] = -0.001  # no reading
        if i == 11:  # a hand before the lens
            metres[:] = 0
        encoding = "64FC1" if i == 6 else "8SC1" if i == 8 else "32FC1"
        depth = bag.image(ns, encoding, metres, FRAME_ID)
        tf = transform(i, "map", FRAME_ID, w=np.nan if i == 5 else None)  # interpolated
        messages += [("/tf", TF, ns, tf), ("/camera_info", CAMERA_INFO, ns, info)]
        messages += [("/depth/image", IMAGE, ns, depth)]
        if i != 10:  # depth without image
            messages += [("/image", IMAGE, ns, color)]
        if i == 7:  # sent twice
            messages += messages[-2:]
    messages.insert(3, ("/tf", TF, frame(0).stamp_ns, transform(0, "arm", "gripper", w=0.0)))
    return messages


def by_the_reader(path: Path, out: Path) -> dict[str, Any]:
    given = {k: v for k, v in QUICK.items() if k.startswith(("features.", "mapping."))}
    perception = Perception(Config.from_dotted(given))
    perception.set_prompts(QUICK["prompts"])
    with open_source(str(path)) as source, RunRecorder(perception, out, holdout_every=4) as run:
        feed = Feed(source)
        feed.run(run.process)
        run.finish(feed.left_out, frames_there=source.frames_there, remarks=source.remarks)
    return dict(json.loads((out / "report.json").read_text()))


def by_the_node(client: PerceptionClient, path: Path, out: Path) -> dict[str, Any]:
    parameters = {"report.dir": str(out), "report.holdout_every": 4, "queue_size": 100}
    robot = Robot()
    own = {"/image": robot.image, "/camera_info": robot.info, "/depth/image": robot.depth}
    publishers = {**own, "/tf": robot.tf}
    sent = dict.fromkeys(own, 0)
    try:
        with running(client, **parameters) as run, Reader(path) as reader:
            run.client.start()
            robot.wait_until_heard()
            for connection, _, data in reader.messages():
                publishers[connection.topic].publish(bytes(data))
                if connection.topic in own:
                    sent[connection.topic] += 1
                    name = connection.topic.removeprefix("/")
                    run.counted(f"received.{name}", sent[connection.topic])
            run.client.change_state("deactivate")
    finally:
        robot.close()
    return dict(json.loads((out / "report.json").read_text()))


def test_reader_and_node_leave_the_same_report(client: PerceptionClient, tmp_path: Path) -> None:
    path = bag.write(tmp_path / "bag", faulty())
    offline = by_the_reader(path, tmp_path / "offline")
    live = by_the_node(client, path, tmp_path / "live")
    assert {key: live[key] for key in SAME} == {key: offline[key] for key in SAME}
    assert offline["left_out"] == {
        "transforms_unusable": 2,
        "depth_without_image": 1,
        "depth_without_reading": 1,
        "images_with_repeated_stamp": 1,
        "depth_with_repeated_stamp": 1,
        "images_unreadable": 1,
        "depth_unreadable": 1,
        "calibrations_unusable": 1,
    }


def ended(client: PerceptionClient, out: Path, robot: Robot | None = None) -> str:
    """A node that maps nothing; what its diagnostics say of the report."""
    parameters = {"report.dir": str(out), "transform_timeout_s": 0.1}
    with running(client, **parameters) as run:
        run.client.start()
        if robot is not None:
            robot.wait_until_heard()
            robot.send(0, tf=False)
            run.counted("dropped.images_without_pose")
        run.client.change_state("deactivate")
        eventually(lambda: "problem.report" in run.client.values())
        return run.client.values()["problem.report"]


def test_a_run_that_mapped_nothing_leaves_a_report_that_says_why(
    client: PerceptionClient, tmp_path: Path
) -> None:
    robot = Robot()
    try:
        said = ended(client, tmp_path, robot)
    finally:
        robot.close()
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["frames"], report["frames_there"]) == (0, 1)
    assert report["left_out"] == {"images_without_pose": 1}
    why = report["ended_early"]
    assert why.startswith(
        "no frame was mapped; received: 1 image, 1 camera_info, 1 depth/image; "
        "left out: 1 images_without_pose; no transform 'map' -> 'eye'"
    )
    assert why in said
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_a_run_that_mapped_nothing_keeps_what_an_earlier_one_left(
    client: PerceptionClient, tmp_path: Path
) -> None:
    (tmp_path / "report.json").write_text("earlier")
    said = ended(client, tmp_path)
    assert "received: 0 image, 0 camera_info, 0 depth/image" in said
    assert f"{tmp_path} keeps what an earlier run left there" in said
    assert (tmp_path / "report.json").read_text() == "earlier"
