# SPDX-License-Identifier: Apache-2.0
"""The two sorts of things of a map: followed by a track, or only found by words."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from f4x_ros.core.ask.tools.scene import State, Thing, even_stamps
from f4x_ros.core.data import Track, TrackState
from f4x_ros.core.objects import Life, Turn, make_track

_WHOLE = 1.06  # of a box that leaves out 2 % of the points at each side and the edges of surfaces
_BOX_SIGMA = 0.14  # of a box's middle, share of its size: what the filter does not know
_LEAST_SIGMA_M = 0.05
_LEAST_SIGMA_MPS = 0.05
_FASTEST_MPS = 3.0  # what is farther away a moment later is another thing
_ASKED_EVERY_NS, _MOST_ASKED = 250_000_000, 40  # words cost a question of the map at each moment


class Owner(Protocol):
    """What things ask of the scene that made them."""

    @property
    def span_ns(self) -> tuple[int, int]: ...
    def came_ns(self, thing: Thing) -> int | None: ...
    def gone_ns(self, thing: Thing) -> int | None: ...
    def spotted_at(self, words: str, stamp_ns: int, like: State) -> State | None: ...


def state_of(track: Track, stamp_ns: int) -> State:
    """A track at a moment, with the uncertainty of its box added to that of the filter."""
    variance = np.diag(track.pose_covariance)[:3]
    size = np.asarray(track.size, np.float64) * _WHOLE
    box = np.maximum(_BOX_SIGMA * size, _LEAST_SIGMA_M)
    speed_variance = np.diag(track.twist_covariance)[:3]
    return State(
        center=np.asarray(track.position, np.float64),
        size=size,
        sigma_m=np.sqrt(np.minimum(variance, 1.0) * 0.25 + box**2),
        velocity=np.asarray(track.velocity, np.float64),
        velocity_sigma=np.sqrt(np.minimum(speed_variance, 1.0) + _LEAST_SIGMA_MPS**2),
        moving=track.moving,
        seen=track.last_seen_ns >= stamp_ns,
    )


class Followed:
    """A thing with a track."""

    def __init__(self, owner: Owner, life: Life) -> None:
        self._owner, self._life = owner, life
        self.id, self.name = life.id, life.label

    def state_at(self, stamp_ns: int) -> State | None:
        """What it was like; None before it was first seen and from when it was LOST."""
        track = self.track_at(stamp_ns)
        return None if track is None else state_of(track, stamp_ns)

    def track_at(self, stamp_ns: int) -> Track | None:
        """The same with all that its track knows."""
        last = int(self._life.rows["stamp_ns"][-1])
        ended = self._life.end_ns is not None and stamp_ns >= self._life.end_ns
        track = self._life.state_at(stamp_ns if ended else min(stamp_ns, last))
        if track is None or track.state == TrackState.LOST:
            return None
        return None if self._gone_by(stamp_ns, track) else track

    def stamps_in(self, since_ns: int, until_ns: int) -> list[int]:
        """Stamps of a span, both ends among them, between which its motion is a straight line."""
        rows = self._life.rows
        kept = rows["stamp_ns"][rows["state"] != TrackState.LOST].tolist()
        last = until_ns if self._life.end_ns is None else min(until_ns, max(kept, default=0))
        first = max(since_ns, int(rows["stamp_ns"][0]))
        inside = [ns for ns in kept if first < ns < last]
        return sorted({first, *inside, last}) if first <= last else []

    def _gone_by(self, stamp_ns: int, track: Track) -> bool:
        """Whether its place has been seen empty since it was last seen at rest."""
        if track.last_seen_ns >= stamp_ns - 100_000_000 or track.moving:
            return False
        gone = self.gone_ns()
        return gone is not None and stamp_ns >= gone

    def span_ns(self) -> tuple[int, int]:
        """From its first state to its last."""
        rows = self._life.rows
        return int(rows["stamp_ns"][0]), int(rows["stamp_ns"][-1])

    @property
    def ever_moved(self) -> bool:
        """Whether its track moved at any time."""
        return bool(self._life.rows["moving"].any())

    def last_row(self) -> tuple[int, Track | None]:
        """Stamp at which it was last in sight, and what it was like."""
        rows = self._life.rows
        last = int(rows["last_seen_ns"][-1])
        stamp = min(max(last, int(rows["stamp_ns"][0])), int(rows["stamp_ns"][-1]))
        return stamp, self._life.state_at(stamp)

    def came_ns(self) -> int | None:
        """See `Thing`."""
        return self._owner.came_ns(self)

    def gone_ns(self) -> int | None:
        """See `Thing`."""
        return self._owner.gone_ns(self)


class Spotted:
    """A thing that words found at a moment; at others the words are asked again."""

    def __init__(self, owner: Owner, number: int, words: str, box: State, stamp_ns: int) -> None:
        self._owner = owner
        self.id, self.name, self.words, self.box = number, words, words, box
        self._stamp_ns = stamp_ns

    def state_at(self, stamp_ns: int) -> State | None:
        """What the words find then, nearest to where it must be by what they found in between."""
        return self._owner.spotted_at(self.words, stamp_ns, self._expected(stamp_ns))

    def _expected(self, stamp_ns: int) -> State:
        """Where it is by going on as it did, step by step from the moment it was found at."""
        steps, rest = divmod(abs(stamp_ns - self._stamp_ns), _ASKED_EVERY_NS)
        if steps > _MOST_ASKED:
            return self.box
        way = _ASKED_EVERY_NS if stamp_ns > self._stamp_ns else -_ASKED_EVERY_NS
        last, step = self.box, np.zeros(3)
        for number in range(1, steps + (rest > 0)):
            goal = replace(last, center=last.center + step)
            now = self._owner.spotted_at(self.words, self._stamp_ns + number * way, goal)
            far = _FASTEST_MPS * _ASKED_EVERY_NS / 1e9
            if now is not None and np.linalg.norm(now.center - last.center) <= far:
                last, step = now, now.center - last.center
        return replace(last, center=last.center + step)

    def track_at(self, stamp_ns: int) -> Track | None:
        """The same as a `Track` without an id, of which nothing is known of how it is turned."""
        state = self.state_at(stamp_ns)
        if state is None:
            return None
        variances = np.concatenate([state.sigma_m, state.velocity_sigma]) ** 2
        return make_track(
            id=0,
            label=self.words,
            score=0.0,
            state=TrackState.TENTATIVE,
            moving=state.moving,
            position=state.center,
            velocity=state.velocity,
            covariance=np.diag(variances),
            turn=Turn().values,
            size=state.size,
            first_seen_ns=stamp_ns,
            last_seen_ns=stamp_ns,
        )

    def stamps_in(self, since_ns: int, until_ns: int) -> list[int]:
        """Stamps of a span, both ends among them, at which words are asked for it."""
        count = min(_MOST_ASKED, (until_ns - since_ns) // _ASKED_EVERY_NS + 2)
        return list(dict.fromkeys(even_stamps(since_ns, until_ns, int(count))))

    def span_ns(self) -> tuple[int, int]:
        """All of the recording: it is not followed."""
        return self._owner.span_ns

    def came_ns(self) -> int | None:
        """See `Thing`."""
        return self._owner.came_ns(self)

    def gone_ns(self) -> int | None:
        """See `Thing`."""
        return self._owner.gone_ns(self)
