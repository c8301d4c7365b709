# SPDX-License-Identifier: Apache-2.0
"""What every 2D model offers to the field: dense features, and words in the same space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class FeatureExtractor(Protocol):
    """A 2D model whose features are distilled into the field.

    Features are averaged over pixels and views, so they must stay meaningful under averaging.

    Attributes:
        name: name in the registry, e.g. "color".
        dim: C, numbers per feature.
        licence: of the code, and of the weights where there are any; SPDX or words.
        threshold: relevancy above which something counts as selected, calibrated, 0..1.
    """

    name: str
    dim: int
    licence: str
    threshold: float

    def dense(
        self,
        images: Tensor,  # [B, 3, H, W] float, RGB in 0..1
    ) -> Tensor:
        """Features [B, C, h, w] float32; h, w may be smaller than H, W but cover the same view."""
        ...

    def text(self, prompts: Sequence[str]) -> Tensor:
        """Text vectors [P, C]; ValueError names a prompt that is not understood, and what is."""
        ...

    def relevancy(
        self,
        features: Tensor,  # [N, C]
        text: Tensor,  # [P, C]
    ) -> Tensor:
        """How much each feature is what each prompt asks for, [N, P] in 0..1."""
        ...


def check_images(images: Tensor) -> None:
    """Raise ValueError unless `images` is a float tensor [B, 3, H, W] that is not empty."""
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise ValueError(f"images has shape {tuple(images.shape)}, expected [B, 3, H, W]")
    if not images.is_floating_point():
        raise ValueError(f"images is {images.dtype}, expected floating point in 0..1")


def check_prompts(prompts: Sequence[str]) -> None:
    """Raise ValueError unless `prompts` is a list of texts, none of them blank."""
    if isinstance(prompts, str):
        raise ValueError(f"prompts is the text {prompts!r}, expected a list of texts")
    for prompt in prompts:
        if not prompt.strip():
            raise ValueError(f"prompt {prompt!r} is blank, expected words")
