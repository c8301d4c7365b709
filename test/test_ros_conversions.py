# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.over_time import MotionModel, Prediction
from f4x_ros.core.data.percept import Cloud
from f4x_ros.core.data.poses import from_quaternion
from f4x_ros.core.data.track import Track, TrackState
from f4x_ros.msg import Track as TrackMsg
from f4x_ros.ros.conversions import (
    camera_info_msg,
    header,
    label_map_msg,
    pose_from_msg,
    pose_from_transform,
    pose_msg,
    stamp_msg,
    stamp_ns,
    track_msg,
    tracks_msg,
    transform_msg,
)
from f4x_ros.ros.frames import BadFrameError, FrameBuilder, StampOrder
from f4x_ros.ros.images import image_msg
from f4x_ros.ros.markers import TrackMarkers
from f4x_ros.ros.outputs import RateLimit
from f4x_ros.ros.pointcloud import cloud_from_msg, cloud_msg

S = 1_000_000_000


def track(track_id: int = 1, state: TrackState = TrackState.CONFIRMED, x: float = 1.0) -> Track:
    return Track(
        id=track_id,
        label="red mug",
        score=0.75,
        state=state,
        moving=True,
        position=np.array([x, 2.0, 3.0]),
        orientation=np.array([0.0, 0.6, 0.0, 0.8]),
        pose_covariance=np.arange(36.0).reshape(6, 6),
        velocity=np.array([0.1, 0.2, 0.3]),
        angular_velocity=np.array([0.4, 0.5, 0.6]),
        twist_covariance=np.arange(36.0).reshape(6, 6) / 2,
        size=np.array([0.1, 0.2, 0.4]),
        first_seen_ns=5 * S,
        last_seen_ns=7 * S + 1,
    )


@given(st.integers(0, 2**31 * S - 1))
def test_a_stamp_comes_back(ns: int) -> None:
    assert stamp_ns(stamp_msg(ns)) == ns


@pytest.mark.parametrize("ns", [-1, 2**31 * S])
def test_a_stamp_that_ros_cannot_hold_is_refused(ns: int) -> None:
    with pytest.raises(ValueError, match=f"stamp_ns is {ns}, expected 0 to"):
        stamp_msg(ns)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_a_pose_comes_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pose = from_quaternion(rng.normal(size=3), rng.normal(size=4))
    np.testing.assert_allclose(pose_from_msg(pose_msg(pose)), pose, atol=1e-12)
    message = transform_msg(pose, 3 * S, "map", "camera")
    assert (message.header.frame_id, message.child_frame_id) == ("map", "camera")
    np.testing.assert_allclose(pose_from_transform(message.transform), pose, atol=1e-12)


def test_calibration_keeps_the_pixel_centres_of_ros() -> None:
    camera = PinholeCamera(64, 48, 60.0, 61.0, 32.5, 24.5)
    info = camera_info_msg(camera, Header())
    assert (info.k[2], info.k[5], info.p[2], info.p[6]) == (32.0, 24.0, 32.0, 24.0)
    assert PinholeCamera.from_opencv(info.k, info.width, info.height) == camera


def test_a_track_keeps_everything() -> None:
    message = track_msg(track())
    assert (message.id, message.label, message.state, message.moving) == (1, "red mug", 1, True)
    assert message.score == pytest.approx(0.75)
    assert (message.pose.pose.position.x, message.pose.pose.orientation.w) == (1.0, 0.8)
    assert message.pose.covariance[7] == 7.0
    assert (message.twist.twist.linear.z, message.twist.twist.angular.x) == (0.3, 0.4)
    assert message.twist.covariance[7] == 3.5
    assert message.size.z == 0.4
    assert (stamp_ns(message.first_seen), stamp_ns(message.last_seen)) == (5 * S, 7 * S + 1)


def test_the_states_are_those_of_the_message() -> None:
    for state in TrackState:
        assert getattr(TrackMsg, state.name) == state


