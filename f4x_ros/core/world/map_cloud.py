# SPDX-License-Identifier: Apache-2.0
"""The semantic cloud of all that is in memory, from what was worked out block by block."""

from __future__ import annotations

import torch
from torch import Tensor

from f4x_ros.core.ask import Asker, PromptSet, labels_of, score_of, semantic_cloud
from f4x_ros.core.ask.prompts import relevancy
from f4x_ros.core.data import Cloud
from f4x_ros.core.field import Packed, Snapshot, some_of, take_snapshot
from f4x_ros.core.world.memory import Memory


@torch.no_grad()
def cloud_of(memory: Memory, asker: Asker, prompts: PromptSet, snapshot: Snapshot) -> Cloud:
    """Points of the solid Gaussians of a snapshot of the last frame's time, map frame."""
    relevancies = relevancy(snapshot, memory.distiller, prompts, asker.min_weight)
    scores = asker.select(snapshot, relevancies, prompts, None)
    labels, _ = labels_of(scores, prompts.thresholds)
    time_s, best = memory.seconds(memory.stamp_ns), score_of(relevancies, labels)
    return semantic_cloud(snapshot, labels, best, time_s, asker.min_weight)


class MapCloud:
    """Keeps what each block at rest is worth to the standing prompts.

    A block that has not changed costs nothing to label again; what is on disk is left out.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Packed, Tensor]] = {}  # by block: its rows, relevancy [n, P]
        self._of: tuple[PromptSet, int] | None = None  # prompts and code of latents they are for

    @torch.no_grad()
    def cloud(self, memory: Memory, asker: Asker, prompts: PromptSet) -> Cloud:
        """Points of the solid Gaussians that are there at the last frame's time, map frame."""
        field = memory.field
        if self._of is None or self._of[0] is not prompts or self._of[1] != field.edition:
            self._of, self._known = (prompts, field.edition), {}
        blocks = [one for one in field.rest if one.present is not None]
        snapshot = take_snapshot(field, blocks=[one.code for one in blocks])
        parts = [self._relevancy(memory, asker, prompts, snapshot, 0, len(field.present))]
        start, known = len(field.present), {}
        for one in blocks:
            assert one.present is not None
            kept = self._known.get(one.code)
            if kept is None or kept[0] is not one.present:
                count = len(one.present)
                own = self._relevancy(memory, asker, prompts, snapshot, start, count)
                kept = one.present, own.half()
            known[one.code] = kept
            parts.append(kept[1].to(parts[0]))
            start += len(one.present)
        self._known = known
        relevancies = torch.cat(parts)
        scores = asker.select(snapshot, relevancies, prompts, memory.best_at_rest(prompts))
        labels, _ = labels_of(scores, prompts.thresholds)
        time_s, best = memory.seconds(memory.stamp_ns), score_of(relevancies, labels)
        return semantic_cloud(snapshot, labels, best, time_s, asker.min_weight)

    @staticmethod
    def _relevancy(
        memory: Memory,
        asker: Asker,
        prompts: PromptSet,
        snapshot: Snapshot,
        start: int,
        count: int,
    ) -> Tensor:
        rows = torch.arange(start, start + count, device=snapshot.means.device)
        part = some_of(snapshot, rows)
        return relevancy(part, memory.distiller, prompts, asker.min_weight)
