# SPDX-License-Identifier: Apache-2.0
"""What is in a bag: topics, calibrations, transforms, and who could be camera, depth and pose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from f4x_ros.core.errors import F4xError
from f4x_ros.io.bag_poses import POSE_KINDS
from f4x_ros.io.bag_storage import BagStorage, Entry, typestore
from f4x_ros.io.bag_topics import CAMERA_INFO, COMPRESSED, IMAGE, TF
from f4x_ros.io.bags import BagSource
from f4x_ros.io.cameras import CamerasSource
from f4x_ros.io.open import open_source
from f4x_ros.io.source import Source
from f4x_ros.io.survey import Survey, Table, Timing, say_timing, timing, try_frames
from f4x_ros.io.survey_roles import NO_DEPTH, Seen, roles
from f4x_ros.io.survey_tf import look_at_transforms

_STAMPED = (IMAGE, COMPRESSED, CAMERA_INFO, *POSE_KINDS)  # all begin with a header
_FAR_NS = 1_000_000_000  # header stamps so far from the times of recording are worth a word


@dataclass
class _Topic:
    name: str
    kind: str
    entries: list[Entry]
    recorded: Timing
    stamped: Timing | None = None  # by the stamps in the headers
    frame: str = ""
    what: str = ""  # encoding, size, ...
    first: Any = None  # message


def survey_bag(path: Path, chosen: dict[str, Any]) -> Survey:
    """Of a bag folder or file; `chosen` are options of `open_source`, tried in the end."""
    survey = Survey("ROS 2 bag")

    def look() -> None:
        bag = BagStorage(path)
        try:
            _look_into(bag, survey)
        finally:
            bag.close()

    survey.attempt(look)

    def open_it() -> None:
        with open_source(path, **chosen) as source:
            if isinstance(source, CamerasSource):
                parts = {f"of camera {one}: ": source.source_of(one) for one in source.cameras}
            else:
                parts = {"": source}
            notes = [f"{of}used: {_used(one)}" for of, one in parts.items()]
            survey.notes[:0] = notes
            if chosen.get("stereo"):  # which needs none
                survey.problems[:] = [text for text in survey.problems if text != NO_DEPTH]
            try_frames(survey, source)

    survey.attempt(open_it)
    return survey


def _used(source: Source) -> str:
    """The topics that a bag's source reads."""
    assert isinstance(source, BagSource)
    topics = source.topics
    used = {
        "image": topics.image,
        "camera_info": topics.camera_info,
        "depth": topics.depth or (f"of the pair with {source.right}" if source.right else "none"),
        "pose": topics.pose or "none",
        "fixed frame": source.map_frame,
    }
    return ", ".join(f"{name} {value}" for name, value in used.items())


def _look_into(bag: BagStorage, survey: Survey) -> None:
    table = Table(
        "Topics", ("topic", "type", "messages", "rate", "first to last [s]", "frame", "what")
    )
    survey.tables.append(table)
    found: dict[str, _Topic] = {}
    for name, kind in sorted(bag.topics.items()):

        def look(name: str = name, kind: str = kind) -> None:
            found[name] = _topic(bag, survey, name, kind)

        if not survey.attempt(look):
            table.rows.append((name, kind, str(bag.counts.get(name, "?")), "-", "-", "-", "-"))
            continue
        table.rows.append(_row(found[name]))
    calibrations = [t for t in found.values() if t.kind == CAMERA_INFO and t.first is not None]
    if calibrations:
        survey.tables.append(_calibrations(survey, calibrations))
    tree = look_at_transforms(
        bag, survey, {t.name: t.entries for t in found.values() if t.kind == TF}
    )
    seen = [
        Seen(t.name, t.kind, t.frame, len(t.entries), (t.stamped or t.recorded).rate_hz, t.first)
        for t in found.values()
    ]
    survey.tables.append(roles(survey, seen, tree))


def _topic(bag: BagStorage, survey: Survey, name: str, kind: str) -> _Topic:
    entries = bag.index(name)
    topic = _Topic(name, kind, entries, timing([entry.log_ns for entry in entries]))
    if not entries:
        survey.problems.append(f"{name}: no message")
        return topic
    if kind in _STAMPED:
        stamps = bag.stamps(entries)
        topic.stamped = timing(stamps)
        if kind in (IMAGE, COMPRESSED, CAMERA_INFO):
            say_timing(survey, name, topic.stamped)
        logged = np.array([entry.log_ns for entry in entries], np.int64)
        known = stamps != 0
        if known.any():
            late = float(np.median((logged - stamps)[known]))
            if abs(late) > _FAR_NS:
                survey.problems.append(
                    f"{name}: header stamps are {abs(late) / 1e9:.3g} s "
                    f"{'before' if late > 0 else 'after'} the times of recording"
                )
    topic.first = _first(bag, survey, topic)
    header = getattr(topic.first, "header", None)
    topic.frame = str(getattr(header, "frame_id", ""))
    topic.what = _what(topic.first, kind)
    if topic.frame.startswith("/"):
        survey.notes.append(
            f"{name}: frame {topic.frame!r} begins with a slash, which means nothing"
        )
    return topic


def _first(bag: BagStorage, survey: Survey, topic: _Topic) -> Any:
    """The first message that can be read; None if it is of a type that is not known."""
    if topic.kind not in typestore().types:
        return None
    for entry in topic.entries[:3]:
        try:
            return bag.message(topic.name, entry)
        except F4xError as error:
            survey.problems.append(str(error))
    return None


def _what(message: Any, kind: str) -> str:
    if message is None:
        return "-"
    if kind == IMAGE:
        order = ", big-endian" if message.is_bigendian and "8" not in message.encoding else ""
        return f"{message.width}x{message.height} {message.encoding}{order}"
    if kind == COMPRESSED:
        return f"{message.format!r}, {len(message.data)} bytes"
    if kind == CAMERA_INFO:
        return f"{message.width}x{message.height} {message.distortion_model or 'no model'}"
    return "-"


def _row(topic: _Topic) -> tuple[str, ...]:
    times = topic.stamped or topic.recorded
    rate = f"{times.rate_hz:.1f} Hz" if times.rate_hz else "-"
    return (
        *(topic.name, topic.kind, str(len(topic.entries)), rate, times.text()),
        *(topic.frame or "-", topic.what or "-"),
    )


def _calibrations(survey: Survey, topics: list[_Topic]) -> Table:
    table = Table("Calibrations", ("topic", "size", "fx fy cx cy", "distortion"))
    for topic in topics:
        info = topic.first
        k, d = np.asarray(info.k, float), np.asarray(info.d, float)
        numbers = f"{k[0]:.2f} {k[4]:.2f} {k[2]:.2f} {k[5]:.2f}"
        lens = " ".join(f"{value:.4g}" for value in d) if d.any() else "none"
        table.rows.append((topic.name, f"{info.width}x{info.height}", numbers, lens))
        for name, values in (("k", k), ("d", d), ("p", np.asarray(info.p, float))):
            if not np.isfinite(values).all():
                survey.problems.append(
                    f"{topic.name}: {name} has {values[~np.isfinite(values)][0]}, expected "
                    "finite numbers"
                )
        stands_in = not k.any() and not d.any() and np.asarray(info.p, float)[0] > 0  # p for k
        if not (k[0] > 0 and k[4] > 0) and not stands_in:
            survey.problems.append(
                f"{topic.name}: focal lengths are {k[0]:g} and {k[4]:g}, expected above 0 (an "
                "uncalibrated camera publishes zeros)"
            )
    return table
