# SPDX-License-Identifier: Apache-2.0
"""Tiled torch backend for machines without a compiler: lists per tile, padded within a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from f4x_ros.core.render.output import RenderOutput
from f4x_ros.core.render.projection import Projected, composite_weights, falloff, project

if TYPE_CHECKING:
    from torch import Tensor

TILE = 8  # pixels; smaller lists waste less padding than gsplat's 16 would
BATCH_ELEMENTS = 6_000_000  # alphas held at once


def _tile_lists(p: Projected, tiles_x: int, tiles_y: int) -> tuple[Tensor, Tensor]:
    """Per tile the Gaussians whose box meets it, front to back: flat list, length per tile."""
    limit = torch.tensor([tiles_x, tiles_y], device=p.means2d.device)
    low = ((p.means2d - p.extents) / TILE).clamp(min=0).minimum(limit.to(p.means2d.dtype)).long()
    high = (
        ((p.means2d + p.extents) / TILE + 1).clamp(min=0).minimum(limit.to(p.means2d.dtype)).long()
    )
    columns = high[:, 0] - low[:, 0]
    count = columns * (high[:, 1] - low[:, 1])
    rank = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    nth = torch.arange(len(rank), device=count.device) - (count.cumsum(0) - count)[rank]
    row, column = nth // columns[rank], nth % columns[rank]
    tile = (low[rank, 1] + row) * tiles_x + low[rank, 0] + column
    tile, order = tile.sort(stable=True)
    return rank[order], torch.bincount(tile, minlength=tiles_x * tiles_y)


def _composite_batch(
    p: Projected, channels: Tensor, ranks: Tensor, used: Tensor, pixels: Tensor
) -> Tensor:
    """T tiles: ranks [T, L], used [T, L] (not padding), pixels [T, P, 2] -> [T, P, channels]."""
    d = pixels[:, None] - p.means2d[ranks][:, :, None]  # [T, L, P, 2]
    a, b, c = p.conics[ranks][:, :, None].unbind(-1)
    alpha = p.opacities[ranks][:, :, None] * falloff(d[..., 0], d[..., 1], a, b, c)
    w = composite_weights(torch.where(used[:, :, None], alpha, 0.0), 1)
    return torch.bmm(w.transpose(1, 2), channels[ranks])


def _composite(p: Projected, channels: Tensor, width: int, height: int) -> Tensor:
    tiles_x, tiles_y = -(-width // TILE), -(-height // TILE)
    with torch.no_grad():
        ranks, counts = _tile_lists(p, tiles_x, tiles_y)
        start = counts.cumsum(0) - counts
        busiest = counts.argsort(descending=True)  # tiles of similar length share a batch
        total = int((counts > 0).sum())
        device = channels.device
        ys, xs = torch.meshgrid(*[torch.arange(TILE, device=device)] * 2, indexing="ij")
    parts, where = [], []
    first = 0
    while first < total:
        longest = int(counts[busiest[first]])
        size = max(1, min(total - first, BATCH_ELEMENTS // (longest * TILE * TILE)))
        tiles = busiest[first : first + size]
        nth = torch.arange(longest, device=device)
        used = nth < counts[tiles][:, None]
        batch = ranks[(start[tiles][:, None] + nth).clamp(max=len(ranks) - 1)]
        px = (tiles % tiles_x * TILE)[:, None] + xs.flatten() + 0.5
        py = (tiles // tiles_x * TILE)[:, None] + ys.flatten() + 0.5
        pixels = torch.stack([px, py], -1).to(channels.dtype)
        parts.append(_composite_batch(p, channels, batch, used, pixels))
        where.append(tiles)
        first += size
    flat = channels.new_zeros(tiles_x * tiles_y, TILE * TILE, channels.shape[1])
    if parts:
        flat = flat.index_copy(0, torch.cat(where), torch.cat(parts))
    else:  # nothing to see; stay in the graph, so that gradients are zero and not an error
        flat = flat + 0 * (channels.sum() + p.means2d.sum() + p.conics.sum() + p.opacities.sum())
    tiled = flat.view(tiles_y, tiles_x, TILE, TILE, -1).transpose(1, 2)
    return tiled.reshape(tiles_y * TILE, tiles_x * TILE, -1)[:height, :width]


def render(
    means: Tensor,  # [N, 3]
    quats: Tensor,  # [N, 4]
    scales: Tensor,  # [N, 3]
    opacities: Tensor,  # [N]
    colors: Tensor,  # [N, C]
    viewmat: Tensor,  # [4, 4]
    K: Tensor,  # [3, 3]
    width: int,
    height: int,
    near: float,
    eps2d: float,
) -> RenderOutput:
    """`f4x_ros.core.render.render` in plain torch, in any float type, on any device."""
    p = project(means, quats, scales, opacities, viewmat, K, width, height, near, eps2d)
    ones = torch.ones_like(p.depths)
    channels = torch.cat([colors[p.ids], torch.stack([p.depths, ones], -1)], 1)
    out = _composite(p, channels, width, height)
    return RenderOutput(out[..., :-2], out[..., -2], out[..., -1])
