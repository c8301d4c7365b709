# SPDX-License-Identifier: Apache-2.0
"""Places where the camera was: what to align to near by, and how to find back to one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose, inverse
from f4x_ros.core.data.poses import rotation_angle_rad
from f4x_ros.core.motion.odometry.features import Features
from f4x_ros.core.motion.odometry.samples import Samples

_THUMBNAIL = (32, 24)  # pixels, width and height, of what places are recognised by
_FAR_M, _FAR_RAD = 0.3, 0.21  # a shift and a turn that change a view equally much
RECENT = 8
"""So many of the latest keyframes close no loop."""
_LATEST = 4  # keyframes that stay, however near to each other


@dataclass(frozen=True, eq=False)
class OdometryKeyframe:
    """A frame that later ones are aligned to.

    Attributes:
        T_map_camera: [4, 4].
        samples: of the world, by resolution, coarse to fine.
        features: corners, to match.
        thumbnail: see `thumbnail_of`.
        covariance: [6, 6] of the pose, about the axes of the map.
    """

    T_map_camera: Pose
    samples: list[Samples]
    features: Features
    thumbnail: NDArray[np.float32]
    covariance: NDArray[np.float64]

    def moved_to(self, T_map_camera: Pose, covariance: NDArray[np.float64]) -> OdometryKeyframe:
        """The same picture taken from elsewhere."""
        motion = T_map_camera @ inverse(self.T_map_camera)
        samples = [part.moved_by(motion) for part in self.samples]
        return replace(self, T_map_camera=T_map_camera, samples=samples, covariance=covariance)


def thumbnail_of(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A tiny picture [P] of mean 0 and length 1: what a place looks like from afar."""
    small = cv2.resize(grey, _THUMBNAIL, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small.astype(np.float32), (0, 0), 1.0).ravel()
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6), np.float32)


def view_distance(T_map_a: Pose, T_map_b: Pose) -> float:
    """How different two views are: 1 is a new keyframe's worth."""
    shift = float(np.linalg.norm(T_map_a[:3, 3] - T_map_b[:3, 3])) / _FAR_M
    return float(np.hypot(shift, rotation_angle_rad(T_map_a, T_map_b) / _FAR_RAD))


@dataclass
class OdometryKeyframes:
    """A bounded number of keyframes; where there are too many, the most alike neighbours thin out.

    Attributes:
        limit: keyframes kept.
    """

    limit: int
    kept: list[OdometryKeyframe] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.kept)

    @property
    def last(self) -> OdometryKeyframe:
        """The latest."""
        return self.kept[-1]

    def add(self, keyframe: OdometryKeyframe) -> None:
        """One more."""
        self.kept.append(keyframe)
        if len(self.kept) > self.limit:
            older = self.kept[: max(2, len(self.kept) - _LATEST)]
            gaps = [view_distance(a.T_map_camera, b.T_map_camera) for a, b in pairwise(older)]
            del self.kept[1 + int(np.argmin(gaps))]

    def near(self, T_map_camera: Pose, count: int, within: float) -> list[OdometryKeyframe]:
        """The latest, and of the others the nearest that see much the same; nearest last."""
        others = [(view_distance(one.T_map_camera, T_map_camera), one) for one in self.kept[:-1]]
        close = sorted((pair for pair in others if pair[0] < within), key=lambda pair: pair[0])
        return [self.last, *(one for _, one in close[: count - 1])][::-1]

    def is_recent(self, keyframe: OdometryKeyframe) -> bool:
        """Whether little lies between it and the latest."""
        return any(one is keyframe for one in self.kept[-RECENT:])

    def alike(self, thumbnail: NDArray[np.float32], count: int) -> list[OdometryKeyframe]:
        """The keyframes that look most like a picture, best first."""
        if not self.kept:
            return []
        scores = np.stack([one.thumbnail for one in self.kept]) @ thumbnail
        return [self.kept[i] for i in np.argsort(-scores)[:count]]
