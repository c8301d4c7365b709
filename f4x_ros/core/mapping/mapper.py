# SPDX-License-Identifier: Apache-2.0
"""The mapper: one posed RGB-D view after another into the field."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.config import MappingConfig
from f4x_ros.core.field import NO_PIECE, PARAMETERS, GaussianField
from f4x_ros.core.mapping import insertion
from f4x_ros.core.mapping.births import RecentViews, birth_times
from f4x_ros.core.mapping.keyframes import Keyframes
from f4x_ros.core.mapping.optimiser import optimise_view
from f4x_ros.core.motion import on_its_way, passed_on
from f4x_ros.core.observe import View, free_space
from f4x_ros.core.observe import exposure as exposures
from f4x_ros.core.render import RenderOutput, render

_MIN_OPACITY = 0.05  # a Gaussian fainter than this is pruned
_MAX_SCALE_M = 0.25  # one larger than this is made smaller, ...
_MAX_SCALE_SHARE = 0.07  # ... unless it is far: up to this share of its distance, ...
_MAX_SCALE_SPACINGS = 2.0  # ... or the camera coarse: up to so many spacings of new Gaussians
_SPREAD = 4  # frames over which the steps of a keyframe are spread, about


@dataclass
class MappingCounts:
    """What one frame did to the field."""

    inserted: int = 0
    not_inserted: int = 0  # would have been, but what is in view fills the byte budget
    retired: int = 0
    pruned: int = 0
    forgotten: int = 0
    keyframe: int = 0


class Mapper:
    """Keeps a field up to date with the frames of a moving RGB-D camera.

    The cycle of SplaTAM (Keetha et al., CVPR 2024), with free space deciding what has moved: retire
    what the new depth sees through, insert where neither alpha nor depth explains the frame, then
    refine over the current and past keyframes, prune and stay inside the byte budget.
    """

    def __init__(self, field: GaussianField, config: MappingConfig, backend: str) -> None:
        self.field = field
        self.keyframes = Keyframes(config)
        self._config = config
        self._backend = backend
        self._rng = np.random.default_rng(config.seed)
        self._recent = RecentViews()
        self._gone: list[Tensor] = []  # pieces of what was seen to be gone, by frame
        self._owed = 0  # steps of keyframes that are still to be done

    def integrate(self, view: View) -> MappingCounts:
        """Retire, insert, refine, prune: the field afterwards explains the view."""
        counts = MappingCounts()
        with torch.no_grad():
            counts.retired = self._retire(view)
            self._insert(view, counts)
        counts.keyframe = int(self.keyframes.offer(view))
        for index in self._schedule(self._steps(keyframe=bool(counts.keyframe))):
            if len(self.field.present):
                optimise_view(self.field, self._current_or(index, view), self._backend)
        with torch.no_grad():
            counts.pruned = self._prune(view)
        self._recent.add(view)
        return counts

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

    def _retire(self, view: View) -> int:
        present, config = self.field.present, self._config
        last = self._recent.views[-1:]
        interval_s = view.time_s - last[0].time_s if last else 0.0
        extent = _extent(present.scales)
        gone = free_space.seen_through(view, present["means"], extent, config.depth_tolerance)
        # What has just come is likely to go on: half the margin will do, and an edge is no excuse.
        gone |= on_its_way(present, interval_s) & free_space.seen_through(
            view, present["means"], extent / 2, config.depth_tolerance, at_edges=True
        )
        present["contradictions"] = torch.where(gone, present["contradictions"] + 1, 0)
        dead = present["contradictions"] >= config.free_space_views
        pieces = present["piece_ids"][dead & (present["piece_ids"] != NO_PIECE)]
        self._gone += [pieces] if len(pieces) else []
        lost = torch.zeros_like(dead)
        if last:  # the first view after a map was loaded does not know what the one before saw
            lost = passed_on(present, view.time_s, interval_s, config.unseen_mover_s) & ~dead
        # It went at some time between the view that saw it and the next: most likely half way.
        still_s = torch.where(lost, present["seen_s"], view.time_s - interval_s)
        return self.field.retire(dead | lost, still_s + interval_s / 2)

    def take_gone(self) -> Tensor:
        """Pieces [G] of the Gaussians whose place was seen empty since this was called last."""
        none = self.field.present["piece_ids"][:0]
        self._gone, gone = [], torch.cat([none, *self._gone])
        return gone

    def _insert(self, view: View, counts: MappingCounts) -> None:
        out = self._draw(view)
        color = exposures.apply(view.exposure.values, out.image, out.alpha)
        depth = out.expected_depth
        empty, in_front = insertion.unexplained(view, color, depth, out.alpha, self._config)
        surface = insertion.filled_depth(view, depth, out.alpha)
        needed = (empty | in_front) & (surface > 0)
        pixels, spacing = insertion.choose_pixels(view, needed, self._config)
        fit = self._room()
        if fit < len(pixels):  # evenly over the image
            counts.not_inserted = len(pixels) - fit
            chosen = torch.arange(fit, device=pixels.device) * len(pixels) // max(1, fit)
            pixels, spacing = pixels[chosen], spacing[chosen]
        if not len(pixels):
            return
        rows = insertion.new_gaussians(view, surface, pixels, spacing)
        empty_s = birth_times(
            self._recent.views,
            self.keyframes.views,
            rows["means"],
            _extent(rows["log_scales"].exp()),
            self._config.depth_tolerance,
        )
        rows["birth_s"] = (empty_s + view.time_s) / 2  # it came in between: most likely half way
        counts.forgotten = self.field.enforce_budget(reserve=len(pixels))
        self.field.present.append(rows)
        counts.inserted = len(pixels)

    def _room(self) -> int:
        """Gaussians that may be inserted: the budget less what the last view has shown.

        Whatever else there is would be forgotten for them. Without this, a view that needs more
        than the budget would push out in each frame what it put in in the frame before.
        """
        present, last = self.field.present, self._recent.views[-1:]
        in_sight = int((present["seen_s"] >= last[0].time_s).sum()) if last else 0
        return max(0, self.field.max_bytes // present.bytes_per_gaussian - in_sight)

    def _steps(self, *, keyframe: bool) -> int:
        """Steps of this frame: those of every frame, and a share of what keyframes still owe.

        Spreading the work of a keyframe keeps the latency even; where every frame is a keyframe
        the debt settles at `_SPREAD` keyframes and each frame pays for one.
        """
        if keyframe:
            self._owed += self._config.keyframe_iterations
        paid = math.ceil(self._owed / _SPREAD)
        self._owed -= paid
        return self._config.iterations + paid

    def _schedule(self, steps: int) -> list[int]:
        """Keyframe indices to refine against; -1 is the current view.

        A third each: the current view, one of the last eight keyframes, any keyframe.
        """
        count = len(self.keyframes)
        indices = []
        for step in range(steps):
            if step % 3 == 0 or count < 2:
                indices.append(-1)
            elif step % 3 == 1:
                indices.append(count - 1 - int(self._rng.integers(0, min(8, count))))
            else:
                indices.append(int(self._rng.integers(count)))
        return indices

    def _current_or(self, index: int, view: View) -> View:
        return view if index < 0 else self.keyframes.views[index]

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
