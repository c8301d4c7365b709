# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from ros_harness import CAMERA, FRAME_ID, Robot, Running, frame, ros_client, running
from sensor_msgs.msg import Image

from f4x_ros.core.data.frame import Frame
from f4x_ros.ros.conversions import stamp_msg, stamp_ns
from f4x_ros.ros.pointcloud import cloud_from_msg
from f4x_ros.srv import Segment

_BOX = (32.0, 24.0)  # pixels: on the red box of the harness ...
_WALL = (6.0, 6.0)  # ... and on the wall behind it


class Asked(NamedTuple):
    """A node that has seen the small world."""

    run: Running
    sent: list[int]  # stamps of its frames
    early: list[Segment.Response]  # what it said before it was configured, and before a frame


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    with ros_client() as client, running(client) as run:
        robot = Robot()
        early = [client.segment([_BOX])]
        client.start()
        early.append(client.segment([_BOX]))
        robot.wait_until_heard()
        sent = [robot.send(i) for i in range(4)]
        run.counted("processed", 4)
        yield Asked(run, sent, early)
        robot.close()


def _array(image: Image) -> np.ndarray:
    return np.frombuffer(image.data, "<f4").reshape(image.height, image.width)


def _true_box(made: Frame) -> np.ndarray:
    assert made.depth is not None
    return made.depth < 1.7


def _iou(mask: np.ndarray, truth: np.ndarray) -> float:
    chosen = mask >= 0.5
    return float((chosen & truth).sum() / (chosen | truth).sum())


def test_a_click_selects_the_thing_under_it_with_points_and_box(
    asked: Asked,
) -> None:
    run, sent, _ = asked
    answer = run.client.segment([_BOX], want_cloud=True)
    assert answer.success, answer.message
    assert answer.present, answer.message
    assert answer.encoder == "color"
    assert 0.5 < answer.score <= 1
    assert (answer.mask.encoding, answer.mask.header.frame_id) == ("32FC1", FRAME_ID)
    assert stamp_ns(answer.mask.header.stamp) == sent[-1]
    assert _iou(_array(answer.mask), _true_box(frame(3))) > 0.75
    cloud = cloud_from_msg(answer.cloud)
    assert answer.cloud.header.frame_id == "map"
    assert len(cloud) > 20
    assert np.abs(np.median(cloud.xyz, 0) - [0, 0, 1.5]).max() < 0.15
    (track,) = answer.tracks
    assert track.size.x == pytest.approx(0.5, abs=0.15)
    run.counted("segments")


def test_a_box_selects_what_fills_it_and_a_click_off_it_is_no_part(
    asked: Asked,
) -> None:
    run = asked.run
    boxed = run.client.segment(box=(20, 12, 44, 36))
    assert _iou(_array(boxed.mask), _true_box(frame(3))) > 0.8
    assert boxed.cloud.width == 0  # no cloud was wanted
    assert len(boxed.tracks) == 1
    both = run.client.segment([_WALL, _BOX], [0, 1])
    assert _array(both.mask)[int(_WALL[1]), int(_WALL[0])] < 0.5
    assert _array(both.mask)[24, 32] >= 0.5


def test_a_past_moment_and_another_view_are_answered_in_their_frames(
    asked: Asked,
) -> None:
    run, sent, _ = asked
    past = run.client.segment([_BOX], stamp=stamp_msg(sent[1]))
    assert stamp_ns(past.mask.header.stamp) == sent[1]
    view = PoseStamped()
    view.header.frame_id = "map"
    view.pose.position.x = 0.2  # the box is more to the left from there
    view.pose.orientation.w = 1.0
    aside = run.client.segment([(24.0, 24.0)], view=view)
    assert aside.mask.header.frame_id == "map"
    columns = np.nonzero(_array(aside.mask) >= 0.5)[1]
    assert columns.mean() == pytest.approx(CAMERA.cx - 0.2 / 1.5 * CAMERA.fx, abs=2)


@pytest.mark.parametrize(
    ("points", "labels", "box", "said"),
    [
        ([], [], None, "no box"),
        ([(64.0, 3.0)], [], None, "outside"),
        ([(float("nan"), 3.0)], [], None, "outside"),
        ([_BOX], [1, 0], None, "labels"),
        ([_BOX], [2], None, "labels has 2"),
        ([_BOX], [0], None, "none of them"),
        ([], [], (70, 3, 80, 9), "box"),
    ],
)
def test_what_is_no_click_is_refused_with_a_reason(
    asked: Asked,
    points: list[tuple[float, float]],
    labels: list[int],
    box: tuple[int, int, int, int] | None,
    said: str,
) -> None:
    answer = asked.run.client.segment(points, labels, box)
    assert not answer.success
    assert said in answer.message
    assert not answer.tracks


def test_without_a_map_it_says_so(asked: Asked) -> None:
    unconfigured, without_frame = asked.early
    assert not unconfigured.success
    assert "expected configured" in unconfigured.message
    assert not without_frame.success
    assert "no frame" in without_frame.message
