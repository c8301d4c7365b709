# SPDX-License-Identifier: Apache-2.0
"""Small random models of the real library: what is tested is the arithmetic around them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.pretrained import _PRETRAINED

from f4x_ros.core.features.openclip import OpenClipExtractor

VISION = {"image_size": 64, "layers": 3, "width": 48, "head_width": 16, "patch_size": 16}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
RESNET = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16}


def add_model(folder: Path, name: str, **vision: Any) -> Path:
    """Make a configuration known to open_clip by `name`; returns a checkpoint for it."""
    tower = RESNET if name.startswith("resnet") else {**VISION, **vision}
    config = {"embed_dim": 32, "vision_cfg": tower, "text_cfg": TEXT}
    file = folder / f"{name}.json"
    file.write_text(json.dumps(config))
    open_clip.add_model_config(file)
    torch.manual_seed(0)
    model = open_clip.create_model(name, pretrained=None)
    with torch.no_grad():
        for parameter in model.parameters():  # norms and biases start as ones and zeros
            parameter.add_(0.05 * torch.randn(parameter.shape))
    checkpoint = folder / f"{name}.pt"
    torch.save(model.state_dict(), checkpoint)
    return checkpoint


def add_tag(name: str, tag: str, **config: Any) -> None:
    """A published checkpoint for a model of `add_model`."""
    _PRETRAINED.setdefault(name, {})[tag] = config


def load(checkpoint: Path, **options: str) -> OpenClipExtractor:
    """The extractor with a checkpoint of `add_model`."""
    given = {"model": checkpoint.stem, "pretrained": str(checkpoint), **options}
    return OpenClipExtractor.load(given)
