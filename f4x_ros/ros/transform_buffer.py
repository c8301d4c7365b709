# SPDX-License-Identifier: Apache-2.0
"""Transforms as they come in, and where a frame is in another one at a time.

tf2 would do for most of this. What it lacks: a slow edge (a localisation that corrects once per
second) is held for a while beyond its newest sample, a frame with two parents does not flip between
them, and all of it as the reader of recordings does, so that a bag gives the same map both ways.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator

import numpy as np

from f4x_ros.core.data import Pose, check_pose, interpolate, inverse
from f4x_ros.core.errors import BadInputError, NotReadyError
from f4x_ros.io.transforms import HOLD_NS, MAX_GAP_NS

LATEST = 0
"""The stamp that asks for the latest transform, as in tf2."""

_NS = 1_000_000_000


class TransformUnavailableError(NotReadyError):
    """There is no such transform now; the message names the edge that is missing."""


class _Edge:
    """Poses of one child in one parent over a bounded time, ascending by stamp."""

    def __init__(self, parent: str, child: str, *, static: bool) -> None:
        self.parent, self.child, self.static = parent, child, static
        self.stamps: list[int] = []
        self.poses: list[Pose] = []
        self.came_s = 0.0  # when the newest sample came, monotonic
        self._suspect: tuple[int, Pose] | None = None  # the last sample, if its stamp leapt

    def add(self, ns: int, pose: Pose, history_ns: int, jump_ns: int) -> None:
        """Put a sample in its place. One that leaps in time counts when the next confirms it."""
        if self.static:
            self.stamps, self.poses = [ns], [pose]
            return
        leaps = bool(self.stamps) and not (
            -jump_ns <= ns - self.stamps[-1] <= max(history_ns, jump_ns)
        )
        if leaps:
            before, self._suspect = self._suspect, (ns, pose)
            if before is None or abs(ns - before[0]) > max(history_ns, jump_ns):
                return
            # A looping bag: what was the future must not be mixed in.
            self.stamps, self.poses = [before[0]], [before[1]]
        self._suspect = None
        self.came_s = time.monotonic()
        at = bisect_left(self.stamps, ns)
        if at < len(self.stamps) and self.stamps[at] == ns:
            self.poses[at] = pose
            return
        self.stamps.insert(at, ns)
        self.poses.insert(at, pose)
        keep = bisect_left(self.stamps, self.stamps[-1] - history_ns)
        del self.stamps[:keep], self.poses[:keep]

    def at(self, ns: int, patience_s: float, *, overdue: bool) -> Pose | None:
        """The pose at a time; None where the samples do not tell (yet).

        Between two samples that are not too far apart it is interpolated. Beyond the newest one it
        is held for a while, if waiting for the next is of no use: `overdue`, or the edge is slower
        than anybody waits.
        """
        if self.static:
            return self.poses[-1]
        after = bisect_left(self.stamps, ns)
        if after < len(self.stamps) and self.stamps[after] == ns:
            return self.poses[after]
        if 0 < after < len(self.stamps):
            first, second = self.stamps[after - 1], self.stamps[after]
            if second - first <= MAX_GAP_NS:
                fraction = (ns - first) / (second - first)
                return interpolate(self.poses[after - 1], self.poses[after], fraction)
        if after == len(self.stamps) and not (overdue or self._slower_than(patience_s)):
            return None
        near = [i for i in (after - 1, after) if 0 <= i < len(self.stamps)]
        best = min(near, key=lambda i: abs(self.stamps[i] - ns))
        return self.poses[best] if abs(self.stamps[best] - ns) <= HOLD_NS else None

    def _slower_than(self, patience_s: float) -> bool:
        """True if the next sample would come too late for whoever waits so long."""
        if time.monotonic() - self.came_s > patience_s:
            return True
        recent = np.diff(self.stamps[-10:])
        return bool(recent.size) and float(np.median(recent)) > patience_s * _NS

    def outside(self, ns: int) -> str:
        """How far a time lies outside of the samples, for people."""
        edge = f"no transform '{self.parent}' -> '{self.child}' at {ns / _NS:.6f}: it is"
        count = f"of {len(self.stamps)} samples"
        if ns < self.stamps[0]:
            return f"{edge} {(self.stamps[0] - ns) / _NS:.3f} s before the oldest {count}"
        if ns > self.stamps[-1]:
            return f"{edge} {(ns - self.stamps[-1]) / _NS:.3f} s after the newest {count}"
        after = bisect_left(self.stamps, ns)
        gap = (self.stamps[after] - self.stamps[after - 1]) / _NS
        return f"{edge} in a gap of {gap:.3f} s between two {count}"


class TransformBuffer:
    """Transforms of the last seconds. All methods may be called from any thread.

    A frame whose parents are several is looked up through the one that is nearest to the target;
    the choice does not depend on which sample came last. Leading slashes of names mean nothing.

    Args:
        history_s: so long samples are kept.
        jump_s: two samples older than the newest of their edge by more than this are a jump back
            in time: the edge forgets what it had. A single one is left out.
        patience_s: so long frames wait for a transform: edges whose samples come further apart are
            not waited for.
        on_choice: told, once for each frame, that it has several parents and which one is taken.
    """

    def __init__(
        self,
        *,
        history_s: float = 30.0,
        jump_s: float = 1.0,
        patience_s: float = 0.5,
        on_choice: Callable[[str, str], None] = lambda frame, text: None,
    ) -> None:
        self._history_ns, self._jump_ns = int(history_s * _NS), int(jump_s * _NS)
        self._patience_s, self._on_choice = patience_s, on_choice
        self._edges: dict[str, dict[str, _Edge]] = {}  # by child and parent, in order of arrival
        self._chosen: dict[str, str] = {}  # what has been told: child, parent
        self._lock = threading.Lock()

    def add(
        self, parent: str, child: str, ns: int, T_parent_child: Pose, *, static: bool = False
    ) -> None:
        """Store one sample. Where a transform is static and moving, the static one counts.

        Raises:
            ValueError: an empty name, a frame that is its own parent, or an invalid pose.
        """
        parent, child = parent.lstrip("/"), child.lstrip("/")
        if not parent or not child or parent == child:
            raise BadInputError(f"transform '{parent}' -> '{child}', expected two different names")
        pose = check_pose(f"transform '{parent}' -> '{child}'", T_parent_child)
        with self._lock:
            edges = self._edges.setdefault(child, {})
            edge = edges.get(parent)
            if edge is None or (static and not edge.static):
                edge = edges[parent] = _Edge(parent, child, static=static)
            if static or not edge.static:
                edge.add(ns, pose, self._history_ns, self._jump_ns)

    def lookup(self, target: str, source: str, ns: int, *, overdue: bool = False) -> Pose:
        """`T_target_source` at a time; `LATEST` takes the newest time all edges have in common.

        With `overdue` an edge is held beyond its newest sample, within the tolerance.

        Raises:
            TransformUnavailableError: a frame is unknown, the two are not connected, or an edge has
                no samples around that time.
        """
        target, source = target.lstrip("/"), source.lstrip("/")
        with self._lock:
            up_target, up_source, choices = self._legs(target, source, ns)
            if ns == LATEST:
                ns = _newest_common([*up_target, *up_source])
            there = self._climb(up_source, ns, overdue)
            pose = inverse(self._climb(up_target, ns, overdue)) @ there
        for frame, parent, others in choices:
            if self._chosen.get(frame) != parent:
                self._chosen[frame] = parent
                names = " and ".join(f"'{name}'" for name in others)
                self._on_choice(
                    frame, f"frame '{frame}' has {len(others)} parents, {names}: '{parent}' is used"
                )
        return pose

    def connected(self, target: str, source: str) -> bool:
        """True if a chain of transforms joins the two frames, whatever the time."""
        target, source = target.lstrip("/"), source.lstrip("/")
        with self._lock:
            return bool(set(self._ancestors(target, 0)) & set(self._ancestors(source, 0)))

    def _legs(
        self, target: str, source: str, ns: int
    ) -> tuple[list[_Edge], list[_Edge], list[tuple[str, str, list[str]]]]:
        """Edges from target and from source up to where they meet, on the shortest way.

        And the frames on the way that have several parents, with the one taken and all of them.
        """
        from_target, from_source = self._ancestors(target, ns), self._ancestors(source, ns)
        common = [name for name in from_source if name in from_target]
        if not common:
            top_target, top_source = list(from_target)[-1], list(from_source)[-1]
            known = ", ".join(sorted(self._edges)) or "none"
            raise TransformUnavailableError(
                f"no transform '{target}' -> '{source}': nothing connects '{top_target}' and "
                f"'{top_source}' (transforms heard of: {known})"
            )
        meet = min(common, key=lambda name: len(from_source[name]) + len(from_target[name]))
        legs = from_target[meet], from_source[meet]
        choices = [
            (edge.child, edge.parent, list(self._edges[edge.child]))
            for leg in legs
            for edge in leg
            if len(self._edges[edge.child]) > 1
        ]
        return *legs, choices

    def _ancestors(self, name: str, ns: int) -> dict[str, list[_Edge]]:
        """The frame and all above it, nearest first, each with the edges that lead up to it."""
        found: dict[str, list[_Edge]] = {name: []}
        for below in (queue := [name]):
            for edge in self._alive(below, ns):
                if edge.parent not in found:
                    found[edge.parent] = [*found[below], edge]
                    queue.append(edge.parent)
        return found

    def _alive(self, child: str, ns: int) -> Iterator[_Edge]:
        """Edges to the parents, without those that ended long before another one went on."""
        edges = list(self._edges.get(child, {}).values())
        for edge in edges:
            ended = not edge.static and ns != LATEST and edge.stamps[-1] < ns - HOLD_NS
            if not ended or not any(
                other is not edge and (other.static or other.stamps[-1] >= ns - HOLD_NS)
                for other in edges
            ):
                yield edge

    def _climb(self, edges: list[_Edge], ns: int, overdue: bool) -> Pose:
        """The transform from the child of the first edge to the parent of the last."""
        total: Pose = np.eye(4)
        for edge in edges:
            step = edge.at(ns, self._patience_s, overdue=overdue)
            if step is None:
                raise TransformUnavailableError(edge.outside(ns))
            total = step @ total
        return total


def _newest_common(edges: list[_Edge]) -> int:
    newest = [edge.stamps[-1] for edge in edges if not edge.static]
    return min(newest, default=LATEST)
