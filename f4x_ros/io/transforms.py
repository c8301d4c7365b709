# SPDX-License-Identifier: Apache-2.0
"""Recorded poses: one over time (`PoseTrack`), and a tree of them as in /tf (`TransformTree`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from f4x_ros.core.data import Pose, from_quaternion, interpolate, inverse

#: Longest stretch without a sample that is bridged by interpolation [ns].
MAX_GAP_NS = 2_000_000_000
HOLD_NS = 1_000_000_000


class PoseTrack:
    """Samples of one pose over time, in any order of arrival.

    Between two samples at most ``max_gap_ns`` apart the pose is interpolated (linear, slerp);
    elsewhere the nearest sample within ``slop_ns`` is taken.
    """

    def __init__(
        self,
        stamps_ns: ArrayLike,
        positions: ArrayLike,
        quaternions: ArrayLike,
        *,
        slop_ns: int = 20_000_000,
        max_gap_ns: int = MAX_GAP_NS,
    ) -> None:
        """Stamps ``[N]`` int64, positions ``[N, 3]`` metres, quaternions ``[N, 4]`` xyzw."""
        stamps = np.asarray(stamps_ns, np.int64).reshape(-1)
        order = np.argsort(stamps, kind="stable")
        self._stamps = stamps[order]
        self._positions = np.asarray(positions, np.float64).reshape(-1, 3)[order]
        self._quaternions = np.asarray(quaternions, np.float64).reshape(-1, 4)[order]
        self._slop_ns = slop_ns
        self._max_gap_ns = max_gap_ns

    def covers(self, stamp_ns: int) -> bool:
        """True if `at` has an answer."""
        return self._bracket(stamp_ns) is not None

    def at(self, stamp_ns: int) -> Pose | None:
        """The pose at a time, or None where there is no sample near enough."""
        bracket = self._bracket(stamp_ns)
        if bracket is None:
            return None
        first, second, fraction = bracket
        start = self._sample(first)
        return start if first == second else interpolate(start, self._sample(second), fraction)

    def _sample(self, index: int) -> Pose:
        return from_quaternion(self._positions[index], self._quaternions[index])

    def _bracket(self, stamp_ns: int) -> tuple[int, int, float] | None:
        """Two samples and the place between them; the same sample twice where one is enough."""
        stamps = self._stamps
        after = int(np.searchsorted(stamps, stamp_ns))
        if after < len(stamps) and stamps[after] == stamp_ns:
            return after, after, 0.0
        if 0 < after < len(stamps):
            gap = int(stamps[after] - stamps[after - 1])
            if gap <= self._max_gap_ns:
                return after - 1, after, float(stamp_ns - stamps[after - 1]) / gap
        near = [i for i in (after - 1, after) if 0 <= i < len(stamps)]
        if not near:
            return None
        best = min(near, key=lambda i: abs(int(stamps[i]) - stamp_ns))
        return (best, best, 0.0) if abs(int(stamps[best]) - stamp_ns) <= self._slop_ns else None


class TransformTree:
    """Frames joined by transforms, each with one parent, as broadcast on /tf and /tf_static."""

    def __init__(
        self, moving: dict[tuple[str, str], PoseTrack], static: dict[tuple[str, str], Pose]
    ) -> None:
        """Transforms ``T_parent_child`` keyed by (parent, child); a static one wins."""
        self._static = {child: (parent, pose) for (parent, child), pose in static.items()}
        self._moving = {child: (parent, track) for (parent, child), track in moving.items()}

    def frames(self) -> list[str]:
        """All frame names, sorted."""
        edges = [*self._static.items(), *self._moving.items()]
        return sorted({name for child, (parent, _) in edges for name in (child, parent)})

    def connected(self, target: str, source: str) -> bool:
        """True if a chain of transforms joins the two frames, whatever the time."""
        return bool(set(self._chain(target)) & set(self._chain(source)))

    def covers(self, target: str, source: str, stamp_ns: int) -> bool:
        """True if `lookup` has an answer."""
        up_target, up_source = self._legs(target, source)
        names = [*up_target, *up_source]
        moving = [self._moving[name][1] for name in names if name not in self._static]
        return self.connected(target, source) and all(t.covers(stamp_ns) for t in moving)

    def lookup(self, target: str, source: str, stamp_ns: int) -> Pose | None:
        """``T_target_source`` at a time, or None if a part of the chain is not known then."""
        if not self.covers(target, source, stamp_ns):
            return None
        up_target, up_source = self._legs(target, source)
        return inverse(self._compose(up_target, stamp_ns)) @ self._compose(up_source, stamp_ns)

    def _legs(self, target: str, source: str) -> tuple[list[str], list[str]]:
        """Frames to climb from target and from source until both stand at the same frame."""
        chain_target, chain_source = list(self._chain(target)), list(self._chain(source))
        common = next((name for name in chain_source if name in chain_target), None)
        if common is None:
            return [], []
        return (
            chain_target[: chain_target.index(common)],
            chain_source[: chain_source.index(common)],
        )

    def _compose(self, names: Sequence[str], stamp_ns: int) -> Pose:
        """The transform from the first of ``names`` to the parent of the last."""
        total: Pose = np.eye(4)
        for name in names:
            step = self._step(name, stamp_ns)
            assert step is not None  # covers() has looked
            total = step @ total
        return total

    def _step(self, child: str, stamp_ns: int) -> Pose | None:
        if child in self._static:
            return self._static[child][1]
        return self._moving[child][1].at(stamp_ns)

    def _chain(self, name: str) -> Iterator[str]:
        """The frame, its parent, and so on; ends at the root or where the chain bites its tail."""
        seen: set[str] = set()
        while name not in seen:
            seen.add(name)
            yield name
            edge = self._static.get(name) or self._moving.get(name)
            if edge is None:
                return
            name = edge[0]


def nearest_rotation(pose: NDArray[np.float64]) -> Pose:
    """A pose whose rotation is made orthonormal again, after rounding in a text file."""
    u, _, vt = np.linalg.svd(pose[:3, :3])
    out = np.array(pose, np.float64)
    out[:3, :3] = u @ vt
    return out
