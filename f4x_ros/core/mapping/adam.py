# SPDX-License-Identifier: Apache-2.0
"""Adam on the Gaussians that were seen, with a step count of its own for each.

Rows that were not seen keep their parameters and moments (as gsplat's SelectiveAdam, after
Mallick et al., "Taming 3DGS", 2024), so nothing drifts while the camera looks elsewhere.
"""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import torch
from torch import Tensor

from f4x_ros.core.field import PARAMETER_WIDTHS, PARAMETERS, GaussianSet
from f4x_ros.core.render import native

LEARNING_RATES = {
    "means": 1.5e-3,  # metres
    "quats": 6e-3,
    "log_scales": 3e-2,
    "logit_opacities": 6e-2,
    "colors": 9e-3,
}
BETAS = (0.9, 0.99)
EPS = 1e-15  # as gsplat: gradients of a mean over pixels are tiny
FALL = 0.999
"""Share of a second moment that a step leaves of it at least.

It rises by `BETAS` and falls ten times as slowly, between Adam and AMSGrad (Reddi et al., "On the
Convergence of Adam and Beyond", 2018): a view from afar, whose gradients are small, would otherwise
soon make steps as long as those of the views that a Gaussian was fitted to.
"""


class Drawn(NamedTuple):
    """Some rows of a table as they are drawn, or gradients of that; K rows each."""

    means: Tensor  # [K, 3] metres
    quats: Tensor  # [K, 4] wxyz
    scales: Tensor  # [K, 3] metres
    opacities: Tensor  # [K] 0..1
    colors: Tensor  # [K, 3]

    @classmethod
    def of(cls, gaussians: GaussianSet, rows: Tensor, *, compiled: bool = False) -> Drawn:
        """Rows [K] of a table; with `compiled` in one pass, float32 on the CPU."""
        if compiled:
            return cls._gathered(gaussians, rows)
        return cls(
            gaussians["means"][rows],
            gaussians["quats"][rows],
            gaussians["log_scales"][rows].exp_(),
            gaussians["logit_opacities"][rows].sigmoid_(),
            gaussians["colors"][rows],
        )

    @classmethod
    def _gathered(cls, gaussians: GaussianSet, rows: Tensor) -> Drawn:
        drawn = cls(
            *(
                torch.empty((len(rows), *gaussians[name].shape[1:]), dtype=torch.float32)
                for name in PARAMETERS
            )
        )
        given = native.Gather(
            len(rows),
            rows.data_ptr(),
            *(gaussians[name].data_ptr() for name in PARAMETERS),
            *(one.data_ptr() for one in drawn),
            torch.get_num_threads(),
        )
        native.library().call("f4x_gather_f32", ctypes.byref(given))
        return drawn


@torch.no_grad()
def adam_step(gaussians: GaussianSet, rows: Tensor, drawn: Drawn, gradients: Drawn) -> None:
    """Update the parameters and moments of some rows, in torch, without asking the device back.

    Args:
        gaussians: the table.
        rows: [K] indices, each once; those whose colours have no gradient were not seen.
        drawn: of the rows, before the step.
        gradients: of the loss in them.
    """
    b1, b2 = BETAS
    seen = (gradients.colors != 0).any(-1)
    steps = gaussians["steps"][rows] + seen
    # Bias correction of both moments in one factor per row
    correction = (1 - b2**steps).sqrt() / (1 - b1**steps).clamp(min=1 - b1)
    flat = (
        gradients.means,
        gradients.quats,
        gradients.scales * drawn.scales,
        (gradients.opacities * drawn.opacities * (1 - drawn.opacities))[:, None],
        gradients.colors,
    )
    g = torch.cat(flat, 1)
    old_m, old_v = gaussians["adam_m"][rows], gaussians["adam_v"][rows]
    m, v = torch.lerp(g, old_m, b1), torch.lerp(g.square(), old_v, b2).maximum(FALL * old_v)
    step = torch.where(seen[:, None], m / (v.sqrt() + EPS) * correction[:, None], 0)
    gaussians["steps"][rows] = steps
    gaussians["adam_m"][rows] = torch.where(seen[:, None], m, old_m)
    gaussians["adam_v"][rows] = torch.where(seen[:, None], v, old_v)
    for name, part in zip(PARAMETERS, torch.split(step, list(PARAMETER_WIDTHS), 1), strict=True):
        target = gaussians[name]
        target.index_add_(0, rows, part.view(-1, *target.shape[1:]), alpha=-LEARNING_RATES[name])


def native_adam_step(gaussians: GaussianSet, rows: Tensor, drawn: Drawn, gradients: Drawn) -> None:
    """`adam_step` in one compiled pass over memory; float32 on the CPU, dense."""
    step = native.Refine(
        count=len(rows),
        rows=rows.data_ptr(),
        **{name: gaussians[name].data_ptr() for name in PARAMETERS},
        steps=gaussians["steps"].data_ptr(),
        m=gaussians["adam_m"].data_ptr(),
        v=gaussians["adam_v"].data_ptr(),
        moments=sum(PARAMETER_WIDTHS),
        scales=drawn.scales.data_ptr(),
        opacities=drawn.opacities.data_ptr(),
        **{f"g_{name}": value.data_ptr() for name, value in gradients._asdict().items()},
        rates=(ctypes.c_float * 5)(*LEARNING_RATES.values()),
        beta1=BETAS[0],
        beta2=BETAS[1],
        eps=EPS,
        fall=FALL,
        threads=torch.get_num_threads(),
    )
    native.library().call("f4x_refine_f32", ctypes.byref(step))
