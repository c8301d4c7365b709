# SPDX-License-Identifier: Apache-2.0
"""`~/history`, `~/render`, `~/follow_points` and `~/predictions` of a running node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 here")

from geometry_msgs.msg import PoseStamped
from ros_harness import (
    CAMERA,
    FRAME_ID,
    RED,
    Robot,
    Running,
    driving_box,
    eventually,
    ros_client,
    running,
    stamps,
)
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import MarkerArray

from f4x_ros.core.base import limits
from f4x_ros.core.data import Happening, MotionModel, PinholeCamera
from f4x_ros.msg import HistoryEvent, PredictedTrack, PredictedTracks, TrackArray
from f4x_ros.ros.conversions import stamp_msg, stamp_ns
from f4x_ros.ros.pointcloud import FLOWING
from f4x_ros.srv import History, Render

FRAMES = 18


class Driven(NamedTuple):
    """A node that has seen a red box drive to the right, 0.4 m/s, at 10 Hz."""

    run: Running
    sent: list[int]
    heard: dict[str, list[Any]]
    early: list[Any]  # what it said before it was configured


@pytest.fixture(scope="module")
def driven() -> Iterator[Driven]:
    with ros_client() as client, running(client, **{"mapping.iterations": 2}) as run:
        robot = Robot()
        early = [client.history(), client.render(), client.follow_points([(1, 1)])]
        client.start()
        robot.wait_until_heard()
        heard = run.hear(
            predictions=PredictedTracks, tracks=TrackArray, markers=MarkerArray,
            point_map=PointCloud2,
        )  # fmt: skip
        sent = []
        for i in range(FRAMES):
            sent.append(robot.send(i, scene=driving_box))
            eventually(lambda: stamps(heard["tracks"]) == sent)
        others = ("predictions", "markers", "point_map")
        eventually(lambda: all(len(heard[name]) == FRAMES for name in others))
        yield Driven(run, sent, heard, early)
        robot.close()


def box_x(i: float) -> float:
    return -0.4 + 0.04 * i


def test_constants_have_the_numbers_of_the_core() -> None:
    assert {one.name: int(one) for one in Happening} == {
        name: getattr(HistoryEvent, name) for name in Happening.__members__
    }
    assert {one.name: int(one) for one in MotionModel} == {
        name: getattr(PredictedTrack, name) for name in MotionModel.__members__
    }


def test_history_says_where_it_was_how_it_moved_and_from_where(driven: Driven) -> None:
    answer = driven.run.client.history(prompt="red")
    assert answer.success, answer.message
    assert (answer.header.frame_id, stamp_ns(answer.header.stamp)) == ("map", driven.sent[-1])
    assert stamp_ns(answer.begin) == driven.sent[0]
    (thing,) = answer.things
    assert thing.label == "red"
    assert len(thing.stamps) == len(thing.states) >= 2
    assert thing.states[-1].pose.pose.position.x == pytest.approx(box_x(17), abs=0.1)
    assert thing.states[-1].moving
    (event,) = answer.events
    assert (event.event, event.id, event.moving) == (HistoryEvent.MOVED, thing.id, True)
    assert event.before.pose.position.x == pytest.approx(box_x(0), abs=0.12)
    assert event.after.pose.position.x == pytest.approx(box_x(17), abs=0.1)


def test_history_at_a_moment_of_an_object(driven: Driven) -> None:
    client, then = driven.run.client, stamp_msg(driven.sent[10])
    object_id = client.history().things[0].id
    answer = client.history(object=object_id, since=then, until=then)
    assert answer.success, answer.message
    (state,) = answer.things[0].states
    assert state.pose.pose.position.x == pytest.approx(box_x(10), abs=0.12)
    assert list(answer.events) == []


def test_render_draws_a_past_moment_with_depth_and_labels(driven: Driven) -> None:
    client = driven.run.client
    asked = {"want_depth": True, "want_labels": True}
    then = client.render(stamp=stamp_msg(driven.sent[8]), **asked)
    assert then.success, then.message
    assert (then.image.encoding, then.depth.encoding) == ("rgb8", "32FC1")
    assert (then.labels.encoding, list(then.prompts)) == ("mono16", ["red"])
    for image in (then.image, then.depth, then.labels):
        assert (image.width, image.height) == (CAMERA.width, CAMERA.height)
        assert (stamp_ns(image.header.stamp), image.header.frame_id) == (driven.sent[8], FRAME_ID)
    labels = np.frombuffer(then.labels.data, "<u2").reshape(48, 64)
    depth = np.frombuffer(then.depth.data, "<f4").reshape(48, 64)
    box = (driving_box(8).rgb == RED).all(-1)
    assert (labels[box] == 1).mean() > 0.8
    assert np.median(depth[box]) == pytest.approx(1.5, abs=0.05)
    assert then.viewpoint.header.frame_id == "map"
    assert then.viewpoint.pose.position.x == pytest.approx(0.08, abs=1e-6)
    info = then.camera_info
    assert PinholeCamera.from_opencv(info.k, info.width, info.height) == CAMERA


def test_points_of_what_moves_are_followed(driven: Driven) -> None:
    rows, columns = np.nonzero((driving_box(8).rgb == RED).all(-1))
    middle = (float(np.median(columns)), float(np.median(rows)))
    answer = driven.run.client.follow_points(
        [middle, (3.0, 3.0)], stamp=stamp_msg(driven.sent[8]), want_visible=True,
        since=stamp_msg(driven.sent[8]),
    )  # fmt: skip
    assert answer.success, answer.message
    assert answer.header.frame_id == "map"
    assert [stamp_ns(one) for one in answer.stamps] == driven.sent[8:]
    assert answer.bodies[0] > 0 == answer.bodies[1]
    places = np.array([(p.x, p.y, p.z) for p in answer.positions]).reshape(-1, 2, 3)
    went = places[-1] - places[0]
    assert went[0, 0] == pytest.approx(box_x(17) - box_x(8), abs=0.06)
    assert np.abs(went[1]).max() < 1e-6
    assert np.array(answer.visible).reshape(-1, 2).all()


def test_render_gives_a_point_map_with_velocities(driven: Driven) -> None:
    answer = driven.run.client.render(stamp=stamp_msg(driven.sent[12]), want_points=True)
    assert answer.success, answer.message
    cloud = answer.points
    assert (cloud.height, cloud.width) == (CAMERA.height, CAMERA.width)
    assert cloud.header.frame_id == "map"
    assert [one.name for one in cloud.fields] == ["x", "y", "z", "rgb", "vx", "vy", "vz"]
    points = np.frombuffer(cloud.data, FLOWING).reshape(cloud.height, cloud.width)
    box = (driving_box(12).rgb == RED).all(-1)
    assert np.median(points["vx"][box]) == pytest.approx(0.4, abs=0.1)
    assert np.abs(np.median(points["vx"][~box])) < 0.02
    assert np.median(points["z"][box]) == pytest.approx(1.5, abs=0.05)


def test_the_point_map_of_each_frame_is_published(driven: Driven) -> None:
    clouds = driven.heard["point_map"]
    assert stamps(clouds) == driven.sent
    assert {one.header.frame_id for one in clouds} == {"map"}
    points = np.frombuffer(clouds[16].data, FLOWING).reshape(CAMERA.height, CAMERA.width)
    box = (driving_box(16).rgb == RED).all(-1)
    assert np.median(points["x"][box]) == pytest.approx(box_x(16), abs=0.05)
    assert np.median(points["vx"][box]) == pytest.approx(0.4, abs=0.1)


def test_render_looks_from_a_pose_in_the_size_asked_for(driven: Driven) -> None:
    view = PoseStamped()
    view.header.frame_id = "map"
    view.pose.position.z = 0.5
    view.pose.orientation.w = 1.0
    answer = driven.run.client.render(view=view, width=32, want_image=False, want_depth=True)
    assert answer.success, answer.message
    assert (len(answer.image.data), len(answer.labels.data)) == (0, 0)
    assert (answer.depth.width, answer.depth.height) == (32, 24)
    assert answer.depth.header.frame_id == "map"
    depth = np.frombuffer(answer.depth.data, "<f4").reshape(24, 32)
    assert depth[2, 2] == pytest.approx(1.5, abs=0.05)  # the wall, half a metre nearer


@pytest.mark.parametrize(
    "service, request_fields, said",
    [
        ("history", {"object": 99}, "no thing has the id"),
        ("history", {"object": 1, "prompt": "red"}, "object and prompt are both given"),
        ("history", {"prompt": "#1"}, "an id goes into object"),
        ("history", {"prompt": "x" * 201}, "expected at most 200"),
        ("history", {"step": float("nan")}, "step is nan"),
        ("history", {"max_states": limits.MAX_STATES + 1}, "max_states is"),
        ("history", {"since": stamp_msg(5)}, "since is"),
        ("render", {"stamp": stamp_msg(2_000_000_000_000_000_000)}, "after the last frame"),
        ("render", {"width": limits.MAX_PICTURE_PX + 1}, "width is"),
        ("render", {"orbit": float("inf")}, "orbit is"),
        ("render", {"prompts": ["red"] * (limits.MAX_PICTURE_PROMPTS + 1)}, "21 prompts"),
        ("render", {"prompts": ["red", "red"]}, "twice"),
        ("follow_points", {"points": []}, "expected [N, 2]"),
        ("follow_points", {"points": [(1.0, 1.0)] * (limits.MAX_POINTS + 1)}, "1001 points"),
        ("follow_points", {"points": [(999.0, 1.0)]}, "outside of the picture"),
        ("follow_points", {"points": [(1.0, 1.0)], "step": float("inf")}, "step is inf"),
        ("follow_points", {"points": [(1.0, 1.0)], "since": stamp_msg(5)}, "outside of what"),
    ],
)
def test_bad_requests_are_refused_with_what_was_expected(
    driven: Driven, service: str, request_fields: dict[str, Any], said: str
) -> None:
    answer = getattr(driven.run.client, service)(**request_fields)
    assert not answer.success
    assert said in answer.message


def test_without_a_map_it_is_said(driven: Driven) -> None:
    for answer in driven.early:
        assert not answer.success
        assert "unconfigured" in answer.message


def test_predictions_have_the_stamp_and_frame_of_the_tracks_and_go_on(driven: Driven) -> None:
    told = driven.heard["predictions"]
    assert stamps(told) == stamps(driven.heard["tracks"])
    last, tracks = told[-1], driven.heard["tracks"][-1]
    assert last.header == tracks.header
    assert [(one.sec, one.nanosec) for one in last.ahead] == [(0, 500_000_000), (1, 0), (2, 0)]
    assert [one.id for one in last.tracks] == [one.id for one in tracks.tracks]
    (box,) = last.tracks
    assert box.model == PredictedTrack.CONSTANT_TWIST
    assert len(box.poses) == len(box.twists) == 3
    xs = [tracks.tracks[0].pose.pose.position.x, *(one.pose.position.x for one in box.poses)]
    assert xs == sorted(xs)
    assert xs[1] == pytest.approx(box_x(17 + 5), abs=0.15)
    variances = [one.covariance[0] for one in box.poses]
    assert variances == sorted(variances)
    assert variances[0] > tracks.tracks[0].pose.covariance[0]


def test_rviz_shows_where_it_goes_and_the_boxes_to_come(driven: Driven) -> None:
    shown = {one.ns: one for one in driven.heard["markers"][-1].markers}
    assert set(shown) == {"boxes", "names", "trails", "velocities", "predictions"}
    start, tip = shown["velocities"].points
    assert tip.x - start.x == pytest.approx(0.2, abs=0.08)  # half a second of 0.4 m/s
    assert len(shown["predictions"].points) == 3 * (24 + 2) == len(shown["predictions"].colors)


def test_requests_left_empty_say_what_the_texts_say() -> None:
    asked, drawn = History.Request(), Render.Request()
    assert (asked.want_states, asked.want_events, asked.max_states) == (True, True, 0)
    assert (drawn.want_image, drawn.want_depth, drawn.want_labels, drawn.width) == (
        True, False, False, 0,
    )  # fmt: skip
