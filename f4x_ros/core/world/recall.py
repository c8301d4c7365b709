# SPDX-License-Identifier: Apache-2.0
"""Which blocks at rest a question is about, without looking at their Gaussians."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.ask import Wanted
from f4x_ros.core.base import on_host
from f4x_ros.core.features.distil import Distiller
from f4x_ros.core.field import BlockStore

_MOST = 48  # blocks at rest that are looked at for each thing that is wanted
_BEST = 25  # Gaussians that stand for the best of a scene, as in `ask.refine`


@torch.no_grad()
def promising(
    rest: BlockStore, distiller: Distiller, wanted: Wanted, min_weight: float
) -> list[int]:
    """Codes of the blocks whose gist is most relevant to each of the things that are wanted."""
    if len(rest) <= _MOST:
        return [block.code for block in rest]
    scores, codes = _scores(rest, distiller, wanted, min_weight)
    found, of = torch.unique(codes, return_inverse=True)
    best = scores.new_zeros(len(found), scores.shape[1])
    best.scatter_reduce_(0, of[:, None].expand_as(scores), scores, "amax")
    chosen = best.topk(min(_MOST, len(found)), dim=0).indices
    return sorted(set(found[chosen.flatten()].tolist()))


class Elsewhere:
    """What the best of the blocks at rest are worth to standing prompts."""

    def __init__(self) -> None:
        self._key: tuple[int, int] | None = None
        self._wanted: Wanted | None = None
        self._best: Tensor | None = None

    @torch.no_grad()
    def best(
        self,
        rest: BlockStore,
        distiller: Distiller,
        wanted: Wanted,
        min_weight: float,
        edition: int,
    ) -> Tensor | None:
        """Relevancy [25, P] of the Gaussians at rest that are most relevant to each prompt.

        None where nothing is at rest. Asked anew only when blocks, latents or prompts have changed.
        """
        if not len(rest) or not len(wanted):
            return None
        key = (rest.version, edition)
        if key != self._key or wanted is not self._wanted:
            scores, _ = _scores(rest, distiller, wanted, min_weight)
            gist, _ = rest.gists()
            top = scores.topk(min(_BEST, len(scores)), dim=0)
            best, times = on_host(top.values, gist.counts[top.indices].clamp(max=_BEST))
            columns = [
                np.repeat(values, own)[:_BEST] for values, own in zip(best.T, times.T, strict=True)
            ]
            padded = [np.pad(one, (0, _BEST - len(one))) for one in columns]
            self._best = torch.from_numpy(np.stack(padded, 1)).to(scores.device)
            self._key, self._wanted = key, wanted
        return self._best


def _scores(
    rest: BlockStore, distiller: Distiller, wanted: Wanted, min_weight: float
) -> tuple[Tensor, Tensor]:
    """Relevancy [K, P] of all gists at rest, and [K] the codes of their blocks."""
    gist, codes = rest.gists()
    scores = wanted.relevancy(distiller, gist.latents.float())
    return torch.where((gist.weights >= min_weight)[:, None], scores, 0), codes
