# SPDX-License-Identifier: Apache-2.0
"""A map as a `Scene`: tracks with their histories, and what is found by words beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.ask.rivals import described
from f4x_ros.core.ask.tools.mapped import Followed, Spotted, state_of
from f4x_ros.core.ask.tools.occupied import came_ns, color_words, gone_ns
from f4x_ros.core.ask.tools.scene import Found, State, Thing, even_stamps
from f4x_ros.core.data import PinholeCamera, Pose, Presence, QueryResult, RenderedView, Track
from f4x_ros.core.data.track import TrackState
from f4x_ros.core.objects import Life

_CACHED = 256  # answers and pictures kept of one state of the map
_PART = 0.6  # a box with so much of it in another's is a part of that thing
_GROWN_M = 0.06  # that the other's box is grown by for it
_CRUMB = 0.5  # what has less than this share of the other's face ...
_BESIDE = 0.2  # ... and is so near, share of the other's longest side, is a part of it, too
_LOST_M = 0.5  # what is known no better than so is not told of: it was seen to go, and not where
_SAME = 0.3  # boxes of one spotted thing overlap so much, share of the smaller one
_COVERED = 0.8  # of a span from which a track tells its history
_LOOKS = 5  # moments of a span at which something is looked for
_FASTEST_MPS = 3.0  # what is farther away a moment later is another thing
_STIRS_M = 0.06  # of a box in a quarter of a second, from which it moves
_FOUND, _OTHERWISE = 0.8, 0.65  # of the score: only found by the words; followed by other ones
_WORDS_GRID_NS = 250_000_000  # what is only known by words is asked at moments so far apart


_LEAST_COLOR = 0.08  # share of a thing's pixels that have a colour, or one like it
_TAKEN_FOR = {
    "red": ("pink", "purple", "orange", "brown"), "orange": ("red", "yellow", "brown"),
    "yellow": ("orange", "brown", "white"), "green": ("blue", "yellow", "gray"),
    "blue": ("purple", "gray", "black"), "purple": ("blue", "pink", "red", "gray"),
    "brown": ("orange", "red", "yellow", "black", "gray"), "black": ("gray", "brown", "blue"),
    "white": ("gray", "yellow", "pink", "brown"), "gray": ("black", "white", "blue", "brown"),
    "pink": ("red", "purple", "white"), "beige": ("white", "yellow", "brown", "orange", "gray"),
}  # fmt: skip
"""Colours that light and shade, or people, make of each."""


class Door(Protocol):
    """What a map is asked for; `core.perception.Perception` is one."""

    @property
    def stamp_ns(self) -> int: ...
    @property
    def span_ns(self) -> tuple[int, int]: ...
    @property
    def map_frame(self) -> str: ...
    @property
    def lives(self) -> tuple[Life, ...]: ...
    def query_all(
        self, texts: Sequence[str], *, stamp_ns: int = 0, want_cloud: bool = True
    ) -> list[QueryResult]: ...
    def viewpoint(
        self, view: Pose | None = None, stamp_ns: int = 0
    ) -> tuple[PinholeCamera, Pose]: ...
    def render(
        self, camera: PinholeCamera, T_map_camera: Pose, stamp_ns: int = 0
    ) -> RenderedView: ...


class MapScene:
    """Things of a map: those that are followed, and those that words find.

    Ids of followed things are those of their tracks; what was only found has negative ones, which
    stay for as long as the scene does.

    Args:
        door: the map; it may go on growing.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._spotted: list[Spotted] = []
        self._forget()

    def _forget(self) -> None:
        """Drop what was true of an earlier state of the map."""
        self._as_of = self._door.stamp_ns
        self._ask = lru_cache(_CACHED)(self._asked)
        self._draw = lru_cache(_CACHED)(self._drawn)
        self._colors: dict[tuple[int, str], bool] = {}
        self._came: dict[int, int | None] = {}
        self._gone: dict[int, int | None] = {}

    def _fresh(self) -> None:
        if self._door.stamp_ns != self._as_of:
            self._forget()

    @property
    def span_ns(self) -> tuple[int, int]:
        """Stamps of the first and the last frame."""
        return self._door.span_ns

    @property
    def map_frame(self) -> str:
        """Fixed frame of all positions."""
        return self._door.map_frame

    # --- things --------------------------------------------------------------------------------

    def find(self, words: str, stamp_ns: int) -> Found:
        """What answers to words at a moment; see `Scene`."""
        self._fresh()
        result = self._ask(words, stamp_ns)
        made = [(self._thing_of(track, words, stamp_ns), track) for track in result.tracks]
        rows = _without_parts([(thing, track) for thing, track in made if thing is not None])
        if any(_has_name(thing, words) for thing, _ in rows):  # those that have other names are not
            rows = [row for row in rows if row[0].id < 0 or _has_name(row[0], words)]
        said = described(words).color
        if said and result.presence is Presence.PRESENT:
            fitting = [row for row in rows if self._may_be(said, row[0], stamp_ns)]
            if rows and not fitting:
                return Found(
                    Presence.UNSURE, tuple(thing for thing, _ in rows), (0.0,) * len(rows),
                    f"what it may be does not look {said}",
                )  # fmt: skip
            rows = fitting
        return Found(
            result.presence,
            tuple(thing for thing, _ in rows),
            tuple(_fit(thing, track, words) for thing, track in rows),
            result.message,
        )

    def _may_be(self, color: str, thing: Thing, stamp_ns: int) -> bool:
        """Whether pictures of a thing have any of a colour, or of those it is taken for."""
        key = (thing.id, color)
        if key not in self._colors:
            shares = dict(color_words(self, thing, stamp_ns))
            alike = (color, *_TAKEN_FOR[color])
            self._colors[key] = not shares or (
                sum(shares.get(one, 0.0) for one in alike) >= _LEAST_COLOR
            )
        return self._colors[key]

    def find_over(self, words: str, since_ns: int, until_ns: int) -> Found:
        """What answers to words at the latest of some moments of a span; see `Scene`."""
        best = Found(Presence.NOT_PRESENT, (), ())
        for ns in reversed(even_stamps(since_ns, until_ns, _LOOKS)):
            found = self.find(words, ns)
            if found.presence is Presence.PRESENT and found.things:
                things = tuple(
                    self._over(thing, words, ns, (since_ns, until_ns)) for thing in found.things
                )
                return replace(found, things=things)
            if found.presence is Presence.UNSURE:
                best = found
        return best

    def _over(self, thing: Thing, words: str, ns: int, span: tuple[int, int]) -> Thing:
        """A thing whose history covers a span: a mover whose track does not is asked for by words."""
        first, last = thing.span_ns()
        covered = min(last, span[1]) - max(first, span[0])
        state = thing.state_at(ns)
        rests = not isinstance(thing, Followed) or not thing.ever_moved
        if rests or state is None or covered >= _COVERED * (span[1] - span[0]):
            return thing
        return self._spotted_in(words, state)

    def things_at(self, stamp_ns: int) -> Sequence[Thing]:
        """All things that were followed then; see `Scene`."""
        rows: list[tuple[Thing, Track]] = []
        for life in self._door.lives:
            track = life.state_at(stamp_ns)
            if track is not None and _is_known(track):
                rows.append((Followed(self, life), track))
        return [thing for thing, _ in _without_parts(rows)]

    def thing(self, number: int) -> Thing | None:
        """The thing of an id; None if there is none."""
        if number < 0:
            return next((one for one in self._spotted if one.id == number), None)
        life = next((one for one in self._door.lives if one.id == number), None)
        return None if life is None else Followed(self, life)

    def _thing_of(self, track: Track, words: str, stamp_ns: int) -> Thing | None:
        if track.id > 0:
            return self.thing(track.id)
        state = state_of(track, stamp_ns)
        if (followed := self._followed_there(words, stamp_ns, state)) is not None:
            return followed
        return self._spotted_in(words, state)

    def _spotted_in(self, words: str, state: State) -> Spotted:
        """The thing that words found in a place, the same one at each call."""
        for one in self._spotted:
            if one.words == words and _overlap(one.box, state) >= _SAME:
                return one
        made = Spotted(self, -len(self._spotted) - 1, words, state)
        self._spotted.append(made)
        return made

    def _followed_there(self, words: str, stamp_ns: int, state: State) -> Thing | None:
        """A thing that is followed by such a name and was in the place of what the words found."""
        near: list[tuple[float, Thing]] = []
        for life in self._door.lives:
            thing: Thing = Followed(self, life)
            track = life.state_at(stamp_ns) if _has_name(thing, words) else None
            if track is None or not _is_known(track):
                continue
            off = np.abs(track.position - state.center)
            if bool((off <= (track.size + state.size) / 2 + _GROWN_M).all()):
                near.append((float(np.linalg.norm(off)), thing))
        return min(near, key=lambda row: row[0])[1] if near else None

    def spotted_at(self, words: str, stamp_ns: int, like: State) -> State | None:
        """What words find at a moment nearest to a box; None where they find nothing.

        The words are asked at moments a quarter of a second apart, between them it is where the
        straight line is.
        """
        self._fresh()
        first, last = self.span_ns
        step = (stamp_ns - first) // _WORDS_GRID_NS
        before = first + step * _WORDS_GRID_NS
        after = min(before + _WORDS_GRID_NS, last)
        one = self._nearest(words, before, like)
        if one is None or after <= before:
            return one
        other = self._nearest(words, after, one)
        seconds = (after - before) / 1e9
        if other is None or np.linalg.norm(other.center - one.center) > _FASTEST_MPS * seconds:
            return one
        share = (stamp_ns - before) / (after - before)
        way = other.center - one.center
        moves = float(np.linalg.norm(way)) > _STIRS_M
        return replace(
            one,
            center=one.center + share * way,
            velocity=way / seconds if moves else np.zeros(3),
            velocity_sigma=np.full(3, 0.2),
            moving=moves,
        )

    def _nearest(self, words: str, stamp_ns: int, like: State) -> State | None:
        result = self._ask(words, stamp_ns)
        if result.presence is not Presence.PRESENT or not result.tracks:
            return None
        states = [state_of(track, result.stamp_ns) for track in result.tracks]
        return min(states, key=lambda one: float(np.linalg.norm(one.center - like.center)))

    # --- looks ---------------------------------------------------------------------------------

    def view_at(self, stamp_ns: int) -> tuple[PinholeCamera, Pose]:
        """Camera and `T_map_camera` at a moment."""
        return self._door.viewpoint(None, stamp_ns)

    def depth(
        self, stamp_ns: int, camera: PinholeCamera, T_map_camera: Pose
    ) -> NDArray[np.float32]:
        """Depth [H, W] of the map at a moment, m, 0 where it is empty."""
        return self.seen(stamp_ns, camera, T_map_camera).depth

    def seen(self, stamp_ns: int, camera: PinholeCamera, T_map_camera: Pose) -> RenderedView:
        """The map at a moment from a pose."""
        self._fresh()
        return self._draw(stamp_ns, camera, np.asarray(T_map_camera, np.float64).tobytes())

    def color_of(self, thing: Thing, stamp_ns: int) -> tuple[tuple[str, float], ...]:
        """Colour words with shares, most first; see `Scene`."""
        return color_words(self, thing, stamp_ns)

    def came_ns(self, thing: Thing) -> int | None:
        """See `Thing.came_ns`."""
        self._fresh()
        if thing.id not in self._came:
            self._came[thing.id] = came_ns(self, thing)
        return self._came[thing.id]

    def gone_ns(self, thing: Thing) -> int | None:
        """See `Thing.gone_ns`."""
        self._fresh()
        if thing.id not in self._gone:
            self._gone[thing.id] = gone_ns(self, thing)
        return self._gone[thing.id]

    # --- the map -------------------------------------------------------------------------------

    def _asked(self, words: str, stamp_ns: int) -> QueryResult:
        then = self._stamp(stamp_ns)
        return self._door.query_all([words], stamp_ns=then, want_cloud=False)[0]

    def _drawn(self, stamp_ns: int, camera: PinholeCamera, pose: bytes) -> RenderedView:
        T = np.frombuffer(pose, np.float64).reshape(4, 4)
        return self._door.render(camera, T, self._stamp(stamp_ns))

    def _stamp(self, stamp_ns: int) -> int:
        """0 for the last frame: the present is asked of the present."""
        return 0 if stamp_ns >= self.span_ns[1] else stamp_ns


