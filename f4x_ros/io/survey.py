# SPDX-License-Identifier: Apache-2.0
"""What is in a recording, what is wrong with it, and what would be mapped; nothing is mapped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Frame
from f4x_ros.core.errors import F4xError
from f4x_ros.io.source import Source

GAP_FACTOR = 3.0
"""A distance in time beyond so many times the median is a gap."""

_SAMPLES = 5  # frames that are decoded to see whether that works
_TOLD = 2  # of frames that cannot be decoded, the errors


@dataclass
class Table:
    """Rows of text under a header."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)


@dataclass
class Survey:
    """What was found.

    Attributes:
        kind: what it is, in words.
        tables: what is in it.
        notes: what was chosen and what was taken to mean what, in sentences.
        problems: what is wrong with it, each in one line.
        frames: of how many frames a map could be made; 0 = none.
    """

    kind: str
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    frames: int = 0

    def attempt(self, what: Callable[[], None]) -> bool:
        """Do a part of the survey; what a damaged recording makes of it is a problem, no end."""
        try:
            what()
        except (F4xError, OSError) as error:
            self.problems.append(str(error))
        except Exception as error:  # of libraries that read what is damaged
            self.problems.append(f"{type(error).__name__}: {error}")
        else:
            return True
        return False


@dataclass(frozen=True)
class Timing:
    """Times of a series of samples.

    Attributes:
        count: samples.
        first_ns, last_ns: earliest and latest.
        rate_hz: samples a second; 0 where there are fewer than two times.
        gaps: where it begins [ns] and how long it is [ns], the longest first.
        back: how often a time does not follow the one before it.
        zeros: samples with time 0.
        step_ns: the usual distance, the median; 0 where there are fewer than two times.
    """

    count: int
    first_ns: int
    last_ns: int
    rate_hz: float
    gaps: tuple[tuple[int, int], ...]
    back: int
    zeros: int
    step_ns: float = 0.0

    def text(self) -> str:
        """First and last in seconds."""
        return f"{seconds(self.first_ns)} to {seconds(self.last_ns)}" if self.count else "-"


def timing(stamps_ns: Sequence[int] | NDArray[np.int64]) -> Timing:
    """The times of samples in the order in which they came, ns."""
    stamps = np.asarray(stamps_ns, np.int64)
    if not stamps.size:
        return Timing(0, 0, 0, 0.0, (), 0, 0)
    known = stamps[stamps != 0]
    ordered = np.sort(known)
    steps = np.diff(ordered)
    beyond = steps[steps > 0]  # (what came twice leaves no gap)
    rate, gaps, usual = 0.0, (), 0.0
    if steps.size and ordered[-1] > ordered[0]:
        rate = len(steps) / (float(ordered[-1] - ordered[0]) / 1e9)
        usual = float(np.median(beyond))
        long = np.flatnonzero(steps > GAP_FACTOR * usual)
        long = long[np.argsort(-steps[long], kind="stable")]
        gaps = tuple((int(ordered[i]), int(steps[i])) for i in long)
    first, last = (int(ordered[0]), int(ordered[-1])) if ordered.size else (0, 0)
    back, zeros = int((np.diff(known) <= 0).sum()), int((stamps == 0).sum())
    return Timing(len(stamps), first, last, rate, gaps, back, zeros, usual)


def say_timing(survey: Survey, name: str, times: Timing) -> None:
    """Add what is wrong with times to the problems."""
    if times.zeros:
        survey.problems.append(f"{name}: {times.zeros} of {times.count} stamps are 0")
    if times.back:
        survey.problems.append(
            f"{name}: {times.back} of {times.count} stamps do not follow the one before them"
        )
    if times.gaps:
        begin, length = times.gaps[0]
        survey.problems.append(
            f"{name}: {len(times.gaps)} gap{'s' if len(times.gaps) > 1 else ''}, the longest "
            f"{length / 1e9:.3g} s after {seconds(begin)} s (expected {times.step_ns / 1e9:.3g} s)"
        )


