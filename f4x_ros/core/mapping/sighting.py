# SPDX-License-Identifier: Apache-2.0
"""When each Gaussian was seen last."""

from __future__ import annotations

import torch
from torch import Tensor

from f4x_ros.core.field import GaussianSet, uplift_view
from f4x_ros.core.observe import View, hidden, reduced

_LEAST_PX = 0.2  # that a Gaussian must draw to count as seen


@torch.no_grad()
def note_seen(present: GaussianSet, view: View, tolerance: float, backend: str) -> None:
    """What draws pixels of a view and is not behind its surface has been seen at its time.

    Args:
        present: the Gaussians that are there at the view's time; its column `seen_s` is written.
        view: what was seen.
        tolerance: depth error of the sensor, share of the depth.
        backend: rasteriser, resolved.
    """
    extent = 2 * present.scales.amax(-1)  # a thin surface lets a share of what is behind it through
    seen = _drawn_px(present, view, backend) > _LEAST_PX
    seen &= ~hidden(view, present["means"], extent, tolerance)
    present["seen_s"] = torch.where(seen, view.time_s, present["seen_s"])


def _drawn_px(present: GaussianSet, view: View, backend: str) -> Tensor:
    """Pixels [N] of a view that each Gaussian draws, in sum; measured at half the resolution."""
    half = view.camera.scaled(0.5)
    share = half.width * half.height / (view.camera.width * view.camera.height)
    nothing = view.depth.new_zeros(*half.shape, 0)
    weights = None
    if view.observed is not None:
        weights = reduced(view.observed, (half.height, half.width))
    _, weight = uplift_view(present, view, half, share, nothing, weights, backend=backend)
    return weight / share
