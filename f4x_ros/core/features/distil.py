# SPDX-License-Identifier: Apache-2.0
"""2D features into the field: each Gaussian's latent is the average of the pixels it drew.

The alpha-weighted average over views needs no gradient descent (as Marrie et al., "LUDVIG", 2024,
and Cheng et al., "Occam's LGS", 2024): one transposed pass of the rasteriser per frame. Pixels at
silhouettes count less, as they show two things, and magnified parts of a frame
(`features.close_looks`) as much more as they come by less often.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from f4x_ros.core.base import round_to_half
from f4x_ros.core.config import MappingConfig
from f4x_ros.core.features.base import Clicks, FeatureExtractor
from f4x_ros.core.features.close_looks import R2
from f4x_ros.core.features.codec import LatentCodec
from f4x_ros.core.features.heads import Heads
from f4x_ros.core.features.silhouettes import pixel_weights
from f4x_ros.core.field import GaussianField, GaussianSet
from f4x_ros.core.observe import View, hidden
from f4x_ros.core.render import uplift

MAX_WEIGHT = 200.0  # pixels behind a latent are counted up to this, so that it can still change
_SEEN_WEIGHT = 0.2  # pixels a Gaussian must draw to count as observed
_MULTIPLICATIONS = 40e6  # what learning the codec from an image may take, about ...
_FEWEST, _MOST = 256, 4096  # ... with at least and at most so many pixels


class Distiller:
    """Keeps the latents of a field's Gaussians up to date with the features of 2D models.

    Args:
        heads: the models.
        latent_dim: D, numbers per latent.
        backend: rasteriser, resolved.
        close_looks: magnified tiles of each frame, for extractors that gain by them.
        depth_tolerance: depth error of the sensor, share of the depth.
    """

    def __init__(
        self,
        heads: Heads,
        latent_dim: int,
        backend: str,
        *,
        close_looks: int = 0,
        depth_tolerance: float = MappingConfig.depth_tolerance,
    ) -> None:
        self.heads = heads
        self._close_looks, self._depth_tolerance = close_looks, depth_tolerance
        moments = [one.moment for one in heads.traits]
        self.codec = LatentCodec(heads.dims, latent_dim, moments)
        self._backend = backend

    @property
    def words(self) -> FeatureExtractor:
        """The extractor that is asked, see `Heads.words`."""
        return self.heads.words

    @property
    def of_things(self) -> bool:
        """Whether features of the extractor that is asked change only between things."""
        return self.words.traits.of_things

    @property
    def prompted(self) -> Clicks | None:
        """The extractor that answers clicks and boxes, if there is one."""
        return self.heads.prompted

    @property
    def latent_dim(self) -> int:
        """D, numbers per latent."""
        return self.codec.latent_dim

    @property
    def cosines(self) -> dict[str, float]:
        """By extractor: mean cosine of its features with what a latent keeps of them.

        Over the last ten images or so; NaN before the first.
        """
        return dict(zip(self.heads.names, self.codec.cosines, strict=True))

    def decode(self, latents: Tensor, head: str | None = None) -> Tensor:
        """Latents [..., D] to features [..., C] of one head.

        Args:
            latents: of Gaussians, or rendered and divided by alpha.
            head: name of the extractor; None = that of `words`.

        Raises:
            ValueError: there is no such head, or the latents have another size.
        """
        return self.codec.decode(latents, self.heads.index(head))

    @torch.no_grad()
    def observe(
        self,
        field: GaussianField,
        view: View,
        *,
        extract: bool,
        picture: NDArray[np.uint8] | None = None,
    ) -> None:
        """Fold one view into the present; with `extract` False only what was seen is noted.

        Args:
            field: its present is taught.
            view: a frame in the resolution of the map.
            extract: whether features are extracted.
            picture: [H', W', 3] the same frame as the camera gave it, for closer looks; None = that
                of the view.
        """
        present = field.present
        pixels, of_pixel = (
            self._pixels(field, view, view.rgb8.cpu().numpy() if picture is None else picture)
            if extract
            else (view.rgb.new_zeros(*view.rgb8.shape[:2], 0), None)
        )
        total, weight = uplift(
            present["means"],
            present["quats"],
            present.scales,
            present.opacities,
            view.viewmat,
            view.K,
            *view.size,
            pixels,
            of_pixel,
            backend=self._backend,
        )
        seen = (total[:, -1] if extract else weight) > _SEEN_WEIGHT
        # A thin surface lets a share of what is behind it through.
        extent = 2 * present.scales.amax(-1)
        seen &= ~hidden(view, present["means"], extent, self._depth_tolerance)
        present["seen_s"] = torch.where(seen, view.time_s, present["seen_s"])
        if extract:
            rows = (weight > 0).nonzero()[:, 0]
            fold(present, rows, total[rows, :-1], weight[rows], self.codec.images)

    def _pixels(
        self, field: GaussianField, view: View, picture: NDArray[np.uint8]
    ) -> tuple[Tensor, Tensor]:
        """What each pixel of the view's size teaches, and how much.

        Returns:
            [H, W, D + 2] latents, their squared length, and what makes the last sum that of pixels
            that count alike; [H, W] how much each pixel counts.
        """
        width, height = view.size
        first = self.codec.images * self._close_looks
        maps, counts = self.heads.look_closer(
            self.heads.dense(view.rgb.permute(2, 0, 1)),
            picture,
            view.size,
            range(first, first + self._close_looks),
        )
        change = self.codec.observe(sample(maps, (height, width), self.codec.images))
        if change is not None:
            field.recode(change)
        known = zip(maps, self.heads.traits, strict=True)
        of_things = [one for one, own in known if own.of_things]
        weights = pixel_weights(of_things, view.depth)
        if counts:
            full = [_resized(count[None], (height, width))[0] for count in counts]
            weights = weights * reduce(torch.maximum, full)
        taught = latent_image(self.codec, maps, (height, width))
        return torch.cat([taught, 1 / weights[..., None]], -1), weights


def fold(
    gaussians: GaussianSet,
    rows: Tensor,  # [M] indices
    total: Tensor,  # [M, D + 1] sums over pixels of latents and of their squared length
    weight: Tensor,  # [M] pixels, above 0
    step: int,
) -> None:
    """Average new pixels into the latents of some Gaussians, and into their variance.

    Means and variances of the old and the new pixels are merged exactly (Chan, Golub & LeVeque,
    1979); the weight of the old is bounded by `MAX_WEIGHT`. `step` is the number of the frame, see
    `round_to_half`.
    """
    old_weight = gaussians["latent_weights"][rows]
    old = gaussians["latents"][rows].float()
    new = total[:, :-1] / weight[:, None]
    spread = (total[:, -1] / weight - new.square().sum(-1)).clamp(min=0)
    share = weight / (old_weight + weight)
    apart = new - old
    mean = old + share[:, None] * apart
    variance = torch.lerp(gaussians["latent_vars"][rows], spread, share)
    variance += share * (1 - share) * apart.square().sum(-1)
    gaussians["latents"][rows] = round_to_half(mean, step)
    gaussians["latent_vars"][rows] = variance
    gaussians["latent_weights"][rows] = (old_weight + weight).clamp(max=MAX_WEIGHT)


def sample(
    maps: Sequence[Tensor],  # [C, h, w] of each head
    size: tuple[int, int],
    image: int,
) -> Tensor:
    """Joint features [M, C] at pixels of an image of `size` (height, width), all heads at the same.

    The pixels are spread evenly, and are others for every `image` number (Roberts' R2 sequence).
    """
    numbers = sum(len(one) for one in maps)
    count = int(min(max(_MULTIPLICATIONS / numbers**2, _FEWEST), _MOST, size[0] * size[1]))
    nth = torch.arange(image * count, (image + 1) * count, dtype=torch.float64)
    places = [
        ((nth * step % 1 * length).floor() + 0.5) / length * 2 - 1
        for step, length in zip(R2, (size[1], size[0]), strict=True)
    ]
    grid = torch.stack(places, -1).to(maps[0])[None, None]  # [1, 1, M, 2] x, y in -1..1
    found = [
        grid_sample(one[None], grid, padding_mode="border", align_corners=False)[0, :, 0].T
        for one in maps
    ]
    return torch.cat(found, -1)


def latent_image(
    codec: LatentCodec,
    maps: Sequence[Tensor],  # [C, h, w] of each head
    size: tuple[int, int],
) -> Tensor:
    """Latents, and as the last channel their squared length, [H, W, D + 1] at a size."""
    shares: dict[tuple[int, ...], Tensor] = {}  # sums over heads of one resolution
    for head, features in enumerate(maps):
        share = codec.encode(features.flatten(1).T, head).T.contiguous()
        share = share.view(-1, *features.shape[1:])
        known = shares.get(share.shape)
        shares[share.shape] = share if known is None else known + share
    pixels = maps[0].new_empty(*size, codec.latent_dim + 1)
    latents = pixels[..., :-1]
    total = reduce(torch.add, [_resized(share, size) for share in shares.values()])
    latents.copy_(total.permute(1, 2, 0))
    torch.linalg.vecdot(latents, latents, out=pixels[..., -1])
    return pixels


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """[D, h, w] to a size (height, width)."""
    if image.shape[1:] == size:
        return image
    return interpolate(image[None], size, mode="bilinear", align_corners=False)[0]
