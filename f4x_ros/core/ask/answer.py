# SPDX-License-Identifier: Apache-2.0
"""The answer to one question: is it there, where, how sure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from f4x_ros.core.ask.naming import as_track, ids_of, said_of_then
from f4x_ros.core.ask.presence import Evidence, Judge, decide, probability_of
from f4x_ros.core.ask.prompts import PromptSet, Wanted
from f4x_ros.core.ask.scene import QueryScene
from f4x_ros.core.config import TracksConfig
from f4x_ros.core.data import Presence, Track
from f4x_ros.core.features.calibrated import PresenceCalibration
from f4x_ros.core.features.distil import Distiller
from f4x_ros.core.field import MIN_OPACITY
from f4x_ros.core.objects import Component, components_of

_EVIDENCE = 0.9  # quantile of the relevancies that stands for a scene without an object


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found in a snapshot of N Gaussians.

    Attributes:
        presence: whether it is there.
        score: how sure that is, 0..1.
        message: one sentence.
        selected: [N] bool, the Gaussians of the objects.
        object_ids: [N] the tracks they are of at the moment asked about, 0 = none.
        tracks: the objects, best first.
    """

    presence: Presence
    score: float
    message: str
    selected: Tensor
    object_ids: Tensor
    tracks: tuple[Track, ...]


@dataclass(frozen=True, eq=False)
class Candidate:
    """Something that may be what was asked for; `component` is None where it is no whole object."""

    evidence: Evidence
    component: Component | None


def candidates(
    scene: QueryScene,
    distiller: Distiller,
    prompts: PromptSet,
    index: int,
    scores: Tensor,  # [N]
    limit: float,
    config: TracksConfig,
    judge: Judge,
) -> list[Candidate]:
    """What is from `limit` on as objects; where there is none, the most relevant Gaussians."""
    snapshot = scene.snapshot
    passed = (scores >= limit) & (snapshot.opacities >= MIN_OPACITY)
    components: list[Component | None] = list(components_of(snapshot, scores, passed, config))
    rows = [one.members for one in components if one is not None]
    if not rows and len(scores):
        components = [None]
        rows = [scores.topk(min(config.min_gaussians, len(scores))).indices.cpu().numpy()]
    evidence = judge.gather(snapshot, distiller, prompts, index, rows)
    return [Candidate(e, c) for e, c in zip(evidence, components, strict=True)]


def answer(
    scene: QueryScene,
    distiller: Distiller,
    wanted: Wanted,
    index: int,
    scores: Tensor,  # [N] relevancy of every Gaussian to it
    limit: float,  # relevancy from which on a Gaussian is selected, where the thing is present
    config: TracksConfig,
    judge: Judge | None,
    calibration: PresenceCalibration | None,
    *,
    max_results: int,
) -> Answer:
    """Answer one of the things that are wanted.

    With a calibration of the encoder (for words), the score is the probability that the likeliest
    candidate is what was asked for, and objects that it rules out are not returned. Without one,
    something is present if an object of enough connected Gaussians passes the threshold, and the
    score is its mean relevancy, or what the most relevant Gaussians reach where there is no object.
    """
    if calibration is None or judge is None or not isinstance(wanted, PromptSet):
        return _by_threshold(scene, wanted, index, scores, limit, config, max_results)
    found = candidates(scene, distiller, wanted, index, scores, limit, config, judge)
    return _by_evidence(scene, wanted.texts[index], found, calibration, max_results)


def _by_evidence(
    scene: QueryScene,
    text: str,
    found: list[Candidate],
    calibration: PresenceCalibration,
    max_results: int,
) -> Answer:
    sure = [probability_of(one.evidence, calibration) for one in found]
    best = max(sure, default=0.0)
    presence = decide(best, calibration)
    objects = [
        replace(one.component, score=probability)
        for one, probability in zip(found, sure, strict=True)
        if one.component is not None and probability >= calibration.no
    ]
    limit = calibration.yes if presence is not Presence.NOT_PRESENT else calibration.no
    words = presence.name.lower().replace("_", " ")
    message = f"{words}: {_count(objects)}, probability {best:.2f}, limit {limit:.2f}"
    return _answer(scene, text, presence, best, message, objects, max_results)


def _by_threshold(
    scene: QueryScene,
    wanted: Wanted,
    index: int,
    scores: Tensor,
    limit: float,
    config: TracksConfig,
    max_results: int,
) -> Answer:
    threshold, text = wanted.thresholds[index], wanted.texts[index]
    objects = components_of(scene.snapshot, scores, scores >= threshold, config)
    if objects:
        best = max(one.score for one in objects)
        if limit < threshold:
            objects = components_of(scene.snapshot, scores, scores >= limit, config)
        return _answer(scene, text, Presence.PRESENT, best, _count(objects), objects, max_results)
    near = _best_relevancy(scores, config.min_gaussians)
    message = f"not present: best relevancy {near:.2f}, threshold {threshold:.2f}"
    return _answer(scene, text, Presence.NOT_PRESENT, near, message, [], max_results)


def _answer(
    scene: QueryScene,
    text: str,
    presence: Presence,
    score: float,
    message: str,
    objects: list[Component],
    max_results: int,
) -> Answer:
    """The objects as tracks, best first, at most `max_results` (0 = all) of them."""
    objects = sorted(objects, key=lambda one: -one.score)
    selected = torch.zeros(len(scene.snapshot), dtype=torch.bool)
    for one in objects:
        selected[torch.from_numpy(one.members)] = True
    tracks = [as_track(one, scene, text) for one in objects]
    return Answer(
        presence,
        score,
        message + said_of_then(scene, objects, tracks),
        selected.to(scene.snapshot.means.device),
        ids_of(scene, objects, tracks),
        tuple(tracks[: max_results or None]),
    )


def _count(objects: list[Component]) -> str:
    return f"{len(objects)} object{'' if len(objects) == 1 else 's'}"


def _best_relevancy(scores: Tensor, count: int) -> float:
    """High quantile of the `count` most relevant Gaussians, 0 in an empty field."""
    top = scores.topk(min(count, len(scores))).values
    return float(top.quantile(1 - _EVIDENCE)) if len(top) else 0.0
