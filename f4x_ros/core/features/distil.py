# SPDX-License-Identifier: Apache-2.0
"""2D features into the field: each Gaussian's latent is the average of the pixels it drew.

The alpha-weighted average over views needs no gradient descent (as Marrie et al., "LUDVIG", 2024,
and Cheng et al., "Occam's LGS", 2024): one transposed pass of the rasteriser per frame, in the
resolution that the features have. Pixels at silhouettes count less, as they show two things. One
frame is shown to the models whole, the next one a part of it magnified (`features.looks`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from f4x_ros.core.base import round_to_half
from f4x_ros.core.features.base import Clicks, EvidenceWords, FeatureExtractor
from f4x_ros.core.features.codec import LatentCodec
from f4x_ros.core.features.heads import Heads, Part
from f4x_ros.core.features.looks import R2, Look, Shot, look, sharp
from f4x_ros.core.features.silhouettes import pixel_weights
from f4x_ros.core.field import GaussianField, GaussianSet, uplift_view
from f4x_ros.core.observe import View, reduced

MAX_WEIGHT = 200.0  # pixels behind a latent are counted up to this, so that it can still change
RARE = 8
"""Times that a rare place counts in learning the code, against one pixel of the others."""

_MULTIPLICATIONS = 40e6  # what learning the codec from an image may take, about ...
_FEWEST, _MOST = 256, 4096  # ... with at least and at most so many pixels


class Distiller:
    """Keeps the latents of a field's Gaussians up to date with the features of 2D models.

    Args:
        heads: the models.
        latent_dim: D, numbers per latent.
        backend: rasteriser, resolved.
        close_looks: frames of which a magnified part is shown, to each one that is shown whole; for
            extractors that gain by it.

    Attributes:
        glimpses: [E] how many looks left no doubt of each of the things that the extractor that is
            asked may have evidence for (`EvidenceWords.shown`); None before the first.
    """

    def __init__(
        self,
        heads: Heads,
        latent_dim: int,
        backend: str,
        *,
        close_looks: int = 0,
    ) -> None:
        self.heads = heads
        self._close_looks = close_looks
        moments = [one.moment for one in heads.traits]
        self.codec = LatentCodec(heads.dims, latent_dim, moments)
        self._backend = backend
        self.glimpses: Tensor | None = None

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
        picture: NDArray[np.uint8] | None = None,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        """Fold one look at a view into the present.

        Args:
            field: its present is taught.
            view: a frame in the resolution of the map.
            picture: [H', W', 3] the same frame as the camera gave it, for closer looks; None = that
                of the view.
            between: called between two passes of the models.
        """
        shown = self._next_look(view)
        maps = self._maps(view, view.rgb8.cpu().numpy() if picture is None else picture, shown)
        self._note_glimpses()
        between()
        rows = sample(maps, shown.size, self.codec.images)
        change = self.codec.observe(rows, len(rows) - sum(len(one.rare) for one in maps) * RARE)
        if change is not None:
            field.recode(change)
        self._teach(field.present, view, maps, shown)

    def _note_glimpses(self) -> None:
        words = self.words
        if isinstance(words, EvidenceWords) and words.shown is not None:
            seen = words.shown.float()
            self.glimpses = seen if self.glimpses is None else self.glimpses + seen

    def _next_look(self, view: View) -> Look:
        closer = any(one.looks_closer for one in self.heads.traits)
        return look(self.codec.images, view.size, self._close_looks if closer else 0)

    def _maps(self, view: View, picture: NDArray[np.uint8], shown: Look) -> list[Part]:
        """Features of what is shown; each part in its own resolution."""
        image = view.rgb.permute(2, 0, 1)
        near = image if shown.whole else shown.cut(picture, view.size).to(image)
        return self.heads.parts(Shot(near, sharp(picture).to(image), shown, view.size))

    def _teach(self, present: GaussianSet, view: View, maps: Sequence[Part], shown: Look) -> None:
        """Average the features of a look into those of the Gaussians that it shows."""
        shares = latent_shares(self.codec, maps)
        size = shown.grid(shares)
        known = zip(shares, maps, strict=True)
        of_things = [one for one, own in known if own.of_things]
        weights = pixel_weights(of_things, view.depth[shown.pixels], size)
        # All looks at all parts of a view have the same say in the mean over many frames.
        pixels = view.camera.width * view.camera.height / (size[0] * size[1])
        weights *= pixels if shown.whole else pixels / self._close_looks
        if view.observed is not None:
            weights *= reduced(view.observed[shown.pixels], size)
        taught = latent_image(shares, size)
        camera = shown.camera(view.camera, (size[1], size[0]))
        share = (size[0] * size[1]) / (shown.width * shown.height)
        total, weight = uplift_view(
            present, view, camera, share, taught, weights, backend=self._backend
        )
        rows = (weight > 0).nonzero()[:, 0]
        fold(present, rows, total[rows], weight[rows], self.codec.images)


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
    maps: Sequence[Part],
    size: tuple[int, int],
    image: int,
) -> Tensor:
    """Joint features [M, C] at pixels of an image of `size` (height, width), all parts at the same.

    The pixels are spread evenly, and are others for every `image` number (Roberts' R2 sequence).
    Behind them stand the rare places of all parts, each `RARE` times.
    """
    varying = [one.features for one in maps if one.features[0].numel() > 1]
    numbers = sum(map(len, varying)) or 1
    count = int(min(max(_MULTIPLICATIONS / numbers**2, _FEWEST), _MOST, size[0] * size[1]))
    nth = torch.arange(image * count, (image + 1) * count, dtype=torch.float64)
    places = [
        ((nth * step % 1 * length).floor() + 0.5) / length
        for step, length in zip(R2, (size[1], size[0]), strict=True)
    ]
    features = [one.features for one in maps]
    even = torch.stack(places, -1).to(features[0])
    rare = torch.cat([one.rare for one in maps]).to(features[0]).repeat(RARE, 1)
    grid = torch.cat([even, rare])[None, None] * 2 - 1  # [1, 1, M, 2] x, y in -1..1
    found = [
        grid_sample(one[None], grid, padding_mode="border", align_corners=False)[0, :, 0].T
        for one in features
    ]
    return torch.cat(found, -1)


def latent_shares(codec: LatentCodec, maps: Sequence[Part]) -> list[Tensor]:
    """What each part adds to the latents [h, w, D], in its own resolution."""
    return [codec.encode(one.features.permute(1, 2, 0), one.start) for one in maps]


def latent_image(shares: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Latents, and as the last channel their squared length, [H, W, D + 1] at a size."""
    total = reduce(torch.add, [_resized(share, size) for share in shares])
    return torch.cat([total, torch.linalg.vecdot(total, total)[..., None]], -1)


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """[h, w, D] to a size (height, width)."""
    if image.shape[:2] == size:
        return image
    channels = image.permute(2, 0, 1)[None]
    return interpolate(channels, size, mode="bilinear", align_corners=False)[0].permute(1, 2, 0)
