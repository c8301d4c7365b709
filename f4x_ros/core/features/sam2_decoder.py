# SPDX-License-Identifier: Apache-2.0
"""Clicks and boxes to masks by SAM 2's prompt encoder and mask decoder, from any feature map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.base import Masks

BATCH = 64
"""Prompts decoded at once, as in the library's mask generator."""

_CORNERS = (2, 3)  # kinds of a box' corners, beside 1: part, 0: not part, -1: no click


class Sam2Decoder:
    """The part of SAM 2 behind the image encoder.

    Args:
        model: a sam2.modeling.sam2_base.SAM2Base in evaluation mode.
        device: where it lives.
    """

    def __init__(self, model: Any, device: torch.device) -> None:
        self.model = model
        self.device = device
        self.dim = int(model.hidden_dim)
        self.input_size = int(model.image_size)
        self.grid = int(model.sam_image_embedding_size)

    def decode(
        self,
        embedding: Tensor,  # [C, h, w]; h, w of any size, covering the whole image
        high_res: Sequence[Tensor] | None = None,  # [C/8, ., .] and [C/4, ., .] of `features`
        *,
        size: tuple[int, int],
        points: Tensor | None = None,  # [N, K, 2] x, y in pixels of an image of `size`
        labels: Tensor | None = None,  # [N, K] 1: is part of it, 0: is not, -1: no click
        boxes: Tensor | None = None,  # [N, 4] x0, y0, x1, y1 in pixels
        several: bool | None = None,
    ) -> Masks:
        """Masks of N prompts out of a feature map, seen by the encoder or rendered from the field.

        Args:
            high_res: None where there are none, as in the field: the decoder then works with zeros
                in their place, its outlines are those of the embedding.
            size: height and width of the image that prompts and masks are in.
            several: let the model make three masks per prompt (whole, part, part of part) and take
                the one it thinks best. None: for a single click, as its authors advise.

        Raises:
            ValueError: neither points nor boxes, or a shape that does not fit.
        """
        coordinates, kinds = joined_prompts(
            points, labels, boxes, size=size, input_size=self.input_size, device=self.device
        )
        if several is None:
            several = boxes is None and coordinates.shape[1] == 1
        logits, iou = self.candidates(embedding, high_res, coordinates, kinds, size, several)
        best = iou.argmax(1)
        rows = torch.arange(len(best), device=best.device)
        chosen = logits[rows, best]
        return Masks(chosen > 0, iou[rows, best], chosen)

    @torch.no_grad()
    def candidates(
        self,
        embedding: Tensor,  # [C, h, w]
        high_res: Sequence[Tensor] | None,
        coordinates: Tensor,  # [N, K, 2] of `joined_prompts`
        kinds: Tensor,  # [N, K]
        size: tuple[int, int],
        several: bool,
    ) -> tuple[Tensor, Tensor]:
        """All the masks the model makes: logits [N, M, H, W], their IoU [N, M]; M is 3 or 1."""
        source = self._embedding(embedding)
        fine = self._high_res(high_res)
        parts = [
            self._decoded(source, fine, coordinates[i : i + BATCH], kinds[i : i + BATCH], several)
            for i in range(0, len(coordinates), BATCH)
        ]
        if not parts:
            count = 3 if several else 1
            return source.new_zeros(0, count, *size), source.new_zeros(0, count)
        low = torch.cat([masks for masks, _ in parts])
        logits = functional.interpolate(low, size, mode="bilinear", align_corners=False)
        return logits, torch.cat([iou for _, iou in parts])

    def _decoded(
        self,
        source: Tensor,
        fine: list[Tensor] | None,
        coordinates: Tensor,
        kinds: Tensor,
        several: bool,
    ) -> tuple[Tensor, Tensor]:
        """Logits [N, M, 4s, 4s] and IoU [N, M] by the model's own encoder and decoder."""
        encoder = self.model.sam_prompt_encoder
        sparse, dense = encoder(points=(coordinates, kinds), boxes=None, masks=None)
        masks, iou, _, _ = self.model.sam_mask_decoder(
            image_embeddings=source,
            image_pe=encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
            repeat_image=len(coordinates) > 1,
            high_res_features=fine,
        )
        return masks.float(), iou.float()

    def _embedding(self, embedding: Tensor) -> Tensor:
        """[1, C, s, s] as the decoder wants it."""
        if embedding.ndim != 3 or embedding.shape[0] != self.dim:
            raise BadInputError(
                f"embedding has shape {tuple(embedding.shape)}, expected [{self.dim}, h, w]"
            )
        return _resized(embedding.to(self.device, torch.float32)[None], self.grid)

    def _high_res(self, given: Sequence[Tensor] | None) -> list[Tensor] | None:
        """[1, C/8, 4s, 4s] and [1, C/4, 2s, 2s], or None for a model without."""
        if not self.model.use_high_res_features_in_sam:
            return None
        channels = (self.dim // 8, self.dim // 4)
        sizes = (4 * self.grid, 2 * self.grid)
        if given is None:
            return [
                torch.zeros(1, count, size, size, device=self.device)
                for count, size in zip(channels, sizes, strict=True)
            ]
        if [tuple(one.shape[:-2]) for one in given] != [(count,) for count in channels]:
            raise BadInputError(
                f"high_res has shapes {[tuple(one.shape) for one in given]}, expected "
                f"[{channels[0]}, h, w] and [{channels[1]}, h, w]"
            )
        return [
            _resized(one.to(self.device, torch.float32)[None], size)
            for one, size in zip(given, sizes, strict=True)
        ]


def joined_prompts(
    points: Tensor | None,  # [N, K, 2]
    labels: Tensor | None,  # [N, K]
    boxes: Tensor | None,  # [N, 4]
    *,
    size: tuple[int, int],
    input_size: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Coordinates [N, K, 2] in the model's square input, kinds [N, K]; a box is two more clicks.

    As `SAM2ImagePredictor` does: pixels are scaled per axis, boxes stand before clicks.

    Raises:
        ValueError: neither clicks nor boxes, another shape, an unknown label, another N.
    """
    coordinates, kinds = [], []
    if boxes is not None:
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise BadInputError(f"boxes has shape {tuple(boxes.shape)}, expected [N, 4]")
        coordinates.append(boxes.reshape(-1, 2, 2))
        kinds.append(torch.tensor([_CORNERS]).repeat(len(boxes), 1))
    if points is not None:
        _check_points(points, labels)
        assert labels is not None
        coordinates.append(points)
        kinds.append(labels)
    if not coordinates:
        raise BadInputError("neither points nor boxes are given, expected at least one of them")
    if len({len(part) for part in coordinates}) > 1:
        raise BadInputError(
            f"there are {len(coordinates[0])} boxes and {len(coordinates[1])} sets of points, "
            "expected as many"
        )
    height, width = size
    joined = torch.cat([part.to(device, torch.float32) for part in coordinates], dim=1)
    joined = joined / joined.new_tensor([width, height]) * input_size
    return joined, torch.cat([part.to(device, torch.int32) for part in kinds], dim=1)


def _check_points(points: Tensor, labels: Tensor | None) -> None:
    if points.ndim != 3 or points.shape[2] != 2 or points.shape[1] == 0:
        raise BadInputError(f"points has shape {tuple(points.shape)}, expected [N, K, 2]")
    if labels is None or labels.shape != points.shape[:2]:
        shape = None if labels is None else tuple(labels.shape)
        raise BadInputError(f"labels has shape {shape}, expected {tuple(points.shape[:2])}")
    if labels.numel() and not bool(torch.isin(labels.cpu(), torch.tensor([-1, 0, 1])).all()):
        raise BadInputError(
            f"labels has {sorted(set(labels.flatten().tolist()))}, expected 1, 0 and -1"
        )


def _resized(features: Tensor, size: int) -> Tensor:
    if features.shape[-2:] == (size, size):
        return features
    return functional.interpolate(
        features, (size, size), mode="bilinear", align_corners=False, antialias=True
    )
