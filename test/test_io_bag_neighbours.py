# SPDX-License-Identifier: Apache-2.0
"""Neighbours of the known faults: clocks, mounts, coordinates and robots as other people record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_faults import COLOR, DEPTH, FRAMES, changed, good, load, opened, positions
from bag_messages import (
    SECOND,
    START,
    Message,
    depth,
    header,
    image,
    info,
    make,
    recording,
    rgb,
    stamp_of,
    transform,
    with_tf,
    write,
)

from f4x_ros.core.errors import BadInputError
from f4x_ros.io.bag_topics import CAMERA_INFO, IMAGE, TF
from f4x_ros.io.bags import BagSource

INFO = "/cam/color/camera_info"


def once_on_tf(*, frames: int = FRAMES) -> list[Message]:
    """Where the camera is mounted is sent once, with the first pose, instead of on /tf_static."""
    at = stamp_of(0) - SECOND // 20
    mount = ("/tf", TF, at, transform(at, "base", "camera_optical", 0.5))
    return [mount, *(m for m in with_tf(recording(frames), frames) if m[0] != "/tf_static")]


def test_a_mount_that_was_sent_once_is_held_while_the_rest_moves(tmp_path: Path) -> None:
    frames, source = opened(tmp_path, once_on_tf())
    assert positions(frames) == [k + 1.0 for k in np.arange(FRAMES)]
    assert not source.counts


def test_it_is_held_for_two_seconds_and_then_said(tmp_path: Path) -> None:
    frames, source = opened(tmp_path, once_on_tf(frames=30))
    assert len(frames) == 20
    assert source.counts == {"images_without_pose": 10}
    assert any(
        "10 of 30 images have no pose, the first at 1600000002.000 s: transform 'base' -> "
        "'camera_optical' has 1 sample at 1599999999.950 s"
        in said
        and "belongs on /tf_static" in said
        for said in source.remarks
    )


def test_a_clock_that_was_set_back_is_said(tmp_path: Path) -> None:
    day = 86_400 * SECOND

    def set_back(message: Message) -> Message:
        topic, kind, at, body = message
        if at >= stamp_of(3) - SECOND // 20:
            stamped = body.transforms[0] if kind == TF else body
            old = stamped.header.stamp.sec * SECOND + stamped.header.stamp.nanosec
            stamped.header = header(old - day, stamped.header.frame_id)
        return topic, kind, at, body

    frames, source = opened(tmp_path, [set_back(message) for message in good()])
    assert len(frames) == FRAMES - 1  # of one, the next transform is a day away
    assert [frame.stamp_ns for frame in frames] == sorted(frame.stamp_ns for frame in frames)
    assert any(f"topic {COLOR}: the stamps go back by 86399." in r for r in source.remarks)


def test_a_single_stamp_from_another_age_costs_itself(tmp_path: Path) -> None:
    def leap(_: str, k: int, message: Any) -> Any:
        if k == 3:
            message.header = header(stamp_of(3) + 10**17)
        return message

    frames, source = opened(tmp_path, changed(good(), COLOR, leap))
    assert len(frames) == FRAMES - 1
    assert source.counts == {"images_without_depth": 1, "depth_without_image": 1}
    assert not source.remarks


def test_messages_that_were_recorded_twice_count_once_each(tmp_path: Path) -> None:
    frames, source = opened(tmp_path, [*good(), *recording(FRAMES)])
    assert len(frames) == FRAMES
    assert source.counts == {
        "images_with_repeated_stamp": FRAMES,
        "depth_with_repeated_stamp": FRAMES,
    }


def apart(milliseconds: int) -> list[Message]:
    def later(_: str, k: int, message: Any) -> Any:
        message.header = header(stamp_of(k) + milliseconds * 1_000_000)
        return message

    return changed(good(), DEPTH, later)


def test_depth_that_lies_too_far_apart_is_named_with_how_far_and_the_option(
    tmp_path: Path,
) -> None:
    with pytest.raises(BadInputError, match=r"nearest differ by 0\.040 s .--slop SECONDS"):
        opened(tmp_path, apart(40))
    with BagSource(tmp_path / "bag", slop_s=0.05) as source:
        assert len(load(source)) == FRAMES


def test_coordinates_of_the_earth_are_refused_before_they_spoil_the_map(tmp_path: Path) -> None:
    def utm(_: str, k: int, message: Any) -> Any:
        message.transforms[0].transform.translation.y = 5_400_000.0
        return message

    with pytest.raises(BadInputError, match=r"T_map_camera is at .*5400000.0.*such as UTM"):
        opened(tmp_path, changed(good(), "/tf", utm))


def test_depth_without_any_reading_is_counted_once(tmp_path: Path) -> None:
    def dark(_: str, k: int, message: Any) -> Any:
        message.data = np.zeros_like(message.data) if k in (2, 3) else message.data
        return message

    with BagSource(write(tmp_path / "bag", changed(good(), DEPTH, dark))) as source:
        assert len(load(source)) == len(load(source)) == FRAMES
    assert list(source.left_out) == [("depth_without_reading", 2, stamp_of(2))]


def test_what_a_bag_lacks_for_a_map_is_said(tmp_path: Path) -> None:
    _, source = opened(tmp_path / "poses", recording(FRAMES))
    assert any("no transforms" in said and "no topic of poses" in said for said in source.remarks)
    _, source = opened(tmp_path / "depth", [m for m in good() if m[0] != DEPTH])
    assert any("no topic of depth images" in said for said in source.remarks)


def test_of_two_robots_one_has_to_be_named_and_all_of_it_is_taken(tmp_path: Path) -> None:
    messages = []
    for robot, shift in (("one", 0), ("two", 100)):
        eye = f"{robot}/eye"
        for k in range(FRAMES):
            at = stamp_of(k)
            calibration = info(at)
            calibration.header = header(at, eye)
            near = np.full((6, 8), 1000 + shift, np.uint16)
            messages += [
                ("/tf", TF, at, transform(at, "map", eye, k + shift)),
                (f"/{robot}{INFO}", CAMERA_INFO, at, calibration),
                (f"/{robot}{COLOR}", IMAGE, at, image(at, "rgb8", rgb(k), eye)),
                (f"/{robot}{DEPTH}", IMAGE, at, image(at, "16UC1", near, eye)),
            ]
    path = write(tmp_path / "bag", messages)
    with pytest.raises(BadInputError, match=f"2 topics could be the image.*/one{COLOR}.*/two"):
        BagSource(path)
    with BagSource(path, image=f"/two{COLOR}") as source:
        frames = load(source)
    assert source.topics.depth == f"/two{DEPTH}"
    assert source.topics.camera_info == f"/two{INFO}"
    assert positions(frames) == [k + 100.0 for k in range(FRAMES)]
    assert np.unique(frames[0].depth).tolist() == pytest.approx([1.1])


def test_metadata_that_is_no_yaml_is_said_in_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "bag", good())
    (path / "metadata.yaml").write_text("rosbag2_bagfile_information:\n  version: [")
    with BagSource(path) as source:
        assert len(load(source)) == FRAMES
    assert "its files were read one by one" in source.remarks[0]
    assert all("\n" not in said for said in source.remarks)


def test_a_strange_type_beside_the_camera_does_no_harm(tmp_path: Path) -> None:
    note = make("std_msgs/msg/String", data="hello")
    frames, source = opened(tmp_path, [*good(), ("/chatter", "std_msgs/msg/String", START, note)])
    assert len(frames) == FRAMES
    assert source.counts == {"messages_on_other_topics": 1}


def test_pictures_that_name_no_frame_are_said_to(tmp_path: Path) -> None:
    def nameless(_: str, k: int, message: Any) -> Any:
        message.header = header(stamp_of(k), "")
        return message

    messages = changed(changed(good(), COLOR, nameless), INFO, nameless)
    with pytest.raises(BadInputError, match=f"{COLOR} and {INFO} have an empty header.frame_id"):
        opened(tmp_path, changed(messages, DEPTH, nameless))


def test_transforms_in_a_circle_are_said_and_the_way_up_is_taken(tmp_path: Path) -> None:
    ring = ("/tf", TF, START - 1, transform(START, "camera_optical", "map", 9.0))
    frames, source = opened(tmp_path, [ring, *good()])
    assert positions(frames) == [k + 1.0 for k in range(FRAMES)]
    said = [text for text in source.remarks if "in a circle" in text]
    assert said == [
        "the transforms go in a circle, each frame in the next: camera_optical in base in map in "
        "camera_optical; one of them should not be sent"
    ]


def test_a_static_transform_that_was_sent_with_another_value_is_said(tmp_path: Path) -> None:
    again = ("/tf_static", TF, stamp_of(2), transform(stamp_of(2), "base", "camera_optical", 0.7))
    beside = ("/tf_static", TF, stamp_of(2), transform(stamp_of(2), "base", "arm", 0.7))
    other = ("/tf_static", TF, stamp_of(3), transform(stamp_of(2), "base", "arm", 0.8))
    frames, source = opened(tmp_path, [*good(), again, beside, other])
    assert positions(frames) == [k + 1.2 for k in range(FRAMES)]
    assert source.remarks == [
        "static transform 'base' -> 'camera_optical' was sent with 2 values; the last is used "
        "throughout"
    ]


def test_poses_in_millimetres_are_noticed(tmp_path: Path) -> None:
    def far(_: str, k: int, message: Any) -> Any:
        message.transforms[0].transform.translation.x = 1000.0 * k
        return message

    _, source = opened(tmp_path, changed(good(), "/tf", far))
    assert any("10000 m/s" in text and "in millimetres" in text for text in source.remarks)


def test_the_largest_whole_number_is_no_reading(tmp_path: Path) -> None:
    def saturated(_: str, k: int, message: Any) -> Any:
        pixels = depth(k)
        pixels[0] = 65535
        message.data = pixels.reshape(-1).view(np.uint8)
        return message

    frames, _ = opened(tmp_path, changed(good(), DEPTH, saturated))
    for k, frame in enumerate(frames):
        assert not frame.depth[0].any()
        assert np.array_equal(frame.depth[1:], depth(k)[1:].astype(np.float32) / 1000)
