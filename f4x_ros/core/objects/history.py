# SPDX-License-Identifier: Apache-2.0
"""What tracks were like at past moments, in bounded memory.

A state of a track is kept only where the straight line between its neighbours does not replace it:
the slopes from the last kept state that pass all left-out states within the tolerance form a cone
(swinging door: Bristol, "Swinging Door Trending", 1990), and a state outside of it starts a new
line. Where the state of life, the motion flag or being in sight changes, both sides are kept. So
what is read is within `_TOLERANCE` of what was, at every frame, and a thing that rests costs next
to nothing. At most `MAX_STATES` are kept of all tracks together; then the oldest tenth goes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Track, TrackState
from f4x_ros.core.objects.target import Target, make_track

MAX_STATES = 100_000  # 15 MB; a track that never rests takes one a frame

_POSITION, _VELOCITY, _SIGMA, _SIZE = slice(0, 3), slice(3, 6), slice(6, 12), slice(12, 15)
_SCORE, _TURN = 15, slice(16, 25)
_WIDTH = 25
_TOLERANCE = np.array(
    [0.01] * 3  # m
    + [0.05] * 3  # m/s
    + [0.2] * 6  # of the logarithm of standard deviations
    + [0.02] * 3  # m, or a tenth of the size
    + [0.1]
    + [0.01] * 4  # of a unit quaternion
    + [0.05] * 3  # rad/s
    + [0.2] * 2  # of the logarithm of standard deviations
)
_SIZE_SHARE = 0.1
_ROW = np.dtype(
    [
        ("stamp_ns", np.int64),
        ("last_seen_ns", np.int64),
        ("state", np.int8),
        ("moving", np.bool_),
        ("values", np.float64, (_WIDTH,)),
    ]
)
_LIVING = -1  # end of a track that goes on, in files

LAYOUT: dict[str, tuple[tuple[int | str, ...], str]] = {
    "life_id": (("L",), "i"),
    "life_label": (("L",), "U"),
    "life_first_seen_ns": (("L",), "i"),
    "life_end_ns": (("L",), "i"),
    "life_states": (("L",), "i"),
    "state_stamp_ns": (("S",), "i"),
    "state_last_seen_ns": (("S",), "i"),
    "state_state": (("S",), "i"),
    "state_moving": (("S",), "b"),
    "state_values": (("S", _WIDTH), "f"),
    "states_since_ns": ((), "i"),
    "states_forgotten": ((), "i"),
}
"""Shape and kind of the arrays that `History.pack` makes: L tracks with S states in all."""


class Life:
    """One track's states over time.

    Args:
        track_id: of the track.
        label: its prompt.
        first_seen_ns: as in `Track`.
    """

    def __init__(self, track_id: int, label: str, first_seen_ns: int) -> None:
        self.id, self.label, self.first_seen_ns = track_id, label, first_seen_ns
        self.end_ns: int | None = None  # from then on it is no more; None = it goes on
        self._rows = np.empty(2, _ROW)
        self._count = 0
        # Slopes per second [25] of the lines from the last but one state that may replace the last
        self._low, self._high = np.full(_WIDTH, -np.inf), np.full(_WIDTH, np.inf)

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> NDArray[Any]:
        """The states [n], a view."""
        return self._rows[: self._count]

    @property
    def lost(self) -> bool:
        """Whether it ended because the thing was not found again, not because nobody asked."""
        return self.end_ns is not None and self.rows["state"][-1] == TrackState.LOST

    def add(self, target: Target, stamp_ns: int, since_ns: int | None = None) -> None:
        """Take in the state at a stamp, not before the last; one of the same stamp replaces it.

        What was seen since `since_ns` is in sight; None = at the stamp.
        """
        row = _row(target, stamp_ns, stamp_ns if since_ns is None else since_ns)
        again = self._count > 0 and self._rows[self._count - 1]["stamp_ns"] == stamp_ns
        if again or (self._count >= 2 and self._replaces_last(row)):
            self._rows[self._count - 1] = row
        else:
            if self._count == len(self._rows):
                self._rows = np.concatenate([self._rows, np.empty(self._count, _ROW)])
            self._rows[self._count] = row
            self._count += 1
            self._low, self._high = np.full(_WIDTH, -np.inf), np.full(_WIDTH, np.inf)
        if self._count >= 2:
            self._narrow(row)

    def _replaces_last(self, row: NDArray[Any]) -> bool:
        """Whether the line to this state passes all since the last but one."""
        anchor, last = self._rows[self._count - 2], self._rows[self._count - 1]
        if not _kind(anchor) == _kind(last) == _kind(row):
            return False
        slope = _slope(anchor, row, 0.0)
        return bool((slope >= self._low).all() and (slope <= self._high).all())

    def _narrow(self, row: NDArray[Any]) -> None:
        """Let the cone pass this state, too."""
        anchor = self._rows[self._count - 2]
        tolerance = _TOLERANCE.copy()
        sizes = anchor["values"][_SIZE]
        tolerance[_SIZE] = np.maximum(tolerance[_SIZE], _SIZE_SHARE * sizes)
        self._low = np.maximum(self._low, _slope(anchor, row, -tolerance))
        self._high = np.minimum(self._high, _slope(anchor, row, tolerance))

    def state_at(self, stamp_ns: int) -> Track | None:
        """The track as it was; None before it began and from its end on.

        Numbers are interpolated; `state` and `moving` are those of the latest frame until then. Of
        what was in sight, `last_seen_ns` is the stamp itself.
        """
        rows = self.rows
        ended = self.end_ns is not None and stamp_ns >= self.end_ns
        if ended or not len(rows) or stamp_ns < rows["stamp_ns"][0]:
            return None
        index = int(np.searchsorted(rows["stamp_ns"], stamp_ns, side="right")) - 1
        row, later = rows[index], rows[min(index + 1, len(rows) - 1)]
        values, last_seen_ns = row["values"], int(row["last_seen_ns"])
        if later["stamp_ns"] > row["stamp_ns"]:
            passed = int(stamp_ns - row["stamp_ns"])
            share = passed / int(later["stamp_ns"] - row["stamp_ns"])
            values = (1 - share) * values + share * later["values"]
            if _in_sight(row) and _in_sight(later):
                last_seen_ns = stamp_ns
        return make_track(
            id=self.id,
            label=self.label,
            score=float(values[_SCORE]),
            state=TrackState(int(row["state"])),
            moving=bool(row["moving"]),
            position=values[_POSITION].copy(),
            velocity=values[_VELOCITY].copy(),
            covariance=np.diag(np.exp(2 * values[_SIGMA])),
            size=values[_SIZE].copy(),
            turn=values[_TURN].copy(),
            first_seen_ns=self.first_seen_ns,
            last_seen_ns=last_seen_ns,
        )

    def position_at(self, stamp_ns: int) -> NDArray[np.float64]:
        """[3] m, where it was; before its first state and after its last it rests there."""
        places = self.rows["values"][:, _POSITION]
        stamps = (self.rows["stamp_ns"] - stamp_ns).astype(np.float64)
        return np.array([np.interp(0.0, stamps, column) for column in places.T])

    def forget_before(self, stamp_ns: int) -> None:
        """Drop the states that no moment from a stamp on needs."""
        needed = int(np.searchsorted(self.rows["stamp_ns"], stamp_ns, side="right")) - 1
        if needed > 0:
            self._set_rows(self.rows[needed:].copy())

    def _set_rows(self, rows: NDArray[Any]) -> None:
        """Take over whole states; the last of them is kept for good."""
        self._rows, self._count = rows, len(rows)
        self._low, self._high = np.full(_WIDTH, np.inf), np.full(_WIDTH, -np.inf)

    @classmethod
    def of_rows(
        cls, track_id: int, label: str, first_seen_ns: int, end_ns: int, rows: NDArray[Any]
    ) -> Life:
        """A track out of a file; ValueError for states that cannot be."""
        life = cls(track_id, label, first_seen_ns)
        life.end_ns = None if end_ns == _LIVING else end_ns
        if not len(rows):
            raise ValueError(f"track {track_id} has no states")
        if (np.diff(rows["stamp_ns"]) <= 0).any():
            raise ValueError(f"the states of track {track_id} are not in the order of time")
        if not np.isfinite(rows["values"]).all():
            raise ValueError(f"a state of track {track_id} is not finite")
        for state in np.unique(rows["state"]):
            TrackState(int(state))
        life._set_rows(rows)
        return life


class History:
    """The lives of all tracks, also of those that are no more.

    Args:
        max_states: kept of all tracks together.

    Attributes:
        since_ns: moments before this stamp are forgotten; 0 = none are.
        forgotten: states that were dropped for the bound.
    """

    def __init__(self, max_states: int = MAX_STATES) -> None:
        self._max_states = max_states
        self._lives: dict[int, Life] = {}
        self._states = 0
        self.since_ns = 0
        self.forgotten = 0

    def __len__(self) -> int:
        """States of all tracks."""
        return self._states

    def note(self, targets: Sequence[Target], stamp_ns: int, since_ns: int | None = None) -> None:
        """Take in what the tracks are at a stamp; those that are LOST end with it.

        What was seen since `since_ns` is in sight; None = at the stamp.
        """
        for target in targets:
            life = self._lives.get(target.id)
            if life is None:
                life = Life(target.id, target.label, target.first_seen_ns)
                self._lives[target.id] = life
            before = len(life)
            life.add(target, stamp_ns, since_ns)
            self._states += len(life) - before
            if target.state == TrackState.LOST:
                life.end_ns = stamp_ns
        if self._states > self._max_states:
            self._forget()

    def end(self, ids: Collection[int], stamp_ns: int) -> None:
        """Some tracks are no more from a stamp on; those that have ended already stay as they are.

        Ids that are not known are passed over.
        """
        for track_id in ids:
            life = self._lives.get(track_id)
            if life is not None and life.end_ns is None:
                life.end_ns = stamp_ns

    @property
    def lives(self) -> tuple[Life, ...]:
        """Those of all tracks that are remembered, oldest first."""
        return tuple(self._lives.values())

    def knows(self, stamp_ns: int) -> bool:
        """Whether a moment is not forgotten."""
        return stamp_ns >= self.since_ns

    def at(self, stamp_ns: int) -> tuple[Track, ...]:
        """All tracks that existed at a stamp, as they were then, oldest first.

        None where the moment is forgotten, see `knows`.
        """
        if not self.knows(stamp_ns):
            return ()
        states = (life.state_at(stamp_ns) for life in self._lives.values())
        return tuple(state for state in states if state is not None)

    def was_lost(self, track_id: int) -> bool:
        """Whether a track ended as LOST; False where it is not known."""
        life = self._lives.get(track_id)
        return life is not None and life.lost

    def _forget(self) -> None:
        """Drop the oldest tenth, and the tracks that ended before what is left."""
        stamps = np.concatenate([life.rows["stamp_ns"] for life in self._lives.values()])
        oldest = max(1, self._max_states // 10) + self._states - self._max_states
        self.since_ns = int(np.partition(stamps, oldest)[oldest])
        for life in list(self._lives.values()):
            if life.end_ns is not None and life.end_ns <= self.since_ns:
                del self._lives[life.id]
            else:
                life.forget_before(self.since_ns)
        left = sum(len(life) for life in self._lives.values())
        self.forgotten += self._states - left
        self._states = left

    def pack(self) -> dict[str, NDArray[Any]]:
        """Arrays as in `LAYOUT`."""
        lives = list(self._lives.values())
        ends = [_LIVING if life.end_ns is None else life.end_ns for life in lives]
        rows = np.concatenate([np.empty(0, _ROW), *(life.rows for life in lives)])
        return {
            "life_id": np.array([life.id for life in lives], np.int64),
            "life_label": np.array([life.label for life in lives], np.str_),
            "life_first_seen_ns": np.array([life.first_seen_ns for life in lives], np.int64),
            "life_end_ns": np.array(ends, np.int64),
            "life_states": np.array([len(life) for life in lives], np.int64),
            **{f"state_{name}": rows[name].copy() for name in _ROW.names or ()},
            "states_since_ns": np.array(self.since_ns),
            "states_forgotten": np.array(self.forgotten),
        }

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of `pack`, into an empty history; ValueError for what cannot be."""
        counts, ids = arrays["life_states"], arrays["life_id"]
        rows = np.empty(len(arrays["state_stamp_ns"]), _ROW)
        if (counts < 0).any() or counts.sum() != len(rows):
            raise ValueError(f"{len(rows)} states, expected {counts.sum()}")
        if len(np.unique(ids)) != len(ids):
            raise ValueError("a track's history is there twice")
        for name in _ROW.names or ():
            rows[name] = arrays[f"state_{name}"]
        ends = np.cumsum(counts)
        for index, end in enumerate(ends):
            track_id, label = int(ids[index]), str(arrays["life_label"][index])
            self._lives[track_id] = Life.of_rows(
                track_id,
                label,
                int(arrays["life_first_seen_ns"][index]),
                int(arrays["life_end_ns"][index]),
                rows[end - counts[index] : end].copy(),
            )
        self._states = len(rows)
        self.since_ns = int(arrays["states_since_ns"])
        self.forgotten = int(arrays["states_forgotten"])