def seconds(stamp_ns: int) -> str:
    """Seconds with three decimals: enough to find the place."""
    return f"{stamp_ns / 1e9:.3f}"


def survey(path: str | Path, chosen: Mapping[str, Any] | None = None) -> Survey:
    """Look at a recording.

    Args:
        path: as `io.open_source` takes it.
        chosen: options that name topics or cameras of a bag; for bags alone.

    Raises:
        BadInputError: there is nothing, or nothing that is read.
    """
    from f4x_ros.io.bags import BagSource
    from f4x_ros.io.davis import DavisFolder
    from f4x_ros.io.open import open_source, reader_of
    from f4x_ros.io.pictures import PictureFolder
    from f4x_ros.io.rgbd_folder import RgbdFolder
    from f4x_ros.io.survey_bag import survey_bag
    from f4x_ros.io.survey_folder import (
        survey_davis,
        survey_pictures,
        survey_rgbd,
        survey_tum,
        survey_video,
    )
    from f4x_ros.io.tum import TumFolder
    from f4x_ros.io.video import VideoFile

    found = reader_of(Path(path).expanduser())
    if found is None:
        open_source(path)  # says what it is instead
        raise AssertionError("what nobody reads does not open")
    kind, where = found
    if kind is BagSource:
        return survey_bag(where, dict(chosen or {}))
    of_folders: dict[type[Source], Callable[[Path], Survey]] = {
        RgbdFolder: survey_rgbd,
        TumFolder: survey_tum,
        DavisFolder: survey_davis,
        PictureFolder: survey_pictures,
        VideoFile: survey_video,
    }
    return of_folders[kind](where)


def try_frames(survey: Survey, source: Source, *, colour_alone: bool = False) -> None:
    """What the opened source says of itself, and whether some of its frames can be decoded.

    Of a source of `colour_alone` depth and pose are not missed: motion tells them.
    """
    survey.notes += source.remarks
    if colour_alone:
        survey.notes.append("Colour alone: f4x run finds poses and depth by the camera's motion.")
    survey.frames = len(source)
    there = source.frames_there
    for reason, count, first_ns in source.left_out:
        first = f", the first at {seconds(first_ns)} s" if first_ns is not None else ""
        survey.notes.append(f"left out: {count} {reason.replace('_', ' ')}{first}")
    if len(source) < 0.9 * there:
        survey.problems.append(f"only {len(source)} of {there} pictures make a frame")
    wanted = sorted(set(np.linspace(0, len(source) - 1, _SAMPLES).astype(int).tolist()))
    lacks = _lacks(survey, source, wanted)
    if colour_alone:
        lacks = {what: count for what, count in lacks.items() if what == "decoded"}
    for what, count in lacks.items():
        if what == "decoded":
            survey.problems.append(f"{count} of {len(wanted)} frames tried cannot be decoded")
        else:
            survey.problems.append(
                f"{count} of {len(wanted)} frames tried have no {what}, and cannot be mapped"
            )
    if wanted and sum(lacks.values()) >= len(wanted):
        survey.frames = 0


def _lacks(survey: Survey, source: Source, wanted: Sequence[int]) -> dict[str, int]:
    """How many of these frames lack what; the first errors go to the problems."""
    lacks: dict[str, int] = {}
    for index in wanted:

        def load(index: int = index) -> None:
            for what in _missing(source[index]):
                lacks[what] = lacks.get(what, 0) + 1

        if not survey.attempt(load):
            lacks["decoded"] = lacks.get("decoded", 0) + 1
            if lacks["decoded"] > _TOLD:
                survey.problems.pop()  # its count is enough
    return lacks


def _missing(frame: Frame) -> list[str]:
    if frame.depth is None:
        return ["depth"]
    if frame.T_map_camera is None:
        return ["pose"]
    return [] if (frame.depth > 0).any() else ["depth reading"]
