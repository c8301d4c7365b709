# SPDX-License-Identifier: Apache-2.0
"""A camera without depth: its path and the depth of its pictures, when it has neither yet, lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from odometry_room import OdometryRoom, pose_at

from f4x_ros.core.config import DepthConfig
from f4x_ros.core.data import Frame, PinholeCamera, Pose
from f4x_ros.core.errors import BadSampleError
from f4x_ros.core.motion.mono import MonoOdometry, MotionDepth
from f4x_ros.core.motion.mono.bundle import INVERSE, PLACES, Seen, adjust, homogeneous
from f4x_ros.core.motion.mono.two_views import motions, turn_between
from f4x_ros.core.motion.odometry import PoseEstimate, TrackingState
from f4x_ros.core.world.camera_depth import NO_PARALLAX, CameraDepth
from f4x_ros.eval.subjects.camera_path import CameraPath

ROOM = OdometryRoom(PinholeCamera(320, 240, 280.0, 280.0, 160.0, 120.0), noise=1.0)


def walk(index: int) -> Pose:
    """A camera that walks and looks around, 10 Hz, 4 cm between frames."""
    t = index / 10
    return pose_at(0.4 * np.sin(t), 0.05 * np.sin(2 * t), 0.3 * np.sin(0.7 * t), 15 * np.sin(t))


def blind(index: int, pose: Pose, given: Pose | None = None) -> Frame:
    """A frame without depth."""
    return replace(ROOM.frame(index, pose, given=given), depth=None)


def blind_walk(count: int) -> list[Frame]:
    return [blind(i, walk(i)) for i in range(count)]


def error_of(found: list[PoseEstimate]) -> tuple[float, float]:
    """RMSE of the path after the best scale, share of its length; and that scale."""
    path = CameraPath()
    for i, one in enumerate(found):
        if one.T_map_camera is not None:
            path.add(one.T_map_camera, walk(i))
    rmse, scale = path.scaled()
    length = path.errors().path_m
    assert rmse is not None
    assert scale is not None
    assert length is not None
    return rmse / length, scale


@pytest.fixture(scope="module")
def walked() -> tuple[MonoOdometry, list[PoseEstimate]]:
    odometry = MonoOdometry()
    return odometry, [odometry.track(frame) for frame in blind_walk(30)]


def test_a_walk_is_followed_without_depth(
    walked: tuple[MonoOdometry, list[PoseEstimate]],
) -> None:
    odometry, found = walked
    states = [one.state for one in found]
    begun = states.index(TrackingState.TRACKING)
    assert begun <= 6
    assert states[:begun] == [TrackingState.BEGINNING] * begun
    assert states[begun:] == [TrackingState.TRACKING] * (30 - begun)
    assert error_of(found)[0] < 0.01
    assert not odometry.scale_given


def test_what_is_seen_first_is_as_far_as_is_said() -> None:
    odometry = MonoOdometry(scene_m=5.0)
    for frame in blind_walk(12):
        odometry.track(frame)
    assert 3.5 < np.median(odometry.depths_m()) < 7.0


def test_poses_of_the_first_frames_give_metres_and_later_ones_are_not_looked_at() -> None:
    odometry, wrong = MonoOdometry(), pose_at(9, 9, 9)
    found = []
    for i in range(20):
        given = wrong if odometry.measures else walk(i)
        found.append(odometry.track(blind(i, walk(i), given)))
    assert odometry.scale_given
    assert error_of(found)[1] == pytest.approx(1, abs=0.05)
    last = found[-1].T_map_camera
    assert last is not None
    assert np.linalg.norm(last[:3, 3] - walk(19)[:3, 3]) < 0.03


def test_a_camera_that_only_turns_is_nearly_still_and_not_lost() -> None:
    odometry = MonoOdometry(still_s=1.0)
    turns = [pose_at(0, turn_deg=0.5 * i) for i in range(20)]
    found = [odometry.track(blind(i, pose)) for i, pose in enumerate(turns)]
    assert [one.state for one in found[:10]] == [TrackingState.BEGINNING] * 10
    assert [one.state for one in found[10:]] == [TrackingState.STILL] * 10
    first, last = found[10].T_map_camera, found[-1].T_map_camera
    assert first is not None
    assert last is not None
    turned = np.degrees(np.arccos((np.trace(first[:3, :3].T @ last[:3, :3]) - 1) / 2))
    assert turned == pytest.approx(4.5, abs=0.2)
    assert np.array_equal(first[:3, 3], last[:3, 3])


def test_a_camera_that_was_still_begins_to_measure_when_it_moves() -> None:
    odometry = MonoOdometry(still_s=0.5)
    poses = [pose_at(0)] * 8 + [pose_at(0.04 * i) for i in range(1, 12)]
    states = [odometry.track(blind(i, pose)).state for i, pose in enumerate(poses)]
    assert states[7] is TrackingState.STILL
    assert states[-1] is TrackingState.TRACKING


def test_darkness_loses_the_camera_and_a_known_place_finds_it_again() -> None:
    odometry, depth = MonoOdometry(), MotionDepth()
    for frame in blind_walk(20):
        pose = odometry.track(frame).T_map_camera
        if pose is not None:
            seen = depth.measure(
                replace(frame, T_map_camera=pose), odometry.latest_poses(), odometry.depths_m()
            )
            if seen is not None:
                odometry.note_depth(frame.stamp_ns, seen)
    before = odometry.track(blind(20, walk(20))).T_map_camera
    assert before is not None
    black = np.zeros_like(blind(0, walk(0)).rgb)
    dark = [odometry.track(replace(blind(i, walk(20)), rgb=black)) for i in range(21, 26)]
    assert dark[0].state is TrackingState.WEAK
    assert not dark[0].fits
    assert dark[-1].state is TrackingState.LOST
    assert dark[-1].T_map_camera is None
    back = odometry.track(blind(26, walk(18)))
    assert back.state is TrackingState.TRACKING
    assert back.relocalised


def test_a_picture_of_nothing_never_begins() -> None:
    odometry = MonoOdometry(still_s=100)
    plain = OdometryRoom(ROOM.camera, plain=True)
    grey = [np.full_like(plain.frame(i, walk(i)).rgb, 90) for i in range(4)]
    found = [odometry.track(replace(blind(i, walk(i)), rgb=rgb)) for i, rgb in enumerate(grey)]
    assert {one.state for one in found} == {TrackingState.BEGINNING}
    assert not odometry.measures


# --- depth ---------------------------------------------------------------------------------------


def test_depth_of_posed_pictures_is_metric_and_unknown_without_parallax() -> None:
    depth = MotionDepth()
    assert depth.measure(blind(0, walk(0), walk(0))) is None
    assert depth.measure(blind(1, walk(0), walk(0))) is None
    found = None
    for i in range(2, 10):
        found = depth.measure(blind(i, walk(i), walk(i)))
    truth = ROOM.frame(9, walk(9)).depth
    assert found is not None
    assert truth is not None
    known = found > 0
    assert known.mean() > 0.5
    off = np.abs(found[known] / truth[known] - 1)
    assert np.median(off) < 0.02
    assert (off > 0.15).mean() < 0.05


def test_what_came_into_view_just_now_has_no_depth() -> None:
    depth = MotionDepth()
    poses = [pose_at(0.05 * i) for i in range(5)] + [pose_at(0.25, turn_deg=25)]
    found = [depth.measure(blind(i, pose, pose)) for i, pose in enumerate(poses)]
    assert found[-1] is not None
    right = found[-1][:, -60:]  # the picture has turned to the right by about 44 % of its width
    assert not right.any()
    assert (found[-1][:, :100] > 0).mean() > 0.3


def test_a_camera_without_parallax_has_no_frame_to_map() -> None:
    given = CameraDepth(DepthConfig(source="motion"), None)
    with pytest.raises(BadSampleError, match="moved aside") as caught:
        given.given_to(blind(0, walk(0), walk(0)), None)
    assert caught.value.reason == NO_PARALLAX
    assert given.measured == 0


def test_depth_of_a_still_camera_is_assumed_and_said() -> None:
    odometry = MonoOdometry()
    given = CameraDepth(DepthConfig(source="motion", scene_m=3.0), odometry)
    frame = blind(0, walk(0), walk(0))
    still = PoseEstimate(frame.stamp_ns, TrackingState.STILL, walk(0))
    depth = given.given_to(frame, still).depth
    assert depth is not None
    reach = np.linalg.norm(frame.camera.unproject(depth), axis=2)
    assert np.allclose(reach, 3.0, atol=1e-4)  # the same however the camera turns
    assert any("nearly still, not lost, in 1 frames" in one for one in given.remarks)


# --- arithmetic ----------------------------------------------------------------------------------


def scene(count: int = 80) -> tuple[np.ndarray, np.ndarray, Seen]:
    """Poses `T_camera_map` of five cameras, points, and where they are seen."""
    rng = np.random.default_rng(3)
    points = rng.uniform((-2, -1.5, 2), (2, 1.5, 6), (count, 3))
    poses = np.stack([np.linalg.inv(pose_at(0.15 * i, 0, 0.05 * i, 2 * i)) for i in range(5)])
    pose, point = (one.ravel() for one in np.mgrid[0:5, 0:count])
    local = np.einsum("mij,mj->mi", poses[pose], homogeneous(points)[point])
    return poses, points, Seen(pose, point, local[:, :2] / local[:, 2:3])


@pytest.mark.parametrize("free", [PLACES, INVERSE])
def test_a_disturbed_bundle_comes_back(free: tuple[int, int, int]) -> None:
    poses, points, seen = scene()
    rng = np.random.default_rng(1)
    fixed = np.array([True, True, False, False, False])
    wrong = poses.copy()
    wrong[2:, :3, 3] += rng.normal(0, 0.03, (3, 3))
    start = homogeneous(points * rng.normal(1, 0.05, (len(points), 1)))
    if free == INVERSE:  # the first camera's axes are those of the map
        start = start / start[:, 2:3]
    found, placed, loss = adjust(wrong, start, seen, fixed, 2e-2, 25, free)
    assert np.abs(found - poses).max() < 1e-4
    assert np.abs(placed[:, :3] / placed[:, 3:] - points).max() < 1e-2
    assert loss < 1e-2


def test_an_outlier_does_not_bend_a_bundle() -> None:
    poses, points, seen = scene()
    seen.rays[::17] += 0.2
    fixed = np.array([True, True, False, False, False])
    wrong = poses.copy()
    wrong[2:, :3, 3] += 0.002
    found, _, _ = adjust(wrong, homogeneous(points), seen, fixed, 1e-3, 25)
    assert np.abs(found - poses).max() < 1e-3


def test_a_turn_is_found_beside_movers() -> None:
    rng = np.random.default_rng(0)
    rays = rng.uniform(-0.5, 0.5, (100, 2))
    turn = pose_at(0, turn_deg=5)[:3, :3]
    there = np.concatenate([rays, np.ones((100, 1))], 1) @ turn.T
    seen = there[:, :2] / there[:, 2:]
    seen[:20] += 0.1
    found, left = turn_between(rays, seen)
    assert np.abs(found - turn).max() < 2e-3
    assert left[:20].min() > 10 * np.median(left[20:])


def test_one_of_the_possible_motions_is_the_true_one() -> None:
    poses, _, seen = scene()
    a, b = seen.rays[seen.pose == 0], seen.rays[seen.pose == 1]
    turn, _ = turn_between(a, b)
    truth = poses[1, :3, 3] / np.linalg.norm(poses[1, :3, 3])
    ways = [T[:3, 3] @ truth for T in motions(a, b, turn, 1e-3)]
    assert max(ways) > 0.97
