# SPDX-License-Identifier: Apache-2.0
"""Words and patches in the joint space of a CLIP model, by the library open_clip_torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.base import option
from f4x_ros.core.errors import NotUnderstoodError
from f4x_ros.core.features.base import Examples, Words, check_images, check_prompts
from f4x_ros.core.features.calibrated import Calibrated
from f4x_ros.core.features.openclip_timm import TimmTower, is_timm
from f4x_ros.core.features.openclip_vit import ATTENTIONS, check_tower, dense_tokens
from f4x_ros.core.features.openclip_weights import (
    Source,
    import_open_clip,
    load_model,
    token_count,
)
from f4x_ros.core.features.patches import MOST_PIXELS, whole_patches

NEGATIVES = ("object", "things", "stuff", "texture")
"""What a prompt is weighed against (Kerr et al., LERF, 2023)."""

TEMPLATES = (
    "a photo of a {}.",
    "a photo of the {}.",
    "a cropped photo of a {}.",
    "a photo of a {} in a room.",
    "there is a {} in the scene.",
)
"""A prompt's vector is the mean over these sentences (Radford et al., CLIP, 2021, 3.1.4)."""

_TEMPERATURE = 10.0  # of LERF's relevancy


@dataclass(frozen=True)
class OpenClipOptions:
    """Which model, and how pictures are shown to it."""

    model: str = option("ViT-B-16", "name of a built-in configuration, or local-dir:FOLDER")
    pretrained: str = option("", "checkpoint file, or tag of a checkpoint in the cache; needed")
    allow_download: bool = option(False, "fetch what is not in the cache")
    cache: str = option("", "folder of the cache; empty: the libraries' own")
    size: tuple[int, ...] = option(
        (0,), "pixels the shorter side is resized to, 0: what the model was trained at; several "
        "with commas: the features are the means of those at each size", low=0, high=MOST_PIXELS,
    )  # fmt: skip
    attention: str = option(
        "auto", "of the last block, see openclip_vit.ATTENTIONS; auto: sclip, but clip (unchanged) "
        "for towers without a class token", choices=("auto", *ATTENTIONS),
    )  # fmt: skip


class OpenClipExtractor(Words, Examples):
    """Patch features and words in CLIP's joint space, by open_clip_torch.

    Args:
        device: where the model lives.
        options: which model. `pretrained` is needed: nothing is asked of random weights.

    Raises:
        ValueError: the extra [models] is not installed, the checkpoint is neither a file nor in the
            cache, or the model has no usable image tower; the message names it.
    """

    Options = OpenClipOptions
    name = "openclip"
    licence = "MIT for the code; the weights have a licence of their own"
    threshold = 0.5  # more like the prompt than like any of the negatives

    def __init__(
        self, *, device: torch.device | str = "cpu", options: OpenClipOptions | None = None
    ) -> None:
        super().__init__(device=device)
        chosen = options or OpenClipOptions()
        source = Source(
            chosen.model, chosen.pretrained, chosen.allow_download, chosen.cache or None
        )
        self.model, self._tokenizer, file = load_model(source, self.device)
        self.calibrated = Calibrated(checkpoint=file)
        tower: Any = self.model.visual
        self._dense, self._patch, best = _looked_at(source.model, tower)
        self._attention = best if chosen.attention == "auto" else chosen.attention
        own = min(tower.image_size)
        self._sizes = sorted({size or own for size in chosen.size})
        normal = tower.preprocess_cfg
        self._mean = torch.tensor(normal["mean"], device=self.device).view(1, 3, 1, 1)
        self._std = torch.tensor(normal["std"], device=self.device).view(1, 3, 1, 1)
        self._negatives = self.text(NEGATIVES)
        self.dim = self._negatives.shape[1]

    @classmethod
    def check_installation(cls) -> None:
        """Raise ValueError saying what is missing, if the libraries do not load."""
        import_open_clip()

    @torch.no_grad()
    def dense(self, images: Tensor) -> Tensor:
        """Unit features [B, C, h, w], one per patch of the largest size, of `images`.

        They are [B, 3, H, W] in 0..1. Small sizes know what a large thing is, large ones where
        small things are.
        """
        check_images(images)
        images = images.to(self.device, torch.float32)
        *others, finest = [self._tokens(images, size) for size in self._sizes]
        if not others:
            return finest
        grid = finest.shape[2:]
        total = finest + sum(
            functional.interpolate(coarse, grid, mode="bilinear", align_corners=False)
            for coarse in others
        )
        return functional.normalize(total, dim=1)

    def _tokens(self, images: Tensor, size: int) -> Tensor:
        """Unit features of images whose shorter side is resized to `size`."""
        resized = whole_patches(images, size, self._patch)
        prepared = (resized - self._mean) / self._std
        tokens = self._dense(prepared, self._attention)
        return functional.normalize(tokens, dim=1)

    @torch.no_grad()
    def text(self, prompts: Sequence[str]) -> Tensor:
        """Unit vectors [P, C], each the mean over `TEMPLATES`; any words are understood."""
        check_prompts(prompts)
        if not prompts:
            return torch.empty(0, self.dim, device=self.device)
        for prompt in prompts:
            self.check_understood(prompt)
        sentences = [t.format(prompt.strip()) for prompt in prompts for t in TEMPLATES]
        tokens = self._tokenizer(sentences).to(self.device)
        vectors = functional.normalize(self.model.encode_text(tokens).float(), dim=-1)
        mean = vectors.view(len(prompts), len(TEMPLATES), -1).mean(1)
        return functional.normalize(mean, dim=-1)

    def relevancy(self, features: Tensor, text: Tensor) -> Tensor:
        """LERF's relevancy: the least, over the negatives, of softmax(prompt, negative).

        A feature that is all zeros (never observed) has relevancy 0.
        """
        unit: Tensor = functional.normalize(features, dim=-1)
        wanted = unit @ text.to(unit).T
        other = (unit @ self._negatives.to(unit).T).amax(-1, keepdim=True)
        scores = torch.sigmoid(_TEMPERATURE * (wanted - other))
        seen = torch.linalg.vector_norm(features, dim=-1, keepdim=True) > 1e-6
        return torch.where(seen, scores, 0.0)

    def check_understood(self, prompt: str) -> None:
        """NotUnderstoodError for a prompt that is longer than the model reads."""
        limit = int(self.model.context_length) - 2  # start and end
        for template in TEMPLATES:
            count = token_count(self._tokenizer, template.format(prompt.strip()))
            if count > limit:
                raise NotUnderstoodError(
                    prompt, prompt, f"it has {count} tokens, expected at most {limit}"
                )


def _looked_at(
    model: str, tower: Any
) -> tuple[Callable[[Tensor, str], Tensor], tuple[int, int], str]:
    """Features [B, C, h, w] of images with an attention, the patch, the attention that is best."""
    if is_timm(tower):
        places = TimmTower(model, tower)
        return places.dense, places.patch, places.default_attention
    check_tower(model, tower)
    return partial(dense_tokens, tower), tower.patch_size, "sclip"
