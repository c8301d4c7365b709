# SPDX-License-Identifier: Apache-2.0
"""Who could be the camera, its depth and its pose, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from f4x_ros.io.bag_candidates import CAMERA_INFO, COMPRESSED, IMAGE, sort_of
from f4x_ros.io.bag_poses import POSE_KINDS, is_wished
from f4x_ros.io.survey import Survey, Table
from f4x_ros.io.survey_tf import Tree

_FIXED = ("map", "odom", "world")


class Seen(NamedTuple):
    """A topic with its first message (None: there is none)."""

    topic: str
    kind: str
    frame: str
    count: int
    rate_hz: float
    first: Any


def roles(survey: Survey, topics: Sequence[Seen], tree: Tree) -> Table:
    """The table; what lacks altogether goes to the survey's problems."""
    table = Table("Who could be what", ("role", "topic", "why"))
    infos = [t for t in topics if t.kind == CAMERA_INFO and t.first is not None]
    pictures = [t for t in topics if t.kind in (IMAGE, COMPRESSED) and t.first is not None]
    sorts = {t.topic: sort_of(t.kind, t.first, t.topic) for t in pictures}
    colors = [t for t in pictures if sorts[t.topic] in ("color", "grey")]
    depths = [t for t in pictures if sorts[t.topic] == "depth"]
    for seen in colors:
        table.rows.append(("camera", seen.topic, _why_picture(seen, infos, tree)))
    for seen in depths:
        same = ", ".join(c.topic for c in colors if c.frame == seen.frame)
        frame = f"; frame of {same}" if same else "; no colour picture has its frame"
        table.rows.append(("depth", seen.topic, _why_picture(seen, infos, tree) + frame))
    table.rows += _pose_rows(topics, colors, tree)
    survey.problems += [
        f"{seen.topic}: encoding {_encoding(seen)!r} is read neither as colour nor as depth"
        for seen in pictures
        if sorts[seen.topic] == "unknown"
    ]
    survey.problems += _lacking({role for role, _, _ in table.rows}, colors, tree)
    return table


def _pose_rows(topics: Sequence[Seen], colors: Sequence[Seen], tree: Tree) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("pose", "tf", " -> ".join(reversed(way)))
        for frame in sorted({c.frame for c in colors})
        if (way := _way(tree, frame))
    ]
    images = max((c.count for c in colors), default=0)
    return rows + [_pose_row(seen, images) for seen in topics if seen.kind in POSE_KINDS]


NO_DEPTH = "no topic has depth pictures"


def _lacking(found: set[str], colors: Sequence[Seen], tree: Tree) -> list[str]:
    """What nothing here could be."""
    lacking = {
        "camera": "no topic has colour pictures",
        "depth": NO_DEPTH,
        "pose": "nothing here could be the camera's pose",
    }
    lines = [text for role, text in lacking.items() if role not in found]
    if (
        "pose" not in found
        and colors
        and tree.parents
        and not any(_way(tree, c.frame) for c in colors)
    ):
        frames = " or ".join(sorted({repr(c.frame) for c in colors}))
        lines.append(f"no transform leads from {frames} to {', '.join(_FIXED)}")
    return lines


def _encoding(seen: Seen) -> str:
    return str(seen.first.format if seen.kind == COMPRESSED else seen.first.encoding)


def _why_picture(seen: Seen, infos: Sequence[Seen], tree: Tree) -> str:
    size = "" if seen.kind == COMPRESSED else f"{seen.first.width}x{seen.first.height} "
    parts = [f"{size}{_encoding(seen)}, {seen.rate_hz:.1f} Hz"]
    beside = f"{seen.topic.removesuffix('/compressed').rsplit('/', 1)[0]}/camera_info"
    own = next((info for info in infos if info.topic == beside), None)
    if own is None:
        parts.append("no camera_info beside it")
    elif seen.kind == IMAGE and (own.first.width, own.first.height) != (
        seen.first.width,
        seen.first.height,
    ):
        parts.append(f"its camera_info is for {own.first.width}x{own.first.height}")
    else:
        parts.append("with camera_info")
    if tree.parents:
        parts.append(f"frame {seen.frame} is {'' if seen.frame in tree else 'not '}in the tree")
    return "; ".join(parts)


def _way(tree: Tree, frame: str) -> list[str]:
    """From the frame up to a fixed one; empty if no fixed one is above it."""
    way = tree.way_up(frame)
    for fixed in _FIXED:
        if fixed in way[1:]:
            return way[: way.index(fixed) + 1]
    return []


def _pose_row(seen: Seen, images: int) -> tuple[str, str, str]:
    if is_wished(seen.topic):
        return "no pose", seen.topic, "its name says that it is a goal or a guess"
    rate = f"{seen.count} samples for {images} pictures, {seen.rate_hz:.1f} Hz"
    return (
        "pose",
        seen.topic,
        f"{seen.kind.rsplit('/', 1)[-1]} in {seen.frame or 'no frame'}; {rate}",
    )
