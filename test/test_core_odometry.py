# SPDX-License-Identifier: Apache-2.0
"""Odometry alone: followed paths, movers, darkness, large steps, and how sure it says it is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from odometry_room import OdometryRoom, error_m, pose_at

from f4x_ros.core.data import Frame, PinholeCamera, Pose
from f4x_ros.core.motion.odometry import START, Odometry, PoseEstimate, TrackingState
from f4x_ros.core.motion.odometry.keyframes import OdometryKeyframe, OdometryKeyframes

ROOM = OdometryRoom(noise=1.0)


def walk(index: int) -> Pose:
    """A camera that walks and looks around, 10 Hz."""
    t = index / 10
    return pose_at(0.4 * np.sin(t), 0.05 * np.sin(2 * t), 0.3 * np.sin(0.7 * t), 20 * np.sin(t))


def followed(odometry: Odometry, frames: list[Frame]) -> list[PoseEstimate]:
    return [odometry.track(frame) for frame in frames]


def frames_of_walk(count: int, first: int = 0) -> list[Frame]:
    return [
        ROOM.frame(i, walk(i), given=walk(0) if i == 0 else None)
        for i in range(first, first + count)
    ]


def test_a_walk_is_followed_without_poses() -> None:
    found = followed(Odometry(), frames_of_walk(40))
    errors = [error_m(one.T_map_camera, walk(i)) for i, one in enumerate(found)]
    assert np.sqrt(np.mean(np.square(errors))) < 0.01
    assert all(one.state is TrackingState.TRACKING for one in found)
    assert sum(np.linalg.norm(walk(i)[:3, 3] - walk(i - 1)[:3, 3]) for i in range(1, 40)) > 1.0


def test_given_poses_after_the_first_are_not_looked_at() -> None:
    wrong = pose_at(9, 9, 9)
    frames = [ROOM.frame(i, walk(i), given=walk(0) if i == 0 else wrong) for i in range(4)]
    found = followed(Odometry(), frames)
    assert error_m(found[-1].T_map_camera, walk(3)) < 0.01


def test_the_same_frames_give_the_same_path() -> None:
    one, other = (followed(Odometry(), frames_of_walk(6)) for _ in range(2))
    assert all(
        np.array_equal(a.T_map_camera, b.T_map_camera) for a, b in zip(one, other, strict=True)
    )


def test_steps_of_twelve_degrees_are_bridged_by_corners() -> None:
    turns = [0, 12, 0, -12, -24, -12, 0]
    frames = [
        ROOM.frame(i, pose_at(0.03 * i, turn_deg=turn), given=pose_at(0) if i == 0 else None)
        for i, turn in enumerate(turns)
    ]
    found = followed(Odometry(), frames)
    for i, turn in enumerate(turns):
        assert error_m(found[i].T_map_camera, pose_at(0.03 * i, turn_deg=turn)) < 0.02


def test_what_moves_does_not_take_the_camera_along() -> None:
    def passing(i: int) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        x = -1.2 + 0.05 * i
        return (x, -0.5, 0.9), (x + 0.5, 1.2, 1.2)

    frames = [
        ROOM.frame(
            i, pose_at(0), rate_hz=30, more=[passing(i)], given=pose_at(0) if i == 0 else None
        )
        for i in range(40)
    ]
    found = followed(Odometry(), frames)
    assert max(error_m(one.T_map_camera, pose_at(0)) for one in found) < 0.01


def test_a_camera_without_a_first_pose_begins_level_at_the_origin() -> None:
    odometry = Odometry()
    first = odometry.track(ROOM.frame(0, walk(3)))
    assert np.array_equal(first.T_map_camera, START)
    assert START[2, 1] == -1.0  # the upper edge of the image is up along z


def test_it_does_not_begin_with_a_black_frame() -> None:
    odometry = Odometry()
    assert odometry.track(ROOM.black(0)).state is TrackingState.LOST
    assert not odometry.started
    begun = odometry.track(ROOM.frame(1, walk(1), given=walk(1)))
    assert begun.state is TrackingState.TRACKING


def test_in_the_dark_it_is_lost_and_finds_itself_again() -> None:
    odometry = Odometry()
    followed(odometry, frames_of_walk(30))
    dark = followed(odometry, [ROOM.black(30 + i) for i in range(20)])
    assert all(one.state in (TrackingState.WEAK, TrackingState.LOST) for one in dark)
    assert not any(one.fits for one in dark if one.state is TrackingState.WEAK)
    assert all(one.state is TrackingState.LOST and one.T_map_camera is None for one in dark[3:])
    again = followed(odometry, [ROOM.frame(50 + i, walk(10 + i)) for i in range(10)])  # elsewhere
    first = next(i for i, one in enumerate(again) if one.state is not TrackingState.LOST)
    assert again[first].relocalised
    assert first < 5
    for i in range(first, 10):
        assert error_m(again[i].T_map_camera, walk(10 + i)) < 0.02


def test_an_unknown_place_is_not_taken_for_a_known_one() -> None:
    odometry = Odometry()
    followed(odometry, frames_of_walk(10))
    followed(odometry, [ROOM.black(10 + i) for i in range(5)])
    elsewhere = [ROOM.frame(15 + i, pose_at(0, turn_deg=180)) for i in range(5)]
    assert all(one.state is TrackingState.LOST for one in followed(odometry, elsewhere))


def test_a_plain_wall_leaves_it_unsure_along_the_wall() -> None:
    room = OdometryRoom(plain=True)
    close = pose_at(0, z=1.8)  # the wall alone
    frames = [room.frame(i, close, given=close if i == 0 else None, things=()) for i in range(12)]
    last = followed(Odometry(), frames)[-1]
    assert last.covariance is not None
    x, _, z = np.sqrt(np.diag(last.covariance))[:3]
    assert x > 5 * z
    grainy = followed(Odometry(), frames_of_walk(12))[-1]
    assert grainy.covariance is not None
    assert x > 5 * np.sqrt(grainy.covariance[0, 0])


@pytest.mark.parametrize("limit", [3, 10])
def test_keyframes_are_bounded_and_the_ends_stay(limit: int) -> None:
    odometry = Odometry(keyframes=limit)
    followed(odometry, frames_of_walk(3))
    template = odometry._keyframes.last
    kept = OdometryKeyframes(limit)
    for i in range(40):
        kept.add(
            OdometryKeyframe(
                pose_at(0.1 * i),
                template.samples,
                template.features,
                template.thumbnail,
                template.covariance,
            )
        )
    assert len(kept) == limit
    assert kept.kept[0].T_map_camera[0, 3] == 0
    assert kept.last.T_map_camera[0, 3] == pytest.approx(3.9)


def test_larger_pictures_are_reduced_without_a_shift() -> None:
    large = OdometryRoom(camera=PinholeCamera(640, 480, 560.0, 560.0, 320.0, 240.0))
    frames = [large.frame(i, walk(i), given=walk(0) if i == 0 else None) for i in range(5)]
    found = followed(Odometry(), frames)
    assert error_m(found[-1].T_map_camera, walk(4)) < 0.01


def test_the_room_is_what_it_says() -> None:
    """The drawing is exact: a point seen from two places is one point of the map."""
    a, b = (OdometryRoom().frame(i, walk(i)) for i in (0, 3))
    assert a.depth is not None
    assert b.depth is not None
    points = a.camera.unproject(a.depth).reshape(-1, 3) @ walk(0)[:3, :3].T + walk(0)[:3, 3]
    there = (points - walk(3)[:3, 3]) @ walk(3)[:3, :3]
    pixels = b.camera.project(there).astype(np.float32)
    read = cv2.remap(b.depth, pixels[:, :1] - 0.5, pixels[:, 1:] - 0.5, cv2.INTER_LINEAR)[:, 0]
    off = np.abs(read - there[:, 2])[read > 0]
    assert np.median(off) < 0.003


def test_noise_before_a_plain_wall_is_not_taken_for_a_hold() -> None:
    room = OdometryRoom(plain=True, noise=2.0)
    close = pose_at(0, z=1.8)  # the wall alone
    frames = [room.frame(i, close, given=close if i == 0 else None, things=()) for i in range(4)]
    last = followed(Odometry(), frames)[-1]
    assert last.state is TrackingState.WEAK
    assert last.covariance is not None
    x, y, z = np.sqrt(np.diag(last.covariance))[:3]
    assert min(x, y) > 5 * z
