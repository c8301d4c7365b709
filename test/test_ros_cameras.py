# SPDX-License-Identifier: Apache-2.0
"""Several cameras, and stereo pairs, on real topics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ros_harness import (
    CAMERA,
    START_NS,
    STEP_NS,
    Robot,
    Running,
    eventually,
    frame,
    running,
    stamps,
)
from sensor_msgs.msg import CameraInfo, Image

from f4x_ros.core.errors import BadInputError
from f4x_ros.msg import TrackArray
from f4x_ros.ros.camera_queues import CameraQueues
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.conversions import camera_info_msg, header, transform_msg
from f4x_ros.ros.frame_queue import FrameQueue
from f4x_ros.ros.images import image_msg
from f4x_ros.srv import Query, Segment


class Side(Robot):
    """One camera of a rig: topics under its name, a frame of its own, 30 cm to the right."""

    def __init__(self, name: str, beside_m: float = 0.0) -> None:
        super().__init__(topics={t: f"{name}/{t}" for t in ("image", "camera_info", "depth/image")})
        self.name, self._frames = name, round(beside_m / 0.01)

    def film(self, i: int, late_ns: int = 0, *, depth: bool = True, tf: bool = True) -> int:
        """Publish frame i of this camera; return its stamp."""
        from tf2_msgs.msg import TFMessage

        made = frame(i + self._frames)  # as far along the path as it is beside
        ns, eye = START_NS + i * STEP_NS + late_ns, f"{self.name}_eye"
        if tf:
            assert made.T_map_camera is not None
            pose = transform_msg(made.T_map_camera, ns, "map", eye)
            self.tf.publish(TFMessage(transforms=[pose]))
        self.info.publish(camera_info_msg(CAMERA, header(ns, eye)))
        if depth:
            self.depth.publish(image_msg(made.depth, "32FC1", header(ns, eye)))
        self.image.publish(image_msg(made.rgb, "rgb8", header(ns, eye)))
        return ns


@pytest.fixture
def sides(client: PerceptionClient) -> Iterator[tuple[Side, Side]]:
    made = Side("front"), Side("left", 0.3)
    yield made
    for one in made:
        one.close()


@pytest.fixture
def active(client: PerceptionClient, sides: tuple[Side, Side]) -> Iterator[Running]:
    with running(client, cameras=["front", "left"]) as run:
        run.client.start()
        for one in sides:
            one.wait_until_heard()
        yield run


def test_two_cameras_make_one_map_with_masks_for_both(
    active: Running, sides: tuple[Side, Side]
) -> None:
    front, left = sides
    heard = active.hear(**{"front/masks": Image, "left/masks": Image}, tracks=TrackArray)
    for i in range(6):
        front.film(i)
        left.film(i, late_ns=STEP_NS // 3)
    active.counted("processed", 12)
    eventually(lambda: len(heard["front/masks"]) == 6 and len(heard["left/masks"]) == 6)
    assert {m.header.frame_id for m in heard["front/masks"]} == {"front_eye"}
    assert {m.header.frame_id for m in heard["left/masks"]} == {"left_eye"}
    assert stamps(heard["front/masks"]) == [START_NS + i * STEP_NS for i in range(6)]
    eventually(lambda: len(heard["tracks"]) == 12)
    assert {m.header.frame_id for m in heard["tracks"]} == {"map"}
    last = heard["tracks"][-1]
    assert len(last.tracks) == 1  # one box, whoever sees it
    for name, frames in (("front", 5), ("left", 35)):
        truth = (frame(frames).rgb == (210, 20, 20)).all(-1)
        message = heard[f"{name}/masks"][-1]
        labels = np.frombuffer(message.data, np.uint16).reshape(48, 64)
        assert (labels[truth] == 1).mean() > 0.8, name
    values = active.client.values()
    assert values["processed_of_front"] == values["processed_of_left"] == "6"
    assert values["cameras"] == "front, left"
    assert values["received.front/image"] == "6"
    topics = {p.topic for p in active.node.publishers}
    assert "~/front/overlay" in topics
    assert not {"~/masks", "~/front/tracks"} & topics


def test_questions_are_asked_from_the_named_camera(
    active: Running, sides: tuple[Side, Side]
) -> None:
    front, left = sides
    for i in range(3):
        front.film(i)
        left.film(i)
    active.counted("processed", 6)

    def ask(**fields: Any) -> Query.Response:
        return active.client._call("query", Query.Request(prompt="red", **fields), 10.0)

    assert ask().mask.header.frame_id == "front_eye"
    assert ask(camera="left").mask.header.frame_id == "left_eye"
    refused = ask(camera="rear")
    assert not refused.success
    assert refused.message == "camera is 'rear', expected one of 'front', 'left' (or none)"
    from geometry_msgs.msg import Point

    clicked = Segment.Request(points=[Point(x=8.5, y=24.5)], camera="left")
    answer = active.client._call("segment", clicked, 10.0)
    assert answer.mask.header.frame_id == "left_eye"


def test_a_camera_that_is_missing_stops_no_other(active: Running, sides: tuple[Side, Side]) -> None:
    front, _ = sides
    for i in range(4):
        front.film(i)
    active.counted("processed_of_front", 4)
    assert active.client.values()["processed_of_left"] == "0"


def test_nobody_publishes_is_told_with_the_camera(client: PerceptionClient) -> None:
    with running(client, cameras=["front", "left"]) as run:
        run.client.start()
        front = Side("front")
        try:
            front.wait_until_heard()
            front.film(0)
            run.counted("processed_of_front", 1)
            said = run.says("nobody publishes '/left/image'")
            assert "camera left" in said
            assert "/front/" not in said
        finally:
            front.close()


def test_what_one_camera_lacks_is_counted_for_it_alone(
    active: Running, sides: tuple[Side, Side]
) -> None:
    front, left = sides
    for i in range(4):
        front.film(i)
        left.film(i, depth=i != 1)
    active.counted("dropped.images_without_depth_of_left", 1)
    active.counted("processed", 7)
    values = active.client.values()
    assert values["dropped.images_without_depth_of_front"] == "0"
    assert values["dropped.images_without_depth"] == "1"  # the sum
    assert values["processed_of_front"] == "4"
    assert values["processed_of_left"] == "3"


def test_a_frame_that_comes_after_later_ones_of_another_camera_is_counted_for_its_own(
    client: PerceptionClient, sides: tuple[Side, Side]
) -> None:
    front, left = sides
    options = {"sync__cameras_wait_s": 0.0, "frames": "newest"}
    with running(client, cameras=["front", "left"], **options) as run:
        run.client.start()
        for one in sides:
            one.wait_until_heard()
        left.film(0)
        run.counted("processed_of_left", 1)
        front.film(5)
        run.counted("processed_of_front", 1)
        left.film(1)  # 0.4 s before what is in the map
        run.counted("dropped.late_of_left", 1)
        left.film(6)
        run.counted("processed_of_left", 2)
        values = run.client.values()
        assert values["dropped.late_of_front"] == "0"
        assert values["dropped.late"] == "1"
        assert values["dropped.failed"] == "0"


def test_one_map_begins_anew_when_the_time_of_all_jumps_back(
    active: Running, sides: tuple[Side, Side]
) -> None:
    front, left = sides
    for i in range(40, 43):
        front.film(i)
        left.film(i)
    active.counted("processed", 6)
    for i in range(3):  # the bag starts again
        front.film(i)
        left.film(i)
    active.counted("processed_of_front", 6)
    active.counted("processed_of_left", 6)
    values = active.client.values()
    assert values["time_jumps"] == "1"
    assert values["dropped.late"] == "0"
    assert values["dropped.failed"] == "0"


def test_the_report_tells_of_each_camera(
    client: PerceptionClient, sides: tuple[Side, Side], tmp_path: Path
) -> None:
    front, left = sides
    options = {"report__dir": str(tmp_path / "out"), "report__holdout_every": 3}
    with running(client, cameras=["front", "left"], **options) as run:
        run.client.start()
        for one in sides:
            one.wait_until_heard()
        for i in range(6):
            front.film(i)
            left.film(i, depth=i != 2)
        run.counted("processed", 11)
        run.counted("dropped.images_without_depth_of_left", 1)
        run.client.change_state("deactivate", 300.0)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["frames_of"] == {"front": 6, "left": 5}
    assert report["frames_heldout"] == 3
    assert set(report["psnr_heldout_db_of"]) == {"front", "left"}
    assert report["left_out"] == {"images_without_depth_of_left": 1}
    assert report["frames_there"] == 12
    videos = {path.name for path in (tmp_path / "out").glob("*.mp4")}
    assert videos == {"overlay_front.mp4", "overlay_left.mp4"}


@pytest.mark.parametrize(
    "options, said",
    [
        ({"cameras": ["front", "front"]}, "parameter 'cameras' is front,front, expected each name"),
        ({"cameras": ["fro nt"]}, "parameter 'cameras' has 'fro nt', expected letters"),
        (
            {"cameras": ["a", "b"], "pose_source": "odometry"},
            "expected tf or topic with 2 cameras: odometry follows one camera",
        ),
        ({"cameras": ["a", "b"], "camera_frame": "eye"}, "parameter 'camera_frame' is 'eye'"),
        ({"extrinsics": ["a b 0 0 0"]}, "parameter 'extrinsics' has 'a b 0 0 0', 5 words"),
        ({"cameras": ["left"], "stereo": True}, "parameter 'cameras' has 'left', expected other"),
    ],
)
def test_cameras_that_cannot_be_are_refused_by_name(
    client: PerceptionClient, options: dict[str, Any], said: str
) -> None:
    with running(client, **options) as run:
        from rclpy.lifecycle import TransitionCallbackReturn

        assert run.node.trigger_configure() != TransitionCallbackReturn.SUCCESS
        assert said in run.says("configuration")


def test_where_cameras_are_mounted_may_be_told(
    client: PerceptionClient, sides: tuple[Side, Side]
) -> None:
    front, left = sides
    told = ["front_eye left_eye 0.3 0 0 0 0 0 1"]
    with running(client, cameras=["front", "left"], extrinsics=told) as run:
        run.client.start()
        for one in sides:
            one.wait_until_heard()
        for i in range(3):
            front.film(i)
            left.film(i, tf=False)
        run.counted("processed_of_left", 3)
        perception = run.node._session._perception  # type: ignore[union-attr]
        where = [perception.viewpoint(camera_name=name)[1][0, 3] for name in ("front", "left")]
        assert where == pytest.approx([0.02, 0.32])


def test_names_with_commas_in_between_are_a_list(client: PerceptionClient) -> None:
    with running(client, cameras="front, left") as run:
        run.client.change_state("configure", 300.0)
        assert {"~/left/masks"} <= {p.topic for p in run.node.publishers}


# --- stereo -------------------------------------------------------------------------------------


class StereoRobot:
    """Publishes a drawn pair: pictures with texture that shift with depth."""

    def __init__(self) -> None:
        from rclpy.node import Node
        from tf2_msgs.msg import TFMessage

        self.node = Node("stereo")
        self.pubs = {
            (side, topic): self.node.create_publisher(kind, f"{side}/{topic}", 10)
            for side in ("left", "right")
            for topic, kind in (("image", Image), ("camera_info", CameraInfo))
        }
        self.tf = self.node.create_publisher(TFMessage, "/tf", 100)
        self.message = TFMessage

    def film(self, i: int, *, baseline_m: float = 0.12, swapped: bool = False) -> None:
        """A textured wall at 2 m, seen by two cameras 12 cm apart."""
        ns = START_NS + i * STEP_NS
        width, height, focal, shift = 160, 120, 150.0, round(150.0 * 0.12 / 2.0)
        noise = np.random.default_rng(0).integers(40, 215, (height // 4, width // 2))
        wall = np.kron(noise, np.ones((4, 4))).astype(np.uint8)
        views = {
            "left": wall[:, 40 : 40 + width],
            "right": wall[:, 40 + shift : 40 + shift + width],
        }
        if swapped:
            views = {"left": views["right"], "right": views["left"]}
        pose = transform_msg(np.eye(4), ns, "map", "left_eye")
        self.tf.publish(self.message(transforms=[pose]))
        for side, grey in views.items():
            head = header(ns, f"{side}_eye")
            info = CameraInfo(header=head, width=width, height=height)
            info.distortion_model = "plumb_bob"
            info.k = [focal, 0.0, 79.5, 0.0, focal, 59.5, 0.0, 0.0, 1.0]
            off = -focal * baseline_m if side == "right" else 0.0
            info.p = [focal, 0.0, 79.5, off, 0.0, focal, 59.5, 0.0, 0.0, 0.0, 1.0, 0.0]
            self.pubs[side, "camera_info"].publish(info)
            rgb = np.repeat(np.ascontiguousarray(grey)[..., None], 3, 2)
            self.pubs[side, "image"].publish(image_msg(rgb, "rgb8", head))

    def wait_until_heard(self) -> None:
        eventually(lambda: all(p.get_subscription_count() for p in (*self.pubs.values(), self.tf)))


@pytest.fixture
def pair(client: PerceptionClient) -> Iterator[StereoRobot]:
    made = StereoRobot()
    yield made
    made.node.destroy_node()


@pytest.fixture
def stereo(client: PerceptionClient, pair: StereoRobot) -> Iterator[Running]:
    with running(client, stereo=True) as run:
        run.client.start()
        pair.wait_until_heard()
        yield run


def test_a_stereo_pair_is_mapped_at_its_depth(stereo: Running, pair: StereoRobot) -> None:
    for i in range(3):
        pair.film(i)
    stereo.counted("processed", 3)
    cloud = stereo.node._session._perception.cloud()  # type: ignore[union-attr]
    assert len(cloud) > 100
    assert np.median(cloud.xyz[:, 2]) == pytest.approx(2.0, abs=0.05)
    assert stereo.client.values()["received.right/image"] == "3"


@pytest.mark.parametrize(
    "wrong, counter, said",
    [
        ({"baseline_m": 0.0}, "images_without_calibration", "there is no baseline"),
        ({"baseline_m": -0.12}, "images_without_calibration", "left and right are swapped"),
        ({"swapped": True}, "pairs_swapped", "left and right pictures are swapped"),
    ],
)
def test_wrong_pairs_are_named(
    stereo: Running, pair: StereoRobot, wrong: dict[str, Any], counter: str, said: str
) -> None:
    pair.film(0, **wrong)
    stereo.counted(f"dropped.{counter}", 1)
    stereo.says(said)
    for i in range(1, 6):  # (a calibration may come after the first images it is for)
        pair.film(i)
    stereo.counted("processed", 1)


def test_pairs_of_different_times_are_named(stereo: Running, pair: StereoRobot) -> None:
    from rclpy.publisher import Publisher

    class Late:
        """Delays the stamps of what is published by 50 ms."""

        def __init__(self, publisher: Publisher[Any]) -> None:
            self._publisher = publisher

        def publish(self, message: Any) -> None:
            message.header.stamp.nanosec += 50_000_000
            self._publisher.publish(message)

    pair.pubs["right", "image"] = Late(pair.pubs["right", "image"])  # type: ignore[assignment]
    for i in range(8):
        pair.film(i)
    stereo.says("sync", "the stamps of left/image and right/image never pair", "0.050 s")
    stereo.counted("dropped.images_without_right", 1)


# --- the queue ----------------------------------------------------------------------------------


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class _Job:
    epoch = 0

    def __init__(self, camera_name: str, ns: int, lacks: str = "") -> None:
        self.camera_name, self.ns, self.lacks = camera_name, ns, lacks

    def missing(self) -> str:
        return self.lacks

    lacking = missing

    def again_s(self) -> float | None:
        return None

    def run(self) -> None:
        raise AssertionError("a queue runs nothing")


def _queues(policy: Any = "newest", hold_s: float = 0.1) -> tuple[CameraQueues, _Clock]:
    clock = _Clock()
    return CameraQueues(("front", "left"), policy, 4, 0.5, hold_s, clock), clock


def _take(queues: CameraQueues) -> tuple[tuple[str, int] | None, list[tuple[str, str]]]:
    job, drops = queues.take()
    taken = None if job is None else (job.camera_name, job.ns)
    return taken, [(drop.camera_name, drop.cause) for drop in drops]


def test_a_fast_camera_pushes_out_its_own_frames_only() -> None:
    queues, _ = _queues(hold_s=0.0)
    drops = queues.push(_Job("left", 5))
    for ns in range(6, 16):
        drops += queues.push(_Job("front", ns))
    assert {(drop.camera_name, drop.cause) for drop in drops} == {("front", "superseded")}
    assert _take(queues) == (("left", 5), [])
    assert _take(queues) == (("front", 15), [])
    assert _take(queues) == (None, [])


def _regular(queues: CameraQueues, clock: _Clock) -> None:
    """Both cameras have come every 100 ms until stamp 500 ms, and are served."""
    for k in range(6):
        clock.now += 0.1
        for name in ("front", "left"):
            queues.push(_Job(name, k * 100_000_000))
        while queues.take()[0] is not None:
            pass


def test_a_frame_is_held_for_an_older_one_that_is_due() -> None:
    queues, clock = _queues()
    _regular(queues, clock)
    clock.now += 0.1
    queues.push(_Job("front", 620_000_000))
    assert _take(queues) == (None, [])  # the left one of 600 ms is on its way
    assert 0 < (queues.left_s() or 0) <= 0.1
    queues.push(_Job("left", 600_000_000))
    assert _take(queues) == (("left", 600_000_000), [])
    assert _take(queues) == (("front", 620_000_000), [])


def test_it_is_not_held_for_longer_nor_for_what_is_not_due() -> None:
    queues, clock = _queues()
    _regular(queues, clock)
    queues.push(_Job("front", 570_000_000))
    assert _take(queues) == (("front", 570_000_000), [])  # the left one is not due yet
    queues.push(_Job("front", 670_000_000))
    assert _take(queues) == (None, [])
    clock.now += 0.11
    assert _take(queues) == (("front", 670_000_000), [])


def test_a_silent_camera_is_not_waited_for() -> None:
    queues, clock = _queues()
    _regular(queues, clock)
    clock.now += 2.0
    queues.push(_Job("front", 2_600_000_000))
    assert _take(queues) == (("front", 2_600_000_000), [])


def test_a_frame_without_its_pose_holds_up_no_other_camera() -> None:
    queues, clock = _queues("all", hold_s=0.0)
    queues.push(_Job("front", 1, lacks="no transform"))
    queues.push(_Job("left", 2))
    assert _take(queues) == (("left", 2), [])
    clock.now += 1.0
    assert _take(queues) == (None, [("front", "not_ready")])


def test_nothing_waits_for_order_when_nothing_more_comes() -> None:
    queues, clock = _queues("all", hold_s=0.5)
    _regular(queues, clock)
    queues.push(_Job("front", 700_000_000))
    assert _take(queues) == (None, [])
    queues.hurry(0.1)
    assert _take(queues) == (("front", 700_000_000), [])
    assert len(queues) == 0
    with pytest.raises(BadInputError):
        FrameQueue("latest", 4, 0.5)  # type: ignore[arg-type]