def _row(target: Target, stamp_ns: int, since_ns: int) -> NDArray[Any]:
    """A target's state as one element of `_ROW`; what was seen since a stamp is in sight."""
    row = np.empty((), _ROW)
    seen_ns = stamp_ns if target.last_seen_ns >= since_ns else target.last_seen_ns
    row["stamp_ns"], row["last_seen_ns"] = stamp_ns, seen_ns
    row["state"], row["moving"] = int(target.state), target.moving
    # (the axes of the filter know nothing of each other: the rest of the covariance is zero)
    sigmas = 0.5 * np.log(np.diag(target.filter.covariance))
    row["values"] = np.concatenate(
        [target.filter.mean, sigmas, target.size, [target.score], target.turn.values]
    )
    return row


def _slope(first: NDArray[Any], second: NDArray[Any], shift: NDArray[np.float64] | float) -> Any:
    """Change per second [25] from one state to another that is shifted."""
    seconds = int(second["stamp_ns"] - first["stamp_ns"]) / 1e9
    return (second["values"] + shift - first["values"]) / seconds


def _in_sight(row: NDArray[Any]) -> bool:
    return bool(row["last_seen_ns"] == row["stamp_ns"])


def _kind(row: NDArray[Any]) -> tuple[int, bool, bool]:
    """What of a state cannot be interpolated."""
    return int(row["state"]), bool(row["moving"]), _in_sight(row)
