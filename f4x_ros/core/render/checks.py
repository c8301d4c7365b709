# SPDX-License-Identifier: Apache-2.0
"""Input checks of the public door: messages name the argument, its value and what was expected."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from torch import Tensor

SIZE_MAX = 32768  # pixels; keeps every pixel index of a tile list inside 32 bits


def check_tensor(
    name: str, value: object, shape: tuple[int | None, ...], like: Tensor | None
) -> None:
    """Raise ValueError unless `value` is a float tensor of `shape` (None: any) and fits `like`."""
    if not isinstance(value, torch.Tensor):
        raise BadInputError(f"{name} is a {type(value).__name__}, expected a torch.Tensor")
    fits = value.dim() == len(shape) and all(
        want is None or have == want for have, want in zip(value.shape, shape, strict=True)
    )
    if not fits:
        want_text = ", ".join("any" if n is None else str(n) for n in shape)
        raise BadInputError(f"{name} has shape {list(value.shape)}, expected [{want_text}]")
    if value.dtype not in (torch.float32, torch.float64):
        raise BadInputError(
            f"{name} has dtype {value.dtype}, expected torch.float32 or torch.float64"
        )
    if like is not None and value.dtype != like.dtype:
        raise BadInputError(f"{name} has dtype {value.dtype}, expected {like.dtype} as means has")
    if like is not None and value.device != like.device:
        raise BadInputError(f"{name} is on {value.device}, expected {like.device} where means is")


def check_size(name: str, value: object) -> None:
    """Raise ValueError unless `value` is an int in 1..SIZE_MAX."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= SIZE_MAX:
        raise BadInputError(f"{name} is {value!r}, expected an int in 1..{SIZE_MAX} (pixels)")


def check_gaussians(means: Tensor, quats: Tensor, scales: Tensor, opacities: Tensor) -> None:
    """Raise ValueError unless the four tensors describe the same N Gaussians."""
    check_tensor("means", means, (None, 3), None)
    n = means.shape[0]
    check_tensor("quats", quats, (n, 4), means)
    check_tensor("scales", scales, (n, 3), means)
    check_tensor("opacities", opacities, (n,), means)


def check_view(
    viewmat: Tensor, K: Tensor, width: int, height: int, near: float, eps2d: float, like: Tensor
) -> None:
    """Raise ValueError unless the camera is a usable pinhole camera on `like`'s device."""
    check_tensor("viewmat", viewmat, (4, 4), like)
    check_tensor("K", K, (3, 3), like)
    if K.requires_grad:
        raise BadInputError(
            "K requires grad, expected a constant: no backend differentiates intrinsics"
        )
    check_size("width", width)
    check_size("height", height)
    if not (math.isfinite(near) and near > 0):
        raise BadInputError(f"near is {near!r}, expected a positive number of metres")
    if not (math.isfinite(eps2d) and eps2d >= 0):
        raise BadInputError(f"eps2d is {eps2d!r}, expected a number of square pixels >= 0")
