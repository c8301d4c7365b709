# SPDX-License-Identifier: Apache-2.0
"""The mapper: one posed RGB-D view after another into the field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.config import MappingConfig
from f4x_ros.core.field import NO_BODY, NO_PIECE, PARAMETERS, GaussianField, GaussianSet
from f4x_ros.core.mapping import insertion
from f4x_ros.core.mapping.births import At, RecentViews, birth_times, held_times
from f4x_ros.core.mapping.keyframes import Keyframes
from f4x_ros.core.mapping.looking_back import born_later
from f4x_ros.core.mapping.optimiser import refine
from f4x_ros.core.mapping.schedule import Schedule, near_keyframes
from f4x_ros.core.mapping.sighting import note_seen
from f4x_ros.core.mapping.surfaces import Surfaces
from f4x_ros.core.motion import on_its_way, passed_on, rest_s
from f4x_ros.core.observe import View, apply, seen_through
from f4x_ros.core.render import RenderOutput, render

_AT_HAND = 16  # latest keyframes near a view whose blocks are brought in with it
_ABSENT = 0.03  # a keyframe is out of reach if such a share of it shows what is at rest
_LOOKS_BACK = 4  # earlier views in a frame that look at what bodies carry
_MIN_OPACITY = 0.05  # a Gaussian fainter than this is pruned
_MAX_SCALE_M = 0.25  # one larger than this is made smaller, ...
_MAX_SCALE_SHARE = 0.07  # ... unless it is far: up to this share of its distance, ...
_MAX_SCALE_SPACINGS = 2.0  # ... or the camera coarse: up to so many spacings of new Gaussians


_PLACED = ("means", "body_ids", "placed_s")


class Followed(NamedTuple):
    """What moves in a view."""

    labels: Tensor  # [H, W] int32 body of each pixel, 0 = none
    ids: Tensor  # [B] int32 bodies that are followed, in sight or not
    sure: Tensor  # [S] int32 those of them that are known to move


ViewBodies = Callable[[View], Followed]
"""Follows the bodies to a view, and carries their Gaussians there."""


@dataclass
class MappingCounts:
    """What one frame did to the field."""

    inserted: int = 0
    not_inserted: int = 0  # would have been, but what is in view fills the byte budget
    waiting: int = 0  # blocks in view that have to stay at rest, because they do not fit
    retired: int = 0
    pruned: int = 0
    forgotten: int = 0
    keyframe: int = 0
    working_set: int = 0  # Gaussians that took part, present and past


class Mapper:
    """Keeps a field up to date with the frames of a moving RGB-D camera.

    The cycle of SplaTAM (Keetha et al., CVPR 2024), with free space deciding what has moved: retire
    what the new depth sees through, insert where neither alpha nor depth explains the frame, then
    refine over the current view and the keyframes near it, prune and stay inside the byte budget.
    All of it is done to the working set of these views, see `field`.
    """

    def __init__(self, field: GaussianField, config: MappingConfig, backend: str) -> None:
        self.field = field
        self.keyframes = Keyframes(config)
        self._config = config
        self._backend = backend
        self._schedule = Schedule(config)
        self._recent = RecentViews()
        self._followed: Tensor | None = None  # bodies that the last view followed
        self._gone: list[Tensor] = []  # pieces of what was seen to be gone, by frame
        self._surfaces = Surfaces(field.rest.edge_m)
        self._rng = np.random.default_rng(config.seed)

    def integrate(
        self,
        view: View,
        interval_s: float,
        ids: Iterable[int],
        between: Callable[[], None],
        bodies: ViewBodies | None = None,
    ) -> MappingCounts:
        """Retire, insert, refine, prune: the field afterwards explains the view.

        Args:
            view: the new one.
            interval_s: usual time from frame to frame.
            ids: tracks that are wanted as a whole if a part of them is in view.
            between: called where the field is consistent.
            bodies: what of the view moves, with its Gaussians where they are now; None = nothing.
        """
        counts = MappingCounts(keyframe=int(self.keyframes.offer(view)))
        with torch.no_grad():
            near = near_keyframes(view, self.keyframes.views)
            counts.forgotten = self.look_at([view, *near[-_AT_HAND:]], interval_s, ids)
            known = bodies(view) if bodies is not None else None
            self._followed = None if known is None else known.ids
            counts.retired = self._retire(view, interval_s, known)
            self._insert(view, counts, known)
            self._look_back(view, interval_s, known)
            reachable = self._within_reach()
            near = [one for one in near[-_AT_HAND:] if one in reachable]
            views = self._schedule.views(view, near, reachable, keyframe=bool(counts.keyframe))
        between()
        if views and len(self.field.present):
            refine(self.field, views, self._backend, between, self._absent(views))
        with torch.no_grad():
            counts.pruned = self._prune(view)
            self._note_seen(view)
        counts.waiting = self.field.waiting
        counts.working_set = sum(len(part) for part in self.field.parts)
        self._recent.add(view)
        return counts

    def look_at(self, views: Iterable[View], interval_s: float, ids: Iterable[int]) -> int:
        """Make what these views may show the working set; what is on its way stays in it.

        Returns how many Gaussians were forgotten because they do not fit into memory.
        """
        frusta = [one.frustum for one in dict.fromkeys(views)]
        self.field.focus(frusta, ids, self._restless(interval_s))
        return self.field.enforce_budget()

    def pass_by(
        self,
        view: View,
        interval_s: float,
        ids: Iterable[int],
        bodies: Callable[[View, GaussianSet], None] | None = None,
    ) -> None:
        """Note what a view shows, and learn nothing from it; arguments are those of `integrate`.

        `bodies` takes the Gaussians of what moves to where they should be.
        """
        self.look_at([view], interval_s, ids)
        if bodies is not None:
            bodies(view, self.field.present)
        self._note_seen(view)

    def _note_seen(self, view: View) -> None:
        note_seen(self.field.present, view, self._config.depth_tolerance, self._backend)

    def _within_reach(self) -> list[View]:
        """Keyframes of whose surface hardly anything is at rest: to refine them costs no more.

        In a small map these are all. In a large one they are those around; what is elsewhere waits
        until the camera is there, so that a frame costs what is in view, however much there is.
        """
        views, at_rest = self.keyframes.views, self.field.rest.codes
        if not at_rest:
            return views
        self._surfaces.keep(views)
        return [one for one in views if self._surfaces.share_absent(one, at_rest) < _ABSENT]

    def _absent(self, views: Sequence[View]) -> dict[View, Tensor]:
        """Which pixels [H, W] of views show what is at rest, or nothing at all, if any do."""
        masks: dict[View, Tensor] = {}
        at_rest = self.field.rest.codes
        for one in dict.fromkeys(views):
            resting = self._surfaces.absent(one, at_rest) if at_rest else None
            nothing = None if one.observed is None else ~one.observed
            found = [mask for mask in (resting, nothing) if mask is not None]
            if found:
                masks[one] = torch.stack(found).any(0)
        return masks

    def _restless(self, interval_s: float) -> Tensor | None:
        """Mask [N] of what may still have to go although nobody looks: it moved a moment ago."""
        present, last = self.field.present, self._recent.last
        if not last:
            return None
        newest_s = max(one.time_s for one in last)
        lately = newest_s - present["seen_s"] < rest_s(interval_s)
        restless = lately & on_its_way(present, interval_s)
        if self._followed is not None:
            restless |= torch.isin(present["body_ids"], self._followed)
        return restless

    def _draw(self, view: View) -> RenderOutput:
        g = self.field.present
        return render(
            g["means"],
            g["quats"],
            g.scales,
            g.opacities,
            g["colors"],
            view.viewmat,
            view.K,
            *view.size,
            backend=self._backend,
        )

    def _retire(self, view: View, interval_s: float, bodies: Followed | None) -> int:
        present, config = self.field.present, self._config
        extent = _extent(present.scales)
        gone = seen_through(view, present["means"], extent, config.depth_tolerance)
        # What has just come is likely to go on: half the margin will do, and an edge is no excuse.
        gone |= on_its_way(present, interval_s) & seen_through(
            view, present["means"], extent / 2, config.depth_tolerance, at_edges=True
        )
        present["contradictions"] = torch.where(gone, present["contradictions"] + 1, 0)
        dead = present["contradictions"] >= config.free_space_views
        rows = dead.nonzero()[:, 0]
        if len(rows):
            pieces = present["piece_ids"][rows]
            self._gone.append(pieces[pieces != NO_PIECE])
        lost = torch.zeros_like(dead)
        if self._recent.last:  # after a map was loaded, nobody knows what the view before saw
            lost = passed_on(present, view.time_s, interval_s, config.unseen_mover_s) & ~dead
            if bodies is not None:
                lost &= ~torch.isin(present["body_ids"], bodies.ids)
        # What passed on was seen until then, and is taken to have gone half a frame later.
        death_s = present["seen_s"] + interval_s / 2
        death_s[rows] = self._dead_since(view, rows, extent, bodies)
        return self.field.retire(dead | lost, death_s)

    def _dead_since(
        self, view: View, dead: Tensor, extent: Tensor, bodies: Followed | None
    ) -> Tensor:
        """When what a view sees to be gone (rows [M]) went: half way since it was last seen.

        That may be long ago, where the camera has been away. Where no such view is kept any more,
        the Gaussian's own last sight counts.
        """
        present = self.field.present
        held_s = held_times(
            self._recent.views,
            [one for one in self.keyframes.views if one is not view],
            present["means"][dead],
            extent[dead],
            self._config.depth_tolerance,
            self._whereabouts({name: present[name][dead] for name in _PLACED}, bodies),
        )
        return (torch.maximum(held_s, present["seen_s"][dead]) + view.time_s) / 2

    def take_gone(self) -> Tensor:
        """Pieces [G] of the Gaussians whose place was seen empty since this was called last."""
        none = self.field.present["piece_ids"][:0]
        self._gone, gone = [], torch.cat([none, *self._gone])
        return gone

    def _whereabouts(self, rows: dict[str, Tensor], followed: Followed | None) -> At:
        """Where points were at any time; None if nothing moves at all.

        What is not known to move has not: then its place was empty before.
        """
        if followed is None or not len(followed.sure):
            return None
        moves = torch.isin(rows["body_ids"], followed.sure)
        bodies = torch.where(moves, rows["body_ids"], NO_BODY)

        def at(times_s: Sequence[float]) -> Tensor:
            means = rows["means"]
            moved = self.field.paths.motion(bodies, rows["placed_s"], times_s)
            return torch.stack([means if one is None else one.means(means) for one in moved])

        return at

    def _insert(self, view: View, counts: MappingCounts, bodies: Followed | None) -> None:
        out = self._draw(view)
        color = apply(view.exposure.values, out.image, out.alpha)
        depth = out.expected_depth
        empty, in_front = insertion.unexplained(view, color, depth, out.alpha, self._config)
        surface = insertion.filled_depth(view, depth, out.alpha)
        needed = (empty | in_front) & (surface > 0)
        if view.observed is not None:
            needed &= view.observed
        pixels, spacing = insertion.choose_pixels(view, needed, self._config)
        chosen = self._fitting(view, pixels)
        counts.not_inserted = len(pixels) - len(chosen)
        if not len(chosen):
            return
        rows = insertion.new_gaussians(view, surface, pixels[chosen], spacing[chosen])
        rows["placed_s"] = rows["seen_s"].clone()
        rows["body_ids"] = torch.zeros(len(chosen), dtype=torch.int32, device=surface.device)
        if bodies is not None:
            where = pixels[chosen]
            rows["body_ids"] = bodies.labels[where[:, 0], where[:, 1]]
        empty_s = birth_times(
            self._recent.views,
            [one for one in self.keyframes.views if one is not view],
            rows["means"],
            _extent(rows["log_scales"].exp()),
            self._config.depth_tolerance,
            self._whereabouts({name: rows[name] for name in _PLACED}, bodies),
        )
        rows["birth_s"] = (empty_s + view.time_s) / 2  # it came in between: most likely half way
        counts.forgotten += self.field.enforce_budget(reserve=len(chosen))
        self.field.present.append(rows)
        counts.inserted = len(chosen)

    def _look_back(self, view: View, interval_s: float, bodies: Followed | None) -> None:
        """Ask some earlier views whether what bodies carry was there then."""
        if bodies is None or not len(bodies.sure):
            return
        earlier = list(dict.fromkeys([*self._recent.views, *self.keyframes.views]))
        earlier = [one for one in earlier if one.time_s < view.time_s]
        if not earlier:
            return
        chosen = self._rng.permutation(len(earlier))[:_LOOKS_BACK]
        born_later(
            self.field.parts[int(self._rng.integers(2))],  # what is present, or what is past
            self.field.paths,
            bodies.sure,
            [earlier[one] for one in chosen],
            self._config.depth_tolerance,
            interval_s / 2,
        )

    def _fitting(self, view: View, pixels: Tensor) -> Tensor:
        """Indices [K] of the pixels [M, 2] for whose Gaussians there is room, evenly spread."""
        fitting = torch.arange(len(pixels), device=pixels.device)
        absent = self._absent([view]).get(view)
        if absent is not None:  # there are Gaussians already
            fitting = fitting[~absent[pixels[:, 0], pixels[:, 1]]]
        count, fit = len(fitting), self._room()
        if fit < count:
            fitting = fitting[torch.arange(fit, device=pixels.device) * count // max(1, fit)]
        return fitting

    def _room(self) -> int:
        """Gaussians that may be inserted: the budget less what the last views have shown.

        Whatever else there is would be forgotten for them. Without this, a view that needs more
        than the budget would push out in each frame what it put in in the frame before.
        """
        present, last = self.field.present, self._recent.last
        since_s = min((one.time_s for one in last), default=float("inf"))
        in_sight = int((present["seen_s"] >= since_s).sum())
        return max(0, self.field.max_bytes // present.bytes_per_gaussian - in_sight)

    def _prune(self, view: View) -> int:
        """Delete what is hardly there or broken; what has grown too large is cut, not holed."""
        present = self.field.present
        camera = present["means"].new_tensor(view.T_map_camera[:3, 3].tolist())
        distance = (present["means"] - camera).norm(dim=-1)
        spacing = self._config.coarse_px / view.camera.fx
        share = max(_MAX_SCALE_SHARE, _MAX_SCALE_SPACINGS * spacing)
        limit = (share * distance).clamp(min=_MAX_SCALE_M).log()
        present["log_scales"] = torch.minimum(present["log_scales"], limit[:, None])
        faint = present.opacities < _MIN_OPACITY
        whole = torch.ones_like(faint)
        for name in (*PARAMETERS, "latents"):
            finite = torch.isfinite(present[name])
            whole &= finite if finite.ndim == 1 else finite.all(-1)
        return self.field.prune(faint | ~whole)


def _extent(scales: Tensor) -> Tensor:
    """Radius [N] in metres at which a Gaussian of scales [N, 3] has faded to 1/e^2."""
    return 2 * scales.amax(-1)
