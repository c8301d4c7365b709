# SPDX-License-Identifier: Apache-2.0
"""Recorded poses: one over time (`PoseTrack`), and a tree of them as in /tf (`TransformTree`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from f4x_ros.core.data import Pose, from_quaternion, interpolate, inverse
from f4x_ros.io.parents import FIXED_FRAMES, choose_parent, in_a_circle, two_parents

#: Longest stretch without a sample that is bridged by interpolation [ns].
MAX_GAP_NS = 500_000_000
#: A transform whose samples lie this far apart (median) is slow, such as a correction of odometry.
SLOW_PERIOD_NS = 400_000_000
#: A slow transform is bridged over this many of its periods, and no longer than this [ns].
SLOW_GAP_PERIODS, MAX_SLOW_GAP_NS = 2.5, 5_000_000_000
#: A slow one is held before its first and after its last sample for so many of its periods: until
#: the next is due; and no longer than this [ns].
SLOW_HOLD_PERIODS, MAX_HOLD_NS = 1.2, 2_000_000_000
#: Others are held for this [ns].
HOLD_NS = 20_000_000
_LEAST_LENGTH = 1e-6  # of a quaternion, as in `from_quaternion`


class Tolerance(NamedTuple):
    """How far from its samples a transform is known."""

    gap_ns: int  # longest stretch between two samples that is interpolated
    hold_ns: int  # how long the nearest sample holds elsewhere


def tolerance(stamps_ns: ArrayLike, hold_ns: int = HOLD_NS) -> Tolerance:
    """That of samples with these stamps ``[N]`` int64, from how often they come.

    A transform that comes at 2.5 Hz or more is what moves the camera: it is bridged for
    `MAX_GAP_NS` and held for ``hold_ns``. One that comes less often corrects another and changes
    little between its samples: it is bridged for `SLOW_GAP_PERIODS` and held for
    `SLOW_HOLD_PERIODS`.
    """
    gaps = np.diff(np.unique(np.asarray(stamps_ns, np.int64)))
    period = float(np.median(gaps)) if gaps.size else 0.0
    if period < SLOW_PERIOD_NS:
        return Tolerance(MAX_GAP_NS, hold_ns)
    return Tolerance(
        gap_ns=int(np.clip(SLOW_GAP_PERIODS * period, MAX_GAP_NS, MAX_SLOW_GAP_NS)),
        hold_ns=max(hold_ns, int(min(SLOW_HOLD_PERIODS * period, MAX_HOLD_NS))),
    )


def plain_frame(name: str) -> str:
    """A frame's name without the leading slashes of ROS 1, which mean nothing."""
    return name.lstrip("/")


