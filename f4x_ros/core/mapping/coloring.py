# SPDX-License-Identifier: Apache-2.0
"""Colours that a new view asks for, without gradients: what it drew too dark is made brighter."""

from __future__ import annotations

import torch
from torch import Tensor

from f4x_ros.core.field import GaussianSet
from f4x_ros.core.observe import View, unexposed
from f4x_ros.core.render import render, uplift

_NEW, _KNOWN = 1.0, 0.2  # shares of the way that colours go, of Gaussians just inserted and others
_LEAST_PX = 0.05  # pixels that a Gaussian draws; of fewer, a view says nothing


@torch.no_grad()
def recolor(present: GaussianSet, view: View, backend: str) -> Tensor:
    """Move the colours of Gaussians towards those that a view has where they are drawn.

    Each takes up the mean of the differences at the pixels it draws, weighted by its share in them:
    one round of the simultaneous reconstruction of tomography (Andersen and Kak, 1984), which needs
    no step size. A Gaussian takes the colour of one pixel when it is inserted and draws many, among
    its neighbours; the optimiser would need dozens of steps to put that right.

    Args:
        present: the Gaussians that are there at the view's time.
        view: the new one.
        backend: rasteriser, resolved.

    Returns:
        How many pixels [N] of the view each Gaussian draws, in sum.
    """
    shape = (present["means"], present["quats"], present.scales, present.opacities)
    camera = (view.viewmat, view.K, *view.size)
    out = render(*shape, present["colors"], *camera, backend=backend)
    apart = unexposed(view, out.alpha) - out.image
    total, weight = uplift(*shape, *camera, apart, backend=backend)
    share = torch.where(present["steps"] == 0, _NEW, _KNOWN)
    share = torch.where(weight > _LEAST_PX, share / weight.clamp(min=_LEAST_PX), 0)
    present["colors"].addcmul_(total, share[:, None])
    return weight
