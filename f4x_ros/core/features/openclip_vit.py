# SPDX-License-Identifier: Apache-2.0
"""Patch features of open_clip's vision transformer that stay in CLIP's joint space.

CLIP trains only what is pooled: in its last block patches attend to distant, unrelated ones. Other
attention there, with all weights as they are, makes each patch speak for itself:

- sclip: queries with queries plus keys with keys (Wang, Mei & Yuille, SCLIP, ECCV 2024);
- vv: values with values (Li et al., CLIP Surgery, 2023);
- maskclip: none, each patch its own value (Zhou, Loy & Dai, MaskCLIP, ECCV 2022);
- clip: queries with keys, unchanged, for comparison.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from f4x_ros.core.errors import BadInputError

ATTENTIONS = ("sclip", "vv", "maskclip", "clip")


def check_tower(model: str, tower: Any) -> None:
    """Raise ValueError unless the image tower is a transformer this module can walk through."""
    kind = type(tower).__name__
    usable = kind == "VisionTransformer" and tower.attn_pool is None
    if not usable or not isinstance(tower.transformer.resblocks[-1].attn, nn.MultiheadAttention):
        raise BadInputError(
            f"model {model!r} has the image tower {kind}, expected open_clip's VisionTransformer "
            "with its plain attention, such as ViT-B-32, ViT-B-16, ViT-L-14, or one of timm, such "
            "as ViT-B-16-SigLIP2-256, MobileCLIP2-S0"
        )


def dense_tokens(
    tower: Any,  # open_clip.transformer.VisionTransformer
    images: Tensor,  # [B, 3, H, W], normalised, whole patches
    attention: str,
) -> Tensor:
    """One vector of the joint space per patch, [B, C, h, w], not normalised."""
    x, grid = _embedded(tower, images)
    for block in tower.transformer.resblocks[:-1]:
        x = block(x)
    x = _block(tower.transformer.resblocks[-1], x, attention)
    tokens = _projected(tower, tower.ln_post(x[:, 1:]))
    return tokens.transpose(1, 2).reshape(len(images), -1, *grid)


def pooled(tower: Any, images: Tensor) -> Tensor:
    """The image's own vector [B, C] by the same steps, at any size; not normalised.

    At the size of training it equals `encode_image`, which the tests use to check the steps.
    """
    x, _ = _embedded(tower, images)
    for block in tower.transformer.resblocks[:-1]:
        x = block(x)
    x = _block(tower.transformer.resblocks[-1], x, "clip")
    if not tower.final_ln_after_pool:
        x = tower.ln_post(x)
    x = x[:, 0] if tower.pool_type == "tok" else x[:, 1:].mean(1)
    return _projected(tower, tower.ln_post(x) if tower.final_ln_after_pool else x)


def _embedded(tower: Any, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Class token and patches with their positions [B, 1 + h * w, width], and (h, w)."""
    patches = tower.conv1(images)
    grid = (patches.shape[2], patches.shape[3])
    start = tower.class_embedding.expand(len(images), 1, -1)
    x = torch.cat([start, patches.flatten(2).transpose(1, 2)], 1)
    embedded: Tensor = tower.ln_pre(x + _positions(tower, grid))
    return embedded, grid


def _positions(tower: Any, grid: tuple[int, int]) -> Tensor:
    """Position embeddings [1 + h * w, width], interpolated from the grid of training."""
    own: Tensor = tower.positional_embedding
    if grid == tuple(tower.grid_size):
        return own
    image = own[1:].T.reshape(1, -1, *tower.grid_size)
    resized = functional.interpolate(
        image, grid, mode="bicubic", align_corners=False, antialias=True
    )
    return torch.cat([own[:1], resized[0].flatten(1).T])


def _block(block: Any, x: Tensor, attention: str) -> Tensor:
    """A residual attention block with another attention."""
    x = x + block.ls_1(_attended(block.attn, block.ln_1(x), attention))
    out: Tensor = x + block.ls_2(block.mlp(block.ln_2(x)))
    return out


def _attended(
    attn: nn.MultiheadAttention,
    x: Tensor,  # [B, L, width]
    attention: str,
) -> Tensor:
    """`attn` with the pairs that `attention` says, [B, L, width]."""
    projected = functional.linear(x, attn.in_proj_weight, attn.in_proj_bias)
    heads = projected.view(*x.shape[:2], 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)
    q, k, v = heads.unbind(0)  # [B, heads, L, width / heads]
    mixed = mixed_values(q, k, v, attention)
    out: Tensor = attn.out_proj(mixed.transpose(1, 2).flatten(2))
    return out


def mixed_values(q: Tensor, k: Tensor, v: Tensor, attention: str) -> Tensor:
    """Values [B, heads, L, size] mixed as `attention` says."""
    pair = functional.scaled_dot_product_attention
    if attention == "sclip":
        return pair(q, q, v) + pair(k, k, v)
    if attention == "vv":
        return pair(v, v, v)
    return v if attention == "maskclip" else pair(q, k, v)


def _projected(tower: Any, x: Tensor) -> Tensor:
    return x if tower.proj is None else x @ tower.proj