def test_tracks_ascend_by_id() -> None:
    message = tracks_msg([track(3), track(1), track(2)], header(S, "map"))
    assert [t.id for t in message.tracks] == [1, 2, 3]


def test_labels_count_from_one() -> None:
    message = label_map_msg(["a", "b"], [0.1, 0.2], "color", 0)
    assert list(message.ids) == [1, 2]
    assert message.header.frame_id == ""


# --- cloud ----------------------------------------------------------------------------------------


def cloud(count: int) -> Cloud:
    rng = np.random.default_rng(count)
    return Cloud(
        xyz=rng.normal(size=(count, 3)).astype(np.float32),
        rgb=rng.integers(0, 256, (count, 3)).astype(np.uint8),
        label=rng.integers(0, 65536, count).astype(np.uint16),
        score=rng.random(count).astype(np.float32),
        age=rng.random(count).astype(np.float32),
        object=rng.integers(0, 2**32, count).astype(np.uint32),
    )


@pytest.mark.parametrize("count", [0, 1, 100])
def test_a_cloud_comes_back(count: int) -> None:
    made = cloud(count)
    message = cloud_msg(made, header(S, "map"))
    assert (message.height, message.width, message.row_step) == (1, count, 32 * count)
    back = cloud_from_msg(message)
    for name in ("xyz", "rgb", "label", "score", "age", "object"):
        np.testing.assert_array_equal(getattr(back, name), getattr(made, name))


def test_a_cloud_is_what_other_readers_expect() -> None:
    message = cloud_msg(cloud(2), header(S, "map"))
    offsets = {f.name: f.offset for f in message.fields}
    point = bytes(message.data[32:64])
    made = cloud(2)
    assert struct.unpack_from("<3f", point, offsets["x"]) == tuple(made.xyz[1])
    # PCL: 0x00RRGGBB, so blue is the first byte in memory
    assert tuple(point[offsets["rgb"] : offsets["rgb"] + 4]) == (*made.rgb[1][::-1], 0)
    assert struct.unpack_from("<H", point, offsets["label"]) == (made.label[1],)


def test_no_cloud_is_an_empty_one() -> None:
    assert cloud_msg(None, Header()).width == 0


def test_another_layout_and_cut_off_data_are_refused() -> None:
    message = cloud_msg(cloud(3), Header())
    message.data = message.data[:64]
    with pytest.raises(ValueError, match="64 bytes, expected 96 for 3 points"):
        cloud_from_msg(message)
    message.fields = message.fields[:3]
    with pytest.raises(ValueError, match="cloud has the fields"):
        cloud_from_msg(message)


# --- markers --------------------------------------------------------------------------------------


def test_an_object_that_is_gone_is_deleted_once() -> None:
    markers = TrackMarkers()
    markers.update([track(1), track(2)], ("red mug",), header(S, "map"))
    second = markers.update([track(2)], ("red mug",), header(2 * S, "map")).markers
    deleted = [(m.ns, m.id) for m in second if m.action == Marker.DELETE]
    assert {ns for ns, _ in deleted} == {"boxes", "names", "trails", "velocities"}
    assert {number for _, number in deleted} == {1}
    third = markers.update([track(2)], ("red mug",), header(3 * S, "map")).markers
    assert not [m for m in third if m.action == Marker.DELETE]


def test_a_lost_track_is_deleted() -> None:
    markers = TrackMarkers()
    markers.update([track(1)], ("red mug",), header(S, "map"))
    lost = markers.update([track(1, TrackState.LOST)], ("red mug",), header(2 * S, "map")).markers
    assert {m.action for m in lost} == {Marker.DELETE}


def test_a_moving_object_leaves_a_trail_and_a_still_one_does_not() -> None:
    markers = TrackMarkers()
    for i in range(5):
        head = header((i + 1) * S, "map")
        made = markers.update([track(1, x=0.1 * i), track(2)], ("red mug",), head).markers
    trails = {m.id: len(m.points) for m in made if m.ns == "trails"}
    assert trails == {1: 5, 2: 2}  # (a line needs two points)


