# SPDX-License-Identifier: Apache-2.0
"""What many Gaussians say in short: enough to tell whether it is worth to look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from f4x_ros.core.field.gaussians import NO_PIECE

_SAMPLES = 16  # Gaussians without a piece that stand for all of them


class Gist(NamedTuple):
    """The pieces of some Gaussians, and samples of what has none.

    Attributes:
        latents: [K, D] means.
        weights: [K] pixels behind each.
        counts: [K] Gaussians of each.
    """

    latents: Tensor
    weights: Tensor
    counts: Tensor


def gist_of(parts: Sequence[Mapping[str, Tensor]]) -> Gist:
    """The gist of some tables together; columns `piece_ids`, `latents` and `latent_weights`."""
    columns = ("piece_ids", "latents", "latent_weights")
    pieces, latents, weights = (torch.cat([one[name] for one in parts]) for name in columns)
    pieces = pieces.cpu()
    alone = (pieces == NO_PIECE).nonzero()[:, 0]
    if len(alone) > _SAMPLES:  # evenly
        alone = alone[torch.arange(_SAMPLES) * len(alone) // _SAMPLES]
    known = (pieces != NO_PIECE).nonzero()[:, 0]
    _, of = torch.unique(pieces[known], return_inverse=True)
    first = int(of.max()) + 1 if len(of) else 0
    own = first + torch.arange(len(alone))
    rows, of = torch.cat([known, alone]), torch.cat([of, own])
    total = first + len(alone)
    counts = torch.bincount(of, minlength=total)
    rows, of, counts = (one.to(weights.device) for one in (rows, of, counts))
    weights = weights[rows].float()
    behind = weights.new_zeros(total).index_add_(0, of, weights)
    sums = weights.new_zeros(total, latents.shape[1])
    sums.index_add_(0, of, latents[rows].float() * weights[:, None])
    means = (sums / behind.clamp(min=1e-9)[:, None]).half()
    return Gist(means, behind, counts)


def joined(parts: Sequence[Gist]) -> Gist:
    """Several in one; there is at least one."""
    return Gist(*(torch.cat(column) for column in zip(*parts, strict=True)))
