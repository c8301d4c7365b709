# SPDX-License-Identifier: Apache-2.0
"""A map as a `Scene`: tracks with their histories, and what is found by words beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.ask.rivals import KINDS
from f4x_ros.core.ask.tools.alike import (
    fit,
    has_name,
    in_place_of,
    is_known,
    other_kind,
    overlap,
    without_parts,
)
from f4x_ros.core.ask.tools.mapped import Followed, Spotted, state_of
from f4x_ros.core.ask.tools.occupied import came_ns, color_words, gone_ns
from f4x_ros.core.ask.tools.scene import ROOM, Found, State, Thing, even_stamps
from f4x_ros.core.data import PinholeCamera, Pose, Presence, QueryResult, RenderedView, Track
from f4x_ros.core.objects import Life

_SCANS = 8  # moments of which all everyday kinds are kept
_MOMENTS = 9  # of a span at which is looked what is followed
_CACHED = 256  # answers and pictures kept of one state of the map
_GROWN_M = 0.06  # that the other's box is grown by for it
_SAME = 0.3  # boxes of one spotted thing overlap so much, share of the smaller one
_COVERED = 0.8  # of a span from which a track tells its history
_LOOKS = 5  # moments of a span at which something is looked for
_FASTEST_MPS = 3.0  # what is farther away a moment later is another thing
_STIRS_M = 0.06  # of a box in a quarter of a second, from which it moves
_DOUBTFUL = 0.75  # probability below which a thing that has another name is rather that one
_WORDS_GRID_NS = 250_000_000  # what is only known by words is asked at moments so far apart


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
    def misunderstood(self, texts: Sequence[str]) -> dict[str, str]: ...
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
        self._known_kinds: tuple[str, ...] | None = None
        self._forget()

    def _forget(self) -> None:
        """Drop what was true of an earlier state of the map."""
        self._as_of = self._door.stamp_ns
        self._ask = lru_cache(_CACHED)(self._asked)
        self._ask_all = lru_cache(_SCANS)(self._asked_all)
        self._draw = lru_cache(_CACHED)(self._drawn)
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
        rows = without_parts([(thing, track) for thing, track in made if thing is not None])
        if any(has_name(thing, words) for thing, _ in rows):  # those that have other names are not
            rows = [row for row in rows if row[0].id < 0 or has_name(row[0], words)]
        if result.presence is Presence.PRESENT and result.score < _DOUBTFUL:
            mistaken = self._mistaken(words, [thing for thing, _ in rows], stamp_ns)
            if rows and mistaken:
                return Found(
                    Presence.UNSURE,
                    tuple(thing for thing, _ in rows),
                    (float(result.score),) * len(rows),
                    f"it may be {mistaken}, which is followed as that; probability "
                    f"{result.score:.2f}",
                )
        return Found(
            result.presence,
            tuple(thing for thing, _ in rows),
            tuple(fit(thing, track, words) for thing, track in rows),
            result.message,
        )

    def _mistaken(self, words: str, found: list[Thing], stamp_ns: int) -> str:
        """The names of the followed things of other kinds that words seem to have found; or ""."""
        names: list[str] = []
        for thing in found:
            own = thing if other_kind(thing, words) else self._holder(thing, words, stamp_ns)
            if own is None:
                return ""
            names.append(f"{own.name} #{own.id}")
        return ", ".join(dict.fromkeys(names))

    def _holder(self, thing: Thing, words: str, stamp_ns: int) -> Thing | None:
        """The followed thing of another kind in whose box the middle of what was found is."""
        state = thing.state_at(stamp_ns) if thing.id < 0 else None
        for one, track in self._followed(stamp_ns) if state is not None else ():
            assert state is not None
            inside = (np.abs(track.position - state.center) <= track.size / 2).all()
            if (
                bool(inside)
                and other_kind(one, words)
                and np.prod(track.size) > np.prod(state.size)
            ):
                return one
        return None

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
        """A thing with a history of a span: of a mover whose track has none, what words find."""
        first, last = thing.span_ns()
        covered = min(last, span[1]) - max(first, span[0])
        state = thing.state_at(ns)
        rests = not isinstance(thing, Followed) or not thing.ever_moved
        if rests or state is None or covered >= _COVERED * (span[1] - span[0]):
            return thing
        return self._spotted_in(words, state, ns)

    def things_at(self, stamp_ns: int) -> Sequence[Thing]:
        """What was followed then, and things of everyday kinds beside it; see `Scene`."""
        rows = self._followed(stamp_ns)
        followed = without_parts(rows)
        return [thing for thing, _ in followed] + self._beside(stamp_ns, followed)

    def _followed(self, stamp_ns: int) -> list[tuple[Thing, Track]]:
        rows: list[tuple[Thing, Track]] = []
        for life in self._door.lives:
            track = life.state_at(stamp_ns)
            if track is not None and is_known(track):
                rows.append((Followed(self, life), track))
        return rows

    def things_over(self, since_ns: int, until_ns: int) -> Sequence[Thing]:
        """What is followed, at any of some moments; see `Scene`."""
        found: dict[int, Thing] = {}
        for ns in even_stamps(since_ns, until_ns, _MOMENTS):
            found.update({thing.id: thing for thing, _ in without_parts(self._followed(ns))})
        return list(found.values())

    def _beside(self, stamp_ns: int, followed: list[tuple[Thing, Track]]) -> list[Thing]:
        """Things of everyday kinds that are surely there and that nobody follows."""
        self._fresh()
        kinds = self._kinds()
        if not kinds:
            return []
        taken = list(followed)
        made: list[Thing] = []
        for result in self._ask_all(kinds, stamp_ns):
            if result.presence is not Presence.PRESENT:
                continue
            for track in result.tracks:
                if track.id or any(
                    in_place_of(track, other, same_kind=has_name(one, result.prompt))
                    for one, other in taken
                ):
                    continue
                thing = self._spotted_in(result.prompt, state_of(track, stamp_ns), stamp_ns)
                taken.append((thing, track))
                made.append(thing)
        return made

    def _kinds(self) -> tuple[str, ...]:
        """Everyday kinds that the map's encoder has words for."""
        if self._known_kinds is None:
            kinds = [kind for kind in KINDS if kind not in ROOM]
            unknown = self._door.misunderstood(kinds)
            self._known_kinds = tuple(kind for kind in kinds if kind not in unknown)
        return self._known_kinds

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
        return self._spotted_in(words, state, stamp_ns)

    def _spotted_in(self, words: str, state: State, stamp_ns: int) -> Spotted:
        """The thing that words found in a place, the same one at each call."""
        for one in self._spotted:
            if one.words == words and overlap(one.box, state) >= _SAME:
                return one
        made = Spotted(self, -len(self._spotted) - 1, words, state, stamp_ns)
        self._spotted.append(made)
        return made

    def _followed_there(self, words: str, stamp_ns: int, state: State) -> Thing | None:
        """A thing that is followed by such a name and was in the place of what the words found."""
        near: list[tuple[float, Thing]] = []
        for life in self._door.lives:
            thing: Thing = Followed(self, life)
            track = life.state_at(stamp_ns) if has_name(thing, words) else None
            if track is None or not is_known(track):
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

    def _asked_all(self, texts: tuple[str, ...], stamp_ns: int) -> list[QueryResult]:
        return self._door.query_all(texts, stamp_ns=self._stamp(stamp_ns), want_cloud=False)

    def _drawn(self, stamp_ns: int, camera: PinholeCamera, pose: bytes) -> RenderedView:
        T = np.frombuffer(pose, np.float64).reshape(4, 4)
        return self._door.render(camera, T, self._stamp(stamp_ns))

    def _stamp(self, stamp_ns: int) -> int:
        """0 for the last frame: the present is asked of the present."""
        return 0 if stamp_ns >= self.span_ns[1] else stamp_ns
