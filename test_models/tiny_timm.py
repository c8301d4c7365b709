# SPDX-License-Identifier: Apache-2.0
"""Small random models of open_clip with image towers of timm, as SigLIP 2 and MobileCLIP 2 have."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
from timm.models import register_model
from timm.models.fastvit import RepConditionalPosEnc, _create_fastvit
from timm.models.vision_transformer import _create_vision_transformer
from timm.models.vision_transformer_hybrid import ConvStem, _create_vision_transformer_hybrid
from torch import nn

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
NAMES = ("f4x-pooled", "f4x-mobile-s", "f4x-mobile-b")


def f4x_tiny_siglip(pretrained: bool = False, **kwargs: Any) -> Any:
    """As timm makes vit_base_patch16_siglip_256, smaller."""
    arguments = {"patch_size": 16, "embed_dim": 48, "depth": 3, "num_heads": 3, "img_size": 64,
                 "class_token": False, "global_pool": "map", "act_layer": "gelu_tanh"}  # fmt: skip
    name = "vit_base_patch16_siglip_256"
    return _create_vision_transformer(name, pretrained, **{**arguments, **kwargs})


def f4x_tiny_mci_s(pretrained: bool = False, **kwargs: Any) -> Any:
    """As timm makes fastvit_mci0, smaller."""
    arguments = {
        "layers": (1, 1, 1, 1),
        "embed_dims": (16, 32, 32, 64),
        "mlp_ratios": (2, 2, 2, 2),
        "se_downsamples": (False, False, True, True),
        "pos_embs": (None, None, None, partial(RepConditionalPosEnc, spatial_shape=(7, 7))),
        "token_mixers": ("repmixer", "repmixer", "repmixer", "attention"),
        "lkc_use_act": True,
    }
    return _create_fastvit("fastvit_mci0", pretrained=pretrained, **{**arguments, **kwargs})


def f4x_tiny_mci_b(pretrained: bool = False, **kwargs: Any) -> Any:
    """As timm makes vit_base_mci_224, smaller."""
    stem = ConvStem(
        channels=(12, 12, 48), stride=(4, 2, 2), kernel_size=(4, 2, 2), padding=0, act_layer=nn.GELU
    )
    arguments = {"embed_dim": 48, "depth": 3, "num_heads": 3, "no_embed_class": True,
                 "img_size": 64}  # fmt: skip
    return _create_vision_transformer_hybrid(
        "vit_base_mci_224",
        backbone=stem,
        embed_args={"proj": False},
        pretrained=pretrained,
        **{**arguments, **kwargs},
    )


for made in (f4x_tiny_siglip, f4x_tiny_mci_s, f4x_tiny_mci_b):
    if not timm.is_model(made.__name__):
        register_model(made)

_VISION: dict[str, dict[str, Any]] = {
    "f4x-pooled": {"timm_model_name": "f4x_tiny_siglip", "timm_pool": "map", "timm_proj": "none"},
    "f4x-mobile-s": {"timm_model_name": "f4x_tiny_mci_s", "timm_pool": "avg", "timm_proj": None},
    "f4x-mobile-b": {"timm_model_name": "f4x_tiny_mci_b", "timm_pool": "token", "timm_proj": None},
}


def config_of(name: str, **text: Any) -> dict[str, Any]:
    """A configuration of open_clip."""
    vision = {"image_size": 64, "timm_model_pretrained": False, **_VISION[name]}
    return {
        "embed_dim": 48,
        "vision_cfg": vision,
        "text_cfg": {**TEXT, **text},
        "custom_text": True,
    }


def add_model(folder: Path, name: str, called: str = "", **text: Any) -> Path:
    """Make one of `NAMES` known to open_clip (as `called`); returns a checkpoint for it."""
    called = called or name
    file = folder / f"{called}.json"
    file.write_text(json.dumps(config_of(name, **text)))
    open_clip.add_model_config(file)
    torch.manual_seed(0)
    model = open_clip.create_model(called, pretrained=None)
    with torch.no_grad():
        for parameter in model.parameters():  # norms and biases start as ones and zeros
            parameter.add_(0.05 * torch.randn(parameter.shape))
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    checkpoint = folder / f"{called}.pt"
    torch.save(model.state_dict(), checkpoint)
    return checkpoint


def by_the_library(checkpoint: Path, size: int | None = None) -> Any:
    """The library's own model, nothing of it fused."""
    made = open_clip.create_model(
        checkpoint.stem, pretrained=str(checkpoint), force_image_size=size
    )
    return made.eval().requires_grad_(False)


def add_tokenizer(folder: Path, words: str) -> None:
    """A tokenizer of the library transformers that knows these words, in its two files."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    known = {word: k for k, word in enumerate(["<pad>", "<unk>", *dict.fromkeys(words.split())])}
    made = Tokenizer(models.WordLevel(known, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(folder / "tokenizer.json"))
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
