# SPDX-License-Identifier: Apache-2.0
"""Image embeddings, and masks from clicks and boxes, by the library sam2 (Segment Anything 2).

Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024. The mask decoder takes the
embedding as an argument, so it answers as well from one that was rendered out of the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.base import option
from f4x_ros.core.features.base import Clicks, Examples, Masks, check_images
from f4x_ros.core.features.sam2_decoder import BATCH, Sam2Decoder
from f4x_ros.core.features.sam2_model import import_sam2, load_model

_MEAN = (0.485, 0.456, 0.406)  # sam2.utils.transforms
_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Sam2Options:
    """Which model, and what of its proposals is kept."""

    model: str = option("sam2.1-hiera-tiny", "a published one, see `f4x weights list`")
    checkpoint: str = option("", "file; empty: what lies in the cache of the hub")
    config: str = option("", "YAML of another model, in the library's format")
    allow_download: bool = option(False, "fetch what is not in the cache")
    cache: str = option("", "folder of the cache; empty: the hub's own")
    points_per_side: int = option(
        16, "of the grid of clicks that proposals are made from", low=1, high=128
    )
    min_iou: float = option(0.8, "proposals the model thinks less of are left out", low=0, high=1)
    min_stability: float = option(
        0.95, "proposals that change more with the threshold are left out", low=0, high=1
    )


class Sam2Features(NamedTuple):
    """What SAM 2 sees in B images; each map covers its whole image, whatever its aspect."""

    embedding: Tensor  # [B, C, s, s] at 1/16 of the input (256 x 64 x 64)
    high_res: tuple[Tensor, ...]  # [B, C/8, 4s, 4s] and [B, C/4, 2s, 2s], or none


class Proposals(NamedTuple):
    """Object proposals of one image, best first."""

    masks: Tensor  # [N, H, W] bool
    iou: Tensor  # [N] the model's own guess of how good each is, 0..1
    stability: Tensor  # [N] IoU of the mask with itself at other thresholds, 0..1


class Sam2Extractor(Clicks, Examples):
    """Image embeddings, masks from clicks and boxes, object proposals; no words.

    Args:
        device: where the model lives.
        options: which model, and what of its proposals is kept.

    Raises:
        ValueError: the extra [models] is not installed, or the checkpoint is neither given nor in
            the cache; the message names it.
    """

    Options = Sam2Options
    name = "sam2"
    licence = "Apache-2.0, code and published weights"

    def __init__(
        self, *, device: torch.device | str = "cpu", options: Sam2Options | None = None
    ) -> None:
        super().__init__(device=device)
        chosen = options or Sam2Options()
        self._proposing = _proposing(chosen)
        self.model: Any = load_model(
            chosen.model,
            config=chosen.config,
            file=chosen.checkpoint,
            cache=chosen.cache,
            allow_download=chosen.allow_download,
            device=self.device,
        )
        self.dim = int(self.model.hidden_dim)
        self.input_size = int(self.model.image_size)
        self.decoder = Sam2Decoder(self.model, self.device)
        self._mean = torch.tensor(_MEAN, device=self.device).view(1, 3, 1, 1)
        self._std = torch.tensor(_STD, device=self.device).view(1, 3, 1, 1)

    @classmethod
    def check_installation(cls) -> None:
        """Raise ValueError saying what is missing, if the libraries do not load."""
        import_sam2()

    def dense(self, images: Tensor) -> Tensor:
        """Image embeddings [B, C, s, s] of `images` [B, 3, H, W] in 0..1."""
        return self.features(images).embedding

    @torch.no_grad()
    def features(
        self,
        images: Tensor,  # [B, 3, H, W] float, RGB in 0..1
    ) -> Sam2Features:
        """Image embeddings and, where the model uses them, high-resolution features."""
        seen = self.encode(images)
        *high_res, embedding = seen["backbone_fpn"][-self.model.num_feature_levels :]
        if self.model.directly_add_no_mem_embed:  # an image is a video without a past
            embedding = embedding + self.model.no_mem_embed.view(1, -1, 1, 1)
        return Sam2Features(embedding, tuple(high_res))

    @torch.no_grad()
    def encode(self, images: Tensor) -> dict[str, Any]:
        """What the library's `forward_image` returns for `images` [B, 3, H, W] in 0..1."""
        check_images(images)
        square = functional.interpolate(
            images.to(self.device, torch.float32),
            (self.input_size, self.input_size),
            mode="bilinear",
            align_corners=False,
            antialias=True,
        )
        found: dict[str, Any] = self.model.forward_image((square - self._mean) / self._std)
        return found

    def points(self, image: Tensor, points: Tensor, labels: Tensor) -> Masks:
        """Masks of clicks in an image [3, H, W]; see `decode`."""
        found = self.features(image[None])
        size = (image.shape[-2], image.shape[-1])
        return self.decode(
            found.embedding[0], _first(found), points=points, labels=labels, size=size
        )

    def boxes(self, image: Tensor, boxes: Tensor) -> Masks:
        """Masks of boxes in an image [3, H, W]; see `decode`."""
        found = self.features(image[None])
        size = (image.shape[-2], image.shape[-1])
        return self.decode(found.embedding[0], _first(found), boxes=boxes, size=size)

    def decode(
        self,
        embedding: Tensor,  # [C, h, w] seen by the encoder or rendered from the field
        high_res: Sequence[Tensor] | None = None,
        *,
        size: tuple[int, int],
        points: Tensor | None = None,  # [N, K, 2]
        labels: Tensor | None = None,  # [N, K]
        boxes: Tensor | None = None,  # [N, 4]
        several: bool | None = None,
    ) -> Masks:
        """Masks of N prompts out of a feature map; see `Sam2Decoder.decode`."""
        return self.decoder.decode(
            embedding,
            high_res,
            size=size,
            points=points,
            labels=labels,
            boxes=boxes,
            several=several,
        )

    @torch.no_grad()
    def proposals(
        self,
        image: Tensor,  # [3, H, W] float, RGB in 0..1
    ) -> Proposals:
        """Masks of whatever looks like an object, from a grid of clicks; best first."""
        check_images(image[None])
        library = import_module("sam2.automatic_mask_generator")
        generator = library.SAM2AutomaticMaskGenerator(self.model, **self._proposing)
        grid = self.decoder.grid
        # The library has the sizes for an input of 1024 written in.
        generator.predictor._bb_feat_sizes = [(k * grid, k * grid) for k in (4, 2, 1)]
        pixels = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        found = generator.generate(np.ascontiguousarray(pixels))
        found.sort(key=lambda one: -one["predicted_iou"])
        masks = np.zeros((len(found), *pixels.shape[:2]), dtype=bool)
        for mask, one in zip(masks, found, strict=True):
            mask[:] = one["segmentation"]
        return Proposals(
            torch.from_numpy(masks),
            torch.tensor([float(one["predicted_iou"]) for one in found]),
            torch.tensor([float(one["stability_score"]) for one in found]),
        )


def _first(found: Sam2Features) -> list[Tensor] | None:
    return [one[0] for one in found.high_res] or None


def _proposing(chosen: Sam2Options) -> dict[str, Any]:
    """The arguments of the library's mask generator."""
    return {
        "points_per_side": chosen.points_per_side,
        "points_per_batch": BATCH,
        "pred_iou_thresh": chosen.min_iou,
        "stability_score_thresh": chosen.min_stability,
    }
