# SPDX-License-Identifier: Apache-2.0
"""The transforms of a bag: who hangs on whom, how often, and what is wrong with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from f4x_ros.core.errors import F4xError
from f4x_ros.io.bag_storage import BagStorage, Entry
from f4x_ros.io.survey import Survey, Table, say_timing, timing

_Edge = tuple[str, str]  # parent, child


class Tree:
    """Frames and their parents, without regard to time; leading slashes are taken off."""

    def __init__(self, edges: Iterator[_Edge]) -> None:
        self.parents: dict[str, list[str]] = defaultdict(list)
        for parent, child in edges:
            if parent not in self.parents[child]:
                self.parents[child].append(parent)

    def __contains__(self, frame: str) -> bool:
        frame = frame.lstrip("/")
        return frame in self.parents or any(frame in p for p in self.parents.values())

    def way_up(self, frame: str) -> list[str]:
        """The frame, its parent, and so on; of two parents the first seen."""
        way = [frame.lstrip("/")]
        while (up := self.parents.get(way[-1])) and up[0] not in way:
            way.append(up[0])
        return way


class _Samples:
    """All samples of all transforms."""

    def __init__(self) -> None:
        self.stamps: dict[_Edge, list[int]] = defaultdict(list)
        self.static: set[_Edge] = set()
        self.bad: Counter[tuple[_Edge, str]] = Counter()

    def add(self, t: Any, *, static: bool) -> None:
        """One `TransformStamped`."""
        edge = (t.header.frame_id.lstrip("/"), t.child_frame_id.lstrip("/"))
        stamp = t.header.stamp
        self.stamps[edge].append(stamp.sec * 1_000_000_000 + stamp.nanosec)
        if static:
            self.static.add(edge)
        p, q = t.transform.translation, t.transform.rotation
        numbers = np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w])
        if not np.isfinite(numbers).all():
            self.bad[edge, "not finite"] += 1
        elif not numbers[3:].any():
            self.bad[edge, "quaternions of zeros"] += 1


def look_at_transforms(bag: BagStorage, survey: Survey, topics: Mapping[str, list[Entry]]) -> Tree:
    """Add the tree of all transforms to the survey, and return it."""
    samples = _read(bag, survey, topics)
    for ((parent, child), why), count in samples.bad.items():
        survey.problems.append(
            f"transform {parent} -> {child}: {count} of {len(samples.stamps[parent, child])} "
            f"samples are {why}"
        )
    tree = Tree(iter(samples.stamps))
    for child, parents in tree.parents.items():
        if len(parents) > 1:
            survey.problems.append(
                f"frame {child} has {len(parents)} parents, expected one: {', '.join(parents)}"
            )
    if samples.stamps:
        survey.tables.append(_table(survey, tree, samples))
    return tree


def _read(bag: BagStorage, survey: Survey, topics: Mapping[str, list[Entry]]) -> _Samples:
    samples = _Samples()
    for topic, entries in topics.items():
        unreadable = 0
        for entry in entries:
            try:
                message = bag.message(topic, entry)
            except F4xError:
                unreadable += 1
                continue
            for t in message.transforms:
                samples.add(t, static=topic.endswith("tf_static"))
        if unreadable:
            survey.problems.append(f"{topic}: {unreadable} messages cannot be read")
    return samples


def _table(survey: Survey, tree: Tree, samples: _Samples) -> Table:
    stamps = samples.stamps
    table = Table("Transforms", ("frame", "samples", "rate", "first to last [s]"))
    children: dict[str, list[str]] = defaultdict(list)
    for parent, child in stamps:
        children[parent].append(child)
    roots = [parent for parent in children if parent not in tree.parents]
    done: set[_Edge] = set()

    def add(frame: str, depth: int) -> None:
        for child in children.get(frame, []):
            edge = (frame, child)
            if edge in done:
                continue
            done.add(edge)
            name = f"{'  ' * depth}{child}"
            if edge in samples.static:
                table.rows.append((name, str(len(stamps[edge])), "static", "-"))
            else:
                times = timing(stamps[edge])
                say_timing(survey, f"transform {frame} -> {child}", times)
                rate = f"{times.rate_hz:.1f} Hz" if times.rate_hz else "-"
                table.rows.append((name, str(times.count), rate, times.text()))
            add(child, depth + 1)

    for root in roots or list(children)[:1]:
        table.rows.append((root, "", "", ""))
        add(root, 1)
    return table
