# SPDX-License-Identifier: Apache-2.0
"""The compiled CPU backend as an autograd function."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import once_differentiable

from f4x_ros.core.render import native
from f4x_ros.core.render.output import RenderOutput

if TYPE_CHECKING:
    from torch import Tensor

_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}


def _gaussians(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor | None,
    channels: int,
) -> native.Gaussians:
    return native.Gaussians(
        means.shape[0],
        channels,
        means.data_ptr(),
        quats.data_ptr(),
        scales.data_ptr(),
        opacities.data_ptr(),
        None if colors is None else colors.data_ptr(),
    )


def _view(
    viewmat: Tensor, K: Tensor, width: int, height: int, near: float, eps2d: float, keep: bool
) -> native.View:
    return native.View(
        viewmat.data_ptr(), K.data_ptr(), width, height, near, eps2d, torch.get_num_threads(), keep
    )


def _forward(
    tensors: tuple[Tensor, ...],
    size: tuple[int, int],
    near: float,
    eps2d: float,
    plan: native.Plan | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Render dense tensors (means .. K); with a plan, leave in it what the backward pass needs."""
    means, quats, scales, opacities, colors, viewmat, K = tensors
    width, height = size
    image = means.new_empty(height, width, colors.shape[1])
    depth, alpha = means.new_empty(height, width), means.new_empty(height, width)
    library = native.library() if plan is None else plan.library
    library.call(
        f"f4x_forward_{_SUFFIX[means.dtype]}",
        ctypes.byref(_gaussians(means, quats, scales, opacities, colors, colors.shape[1])),
        ctypes.byref(_view(viewmat, K, width, height, near, eps2d, plan is not None)),
        ctypes.c_void_p(image.data_ptr()),
        ctypes.c_void_p(depth.data_ptr()),
        ctypes.c_void_p(alpha.data_ptr()),
        None if plan is None else ctypes.byref(plan.handle),
    )
    return image, depth, alpha


Backward = Callable[["Tensor | None", "Tensor | None", "Tensor | None"], "tuple[Tensor, ...]"]


def render_for_gradients(
    means: Tensor,  # [N, 3]
    quats: Tensor,  # [N, 4]
    scales: Tensor,  # [N, 3]
    opacities: Tensor,  # [N]
    colors: Tensor,  # [N, C]
    viewmat: Tensor,  # [4, 4]
    K: Tensor,  # [3, 3]
    width: int,
    height: int,
    near: float = 0.01,
    eps2d: float = 0.3,
) -> tuple[RenderOutput, Backward]:
    """`render` without autograd: images, and what turns their gradients into those of Gaussians.

    The second takes those of image, depth and alpha (None = zero) once, and returns those of means,
    quats, scales, opacities and colors.
    """
    tensors = tuple(t.contiguous() for t in (means, quats, scales, opacities, colors, viewmat, K))
    plan = native.Plan(native.library())
    out = RenderOutput(*_forward(tensors, (width, height), near, eps2d, plan))

    def backward(
        g_image: Tensor | None, g_depth: Tensor | None, g_alpha: Tensor | None
    ) -> tuple[Tensor, ...]:
        gradients = [torch.zeros_like(t) for t in tensors[:5]]
        incoming = (g_image, g_depth, g_alpha)
        _backward(tensors, (width, height), near, eps2d, plan, incoming, [*gradients, None])
        return tuple(gradients)

    return out, backward


