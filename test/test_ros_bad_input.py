# SPDX-License-Identifier: Apache-2.0
"""Each bad input is named in the diagnostics, and the node goes on with the next good frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from ros_harness import FRAME_ID, Robot, Running, frame, running
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.conversions import stamp_msg
from f4x_ros.ros.images import byte_array, image_msg


@pytest.fixture(scope="module")
def robot(client: PerceptionClient) -> Iterator[Robot]:
    made = Robot()
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(client: PerceptionClient, robot: Robot) -> Iterator[Running]:
    """One node suffers everything: it has to survive it anyway."""
    with running(client, time_jump_s=1000.0) as run:
        run.client.start()
        robot.wait_until_heard()
        yield run


class Clock:
    """Numbers of frames that only grow."""

    now = 0

    @classmethod
    def tick(cls) -> int:
        cls.now += 1
        return cls.now


def still_works(run: Running, robot: Robot) -> None:
    before = int(run.client.values().get("processed", 0))
    robot.send(Clock.tick())
    run.counted("processed", before + 1)


def empty(message: Image) -> None:
    message.width = message.height = message.step = 0
    message.data = byte_array(np.zeros(0, np.uint8))


def cut(message: Image) -> None:
    message.data = message.data[:-100]


def encoding(name: str) -> Callable[[Image], None]:
    def change(message: Image) -> None:
        message.encoding = name

    return change


def as_image(pixels: np.ndarray, name: str) -> Callable[[Image], None]:
    def change(message: Image) -> None:
        made = image_msg(pixels, name, Header())
        message.data, message.step, message.encoding = made.data, made.step, name
        message.height, message.width = made.height, made.width

    return change


def uncalibrated(message: CameraInfo) -> None:
    message.k, message.p = [0.0] * 9, [0.0] * 12


def lens_of_nan(message: CameraInfo) -> None:
    message.d = [float("nan")] * 5


def other_size(message: CameraInfo) -> None:
    message.width *= 2


def strange_lens(message: CameraInfo) -> None:
    message.distortion_model, message.d = "omni", [0.1] * 5


FRAME_KINDS = ("camera_info", "image", "depth", "transform", "tf", "pose", "time", "processing")
BAD_CALIBRATIONS = "dropped.calibrations_unusable"
METRES = np.full((48, 64), 2.0, np.float32)


@pytest.mark.parametrize(
    ("spoil", "reason", "words"),
    [
        (
            {"image": encoding("rgb10")},
            "images_unreadable",
            ["image:", "/image: encoding 'rgb10', expected one of", "rgb8"],
        ),
        ({"image": empty}, "images_unreadable", ["image:", "0x0 pixels, expected at least 1x1"]),
        ({"image": cut}, "images_unreadable", ["image:", "bytes in rows of 192, expected 48 rows"]),
        (
            {"depth": encoding("8SC1")},
            "depth_unreadable",
            ["depth:", "/depth/image: encoding '8SC1'", "16UC1"],
        ),
        ({"depth": empty}, "depth_unreadable", ["depth:", "0x0 pixels"]),
        (
            {"depth": as_image(METRES * 1000, "32FC1")},
            "frames_unusable",
            ["depth:", "median of 2000 m", "is it in millimetres?"],
        ),
        (
            {"depth": as_image(METRES.astype(np.uint16), "16UC1")},
            "depth_unreadable",
            ["depth:", "largest value is 2, expected millimetres", "is it in metres?"],
        ),
        (
            {"depth": as_image(METRES[:24, :32].copy(), "32FC1")},
            "depth_not_registered",
            ["depth:", "(32x24) is not that of", "'eye' (64x48)", "registered to the colour"],
        ),
        (
            {"info": other_size},
            "images_of_other_size",
            ["camera_info:", "128x48 pixels, the colour image has 64x48"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_spoilt_message_is_named_and_the_next_frame_works(
    shared: Running, robot: Robot, spoil: dict[str, Any], reason: str, words: list[str]
) -> None:
    # (problems of earlier cases are still held for some seconds)
    shared.node.health.forget(*FRAME_KINDS)
    before = int(shared.client.values()[f"dropped.{reason}"])
    ns = robot.send(Clock.tick(), **spoil)
    shared.says(*words)
    shared.counted(f"dropped.{reason}", before + 1)
    if not before:
        assert shared.client.values()[f"first_dropped.{reason}"] == f"{ns / 1e9:.3f}"
    still_works(shared, robot)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (uncalibrated, ["camera_info:", "fx=0", "they are in k"]),
        (strange_lens, ["camera_info:", "'omni'", "plumb_bob"]),
        (lens_of_nan, ["camera_info: topic /camera_info: d is [nan", "expected finite numbers"]),
    ],
    ids=["zeros", "unknown lens", "nan"],
)
def test_a_bad_calibration_is_named_and_the_one_before_stays_in_force(
    shared: Running, robot: Robot, spoil: Callable[[CameraInfo], None], words: list[str]
) -> None:
    still_works(shared, robot)
    shared.node.health.forget(*FRAME_KINDS)
    before = {k: int(shared.client.values()[k]) for k in ("processed", BAD_CALIBRATIONS)}
    robot.send(Clock.tick(), info=spoil)
    shared.says(*words)
    for key, count in before.items():
        shared.counted(key, count + 1)


@pytest.mark.parametrize("reading", [np.nan, -0.001])
def test_depth_without_any_reading_is_no_error(
    shared: Running, robot: Robot, reading: float
) -> None:
    before = int(shared.client.values().get("processed", 0))
    robot.send(Clock.tick(), depth=as_image(METRES * 0 + np.float32(reading), "32FC1"))
    shared.counted("processed", before + 1)


def test_a_transform_with_nan_is_named(shared: Running, robot: Robot) -> None:
    bad = TransformStamped(child_frame_id=FRAME_ID)
    bad.header.frame_id = "map"
    bad.header.stamp = stamp_msg(frame(Clock.tick()).stamp_ns)
    bad.transform.translation.x = float("nan")
    bad.transform.rotation.w = 1.0
    shared.node.health.forget(*FRAME_KINDS)
    robot.tf.publish(TFMessage(transforms=[bad]))
    shared.says("tf:", "'map' -> 'eye' is skipped", "not finite")
    shared.counted("dropped.transforms_unusable")
    still_works(shared, robot)


def test_a_frame_from_the_past_is_named(shared: Running, robot: Robot) -> None:
    shared.node.health.forget(*FRAME_KINDS)
    still_works(shared, robot)
    robot.send(Clock.now - 1)
    shared.says("time:", "went back by 0.100 s: frame dropped")
    shared.counted("dropped.late")
    still_works(shared, robot)


def test_an_error_inside_the_map_does_not_end_the_worker(
    shared: Running, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from f4x_ros.core.perception import Perception

    def fail(self: Any, *args: Any, **options: Any) -> Any:
        raise RuntimeError("out of luck")

    shared.node.health.forget(*FRAME_KINDS)
    monkeypatch.setattr(Perception, "process", fail)
    robot.send(Clock.tick())
    shared.says("processing:", "RuntimeError: out of luck")
    monkeypatch.undo()
    still_works(shared, robot)
