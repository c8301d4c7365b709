# SPDX-License-Identifier: Apache-2.0
"""Questions, from vectors to whole answers: one relevancy and one render for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.ask.answer import Answer, answer, candidates
from f4x_ros.core.ask.describe import semantic_cloud
from f4x_ros.core.ask.language import parse_question
from f4x_ros.core.ask.likeness import make_likeness
from f4x_ros.core.ask.namer import Namer
from f4x_ros.core.ask.presence import Evidence, Judge, check_evidence
from f4x_ros.core.ask.prompts import PromptSet, Wanted, make_prompts, questions_of, relevancy
from f4x_ros.core.ask.refine import (
    as_relevancy,
    decided,
    line_for,
    scene_limits,
    standing_selection,
)
from f4x_ros.core.ask.scene import QueryScene
from f4x_ros.core.ask.vectors import TextVectors
from f4x_ros.core.config import Config
from f4x_ros.core.data import Cloud, Presence, QueryResult
from f4x_ros.core.errors import BadInputError, NotUnderstoodError
from f4x_ros.core.features.base import FeatureExtractor, Words
from f4x_ros.core.features.calibrated import PeakLine
from f4x_ros.core.features.distil import Distiller
from f4x_ros.core.features.presence_file import calibration_of
from f4x_ros.core.field import MIN_OPACITY, Snapshot

_SOLID_ALPHA = 0.5  # below this a pixel's probability fades with its alpha


class Asker:
    """Answers questions about scenes, and remembers the vectors of their words.

    Args:
        extractor: the one that is asked, see `Heads.words`.
        config: all options.
        backend: rasteriser, resolved.

    Attributes:
        calibration: of presence; None = decided by the threshold alone.
        backend: rasteriser, resolved.
        min_weight: pixels a latent must rest on.

    Raises:
        ValueError: the calibration beside the extractor's weights is none.
    """

    def __init__(self, extractor: FeatureExtractor, config: Config, backend: str) -> None:
        self._words = extractor if isinstance(extractor, Words) else None
        self._config, self.backend = config, backend
        self.min_weight = config.query.min_weight
        self._texts = TextVectors(extractor)
        self._judge: Judge | None = None
        self.calibration = None if self._words is None else calibration_of(self._words)
        if self.calibration is not None:
            check_evidence(self.calibration)
            self._judge = Judge(self._texts)

    def prompts(self, texts: Sequence[str], thresholds: Sequence[float] = ()) -> PromptSet:
        """Questions in words; arguments and errors are those of `make_prompts`.

        Raises:
            NotUnderstoodError: the extractor does not understand one.
        """
        prepare = None if self._judge is None else self._judge.prepare
        made = make_prompts(self._texts, texts, thresholds, self._default(), prepare)
        for error in made.not_understood.values():
            raise error
        return made

    def standing_prompts(self, texts: Sequence[str], thresholds: Sequence[float] = ()) -> PromptSet:
        """Standing prompts; those that are not understood are in it, and select nothing."""
        return make_prompts(self._texts, texts, thresholds, self._default())

    def namer(self) -> Namer | None:
        """Who finds words for what is seen; None: nothing says how sure the extractor is."""
        if self._words is None or self._judge is None or self.calibration is None:
            return None
        return Namer(
            self._words, self._texts, self._judge, self.calibration, self.min_weight,
            self._config.tracks,
        )  # fmt: skip

    def misunderstood(self, texts: Sequence[str]) -> dict[str, NotUnderstoodError]:
        """Those texts, without blanks around them, that are not understood, and why."""
        return questions_of(self._texts, texts)[1]

    def _default(self) -> float:
        own = 0.0 if self._words is None else self._words.threshold  # without words: no prompts
        return self._config.query.threshold or own

    def wanted(
        self,
        distiller: Distiller,
        scene: QueryScene,
        text: str,
        example: NDArray[np.uint8] | None,
        like_object: int,
        threshold: float,
    ) -> Wanted:
        """What is asked for in one of the three ways; see `Perception.query`."""
        if (example is not None) + (like_object != 0) + bool(text.strip()) > 1:
            raise BadInputError("more than one of text, example and like_object, expected one")
        if example is None and not like_object:
            return self.prompts([text], [threshold])
        min_weight = self.min_weight
        return make_likeness(
            distiller, scene, example, like_object, min_weight=min_weight, threshold=threshold
        )

    @torch.no_grad()
    def evidence(
        self, distiller: Distiller, scene: QueryScene, texts: Sequence[str]
    ) -> list[list[Evidence]]:
        """For each text, what speaks for everything that may be it."""
        prompts, judge = self.prompts(texts), self._judge or Judge(self._texts)
        scores = relevancy(scene.snapshot, distiller, prompts, self.min_weight)
        limits = self._limits(scene.snapshot, scores, prompts).tolist()
        return [
            [
                one.evidence
                for one in candidates(
                    scene,
                    distiller,
                    prompts,
                    index,
                    own.contiguous(),
                    limits[index],
                    self._config.tracks,
                    judge,
                )
            ]
            for index, own in enumerate(scores.T)
        ]

    @torch.no_grad()
    def ask(
        self,
        distiller: Distiller,
        scene: QueryScene,
        wanted: Wanted,
        *,
        want_cloud: bool,
        max_results: int,
    ) -> list[QueryResult]:
        """Answer for each thing that is wanted; the other arguments are those of a query."""
        scores, limits, found = self._found(distiller, scene, wanted, max_results)
        masks = self._masks(scene, scores, limits, wanted, found)
        name = distiller.words.name
        return [
            _result(
                scene,
                wanted,
                index,
                name,
                one,
                masks[index],
                _cloud(scene, one, scores[:, index], self.min_weight) if want_cloud else None,
            )
            for index, one in enumerate(found)
        ]

    @torch.no_grad()
    def answers(
        self, distiller: Distiller, scene: QueryScene, wanted: Wanted, *, limit: float = 1.0
    ) -> list[Answer]:
        """What is found of each thing that is wanted, by its Gaussians; nothing is drawn.

        `limit` is a share of the relevancy from which on Gaussians are selected.
        """
        return self._found(distiller, scene, wanted, 0, limit)[2]

    def _found(
        self,
        distiller: Distiller,
        scene: QueryScene,
        wanted: Wanted,
        max_results: int,
        limit: float = 1.0,
    ) -> tuple[Tensor, Tensor, list[Answer]]:
        """Relevancies [N, P], limits [P] and answers."""
        if max_results < 0:
            raise BadInputError(f"max_results is {max_results}, expected >= 0 (0 = all)")
        scores = relevancy(scene.snapshot, distiller, wanted, self.min_weight)
        limits = limit * self._limits(scene.snapshot, scores, wanted)
        found = [
            answer(
                scene,
                distiller,
                wanted,
                index,
                scores[:, index].contiguous(),
                least,
                self._config.tracks,
                self._judge,
                self.calibration,
                max_results=max_results,
            )
            for index, least in enumerate(limits.tolist())
        ]
        return scores, limits, found

    def standing(
        self,
        distiller: Distiller,
        snapshot: Snapshot,
        prompts: PromptSet,
        elsewhere: Tensor | None = None,  # [M, P]
    ) -> tuple[Tensor, Tensor]:
        """Relevancies [N, P] to standing prompts, and scores [N, P] with which thresholds select.

        The scores are the relevancies, but of encoders whose limits follow the scene, see
        `scene_limits`. `elsewhere` are relevancies of what the snapshot does not have: a limit
        follows the best of the whole map.
        """
        scores = relevancy(snapshot, distiller, prompts, self.min_weight)
        return scores, self.select(snapshot, scores, prompts, elsewhere)

    def select(
        self, snapshot: Snapshot, scores: Tensor, prompts: PromptSet, elsewhere: Tensor | None
    ) -> Tensor:
        """Scores [N, P] with which thresholds select, from relevancies [N, P], see `standing`."""
        lines = self._lines(prompts.texts)
        if lines is None or not len(prompts) or not len(snapshot):
            return scores
        best = scores[self._trusted(snapshot)]
        if elsewhere is not None:
            best = torch.cat([best, elsewhere.to(best)])
        chosen = standing_selection(scores, best, prompts.thresholds, lines)
        given = torch.tensor(prompts.given, dtype=torch.bool, device=scores.device)
        return torch.where(given, scores, chosen)

    def _lines(self, texts: Sequence[str]) -> list[PeakLine] | None:
        """From the best in a scene to limits, if they follow it; not to a configured threshold."""
        lines = None if self._words is None else self._words.calibrated.peak_lines
        if self._config.query.threshold or lines is None:
            return None
        return [line_for(_wanted(text), lines) for text in texts]

    def _trusted(self, snapshot: Snapshot) -> Tensor:
        """[N] what may stand for the best of a scene."""
        known = snapshot.latent_weights >= self.min_weight
        return (snapshot.opacities >= MIN_OPACITY) & known

    def _limits(self, snapshot: Snapshot, scores: Tensor, wanted: Wanted) -> Tensor:
        """Relevancy [P] from which on Gaussians are selected; a threshold that was given is it."""
        fixed = torch.tensor(wanted.thresholds)
        if not isinstance(wanted, PromptSet):
            return fixed
        lines = self._lines(wanted.texts)
        if lines is None:
            return fixed
        limits = scene_limits(scores, self._trusted(snapshot), wanted.thresholds, lines).cpu()
        return torch.where(torch.tensor(wanted.given, dtype=torch.bool), fixed, limits)

    def _masks(
        self,
        scene: QueryScene,
        scores: Tensor,
        limits: Tensor,
        wanted: Wanted,
        found: Sequence[Answer],
    ) -> NDArray[np.float32]:
        """Probability [P, H, W] that a pixel shows what was asked for; one render.

        Where limits follow the scene each Gaussian is selected or not before it is drawn. They do
        not for what is not there: its mask is what passes the threshold all the same.
        """
        if not len(found):
            return np.zeros((0, scene.camera.height, scene.camera.width), np.float32)
        thresholds = torch.tensor(wanted.thresholds)
        follows = bool((limits != thresholds).any())
        if follows:
            absent = torch.tensor([one.presence is Presence.NOT_PRESENT for one in found])
            scores = decided(scores, torch.where(absent, thresholds, limits).to(scores))
        out = scene.snapshot.render(scores, scene.camera, scene.T_map_camera, self.backend)
        share = (out.image / out.alpha.clamp(min=_SOLID_ALPHA)[..., None]).clamp(0, 1)
        if follows and set(wanted.thresholds) != {0.5}:  # at 0.5 it changes nothing
            share = as_relevancy(share, wanted.thresholds)
        masks: NDArray[np.float32] = share.permute(2, 0, 1).contiguous().cpu().numpy()
        return masks


def _wanted(text: str) -> str:
    """What a prompt wants; all of it where it is not understood, as nothing will be found."""
    try:
        return parse_question(text).wanted
    except NotUnderstoodError:
        return text


def _result(
    scene: QueryScene,
    wanted: Wanted,
    index: int,
    encoder: str,
    found: Answer,
    mask: NDArray[np.float32],
    cloud: Cloud | None,
) -> QueryResult:
    return QueryResult(
        prompt=wanted.texts[index],
        presence=found.presence,
        score=found.score,
        threshold=wanted.thresholds[index],
        encoder=encoder,
        message=found.message,
        stamp_ns=scene.stamp_ns,
        frame_id=scene.frame_id,
        map_frame=scene.map_frame,
        camera=scene.camera,
        T_map_camera=scene.T_map_camera,
        mask=mask,
        cloud=cloud,
        tracks=found.tracks,
    )


def _cloud(scene: QueryScene, found: Answer, scores: Tensor, min_weight: float) -> Cloud:
    named = replace(scene.snapshot, object_ids=found.object_ids)
    whole = semantic_cloud(named, found.selected.long(), scores, scene.time_s, min_weight)
    return whole.where(1)