def test_axes_are_drawn_of_what_is_known_to_be_turned_and_arrows_of_what_moves() -> None:
    turn = Rotation.from_euler("z", 90, degrees=True).as_quat()
    known = np.diag([1e-4] * 3 + [0.01] * 3)
    turned = replace(track(1), orientation=turn, pose_covariance=known, moving=False)
    markers = TrackMarkers()
    made = {m.ns: m for m in markers.update([turned], ("red mug",), header(S, "map")).markers}
    assert set(made) == {"boxes", "names", "trails", "axes"}
    start, tip = made["axes"].points[:2]
    assert (tip.x - start.x, tip.y - start.y > 0.05) == (pytest.approx(0), True)  # x points along y
    unknown = replace(turned, pose_covariance=np.diag([1e-4] * 3 + [3.0] * 3), moving=True)
    made = {m.ns: m for m in markers.update([unknown], ("red mug",), header(2 * S, "map")).markers}
    assert made["axes"].action == Marker.DELETE
    assert made["velocities"].type == Marker.ARROW


def test_the_boxes_to_come_are_drawn_where_the_box_is_going_to_be() -> None:
    here = replace(track(1), velocity=np.array([0.5, 0.0, 0.0]), moving=True)
    ahead = (replace(here, position=here.position + np.array([0.25, 0, 0])),)
    predicted = Prediction(here, MotionModel.CONSTANT_TWIST, 0.0, ahead)
    markers = TrackMarkers()
    made = markers.update([here], ("red mug",), header(S, "map"), [predicted]).markers
    (box,) = [m for m in made if m.ns == "predictions"]
    xs = [point.x for point in box.points[:24]]
    middle = float(here.position[0]) + 0.25
    assert (min(xs) + max(xs)) / 2 == pytest.approx(middle)
    still = replace(here, moving=False)
    rests = Prediction(still, MotionModel.RESTS, 0.0, (still,))
    gone = markers.update([still], ("red mug",), header(2 * S, "map"), [rests]).markers
    assert ("predictions", Marker.DELETE) in {(m.ns, m.action) for m in gone}


def test_clearing_deletes_everything() -> None:
    (only,) = TrackMarkers().clear(header(S, "map")).markers
    assert only.action == Marker.DELETEALL


# --- frames ---------------------------------------------------------------------------------------


def messages(**changes: Any) -> dict[str, Any]:
    camera = PinholeCamera(32, 24, 30.0, 30.0, 16.0, 12.0)
    head = header(S, "eye")
    rgb = np.zeros((24, 32, 3), np.uint8)
    rgb[:, ::4] = 255
    return {
        "image": image_msg(rgb, "rgb8", head),
        "info": camera_info_msg(camera, head),
        "depth": image_msg(np.full((24, 32), 2, np.float32), "32FC1", head),
        "T_map_camera": np.eye(4),
        **changes,
    }


def builder(**changes: Any) -> FrameBuilder:
    return FrameBuilder(**{"map_frame": "map", "camera_frame": "", "rectified": False, **changes})


def test_a_frame_has_the_stamp_and_frame_of_its_image() -> None:
    frame = builder().build(**messages())
    assert (frame.stamp_ns, frame.frame_id, frame.map_frame) == (S, "eye", "map")
    assert frame.camera == PinholeCamera(32, 24, 30.0, 30.0, 16.0, 12.0)
    assert builder(camera_frame="left").build(**messages()).frame_id == "left"


def test_an_image_without_frame_id_is_named() -> None:
    image = messages()["image"]
    image.header.frame_id = ""
    with pytest.raises(BadFrameError, match=r"empty header\.frame_id"):
        builder().build(**messages(image=image))


