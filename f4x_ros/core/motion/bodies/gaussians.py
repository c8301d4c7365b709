# SPDX-License-Identifier: Apache-2.0
"""The Gaussians of bodies: which they are, and where they are carried to."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.base import on_host
from f4x_ros.core.field import NO_BODY, BodyPaths, GaussianSet
from f4x_ros.core.motion.bodies.labels import widened
from f4x_ros.core.motion.bodies.picture import Mask
from f4x_ros.core.motion.bodies.sight import Sight

_ON_M = 0.06  # from a surface that a Gaussian on it may be
_RIM_PX = 3  # from the pixels of a body that its Gaussians may lie


def among(present: GaussianSet, bodies: Iterable[int]) -> Tensor:
    """Mask [N] of the Gaussians of some bodies."""
    owners = present["body_ids"]
    return torch.isin(owners, torch.tensor(list(bodies), dtype=owners.dtype, device=owners.device))


def adopt(present: GaussianSet, body: int, sight: Sight, mask: Mask) -> None:
    """Gaussians on the surface that a mask [H, W] of a frame shows are of a body."""
    (means,) = on_host(present["means"])
    on, inside = sight.shows(means, mask, _ON_M)
    _give(present, np.flatnonzero(on & inside), body)


def take(present: GaussianSet, body: int, rows: NDArray[np.bool_], since_s: float) -> None:
    """Some Gaussians (mask [N]) are of a body, which was where they are at a time."""
    at = _give(present, np.flatnonzero(rows), body)
    present["placed_s"][at] = since_s


def join(present: GaussianSet, part: int, whole: int) -> None:
    """Gaussians of one body are of another."""
    owners = present["body_ids"]
    owners.masked_fill_(owners == part, whole)


def carry(present: GaussianSet, paths: BodyPaths, time_s: float) -> None:
    """Bring the Gaussians of all bodies to where those are at a time."""
    moved = paths.moved(present, time_s)
    if moved is not None:
        present["means"] = moved.means(present["means"])
        present["quats"] = moved.turned(present["quats"])
    present["placed_s"] = torch.full_like(present["placed_s"], time_s)


def let_go(present: GaussianSet, bodies: Collection[int], sight: Sight) -> None:
    """Gaussians of some bodies that lie on what is not the body's are taken from it."""
    rows = among(present, bodies).nonzero()[:, 0]
    if not len(rows):
        return
    owners = present["body_ids"]
    means, ids = on_host(present["means"][rows], owners[rows])
    stray = np.zeros(len(ids), bool)
    for body in np.intersect1d(ids, sight.taken).tolist():
        mine = np.flatnonzero(ids == body)
        on, inside = sight.shows(means[mine], widened(sight.taken == body, _RIM_PX))
        stray[mine] = on & ~inside
    owners[rows[torch.from_numpy(np.flatnonzero(stray)).to(rows.device)]] = NO_BODY


def _give(present: GaussianSet, rows: NDArray[np.intp], body: int) -> Tensor:
    at = torch.from_numpy(rows).to(present["body_ids"].device)
    present["body_ids"][at] = body
    return at
