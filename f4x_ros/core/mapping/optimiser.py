# SPDX-License-Identifier: Apache-2.0
"""Gradient steps on the present Gaussians against one view at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from f4x_ros.core.field import PARAMETERS, GaussianField, GaussianSet
from f4x_ros.core.mapping.adam import adam_step
from f4x_ros.core.observe import View
from f4x_ros.core.observe import exposure as exposures
from f4x_ros.core.render import render

_SQUARED_WEIGHT = 5.0  # of the squared colour error beside the absolute one
_DEPTH_WEIGHT = 0.5  # of the relative depth error
_ALPHA_WEIGHT = 0.02  # of transparency: every pixel sees a surface


def optimise_view(field: GaussianField, view: View, backend: str) -> float:
    """One step of the Gaussians valid at the view's time, and of its exposure; returns the loss.

    What has died since takes part as a constant, so that a thing that moved away still explains
    the view it was seen in.
    """
    present = field.present
    valid = present.valid_at(view.time_s)
    leaves = {name: present[name].detach().requires_grad_() for name in PARAMETERS}
    values = view.exposure.values.detach().requires_grad_(view.exposure.learn)
    loss = view_loss(_render(leaves, valid, field.past, view, backend), view, values)
    targets = [*leaves.values(), *([values] if view.exposure.learn else [])]
    gradients = torch.autograd.grad(loss, targets)
    by_name = dict(zip(PARAMETERS, gradients, strict=False))
    adam_step(present, by_name, (by_name["colors"] != 0).any(-1))
    if view.exposure.learn:
        view.exposure.step(gradients[-1])
    return float(loss.detach())


def _render(
    leaves: dict[str, Tensor], valid: Tensor, past: GaussianSet, view: View, backend: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Colour [H, W, 3], accumulated depth [H, W] and alpha [H, W] at the view's time."""
    means, quats, colors = leaves["means"], leaves["quats"], leaves["colors"]
    scales = leaves["log_scales"].exp()
    opacities = torch.sigmoid(leaves["logit_opacities"]) * valid
    gone = past.valid_at(view.time_s).nonzero()[:, 0]
    if len(gone):
        means = torch.cat([means, past["means"][gone]])
        quats = torch.cat([quats, past["quats"][gone]])
        scales = torch.cat([scales, past["log_scales"][gone].exp()])
        opacities = torch.cat([opacities, torch.sigmoid(past["logit_opacities"][gone])])
        colors = torch.cat([colors, past["colors"][gone]])
    width, height = view.size
    out = render(
        means,
        quats,
        scales,
        opacities,
        colors,
        view.viewmat,
        view.K,
        width,
        height,
        backend=backend,
    )
    return out.image, out.depth, out.alpha


def view_loss(rendered: tuple[Tensor, Tensor, Tensor], view: View, exposure: Tensor) -> Tensor:
    """Colour, relative depth where measured, and opacity.

    Args:
        rendered: colour [H, W, 3], accumulated depth [H, W], alpha [H, W].
        view: what was seen.
        exposure: gain and offset [2, 3].
    """
    color, depth, alpha = rendered
    error = exposures.apply(exposure, color, alpha) - view.rgb
    color_loss = error.abs().mean() + _SQUARED_WEIGHT * error.square().mean()
    expected = depth / alpha.clamp(min=0.05)
    relative = (expected - view.depth).abs() / view.depth.clamp(min=0.3)
    depth_loss = (relative * (view.depth > 0)).mean()
    return color_loss + _DEPTH_WEIGHT * depth_loss + _ALPHA_WEIGHT * (1 - alpha).mean()
