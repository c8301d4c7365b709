# SPDX-License-Identifier: Apache-2.0
"""The network: pictures in, a unit vector for each 2x2 pixels out.

A trunk of inverted residuals (`Trunk`) down to a 32nd of the size, where blocks of attention
(Vaswani et al. 2017) look at the whole picture; then back up to a quarter, as in feature pyramids
(Lin et al. 2017). The last step, to a half, mixes the four nearest features with weights that the
network predicts, as RAFT does for optical flow (Teed & Deng 2020), so that edges stay sharp.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.embedded.trunk import Trunk

STRIDE = 2
"""Pixels of the picture to a side of one feature."""

_COARSEST = 32  # pictures are padded to a multiple of it
_MEAN, _SPREAD = 127 / 255, 128 / 255  # what EfficientNet-Lite was trained with
_HEADS = 4
_BILINEAR = (0.75, 0.25)  # of the own and of the next feature, half way between two


class Maps(NamedTuple):
    """What the network makes of pictures, before the last step up.

    Attributes:
        coarse: [B, dim, h, w] float32, one for each 4x4 pixels, of any length.
        blend: [B, 4, 4, h, w] float32, shares of the four nearest coarse features (they add up to
            1) in each of the four features that come of one.
        near: [B, widths[2], h, w] first level of the trunk.
    """

    coarse: Tensor
    blend: Tensor
    near: Tensor


@dataclass(frozen=True)
class Layout:
    """How wide and deep the network is.

    Attributes:
        dim: numbers of a feature.
        widths: channels of the trunk's stem, of its first block and of its groups.
        depths: blocks of the trunk's groups.
        attention: blocks of attention at 1/32.
        neck: channels on the way back up, at 1/32, 1/16, 1/8 and 1/4 of the size.
    """

    dim: int = 96
    widths: tuple[int, ...] = (32, 16, 24, 40, 80, 112, 192)
    depths: tuple[int, ...] = (2, 2, 3, 3, 4)
    attention: int = 2
    neck: tuple[int, int, int, int] = (160, 128, 96, 96)

    def as_dict(self) -> dict[str, object]:
        """For a file; `Layout.of` reads it."""
        return asdict(self)

    @classmethod
    def of(cls, stored: dict[str, object]) -> Layout:
        """The inverse of `as_dict`; ValueError if it is not one."""
        try:
            fields = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
            return cls(**fields)  # type: ignore[arg-type]
        except TypeError as error:
            raise BadInputError(f"layout of the network is {stored}: {error}") from error


class EmbeddedNet(nn.Module):
    """Unit vectors of 2x2 pixels.

    Args:
        layout: how wide and deep it is.
    """

    def __init__(self, layout: Layout | None = None) -> None:
        super().__init__()
        self.layout = layout = Layout() if layout is None else layout
        self.trunk = Trunk(layout.widths, layout.depths)
        widths = self.trunk.channels[::-1]  # coarsest first
        self.attention = nn.ModuleList(_Attention(widths[0]) for _ in range(layout.attention))
        self.lateral = nn.ModuleList(
            nn.Conv2d(w, n, 1) for w, n in zip(widths, layout.neck, strict=True)
        )
        self.up = nn.ModuleList(nn.Conv2d(n, m, 1, bias=False) for n, m in pairwise(layout.neck))
        self.fuse = nn.ModuleList(_Conv(n, n) for n in layout.neck[1:])
        self.head = nn.Conv2d(layout.neck[-1], layout.dim, 1)
        self.blend = nn.Conv2d(layout.neck[-1], 16, 1)
        nn.init.zeros_(self.blend.weight)
        with torch.no_grad():
            assert self.blend.bias is not None
            self.blend.bias.copy_(_bilinear().log().flatten())

    def forward(
        self,
        images: Tensor,  # [B, 3, H, W] RGB 0..1
    ) -> Tensor:
        """Unit vectors [B, dim, ceil(H / 2), ceil(W / 2)] float32."""
        height, width = images.shape[-2:]
        return enlarged(self.maps(images), (height, width))

    def maps(self, images: Tensor) -> Maps:
        """All but the last step, for `images` [B, 3, H, W]; sides are padded to whole 32 pixels."""
        x = _prepared(images)
        with torch.autocast(x.device.type, enabled=False):  # depth-wise in bfloat16 is slow
            *levels, x = self.trunk(x.contiguous(memory_format=torch.channels_last))
        for block in self.attention:
            x = block(x)
        y = functional.relu(self.lateral[0](x))
        for level, lateral, up, fuse in zip(
            levels[::-1], self.lateral[1:], self.up, self.fuse, strict=True
        ):
            y = functional.interpolate(up(y), scale_factor=2, mode="bilinear", align_corners=False)
            y = fuse(functional.relu(y + lateral(level)))
        blend = self.blend(y).float().unflatten(1, (4, 4)).softmax(2)
        return Maps(self.head(y).float(), blend, levels[0])

    def near(
        self,
        images: Tensor,  # [B, 3, H, W] RGB 0..1
    ) -> Tensor:
        """The first level of the trunk alone, see `Maps`."""
        x = _prepared(images).contiguous(memory_format=torch.channels_last)
        return self.trunk.near(x)

    def fused(self) -> EmbeddedNet:
        """The same in evaluation mode with normalisations folded into convolutions; for use only.

        Changes the network itself.
        """
        self.eval()
        for module in self.modules():
            if isinstance(module, _Conv):
                module.fold()
        return self.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _prepared(images: Tensor) -> Tensor:
    """In the range of the training, sides padded to whole 32 pixels."""
    height, width = images.shape[-2:]
    padding = (0, -width % _COARSEST, 0, -height % _COARSEST)
    return functional.pad((images - _MEAN) / _SPREAD, padding, mode="replicate")


def picked(
    maps: Maps,
    batch: Tensor,  # [M] which picture
    row: Tensor,  # [M] of its features, in units of `STRIDE` pixels
    column: Tensor,  # [M]
) -> Tensor:
    """Some unit vectors [M, dim] of those that the whole network gives, without all the others."""
    height, width = maps.coarse.shape[-2:]
    y, x = row // 2, column // 2
    shares = maps.blend[batch, row % 2 * 2 + column % 2, :, y, x]  # [M, 4]
    corner = torch.arange(4, device=row.device)
    near_y = ((y + row % 2 - 1)[:, None] + corner // 2).clamp(0, height - 1)
    near_x = ((x + column % 2 - 1)[:, None] + corner % 2).clamp(0, width - 1)
    flat = maps.coarse.permute(0, 2, 3, 1).flatten(0, 2)
    near = flat.index_select(0, ((batch[:, None] * height + near_y) * width + near_x).flatten())
    total = torch.einsum("mk,mkd->md", shares, near.view(len(batch), 4, -1))
    return functional.normalize(total, dim=1)


def enlarged(maps: Maps, size: tuple[int, int]) -> Tensor:
    """Unit vectors [B, dim, ceil(H / 2), ceil(W / 2)] of pictures of a size (height, width).

    Number (i, j) of a cell mixes those at its corner (i, j).
    """
    batch, dim, height, width = maps.coarse.shape
    # The numbers of a feature lie together: one share is for all of them.
    padded = functional.pad(maps.coarse, (1, 1, 1, 1), mode="replicate").permute(0, 2, 3, 1)
    padded = padded.contiguous()
    shares = maps.blend.permute(1, 2, 0, 3, 4).unsqueeze(-1).contiguous()
    fine = padded.new_empty(batch, height, 2, width, 2, dim)
    for i in (0, 1):
        for j in (0, 1):
            mixed = torch.zeros(batch, height, width, dim, device=padded.device)
            for k in range(4):
                y, x = i + k // 2, j + k % 2
                near = padded[:, y : y + height, x : x + width]
                mixed.addcmul_(near, shares[2 * i + j, k])
            fine[:, :, i, :, j] = functional.normalize(mixed, dim=-1)
    full = fine.view(batch, 2 * height, 2 * width, dim).permute(0, 3, 1, 2)
    return full[..., : -(-size[0] // STRIDE), : -(-size[1] // STRIDE)]


def _bilinear() -> Tensor:
    """[4, 4] shares that bilinear enlargement gives to the four nearest."""
    own, other = _BILINEAR
    along = torch.tensor([[other, own], [own, other]])  # of a cell's first and second feature
    return torch.einsum("ia,jb->ijab", along, along).reshape(4, 4)


class _Conv(nn.Module):
    """Convolution, normalisation over the batch, and ReLU unless told otherwise."""

    def __init__(self, before: int, after: int, stride: int = 1, *, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(after)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return functional.relu(x, inplace=True) if self.relu else x

    def fold(self) -> None:
        """Put the normalisation into the convolution."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class _Attention(nn.Module):
    """Every place looks at every other; where a place is, a depth-wise convolution tells."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.place = nn.Conv2d(width, width, 3, 1, 1, groups=width)
        self.norm_mix, self.norm_wide = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        for last in (self.out, self.narrow):  # the block starts as nothing
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        batch, width, rows, columns = x.shape
        x = (x + self.place(x)).flatten(2).transpose(1, 2)
        qkv = self.qkv(self.norm_mix(x)).view(batch, rows * columns, 3, _HEADS, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, rows * columns, width))
        x = x + self.narrow(functional.gelu(self.wide(self.norm_wide(x))))
        return x.transpose(1, 2).reshape(batch, width, rows, columns)
