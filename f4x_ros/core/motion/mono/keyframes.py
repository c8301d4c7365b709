# SPDX-License-Identifier: Apache-2.0
"""Pictures that corners are remembered from, and the points they were seen to be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose, inverse
from f4x_ros.core.motion.mono.bundle import Array
from f4x_ros.core.motion.odometry.features import Features
from f4x_ros.core.motion.odometry.keyframes import thumbnail_of

_LATEST = 12  # keyframes that stay, however alike


@dataclass(eq=False)
class MonoKeyframe:
    """A picture with its corners.

    Attributes:
        stamp_ns: of the picture.
        grey: [H, W] uint8, as it is followed.
        T_map_camera: [4, 4]; moves when bundles are adjusted.
        ids: [N] rising, of the corners.
        rays: [N, 2] normalised pixels of them.
        features: corners to recognise it by; None until its depth is known.
    """

    stamp_ns: int
    grey: NDArray[np.uint8]
    T_map_camera: Pose
    ids: NDArray[np.int64]
    rays: Array
    features: Features | None = None
    thumbnail: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.thumbnail = thumbnail_of(self.grey)

    @property
    def T_camera_map(self) -> Pose:
        """The inverse of `T_map_camera`."""
        return inverse(self.T_map_camera)


@dataclass
class Points:
    """Where corners are [3], map frame, by id."""

    by_id: dict[int, Array] = field(default_factory=dict)

    def known(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the corners [N] have a place."""
        return np.array([i in self.by_id for i in ids.tolist()], bool)

    def of(self, ids: NDArray[np.int64]) -> Array:
        """Places [N, 3] of corners that have one."""
        return np.array([self.by_id[i] for i in ids.tolist()], np.float64).reshape(-1, 3)

    def put(self, ids: NDArray[np.int64], places: Array) -> None:
        """Set places [N, 3]."""
        self.by_id.update(zip(ids.tolist(), places, strict=True))

    def drop(self, ids: Iterable[int]) -> None:
        """Forget these, as far as they are known."""
        for i in ids:
            self.by_id.pop(i, None)


def thinned(kept: list[MonoKeyframe], limit: int) -> MonoKeyframe | None:
    """Take out one keyframe if there are too many: of the older ones, every second in turn."""
    if len(kept) <= limit:
        return None
    older = kept[1 : max(2, len(kept) - _LATEST)]
    gaps = [b.stamp_ns - a.stamp_ns for a, b in zip(kept, older, strict=False)]
    return kept.pop(1 + int(np.argmin(gaps)))


def alike(
    kept: Sequence[MonoKeyframe], thumbnail: NDArray[np.float32], count: int
) -> list[MonoKeyframe]:
    """The keyframes that look most like a picture, best first."""
    if not kept:
        return []
    scores = np.stack([one.thumbnail for one in kept]) @ thumbnail
    return [kept[i] for i in np.argsort(-scores)[:count]]
