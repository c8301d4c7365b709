# SPDX-License-Identifier: Apache-2.0
"""From things, clicks, boxes and ids to regions: what an edit is about, at all of its moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from f4x_ros.core.ask import Asker, QueryScene
from f4x_ros.core.ask.answer import Answer
from f4x_ros.core.ask.clicks import LEVEL, members_of
from f4x_ros.core.ask.segment_clicks import check_clicks
from f4x_ros.core.ask.tools import State
from f4x_ros.core.ask.tools.mapped import Followed
from f4x_ros.core.ask.tools.scene import even_stamps
from f4x_ros.core.data import PinholeCamera, Pose, Presence
from f4x_ros.core.edit.choose import Chosen, best_of, choose, completed, within
from f4x_ros.core.edit.doubts import doubt_of
from f4x_ros.core.edit.edit import UNSURE
from f4x_ros.core.edit.meant import Meant, NotMeantError
from f4x_ros.core.edit.region import (
    AROUND_M,
    Region,
    as_rows,
    bodies_in,
    of_bodies,
    region_of,
    united,
    with_past,
)
from f4x_ros.core.edit.shown import EDITED, Shown
from f4x_ros.core.errors import BadInputError, NotUnderstoodError
from f4x_ros.core.field import MIN_OPACITY, NO_PIECE, Snapshot, some_of
from f4x_ros.core.world import Memory

_MOVES_M = 0.04  # of a box's middle from which on a thing is looked at again
_MOMENTS = 24  # at most, of a thing that moves
_WAY_LOOKS = 16  # at a track, to tell whether it went anywhere: so far, and ...
_WAY_M = 0.08
_WAY_SHARE = 0.25  # ... so much of its size
_OF_BODY = 0.3  # share of a body that is selected, from which all of it is meant: half a car
_SURELY_OF_BODY = 0.6  # the same at other moments, which nobody asked about
_STEP_NS = 100_000_000
_THERE = 0.5  # of a box, in which the middle of what is still found must be


@dataclass(frozen=True, eq=False)
class Selected:
    """A region with the box it was found in, and what the look at it found."""

    region: Region
    state: State
    stamp_ns: int
    checks: tuple[str, ...]


class Selecting:
    """Selections in the edited map.

    Args:
        memory: of the map.
        asker: of questions in words.
        shown: the layer: what was moved is found where it is now.
        backend: rasteriser, resolved.
    """

    def __init__(self, memory: Memory, asker: Asker, shown: Shown, backend: str) -> None:
        self._memory, self._asker, self._shown = memory, asker, shown
        self._backend = backend

    def scene(
        self, stamp_ns: int, view: Pose | None = None, camera: PinholeCamera | None = None
    ) -> QueryScene:
        """The edited map at a stamp; that of the last frame is the present."""
        then = 0 if stamp_ns >= self._memory.stamp_ns else stamp_ns
        scene = self._memory.scene(then, view, camera, everything=True)
        return self._shown.scene(scene, EDITED)

    # --- words ---------------------------------------------------------------------------------

    def of_meant(
        self, meant: Meant, since_ns: int, until_ns: int, *, anyway: bool = False
    ) -> Selected:
        """The Gaussians of a thing at a moment, and where it moved at all moments of a span.

        Args:
            meant: the thing.
            since_ns: begin of the span.
            until_ns: its end.
            anyway: also where no selection stands the look at itself.

        Raises:
            NotMeantError: none does, or there is none.
        """
        scene = self.scene(meant.stamp_ns)
        tried = choose(
            scene,
            meant.state,
            lambda limit: self._selected(scene, meant, limit),
            lambda kept: self._found(replace(scene, snapshot=kept), meant),
        )
        best = best_of(tried)
        checks = tuple(one.about for one in tried)
        if best is None:
            raise NotMeantError(
                UNSURE, f"{meant.words} has too few Gaussians to be told from what is around it",
                (meant.thing.id,),
            )  # fmt: skip
        if not anyway and (doubt := self._doubt(scene, meant, best)):
            raise NotMeantError(
                UNSURE,
                f"not sure of what was chosen for {meant.words!r}: {doubt}. Name it otherwise, say "
                "#id, or '... anyway'",
                (meant.thing.id,),
            )
        own = (meant.thing.id,) if meant.thing.id > 0 else ()
        bodies = self._bodies(scene.snapshot, best.rows, _OF_BODY)
        moves = bool(bodies) or _moves(meant)

        def region(snapshot: Snapshot, rows: Tensor, bodies: tuple[int, ...]) -> Region:
            rows = rows | of_bodies(snapshot, bodies)
            tracks = own if moves else ()
            return region_of(
                snapshot, rows, tracks=tracks, things=own, name=meant.words, bodies=bodies
            )

        regions = [region(scene.snapshot, best.rows, bodies)]
        if not moves:
            regions = [self._at_all_times(regions[0], scene.snapshot, best.rows)]
        for stamp, state in self._elsewhere(meant, since_ns, until_ns) if moves else ():
            then = self.scene(stamp)
            moved = replace(meant, state=state, stamp_ns=stamp)
            seeds = self._selected(then, moved, best.limit) & within(then.snapshot, state)
            if bool(seeds.any()):
                rows = completed(then.snapshot, seeds, state)
                bodies = self._bodies(then.snapshot, rows, _SURELY_OF_BODY)
                regions.append(region(then.snapshot, rows, bodies))
        if len(regions) > 1:
            checks += (f"it moves: looked at {len(regions)} moments",)
        return Selected(united(regions), meant.state, meant.stamp_ns, checks)

    def _doubt(self, scene: QueryScene, meant: Meant, chosen: Chosen) -> str:
        """Why a selection is not surely what was meant; "" if it is."""

        def ask(words: str) -> Answer:
            wanted = self._asker.prompts([words])
            return self._asker.answers(self._memory.distiller, scene, wanted)[0]

        def is_shown() -> bool:
            return self._shown.is_seen(scene.snapshot, chosen.rows)

        return doubt_of(scene, chosen, meant.words, meant.state, meant.thing.id, ask, is_shown)

    def _bodies(self, snapshot: Snapshot, rows: Tensor, share: float) -> tuple[int, ...]:
        """The bodies of which such a share is selected (mask [N]), and that went anywhere."""
        paths, found = self._memory.field.paths, bodies_in(snapshot, rows, share)
        return tuple(one for one in found if paths.reach_m(one) > _WAY_M)

    def _at_all_times(self, region: Region, snapshot: Snapshot, rows: Tensor) -> Region:
        """The region of a thing at rest, with what was there at other times near it.

        Past Gaussians keep the number of the piece they died with.
        """
        past = self._memory.field.whole()[1]
        pieces = snapshot.piece_ids[rows & (snapshot.opacities >= MIN_OPACITY)].long()
        own = torch.bincount(pieces, minlength=1)
        seen = torch.bincount(snapshot.piece_ids.long(), minlength=len(own))[: len(own)]
        mine = own >= 0.5 * seen.clamp(min=1)
        mine[NO_PIECE] = False
        of = past["piece_ids"].long()
        known = of < len(mine)
        kept = mine[of.clamp(max=len(mine) - 1)] & known
        low, high = (torch.from_numpy(x).to(past["means"]) for x in region.box)
        near = (past["means"] >= low - AROUND_M) & (past["means"] <= high + AROUND_M)
        at = near.all(1).nonzero()[:, 0]
        described = as_rows(past["means"][at], past["colors"][at], past["birth_s"][at])
        return with_past(region, described, kept[at].cpu().numpy())

    def _elsewhere(self, meant: Meant, since_ns: int, until_ns: int) -> list[tuple[int, State]]:
        """Moments of a span at which the thing was somewhere else than at those before."""
        first, last = meant.thing.span_ns()
        first, last = max(first, since_ns), min(last, until_ns)
        states: list[tuple[int, State]] = []
        for stamp in range(first, last + 1, _STEP_NS):
            state = meant.thing.state_at(stamp)
            if state is None:
                continue
            known = [meant.state, *(one for _, one in states[-1:])]
            if all(np.linalg.norm(state.center - one.center) > _MOVES_M for one in known):
                states.append((stamp, state))
        if not states:
            return []
        keep = np.unique(np.linspace(0, len(states) - 1, _MOMENTS).astype(int))
        return [states[k] for k in keep.tolist()]

    def _selected(self, scene: QueryScene, meant: Meant, limit: float) -> Tensor:
        """Mask [N] of what answers to the words, and of what carries the thing's id now."""
        snapshot = scene.snapshot
        found = torch.zeros(len(snapshot), dtype=torch.bool, device=snapshot.means.device)
        try:
            wanted = self._asker.prompts([meant.words])
            answers = self._asker.answers(self._memory.distiller, scene, wanted, limit=limit)
            found |= answers[0].selected
        except NotUnderstoodError:
            if meant.thing.id <= 0:
                raise
        if meant.thing.id > 0:
            found |= snapshot.object_ids == meant.thing.id
        return found

    def _found(self, scene: QueryScene, meant: Meant) -> bool:
        """Whether the words still find something in the thing's place."""
        wanted = self._asker.prompts([meant.words])
        answer = self._asker.answers(self._memory.distiller, scene, wanted)[0]
        if answer.presence is Presence.NOT_PRESENT:
            return False
        reach = _THERE * meant.state.size + 0.01
        return any(
            bool((np.abs(one.position - meant.state.center) <= reach).all())
            for one in answer.tracks
        )

    # --- clicks, boxes, ids --------------------------------------------------------------------

    def clicked(
        self,
        points: ArrayLike | None,
        labels: ArrayLike | None,
        box: Sequence[float] | None,
        stamp_ns: int,
        view: Pose | None,
        camera: PinholeCamera | None,
    ) -> Selected:
        """What clicks or a box in a picture of the edited map mean; see `Perception.segment`.

        Raises:
            ValueError: as `Perception.segment`; nothing is there.
        """
        scene = self.scene(stamp_ns or self._memory.stamp_ns, view, camera)
        clicks = check_clicks(points, labels, box, scene.camera)
        found = members_of(self._memory.distiller, scene, clicks, self._backend)
        rows = found.probability >= LEVEL
        return self.of_rows(scene, rows, "what was clicked")

    def boxed(self, low: ArrayLike, high: ArrayLike, stamp_ns: int = 0) -> Selected:
        """All that is in a box of the map, from its low to its high corner [3] in m.

        Raises:
            ValueError: it is no box; nothing is in it.
        """
        corners = np.asarray([low, high], np.float64)
        if (
            corners.shape != (2, 3)
            or not np.isfinite(corners).all()
            or (corners[0] >= corners[1]).any()
        ):
            raise BadInputError(f"box is {low!r} to {high!r}, expected corners [3], low below high")
        scene = self.scene(stamp_ns or self._memory.stamp_ns)
        means = scene.snapshot.means
        a, b = torch.from_numpy(corners).to(means)
        return self.of_rows(scene, ((means >= a) & (means <= b)).all(1), "what is in the box")

    def of_rows(self, scene: QueryScene, rows: Tensor, name: str) -> Selected:
        """A selection of Gaussians of a scene (mask [N])."""
        region = region_of(scene.snapshot, rows, name=name)
        return Selected(region, box_of(some_of(scene.snapshot, rows)), scene.stamp_ns, ())


def box_of(part: Snapshot) -> State:
    """The box of some Gaussians, as a state at rest."""
    places = part.means.double().cpu().numpy()
    low, high = np.percentile(places, (1, 99), axis=0)
    none = np.zeros(3)
    return State((low + high) / 2, high - low, none, none, none, moving=False, seen=True)


def _moves(meant: Meant) -> bool:
    """Whether a thing is known to move at any time."""
    if not isinstance(meant.thing, Followed):
        return meant.state.moving
    if not meant.thing.ever_moved:
        return False
    stamps = even_stamps(*meant.thing.span_ns(), _WAY_LOOKS)
    states = [one for ns in stamps if (one := meant.thing.state_at(ns)) is not None]
    centers = np.array([meant.state.center, *(one.center for one in states)])
    # The box of a thing that is seen from more sides grows: its middle goes some way, too
    least = _WAY_M + _WAY_SHARE * float(np.linalg.norm(meant.state.size))
    return bool(np.linalg.norm(centers - np.median(centers, 0), axis=1).max() > least)
