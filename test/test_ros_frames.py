# SPDX-License-Identifier: Apache-2.0
"""Frames from messages, without topics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ros_harness import CAMERA, frame
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from f4x_ros.core.data import Pose
from f4x_ros.ros.conversions import camera_info_msg, header
from f4x_ros.ros.frames import BadFrameError, FrameBuilder, StampOrder
from f4x_ros.ros.images import image_msg

S = 1_000_000_000
LENS = [0.2, -0.3, 0.0, 0.0, 0.1]


def messages(i: int = 0, depth_frame: str = "eye") -> tuple[Image, CameraInfo, Image]:
    made = frame(i)
    head = header(made.stamp_ns, "/eye")  # a slash of ROS 1
    depth = image_msg(made.depth, "32FC1", header(made.stamp_ns, depth_frame))
    return image_msg(made.rgb, "rgb8", head), camera_info_msg(CAMERA, head), depth


def builder(**options: Any) -> FrameBuilder:
    return FrameBuilder(map_frame="/map", camera_frame="", rectified=False, **options)


def test_slashes_of_frames_mean_nothing() -> None:
    made = builder().build(*messages(), np.eye(4))
    assert (made.frame_id, made.map_frame) == ("eye", "map")


@pytest.mark.parametrize("name", ["x" * 256, "eye\x00", ""])
def test_an_image_without_a_frame_that_can_be_is_refused_in_few_words(name: str) -> None:
    good, bad = Image(header=Header(frame_id="eye")), Image(header=Header(frame_id=name))
    with pytest.raises(BadFrameError) as error:
        builder().frame_id(bad)
    assert (error.value.kind, error.value.reason) == ("image", "images_without_frame")
    assert len(str(error.value)) < 200
    if name:
        with pytest.raises(BadFrameError) as error:
            builder().depth_frame(good, bad)
        assert (error.value.kind, error.value.reason) == ("depth", "depth_unreadable")
    named = FrameBuilder(map_frame="map", camera_frame="eye", rectified=False)
    assert named.frame_id(bad) == "eye"


@pytest.mark.parametrize("by", ["its own calibration", "the name of its topic"])
def test_depth_that_is_rectified_is_left_beside_colour_that_is_not(by: str) -> None:
    image, info, depth = messages()
    names, depth_info = {}, None
    slope = np.broadcast_to(np.linspace(1, 3, 64, dtype=np.float32), (48, 64))
    depth.data = image_msg(slope, "32FC1", depth.header).data
    if by == "its own calibration":
        depth_info = camera_info_msg(CAMERA, depth.header)
    else:
        names = {"depth/image": "/camera/depth_registered/image_rect"}
    info.d = LENS
    made = builder(names=names).build(image, info, depth, np.eye(4), depth_info=depth_info)
    assert made.observed is not None
    expected = np.where(made.observed, slope, 0)
    np.testing.assert_array_equal(made.depth, expected)
    bent = builder().build(image, info, depth, np.eye(4))
    assert (bent.depth != made.depth).any()


def test_depth_of_another_camera_is_registered() -> None:
    beside: Pose = np.eye(4)
    beside[0, 3] = 0.1
    image, info, depth = messages(depth_frame="depth_eye")
    wall = np.full((48, 64), 2.0, np.float32)
    wall[:, 32:] = 0
    depth.data = image_msg(wall, "32FC1", depth.header).data
    said: list[str] = []
    own = camera_info_msg(CAMERA, depth.header)
    build = builder(on_remark=said.append).build
    for _ in range(2):
        made = build(image, info, depth, np.eye(4), depth_info=own, T_color_depth=beside)
    assert made.depth is not None
    seen = np.flatnonzero(made.depth[24])
    # 10 cm at 2 m are 3 pixels.
    assert (seen.min(), seen.max()) == (3, 34)
    assert len(said) == 1
    assert "'depth_eye'" in said[0]
    assert "is registered to" in said[0]
    with pytest.raises(BadFrameError, match=r"depth_eye.*eye") as raised:
        build(image, info, depth, np.eye(4), depth_info=own)
    assert (raised.value.kind, raised.value.reason) == ("depth", "depth_not_registered")


def test_a_calibration_that_is_none_is_told_once_and_the_one_before_stays() -> None:
    told: list[int] = []
    build = builder(on_bad_calibration=lambda ns, text: told.append(ns)).build
    good, bad = messages(0), messages(1)
    bad[1].d = [float("nan")] * 5
    with pytest.raises(BadFrameError, match="d is") as raised:
        build(*bad, np.eye(4))
    assert (raised.value.kind, raised.value.reason) == ("camera_info", "images_without_calibration")
    build(*good, np.eye(4))
    assert build(*bad, np.eye(4)).camera == build(*good, np.eye(4)).camera
    assert told == [frame(1).stamp_ns]


def test_one_stamp_that_leaps_is_no_jump_of_time() -> None:
    order = StampOrder(jump_s=1.0)
    verdicts = [order.check(int(t * S)) for t in (10, 10.1, 99, 10.2, 10.3, 10.25, 4)]
    assert verdicts == ["next", "next", "next", "resumed", "next", "late", "jump"]
