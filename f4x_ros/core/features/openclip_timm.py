# SPDX-License-Identifier: Apache-2.0
"""Patch features of open_clip's image towers that come from timm: SigLIP, SigLIP 2, MobileCLIP 2.

What such a tower says of a whole picture, its head says of what its trunk saw in all places. Here
the head is given each place alone, as if the picture were made of nothing else:

- attention pooling (SigLIP): over one place there is nothing to weigh, what is left are value,
  projection and MLP, so each patch speaks for itself, as in MaskCLIP (Zhou, Loy & Dai, 2022);
- mean pooling (MobileCLIP-S, convolutions): the head is linear, the mean over all places is what
  the tower says of the picture;
- a class token (MobileCLIP-B, -L): the last block gets another attention, see openclip_vit.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from torch import Tensor

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.openclip_vit import mixed_values


class TimmTower:
    """An `open_clip.timm_model.TimmModel` that is looked at place by place.

    Args:
        model: its name, for messages.
        tower: the image tower; its branches are fused, and it takes any size from now on.

    Attributes:
        patch: height and width of a place, pixels.
        default_attention: of the last block, see openclip_vit.ATTENTIONS; "clip" is unchanged.

    Raises:
        ValueError: the tower is of another kind.
    """

    def __init__(self, model: str, tower: Any) -> None:
        kind = type(tower.trunk).__name__
        self._flat = kind == "VisionTransformer"
        if not (self._flat or (kind == "FastVit" and tower.trunk.num_classes)) or tower.head:
            raise BadInputError(
                f"model {model!r} has the image tower {kind} of timm, expected its "
                "VisionTransformer or FastVit, such as in ViT-B-16-SigLIP2-256, MobileCLIP2-S0"
            )
        self._model = model
        tower.trunk = import_module("timm.models").reparameterize_model(tower.trunk, inplace=True)
        self._trunk = tower.trunk
        self.patch: tuple[int, int]
        if self._flat:
            _take_any_size(self._trunk)
            self.patch = self._trunk.patch_embed.feat_ratio(as_scalar=False)
        else:
            stride = max(int(info["reduction"]) for info in self._trunk.feature_info)
            self.patch = (stride, stride)
        by_token = self._flat and self._trunk.global_pool == "token"
        self.default_attention = "sclip" if by_token else "clip"

    def dense(
        self,
        images: Tensor,  # [B, 3, H, W], normalised, whole patches
        attention: str,
    ) -> Tensor:
        """One vector of the joint space per place, [B, C, h, w], not normalised."""
        if not self._flat:
            if attention != "clip":
                raise BadInputError(
                    f"option attention is {attention!r}, but model {self._model!r} has no last "
                    "block of attention, expected auto or clip"
                )
            return self._alone(self._trunk.forward_features(images))
        seen = self._tokens(images, attention)[:, self._trunk.num_prefix_tokens :]
        grid = (images.shape[2] // self.patch[0], images.shape[3] // self.patch[1])
        return self._alone(seen.transpose(1, 2).reshape(len(seen), -1, *grid))

    def _tokens(self, images: Tensor, attention: str) -> Tensor:
        """Of `forward_features` [B, L, width], the last block with another attention."""
        trunk = self._trunk
        if attention == "clip":
            tokens: Tensor = trunk.forward_features(images)
            return tokens
        x = trunk.norm_pre(trunk._pos_embed(trunk.patch_embed(images)))
        for block in trunk.blocks[:-1]:
            x = block(x)
        last = trunk.blocks[-1]
        x = x + last.ls1(_attended(last.attn, last.norm1(x), attention))
        out: Tensor = trunk.norm(x + last.ls2(last.mlp(last.norm2(x))))
        return out

    def _alone(
        self,
        seen: Tensor,  # [B, width, h, w] of the trunk
    ) -> Tensor:
        """What the trunk's own head says of each place, [B, C, h, w]."""
        count, _, height, width = seen.shape
        places = seen.permute(0, 2, 3, 1).flatten(0, 2)
        places = places[:, None] if self._flat else places[:, :, None, None]
        said: Tensor = self._trunk.forward_head(places)
        return said.view(count, height, width, -1).permute(0, 3, 1, 2)


def _take_any_size(trunk: Any) -> None:
    """What timm's own option dynamic_img_size sets, which open_clip does not pass on."""
    channels_last = import_module("timm.layers").Format.NHWC
    trunk.dynamic_img_size = True
    embed = trunk.patch_embed
    embed.strict_img_size, embed.flatten, embed.output_fmt = False, False, channels_last


def _attended(attn: Any, x: Tensor, attention: str) -> Tensor:
    """timm's attention [B, L, width] with the pairs that `attention` says."""
    heads = attn.qkv(x).unflatten(2, (3, attn.num_heads, -1)).permute(2, 0, 3, 1, 4)
    q, k, v = heads.unbind(0)  # [B, heads, L, width / heads]
    mixed = mixed_values(attn.q_norm(q), attn.k_norm(k), v, attention)
    out: Tensor = attn.proj(mixed.transpose(1, 2).flatten(2))
    return out


def is_timm(tower: Any) -> bool:
    """Whether an image tower is timm's."""
    return type(tower).__name__ == "TimmModel"
