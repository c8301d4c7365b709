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


def view_loss(
    color: Tensor,
    depth: Tensor,
    alpha: Tensor,
    view: View,
    exposure: Tensor,
    absent: Tensor | None = None,
) -> Tensor:
    """The loss, a number: means over all pixels, to which those that are absent add nothing.

    Args:
        color: rendered [H, W, 3].
        depth: accumulated [H, W], metres.
        alpha: [H, W].
        view: what was seen.
        exposure: gain and offset [2, 3].
        absent: [H, W] mask of pixels that do not count.
    """
    counts = torch.ones_like(alpha) if absent is None else (~absent).to(alpha)
    error = (apply(exposure, color, alpha) - view.rgb) * counts[..., None]
    color_loss = error.abs().mean() + SQUARED_WEIGHT * error.square().mean()
    expected = depth / alpha.clamp(min=_LEAST_ALPHA)
    relative = (expected - view.depth).abs() / view.depth.clamp(min=_LEAST_DEPTH_M)
    depth_loss = (relative * (view.depth > 0) * counts).mean()
    clear = ((1 - alpha) * counts).mean()
    return color_loss + DEPTH_WEIGHT * depth_loss + ALPHA_WEIGHT * clear


class LossGradients(NamedTuple):
    """The loss and its gradients in what `view_loss` takes."""

    loss: float
    color: Tensor  # [H, W, 3]
    depth: Tensor  # [H, W]
    alpha: Tensor  # [H, W]
    exposure: Tensor  # [2, 3]


def loss_gradients(
    color: Tensor,
    depth: Tensor,
    alpha: Tensor,
    view: View,
    exposure: Tensor,
    absent: Tensor | None = None,
) -> LossGradients:
    """`view_loss` with its gradients; float32 on the CPU, dense."""
    values = exposure.detach().to(torch.float32).contiguous()
    if absent is None:
        return _gradients(color, depth, alpha, view.rgb8, view.depth, values)
    nothing = LossGradients(0.0, *(torch.zeros_like(t) for t in (color, depth, alpha, values)))
    counted = ~absent
    if not counted.any():
        return nothing
    seen = view.rgb8[counted], view.depth[counted]
    some = _gradients(color[counted], depth[counted], alpha[counted], *seen, values)
    share = float(counted.float().mean())
    for target, part in zip(nothing[1:4], some[1:4], strict=True):
        target[counted] = share * part
    return nothing._replace(loss=share * some.loss, exposure=share * some.exposure)


def _gradients(
    color: Tensor, depth: Tensor, alpha: Tensor, rgb8: Tensor, seen: Tensor, exposure: Tensor
) -> LossGradients:
    """Of any number of pixels."""
    given = [one.contiguous() for one in (color, depth, alpha, rgb8, seen, exposure)]
    gradients = tuple(torch.empty_like(t) for t in (color, depth, alpha, exposure))
    work = native.Loss(
        alpha.numel(),
        *(one.data_ptr() for one in given),
        SQUARED_WEIGHT,
        DEPTH_WEIGHT,
        ALPHA_WEIGHT,
        torch.get_num_threads(),
    )
    loss = ctypes.c_double()
    pointers = (ctypes.c_void_p(t.data_ptr()) for t in gradients)
    native.library().call("f4x_loss_f32", ctypes.byref(work), *pointers, ctypes.byref(loss))
    return LossGradients(loss.value, *gradients)
