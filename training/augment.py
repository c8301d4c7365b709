# SPDX-License-Identifier: Apache-2.0
"""Random crops, and what cameras do to pictures. Hues stay, since colour words must stay true."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.features.embedded.network import STRIDE
from training.data import NOTHING, Pool

_FOCUSED = 0.75  # share of crops centred on a thing
_ROTATION_RAD = 0.12


class Batch(NamedTuple):
    """Crops and what their features should be like.

    Attributes:
        images: [B, 3, h, w] 0..1.
        kinds: [B, h / 2, w / 2] numbers of kinds, each that of a random place in its 2x2 pixels, so
            that what is learned is a share of them; `NOTHING` where there is none.
    """

    images: Tensor
    kinds: Tensor


def crops(
    pool: Pool,
    rows: Tensor,  # [B] which images
    size: tuple[int, int],  # h, w in pixels, multiples of 2
    span: tuple[float, float],  # share of an image's width that a crop shows
    generator: torch.Generator,
) -> Batch:
    """Cut, scale, turn and mirror at random."""
    device, count = pool.rgb.device, len(rows)
    height, width = pool.rgb.shape[1:3]

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        noise = torch.rand(count, *shape, generator=generator, device=device)
        return low + (high - low) * noise

    low, high = np.log(span[0]), np.log(span[1])
    share = uniform(low, high).exp()
    pick = torch.randint(pool.foci.shape[1], (count,), generator=generator, device=device)
    focus = pool.foci[rows, pick].float() / torch.tensor([height, width], device=device)
    anywhere = uniform(0, 1, 2)
    focused = (uniform(0, 1) < _FOCUSED)[:, None]
    center = torch.where(focused, focus + uniform(-0.3, 0.3, 2) * share[:, None], anywhere)
    half = share[:, None] / 2
    center = torch.minimum(torch.maximum(center, half), 1 - half) * 2 - 1  # -1..1, row and column
    angle, mirror = uniform(-_ROTATION_RAD, _ROTATION_RAD), uniform(0, 1).sub(0.5).sign()
    aspect = height / width
    cos, sin = angle.cos() * share, angle.sin() * share
    # From the crop to the image, both in -1..1: x = columns, y = rows.
    affine = torch.stack(
        [
            torch.stack([cos * mirror, -sin * aspect, center[:, 1]], 1),
            torch.stack([sin * mirror / aspect, cos, center[:, 0]], 1),
        ],
        1,
    )
    grid = functional.affine_grid(affine, [count, 1, *size], align_corners=False)
    chosen = pool.rgb[rows].permute(0, 3, 1, 2).float() / 255
    images = functional.grid_sample(chosen, grid, padding_mode="reflection", align_corners=False)
    small = [count, 1, size[0] // STRIDE, size[1] // STRIDE]
    coarse = functional.affine_grid(affine, small, align_corners=False)
    inside = torch.rand(coarse.shape, generator=generator, device=device) - 0.5
    inside *= 2 / torch.tensor([small[3], small[2]], device=device)  # of a feature's extent
    coarse = coarse + torch.einsum("bhwi,bji->bhwj", inside, affine[:, :, :2])
    outside = (coarse.abs() > 1).any(-1)
    column = ((coarse[..., 0] + 1) / 2 * width).long().clamp(0, width - 1)
    row = ((coarse[..., 1] + 1) / 2 * height).long().clamp(0, height - 1)
    kinds = pool.kinds[rows[:, None, None], row, column].long()
    return Batch(images, kinds.masked_fill(outside, NOTHING))


def photographed(images: Tensor, generator: torch.Generator) -> Tensor:
    """Exposure, contrast, white balance, blur, noise, quantisation: [B, 3, h, w] in 0..1."""
    device, count = images.device, len(images)

    def normal(spread: float, channels: int = 1) -> Tensor:
        noise = torch.randn(count, channels, 1, 1, generator=generator, device=device)
        return spread * noise

    def chance(share: float) -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=generator, device=device) < share

    x = images.clamp(1e-4, 1) ** normal(0.18).exp()
    x = x * normal(0.2).exp().clamp(0.55, 1.6) * (1 + normal(0.035, 3))
    gray = x.mean(1, keepdim=True)
    x = gray + (x - gray) * (1 + normal(0.12)).clamp(0.6, 1.4)
    x = x + normal(0.02)
    soft = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = torch.where(chance(0.3), soft, x)
    level = normal(0.02).abs()
    grain = torch.randn(x.shape, generator=generator, device=device)
    x = (x + level * grain).clamp(0, 1)
    return torch.where(chance(0.2), (x * 48).round() / 48, x)


def compressed(images: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Some of the images as JPEG of low quality; on the CPU."""
    out = images.clone()
    for k in np.flatnonzero(rng.random(len(images)) < share):
        flags = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 85))]
        bgr = (images[k].flip(0).permute(1, 2, 0).cpu().numpy() * 255 + 0.5).astype(np.uint8)
        _, buffer = cv2.imencode(".jpg", bgr, flags)
        again = torch.from_numpy(cv2.imdecode(buffer, cv2.IMREAD_COLOR)).permute(2, 0, 1)
        out[k] = again.flip(0).to(images) / 255
    return out
