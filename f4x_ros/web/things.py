# SPDX-License-Identifier: Apache-2.0
"""The objects of a map at a moment, with their boxes and the way they came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from f4x_ros.core.data import Track, TrackState
from f4x_ros.core.objects import Life
from f4x_ros.viz.palette import color_of_label

_TRAIL = 200  # places of one thing's way, the latest
_STIRS_M = 0.05  # a way that stays within this is none


def things_at(
    lives: Sequence[Life], stamp_ns: int, first_ns: int, prompts: Sequence[str]
) -> list[dict[str, Any]]:
    """All tracks that existed at a stamp and are more than a guess, as a page lists them.

    Args:
        lives: the histories of all tracks.
        stamp_ns: the moment.
        first_ns: stamp of second 0.
        prompts: in whose colours they are shown.
    """
    found = []
    for life in lives:
        track = life.state_at(stamp_ns)
        if track is None or track.state in (TrackState.TENTATIVE, TrackState.LOST):
            continue
        found.append(
            described(track, prompts)
            | {
                "trail": _trail(life, track, stamp_ns),
                "first_seen_s": (track.first_seen_ns - first_ns) / 1e9,
                "last_seen_s": (track.last_seen_ns - first_ns) / 1e9,
            }
        )
    return found


def described(track: Track, prompts: Sequence[str]) -> dict[str, Any]:
    """One object: what it is called, where it is, how large."""
    low, high = track.position - track.size / 2, track.position + track.size / 2
    return {
        "id": track.id,
        "name": track.label,
        "state": track.state.name.lower(),
        "score": round(float(track.score), 3),
        "moving": bool(track.moving),
        "speed_mps": float(np.linalg.norm(track.velocity)),
        "low": _short(low),
        "high": _short(high),
        "color": list(color_of_label(track.label, tuple(prompts))),
    }


def _trail(life: Life, now: Track, stamp_ns: int) -> list[list[float]]:
    """Where it was at its kept states until now, the latest; [] if it stayed where it is."""
    stamps = life.rows["stamp_ns"]
    before = stamps[stamps < stamp_ns][-_TRAIL:].tolist()
    states = [state for ns in before if (state := life.state_at(ns)) is not None]
    way = [state.position for state in states] + [now.position]
    if len(way) < 2 or np.ptp(np.array(way), 0).max() < _STIRS_M:
        return []
    return [_short(place) for place in way]


def _short(vector: Any) -> list[float]:
    """Millimetres are enough for a page."""
    return [round(float(value), 3) for value in vector]
