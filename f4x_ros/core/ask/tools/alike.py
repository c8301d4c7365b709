# SPDX-License-Identifier: Apache-2.0
"""Which of what answers to words are one thing, and how well each fits the words."""

from __future__ import annotations

import numpy as np

from f4x_ros.core.ask.tools.scene import State, Thing
from f4x_ros.core.data import Track, TrackState
from f4x_ros.core.features.phrases import described

_PART = 0.6  # a box with so much of it in another's is a part of that thing
_GROWN_M = 0.06  # that the other's box is grown by for it
_CRUMB = 0.5  # what has less than this share of the other's face ...
_BESIDE = 0.2  # ... and is so near, share of the other's longest side, is a part of it, too
_OF_A_SIZE = 4.0  # times the face of the smaller one that two boxes of one thing may differ
_LOST_M = 0.5  # what is known no better than so is not told of: it was seen to go, and not where
_FOUND, _OTHERWISE = 0.8, 0.65  # of the score: only found by the words; followed by other ones


def is_known(track: Track) -> bool:
    """Whether a track is more than a moment's guess, and it is known where its thing is."""
    sure = float(np.sqrt(np.diag(track.pose_covariance)[:3].max())) < _LOST_M
    return sure and track.state in (TrackState.CONFIRMED, TrackState.OCCLUDED)


def fit(thing: Thing, track: Track, words: str) -> float:
    """How well a thing answers to words: its score, and more if it is followed by these words.

    Less if it is followed by others, as then they fit better.
    """
    if has_name(thing, words):
        return float(track.score)
    return (_FOUND if thing.id < 0 else _OTHERWISE) * float(track.score)


def has_name(thing: Thing, words: str) -> bool:
    """Whether a thing is followed by a name that has these words: a mug that is called red mug."""
    return thing.id > 0 and set(words.lower().split()) <= set(thing.name.lower().split())


def without_parts(rows: list[tuple[Thing, Track]]) -> list[tuple[Thing, Track]]:
    """Each thing once, without what is a part of a larger one of the same name.

    Of two in one place the one that is followed stays.
    """
    kept: list[tuple[Thing, Track]] = []
    for thing, track in sorted(rows, key=lambda row: (row[0].id < 0, -_face(row[1]))):
        if not any(thing.id == one.id or _repeats(track, other) for one, other in kept):
            kept.append((thing, track))
    order = {id(track): number for number, (_, track) in enumerate(rows)}
    return sorted(kept, key=lambda row: order[id(row[1])])


def _repeats(track: Track, other: Track) -> bool:
    """Whether a track of the same name, or of the same kind in one place, is of a part of it."""
    if track.label == other.label:
        return _is_part(track, other)
    kinds = described(track.label).kind, described(other.label).kind
    return kinds[0] == kinds[1] != "" and in_place_of(track, other, same_kind=False)


def _is_part(track: Track, other: Track) -> bool:
    """Whether a box lies in another, has its middle in it, or is a crumb beside it."""
    grown = other.size / 2 + _GROWN_M
    if bool((np.abs(track.position - other.position) <= grown).all()):
        return True
    low = np.maximum(track.position - track.size / 2, other.position - grown)
    high = np.minimum(track.position + track.size / 2, other.position + grown)
    volume = float(np.prod(np.maximum(track.size, 1e-3)))
    inside = float(np.prod(np.maximum(high - low, 0))) >= _PART * volume
    beside = bool((high - low > -_BESIDE * float(other.size.max())).all())
    return inside or (beside and _face(track) < _CRUMB * _face(other))


def in_place_of(track: Track, other: Track, *, same_kind: bool) -> bool:
    """Whether a box is that of another thing, whatever it is called, or of a part of it.

    Of one kind, what is beside a larger thing is a part of it; else they must be of a size, as what
    stands on a table is none of its parts.
    """
    if same_kind and _is_part(track, other):
        return True
    off = np.abs(track.position - other.position)
    faces = sorted((_face(track), _face(other)))
    inside = bool((off <= np.maximum(track.size, other.size) / 2 + _GROWN_M).all())
    return inside and faces[1] <= _OF_A_SIZE * faces[0]


def _face(track: Track) -> float:
    """Area of the largest side of a box, m2."""
    sides = np.sort(np.maximum(track.size, 1e-3))
    return float(sides[1] * sides[2])


def overlap(first: State, second: State) -> float:
    """Volume of two boxes in common, share of the smaller one."""
    wide = np.minimum(first.high, second.high) - np.maximum(first.low, second.low)
    least = min(float(np.prod(first.size)), float(np.prod(second.size)))
    return float(np.prod(np.maximum(wide, 0))) / max(least, 1e-9)


def other_kind(thing: Thing, words: str) -> bool:
    """Whether a thing is followed by a name of another kind than words are: a bench, not a ball."""
    named, asked = described(thing.name).kind, described(words).kind
    return thing.id > 0 and bool(named) and bool(asked) and named != asked
