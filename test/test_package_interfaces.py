# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 here")

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message

from f4x_ros.msg import LabelMap, Track, TrackArray
from f4x_ros.srv import Query, SetPrompts

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted([*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv")])
FIELD = re.compile(r"^[\w/]+(\[\d*\])? +\w+(=\d+)?\s*(?P<comment>#.*)?$")


def commented_fields(text: str) -> list[tuple[str, bool]]:
    """Return each field's line and whether it is explained there or right above."""
    found, above = [], False
    for line in text.splitlines():
        if field := FIELD.match(line):
            found.append((line, above or field["comment"] is not None))
        above = line.startswith("#")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_field_says_what_it_means(path: Path) -> None:
    fields = commented_fields(path.read_text(encoding="utf-8"))
    assert fields
    assert [line for line, commented in fields if not commented] == []


def test_every_interface_file_is_generated() -> None:
    listed = re.findall(r'"((?:msg|srv)/\w+\.(?:msg|srv))"', (ROOT / "CMakeLists.txt").read_text())
    assert sorted(listed) == [str(p.relative_to(ROOT)) for p in FILES]


def test_track_states_have_the_numbers_of_the_core() -> None:
    from f4x_ros.core.data.track import TrackState

    constants = {name: getattr(Track, name) for name in TrackState.__members__}
    assert constants == {state.name: int(state) for state in TrackState}


def test_a_track_survives_the_wire() -> None:
    track = Track(id=7, label="rote Tasse", score=0.5, state=Track.OCCLUDED, moving=True)
    track.pose.covariance = np.arange(36, dtype=np.float64)
    track.twist.covariance[35] = 2.5
    track.first_seen = Time(sec=3, nanosec=999_999_999)
    sent = TrackArray(tracks=[track, Track(id=8)])
    sent.header.frame_id = "map"

    got = deserialize_message(serialize_message(sent), TrackArray)

    assert got == sent
    np.testing.assert_array_equal(got.tracks[0].pose.covariance, np.arange(36))


def test_a_label_map_survives_the_wire() -> None:
    sent = LabelMap(
        ids=[1, 65534], prompts=["mug", "table"], thresholds=[0.25, 0.5], encoder="color"
    )
    got = deserialize_message(serialize_message(sent), LabelMap)
    assert (list(got.ids), got.prompts, list(got.thresholds)) == (
        [1, 65534],
        ["mug", "table"],
        [0.25, 0.5],
    )


def test_transforms_can_be_sent() -> None:
    # tf2_msgs is not on PyPI: a ROS installation brings it, or our own wheel does
    from tf2_msgs.msg import TFMessage

    assert deserialize_message(serialize_message(TFMessage()), TFMessage) == TFMessage()


def test_an_empty_query_asks_for_the_calibrated_answer_now_from_the_camera() -> None:
    asked = Query.Request()
    assert asked.threshold == 0.0
    assert asked.stamp == Time()
    assert asked.view.header.frame_id == ""
    assert asked.max_results == 0
    assert not asked.want_cloud


def test_a_query_answer_survives_the_wire() -> None:
    sent = Query.Response(success=True, present=True, score=0.75, threshold=0.5, encoder="color")
    sent.mask.height, sent.mask.width, sent.mask.encoding, sent.mask.step = 1, 2, "32FC1", 8
    sent.mask.data = np.array([0.25, 1.0], np.float32).tobytes()
    sent.cloud.header.frame_id = "map"
    sent.tracks = [Track(id=1)]

    got = deserialize_message(serialize_message(sent), Query.Response)

    assert got == sent
    np.testing.assert_array_equal(np.frombuffer(got.mask.data, np.float32), [0.25, 1.0])


def test_set_prompts_answers_with_the_labels_in_force() -> None:
    assert isinstance(SetPrompts.Response().labels, LabelMap)
    assert list(SetPrompts.Request(prompts=["mug"]).thresholds) == []
