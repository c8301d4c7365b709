# SPDX-License-Identifier: Apache-2.0
"""Adam on the Gaussians that were seen, with a step count of its own for each.

Rows that were not seen keep their parameters and moments (as gsplat's SelectiveAdam, after
Mallick et al., "Taming 3DGS", 2024), so nothing drifts while the camera looks elsewhere.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

import torch
from torch import Tensor

from f4x_ros.core.field import PARAMETER_WIDTHS, PARAMETERS, GaussianSet
from f4x_ros.core.render import native

LEARNING_RATES = {
    "means": 1e-3,  # metres
    "quats": 4e-3,
    "log_scales": 2e-2,
    "logit_opacities": 4e-2,
    "colors": 6e-3,
}
BETAS = (0.9, 0.99)
EPS = 1e-15  # as gsplat: gradients of a mean over pixels are tiny


@torch.no_grad()
def adam_step(gaussians: GaussianSet, gradients: Mapping[str, Tensor], visible: Tensor) -> None:
    """Update the parameters and moments of the visible rows in place.

    Args:
        gaussians: N rows.
        gradients: for each of `PARAMETERS`, in the shape of its column.
        visible: mask [N] bool.
    """
    steps = gaussians["steps"].add_(visible)
    b1, b2 = BETAS
    # Bias correction of both moments in one factor per row
    correction = (1 - b2**steps).sqrt_() / (1 - b1**steps)
    if gaussians["means"].device.type == "cpu" and _native_available():
        _native_step(gaussians, gradients, visible, correction)
    else:
        torch_step(gaussians, gradients, visible, correction)


def _native_available() -> bool:
    try:
        native.library()
    except native.NativeError:
        return False
    return True


def _native_step(
    gaussians: GaussianSet,
    gradients: Mapping[str, Tensor],
    visible: Tensor,
    correction: Tensor,
) -> None:
    """One pass over memory per parameter, in the compiled library."""
    m, v = gaussians["adam_m"], gaussians["adam_v"]
    column = 0
    for name, width in zip(PARAMETERS, PARAMETER_WIDTHS, strict=True):
        gradient = gradients[name].contiguous()
        step = native.Adam(
            rows=len(gaussians),
            width=width,
            moment_stride=m.shape[1],
            visible=visible.data_ptr(),
            correction=correction.data_ptr(),
            learning_rate=LEARNING_RATES[name],
            beta1=BETAS[0],
            beta2=BETAS[1],
            eps=EPS,
            threads=torch.get_num_threads(),
        )
        arrays = [
            ctypes.c_void_p(address)
            for address in (
                gaussians[name].data_ptr(),
                gradient.data_ptr(),
                m.data_ptr() + column * m.element_size(),
                v.data_ptr() + column * v.element_size(),
            )
        ]
        native.library().call("f4x_adam_f32", ctypes.byref(step), *arrays)
        column += width


def torch_step(
    gaussians: GaussianSet,
    gradients: Mapping[str, Tensor],
    visible: Tensor,
    correction: Tensor,
) -> None:
    """The same in torch: on GPUs, where no compiler was, and as the specification in tests."""
    b1, b2 = BETAS
    rows = visible.nonzero()[:, 0]
    flat = [
        gradients[name].reshape(-1, width)
        for name, width in zip(PARAMETERS, PARAMETER_WIDTHS, strict=True)
    ]
    g = torch.cat(flat, 1)[rows]
    m = torch.lerp(g, gaussians["adam_m"][rows], b1)
    v = torch.lerp(g.square(), gaussians["adam_v"][rows], b2)
    gaussians["adam_m"][rows] = m
    gaussians["adam_v"][rows] = v
    step = m / (v.sqrt() + EPS) * correction[rows, None]
    parts = torch.split(step, list(PARAMETER_WIDTHS), 1)
    for name, part in zip(PARAMETERS, parts, strict=True):
        target = gaussians[name]
        target.index_add_(0, rows, part.view(-1, *target.shape[1:]), alpha=-LEARNING_RATES[name])
