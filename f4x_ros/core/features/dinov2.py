# SPDX-License-Identifier: Apache-2.0
"""Patch features that match parts of things across instances and views, by DINOv2 through timm.

Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, 2023. The models of
DINOv3 (Simeoni et al., 2025) and C-RADIO (Ranzinger et al., AM-RADIO, 2024) that timm has load as
well; their weights have licences of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.base import option
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.base import Examples, check_images
from f4x_ros.core.features.options import existing_file, folder, model_library
from f4x_ros.core.features.patches import MOST_PIXELS, whole_patches
from f4x_ros.core.features.weights import CHECKPOINTS, locate


@dataclass(frozen=True)
class Dinov2Options:
    """Which model, and how pictures are shown to it."""

    model: str = option("vit_small_patch14_dinov2", "of timm, with dinov2, dinov3 or radio in it")
    checkpoint: str = option("", "file; empty: what lies in the cache of the hub")
    allow_download: bool = option(False, "fetch what is not in the cache")
    cache: str = option("", "folder of the cache; empty: the hub's own")
    size: int = option(
        0, "pixels the shorter side is resized to; 0: what the model was trained at",
        low=0, high=MOST_PIXELS,
    )  # fmt: skip


class Dinov2Extractor(Examples):
    """Patch features for correspondences, by DINOv2 through timm; no words.

    Args:
        device: where the model lives.
        options: which model.

    Raises:
        ValueError: the extra [models] is not installed, or the checkpoint is neither given nor in
            the cache; the message names it.
    """

    Options = Dinov2Options
    name = "dinov2"
    licence = (
        "Apache-2.0, code and weights; weights of DINOv3: DINOv3 License, "
        "of C-RADIO: NVIDIA Open Model License"
    )

    def __init__(
        self, *, device: torch.device | str = "cpu", options: Dinov2Options | None = None
    ) -> None:
        super().__init__(device=device)
        chosen = options or Dinov2Options()
        timm = import_timm()
        _check_model(timm, chosen.model)
        self.model: Any = _loaded(timm, chosen.model, _file(chosen)).to(self.device)
        self.dim = int(self.model.num_features)
        embed = self.model.embeds if _is_radio(chosen.model) else self.model.patch_embed
        self._patch: tuple[int, int] = embed.patch_size
        normal = self.model.pretrained_cfg
        self.input_size = chosen.size or min(normal["input_size"][1:])
        self._mean = torch.tensor(normal["mean"], device=self.device).view(1, 3, 1, 1)
        self._std = torch.tensor(normal["std"], device=self.device).view(1, 3, 1, 1)

    @classmethod
    def check_installation(cls) -> None:
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


def import_timm() -> Any:
    """The library; ValueError naming the extra if it does not load."""
    return model_library("dinov2", "timm")


def _check_model(timm: Any, model: str) -> None:
    name = model.partition(".")[0]
    if not timm.is_model(name) or not ("dinov2" in name or "dinov3" in name or _is_radio(name)):
        known = timm.list_models("*dinov[23]*") + timm.list_models("naflexvit*radio*")
        raise BadInputError(
            f"model {model!r} of extractor 'dinov2' is unknown to timm {timm.__version__} or "
            f"neither DINO nor RADIO, expected one of {', '.join(known)}"
        )


def _is_radio(model: str) -> bool:
    """Whether it is one of timm's own class for RADIO, which is exact in all sizes."""
    return model.startswith("naflexvit") and "radio" in model


def _file(chosen: Dinov2Options) -> Path:
    """The checkpoint: as given, or from the cache."""
    model = chosen.model
    if chosen.checkpoint:
        return existing_file("checkpoint", chosen.checkpoint)
    for known in CHECKPOINTS:
        if known.extractor == "dinov2" and model in (known.name, known.name.partition(".")[0]):
            cache = folder(chosen.cache)
            return locate(known, cache=cache, allow_download=chosen.allow_download)
    names = ", ".join(known.name for known in CHECKPOINTS if known.extractor == "dinov2")
    raise BadInputError(
        f"option checkpoint of extractor 'dinov2' is missing, expected a file for model {model!r}; "
        f"without one, known are {names}"
    )


def _loaded(timm: Any, model: str, path: Path) -> Any:
    """The model in evaluation mode; timm's own loader knows Meta's files and its own."""
    sizes = {} if _is_radio(model) else {"dynamic_img_size": True}  # RADIO takes any
    try:
        made = timm.create_model(
            model,
            pretrained=True,
            pretrained_cfg_overlay={"file": str(path)},
            num_classes=0,
            **sizes,
        )
    except Exception as error:  # torch, safetensors, pickle and timm each have their own
        reason = " ".join(str(error).split())[:300]
        raise BadInputError(
            f"checkpoint {str(path)!r} does not load into {model!r}: {reason}"
        ) from error
    return made.eval().requires_grad_(False)
