# SPDX-License-Identifier: Apache-2.0
"""How well a text query finds what it names, and whether it knows that there is nothing to find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from f4x_ros.core.errors import BadInputError
from f4x_ros.eval.metrics.libraries import library
from f4x_ros.eval.metrics.masks import check_masks


@dataclass(frozen=True)
class PhraseScore:
    """One phrase over all its frames.

    Attributes:
        iou: intersection over union of all pixels of all frames, 0..1.
        accuracy: share of the true pixels that were found (recall), 0..1.
        precision: share of the predicted pixels that are true, 0..1; None if none was predicted.
        pixels_truth: true pixels.
        pixels_predicted: predicted pixels.
        frames: how many frames were added.
    """

    iou: float
    accuracy: float
    precision: float | None
    pixels_truth: int
    pixels_predicted: int
    frames: int


@dataclass(frozen=True)
class PhraseScores:
    """All phrases, each counting the same.

    Attributes:
        miou: mean IoU over phrases, 0..1; None if no phrase has a true pixel.
        macc: mean accuracy over phrases, 0..1; None if no phrase has a true pixel.
        per_phrase: in the order in which they were first added.
        never_visible: phrases left out because no frame shows what they name.
    """

    miou: float | None
    macc: float | None
    per_phrase: dict[str, PhraseScore]
    never_visible: tuple[str, ...]


@dataclass
class _Counts:
    intersection: int = 0
    truth: int = 0
    predicted: int = 0
    frames: int = 0

    @property
    def union(self) -> int:
        return self.truth + self.predicted - self.intersection


class PhraseIou:
    """Adds up masks per phrase; mIoU and mAcc as in semantic segmentation (Long et al. 2015).

    Intersections and unions are summed over frames before they are divided, so a frame that shows
    three pixels of an object weighs as much as three pixels do.
    """

    def __init__(self) -> None:
        """Nothing added yet."""
        self._counts: dict[str, _Counts] = {}

    def add(
        self,
        phrase: str,
        predicted: NDArray[np.bool_],
        truth: NDArray[np.bool_],
        valid: NDArray[np.bool_] | None = None,
    ) -> None:
        """Count one frame of one phrase.

        Args:
            phrase: the words that were asked.
            predicted: [H, W] the answer.
            truth: [H, W] the pixels of all objects that the phrase names; may be empty.
            valid: [H, W] pixels to count; all if None.

        Raises:
            ValueError: a mask is not a bool array [H, W] or the shapes differ.
        """
        check_masks(predicted=predicted, truth=truth, valid=valid)
        if valid is not None:
            predicted, truth = predicted & valid, truth & valid
        counts = self._counts.setdefault(phrase, _Counts())
        counts.intersection += int(np.count_nonzero(predicted & truth))
        counts.truth += int(np.count_nonzero(truth))
        counts.predicted += int(np.count_nonzero(predicted))
        counts.frames += 1

    def iou(self, phrase: str) -> float | None:
        """IoU of one phrase so far, 0..1; None while no frame shows what it names.

        Raises:
            ValueError: the phrase was never added.
        """
        if phrase not in self._counts:
            raise BadInputError(f"phrase is {phrase!r}, expected one of {sorted(self._counts)}")
        counts = self._counts[phrase]
        return counts.intersection / counts.union if counts.truth else None

    def result(self) -> PhraseScores:
        """The scores of all that was added."""
        scores = {name: _score(counts) for name, counts in self._counts.items() if counts.truth}
        return PhraseScores(
            miou=_mean([score.iou for score in scores.values()]),
            macc=_mean([score.accuracy for score in scores.values()]),
            per_phrase=scores,
            never_visible=tuple(name for name, c in self._counts.items() if not c.truth),
        )


def fall(before: PhraseScores, after: PhraseScores) -> float | None:
    """By how much the IoU of the phrases that both have falls from one to the other, on average.

    None if they have no phrase in common. Unlike a difference of two mIoUs it compares the same
    queries: another view also shows other things.
    """
    both = [text for text in before.per_phrase if text in after.per_phrase]
    return _mean([before.per_phrase[text].iou - after.per_phrase[text].iou for text in both])


def _score(counts: _Counts) -> PhraseScore:
    return PhraseScore(
        iou=counts.intersection / counts.union,
        accuracy=counts.intersection / counts.truth,
        precision=counts.intersection / counts.predicted if counts.predicted else None,
        pixels_truth=counts.truth,
        pixels_predicted=counts.predicted,
        frames=counts.frames,
    )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


@dataclass(frozen=True)
class PresenceCurve:
    """Precision and recall of "present if score >= threshold", thresholds rising.

    Attributes:
        precision: [T + 1] 0..1; the last is 1 by convention, where nothing is called present.
        recall: [T + 1] 0..1, falling to 0.
        thresholds: [T] in units of the scores.
    """

    precision: tuple[float, ...]
    recall: tuple[float, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True)
class Presence:
    """Whether "is it there?" was answered rightly, over present and absent phrases.

    Attributes:
        auroc: chance that a present phrase scores higher than an absent one (ties count half);
            None unless there are both.
        f1: of the decisions taken; None unless there are both: without an absent phrase, always
            saying "present" would score 1.
        precision: of the decisions taken; None unless there are both, and if none said present.
        recall: of the decisions taken; None unless there are both.
        best_f1: the highest F1 that any threshold on the score reaches; None unless there are both.
        best_threshold: the lowest threshold that reaches it, in units of the scores.
        curve: None unless there are both.
        n_present: phrases that are there.
        n_absent: phrases that are not.
        unsure: share of answers that were neither "present" nor "not present"; None without any.
    """

    auroc: float | None
    f1: float | None
    precision: float | None
    recall: float | None
    best_f1: float | None
    best_threshold: float | None
    curve: PresenceCurve | None
    n_present: int
    n_absent: int
    unsure: float | None


def presence(
    scores: ArrayLike,
    present: ArrayLike,
    decided: ArrayLike,
    unsure: ArrayLike | None = None,
) -> Presence:
    """Scores of a presence test; AUROC and the curve are torchmetrics'.

    Whoever is unsure has not said that it is there: F1 is that of "present" against the rest.

    Args:
        scores: [N] how sure the answer is that the thing is there; any scale, higher is surer.
        present: [N] bool, whether it is there.
        decided: [N] bool, whether the answer said so.
        unsure: [N] bool, whether the answer was neither yes nor no; nobody was if None.

    Raises:
        ValueError: lengths differ, a score is not finite, or a flag is not a bool.
        UnsupportedError: torchmetrics is not installed.
    """
    score, truth, said = _checked_presence(scores, present, decided)
    doubt = np.zeros(len(score), bool) if unsure is None else np.asarray(unsure)
    if doubt.shape != said.shape or doubt.dtype != np.bool_ or (doubt & said).any():
        raise BadInputError(
            f"unsure is {doubt.shape} {doubt.dtype}, expected {said.shape} bool, and nobody who "
            "is unsure said present"
        )
    hits = int(np.count_nonzero(truth & said))
    n_present, n_said = int(np.count_nonzero(truth)), int(np.count_nonzero(said))
    both = 0 < n_present < len(truth)
    curve = _curve(score, truth) if both else None
    best_f1, best_threshold = _best(curve) if curve else (None, None)
    return Presence(
        auroc=_auroc(score, truth) if both else None,
        f1=2 * hits / (n_present + n_said) if both else None,
        precision=hits / n_said if both and n_said else None,
        recall=hits / n_present if both else None,
        best_f1=best_f1,
        best_threshold=best_threshold,
        curve=curve,
        n_present=n_present,
        n_absent=len(truth) - n_present,
        unsure=float(doubt.mean()) if len(doubt) else None,
    )


def _checked_presence(
    scores: ArrayLike, present: ArrayLike, decided: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    score = np.asarray(scores, np.float64)
    flags = {"present": np.asarray(present), "decided": np.asarray(decided)}
    if score.ndim != 1 or not np.isfinite(score).all():
        raise BadInputError(f"scores are {score}, expected [N] finite numbers")
    for name, flag in flags.items():
        if flag.shape != score.shape or (flag.size and flag.dtype != np.bool_):
            raise BadInputError(f"{name} is {flag.shape} {flag.dtype}, expected {score.shape} bool")
    return score, flags["present"].astype(bool), flags["decided"].astype(bool)


def _ranks(score: NDArray[np.float64]) -> tuple[torch.Tensor, NDArray[np.float64]]:
    """Ranks [N] spread over 0..1, equal for equal scores, and the sorted distinct scores.

    torchmetrics squashes scores outside 0..1 by a sigmoid, which makes ties of large ones; ranks
    say the same as the scores and are left alone.
    """
    distinct, rank = np.unique(score, return_inverse=True)
    return torch.from_numpy(rank / max(1, len(distinct) - 1)), distinct


def _auroc(score: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    functional = library("torchmetrics.functional.classification")
    ranks, _ = _ranks(score)
    return float(functional.binary_auroc(ranks, torch.from_numpy(truth.astype(np.int64))))


def _curve(score: NDArray[np.float64], truth: NDArray[np.bool_]) -> PresenceCurve:
    functional = library("torchmetrics.functional.classification")
    ranks, distinct = _ranks(score)
    precision, recall, thresholds = functional.binary_precision_recall_curve(
        ranks, torch.from_numpy(truth.astype(np.int64))
    )
    places = np.rint(thresholds.numpy() * max(1, len(distinct) - 1)).astype(np.int64)
    return PresenceCurve(
        precision=tuple(precision.tolist()),
        recall=tuple(recall.tolist()),
        thresholds=tuple(distinct[places].tolist()),
    )


def _best(curve: PresenceCurve) -> tuple[float, float]:
    precision = np.asarray(curve.precision[:-1])
    recall = np.asarray(curve.recall[:-1])
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(np.argmax(f1))
    return float(f1[best]), curve.thresholds[best]
