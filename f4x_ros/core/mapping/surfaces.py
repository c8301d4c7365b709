# SPDX-License-Identifier: Apache-2.0
"""Which cubes of the map the surfaces of views lie in, and so what of a view is not in memory."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from f4x_ros.core.field import cube_codes
from f4x_ros.core.observe import View

_CELL_PX = 4  # one reading speaks for so many rows and columns
_AROUND = (0.95, 1.0, 1.05)  # of a reading: Gaussians of a surface lie on both sides of it


class _Surface(NamedTuple):
    codes: list[int]  # [C] of the cubes
    shares: list[float]  # [C] of the readings that lie in each
    cells: Tensor  # [3, h, w] int16 on the host, which of them: on both sides; -1: no reading


class Surfaces:
    """The cubes of the surface of each view that is worked with.

    Args:
        edge_m: of a cube.
    """

    def __init__(self, edge_m: float) -> None:
        self._edge_m = edge_m
        self._known: dict[View, _Surface] = {}

    def keep(self, views: Iterable[View]) -> None:
        """Forget all other views."""
        self._known = {one: self._known[one] for one in views if one in self._known}

    def share_absent(self, view: View, at_rest: Set[int]) -> float:
        """Share of the surface of a view that lies in blocks at rest, 0..1."""
        codes, shares, _ = self._of(view)
        return sum(share for code, share in zip(codes, shares, strict=True) if code in at_rest)

    def absent(self, view: View, at_rest: Set[int]) -> Tensor | None:
        """Which pixels [H, W] of a view show blocks that are at rest; None: it shows none.

        There is something already, though it is not drawn. Where such a view has no reading, it may
        show anything.
        """
        codes, _, index = self._of(view)
        resting = [code in at_rest for code in codes]
        if not any(resting):
            return None
        cells = torch.tensor([*resting, True])[index.long()].any(0)
        cells = max_pool2d(cells.float()[None], 3, 1, 1)[0] > 0  # Gaussians reach over edges
        whole = cells.repeat_interleave(_CELL_PX, 0).repeat_interleave(_CELL_PX, 1)
        width, height = view.size
        return whole[:height, :width].to(view.depth.device) | (view.depth <= 0)

    def _of(self, view: View) -> _Surface:
        if view not in self._known:
            self._known[view] = self._found(view)
        return self._known[view]

    def _found(self, view: View) -> _Surface:
        depth = view.depth[::_CELL_PX, ::_CELL_PX].cpu()
        T = torch.as_tensor(view.T_map_camera, dtype=torch.float32)
        rays = torch.from_numpy(view.camera.pixel_rays()[::_CELL_PX, ::_CELL_PX]).to(depth)
        ways = depth[..., None] * (rays @ T[:3, :3].T)
        points = torch.stack([share * ways + T[:3, 3] for share in _AROUND])
        cubes = cube_codes(points.view(-1, 3), self._edge_m)
        codes, index = torch.unique(cubes, return_inverse=True)
        index = torch.where(depth > 0, index.view(points.shape[:3]), -1)
        counts = torch.bincount(index[index >= 0], minlength=len(codes)).double()
        shares = counts / counts.sum().clamp(min=1)
        return _Surface(codes.tolist(), shares.tolist(), index.short())
