# SPDX-License-Identifier: Apache-2.0
"""Where an RGB-D camera is, from its pictures alone: frame to keyframes."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Frame, Pose
from f4x_ros.core.data.poses import rotation_angle_rad
from f4x_ros.core.motion.odometry.align import Alignment, Prior, align, judge
from f4x_ros.core.motion.odometry.estimate import (
    PoseEstimate,
    TrackingState,
    about_map_axes,
    between,
    carried,
    moved,
    twist_of,
)
from f4x_ros.core.motion.odometry.features import FeatureFinder, Features, motion_between
from f4x_ros.core.motion.odometry.images import halved, picture_of
from f4x_ros.core.motion.odometry.keyframes import (
    OdometryKeyframe,
    OdometryKeyframes,
    thumbnail_of,
    view_distance,
)
from f4x_ros.core.motion.odometry.loops import LoopCloser
from f4x_ros.core.motion.odometry.samples import Samples, joined, samples_of

START = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""`T_map_camera` of a first frame without a pose: level, looking along x; z is up (REP-103)."""

_WIDTH = 320  # pixels that are aligned
_SAMPLES = (1200, 2000)  # of each kind, coarse and fine
_GATES_M = (0.15, 0.08)  # coarse and fine
_STEPS = (5, 6)
_NEAR, _WITHIN = 3, 2.0  # keyframes aligned to, and how different their views may be
_NEW_KEYFRAME = 1.0  # difference of views that makes one
_FEW_CORNERS = 60  # that agree with the last keyframe make one sooner, ...
_FEW_NEW_KEYFRAME = 0.4  # ... at such a difference
_AGREEING = 15  # corners that must agree for their motion to be a candidate ...
_RECOGNISED = 25  # ... and for a place to be recognised ...
_SURELY_RECOGNISED = 40  # ... although nothing was lost
_LARGE_RAD, _LARGE_SHARE = 0.035, 0.02  # a step of such a turn, or share of the depth, is large
_WORSE = 1.2  # a fit worse than usual by such a factor calls for corners
_BETTER = 0.85  # share of the loss of the prediction below which corners are believed instead
_ACCELERATION = (8.0, 20.0)  # m/s^2 and rad/s^2 of a hand
_LEAST_S = 1e-3  # between two frames
_LEAST_STEP = (0.003, 0.004)  # metres and radians that any step may differ from the one before
_ENOUGH = 400  # residuals that must be compared ...
_SHARE = 0.15  # ... of the samples
_BAD_LOSS, _WEAK_LOSS = 0.4, 0.3
_WEAK_M, _WEAK_RAD = 0.03, 0.02  # standard deviations
_OPTIMISM = 6.0  # variances of this are of the size of real errors, see doc/odometry.md
_BAD_FRAMES = 3  # in a row, after which the camera is lost
_ALIKE = 6  # keyframes that are tried to find back


class _Seen:
    """What one frame shows, as far as it is asked for."""

    def __init__(self, frame: Frame, finder: FeatureFinder) -> None:
        assert frame.depth is not None
        grey, depth = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY), frame.depth
        self.camera = frame.camera.scaled(min(1.0, _WIDTH / frame.camera.width))
        size = (self.camera.width, self.camera.height)
        if size != (frame.camera.width, frame.camera.height):
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
            depth = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST_EXACT).astype(
                np.float32
            )
        self.grey, self.depth = grey.astype(np.uint8), depth
        self.pictures = [
            halved(self.grey, self.depth, self.camera),
            picture_of(self.grey, self.depth, self.camera),
        ]
        self._finder = finder
        self._features: Features | None = None

    @property
    def features(self) -> Features:
        if self._features is None:
            self._features = self._finder.find(self.grey, self.depth, self.camera)
        return self._features

    @property
    def usual_depth_m(self) -> float:
        there = self.depth[::8, ::8]
        there = there[there > 0]
        return float(np.median(there)) if there.size else 1.0


