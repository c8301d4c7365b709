# SPDX-License-Identifier: Apache-2.0
"""Where a camera without depth is: corners, points, keyframes, bundles."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Frame, PinholeCamera, Pose, inverse
from f4x_ros.core.data.poses import rotation_angle_rad
from f4x_ros.core.motion.mono.beginning import Beginning, Begun, Waiting, first_given
from f4x_ros.core.motion.mono.bundle import Array, pose_of
from f4x_ros.core.motion.mono.keyframes import MonoKeyframe, alike
from f4x_ros.core.motion.mono.local_map import LocalMap
from f4x_ros.core.motion.mono.tracks import CornerTracks
from f4x_ros.core.motion.odometry.estimate import (
    PoseEstimate,
    TrackingState,
    about_map_axes,
    between,
    moved,
    twist_of,
)
from f4x_ros.core.motion.odometry.features import FeatureFinder, motion_between
from f4x_ros.core.motion.odometry.keyframes import thumbnail_of
from f4x_ros.core.motion.odometry.odometry import START

_WIDTH = 480  # pixels that are followed, at most
_CORNERS = 350
_NOISE_PX = 0.6  # of a corner that was followed
_AGREES = 3.0  # deviations of a corner that is where it should be ...
_WRONG = 5.0  # ... and of one that is not
_LEAST, _LEAST_SHARE = 15, 0.4  # corners that must agree with a pose
_BAD_FRAMES = 3  # in a row, after which the camera is lost
_NEW_SHARE = 0.7  # of the last keyframe's points that must be in sight, else there is a new one
_NEW_SHIFT, _NEW_TURN = 0.04, 0.12  # share of the depth, and radians, that make a new one
_ALIKE = 6  # keyframes that are tried to find back
_RECOGNISED = 25
_LEAST_S = 1e-3
_LATEST = 24  # keyframes whose poses are told


class MonoOdometry:
    """Follows a camera through frames whose depth nobody knows.

    Until the camera has moved aside, distances are unknown: frames have no pose (`BEGINNING`). A
    camera that has hardly moved for a while is said to be `STILL`: it is taken to turn on its
    place, until it moves after all. Sizes are known up to one factor: it is chosen so that poses
    that come with the first frames fit, else so that what is seen first is `scene_m` away.

    Args:
        keyframes: kept at most.
        scene_m: median distance of what is seen when distances become known; metres.
        still_s: seconds after which a camera that has not moved is said to stand still.

    Attributes:
        scale_given: whether poses that came with frames say how large everything is.
    """

    def __init__(self, keyframes: int = 200, scene_m: float = 2.0, still_s: float = 3.0) -> None:
        self._scene_m, self._still_s = scene_m, still_s
        self._tracks = CornerTracks(_CORNERS)
        self._finder = FeatureFinder()
        self._even = cv2.createCLAHE(3.0, (8, 6))  # dark corners count as bright ones do
        self._beginning = Beginning()
        self._map = LocalMap(keyframes)
        self._points = self._map.points
        self._at_keyframe = 0  # points that were in sight of the last keyframe
        self._camera: PinholeCamera | None = None
        self._noise = 1e-3
        self._pose: Pose | None = None
        self._velocity = np.zeros(6)
        self._stamp_ns = 0
        self._bad = 0
        self._covariance = np.zeros((6, 6))
        self._begin_ns: int | None = None
        self._start: Pose | None = None  # of the first picture
        self.scale_given = False

    @property
    def started(self) -> bool:
        """Whether a first frame has come."""
        return self._begin_ns is not None

    @property
    def measures(self) -> bool:
        """Whether distances are known."""
        return bool(self._map.keyframes)

    def latest_poses(self) -> dict[int, Pose]:
        """`T_map_camera` of the latest keyframes by stamp, as they are known by now."""
        return {one.stamp_ns: one.T_map_camera for one in self._map.keyframes[-_LATEST:]}

    def depths_m(self) -> Array:
        """Depth [N] of the points that the last frame has shown."""
        if self._pose is None:
            return np.empty(0)
        ids = self._tracks.ids[self._points.known(self._tracks.ids)]
        local = self._points.of(ids) @ inverse(self._pose)[2, :3] + inverse(self._pose)[2, 3]
        return np.asarray(local[local > 0])

    def track(self, frame: Frame) -> PoseEstimate:
        """Where the camera is that took a frame; its pose is read only before sizes are known."""
        grey = self._prepared(frame)
        if not self.measures:
            return self._wait(frame, grey)
        if self._pose is None:
            return self._find_back(frame.stamp_ns, grey)
        return self._follow(frame.stamp_ns, grey)

    def note_depth(self, stamp_ns: int, depth: NDArray[np.float32]) -> None:
        """Say how deep [h, w] the last frame was seen to be: a keyframe is recognised by it."""
        if not self._map.keyframes or self._map.keyframes[-1].stamp_ns != stamp_ns:
            return
        assert self._camera is not None
        last = self._map.keyframes[-1]
        size = (self._camera.width, self._camera.height)
        full = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST).astype(np.float32)
        last.features = self._finder.find(last.grey, full, self._camera)

    # --- pictures --------------------------------------------------------------------------------

    def _prepared(self, frame: Frame) -> NDArray[np.uint8]:
        grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
        self._camera = frame.camera.scaled(min(1.0, _WIDTH / frame.camera.width))
        self._noise = _NOISE_PX / self._camera.fx
        size = (self._camera.width, self._camera.height)
        if size != (frame.camera.width, frame.camera.height):
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        return np.asarray(self._even.apply(grey), np.uint8)

    def _rays(self) -> Array:
        c = self._camera
        assert c is not None
        return (self._tracks.pixels - [c.cx, c.cy]).astype(np.float64) / [c.fx, c.fy]

    def _pixels(self, rays: Array) -> NDArray[np.float32]:
        c = self._camera
        assert c is not None
        return (rays * [c.fx, c.fy] + [c.cx, c.cy]).astype(np.float32)

    # --- the beginning ---------------------------------------------------------------------------

    def _wait(self, frame: Frame, grey: NDArray[np.uint8]) -> PoseEstimate:
        stamp_ns = frame.stamp_ns
        self._tracks.follow(grey)
        self._tracks.refill(grey)
        picture = Waiting(
            stamp_ns, grey, self._tracks.ids, self._rays(), np.eye(3), frame.T_map_camera
        )
        if self._begin_ns is None:
            self._begin_ns = stamp_ns
            self._beginning.pictures = [picture]
            self._start = START.copy() if frame.T_map_camera is None else frame.T_map_camera
            return PoseEstimate(stamp_ns, TrackingState.BEGINNING, None)
        before = self._beginning.pictures
        begun = self._beginning.add(picture, self._noise)
        if begun is not None:
            return self._begin(begun, stamp_ns)
        if self._beginning.pictures[0] is not before[0]:  # nothing in common: from here on
            self._begin_ns = stamp_ns
            if frame.T_map_camera is not None:
                self._start = frame.T_map_camera
        assert self._start is not None
        if stamp_ns - self._begin_ns < self._still_s * 1e9:
            return PoseEstimate(stamp_ns, TrackingState.BEGINNING, None)
        self._stamp_ns = stamp_ns
        pose = self._beginning.turn_only(picture, self._start)
        covariance = np.diag([(0.5 * _NEW_SHIFT * self._scene_m) ** 2] * 3 + [1e-4] * 3)
        return PoseEstimate(stamp_ns, TrackingState.STILL, pose, covariance)

    def _begin(self, begun: Begun, stamp_ns: int) -> PoseEstimate:
        """Distances are known now: put the first piece into the map."""
        assert self._start is not None
        first, last = begun.pictures[0], begun.pictures[-1]
        T_map_first = self._beginning.turn_only(first, self._start)
        known_m = first_given(begun.pictures)
        if first.given is not None:
            T_map_first = first.given
        self.scale_given = known_m is not None
        if known_m is not None:
            scale = known_m / float(np.linalg.norm(begun.T_camera_first[-1, :3, 3]))
        else:
            scale = self._scene_m / float(np.median(begun.points[:, 2]))
        places = scale * begun.points @ T_map_first[:3, :3].T + T_map_first[:3, 3]
        self._points.put(begun.ids, places)
        for picture, T_camera_first in zip(begun.pictures, begun.T_camera_first, strict=True):
            T = T_camera_first.copy()
            T[:3, 3] *= scale
            pose = T_map_first @ inverse(T)
            keyframe = MonoKeyframe(picture.stamp_ns, picture.grey, pose, picture.ids, picture.rays)
            self._map.remember(keyframe)
        self._pose, self._stamp_ns = self._map.keyframes[-1].T_map_camera, stamp_ns
        a, b = self._map.keyframes[-2:]
        dt = max(_LEAST_S, (b.stamp_ns - a.stamp_ns) / 1e9)
        self._velocity = twist_of(between(a.T_map_camera, b.T_map_camera)) / dt
        self._at_keyframe = int(self._points.known(last.ids).sum())
        self._covariance = np.diag([(0.01 * self._scene_m) ** 2] * 3 + [1e-5] * 3)
        return PoseEstimate(stamp_ns, TrackingState.TRACKING, self._pose, self._covariance)

    # --- frame to frame --------------------------------------------------------------------------

    def _follow(self, stamp_ns: int, grey: NDArray[np.uint8]) -> PoseEstimate:
        assert self._pose is not None
        dt = max(_LEAST_S, (stamp_ns - self._stamp_ns) / 1e9)
        last = self._pose
        predicted = last @ moved(self._velocity * dt * 0.5**self._bad)
        self._tracks.follow(grey, self._expected(last, predicted))
        rays, ids = self._rays(), self._tracks.ids
        known = self._points.known(ids)
        found = self._placed(self._points.of(ids[known]), rays[known], inverse(predicted))
        if found is None:
            self._bad += 1
            if self._bad >= _BAD_FRAMES:
                self._pose = None
                return self._find_back(stamp_ns, grey)
            self._pose, self._stamp_ns = predicted, stamp_ns
            self._covariance = self._covariance * 4
            return PoseEstimate(
                stamp_ns, TrackingState.WEAK, predicted, self._covariance, fits=False
            )
        self._bad = 0
        T_camera_map, information, off = found
        wrong = np.zeros(len(ids), bool)
        wrong[known] = off > _WRONG
        self._tracks.keep(~wrong)
        self._pose, self._stamp_ns = inverse(T_camera_map), stamp_ns
        self._velocity = twist_of(between(last, self._pose)) / dt
        agreeing = int((off < _AGREES).sum())
        if self._is_new(agreeing):
            self._make_keyframe(stamp_ns, grey)
        unsure = _inverted(information)
        self._covariance = about_map_axes(unsure, self._pose)
        few = agreeing < 2 * _LEAST
        estimate = PoseEstimate(
            stamp_ns,
            TrackingState.WEAK if few else TrackingState.TRACKING,
            self._pose,
            self._covariance,
            loss=float(np.clip(off / _WRONG, 0, 1).mean()),
            compared=float(len(off)),
            inliers=agreeing / len(off),
        )
        return replace(estimate, twist=self._velocity, twist_covariance=2 * unsure / dt**2)

    def _expected(self, last: Pose, predicted: Pose) -> NDArray[np.float32]:
        """Where corners may be in a picture taken from a predicted pose."""
        rays, ids = self._rays(), self._tracks.ids
        T = between(predicted, last)  # takes the last camera's frame to the next one's
        far = np.concatenate([rays, np.ones((len(rays), 1))], 1)
        known = self._points.known(ids)
        local = far * self._scene_depth()
        if known.any():
            inv = inverse(last)
            local[known] = self._points.of(ids[known]) @ inv[:3, :3].T + inv[:3, 3]
        there = local @ T[:3, :3].T + T[:3, 3]
        z = np.maximum(there[:, 2:], 1e-3)
        return self._pixels(there[:, :2] / z)

    def _scene_depth(self) -> float:
        depths = self.depths_m()
        return float(np.median(depths)) if len(depths) else self._scene_m

    def _placed(self, points: Array, rays: Array, guess: Pose) -> tuple[Pose, Array, Array] | None:
        """The pose from known points, its information and residuals; None if too few agree."""
        if len(points) < _LEAST:
            return None
        found = pose_of(guess, points, rays, self._noise)
        if (found[2] < _AGREES).sum() < 0.7 * len(points):
            cv2.setRNGSeed(0)  # the same pictures, the same answer
            done, turn, shift, rows = cv2.solvePnPRansac(
                points, rays, np.eye(3), None, iterationsCount=200,
                reprojectionError=3 * self._noise, confidence=0.999, flags=cv2.SOLVEPNP_AP3P,
            )  # fmt: skip
            if done and rows is not None and len(rows) >= _LEAST:
                T = np.eye(4)
                T[:3, :3], T[:3, 3] = cv2.Rodrigues(turn)[0], shift[:, 0]
                other = pose_of(T, points, rays, self._noise, steps=4)
                if (other[2] < _AGREES).sum() > (found[2] < _AGREES).sum():
                    found = other
        agreeing = int((found[2] < _AGREES).sum())
        if agreeing < max(_LEAST, _LEAST_SHARE * len(points)):
            return None
        return found

    # --- keyframes -------------------------------------------------------------------------------

    def _is_new(self, agreeing: int) -> bool:
        assert self._pose is not None
        last = self._map.keyframes[-1].T_map_camera
        shift = float(np.linalg.norm(self._pose[:3, 3] - last[:3, 3]))
        return (
            agreeing < _NEW_SHARE * self._at_keyframe
            or shift > _NEW_SHIFT * self._scene_depth()
            or rotation_angle_rad(last, self._pose) > _NEW_TURN
        )

    def _make_keyframe(self, stamp_ns: int, grey: NDArray[np.uint8]) -> None:
        assert self._pose is not None
        self._tracks.refill(grey)
        keyframe = MonoKeyframe(stamp_ns, grey, self._pose, self._tracks.ids, self._rays())
        self._map.remember(keyframe)
        self._map.triangulate(self._noise)
        wrong = self._map.adjust(self._noise)
        self._tracks.keep(~np.isin(self._tracks.ids, wrong))
        self._pose = self._map.keyframes[-1].T_map_camera
        self._at_keyframe = int(self._points.known(self._tracks.ids).sum())

    # --- lost ------------------------------------------------------------------------------------

    def _find_back(self, stamp_ns: int, grey: NDArray[np.uint8]) -> PoseEstimate:
        """Recognise a keyframe: by its corners with depth, then by its points."""
        assert self._camera is not None
        lost = PoseEstimate(stamp_ns, TrackingState.LOST, None)
        seen = self._finder.find(grey, np.zeros(grey.shape, np.float32), self._camera)
        for place in alike(self._map.keyframes, thumbnail_of(grey), _ALIKE):
            if place.features is None:
                continue
            motion, count = motion_between(place.features, seen, self._camera)
            if motion is None or count < _RECOGNISED:
                continue
            guess = place.T_map_camera @ motion
            known = self._points.known(place.ids)
            points = self._points.of(place.ids[known])
            T = inverse(guess)
            local = points @ T[:3, :3].T + T[:3, 3]
            ahead = local[:, 2] > 1e-3
            points, local = points[ahead], local[ahead]
            self._tracks.take(
                place.grey, place.ids[known][ahead], self._pixels(place.rays[known][ahead])
            )
            self._tracks.follow(grey, self._pixels(local[:, :2] / local[:, 2:]))
            points = self._points.of(self._tracks.ids)
            found = self._placed(points, self._rays(), T)
            if found is None:
                continue
            self._tracks.keep(found[2] < _WRONG)
            self._pose, self._stamp_ns, self._bad = inverse(found[0]), stamp_ns, 0
            self._velocity = np.zeros(6)
            self._covariance = about_map_axes(_inverted(found[1]), self._pose)
            self._make_keyframe(stamp_ns, grey)
            return PoseEstimate(
                stamp_ns, TrackingState.TRACKING, self._pose, self._covariance, relocalised=True,
                compared=float(len(points)), inliers=float((found[2] < _AGREES).mean()),
            )  # fmt: skip
        return lost


def _inverted(information: Array) -> Array:
    """The covariance [6, 6] of a pose; large where nothing holds it."""
    return np.asarray(np.linalg.inv(information + 1e-9 * np.eye(6)), np.float64)
