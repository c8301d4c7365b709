# SPDX-License-Identifier: Apache-2.0
"""2D features into the field: each Gaussian's latent is the average of the pixels it drew.

The alpha-weighted average over views needs no gradient descent (as Marrie et al., "LUDVIG", 2024,
and Cheng et al., "Occam's LGS", 2024): one transposed pass of the rasteriser per frame.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from f4x_ros.core.features.base import FeatureExtractor, PromptedExtractor
from f4x_ros.core.features.codec import LatentCodec
from f4x_ros.core.features.heads import Heads
from f4x_ros.core.gaussians import GaussianSet
from f4x_ros.core.mapping.views import View
from f4x_ros.core.render import uplift

MAX_WEIGHT = 200.0  # pixels behind a latent are counted up to this, so that it can still change
_SEEN_WEIGHT = 0.2  # pixels a Gaussian must draw to count as observed


class Distiller:
    """Keeps the latents of a field's Gaussians up to date with the features of 2D models.

    Args:
        heads: the models.
        latent_dim: D, numbers per latent.
        backend: rasteriser, resolved.
    """

    def __init__(self, heads: Heads, latent_dim: int, backend: str) -> None:
        self.heads = heads
        self.codec = LatentCodec(sum(heads.dims), latent_dim)
        self._backend = backend

    @property
    def words(self) -> FeatureExtractor:
        """The extractor that is asked in words."""
        return self.heads.words

    @property
    def prompted(self) -> PromptedExtractor | None:
        """The extractor that answers clicks and boxes, if there is one."""
        return self.heads.prompted

    @property
    def latent_dim(self) -> int:
        """D, numbers per latent."""
        return self.codec.latent_dim

    def decode(self, latents: Tensor, head: str | None = None) -> Tensor:
        """Latents [..., D] to features [..., C] of one head.

        Args:
            latents: of Gaussians, or rendered and divided by alpha.
            head: name of the extractor; None = that of `words`.

        Raises:
            ValueError: there is no such head, or the latents have another size.
        """
        index = self.heads.index(head)
        first = sum(self.heads.dims[:index])
        return self.codec.decode(latents)[..., first : first + self.heads.dims[index]]

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
        maps = self.heads.dense(view.rgb.permute(2, 0, 1))
        size = max((tuple(one.shape[1:]) for one in maps), key=lambda s: s[0] * s[1])
        features = torch.cat([_resized(one, size) for one in maps])
        flat = features.flatten(1).T
        self.codec.observe(flat)
        latents = self.codec.encode(flat).T.reshape(-1, *size)
        width, height = view.size
        return _resized(latents, (height, width)).permute(1, 2, 0).contiguous()


def _resized(image: Tensor, size: tuple[int, ...]) -> Tensor:
    """[C, h, w] to a size (height, width)."""
    if image.shape[1:] == size:
        return image
    return interpolate(image[None], size, mode="bilinear", align_corners=False)[0]
