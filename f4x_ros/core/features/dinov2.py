# SPDX-License-Identifier: Apache-2.0
"""Patch features that match parts of things across instances and views, by DINOv2 through timm.

Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, 2023. The models of
DINOv3 that timm has load as well; their weights have a licence of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.base import check_images
from f4x_ros.core.features.examples import example_relevancy
from f4x_ros.core.features.options import (
    chosen_options,
    existing_file,
    folder,
    model_library,
    truth,
    whole,
)
from f4x_ros.core.features.patches import MOST_PIXELS, whole_patches
from f4x_ros.core.features.registry import no_language
from f4x_ros.core.features.weights import CHECKPOINTS, locate

OPTIONS = {
    "model": "vit_small_patch14_dinov2",  # name in timm, with dinov2 or dinov3 in it
    "checkpoint": "",  # file; empty: what lies in the cache of the hub
    "allow_download": "false",  # fetch what is not in the cache
    "cache": "",  # folder of the cache, empty: the hub's own
    "size": "0",  # pixels the shorter side is resized to, 0: what the model was trained at
}
"""Options and their defaults."""


class Dinov2Extractor:
    """Patch features for correspondences, by DINOv2 through timm; no words.

    Args:
        device: where the model lives.
        options: see `OPTIONS`.

    Raises:
        ValueError: an option is unknown or wrong, the extra [models] is not installed, or the
            checkpoint is neither given nor in the cache; the message names it.
    """

    name = "dinov2"
    licence = "Apache-2.0, code and weights; weights of DINOv3: DINOv3 License"
    threshold = 0.5  # of a cosine with an example; not calibrated
    has_text = False

    def __init__(
        self, *, device: torch.device | str = "cpu", options: Mapping[str, str] | None = None
    ) -> None:
        chosen = chosen_options(self.name, OPTIONS, options)
        size = whole("size", chosen["size"], 0, MOST_PIXELS, "pixels, ")
        self.device = torch.device(device)
        timm = import_timm()
        _check_model(timm, chosen["model"])
        self.model: Any = _loaded(timm, chosen["model"], _file(chosen)).to(self.device)
        self.dim = int(self.model.num_features)
        self._patch: tuple[int, int] = self.model.patch_embed.patch_size
        normal = self.model.pretrained_cfg
        self.input_size = size or min(normal["input_size"][1:])
        self._mean = torch.tensor(normal["mean"], device=self.device).view(1, 3, 1, 1)
        self._std = torch.tensor(normal["std"], device=self.device).view(1, 3, 1, 1)

    @staticmethod
    def check_installation() -> None:
        """Raise ValueError saying what is missing, if the libraries do not load."""
        import_timm()

    @torch.no_grad()
    def dense(self, images: Tensor) -> Tensor:
        """Unit features [B, C, h, w], one per patch, of `images` [B, 3, H, W] in 0..1."""
        check_images(images)
        images = images.to(self.device, torch.float32)
        prepared = whole_patches(images, self.input_size, self._patch)
        height, width = prepared.shape[-2:]
        tokens = self.model.forward_features((prepared - self._mean) / self._std)
        patches = tokens[:, self.model.num_prefix_tokens :].transpose(1, 2)
        grid = (height // self._patch[0], width // self._patch[1])
        return functional.normalize(patches.unflatten(2, grid), dim=1)

    def text(self, prompts: Sequence[str]) -> Tensor:
        """Always a ValueError: there is no language in it."""
        raise no_language(self.name, "finds what looks like an example (examples.similar)")

    def relevancy(self, features: Tensor, text: Tensor) -> Tensor:
        """Cosine [N, P] of features with examples of them, in place of text; at least 0."""
        return example_relevancy(features, text)


def import_timm() -> Any:
    """The library; ValueError naming the extra if it does not load."""
    return model_library("dinov2", "timm")


def _check_model(timm: Any, model: str) -> None:
    name = model.partition(".")[0]
    if not timm.is_model(name) or not ("dinov2" in name or "dinov3" in name):
        raise BadInputError(
            f"model {model!r} of extractor 'dinov2' is unknown to timm {timm.__version__} or no "
            f"DINO, expected one of {', '.join(timm.list_models('*dinov[23]*'))}"
        )


def _file(chosen: Mapping[str, str]) -> Path:
    """The checkpoint: as given, or from the cache."""
    model, file = chosen["model"], chosen["checkpoint"]
    allow_download = truth("allow_download", chosen["allow_download"])
    if file:
        return existing_file("checkpoint", file)
    for known in CHECKPOINTS:
        if known.extractor == "dinov2" and model in (known.name, known.name.partition(".")[0]):
            return locate(known, cache=folder(chosen["cache"]), allow_download=allow_download)
    names = ", ".join(known.name for known in CHECKPOINTS if known.extractor == "dinov2")
    raise BadInputError(
        f"option checkpoint of extractor 'dinov2' is missing, expected a file for model {model!r}; "
        f"without one, known are {names}"
    )


def _loaded(timm: Any, model: str, path: Path) -> Any:
    """The model in evaluation mode; timm's own loader knows Meta's files and its own."""
    try:
        made = timm.create_model(
            model,
            pretrained=True,
            pretrained_cfg_overlay={"file": str(path)},
            num_classes=0,
            dynamic_img_size=True,
        )
    except Exception as error:  # torch, safetensors, pickle and timm each have their own
        reason = " ".join(str(error).split())[:300]
        raise BadInputError(
            f"checkpoint {str(path)!r} does not load into {model!r}: {reason}"
        ) from error
    return made.eval().requires_grad_(False)
