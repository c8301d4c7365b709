# SPDX-License-Identifier: Apache-2.0
"""The cubes that the Gaussians of a working set lie in: what goes to rest, and what stays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.data import Frustum, met_by_any
from f4x_ros.core.field.cubes import cube_codes
from f4x_ros.core.field.gaussians import GaussianSet

SIGMAS = 3.0
"""A Gaussian's extent in the box of its cube, standard deviations."""

Corners = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Lowest and highest corners [B, 3] of boxes, metres, map frame."""


class Places:
    """The C cubes in which the N Gaussians of a working set lie.

    Args:
        parts: present and past, N together.
        edge_m: of a cube.
    """

    def __init__(self, parts: tuple[GaussianSet, GaussianSet], edge_m: float) -> None:
        self._parts = parts
        codes = torch.cat([cube_codes(part["means"], edge_m) for part in parts])
        found, self.of = torch.unique(codes, return_inverse=True)  # [N] cube of each Gaussian
        self.codes = found.cpu().numpy()

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def nbytes(self) -> NDArray[np.int64]:
        """Bytes [C] of what each holds."""
        row = [torch.full((len(part),), part.bytes_per_gaussian) for part in self._parts]
        held = torch.bincount(self.of.cpu(), torch.cat(row).double(), minlength=len(self))
        return held.long().numpy()

    @cached_property
    def boxes(self) -> Corners:
        """Around all that the Gaussians of each reach."""
        means = torch.cat([part["means"] for part in self._parts])
        scales = torch.cat([part.scales for part in self._parts])
        reach = SIGMAS * scales.amax(1, keepdim=True)
        where, size = self.of[:, None].expand(-1, 3), (len(self), 3)
        low = means.new_full(size, np.inf).scatter_reduce_(0, where, means - reach, "amin")
        high = means.new_full(size, -np.inf).scatter_reduce_(0, where, means + reach, "amax")
        return low.double().cpu().numpy(), high.double().cpu().numpy()

    def seen(self, frusta: Sequence[Frustum]) -> NDArray[np.bool_]:
        """Which [C] the frusta may meet."""
        return met_by_any(list(frusta), *self.boxes)

    def among(self, codes: Collection[int]) -> NDArray[np.bool_]:
        """Which [C] have one of these codes."""
        return np.isin(self.codes, np.fromiter(codes, np.int64, len(codes)))

    def with_any(self, present: Tensor) -> NDArray[np.bool_]:
        """Which [C] hold any of some present Gaussians, a mask."""
        some = np.zeros(len(self), bool)
        some[self.of[: len(present)][present].unique().cpu().numpy()] = True
        return some

    def split(self, cubes: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        """Masks of the present and of the past Gaussians that lie in some cubes [C]."""
        inside = torch.from_numpy(cubes).to(self.of.device)[self.of]
        count = len(self._parts[0])
        return inside[:count], inside[count:]


def worth_keeping(
    boxes: Corners,
    nbytes: NDArray[np.int64],
    needed: NDArray[np.bool_],
    frusta: Sequence[Frustum],
    room: int,
) -> NDArray[np.bool_]:
    """Which of some boxes [B] stay in memory, if not all of them fit.

    What is needed comes first, then what the first camera may see, then what the others may see,
    then the rest; the nearest to the first camera first.

    Args:
        boxes: their corners.
        nbytes: what each takes [B].
        needed: mask [B].
        frusta: of the cameras, at least one, the most important one first.
        room: bytes for all that stay.
    """
    eye = frusta[0].T_map_camera[:3, 3]
    distance = np.linalg.norm(np.clip(eye, *boxes) - eye, axis=1)
    rank = np.full(len(nbytes), 3)
    rank[met_by_any(list(frusta[1:]), *boxes)] = 2
    rank[frusta[0].meets(*boxes)] = 1
    rank[needed] = 0
    order = np.lexsort((distance, rank))
    stays = np.zeros(len(nbytes), bool)
    stays[order[np.cumsum(nbytes[order]) <= room]] = True
    return stays