def _backward(
    tensors: tuple[Tensor, ...],
    size: tuple[int, int],
    near: float,
    eps2d: float,
    plan: native.Plan,
    incoming: Sequence[Tensor | None],
    gradients: Sequence[Tensor | None],
) -> None:
    """Add to the gradients of means .. colors and of the first three rows of viewmat (float64)."""
    means, quats, scales, opacities, colors, viewmat, K = tensors
    dense = [None if g is None else g.contiguous() for g in incoming]
    plan.library.call(
        f"f4x_backward_{_SUFFIX[means.dtype]}",
        plan.handle,
        ctypes.byref(_gaussians(means, quats, scales, opacities, colors, colors.shape[1])),
        ctypes.byref(_view(viewmat, K, *size, near, eps2d, False)),
        *(ctypes.c_void_p(None if g is None else g.data_ptr()) for g in dense),
        ctypes.byref(native.Gradients(*(None if g is None else g.data_ptr() for g in gradients))),
    )


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *args: Any) -> tuple[Tensor, Tensor, Tensor]:
        *given, width, height, near, eps2d = args
        tensors = tuple(t.contiguous() for t in given)
        plan = native.Plan(native.library())
        out = _forward(tensors, (width, height), near, eps2d, plan)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        ctx.plan = plan
        ctx.options = (width, height, near, eps2d)
        return out

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, g_image: Tensor | None, g_depth: Tensor | None, g_alpha: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        viewmat = tensors[5]
        width, height, near, eps2d = ctx.options
        needs = ctx.needs_input_grad
        grads = [
            torch.zeros_like(t) if need else None
            for t, need in zip(tensors[:5], needs, strict=False)
        ]
        g_view = torch.zeros(3, 4, dtype=torch.float64) if needs[5] else None
        incoming = (g_image, g_depth, g_alpha)
        _backward(tensors, (width, height), near, eps2d, ctx.plan, incoming, [*grads, g_view])
        g_viewmat = None
        if g_view is not None:
            g_viewmat = torch.zeros_like(viewmat)
            g_viewmat[:3] = g_view
        return (*grads, g_viewmat, None, None, None, None, None)


def render(
    means: Tensor,  # [N, 3]
    quats: Tensor,  # [N, 4]
    scales: Tensor,  # [N, 3]
    opacities: Tensor,  # [N]
    colors: Tensor,  # [N, C]
    viewmat: Tensor,  # [4, 4]
    K: Tensor,  # [3, 3]
    width: int,
    height: int,
    near: float,
    eps2d: float,
) -> RenderOutput:
    """`f4x_ros.core.render.render` on the CPU; the arguments are checked there."""
    tensors = (means, quats, scales, opacities, colors, viewmat, K)
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        return RenderOutput(*_Rasterize.apply(*tensors, width, height, near, eps2d))  # type: ignore[no-untyped-call]
    dense = tuple(t.detach().contiguous() for t in tensors)
    return RenderOutput(*_forward(dense, (width, height), near, eps2d, None))


def uplift(
    means: Tensor,  # [N, 3]
    quats: Tensor,  # [N, 4]
    scales: Tensor,  # [N, 3]
    opacities: Tensor,  # [N]
    viewmat: Tensor,  # [4, 4]
    K: Tensor,  # [3, 3]
    width: int,
    height: int,
    features: Tensor,  # [H, W, C]
    weight: Tensor | None,  # [H, W]
    near: float,
    eps2d: float,
) -> tuple[Tensor, Tensor]:
    """`f4x_ros.core.render.uplift` on the CPU, by a kernel of its own."""
    tensors = (means, quats, scales, opacities, viewmat, K, features)
    means, quats, scales, opacities, viewmat, K, features = (
        t.detach().contiguous() for t in tensors
    )
    pixel_weight = None if weight is None else weight.detach().contiguous()
    channels = features.shape[2]
    total = means.new_zeros(means.shape[0], channels)
    total_weight = means.new_zeros(means.shape[0])
    native.library().call(
        f"f4x_uplift_{_SUFFIX[means.dtype]}",
        ctypes.byref(_gaussians(means, quats, scales, opacities, None, channels)),
        ctypes.byref(_view(viewmat, K, width, height, near, eps2d, False)),
        ctypes.c_void_p(features.data_ptr()),
        ctypes.c_void_p(None if pixel_weight is None else pixel_weight.data_ptr()),
        ctypes.c_void_p(total.data_ptr()),
        ctypes.c_void_p(total_weight.data_ptr()),
    )
    return total, total_weight
