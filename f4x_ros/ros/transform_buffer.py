# SPDX-License-Identifier: Apache-2.0
"""Transforms as they come in, and where a frame is in another one at a time.

tf2 would do for most of this. What it lacks: a slow edge (a localisation that corrects once per
second) is held until its next sample is due, a frame with two parents does not flip between them,
and all of it by the rules of the reader of recordings, so that a bag gives the same map both ways.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np

from f4x_ros.core.base.limits import MAX_TRANSFORMS, check_frame_name
from f4x_ros.core.data import Pose, check_pose, interpolate, inverse
from f4x_ros.core.errors import BadInputError, NotReadyError
from f4x_ros.io.transforms import (
    FIXED_FRAMES,
    MAX_HOLD_NS,
    Tolerance,
    choose_parent,
    in_a_circle,
    plain_frame,
    tolerance,
)

LATEST = 0
"""The stamp that asks for the latest transform, as in tf2."""
FOR_EVER_S = float("inf")
"""So long waits who has waited long enough."""
GRACE = 0.3
"""An edge of which only one sample is known is held, if the others of the way have come, when this
part of the patience is over: whoever waits long for a recording gets the next sample."""

_NS = 1_000_000_000
_FORGOTTEN = 10  # this part of the edges goes at once, or each new one would cost a search
_NAMED = 20  # frames in a message
_RECENT = 30  # samples from which it is told how often an edge comes
_LONG_AGO_NS = 10 * _NS  # a parent from which nothing has come for so long has been left


class TransformUnavailableError(NotReadyError):
    """There is no such transform now; the message names the edge that is missing.

    Attributes:
        after_s: there will be one, held, for who has waited so long; None = not that is known.
    """

    def __init__(self, text: str, after_s: float | None = None) -> None:
        super().__init__(text)
        self.after_s = after_s


class _Edge:
    """Poses of one child in one parent over a bounded time, ascending by stamp."""

    def __init__(self, parent: str, child: str) -> None:
        self.parent, self.child = parent, child
        self.still: Pose | None = None  # from /tf_static
        self.stamps: list[int] = []
        self.poses: list[Pose] = []
        self.samples = 0  # ever, moving
        self.last_added = 0  # number of its last sample among those of all edges
        self._tolerance = Tolerance(0, 0)
        self._suspect: tuple[int, Pose] | None = None  # the last sample, if its stamp leapt

    @property
    def static(self) -> bool:
        """True if it never moves. A single moving sample beside a static one is no motion."""
        return self.still is not None and self.samples < 2

    def add(self, ns: int, pose: Pose, history_ns: int, jump_ns: int) -> None:
        """Put a sample in its place. One that leaps in time counts when the next confirms it."""
        if self.stamps:
            ahead = ns - self.stamps[-1]
            if not -jump_ns <= ahead <= max(history_ns, jump_ns):
                before, self._suspect = self._suspect, (ns, pose)
                if before is None or abs(ns - before[0]) > max(history_ns, jump_ns):
                    return
                # A looping bag: what was the future must not be mixed in.
                self.stamps, self.poses = [before[0]], [before[1]]
        self._suspect = None
        self.samples += 1
        at = bisect_left(self.stamps, ns)
        if at < len(self.stamps) and self.stamps[at] == ns:
            self.poses[at] = pose
            return
        self.stamps.insert(at, ns)
        self.poses.insert(at, pose)
        keep = bisect_left(self.stamps, self.stamps[-1] - history_ns)
        del self.stamps[:keep], self.poses[:keep]
        self._tolerance = tolerance(self.stamps[-_RECENT:])

    def at(self, ns: int) -> Pose | None:
        """The pose at a time; None where the samples do not tell (yet)."""
        if self.static:
            return self.still
        after = bisect_left(self.stamps, ns)
        if after < len(self.stamps) and self.stamps[after] == ns:
            return self.poses[after]
        if self._suspect is not None and self._suspect[0] == ns:
            return self._suspect[1]  # a frame that leapt with it
        if not 0 < after < len(self.stamps):
            return None
        first, second = self.stamps[after - 1], self.stamps[after]
        if second - first > self._tolerance.gap_ns:
            return None
        return interpolate(
            self.poses[after - 1], self.poses[after], (ns - first) / (second - first)
        )

    def held(self, ns: int, others_came: bool) -> Pose | None:
        """The nearest sample where it may stand for a time at which `at` has no answer.

        Of how often a single sample is followed by another nothing is known. Where the other edges
        of the way know that time, it is one that corrects them now and then.
        """
        at = min(range(len(self.stamps)), key=lambda i: abs(self.stamps[i] - ns))
        single = len(self.stamps) == 1 and others_came
        hold_ns = MAX_HOLD_NS if single else self._tolerance.hold_ns
        return self.poses[at] if abs(self.stamps[at] - ns) <= hold_ns else None

    def held_after_s(self, ns: int, patience_s: float, others_came: bool) -> float:
        """How long to wait for a later sample before it is held."""
        if ns < self.stamps[0]:
            return 0.0  # what came before is not sent again
        if len(self.stamps) == 1:
            return GRACE * patience_s if others_came else FOR_EVER_S
        period_s = float(np.median(np.diff(self.stamps[-_RECENT:]))) / _NS
        return 0.0 if period_s > patience_s else FOR_EVER_S

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

    Of more than `MAX_TRANSFORMS` pairs of frames, those that move and were heard of longest ago are
    forgotten: some programs give each thing they ever saw a frame of its own.

    Of a frame with several parents the one is used that `io.transforms.choose_parent` names, not
    the one that came last. Leading slashes of names mean nothing. How far between and beyond its
    samples a transform is known, `io.transforms.tolerance` says.

    Args:
        fixed: the frame that poses are wanted in.
        history_s: so long samples are kept.
        jump_s: two samples older than the newest of their edge by more than this are a jump back
            in time: the edge forgets what it had. A single one is left out.
        patience_s: so long frames wait for a transform: edges whose samples come further apart are
            not waited for.
        on_choice: told, whenever that changes, that a frame has several parents and which is used.
    """

    def __init__(
        self,
        *,
        fixed: str = FIXED_FRAMES[0],
        history_s: float = 30.0,
        jump_s: float = 1.0,
        patience_s: float = 0.5,
        on_choice: Callable[[str, str], None] = lambda frame, text: None,
    ) -> None:
        self._history_ns, self._jump_ns = int(history_s * _NS), int(jump_s * _NS)
        self._patience_s, self._on_choice = patience_s, on_choice
        self._fixed = tuple(dict.fromkeys((plain_frame(fixed), *FIXED_FRAMES)))
        self._edges: dict[str, dict[str, _Edge]] = defaultdict(dict)  # by child and parent
        self._added = 0
        self._told: dict[str, str] = {}  # child, and the parent that was said to be used
        self._circles: dict[str, str] = {}  # frames below a circle, and what to say
        self._lock = threading.Lock()

    def add(
        self, parent: str, child: str, ns: int, T_parent_child: Pose, *, static: bool = False
    ) -> None:
        """Store one sample.

        Raises:
            ValueError: an empty name or one that can be none, a frame that is its own parent, an
                invalid pose, or too many that do not move.
        """
        check_frame_name("header.frame_id", parent)
        check_frame_name("child_frame_id", child)
        parent, child = plain_frame(parent), plain_frame(child)
        if not parent or not child or parent == child:
            raise BadInputError(f"transform '{parent}' -> '{child}', expected two different names")
        pose = check_pose(f"transform '{parent}' -> '{child}'", T_parent_child)
        with self._lock:
            edge = self._edge(parent, child)
            self._added += 1
            edge.last_added = self._added
            if static:
                edge.still = pose
            else:
                edge.add(ns, pose, self._history_ns, self._jump_ns)

    def _edge(self, parent: str, child: str) -> _Edge:
        """The edge, made if it is not there; then others may be forgotten."""
        found = self._edges.get(child, {}).get(parent)
        if found is not None:
            return found
        every = [edge for edges in self._edges.values() for edge in edges.values()]
        if len(every) >= MAX_TRANSFORMS:
            moving = sorted((e for e in every if e.still is None), key=lambda e: e.last_added)
            if not moving:
                raise BadInputError(
                    f"transform '{parent}' -> '{child}' is one more than {MAX_TRANSFORMS}, "
                    "expected no more"
                )
            for old in moving[: max(1, MAX_TRANSFORMS // _FORGOTTEN)]:
                del self._edges[old.child][old.parent]
                if not self._edges[old.child]:
                    del self._edges[old.child]
                    self._told.pop(old.child, None)
        made = self._edges[child][parent] = _Edge(parent, child)
        return made

    def parents_of(self, child: str) -> list[str]:
        """Frames that a frame was said to be in, in the order they were heard of."""
        with self._lock:
            return list(self._edges.get(plain_frame(child), {}))

    def lookup(self, target: str, source: str, ns: int, *, waited_s: float = 0.0) -> Pose:
        """`T_target_source` at a time; `LATEST` takes the newest time all edges have in common.

        Args:
            target: a frame.
            source: another one.
            ns: the stamp.
            waited_s: so long it has been waited for: beyond its newest sample an edge is held, for
                a while, when waiting for the next is of no more use.

        Raises:
            TransformUnavailableError: a frame is unknown, the two are not connected, or an edge has
                no samples around that time.
        """
        target, source = plain_frame(target), plain_frame(source)
        with self._lock:
            up_target, up_source = self._legs(target, source, ns)
            way = [*up_target, *up_source]
            if ns == LATEST:
                newest = [edge.stamps[-1] for edge in way if not edge.static]
                ns = min(newest, default=LATEST)
            steps = self._steps(way, ns, waited_s)
            doubts = [text for edge in way if (text := self._doubt(edge))]
            doubts += [(child, text) for child, text in self._circles.items() if text]
            self._circles = dict.fromkeys(self._circles, "")
        for child, text in doubts:
            self._on_choice(child, text)
        there, back = np.eye(4), np.eye(4)
        for step in steps[len(up_target) :]:
            there = step @ there
        for step in steps[: len(up_target)]:
            back = step @ back
        return inverse(back) @ there

    def _steps(self, way: list[_Edge], ns: int, waited_s: float) -> list[Pose]:
        """The pose of each edge at a time."""
        found = [edge.at(ns) for edge in way]
        for at, edge in enumerate(way):
            if found[at] is None:
                moving = [p for p, e in zip(found, way, strict=True) if not e.static and e != edge]
                others_came = bool(moving) and all(pose is not None for pose in moving)
                found[at] = self._held(edge, ns, waited_s, others_came)
        return [pose for pose in found if pose is not None]

    def _held(self, edge: _Edge, ns: int, waited_s: float, others_came: bool) -> Pose:
        held = edge.held(ns, others_came)
        after_s = edge.held_after_s(ns, self._patience_s, others_came)
        if held is not None and (waited_s >= after_s or waited_s == FOR_EVER_S):
            return held
        worth = held is not None and after_s < FOR_EVER_S
        raise TransformUnavailableError(edge.outside(ns), after_s if worth else None)

    def _legs(self, target: str, source: str, ns: int) -> tuple[list[_Edge], list[_Edge]]:
        """Edges to climb from target and from source until both stand at the same frame."""
        alive = self._alive(ns)
        names_target, up_target = self._chain(target, alive)
        names_source, up_source = self._chain(source, alive)
        self._note_circle(names_source, up_source)
        # (where frames go in a circle the target itself is met, but not first)
        meeting = [target] if target in names_source else names_target
        common = next((name for name in names_source if name in meeting), None)
        if common is None:
            names = sorted(self._edges)
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            known = ", ".join(names[:_NAMED]) + more or "none"
            raise TransformUnavailableError(
                f"no transform '{target}' -> '{source}': nothing connects '{names_target[-1]}' and "
                f"'{names_source[-1]}' (child frames heard of: {known})"
            )
        return up_target[: names_target.index(common)], up_source[: names_source.index(common)]

    def _chain(
        self, name: str, alive: Mapping[str, Mapping[str, int]]
    ) -> tuple[list[str], list[_Edge]]:
        """The frame, its parent, and so on, and the edges; ends where the chain bites its tail."""
        names, edges = [name], []
        while name in alive:
            parent = next(iter(alive[name]))
            if len(alive[name]) > 1:
                parent = choose_parent(name, alive, self._fixed)
            edges.append(self._edges[name][parent])
            if parent in names:
                break
            names.append(name := parent)
        return names, edges

    def _alive(self, ns: int) -> dict[str, dict[str, int]]:
        """Samples by child and parent, without parents that ended long before another went on."""
        found: dict[str, dict[str, int]] = {}
        for child, edges in self._edges.items():
            if len(edges) > 1 and ns != LATEST:
                late = [e for e in edges.values() if e.static or e.stamps[-1] >= ns - _LONG_AGO_NS]
                edges = {e.parent: e for e in late} or edges
            found[child] = {p: 0 if e.static else e.samples for p, e in edges.items()}
        return found

    def _note_circle(self, names: list[str], edges: list[_Edge]) -> None:
        """Say of a chain that bites its tail that it does, once."""
        if len(edges) == len(names) and names[0] not in self._circles:
            self._circles[names[0]] = in_a_circle([*names, edges[-1].parent])

    def _doubt(self, edge: _Edge) -> tuple[str, str] | None:
        """What to say of an edge that was chosen among several, if it was not said yet."""
        edges, child = self._edges[edge.child], edge.child
        if len(edges) < 2 or self._told.get(child) == edge.parent:
            return None
        self._told[child] = edge.parent
        names = " and ".join(f"'{name}'" for name in edges)
        return child, f"frame '{child}' has {len(edges)} parents: {names}; '{edge.parent}' is used"
