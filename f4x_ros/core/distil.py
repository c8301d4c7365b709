# SPDX-License-Identifier: Apache-2.0
"""2D features into the field: each Gaussian's latent is the average of the pixels it drew.

The alpha-weighted average over views needs no gradient descent (as Marrie et al., "LUDVIG", 2024,
and Cheng et al., "Occam's LGS", 2024): one transposed pass of the rasteriser per frame.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from f4x_ros.core.features.base import FeatureExtractor
from f4x_ros.core.features.codec import LatentCodec
from f4x_ros.core.gaussians import GaussianSet
from f4x_ros.core.mapping.views import View
from f4x_ros.core.render import uplift

MAX_WEIGHT = 200.0  # pixels behind a latent are counted up to this, so that it can still change
_SEEN_WEIGHT = 0.2  # pixels a Gaussian must draw to count as observed


class Distiller:
    """Keeps the latents of a field's Gaussians up to date with a 2D feature extractor."""

    def __init__(self, extractor: FeatureExtractor, codec: LatentCodec, backend: str) -> None:
        self.extractor = extractor
        self.codec = codec
        self._backend = backend

    @torch.no_grad()
    def observe(self, gaussians: GaussianSet, view: View, *, extract: bool) -> None:
        """Fold one view in; with `extract` False only what was seen is noted."""
        latents = (
            self._latent_image(view) if extract else view.rgb.new_zeros(*view.rgb8.shape[:2], 0)
        )
        total, weight = uplift(
            gaussians["means"],
            gaussians["quats"],
            gaussians.scales,
            gaussians.opacities,
            view.viewmat,
            view.K,
            *view.size,
            latents,
            backend=self._backend,
        )
        seen = weight > _SEEN_WEIGHT
        gaussians["seen_s"] = torch.where(seen, view.time_s, gaussians["seen_s"])
        if extract:
            old = gaussians["latent_weights"][:, None]
            new = old + weight[:, None]
            mean = (gaussians["latents"] * old + total) / new.clamp(min=1e-9)
            gaussians["latents"] = torch.where(new > 0, mean, gaussians["latents"])
            gaussians["latent_weights"] = new[:, 0].clamp(max=MAX_WEIGHT)

    def _latent_image(self, view: View) -> Tensor:
        """[H, W, D] at the view's size."""
        features = self.extractor.dense(view.rgb.permute(2, 0, 1)[None])[0]
        flat = features.flatten(1).T
        self.codec.observe(flat)
        latents = self.codec.encode(flat).T.reshape(1, -1, *features.shape[1:])
        width, height = view.size
        if latents.shape[-2:] != (height, width):
            latents = interpolate(latents, (height, width), mode="bilinear", align_corners=False)
        return latents[0].permute(1, 2, 0).contiguous()
