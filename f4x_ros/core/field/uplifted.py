# SPDX-License-Identifier: Apache-2.0
"""Pixels of a view carried back to the Gaussians that draw them."""

from __future__ import annotations

from torch import Tensor

from f4x_ros.core.data import PinholeCamera
from f4x_ros.core.field.gaussians import GaussianSet
from f4x_ros.core.observe import View
from f4x_ros.core.render import EPS2D, uplift


def uplift_view(
    present: GaussianSet,
    view: View,
    camera: PinholeCamera,
    share: float,
    pixels: Tensor,  # [H, W, C] of the camera, C may be 0
    weights: Tensor | None = None,  # [H, W], 1 if None
    *,
    backend: str,
) -> tuple[Tensor, Tensor]:
    """`uplift` from a camera at the view's place.

    Args:
        present: N Gaussians that are there at the view's time.
        view: from where.
        camera: sees the view, or a part of it, in another resolution.
        share: its pixels over those that the view has for the same.
        pixels: what is carried back.
        weights: of the pixels.
        backend: rasteriser, resolved.

    Returns:
        Weighted sums of the pixels that each Gaussian draws [N, C], and of the weights [N].
    """
    return uplift(
        present["means"],
        present["quats"],
        present.scales,
        present.opacities,
        view.viewmat,
        camera.K_tensor(view.K.device),
        camera.width,
        camera.height,
        pixels,
        weights,
        eps2d=EPS2D * share,
        backend=backend,
    )
