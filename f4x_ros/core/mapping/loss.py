# SPDX-License-Identifier: Apache-2.0
"""How far a rendered view is from what was seen: colour, relative depth, opacity.

`view_loss` in torch says what it is and has gradients on any device; `loss_gradients` is the same
in one compiled pass over the pixels of a CPU.
"""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import torch
from torch import Tensor

from f4x_ros.core.observe import View, apply
from f4x_ros.core.render import native

SQUARED_WEIGHT = 5.0
"""Of the squared colour error beside the absolute one."""

DEPTH_WEIGHT = 0.5
"""Of the relative depth error."""

ALPHA_WEIGHT = 0.02
"""Of transparency: every pixel sees a surface."""

_LEAST_ALPHA, _LEAST_DEPTH_M = 0.05, 0.3  # as in csrc/loss.cpp


def view_loss(color: Tensor, depth: Tensor, alpha: Tensor, view: View, exposure: Tensor) -> Tensor:
    """The loss, a number.

    Args:
        color: rendered [H, W, 3].
        depth: accumulated [H, W], metres.
        alpha: [H, W].
        view: what was seen.
        exposure: gain and offset [2, 3].
    """
    error = apply(exposure, color, alpha) - view.rgb
    color_loss = error.abs().mean() + SQUARED_WEIGHT * error.square().mean()
    expected = depth / alpha.clamp(min=_LEAST_ALPHA)
    relative = (expected - view.depth).abs() / view.depth.clamp(min=_LEAST_DEPTH_M)
    depth_loss = (relative * (view.depth > 0)).mean()
    return color_loss + DEPTH_WEIGHT * depth_loss + ALPHA_WEIGHT * (1 - alpha).mean()


class LossGradients(NamedTuple):
    """The loss and its gradients in what `view_loss` takes."""

    loss: float
    color: Tensor  # [H, W, 3]
    depth: Tensor  # [H, W]
    alpha: Tensor  # [H, W]
    exposure: Tensor  # [2, 3]


def loss_gradients(
    color: Tensor, depth: Tensor, alpha: Tensor, view: View, exposure: Tensor
) -> LossGradients:
    """`view_loss` with its gradients; float32 on the CPU, dense."""
    rgb, seen, values = (
        t.contiguous() for t in (view.rgb8, view.depth, exposure.detach().to(torch.float32))
    )
    gradients = tuple(torch.empty_like(t) for t in (color, depth, alpha, values))
    given = native.Loss(
        alpha.numel(),
        color.data_ptr(),
        depth.data_ptr(),
        alpha.data_ptr(),
        rgb.data_ptr(),
        seen.data_ptr(),
        values.data_ptr(),
        SQUARED_WEIGHT,
        DEPTH_WEIGHT,
        ALPHA_WEIGHT,
        torch.get_num_threads(),
    )
    loss = ctypes.c_double()
    pointers = (ctypes.c_void_p(t.data_ptr()) for t in gradients)
    native.library().call("f4x_loss_f32", ctypes.byref(given), *pointers, ctypes.byref(loss))
    return LossGradients(loss.value, *gradients)
