# SPDX-License-Identifier: Apache-2.0
"""Bags as they come from the field: one bad sample costs itself, and what is chosen is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_faults import COLOR, DEPTH, FRAMES, Change, changed, good, load, opened, positions
from bag_messages import (
    HEIGHT,
    SECOND,
    START,
    WIDTH,
    Message,
    compressed,
    depth,
    header,
    image,
    info,
    make,
    png,
    pose,
    recording,
    rgb,
    stamp_of,
    transform,
    vector,
    write,
)
from rosbags.rosbag2 import StoragePlugin

from f4x_ros.core.errors import BadInputError
from f4x_ros.io.bag_topics import CAMERA_INFO, IMAGE, POSE_STAMPED, TF
from f4x_ros.io.bags import BagSource

# Depth of another camera


def beside(depth_frame: str, *messages: Message) -> list[Message]:
    """Depth of a camera 0.1 m to the right of the colour camera, both looking at a wall at 2 m."""

    def other(_: str, k: int, __: Any) -> Any:
        return image(stamp_of(k), "16UC1", np.full((HEIGHT, WIDTH), 2000, np.uint16), depth_frame)

    return [*changed(good(), DEPTH, other), *messages]


def test_depth_of_another_camera_is_registered_with_both_calibrations(tmp_path: Path) -> None:
    infos = [("/cam/depth/camera_info", CAMERA_INFO, stamp_of(k), info(stamp_of(k))) for k in (0,)]
    place = ("/tf_static", TF, START - 1, transform(START, "camera_optical", "depth_optical", 0.4))
    frames, source = opened(tmp_path, beside("/depth_optical", *infos, place))
    assert len(frames) == FRAMES
    # 0.4 m at 2 m and 10 px focal length are two pixels.
    assert (frames[0].depth[:, 2:] == 2).all()
    assert not frames[0].depth[:, :2].any()
    assert any("'depth_optical'" in r and "'camera_optical'" in r for r in source.remarks)


def test_depth_that_cannot_be_registered_is_refused_with_both_frames(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"'depth_optical'.*'camera_optical'.*--depth-topic"):
        opened(tmp_path, beside("depth_optical"))


def test_rectified_depth_beside_distorted_colour_stays_as_it_is(tmp_path: Path) -> None:
    bent = np.array([-1.5, 0, 0, 0, 0])
    messages = changed(good(), "/cam/color/camera_info", lambda _, k, m: info(stamp_of(k), d=bent))
    messages = [(t.replace(DEPTH, "/cam/depth/image"), *m) for t, *m in messages]
    flat = ("/cam/depth/camera_info", CAMERA_INFO, START, info(START))
    (frame, *_), _ = opened(tmp_path / "own", [*messages, flat])
    seen = frame.observed if frame.observed is not None else np.ones((HEIGHT, WIDTH), bool)
    assert frame.depth[seen] == pytest.approx(depth(0)[seen] / 1000)
    (frame, *_), _ = opened(tmp_path / "like", messages)
    assert frame.depth[seen] != pytest.approx(depth(0)[seen] / 1000)


# Poses


def test_a_correction_at_1_hz_is_interpolated_and_held(tmp_path: Path) -> None:
    frames = 20
    slow = [("/tf", TF, START + k * SECOND, transform(START + k * SECOND, "map", "odom", k))
            for k in (0, 1)]  # fmt: skip
    fast = [("/tf", TF, stamp_of(k), transform(stamp_of(k), "odom", "camera_optical", 10 * k))
            for k in range(frames)]  # fmt: skip
    found, source = opened(tmp_path, [*recording(frames), *slow, *fast])
    assert len(found) == frames
    expected = [10 * k + min(k / 10, 1) for k in range(frames)]
    assert positions(found) == pytest.approx(expected)
    assert "images_without_pose" not in source.counts


def test_a_bad_transform_is_skipped_and_counted_with_its_frame(tmp_path: Path) -> None:
    zero = transform(START, "base", "gripper", 0)
    zero.transforms[0].transform.rotation = vector("Quaternion", 0, 0, 0, 0)

    def spoilt(_: str, k: int, message: Any) -> Any:
        if k == 2:
            message.transforms[0].transform.translation = vector("Vector3", np.nan, 0, 0)
        return message

    messages = [*changed(good(), "/tf", spoilt), ("/tf_static", TF, START - 1, zero)]
    frames, source = opened(tmp_path, messages)
    assert len(frames) == FRAMES
    assert positions(frames) == pytest.approx([k + 1.0 for k in range(FRAMES)])
    assert source.counts == {"transforms_unusable": 2}
    for frame in ("'gripper'", "'base'"):
        assert any(frame in remark and "1 of" in remark for remark in source.remarks)


def test_slashes_of_ros_1_mean_nothing(tmp_path: Path) -> None:
    def slashed(_: str, k: int, message: Any) -> Any:
        message.header.frame_id = "/camera_optical"
        return message

    frames, _ = opened(tmp_path, changed(good(), COLOR, slashed), map_frame="/map")
    assert positions(frames) == [k + 1.0 for k in range(FRAMES)]
    assert frames[0].frame_id == "camera_optical"


def test_of_two_parents_one_is_used_and_said(tmp_path: Path) -> None:
    drift = [("/tf", TF, stamp_of(k) + 1, transform(stamp_of(k) + 1, "odom", "base", 50 + k))
             for k in range(FRAMES + 1)]  # fmt: skip
    root = ("/tf_static", TF, START - 1, transform(START, "map", "odom", 0))
    frames, source = opened(tmp_path, [*good(), *drift, root])
    assert positions(frames) == [k + 1.0 for k in range(FRAMES)]
    assert any("'base' has 2 parents: 'map'" in r and "'odom'" in r for r in source.remarks)


def goals(topic: str = "/goal_pose") -> list[Message]:
    return [(topic, POSE_STAMPED, stamp_of(k), pose(stamp_of(k), 99)) for k in range(FRAMES)]


@pytest.mark.parametrize("topic", ["/goal_pose", "/move_base_simple/goal", "/initialpose"])
def test_a_goal_is_no_pose_of_the_camera(tmp_path: Path, topic: str) -> None:
    with pytest.raises(BadInputError, match=rf"{topic} \(named like.*--pose-topic {topic}"):
        opened(tmp_path / "no", recording(FRAMES) + goals(topic))
    frames, _ = opened(tmp_path / "named", recording(FRAMES) + goals(topic), pose=topic)
    assert positions(frames) == [99.0] * FRAMES
    right = [("/slam/pose", *message[1:]) for message in goals()]
    frames, source = opened(tmp_path / "other", recording(FRAMES) + goals(topic) + right)
    assert source.topics.pose == "/slam/pose"
    assert any(topic in remark for remark in source.remarks)


def test_poses_far_from_the_images_are_not_taken_by_themselves(tmp_path: Path) -> None:
    late = START + 50 * SECOND
    poses = [("/somewhere", POSE_STAMPED, late, pose(late, 1))]
    with pytest.raises(BadInputError, match="1 messages, near 0% of 6 images"):
        opened(tmp_path, recording(FRAMES) + poses)


def with_covariance(k: int) -> Any:
    kind = "geometry_msgs/msg/PoseWithCovariance"
    plain = pose(stamp_of(k), k)
    inner = make(kind, pose=plain.pose, covariance=np.zeros(36))
    return make(f"{kind}Stamped", header=plain.header, pose=inner)


def odometry(child: str) -> Callable[[int], Any]:
    def message(k: int) -> Any:
        zero = vector("Vector3", 0, 0, 0)
        twist = make("geometry_msgs/msg/Twist", linear=zero, angular=zero)
        covered = make(
            "geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=np.zeros(36)
        )
        return make(
            "nav_msgs/msg/Odometry", header=header(stamp_of(k), "map"), child_frame_id=child,
            pose=with_covariance(k).pose, twist=covered,
        )  # fmt: skip

    return message


@pytest.mark.parametrize(
    "message, ahead",
    [
        (with_covariance, 0.0),
        (odometry(""), 0.0),
        (odometry("/camera_optical"), 0.0),
        (odometry("base"), 0.5),
        (lambda k: transform(stamp_of(k), "map", "camera_optical", k).transforms[0], 0.0),
    ],
)
def test_poses_of_other_types_are_read(
    tmp_path: Path, message: Callable[[int], Any], ahead: float
) -> None:
    static = ("/tf_static", TF, START - 1, transform(START, "base", "camera_optical", 0.5))
    poses = [("/odom", message(k).__msgtype__, stamp_of(k), message(k)) for k in range(FRAMES)]
    frames, source = opened(tmp_path, [*recording(FRAMES), static, *poses])
    assert source.topics.pose == "/odom"
    assert positions(frames) == [k + ahead for k in range(FRAMES)]


def test_odometry_of_a_body_that_nothing_joins_to_the_camera_is_refused(tmp_path: Path) -> None:
    poses = [("/odom", "nav_msgs/msg/Odometry", stamp_of(k), odometry("base")(k)) for k in range(6)]
    with pytest.raises(BadInputError, match=r"/odom \(of 'base', which no transform joins"):
        opened(tmp_path / "found", recording(FRAMES) + poses)
    with pytest.raises(BadInputError, match=r"/odom \(--pose-topic\) gives 'base' in 'map'"):
        opened(tmp_path / "named", recording(FRAMES) + poses, pose="/odom")


def test_a_type_that_is_no_pose_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"--pose-topic.*PoseStamped.*Odometry"):
        opened(tmp_path, good(), pose=COLOR)


def test_the_pose_of_a_body_is_not_taken_for_the_camera_s(tmp_path: Path) -> None:
    poses = [("/amcl_pose", *m[1:]) for m in goals()]
    with pytest.raises(BadInputError, match=r"/amcl_pose \(named like the pose of a robot's body"):
        opened(tmp_path / "body", recording(FRAMES) + poses)
    frames, source = opened(
        tmp_path / "camera", recording(FRAMES) + [("/cam_pose", *m[1:]) for m in poses]
    )
    assert len(frames) == FRAMES
    assert any("/cam_pose is taken for its pose in 'map'" in r for r in source.remarks)


def test_two_topics_that_could_be_the_pose_are_listed(tmp_path: Path) -> None:
    two = [(t, *m[1:]) for m in goals() for t in ("/slam/pose", "/vio/pose")]
    with pytest.raises(BadInputError, match=r"2 topics could be the pose: .*--pose-topic"):
        opened(tmp_path, recording(FRAMES) + two)


def test_stamps_of_zero_are_replaced_by_the_time_of_recording(tmp_path: Path) -> None:
    def zero(_: str, k: int, message: Any) -> Any:
        message.header.stamp.sec = message.header.stamp.nanosec = 0
        return message

    messages = changed(changed(good(), COLOR, zero), DEPTH, zero)
    messages = [(t, k, at - 60_000_000 if t == DEPTH else at, m) for t, k, at, m in messages]
    frames, source = opened(tmp_path, messages)
    assert [f.stamp_ns for f in frames] == [stamp_of(k) + 7_000_000 for k in range(FRAMES)]
    assert any(COLOR in remark and "6 of 6" in remark for remark in source.remarks)


# Choice


def test_of_several_cameras_the_one_that_fits_the_depth_is_taken_and_said(tmp_path: Path) -> None:
    messages = good()
    for side in ("infra1", "infra2"):
        for k in range(FRAMES):
            at = stamp_of(k)
            grey = image(at, "mono8", rgb(k)[..., 0], f"{side}_optical")
            messages += [
                (f"/cam/{side}/image_rect_raw", IMAGE, at, grey),
                (f"/cam/{side}/camera_info", CAMERA_INFO, at, info(at)),
            ]
    frames, source = opened(tmp_path, messages)
    assert source.topics.image == COLOR
    assert np.array_equal(frames[0].rgb, rgb(0))
    (remark,) = [r for r in source.remarks if r.startswith("image is")]
    for word in (COLOR, "/cam/infra1/image_rect_raw", "in colour", "frame_id", "--image-topic"):
        assert word in remark


def test_of_two_colour_cameras_the_one_in_the_frame_of_the_depth_is_taken(tmp_path: Path) -> None:
    def left(_: str, k: int, message: Any) -> Any:
        message.header.frame_id = "left"
        return message

    other = changed(recording(FRAMES), COLOR, left)
    other = [(t.replace("/color/", "/a_left/"), *m) for t, *m in other if "depth" not in t]
    _, source = opened(tmp_path, [*other, *good()])
    assert source.topics.image == COLOR


def test_the_picture_as_it_came_is_taken_before_its_rectified_copy(tmp_path: Path) -> None:
    copies = [("/cam/color/image_rect", *m) for t, *m in recording(FRAMES) if t == COLOR]
    _, source = opened(tmp_path, [*good(), *copies])
    assert source.topics.image == COLOR
    assert any("/cam/color/image_rect" in remark for remark in source.remarks)


@pytest.mark.parametrize(
    "kind, made",
    [
        ("mono16", lambda k: image(stamp_of(k), "mono16", depth(k))),
        ("64FC1", lambda k: image(stamp_of(k), "64FC1", depth(k) / 1000)),
        ("32FC1", lambda k: image(stamp_of(k), "32FC1", depth(k) / np.float32(1000))),
        ("png", lambda k: compressed(stamp_of(k), "png", png(depth(k)))),
    ],
)
def test_depth_is_found_under_other_names(
    tmp_path: Path, kind: str, made: Callable[[int], Any]
) -> None:
    frames, source = opened(tmp_path, changed(good(), DEPTH, lambda _, k, __: made(k)))
    assert source.topics.depth == DEPTH
    assert frames[1].depth == pytest.approx(depth(1) / 1000, abs=1e-6)


def test_depth_of_an_encoding_that_is_not_read_is_not_just_left_out(tmp_path: Path) -> None:
    def odd(_: str, k: int, message: Any) -> Any:
        return image(stamp_of(k), "32SC1", depth(k).astype("<i4"))

    messages = changed(good(), DEPTH, odd)
    with pytest.raises(BadInputError, match=rf"topic {DEPTH} has the encoding '32SC1', expected"):
        opened(tmp_path / "found", messages)
    frames, source = opened(tmp_path / "forgone", messages, depth="")
    assert frames[0].depth is None
    assert any(DEPTH in remark and "'32SC1'" in remark for remark in source.remarks)


def test_where_no_image_has_a_pose_it_is_said_which_transform_is_known_when(tmp_path: Path) -> None:
    def late(_: str, k: int, message: Any) -> Any:
        message.transforms[0].header.stamp.sec += 100
        return message

    found = r"none of 6 images .* 1600000000.000 to .* 'map' -> 'base' has 7 samples from 16000000"
    with pytest.raises(BadInputError, match=found):
        opened(tmp_path, changed(good(), "/tf", late))


def test_channels_without_names_are_said(tmp_path: Path) -> None:
    def unnamed(_: str, k: int, message: Any) -> Any:
        return image(stamp_of(k), "8UC3", rgb(k)[..., ::-1])

    frames, source = opened(tmp_path, changed(good(), COLOR, unnamed))
    assert np.array_equal(frames[0].rgb, rgb(0))
    assert any("8UC3" in remark and COLOR in remark for remark in source.remarks)


# One bad sample


def cut(_: str, k: int, message: Any) -> Any:
    if k == 2:
        message.data = message.data[:10]
    return message


def of_other_size(_: str, k: int, message: Any) -> Any:
    return image(stamp_of(k), "rgb8", rgb(k)[:4, :4]) if k == 2 else message


def no_stamp(_: str, k: int, message: Any) -> Any:
    if k == 2:
        message.header.stamp.sec = -5
    return message


@pytest.mark.parametrize(
    "topic, change, reason",
    [
        (COLOR, cut, "images_unreadable"),
        (COLOR, of_other_size, "images_of_other_size"),
        (DEPTH, cut, "depth_unreadable"),
        (COLOR, lambda _, k, m: None if k == 2 else m, "depth_without_image"),
        (DEPTH, lambda _, k, m: None if k == 2 else m, "images_without_depth"),
        (COLOR, no_stamp, "images_without_depth"),
    ],
)
def test_a_bad_sample_costs_itself_and_is_counted(
    tmp_path: Path, topic: str, change: Change, reason: str
) -> None:
    frames, source = opened(tmp_path, changed(good(), topic, change))
    assert [f.stamp_ns for f in frames] == [stamp_of(k) for k in range(FRAMES) if k != 2]
    assert source.counts[reason] == 1


def test_a_bad_calibration_is_replaced_by_the_nearest_good_one(tmp_path: Path) -> None:
    def spoilt(_: str, k: int, message: Any) -> Any:
        return info(stamp_of(k), d=np.full(5, np.nan)) if k == 2 else message

    frames, source = opened(tmp_path, changed(good(), "/cam/color/camera_info", spoilt))
    assert len(frames) == FRAMES
    assert source.counts == {"calibrations_unusable": 1}
    bad = changed(good(), "/cam/color/camera_info", lambda *_: info(START, d=np.full(5, np.nan)))
    with pytest.raises(BadInputError, match=r"/cam/color/camera_info: d is \[nan"):
        opened(tmp_path / "all", bad)


@pytest.mark.parametrize("length", [0, 6, 15, 40, 150])
@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_a_message_cut_short_costs_itself(
    tmp_path: Path, length: int, storage: StoragePlugin
) -> None:
    def shorter(topic: str, at: int, data: bytes) -> bytes:
        third = stamp_of(2) <= at < stamp_of(3)
        return data[:length] if topic == COLOR and third else data

    with BagSource(write(tmp_path / "bag", good(), storage, change=shorter)) as source:
        frames = load(source)
    assert [f.stamp_ns for f in frames] == [stamp_of(k) for k in range(FRAMES) if k != 2]
    lost = {"images_unreadable", "images_without_depth"} & source.counts.keys()
    assert len(lost) == 1
