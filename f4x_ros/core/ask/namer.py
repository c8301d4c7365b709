# SPDX-License-Identifier: Apache-2.0
"""What there is to be seen, where nobody asks: each thing by the word that fits it best.

In drawn worlds as if all kinds of things were standing prompts: pieces of the map have the word of
the highest relevancy, and what has one is judged as an answer to that word would be (`presence`).
Of photographs so many answers are wrong that a thing must also have been seen beyond doubt, several
times, in single pictures (`EvidenceWords.shown`); it is then asked for as a question would.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from f4x_ros.core.ask.presence import Judge, probability_of
from f4x_ros.core.ask.prompts import labels_of, make_prompts
from f4x_ros.core.ask.refine import line_for, scene_limits
from f4x_ros.core.ask.rivals import KINDS
from f4x_ros.core.ask.vectors import TextVectors
from f4x_ros.core.config import TracksConfig
from f4x_ros.core.features.base import EvidenceWords, Words
from f4x_ros.core.features.calibrated import PresenceCalibration
from f4x_ros.core.features.distil import Distiller
from f4x_ros.core.field import MIN_OPACITY, Snapshot
from f4x_ros.core.objects import asked_together, components_of

AUTO = ("auto",)
"""In place of prompts: what is surely seen is named."""

_ROOM = frozenset({"floor", "wall", "ceiling"})  # what things stand in is no thing
_SURE, _DOUBTED = 0.8, 0.5  # probability of a drawn thing from which on it is named, and below not
_GLIMPSES = 3  # looks that have to leave no doubt of a thing in photographs
_LARGEST = 4  # objects of a word that are judged
_PHOTOGRAPH = 0.5  # share from which on what is seen is named as in photographs
_TAKEN = 0.5  # share of an object that is known by a surer word, from which on it is that


class Seen(NamedTuple):
    """Words for what is in a map.

    Attributes:
        sure: those that it is sure of, the surest first.
        likely: those and more that may keep a name they have.
    """

    sure: tuple[str, ...]
    likely: frozenset[str]


class _Thing(NamedTuple):
    word: int  # its row
    sure: float  # probability that it is what the word says
    members: Tensor  # rows of the snapshot
    drawn: bool
    glimpses: float = 0.0  # looks that left no doubt of it


class Namer:
    """Finds the words for what a map shows.

    Args:
        words: the extractor that is asked.
        encoder: of its texts.
        judge: of what speaks for a thing.
        calibration: of presence.
        min_weight: pixels that a latent must rest on.
        tracks: what an object is.
    """

    def __init__(
        self,
        words: Words,
        encoder: TextVectors,
        judge: Judge,
        calibration: PresenceCalibration,
        min_weight: float,
        tracks: TracksConfig,
    ) -> None:
        self._kinds = tuple(kind for kind in KINDS if kind not in _ROOM)
        self._evident = words.evident_names if isinstance(words, EvidenceWords) else ()
        texts = tuple(dict.fromkeys([*self._kinds, *self._evident]))
        self._prompts = make_prompts(encoder, texts, (), words.threshold)
        self._words, self._judge, self._calibration = words, judge, calibration
        self._min_weight, self._tracks = min_weight, tracks

    @torch.no_grad()
    def seen(self, snapshot: Snapshot, distiller: Distiller) -> Seen:
        """The words for the things of a snapshot."""
        if not len(snapshot):
            return Seen((), frozenset())
        latents, pixels, rows = asked_together(snapshot)
        scores = self._prompts.relevancy(distiller, latents)
        scores[pixels < self._min_weight] = 0
        photographed = self._photographed(distiller, latents)
        drawn = self._drawn(snapshot, distiller, torch.where(photographed, 0, scores), rows)
        glimpsed = self._glimpsed(snapshot, distiller, torch.where(photographed, scores, 0)[rows])
        return self._sorted([*drawn, *glimpsed], len(snapshot))

    def _photographed(self, distiller: Distiller, latents: Tensor) -> Tensor:
        """[K, 1] whether what latents stand for is known from photographs."""
        if not isinstance(self._words, EvidenceWords):
            return torch.zeros(len(latents), 1, dtype=torch.bool, device=latents.device)
        behind = distiller.decode(latents)[:, self._words.language_dim :]
        _, share, _ = self._words.standing_out(behind, self._prompts.vectors[:1].to(behind))
        return share > _PHOTOGRAPH

    def _drawn(
        self,
        snapshot: Snapshot,
        distiller: Distiller,
        scores: Tensor,  # [K, P]
        rows: Tensor,  # [N]
    ) -> Iterator[_Thing]:
        """Things of drawn worlds: pieces by the kind that fits best."""
        own = scores[:, : len(self._kinds)]
        labels = labels_of(own, self._prompts.thresholds[: len(self._kinds)])[0][rows]
        for index in (torch.unique(labels) - 1).tolist():
            if index >= 0:
                chosen = labels == index + 1
                yield from self._things(snapshot, distiller, index, own[rows, index], chosen, True)

    def _glimpsed(
        self,
        snapshot: Snapshot,
        distiller: Distiller,
        scores: Tensor,  # [N, P]
    ) -> Iterator[_Thing]:
        """Things of photographs that were seen beyond doubt."""
        lines = self._words.calibrated.peak_lines
        if distiller.glimpses is None or lines is None:
            return
        trusted = (snapshot.opacities >= MIN_OPACITY) & (
            snapshot.latent_weights >= self._min_weight
        )
        for row in (distiller.glimpses >= _GLIMPSES).nonzero()[:, 0].tolist():
            index = self._prompts.texts.index(self._evident[row])
            own = scores[:, index].contiguous()
            line = line_for(self._evident[row], lines)
            limit = scene_limits(own[:, None], trusted, self._prompts.thresholds[:1], [line])
            for one in self._things(snapshot, distiller, index, own, own >= limit, False):
                yield one._replace(glimpses=float(distiller.glimpses[row]))

    def _things(
        self,
        snapshot: Snapshot,
        distiller: Distiller,
        index: int,
        scores: Tensor,  # [N]
        chosen: Tensor,  # [N] bool
        drawn: bool,
    ) -> Iterator[_Thing]:
        """The largest objects among some Gaussians, and how likely each is what a word says."""
        objects = components_of(snapshot, scores, chosen, self._tracks)[:_LARGEST]
        members = [one.members for one in objects]
        gathered = self._judge.gather(snapshot, distiller, self._prompts, index, members)
        for one, evidence in zip(members, gathered, strict=True):
            probability = probability_of(evidence, self._calibration)
            yield _Thing(index, probability, torch.from_numpy(one), drawn)

    def _sorted(self, things: list[_Thing], count: int) -> Seen:
        """The words of things; what was seen oftener, or more surely, as one is nothing else."""
        taken = torch.zeros(count, dtype=torch.bool)
        sure: dict[str, None] = {}
        likely = set()
        for one in sorted(things, key=lambda thing: (-thing.glimpses, -thing.sure)):
            if float(taken[one.members].float().mean()) >= _TAKEN:
                continue
            word, (least, enough) = self._prompts.texts[one.word], self._limits(one.drawn)
            if one.sure >= least:
                likely.add(word)
            if one.sure >= enough:
                sure.setdefault(word)
                taken[one.members] = True
        return Seen(tuple(sure), frozenset(likely))

    def _limits(self, drawn: bool) -> tuple[float, float]:
        """Probabilities from which on a name may stay, and comes.

        Of photographs it is enough that what was seen beyond doubt is not denied by the map.
        """
        seen = self._calibration.photographs
        return (_DOUBTED, _SURE) if drawn or seen is None else (seen.no, seen.no)