def _is_known(track: Track) -> bool:
    """Whether a track is more than a moment's guess, and it is known where its thing is."""
    sure = float(np.sqrt(np.diag(track.pose_covariance)[:3].max())) < _LOST_M
    return sure and track.state in (TrackState.CONFIRMED, TrackState.OCCLUDED)


def _fit(thing: Thing, track: Track, words: str) -> float:
    """How well a thing answers to words: its score, and more if it is followed by these words.

    Less if it is followed by others, as then they fit better.
    """
    if _has_name(thing, words):
        return float(track.score)
    return (_FOUND if thing.id < 0 else _OTHERWISE) * float(track.score)


def _has_name(thing: Thing, words: str) -> bool:
    """Whether a thing is followed by a name that has these words: a mug that is called red mug."""
    return thing.id > 0 and set(words.lower().split()) <= set(thing.name.lower().split())


def _without_parts(rows: list[tuple[Thing, Track]]) -> list[tuple[Thing, Track]]:
    """Each thing once, without what is a part of a larger one of the same name.

    Of two in one place the one that is followed stays.
    """
    kept: list[tuple[Thing, Track]] = []
    for thing, track in sorted(rows, key=lambda row: (row[0].id < 0, -_face(row[1]))):
        if not any(
            track.label == other.label and (thing.id == one.id or _is_part(track, other))
            for one, other in kept
        ):
            kept.append((thing, track))
    order = {id(track): number for number, (_, track) in enumerate(rows)}
    return sorted(kept, key=lambda row: order[id(row[1])])


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


def _face(track: Track) -> float:
    """Area of the largest side of a box, m2."""
    sides = np.sort(np.maximum(track.size, 1e-3))
    return float(sides[1] * sides[2])


def _overlap(first: State, second: State) -> float:
    """Volume of two boxes in common, share of the smaller one."""
    wide = np.minimum(first.high, second.high) - np.maximum(first.low, second.low)
    least = min(float(np.prod(first.size)), float(np.prod(second.size)))
    return float(np.prod(np.maximum(wide, 0))) / max(least, 1e-9)
