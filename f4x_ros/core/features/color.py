# SPDX-License-Identifier: Apache-2.0
"""The extractor that needs no model: colours, tones and textures by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from f4x_ros.core.features.base import Examples, Traits, Words, check_images, check_prompts
from f4x_ros.core.features.color_terms import LEVELS, TERMS, TONES, color_table
from f4x_ros.core.features.color_words import ColorPrompt, parse
from f4x_ros.core.features.texture import TEXTURES, texture

_GROUPS = (slice(0, 11), slice(11, 13), slice(13, 16))  # colours, tones, textures


class ColorExtractor(Words, Examples):
    """Names of colours, tones and textures; needs no model.

    A feature is 11 memberships in colour terms (they add up to 1), 2 in tones (dark, light) and 3
    in textures (smooth, patterned, striped; they add up to 1).

    Deterministic, and one feature per pixel. It knows no objects: "red thing" finds all that
    looks red, whatever it is, and "mug" is an error.

    Args:
        device: where `dense` computes.
        options: there are none.
    """

    name = "color"
    dim = len(TERMS) + len(TONES) + 1 + len(TEXTURES)
    licence = "Apache-2.0"
    traits = Traits(of_things=False)  # a thing may have several colours
    threshold = 0.4

    def __init__(self, *, device: torch.device | str = "cpu", options: Any = None) -> None:
        super().__init__(device=device)
        self._table = torch.from_numpy(color_table()).to(self.device)

    def dense(self, images: Tensor) -> Tensor:
        """Features [B, 16, H, W] of `images` [B, 3, H, W] in 0..1."""
        check_images(images)
        images = images.to(self.device, torch.float32)
        batch, _, height, width = images.shape
        levels = (images.clamp(0, 1) * (LEVELS - 1) + 0.5).to(torch.int32)
        index = (levels[:, 0] * LEVELS + levels[:, 1]) * LEVELS + levels[:, 2]
        colors = self._table.index_select(0, index.reshape(-1)).view(batch, height, width, -1)
        woven = texture(images)
        smooth = (1 - woven.sum(1, True)).clamp_min(0)
        return torch.cat([colors.permute(0, 3, 1, 2), smooth, woven], 1)

    def text(self, prompts: Sequence[str]) -> Tensor:
        """Which features each prompt asks for, [P, 16] of 0 and 1; see `color_words.parse`."""
        check_prompts(prompts)
        rows = [_indicator(parse(prompt)) for prompt in prompts]
        return torch.tensor(rows, device=self.device).reshape(-1, self.dim)

    def check_understood(self, prompt: str) -> None:
        """NotUnderstoodError for a prompt that `color_words.parse` does not understand."""
        parse(prompt)

    def relevancy(self, features: Tensor, text: Tensor) -> Tensor:
        """Membership in the named colours, the named tones and textures, whichever is least."""
        scores = features.new_ones(len(features), len(text))
        for group in _GROUPS:
            asked = text[:, group].to(features)
            membership = features[:, group] @ asked.T
            scores = torch.where(asked.any(1), torch.minimum(scores, membership), scores)
        return scores.clamp(0, 1)


def _indicator(prompt: ColorPrompt) -> list[float]:
    named = prompt.terms | prompt.tones | prompt.textures
    return [float(word in named) for word in (*TERMS, *TONES, "smooth", *TEXTURES)]
