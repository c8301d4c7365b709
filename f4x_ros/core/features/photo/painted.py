# SPDX-License-Identifier: Apache-2.0
"""Boxes become evidence per pixel: how much speaks for each class at a place."""

from __future__ import annotations

import torch
from torch import Tensor

from f4x_ros.core.base.host import on_host
from f4x_ros.core.features.photo.nanodet import Detections

LEAST = 0.05
"""Scores up to this are left out."""

_FALL = 0.3  # of the evidence from the middle of a box to its rims
_MOST = 40  # boxes of a class that are painted, the best first


@torch.no_grad()
def painted(detections: Detections, grid: tuple[int, int]) -> Tensor:
    """Evidence [B, 80, h, w] for the cells of a grid (rows, columns) over the picture, 0..1.

    At each place the best score of the boxes over it, times exp(-0.3 (u^2 + v^2)) with u and v
    running from 0 in the middle of a box to 1 at its rims. Boxes of a thing overlap and are not
    thinned out: the best of them wins. Where no box lies, zero.
    """
    device = detections.scores.device
    out = torch.zeros(*detections.scores.shape[::2], *grid)
    scores, which = detections.scores.topk(min(_MOST, detections.scores.shape[1]), dim=1)
    # Few boxes are left: the host paints them, so a GPU is waited for once.
    parts = (torch.from_numpy(part) for part in on_host(scores, which, detections.boxes))
    for evidence, best, chosen, boxes in zip(out, *parts, strict=True):
        ranks, classes = (best > LEAST).nonzero(as_tuple=True)
        x0, y0, x1, y1 = boxes[chosen[ranks, classes]].T[..., None]
        across = _falling(x0, x1, grid[1])
        down = _falling(y0, y1, grid[0]) * best[ranks, classes, None]
        for k in classes.unique().tolist():
            mine = classes == k
            evidence[k] = (down[mine, :, None] * across[mine, None]).amax(0)
    return out.to(device)


def _falling(low: Tensor, high: Tensor, cells: int) -> Tensor:
    """[N, cells] along one side: 1 in the middle between low and high [N, 1], 0 outside."""
    places = (torch.arange(cells, device=low.device) + 0.5) / cells
    half = ((high - low) / 2).clamp_min(0.5 / cells)  # a box is at least one cell
    away = (places - (low + high) / 2) / half
    return torch.exp(-_FALL * away**2) * (away.abs() <= 1)
