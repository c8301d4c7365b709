# SPDX-License-Identifier: Apache-2.0
"""Fields of things at two places, and cameras that look at them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.data import Frustum, PinholeCamera
from f4x_ros.core.field import GaussianField
from f4x_ros.core.field import field as field_module

CAMERA = PinholeCamera(64, 48, 50.0, 50.0, 32.0, 24.0)
D = 8


def pose(x: float = 0.0, y: float = 0.0, z: float = 0.0, turn: float = 0.0) -> np.ndarray:
    """A camera at a place, turned about its y axis (0 looks along z)."""
    T = np.eye(4)
    T[:3, :3] = [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    T[:3, 3] = x, y, z
    return T


def looking(x: float = 0.0, far_m: float = 20.0, turn: float = 0.0) -> Frustum:
    return Frustum(CAMERA, pose(x, turn=turn), far_m)


def rows(count: int, around: tuple[float, float, float], seed: int = 0, **more: Tensor):
    """Gaussians within a metre of a place."""
    g = torch.Generator().manual_seed(seed)
    return {
        "means": torch.rand(count, 3, generator=g) - 0.5 + torch.tensor(around),
        "quats": torch.randn(count, 4, generator=g),
        "log_scales": torch.full((count, 3), -4.0),
        "logit_opacities": torch.full((count,), 2.0),
        "colors": torch.rand(count, 3, generator=g),
        "latents": torch.randn(count, D, generator=g).half(),
        "latent_weights": torch.full((count,), 10.0),
        "seen_s": torch.zeros(count, dtype=torch.float64),
        **more,
    }


def sorted_rows(columns: dict[str, Tensor]) -> dict[str, Tensor]:
    order = np.lexsort(columns["means"].numpy().T)
    return {name: value[torch.from_numpy(order)] for name, value in columns.items()}


def two_places(max_bytes: int = 10**8, **options) -> GaussianField:
    """One thing before the first camera, and one far to its right."""
    field = GaussianField(D, max_bytes, **options)
    field.present.append(rows(200, (0.0, 0.0, 3.0)), rows(300, (100.0, 0.0, 3.0), seed=1))
    dead = torch.zeros(500, dtype=torch.bool)
    dead[180:220] = True
    field.retire(dead, 5.0)
    return field


def rest_all_but(field: GaussianField, *frusta: Frustum) -> None:
    for _ in range(field_module._LOOKS):
        field.focus(frusta)
