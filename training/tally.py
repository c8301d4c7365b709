# SPDX-License-Identifier: Apache-2.0
"""Scores of a model over worlds, as numbers and as tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from f4x_ros.core.features.calibrated import PeakLine, PeakLines
from f4x_ros.eval.metrics.queries import PhraseIou, presence
from f4x_ros.sim.shapes import CLASSES
from f4x_ros.viz.mask_sheet import MaskPicture

OFFSETS = tuple(float(x) for x in np.arange(-3.0, 3.01, 0.5))
"""Added to the logits, to find where the masks are best."""

LINES = tuple(
    PeakLines(*(PeakLine(offset, round(slope + apart, 1)) for apart in (-spread, 0.0, spread)))
    for offset in (-2.0, -1.5, -1.0, -0.5)
    for slope in (0.6, 0.7, 0.8)
    for spread in (0.0, 0.2)
)
"""From the best of a world's pictures to the limit, as the field's limits follow its best."""


@dataclass
class Tally:
    """Masks and presence over worlds.

    Attributes:
        masks: by group of phrases, then world: one sum for each of `OFFSETS`, then of `LINES`.
        scores: how sure the model is that something is there.
        present: whether it is.
        strange: how sure it is of things of which neither the worlds nor the training knew.
        pictures: some masks of each world beside the truth.
        moments: mean outer product [D, D] of the features of each picture, for the latent codec.
    """

    masks: dict[str, dict[int, list[PhraseIou]]] = field(default_factory=dict)
    scores: list[float] = field(default_factory=list)
    present: list[bool] = field(default_factory=list)
    strange: list[float] = field(default_factory=list)
    pictures: list[MaskPicture] = field(default_factory=list)
    moments: list[Tensor] = field(default_factory=list)

    def of(self, group: str, seed: int) -> list[PhraseIou]:
        """Sums of a group in a world."""
        worlds = self.masks.setdefault(group, {})
        return worlds.setdefault(seed, [PhraseIou() for _ in (*OFFSETS, *LINES)])

    def miou(self, group: str, offset: float = 0.0) -> float | None:
        """Mean over worlds of the mean over phrases; None if the group has no phrase."""
        return self._miou(group, OFFSETS.index(offset))

    def miou_of_line(self, group: str, lines: PeakLines) -> float | None:
        """The same with limits that follow the best of a world's pictures."""
        return self._miou(group, len(OFFSETS) + LINES.index(lines))

    def _miou(self, group: str, place: int) -> float | None:
        results = [sums[place].result().miou for sums in self.masks.get(group, {}).values()]
        known = [value for value in results if value is not None]
        return float(np.mean(known)) if known else None

    def per_text(self, group: str) -> dict[str, float]:
        """Mean over worlds of each phrase's IoU, best first."""
        found: dict[str, list[float]] = {}
        for sums in self.masks.get(group, {}).values():
            for text, score in sums[OFFSETS.index(0.0)].result().per_phrase.items():
                found.setdefault(text, []).append(score.iou)
        means = {text: float(np.mean(values)) for text, values in found.items()}
        return dict(sorted(means.items(), key=lambda item: -item[1]))


def summary(tally: Tally) -> dict[str, Any]:
    """All numbers, as plain JSON."""
    decided = [score >= 0.5 for score in tally.scores]
    there = presence(tally.scores, tally.present, decided)
    known = [score for score, here in zip(tally.scores, tally.present, strict=True) if here]
    scores = [*known, *tally.strange]
    here = [True] * len(known) + [False] * len(tally.strange)
    strange = presence(scores, here, [score >= 0.5 for score in scores])
    return {
        "miou": {group: _round(tally.miou(group)) for group in sorted(tally.masks)},
        "presence": {
            "auroc": _round(there.auroc), "f1": _round(there.f1),
            "best_f1": _round(there.best_f1), "best_threshold": _round(there.best_threshold),
            "present": there.n_present, "absent": there.n_absent,
        },
        "presence_against_strange_words": {
            "auroc": _round(strange.auroc), "f1": _round(strange.f1), "absent": strange.n_absent,
        },
        "offsets": {
            f"{offset:+.1f}": [_round(tally.miou(group, offset))
                               for group in ("phrases", "paraphrases")]
            for offset in OFFSETS
        },
        "lines": {
            _name(lines): [_round(tally.miou_of_line(group, lines))
                           for group in ("phrases", "paraphrases")]
            for lines in LINES
        },
        "per_class": {text: _round(iou) for text, iou in tally.per_text("phrases: class").items()
                      if text in CLASSES},
    }  # fmt: skip


def _name(lines: PeakLines) -> str:
    """The offset, then the slopes of attributes, of kinds and of both."""
    return " ".join([f"{lines.kind.offset:+.1f}", *(f"{line.slope:.1f}" for line in lines)])


def best_offset(tally: Tally) -> float:
    """What added to the logits makes the masks best, phrases and paraphrases together."""

    def quality(offset: float) -> float:
        values = [tally.miou(group, offset) for group in ("phrases", "paraphrases")]
        return sum(value for value in values if value is not None)

    return max(OFFSETS, key=quality)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def print_summary(numbers: Mapping[str, Any]) -> None:
    """As tables for people."""
    for group, value in numbers["miou"].items():
        print(f"mIoU {value if value is not None else '-':>8}  {group}")
    for name in ("presence", "presence_against_strange_words"):
        print(name, json.dumps(numbers[name]))
    print("mIoU of phrases, paraphrases at offsets", json.dumps(numbers["offsets"]))
    print(
        "mIoU of phrases, paraphrases at limits that follow the best of a world's pictures",
        json.dumps(numbers["lines"]),
    )
    print("IoU by class: " + ", ".join(f"{k} {v:.2f}" for k, v in numbers["per_class"].items()))
