# SPDX-License-Identifier: Apache-2.0
"""The network: pictures in, a unit vector for each 4x4 pixels out.

A residual encoder (He et al. 2016) down to a 32nd of the size, where blocks of attention (Vaswani
et al. 2017) look at the whole picture; then back up to a quarter, as in feature pyramids (Lin et
al. 2017). Convolutions are plain 3x3, which CPUs are good at.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

STRIDE = 4
"""Pixels of the picture to a side of one feature."""

_COARSEST = 32  # pictures are padded to a multiple of it
_MEAN, _SPREAD = (0.42, 0.40, 0.37), 0.25  # of the worlds' pictures
_HEADS = 4


@dataclass(frozen=True)
class Layout:
    """How wide and deep the network is.

    Attributes:
        dim: numbers of a feature.
        widths: channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size.
        depths: residual blocks at 1/4, 1/8, 1/16 and 1/32.
        attention: blocks of attention at 1/32.
        neck: channels on the way back up.
    """

    dim: int = 96
    widths: tuple[int, int, int, int, int] = (16, 32, 72, 144, 224)
    depths: tuple[int, int, int, int] = (1, 2, 3, 1)
    attention: int = 2
    neck: int = 64

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
            raise ValueError(f"layout of the network is {stored}: {error}") from error


class EmbeddedNet(nn.Module):
    """Unit vectors of 4x4 pixels.

    Args:
        layout: how wide and deep it is.
    """

    mean: Tensor

    def __init__(self, layout: Layout | None = None) -> None:
        super().__init__()
        self.layout = layout = Layout() if layout is None else layout
        half, quarter, eighth, sixteenth, coarse = layout.widths
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.stem = _Conv(3, half, 2)
        self.stages = nn.ModuleList(
            nn.Sequential(_Conv(before, width, 2), *(_Residual(width) for _ in range(depth)))
            for before, width, depth in zip(
                (half, quarter, eighth, sixteenth),
                (quarter, eighth, sixteenth, coarse),
                layout.depths,
                strict=True,
            )
        )
        self.attention = nn.ModuleList(_Attention(coarse) for _ in range(layout.attention))
        self.lateral = nn.ModuleList(nn.Conv2d(w, layout.neck, 1) for w in layout.widths[1:])
        self.fuse = nn.ModuleList(_Conv(layout.neck, layout.neck) for _ in range(3))
        self.head = nn.Conv2d(layout.neck, layout.dim, 1)

    def forward(
        self,
        images: Tensor,  # [B, 3, H, W] RGB 0..1
    ) -> Tensor:
        """Unit vectors [B, dim, ceil(H / 4), ceil(W / 4)] float32."""
        height, width = images.shape[-2:]
        padding = (0, -width % _COARSEST, 0, -height % _COARSEST)
        x = functional.pad((images - self.mean) / _SPREAD, padding, mode="replicate")
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        for block in self.attention:
            x = block(x)
        y = self.lateral[3](x)
        for level, lateral, fuse in zip(
            levels[2::-1], (self.lateral[2], self.lateral[1], self.lateral[0]), self.fuse,
            strict=True,
        ):  # fmt: skip
            up = functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
            y = fuse(up + lateral(level))
        features = self.head(y)[..., : -(-height // STRIDE), : -(-width // STRIDE)]
        return functional.normalize(features.float(), dim=1)

    def fused(self) -> EmbeddedNet:
        """The same in evaluation mode with normalisations folded into convolutions; for use only.

        Changes the network itself.
        """
        self.eval()
        for module in self.modules():
            if isinstance(module, _Conv):
                module.fold()
        return self.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


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


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _Conv(width, width)
        self.second = _Conv(width, width, relu=False)
        nn.init.zeros_(self.second.norm.weight)  # type: ignore[arg-type]  # starts as nothing

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)), inplace=True)


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