class PoseTrack:
    """Samples of one pose over time, in any order of arrival.

    Between two samples at most ``max_gap_ns`` apart the pose is interpolated (linear, slerp);
    elsewhere the nearest sample within ``slop_ns`` is taken. Samples that are no pose (not finite,
    a quaternion of length zero) are left out.

    Attributes:
        rejected_ns: ``[M]`` int64, stamps of the samples that are no pose.
    """

    def __init__(
        self,
        stamps_ns: ArrayLike,
        positions: ArrayLike,
        quaternions: ArrayLike,
        *,
        slop_ns: int = HOLD_NS,
        max_gap_ns: int | None = None,
    ) -> None:
        """Stamps ``[N]`` int64, positions ``[N, 3]`` metres, quaternions ``[N, 4]`` xyzw.

        ``max_gap_ns`` None: gap and hold are those of `tolerance`, and ``slop_ns`` the least hold.
        """
        stamps = np.asarray(stamps_ns, np.int64).reshape(-1)
        order = np.argsort(stamps, kind="stable")
        positions = np.asarray(positions, np.float64).reshape(-1, 3)[order]
        quaternions = np.asarray(quaternions, np.float64).reshape(-1, 4)[order]
        with np.errstate(over="ignore", invalid="ignore"):
            length = np.linalg.norm(quaternions, axis=1)
        good = np.isfinite(positions).all(1) & np.isfinite(length) & (length >= _LEAST_LENGTH)
        self.rejected_ns = stamps[order][~good]
        self._stamps = stamps[order][good]
        self._positions = positions[good]
        self._quaternions = quaternions[good]
        self._max_gap_ns, self._slop_ns = (
            tolerance(self._stamps, slop_ns) if max_gap_ns is None else (max_gap_ns, slop_ns)
        )

    def __len__(self) -> int:
        """How many samples it has."""
        return len(self._stamps)

    def described(self) -> str:
        """How many samples there are, and from when to when."""
        if not len(self):
            return "no samples"
        first, last = self._stamps[0] / 1e9, self._stamps[-1] / 1e9
        if len(self) == 1:
            return f"1 sample at {first:.3f} s"
        return f"{len(self)} samples from {first:.3f} to {last:.3f} s"

    def covers(self, stamp_ns: int, hold_ns: int = 0) -> bool:
        """True if `at` has an answer."""
        return self._bracket(stamp_ns, hold_ns) is not None

    def at(self, stamp_ns: int, hold_ns: int = 0) -> Pose | None:
        """The pose at a time, or None where there is no sample near enough.

        ``hold_ns``: so long the nearest sample is held at least.
        """
        bracket = self._bracket(stamp_ns, hold_ns)
        if bracket is None:
            return None
        first, second, fraction = bracket
        start = self._sample(first)
        return start if first == second else interpolate(start, self._sample(second), fraction)

    def _sample(self, index: int) -> Pose:
        return from_quaternion(self._positions[index], self._quaternions[index])

    def _bracket(self, stamp_ns: int, hold_ns: int) -> tuple[int, int, float] | None:
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
        far_ns = abs(int(stamps[best]) - stamp_ns)
        return (best, best, 0.0) if far_ns <= max(hold_ns, self._slop_ns) else None