class Odometry:
    """Follows a camera through frames with depth and without a pose.

    Each frame is predicted with constant velocity and aligned (`align`), coarse to fine, to the
    latest keyframe and to others near by. Where the step is large or the prediction fits badly,
    corners are matched as well (`features`), and the better of the candidates goes on. A camera
    that fits nowhere is lost: it gets no pose until a frame is recognised (`relocalised`).

    Args:
        keyframes: kept at most.
        seed: of the choice of samples.
    """

    def __init__(self, keyframes: int = 200, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._finder = FeatureFinder()
        self._keyframes = OdometryKeyframes(keyframes)
        self._loops = LoopCloser()
        self._pose: Pose | None = None  # of the last frame; None while lost
        self._velocity = np.zeros(6)  # twist of the camera's own frame a second
        self._before: Features | None = None  # corners of the frame before
        self._stamp_ns = 0
        self._bad = 0
        self._usual_loss = 0.0
        self._unsure = np.zeros((6, 6))  # of the last frame against its keyframes, camera's axes

    @property
    def started(self) -> bool:
        """Whether there is a place to begin from."""
        return bool(len(self._keyframes))

    def track(self, frame: Frame) -> PoseEstimate:
        """Where the camera is that took a frame.

        Args:
            frame: with depth; its pose is where the path begins, and not looked at afterwards.
        """
        seen = _Seen(frame, self._finder)
        if not self.started:
            return self._begin(frame, seen)
        if self._pose is None:
            return self._find_back(frame, seen)
        dt = max(_LEAST_S, (frame.stamp_ns - self._stamp_ns) / 1e9)
        last, unsure = self._pose, self._unsure
        prior = self._predicted(last, dt)
        near = self._keyframes.near(prior.T_map_camera, _NEAR, _WITHIN)
        found, agreeing = self._aligned(seen, last, prior, near)
        recent = [one for one in near if self._keyframes.is_recent(one)]
        if len(recent) < len(near) and self._is_worse(found):
            # The way back to an old place does not fit it: the place waits for a loop to be closed.
            other, agreeing = self._aligned(seen, last, prior, recent)
            if other.loss < _BETTER * found.loss:
                found, near = other, recent
        good = self._fits(found)
        self._bad = 0 if good else self._bad + 1
        if self._bad >= _BAD_FRAMES:
            self._pose, self._before = None, None
            return self._find_back(frame, seen)
        pose = found.T_map_camera if good else prior.T_map_camera
        self._velocity = twist_of(between(last, pose)) / dt
        self._pose, self._stamp_ns = pose, frame.stamp_ns
        self._before = seen._features
        if good:
            usual = self._usual_loss or found.loss
            self._usual_loss = usual + 0.1 * (found.loss - usual)
            for one in near:
                for samples, picture, gate_m in zip(
                    one.samples, seen.pictures, _GATES_M, strict=True
                ):
                    judge(samples, picture, pose, gate_m)
        estimate = self._estimate(frame, found, prior, near, good=good)
        if good and self._keep(seen, estimate, agreeing) and self._closes_loop(seen):
            estimate = self._corrected(estimate)
        twist_covariance = _OPTIMISM * (unsure + self._unsure) / dt**2
        return replace(estimate, twist=self._velocity, twist_covariance=twist_covariance)

    # --- one frame -------------------------------------------------------------------------------

    def _begin(self, frame: Frame, seen: _Seen) -> PoseEstimate:
        """The first frame: where it says, or at the origin."""
        pose = START.copy() if frame.T_map_camera is None else frame.T_map_camera
        keyframe = self._keyframe(seen, pose, np.zeros((6, 6)))
        if len(keyframe.samples[-1]) < _ENOUGH:
            return PoseEstimate(frame.stamp_ns, TrackingState.LOST, None)
        self._keyframes.add(keyframe)
        self._pose, self._stamp_ns, self._before = pose, frame.stamp_ns, seen.features
        return PoseEstimate(frame.stamp_ns, TrackingState.TRACKING, pose, keyframe.covariance)

    def _predicted(self, last: Pose, dt: float) -> Prior:
        """Constant velocity, and how far a hand may be from it."""
        self._velocity *= 0.5**self._bad
        shift, turn = (
            max(least, 0.5 * a * dt * dt)
            for least, a in zip(_LEAST_STEP, _ACCELERATION, strict=True)
        )
        information = np.diag([shift**-2] * 3 + [turn**-2] * 3)
        return Prior(last @ moved(self._velocity * dt), information)

    def _aligned(
        self, seen: _Seen, last: Pose, prior: Prior, near: list[OdometryKeyframe]
    ) -> tuple[Alignment, int | None]:
        """The frame aligned coarse to fine, and how many corners agreed if they were asked."""
        coarse, fine = (
            joined([one.samples[level].some(_SAMPLES[level] // len(near) + 1) for one in near])
            for level in (0, 1)
        )
        loose = Prior(prior.T_map_camera, prior.information * 0.25)
        best = self._coarsely(coarse, seen, prior.T_map_camera, prior)
        agreeing = None
        if self._is_large(last, prior.T_map_camera, seen) or self._is_worse(best):
            agreeing = 0
            for known, T_map_known in self._matchable(last):
                motion, count = motion_between(known, seen.features, seen.camera)
                if known is self._keyframes.last.features:
                    agreeing = count
                if motion is None or count < _AGREEING:
                    continue
                start = T_map_known @ motion
                other = self._coarsely(coarse, seen, start, _open(start))
                if other.compared >= _ENOUGH / 2 and other.loss < _BETTER * best.loss:
                    best, loose = other, _open(start)
                if count >= _FEW_CORNERS:
                    break
        found = align(
            fine, seen.pictures[1], best.T_map_camera, loose, gate_m=_GATES_M[1],
            steps=_STEPS[1],
        )  # fmt: skip
        return found, agreeing

    def _coarsely(self, samples: Samples, seen: _Seen, start: Pose, prior: Prior) -> Alignment:
        return align(samples, seen.pictures[0], start, prior, gate_m=_GATES_M[0], steps=_STEPS[0])

    def _matchable(self, last: Pose) -> list[tuple[Features, Pose]]:
        """Corners whose points are known, and from where."""
        keyframe = self._keyframes.last
        known = [(keyframe.features, keyframe.T_map_camera)]
        if self._before is not None and self._before is not keyframe.features:
            known.append((self._before, last))
        return known

    def _is_large(self, last: Pose, predicted: Pose, seen: _Seen) -> bool:
        shift = float(np.linalg.norm(predicted[:3, 3] - last[:3, 3]))
        turn = rotation_angle_rad(last, predicted)
        return turn > _LARGE_RAD or shift > _LARGE_SHARE * seen.usual_depth_m

    def _is_worse(self, found: Alignment) -> bool:
        if not self._usual_loss:  # the first step: nothing is usual, and its speed not known
            return True
        return found.loss > _WORSE * self._usual_loss or found.compared < _ENOUGH / 2

    def _fits(self, found: Alignment) -> bool:
        enough = found.compared >= _ENOUGH and found.share >= _SHARE
        return enough and found.loss < _BAD_LOSS

    def _estimate(
        self,
        frame: Frame,
        found: Alignment,
        prior: Prior,
        near: list[OdometryKeyframe],
        *,
        good: bool,
    ) -> PoseEstimate:
        if good:
            self._unsure = np.linalg.inv(prior.information + found.information).astype(np.float64)
        else:  # one step into the unknown more
            self._unsure = self._unsure + np.linalg.inv(prior.information).astype(np.float64)
        deviations = np.sqrt(np.diag(self._unsure))
        weak = (
            not good
            or found.loss > _WEAK_LOSS
            or deviations[:3].max() > _WEAK_M
            or deviations[3:].max() > _WEAK_RAD
        )
        assert self._pose is not None
        return PoseEstimate(
            frame.stamp_ns,
            TrackingState.WEAK if weak else TrackingState.TRACKING,
            self._pose,
            self._covariance(self._pose, near),
            fits=good,
            loss=found.loss,
            compared=found.compared if good else 0.0,
            inliers=found.inliers if good else 0.0,
        )

    def _covariance(self, pose: Pose, aligned_to: list[OdometryKeyframe]) -> NDArray[np.float64]:
        """That of a pose [6, 6] about the axes of the map: of the surest keyframe, and against it.

        Keyframes were themselves placed against earlier ones, so it grows along the way, and falls
        back where the camera sees an earlier place again.
        """
        of_keyframes = [
            carried(one.covariance, pose[:3, 3] - one.T_map_camera[:3, 3]) for one in aligned_to
        ]
        surest = min(of_keyframes, key=lambda one: float(np.trace(one)))
        return surest + _OPTIMISM * about_map_axes(self._unsure, pose)

    # --- keyframes -------------------------------------------------------------------------------

    def _keep(self, seen: _Seen, estimate: PoseEstimate, agreeing: int | None) -> bool:
        """Make a keyframe of the frame if the last one shows too little of the same."""
        pose, covariance = estimate.T_map_camera, estimate.covariance
        assert pose is not None
        assert covariance is not None
        away = view_distance(self._keyframes.last.T_map_camera, pose)
        few = agreeing is not None and agreeing < _FEW_CORNERS
        if away > (_FEW_NEW_KEYFRAME if few else _NEW_KEYFRAME):
            self._keyframes.add(self._keyframe(seen, pose, covariance))
            return True
        return False

    def _keyframe(
        self, seen: _Seen, pose: Pose, covariance: NDArray[np.float64]
    ) -> OdometryKeyframe:
        samples = [
            samples_of(one, pose, count, self._rng)
            for one, count in zip(seen.pictures, _SAMPLES, strict=True)
        ]
        thumbnail = thumbnail_of(seen.grey)
        return OdometryKeyframe(pose, samples, seen.features, thumbnail, covariance)

    # --- loops -----------------------------------------------------------------------------------

    def _closes_loop(self, seen: _Seen) -> bool:
        """See whether the latest keyframe sees an old place again; correct all keyframes by it."""

        def check(place: OdometryKeyframe) -> Pose | None:
            found = self._recognised(place, seen, _SURELY_RECOGNISED)
            return None if found is None else found.T_map_camera

        return self._loops.close(self._keyframes, check)

    def _corrected(self, estimate: PoseEstimate) -> PoseEstimate:
        """The estimate as the latest keyframe, which is of the same frame, has it now."""
        last = self._keyframes.last
        self._pose = last.T_map_camera
        return replace(
            estimate, T_map_camera=self._pose, covariance=last.covariance, loop_closed=True
        )

    # --- lost ------------------------------------------------------------------------------------

    def _find_back(self, frame: Frame, seen: _Seen) -> PoseEstimate:
        """Recognise one of the places where the camera was, or stay lost."""
        for place in self._keyframes.alike(thumbnail_of(seen.grey), _ALIKE):
            found = self._recognised(place, seen, _RECOGNISED)
            if found is None:
                continue
            self._pose, self._stamp_ns, self._bad = found.T_map_camera, frame.stamp_ns, 0
            self._velocity = np.zeros(6)
            self._before = seen.features
            information = found.information + _open(found.T_map_camera).information
            self._unsure = np.linalg.inv(information).astype(np.float64)
            return PoseEstimate(
                frame.stamp_ns, TrackingState.WEAK, self._pose,
                self._covariance(self._pose, [place]), relocalised=True, loss=found.loss,
                compared=found.compared, inliers=found.inliers,
            )  # fmt: skip
        return PoseEstimate(frame.stamp_ns, TrackingState.LOST, None)

    def _recognised(self, place: OdometryKeyframe, seen: _Seen, corners: int) -> Alignment | None:
        """The frame aligned to a place by so many corners at least; None if it is another one."""
        motion, count = motion_between(place.features, seen.features, seen.camera)
        if motion is None or count < corners:
            return None
        start = place.T_map_camera @ motion
        found = self._coarsely(place.samples[0], seen, start, _open(start))
        found = align(
            place.samples[1], seen.pictures[1], found.T_map_camera, _open(start),
            gate_m=_GATES_M[1], steps=_STEPS[1],
        )  # fmt: skip
        return found if self._fits(found) and found.loss <= _WEAK_LOSS else None


def _open(T_map_camera: Pose) -> Prior:
    """Next to nothing is known but where to look."""
    return Prior(T_map_camera, np.diag([0.2**-2] * 3 + [0.1**-2] * 3))
