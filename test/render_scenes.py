# SPDX-License-Identifier: Apache-2.0
"""Small scenes for the tests of the renderer."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass
class Scene:
    """Gaussians and a camera, in the order of `render`'s arguments."""

    means: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    colors: Tensor
    viewmat: Tensor
    K: Tensor
    width: int
    height: int

    def args(self) -> tuple:
        return tuple(getattr(self, f.name) for f in fields(self))

    def uplift_args(self) -> tuple:
        return tuple(getattr(self, f.name) for f in fields(self) if f.name != "colors")

    def to(self, dtype: torch.dtype) -> Scene:
        tensors = {n: t.to(dtype) for n, t in vars(self).items() if isinstance(t, Tensor)}
        return replace(self, **tensors)


def cloud(
    n: int = 90,
    *,
    channels: int = 3,
    width: int = 30,
    height: int = 27,
    seed: int = 0,
    size: float = 0.08,
    dtype: torch.dtype = torch.float64,
) -> Scene:
    """A cloud two metres ahead: opaque and faint, beside and behind the camera, thin and round."""
    g = torch.Generator().manual_seed(seed)
    rand = lambda *shape: torch.rand(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    means = (rand(n, 3) - 0.5) * torch.tensor([3.0, 2.6, 2.0]) + torch.tensor([0.0, 0.0, 2.0])
    means[: n // 15, 2] -= 3.0  # behind
    scales = size * 10 ** (rand(n, 3) * 1.2 - 0.9)
    opacities = rand(n) * 0.95 + 0.02
    opacities[: n // 8] = 0.9995  # clamped
    angle = torch.tensor(0.1, dtype=torch.float64)
    viewmat = torch.eye(4, dtype=torch.float64)
    viewmat[0, 0] = viewmat[2, 2] = torch.cos(angle)
    viewmat[0, 2], viewmat[2, 0] = torch.sin(angle), -torch.sin(angle)
    viewmat[:3, 3] = torch.tensor([0.05, -0.03, 0.1])
    f = 0.8 * width
    K = torch.tensor([[f, 0, width / 2 - 0.7], [0, 1.1 * f, height / 2 + 0.4], [0, 0, 1]])
    quats = torch.randn(n, 4, generator=g, dtype=torch.float64)
    colors = torch.randn(n, channels, generator=g, dtype=torch.float64)
    return Scene(means, quats, scales, opacities, colors, viewmat, K, width, height).to(dtype)


def quaternion_product(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton product of wxyz quaternions."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        -1,
    )


def covariance_2d(f: float, scale: float, z: float, eps2d: float = 0.3) -> float:
    """Variance in px^2 of a round Gaussian on the optical axis."""
    return (f * scale / z) ** 2 + eps2d


def falloff(distance_px: float, variance: float) -> float:
    return math.exp(-0.5 * distance_px**2 / variance)
