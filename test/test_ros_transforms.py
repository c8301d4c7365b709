# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytransform3d.transform_manager import NumpyTimeseriesTransform, TemporalTransformManager
from pytransform3d.transformations import pq_from_transform, transform_from_pq
from rclpy.time import Time

from f4x_ros.core.base.limits import MAX_TRANSFORMS
from f4x_ros.core.data.poses import Pose, from_quaternion, inverse, to_quaternion
from f4x_ros.io.transforms import HOLD_NS, PoseTrack, TransformTree
from f4x_ros.ros.conversions import pose_from_transform, transform_msg
from f4x_ros.ros.transform_buffer import (
    FOR_EVER_S,
    GRACE,
    LATEST,
    TransformBuffer,
    TransformUnavailableError,
)

S = 1_000_000_000


def random_pose(rng: np.random.Generator) -> Pose:
    return from_quaternion(rng.normal(size=3), rng.normal(size=4))


def moved(x: float) -> Pose:
    pose = np.eye(4)
    pose[0, 3] = x
    return pose


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 1.25, 2.0, 2.6, 2.99]), st.booleans())
def test_it_agrees_with_pytransform3d(seed: int, seconds: float, turning: bool) -> None:
    # world -> base -> camera moves, world -> room -> table does not
    rng = np.random.default_rng(seed)
    times = np.array([1.0, 2.0, 3.0])
    buffer, oracle = TransformBuffer(), TemporalTransformManager()
    for parent, child in (("world", "base"), ("base", "camera")):
        poses = [random_pose(rng) for _ in times]
        for t, pose in zip(times, poses, strict=True):
            if not turning:
                pose[:3, :3] = poses[0][:3, :3]
            buffer.add(parent, child, int(t * S), pose)
        series = np.array([pq_from_transform(pose) for pose in poses])
        oracle.add_transform(child, parent, NumpyTimeseriesTransform(times, series))
    for parent, child in (("world", "room"), ("room", "table")):
        pose = random_pose(rng)
        buffer.add(parent, child, 0, pose, static=True)
        series = np.array([pq_from_transform(pose)] * 3)
        oracle.add_transform(child, parent, NumpyTimeseriesTransform(times, series))
    found = buffer.lookup("table", "camera", int(seconds * S))
    expected = oracle.get_transform_at_time("camera", "table", seconds)
    np.testing.assert_allclose(found[:3, :3], expected[:3, :3], atol=1e-6)
    # While turning, pytransform3d moves on a screw between two samples, and tf2 and we do not.
    if not turning or seconds in times:
        np.testing.assert_allclose(found, expected, atol=1e-6)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_there_and_back_is_the_identity(seed: int, fraction: float) -> None:
    rng = np.random.default_rng(seed)
    buffer = TransformBuffer()
    for name in ("base", "camera"):
        for t in (1, 2):
            buffer.add("map" if name == "base" else "base", name, t * S, random_pose(rng))
    ns = int((1 + fraction) * S)
    there, back = buffer.lookup("map", "camera", ns), buffer.lookup("camera", "map", ns)
    np.testing.assert_allclose(there @ back, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(back, inverse(there), atol=1e-9)


def test_a_sample_is_given_back_unchanged() -> None:
    pose = transform_from_pq([1, 2, 3, 0.5, 0.5, 0.5, 0.5])
    buffer = TransformBuffer()
    buffer.add("map", "camera", 5 * S, pose)
    np.testing.assert_array_equal(buffer.lookup("map", "camera", 5 * S), pose)
    np.testing.assert_array_equal(buffer.lookup("camera", "camera", 1), np.eye(4))


@pytest.mark.parametrize(
    ("ns", "words"),
    [
        (13 * S, r"'map' -> 'camera' at 13\.000000: it is 2\.000 s after the newest of 2"),
        (5 * S, r"'map' -> 'camera' at 5\.000000: it is 5\.000 s before the oldest of 2"),
    ],
)
def test_nothing_is_extrapolated_and_the_edge_is_named(ns: int, words: str) -> None:
    buffer = TransformBuffer()
    buffer.add("map", "camera", 10 * S, moved(1))
    buffer.add("map", "camera", 11 * S, moved(2))
    buffer.add("camera", "tool", 0, moved(9), static=True)
    with pytest.raises(TransformUnavailableError, match=words):
        buffer.lookup("map", "tool", ns)


def test_frames_that_nothing_connects_are_named() -> None:
    buffer = TransformBuffer()
    buffer.add("odom", "base", S, moved(1))
    with pytest.raises(
        TransformUnavailableError,
        match=r"'map' -> 'base': nothing connects 'map' and 'odom' .* heard of: base",
    ):
        buffer.lookup("map", "base", S)


def test_a_loop_of_frames_ends() -> None:
    buffer = TransformBuffer()
    buffer.add("a", "b", S, moved(1))
    buffer.add("b", "a", S, moved(1))
    with pytest.raises(TransformUnavailableError, match="nothing connects"):
        buffer.lookup("map", "b", S)


def test_of_frames_in_a_circle_the_way_up_is_taken_and_it_is_said_once() -> None:
    told: list[tuple[str, str]] = []
    buffer = TransformBuffer(on_choice=lambda frame, text: told.append((frame, text)))
    buffer.add("map", "base", S, moved(1.0))
    buffer.add("base", "camera", S, moved(0.5))
    buffer.add("camera", "map", S, moved(9.0))
    for _ in range(3):
        assert buffer.lookup("map", "camera", S)[0, 3] == 1.5
    assert [frame for frame, _ in told] == ["camera"]
    assert "in a circle, each frame in the next: camera in base in map in camera" in told[0][1]


def test_the_latest_is_the_newest_common_time() -> None:
    buffer = TransformBuffer()
    for t in (1, 2, 3):
        buffer.add("map", "base", t * S, moved(t))
    buffer.add("base", "camera", 1 * S, moved(0))
    buffer.add("base", "camera", 2 * S, moved(0))
    assert buffer.lookup("map", "camera", LATEST)[0, 3] == pytest.approx(2)


def test_history_is_bounded() -> None:
    buffer = TransformBuffer(history_s=2)
    for t in range(100):
        buffer.add("map", "camera", t * S, moved(t))
    assert len(buffer._edges["camera"]["map"].stamps) == 3
    with pytest.raises(TransformUnavailableError, match="before the oldest"):
        buffer.lookup("map", "camera", 90 * S)


def test_samples_out_of_order_are_put_in_order() -> None:
    buffer = TransformBuffer(jump_s=5)
    for t in (1, 3, 2):
        buffer.add("map", "camera", t * S, moved(t * t))
    assert buffer.lookup("map", "camera", int(1.5 * S))[0, 3] == pytest.approx(2.5)


def test_a_jump_back_forgets_the_future() -> None:
    buffer = TransformBuffer(jump_s=1)
    for t in (10, 11):
        buffer.add("map", "camera", t * S, moved(t))
    for t in (1, 2):
        buffer.add("map", "camera", t * S, moved(-t))
    assert buffer.lookup("map", "camera", int(1.5 * S))[0, 3] == pytest.approx(-1.5)
    with pytest.raises(TransformUnavailableError):
        buffer.lookup("map", "camera", 10 * S)


@pytest.mark.parametrize("wrong_s", [-900, 900])
def test_one_sample_with_a_wrong_stamp_is_left_out(wrong_s: int) -> None:
    buffer = TransformBuffer()
    for t in (1000, 1001):
        buffer.add("map", "camera", t * S, moved(t))
    buffer.add("map", "camera", (1001 + wrong_s) * S, moved(77))
    assert buffer.lookup("map", "camera", int(1000.5 * S))[0, 3] == pytest.approx(1000.5)
    buffer.add("map", "camera", 1002 * S, moved(1002))
    assert buffer.lookup("map", "camera", int(1001.5 * S))[0, 3] == pytest.approx(1001.5)


# --- slow edges -----------------------------------------------------------------------------------


def slow_and_fast(
    seconds: float, *, corrections: int = 3, patience_s: float = 0.5, waited_s: float = 0.0
) -> Pose:
    """map -> odom (x) once per second, odom -> camera (y) ten times, asked at a time."""
    buffer = TransformBuffer(patience_s=patience_s)
    for t in range(corrections):
        buffer.add("map", "odom", (10 + t) * S, moved(t))
    for t in range(60):
        pose = np.eye(4)
        pose[1, 3] = 0.1 * t
        buffer.add("odom", "camera", 10 * S + t * S // 10, pose)
    return buffer.lookup("map", "camera", int((10 + seconds) * S), waited_s=waited_s)


def test_a_slow_edge_is_interpolated() -> None:
    assert slow_and_fast(1.5)[:2, 3] == pytest.approx([1.5, 1.5])


def test_a_slow_edge_is_held_beyond_its_newest_sample_and_the_fast_one_goes_on() -> None:
    assert slow_and_fast(2.7)[:2, 3] == pytest.approx([2.0, 2.7])


def test_an_edge_is_held_until_its_next_sample_is_due() -> None:
    assert slow_and_fast(3.1)[:2, 3] == pytest.approx([2.0, 3.1])
    with pytest.raises(TransformUnavailableError, match=r"'map' -> 'odom' .* after the newest"):
        slow_and_fast(3.3)


def test_who_can_wait_for_the_next_sample_is_told_to() -> None:
    with pytest.raises(TransformUnavailableError, match=r"it is 0\.700 s after the newest of 3"):
        slow_and_fast(2.7, patience_s=60)


def test_a_correction_that_came_once_is_held_a_moment_after_the_motion_came() -> None:
    with pytest.raises(TransformUnavailableError) as raised:
        slow_and_fast(0.7, corrections=1)
    assert raised.value.after_s == GRACE * 0.5
    assert slow_and_fast(0.7, corrections=1, waited_s=GRACE * 0.5)[:2, 3] == pytest.approx([0, 0.7])


def test_a_single_pose_of_the_camera_is_not_held() -> None:
    buffer = TransformBuffer()
    buffer.add("map", "odom", 0, np.eye(4), static=True)
    buffer.add("odom", "camera", 10 * S, moved(1))
    with pytest.raises(TransformUnavailableError) as raised:
        buffer.lookup("map", "camera", 10 * S + S // 10, waited_s=FOR_EVER_S)
    assert raised.value.after_s is None


def test_a_gap_that_is_too_long_is_not_bridged() -> None:
    buffer = TransformBuffer()
    for t in (*range(10), 19, 20):
        buffer.add("map", "camera", t * S, moved(t))
    with pytest.raises(TransformUnavailableError, match=r"in a gap of 10\.000 s between two of 12"):
        buffer.lookup("map", "camera", 14 * S, waited_s=FOR_EVER_S)


def test_when_it_is_overdue_a_fast_edge_is_held_for_a_moment() -> None:
    buffer = TransformBuffer(patience_s=60)
    for t in range(5):
        buffer.add("map", "camera", 10 * S + t * S // 10, moved(t))
    ns = 10 * S + 4 * S // 10 + HOLD_NS
    with pytest.raises(TransformUnavailableError, match="after the newest"):
        buffer.lookup("map", "camera", ns)
    assert buffer.lookup("map", "camera", ns, waited_s=FOR_EVER_S)[0, 3] == pytest.approx(4)
    with pytest.raises(TransformUnavailableError, match="after the newest"):
        buffer.lookup("map", "camera", ns + 1, waited_s=FOR_EVER_S)


@pytest.mark.parametrize("seconds", [0.35, 1.0, 1.45, 2.2, 3.1, 3.3])
def test_the_reader_of_recordings_says_the_same(seconds: float) -> None:
    ns = int((10 + seconds) * S)
    slow = [moved(t) for t in range(3)]
    fast = [np.eye(4) for _ in range(60)]
    for t, pose in enumerate(fast):
        pose[1, 3] = 0.1 * t
    tracks = {}
    for edge, poses, step in ((("map", "odom"), slow, S), (("odom", "camera"), fast, S // 10)):
        stamps = [10 * S + t * step for t in range(len(poses))]
        quaternions = [to_quaternion(p) for p in poses]
        tracks[edge] = PoseTrack(stamps, [p[:3, 3] for p in poses], quaternions)
    expected = TransformTree(tracks, {}).lookup("map", "camera", ns)
    try:
        found = slow_and_fast(seconds, waited_s=FOR_EVER_S)
    except TransformUnavailableError:
        assert expected is None
    else:
        assert expected is not None
        np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("seconds", [0.0, 0.35, 1.95, 2.05, 3.0])
def test_of_a_transform_that_came_once_the_reader_says_the_same(seconds: float) -> None:
    ns = int((10 + seconds) * S)
    stamps = [10 * S + t * S // 10 for t in range(60)]
    still = to_quaternion(np.eye(4))
    walked = PoseTrack(stamps, [[0.1 * t, 0, 0] for t in range(60)], [still] * 60)
    mount = PoseTrack([10 * S], [[0, 0, 0.5]], [still])
    tree = TransformTree({("map", "base"): walked, ("base", "camera"): mount}, {})
    buffer = TransformBuffer()
    buffer.add("base", "camera", 10 * S, moved(0.5))
    for t, stamp in enumerate(stamps):
        buffer.add("map", "base", stamp, moved(0.1 * t))
    try:
        found = buffer.lookup("map", "camera", ns, waited_s=FOR_EVER_S)
    except TransformUnavailableError:
        assert seconds > 2
        assert tree.lookup("map", "camera", ns) is None
        assert "belongs on /tf_static" in tree.lacking("map", "camera", ns)
    else:
        read = tree.lookup("map", "camera", ns)
        assert seconds < 2
        assert read is not None
        assert found[0, 3] == pytest.approx(0.5 + seconds)
        assert read[:3, 3].tolist() == pytest.approx([seconds, 0, 0.5])


# --- parents --------------------------------------------------------------------------------------


def told() -> tuple[dict[str, str], TransformBuffer]:
    said: dict[str, str] = {}
    return said, TransformBuffer(on_choice=said.__setitem__)


@pytest.mark.parametrize("order", ["direct first", "detour first"])
def test_of_two_parents_the_one_nearest_to_the_map_is_used_and_said(order: str) -> None:
    said, buffer = told()
    buffer.add("map", "odom", 0, np.eye(4), static=True)
    samples = [("map", 1.0, 0), ("odom", 5.0, 1)]
    for t in range(3):
        for parent, x, later in samples if order == "direct first" else samples[::-1]:
            buffer.add(parent, "camera", t * S + later, moved(x))
        assert buffer.lookup("map", "camera", t * S)[0, 3] == pytest.approx(1)
    assert list(said) == ["camera"]
    assert "'map'" in said["camera"]
    assert "'odom'" in said["camera"]
    assert said["camera"].endswith("'map' is used")


def test_a_parent_that_leads_nowhere_is_no_choice() -> None:
    said, buffer = told()
    buffer.add("map", "odom", 0, np.eye(4), static=True)
    buffer.add("vision", "camera", S, moved(9))
    buffer.add("odom", "camera", S, moved(1))
    assert buffer.lookup("map", "camera", S)[0, 3] == pytest.approx(1)
    assert "'vision'" in said["camera"]


def test_a_frame_that_is_given_to_another_parent_follows_it() -> None:
    _, buffer = told()
    buffer.add("map", "shelf", 0, np.eye(4), static=True)
    buffer.add("map", "cup", S, moved(1))
    for t in (20, 21):
        buffer.add("shelf", "cup", t * S, moved(t))
    assert buffer.lookup("map", "cup", S)[0, 3] == pytest.approx(1)
    assert buffer.lookup("map", "cup", 21 * S)[0, 3] == pytest.approx(21)


def test_what_is_static_is_not_moved_by_a_single_sample() -> None:
    buffer = TransformBuffer()
    buffer.add("map", "camera", S, moved(1))
    buffer.add("map", "camera", 0, moved(2), static=True)
    assert buffer.lookup("map", "camera", S)[0, 3] == pytest.approx(2)
    buffer.add("map", "camera", 2 * S, moved(3))
    assert buffer.lookup("map", "camera", 2 * S)[0, 3] == pytest.approx(3)


@pytest.mark.parametrize(
    ("parent", "child", "pose", "words"),
    [
        ("", "camera", np.eye(4), "'' -> 'camera', expected two different names"),
        ("map", "map", np.eye(4), "'map' -> 'map', expected two different names"),
        ("map", "camera", np.full((4, 4), np.nan), "'map' -> 'camera' has values that are not fin"),
        ("map", "camera", np.diag([1.0, 1, -1, 1]), "is not a rigid transform"),
    ],
)
def test_what_is_no_transform_is_refused(parent: str, child: str, pose: Pose, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TransformBuffer().add(parent, child, S, pose)


@pytest.mark.parametrize("name", ["x" * 256, "eye\n", ""])
def test_a_name_that_can_be_none_is_refused_in_few_words(name: str) -> None:
    buffer = TransformBuffer()
    for parent, child in ((name, "eye"), ("map", name)):
        with pytest.raises(ValueError, match="expected") as error:
            buffer.add(parent, child, 1, np.eye(4))
        assert len(str(error.value)) < 200
    buffer.add("x" * 255, "eye", 1, np.eye(4))


def test_frames_that_nobody_speaks_of_any_more_are_forgotten() -> None:
    """Trackers give each thing they ever saw a frame of its own."""
    buffer = TransformBuffer()
    buffer.add("map", "wall", 1, np.eye(4), static=True)
    for number in range(2 * MAX_TRANSFORMS):
        buffer.add("map", "base", number + 1, np.eye(4))
        buffer.add("map", f"thing {number}", number + 1, np.eye(4))
    edges = sum(len(parents) for parents in buffer._edges.values())
    assert MAX_TRANSFORMS / 2 < edges <= MAX_TRANSFORMS
    for known in ("wall", "base", f"thing {number}"):
        assert np.array_equal(buffer.lookup("map", known, number + 1), np.eye(4))
    with pytest.raises(TransformUnavailableError, match=r"frames heard of: .* more") as error:
        buffer.lookup("map", "thing 0", 1)
    assert len(str(error.value)) < 500


def test_leading_slashes_of_old_publishers_do_not_matter() -> None:
    buffer = TransformBuffer()
    buffer.add("/map", "/camera", S, moved(1))
    assert buffer.lookup("map", "camera", S)[0, 3] == pytest.approx(1)


# --- tf2_ros --------------------------------------------------------------------------------------


def test_the_real_tf2_ros_agrees_with_ours() -> None:
    tf2_ros = pytest.importorskip("tf2_ros", reason="tf2_ros comes with a ROS installation only")
    rng = np.random.default_rng(1)
    ours, theirs = TransformBuffer(), tf2_ros.Buffer()
    for parent, child in (("map", "base"), ("base", "camera")):
        for t in (1, 2):
            pose = random_pose(rng)
            ours.add(parent, child, t * S, pose)
            theirs.set_transform(transform_msg(pose, t * S, parent, child), "test")
    for ns in (1 * S, 1 * S + S // 3, 2 * S):
        there = theirs.lookup_transform("map", "camera", Time(nanoseconds=ns))
        np.testing.assert_allclose(
            pose_from_transform(there.transform), ours.lookup("map", "camera", ns), atol=1e-9
        )