@pytest.mark.parametrize("model", ["plumb_bob", "rational_polynomial", "equidistant"])
def test_a_distorted_camera_is_rectified_depth_without_mixing(model: str) -> None:
    count = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}[model]
    info: CameraInfo = messages()["info"]
    info.distortion_model, info.d = model, [0.2, 0.05, *([0.001] * (count - 2))]
    depth = np.full((24, 32), 2, np.float32)
    depth[:, ::2] = 4
    given = messages(info=info, depth=image_msg(depth, "32FC1", header(S, "eye")))
    frame = builder().build(**given)
    assert frame.depth is not None
    assert set(np.unique(frame.depth)) <= {0.0, 2.0, 4.0}
    # A 3D point seen through the lens lands where the rectified pinhole camera puts it.
    K, D = np.array(info.k).reshape(3, 3), np.array(info.d)
    point = np.array([[[0.25, 0.1, 1.0]]])
    project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    seen = project(point, np.zeros(3), np.zeros(3), K, D)[0].reshape(2)
    rgb = np.zeros((24, 32, 3), np.uint8)
    u, v = np.round(seen).astype(int)
    rgb[v - 1 : v + 2, u - 1 : u + 2] = 255
    given["image"] = image_msg(rgb, "rgb8", header(S, "eye"))
    found = np.argwhere(builder().build(**given).rgb[..., 0] > 128).mean(0)[::-1]
    expected = frame.camera.project(point[0])[0] - 0.5
    np.testing.assert_allclose(found, expected, atol=1.0)


def test_the_maps_of_a_lens_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = cv2.initUndistortRectifyMap

    def counted(*arguments: Any) -> Any:
        calls.append(1)
        return original(*arguments)

    monkeypatch.setattr(cv2, "initUndistortRectifyMap", counted)
    info: CameraInfo = messages()["info"]
    info.d = [0.1, 0.0, 0.0, 0.0, 0.0]
    one = builder()
    for _ in range(3):
        one.build(**messages(info=info))
    assert len(calls) == 1
    info.d = [0.2, 0.0, 0.0, 0.0, 0.0]
    one.build(**messages(info=info))
    assert len(calls) == 2


def test_an_invalid_pose_is_named() -> None:
    with pytest.raises(BadFrameError, match="T_map_camera") as raised:
        builder().build(**messages(T_map_camera=np.full((4, 4), np.nan)))
    assert raised.value.kind == "pose"


def test_a_stamp_before_1970_is_named() -> None:
    image = messages()["image"]
    image.header.stamp.sec = -5
    with pytest.raises(BadFrameError, match="stamp_ns is -5000000000, expected >= 0") as raised:
        builder().build(**messages(image=image))
    assert raised.value.kind == "time"


# --- time -----------------------------------------------------------------------------------------


def test_small_steps_back_are_late_and_large_ones_a_jump() -> None:
    order = StampOrder(jump_s=1.0)
    assert [order.check(t * S // 10) for t in (50, 51, 50, 52)] == ["next", "next", "late", "next"]
    assert order.check(30 * S // 10) == "jump"
    order.restart(30 * S // 10)
    assert order.check(31 * S // 10) == "next"


def test_many_late_frames_in_a_row_are_a_jump_of_a_short_loop() -> None:
    order = StampOrder(jump_s=10.0)
    order.check(9 * S)
    assert [order.check(t * S // 10) for t in range(10, 16)] == ["late"] * 5 + ["jump"]


def test_a_rate_is_kept_by_stamps_and_starts_anew_after_a_jump() -> None:
    limit = RateLimit(10.0)
    due = []
    for ms in (0, 33, 66, 100, 133, 166, 200, 50):
        if limit.due(ms * 1_000_000):
            due.append(ms)
            limit.spend(ms * 1_000_000)
    assert due == [0, 100, 200, 50]
    assert RateLimit(0.0).due(1)


def test_an_object_like_a_message_is_enough_for_an_image() -> None:
    # (rosbags' messages are not rclpy's)
    from f4x_ros.ros.images import rgb_from_image

    made = image_msg(np.zeros((2, 3, 3), np.uint8), "rgb8", Header())
    fields = Image.get_fields_and_field_types()
    assert rgb_from_image(SimpleNamespace(**{n: getattr(made, n) for n in fields})).shape == (
        2,
        3,
        3,
    )
