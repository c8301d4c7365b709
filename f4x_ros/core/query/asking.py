# SPDX-License-Identifier: Apache-2.0
"""Questions, from vectors to whole answers: one relevancy and one render for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.config import Config
from f4x_ros.core.describe import semantic_cloud
from f4x_ros.core.distil import Distiller
from f4x_ros.core.features.base import FeatureExtractor
from f4x_ros.core.features.presence_file import calibration_of
from f4x_ros.core.frame import Cloud, QueryResult
from f4x_ros.core.query.answer import Answer, answer, candidates
from f4x_ros.core.query.language import parse_question
from f4x_ros.core.query.likeness import make_likeness
from f4x_ros.core.query.presence import Evidence, Judge, check_evidence
from f4x_ros.core.query.prompts import PromptSet, Wanted, make_prompts, relevancy
from f4x_ros.core.query.scene import QueryScene
from f4x_ros.core.query.vectors import TextVectors

_SOLID_ALPHA = 0.5  # below this a pixel's probability fades with its alpha


class Asker:
    """Answers questions about scenes, and remembers the vectors of their words.

    Args:
        words: the extractor that is asked.
        config: all options.
        backend: rasteriser, resolved.

    Attributes:
        calibration: of presence; None = decided by the threshold alone.

    Raises:
        ValueError: the calibration beside the extractor's weights is none.
    """

    def __init__(self, words: FeatureExtractor, config: Config, backend: str) -> None:
        self._words, self._config, self._backend = words, config, backend
        self._texts = TextVectors(words)
        self._judge: Judge | None = None
        self.calibration = calibration_of(words)
        if self.calibration is not None:
            check_evidence(self.calibration)
            self._judge = Judge(self._texts)

    def prompts(self, texts: Sequence[str], thresholds: Sequence[float] = ()) -> PromptSet:
        """Prompts in words; arguments and errors are those of `make_prompts`."""
        default = self._config.query.threshold or self._words.threshold
        if self._judge is not None:  # one encoding for all that will be needed
            self._judge.prepare([parse_question(t).wanted for t in texts if t.strip()])
        return make_prompts(self._texts, texts, thresholds, default)

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
            raise ValueError("more than one of text, example and like_object, expected one")
        if example is None and not like_object:
            return self.prompts([text], [threshold])
        min_weight = self._config.query.min_weight
        return make_likeness(
            distiller, scene, example, like_object, min_weight=min_weight, threshold=threshold
        )

    @torch.no_grad()
    def evidence(
        self, distiller: Distiller, scene: QueryScene, texts: Sequence[str]
    ) -> list[list[Evidence]]:
        """For each text, what speaks for everything that may be it."""
        prompts, judge = self.prompts(texts), self._judge or Judge(self._texts)
        scores = relevancy(scene.snapshot, distiller, prompts, self._config.query.min_weight)
        return [
            [
                one.evidence
                for one in candidates(
                    scene,
                    distiller,
                    prompts,
                    index,
                    own.contiguous(),
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
        if max_results < 0:
            raise ValueError(f"max_results is {max_results}, expected >= 0 (0 = all)")
        min_weight = self._config.query.min_weight
        scores = relevancy(scene.snapshot, distiller, wanted, min_weight)
        masks = _masks(scene, scores, self._backend)
        results = []
        for index, mask in enumerate(masks):
            own = scores[:, index].contiguous()
            found = answer(
                scene,
                distiller,
                wanted,
                index,
                own,
                self._config.tracks,
                self._judge,
                self.calibration,
                max_results=max_results,
            )
            cloud = _cloud(scene, found.selected, own, min_weight) if want_cloud else None
            results.append(_result(scene, wanted, index, distiller.words.name, found, mask, cloud))
        return results


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


def _masks(scene: QueryScene, scores: Tensor, backend: str) -> NDArray[np.float32]:
    """Probability [P, H, W] that a pixel shows what was asked for."""
    if not scores.shape[1]:
        return np.zeros((0, scene.camera.height, scene.camera.width), np.float32)
    out = scene.snapshot.render(scores, scene.camera, scene.T_map_camera, backend)
    probability = out.image / out.alpha.clamp(min=_SOLID_ALPHA)[..., None]
    masks: NDArray[np.float32] = probability.clamp(0, 1).permute(2, 0, 1).contiguous().cpu().numpy()
    return masks


def _cloud(scene: QueryScene, selected: Tensor, scores: Tensor, min_weight: float) -> Cloud:
    whole = semantic_cloud(scene.snapshot, selected.long(), scores, scene.time_s, min_weight)
    return whole.where(1)
