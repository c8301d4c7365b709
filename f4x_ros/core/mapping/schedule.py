# SPDX-License-Identifier: Apache-2.0
"""Which views a frame is refined against, and how often."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.config import MappingConfig
from f4x_ros.core.mapping.births import share_in_view
from f4x_ros.core.observe import View

_SPREAD = 4  # frames over which the steps of a keyframe are spread, about
_LATEST = 8  # keyframes that count as the latest
_DRAWN = 8  # keyframes of which the one left alone for longest is taken
_REST = 3  # steps of others before a keyframe has another turn
_ALIKE = 0.2  # share of a view's surface that a keyframe must have in its image to be near it
_PROBES = 16  # rows and columns of pixels that stand for a view's surface


class Schedule:
    """Deals out the steps of frames. The same seed gives the same choice.

    Args:
        config: numbers of steps, and the seed.
    """

    def __init__(self, config: MappingConfig) -> None:
        self._config = config
        self._rng = np.random.default_rng(config.seed)
        self._owed = 0  # steps of keyframes that are still to be done
        self._count = 0  # steps dealt out
        self._dealt: dict[View, int] = {}  # the number of the last step of each view

    def views(
        self,
        view: View,
        near: Sequence[View],
        reachable: Sequence[View],
        *,
        keyframe: bool,
    ) -> list[View]:
        """The views to refine against after a new one, one step each.

        A third each: the new view, one of the latest keyframes near it, and any within reach, of
        some drawn at random that which was left alone for longest. Where a map is not looked at any
        more, the steps for other views slowly spoil it. A keyframe that had its turn a moment ago
        leaves its step to the new view: a few keyframes do not need a share for many.

        Args:
            view: the new one.
            near: keyframes that show what it shows, oldest first, see `near_keyframes`.
            reachable: keyframes of which all is in the working set, oldest first.
            keyframe: whether the new view is one.
        """
        steps = self._steps(keyframe=keyframe)
        if not near or not reachable:
            return [view] * steps
        self._dealt = {one: self._dealt.get(one, -_REST) for one in (*reachable, *near, view)}
        return [self._next(step, view, near, reachable) for step in range(steps)]

    def _next(self, step: int, view: View, near: Sequence[View], reachable: Sequence[View]) -> View:
        chosen = view
        if step % 3 == 1:
            chosen = near[-1 - int(self._rng.integers(0, min(_LATEST, len(near))))]
        elif step % 3 == 2:
            some = self._rng.integers(0, len(reachable), _DRAWN)
            chosen = min((reachable[one] for one in some), key=lambda one: self._dealt[one])
        if self._count - self._dealt[chosen] < _REST:
            chosen = view
        self._count += 1
        self._dealt[chosen] = self._count
        return chosen

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


def near_keyframes(view: View, keyframes: Sequence[View]) -> list[View]:
    """The keyframes that have a fair share of a view's surface in their image, oldest first."""
    surface = probes(view)
    if not len(surface) or not keyframes:
        return []
    alike = (share_in_view(keyframes, surface) >= _ALIKE).tolist()
    return [one for one, own in zip(keyframes, alike, strict=True) if own]


def probes(view: View) -> Tensor:
    """Points [M, 3] of the surface that a view has measured, spread over it, map frame."""
    height, width = view.depth.shape
    rows = torch.arange(_PROBES, device=view.depth.device) * height // _PROBES
    columns = torch.arange(_PROBES, device=view.depth.device) * width // _PROBES
    z = view.depth[rows[:, None], columns]
    c = view.camera
    x = (columns + 0.5 - c.cx) / c.fx * z
    y = (rows[:, None] + 0.5 - c.cy) / c.fy * z
    T = torch.as_tensor(view.T_map_camera, dtype=torch.float32, device=z.device)
    points = torch.stack([x, y, z], -1)[z > 0]
    return points @ T[:3, :3].T + T[:3, 3]