class TransformTree:
    """Frames joined by transforms, each with one parent, as broadcast on /tf and /tf_static."""

    def __init__(
        self,
        moving: Mapping[tuple[str, str], PoseTrack],
        static: Mapping[tuple[str, str], Pose],
        fixed: Sequence[str] = FIXED_FRAMES,
    ) -> None:
        """Transforms ``T_parent_child`` keyed by (parent, child).

        Of a frame with several parents one is used throughout, see `choose_parent`; where the same
        transform is both static and moving (two samples or more), the moving one.

        Args:
            moving: samples over time.
            static: what never changes.
            fixed: the frames that poses are wanted in, the best first.
        """
        samples: dict[str, dict[str, int]] = defaultdict(dict)  # by child and parent; 0 = static
        for (parent, child), track in moving.items():
            if len(track) > 1 or (parent, child) not in static:
                samples[plain_frame(child)][plain_frame(parent)] = len(track)
        for parent, child in static:
            samples[plain_frame(child)].setdefault(plain_frame(parent), 0)
        tracks = {(plain_frame(p), plain_frame(c)): track for (p, c), track in moving.items()}
        still = {(plain_frame(p), plain_frame(c)): pose for (p, c), pose in static.items()}
        self._static: dict[str, tuple[str, Pose]] = {}
        self._moving: dict[str, tuple[str, PoseTrack]] = {}
        self._doubts: dict[str, str] = {}
        for child, parents in samples.items():
            parent = choose_parent(child, samples, fixed)
            if len(parents) > 1:
                self._doubts[child] = two_parents(child, parent, parents)
            if parents[parent]:
                self._moving[child] = parent, tracks[parent, child]
                if (parent, child) in still:
                    self._doubts[child] = (
                        f"transform {parent!r} -> {child!r} is both static and moving: the moving "
                        f"one is used ({parents[parent]} samples)"
                    )
            elif (parent, child) in still:
                self._static[child] = parent, still[parent, child]
            else:
                self._moving[child] = parent, tracks[parent, child]

    def frames(self) -> list[str]:
        """All frame names, sorted."""
        edges = [*self._static.items(), *self._moving.items()]
        return sorted({name for child, (parent, _) in edges for name in (child, parent)})

    def remarks(self, target: str, source: str) -> list[str]:
        """What is doubtful on the way between two frames, such as one with two parents."""
        way = self.way(target, source)
        said = [self._doubts[name] for name in way if name in self._doubts]
        chain = list(self._chain(source))
        edge = self._static.get(chain[-1]) or self._moving.get(chain[-1])
        if edge is not None:  # it ends where it bites its tail
            said.append(in_a_circle([*chain, edge[0]]))
        return said

    def connected(self, target: str, source: str) -> bool:
        """True if a chain of transforms joins the two frames, whatever the time."""
        return bool(set(self._chain(target)) & set(self._chain(source)))

    def covers(self, target: str, source: str, stamp_ns: int) -> bool:
        """True if `lookup` has an answer."""
        way = self.way(target, source)
        return self.connected(target, source) and all(
            self._moving[name][1].covers(stamp_ns, self._hold_ns(name, way, stamp_ns))
            for name in way
            if name not in self._static
        )

    def lacking(self, target: str, source: str, stamp_ns: int) -> str:
        """Which transform has no answer then, and when it has; "" if all have one."""
        way = self.way(target, source)
        for name in way:
            if name not in self._moving:
                continue
            parent, track = self._moving[name]
            if not track.covers(stamp_ns, self._hold_ns(name, way, stamp_ns)):
                once = " (what never moves belongs on /tf_static)" if len(track) == 1 else ""
                return f"transform {parent!r} -> {name!r} has {track.described()}{once}"
        return ""

    def lookup(self, target: str, source: str, stamp_ns: int) -> Pose | None:
        """``T_target_source`` at a time, or None if a part of the chain is not known then."""
        if not self.covers(target, source, stamp_ns):
            return None
        up_target, up_source = self._legs(target, source)
        steps = {
            name: self._step(name, [*up_target, *up_source], stamp_ns)
            for name in (*up_target, *up_source)
        }
        return inverse(_composed(up_target, steps)) @ _composed(up_source, steps)

    def way(self, target: str, source: str) -> list[str]:
        """The frames whose transforms lead from one frame to another."""
        up_target, up_source = self._legs(target, source)
        return [*up_target, *up_source]

    def _legs(self, target: str, source: str) -> tuple[list[str], list[str]]:
        """Frames to climb from target and from source until both stand at the same frame."""
        chain_target, chain_source = list(self._chain(target)), list(self._chain(source))
        # (where frames go in a circle the target itself is met, but not first)
        meeting = [chain_target[0]] if chain_target[0] in chain_source else chain_target
        common = next((name for name in chain_source if name in meeting), None)
        if common is None:
            return [], []
        return (
            chain_target[: chain_target.index(common)],
            chain_source[: chain_source.index(common)],
        )

    def _step(self, child: str, way: Sequence[str], stamp_ns: int) -> Pose:
        if child in self._static:
            return self._static[child][1]
        pose = self._moving[child][1].at(stamp_ns, self._hold_ns(child, way, stamp_ns))
        assert pose is not None  # covers() has looked
        return pose

    def _hold_ns(self, child: str, way: Sequence[str], stamp_ns: int) -> int:
        """How long a transform is held beyond its own tolerance.

        Of how often a single sample is followed by another nothing is known. Where the other
        transforms of the way are known, it is one that corrects them now and then.
        """
        if len(self._moving[child][1]) != 1:
            return 0
        others = [self._moving[n][1] for n in way if n not in self._static and n != child]
        return MAX_HOLD_NS if others and all(t.covers(stamp_ns) for t in others) else 0

    def _chain(self, name: str) -> Iterator[str]:
        """The frame, its parent, and so on; ends at the root or where the chain bites its tail."""
        name = plain_frame(name)
        seen: set[str] = set()
        while name not in seen:
            seen.add(name)
            yield name
            edge = self._static.get(name) or self._moving.get(name)
            if edge is None:
                return
            name = edge[0]


def _composed(names: Sequence[str], steps: Mapping[str, Pose]) -> Pose:
    """The transform from the first of ``names`` to the parent of the last."""
    total: Pose = np.eye(4)
    for name in names:
        total = steps[name] @ total
    return total


def nearest_rotation(pose: NDArray[np.float64]) -> Pose:
    """A pose whose rotation is made orthonormal again, after rounding in a text file."""
    u, _, vt = np.linalg.svd(pose[:3, :3])
    out = np.array(pose, np.float64)
    out[:3, :3] = u @ vt
    return out
