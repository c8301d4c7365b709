# SPDX-License-Identifier: Apache-2.0
"""What an edit does to Gaussians: move them by a similarity, or give them another colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from f4x_ros.core.field import Snapshot

RGB = {
    "red": (0.80, 0.08, 0.08), "orange": (0.95, 0.48, 0.06), "yellow": (0.95, 0.82, 0.10),
    "green": (0.12, 0.56, 0.16), "blue": (0.10, 0.24, 0.76), "purple": (0.46, 0.15, 0.62),
    "brown": (0.44, 0.27, 0.13), "black": (0.05, 0.05, 0.05), "white": (0.90, 0.90, 0.89),
    "gray": (0.46, 0.46, 0.47), "pink": (0.94, 0.54, 0.68), "beige": (0.82, 0.73, 0.56),
}  # fmt: skip
"""sRGB that stands for a colour word."""

_SHADE = (0.15, 1.6)  # light of a Gaussian relative to the thing's, kept within

Matrix = NDArray[np.float64]


def joined(parts: Sequence[Snapshot]) -> Snapshot:
    """The Gaussians of several snapshots, one after the other."""
    if len(parts) == 1:
        return parts[0]
    names = [one.name for one in fields(Snapshot)]
    return Snapshot(**{n: torch.cat([getattr(part, n) for part in parts]) for n in names})


def made_beside(
    others: Snapshot,
    means: NDArray[np.floating],
    colors: NDArray[np.floating],
    scales: Tensor,
    quat: Sequence[float],
    opacity: float,
) -> Snapshot:
    """New Gaussians that were always there, each with the features of another.

    Args:
        others: whose features they take, one for each.
        means: [N, 3] metres, map frame.
        colors: [N, 3] 0..1.
        scales: [N, 3] metres.
        quat: wxyz of all of them.
        opacity: of all of them, 0..1.
    """
    like, count = others.means, len(means)
    return replace(
        others,
        means=torch.from_numpy(means).to(like),
        quats=like.new_tensor(quat).expand(count, 4).clone(),
        scales=scales,
        opacities=like.new_full((count,), opacity),
        colors=torch.from_numpy(colors).to(like),
        object_ids=torch.zeros_like(others.object_ids),
        body_ids=torch.zeros_like(others.body_ids),
        birth_s=torch.full_like(others.birth_s, -torch.inf),
    )


def moved(part: Snapshot, transform: Matrix, scale: float) -> Snapshot:
    """Gaussians under a similarity [4, 4] of the map frame."""
    T = torch.from_numpy(np.asarray(transform, np.float64)).to(part.means.device)
    turn = np.asarray(transform, np.float64)[:3, :3] / scale
    x, y, z, w = Rotation.from_matrix(turn).as_quat().tolist()
    means = part.means.double() @ T[:3, :3].T + T[:3, 3]
    return replace(
        part,
        means=means.float(),
        quats=_product((w, x, y, z), part.quats),
        scales=part.scales * scale,
    )


def _product(q: tuple[float, float, float, float], quats: Tensor) -> Tensor:
    """Hamilton product q * quats [N, 4], wxyz."""
    w, x, y, z = q
    a, b, c, d = quats.unbind(-1)
    return torch.stack(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ],
        -1,
    )


def painted(part: Snapshot, color: Sequence[float]) -> Snapshot:
    """Gaussians in a new colour (sRGB), each as light or dark against the others as it was."""
    if not len(part):
        return part
    own = _linear(part.colors.clamp(0, 1)) @ part.colors.new_tensor([0.2126, 0.7152, 0.0722])
    usual = own.quantile(0.6).clamp(min=1e-3)
    shade = (own / usual).clamp(*_SHADE)
    target = _linear(part.colors.new_tensor(tuple(color)))
    return replace(part, colors=_srgb((target * shade[:, None]).clamp(0, 1)))


def _linear(srgb: Tensor) -> Tensor:
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _srgb(linear: Tensor) -> Tensor:
    bent = 1.055 * linear.clamp(min=1e-9) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, bent)


def about(pivot: ArrayLike, turn: Matrix, scale: float, shift: ArrayLike) -> Matrix:
    """[4, 4]: turn and scale about a point, then shift."""
    T = np.eye(4)
    T[:3, :3] = scale * turn
    p = np.asarray(pivot, np.float64)
    T[:3, 3] = p - T[:3, :3] @ p + np.asarray(shift, np.float64)
    return T
