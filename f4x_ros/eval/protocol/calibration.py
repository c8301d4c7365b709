# SPDX-License-Identifier: Apache-2.0
"""Learning when an encoder's evidence means "present": logistic regression on what is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from f4x_ros.core.ask import Evidence
from f4x_ros.core.base import atomic_write
from f4x_ros.core.data import Outputs
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.calibrated import PresenceCalibration
from f4x_ros.core.perception import Perception
from f4x_ros.eval.metrics.queries import Presence, presence
from f4x_ros.eval.protocol.questions import Vocabulary, presence_texts, present_in_other_words
from f4x_ros.eval.subjects.subject import is_held_out, understood_by
from f4x_ros.sim import World

_ROUNDS = 4  # of choosing the likeliest candidate and learning from it
_SHRINK = 1e-2  # of weights, in units of the spread of their evidence
_WRONG_MATERIALS = 2  # for each class
_NEVER = -20.0  # log odds of what has no candidate
_MISSED = 0.02  # share of what is there that may be called not present, and so loses its mask
_COLUMNS = len(Evidence._fields)
_NOTHING = Outputs(masks=False, cloud=False, tracks=False, moving=False)


@dataclass(frozen=True, eq=False)
class Case:
    """One question to one world.

    Attributes:
        world: its name.
        text: what was asked.
        present: whether it is there.
        candidates: [K, E] evidence of everything that may be it; K may be 0.
        other_words: whether it was asked for in other words than the world's own. Encoders are less
            sure of those, so they count only where refusing them is judged.
    """

    world: str
    text: str
    present: bool
    candidates: NDArray[np.float64]
    other_words: bool = False


def world_cases(
    world: World,
    perception: Perception,
    every: int = 1,
    progress: Callable[[], object] = lambda: None,
) -> list[Case]:
    """Map a world, then ask for what is there, in its own and in other words, and for what is not.

    Args:
        world: with what it shows.
        perception: fresh.
        every: map every n-th frame only, which is faster.
        progress: called after each of them.
    """
    seen_px: dict[int, int] = {}
    for index in range(0, len(world), every):
        frame, truth = world[index], world.truth(index)
        perception.process(frame, _NOTHING, hold_out=is_held_out(index // every))
        ids, counts = np.unique(truth.instances, return_counts=True)
        for number, count in zip(ids.tolist(), counts.tolist(), strict=True):
            seen_px[number] = max(count, seen_px.get(number, 0))
        progress()
    last = (len(world) - 1) // every * every
    words = Vocabulary.understood(world, lambda texts: understood_by(perception, texts))
    present, absent = presence_texts(world, words, seen_px, last)
    absent += understood_by(perception, wrong_materials(world))
    other = present_in_other_words(world, words, seen_px, last)
    asked = [(text, True, False) for text in present] + [(text, False, False) for text in absent]
    asked += [(text, True, True) for text in other]
    evidence = perception.evidence([text for text, *_ in asked])
    return [
        Case(world.name, text, there, np.array(found).reshape(-1, _COLUMNS), other_words)
        for (text, there, other_words), found in zip(asked, evidence, strict=True)
    ]


def wrong_materials(world: World) -> list[str]:
    """Classes of the scene in materials that none of their things there has, two for each class.

    The worlds' absent phrases name no materials; without these, naming one would be learned to mean
    that it is there.
    """
    things = [label for label in world.labels.values() if label.material]
    materials = list(dict.fromkeys(label.material for label in things))
    true = {phrase.text for phrase in world.phrases}
    wrong = []
    for number, cls in enumerate(dict.fromkeys(label.cls for label in things)):
        free = [text for m in materials if (text := f"{m} {cls}") not in true]
        turned = free[number % max(1, len(free)) :] + free[: number % max(1, len(free))]
        wrong += turned[:_WRONG_MATERIALS]
    return wrong


def write_cases(path: Path, cases: Sequence[Case]) -> None:
    """Keep cases as JSON."""
    rows = [[c.world, c.text, c.present, c.candidates.tolist(), c.other_words] for c in cases]
    with atomic_write(path) as file:
        file.write(json.dumps({"evidence": Evidence._fields, "cases": rows}).encode())


def read_cases(path: Path) -> list[Case]:
    """What `write_cases` kept; ValueError if the file is something else or has other evidence."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if tuple(stored["evidence"]) != Evidence._fields:
            raise BadInputError(f"it has the evidence {', '.join(stored['evidence'])}")
        return [
            Case(str(world), str(text), bool(there), np.array(found).reshape(-1, _COLUMNS), bool(o))
            for world, text, there, found, o in stored["cases"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(
            f"cases {path} cannot be used: {error}, expected {', '.join(Evidence._fields)}"
        ) from error


def learn(cases: Sequence[Case]) -> PresenceCalibration:
    """The calibration that explains best which things were there.

    Each question is judged by its likeliest candidate, as an answer is; which one that is depends
    on what is learned, so both are done in turns. "present" begins where F1 is highest, "not
    present" ends where one in fifty things that are there would be refused, in other words, too.

    Raises:
        ValueError: there are not both present and absent things among the cases.
    """
    usable = [case for case in cases if len(case.candidates) and not case.other_words]
    truth = np.array([case.present for case in usable], bool)
    if not 0 < truth.sum() < len(truth):
        raise BadInputError(
            f"{int(truth.sum())} of {len(truth)} things asked for are present, expected some that "
            "are and some that are not"
        )
    every = np.concatenate([case.candidates for case in usable])
    middle, spread = every.mean(0), np.maximum(every.std(0), 1e-9)
    weights, bias = np.eye(_COLUMNS)[0], 0.0  # at first, the one with the most relevant feature
    for _ in range(_ROUNDS):
        best = np.stack([_likeliest((c.candidates - middle) / spread, weights) for c in usable])
        weights, bias = _regression(best, truth)
    plain = {
        name: float(w / s) for name, w, s in zip(Evidence._fields, weights, spread, strict=True)
    }
    made = PresenceCalibration(plain, float(bias - weights @ (middle / spread)), 0.0, 1.0)
    no, yes = _limits(np.array([score(case, made) for case in cases]), cases)
    return made._replace(no=no, yes=yes)


def score(case: Case, calibration: PresenceCalibration) -> float:
    """Probability that it is there, 0..1; 0 where nothing may be it."""
    if not len(case.candidates):
        return 0.0
    weights = np.array([calibration.weights.get(name, 0.0) for name in Evidence._fields])
    return float(1 / (1 + np.exp(-(case.candidates @ weights + calibration.bias).max())))


def check(cases: Sequence[Case]) -> Presence:
    """How good calibrations are on worlds that they did not learn from, each left out in turn.

    Raises:
        ValueError: there are not at least two worlds.
    """
    worlds = list(dict.fromkeys(case.world for case in cases))
    if len(worlds) < 2:
        raise BadInputError(f"there are {len(worlds)} worlds, expected at least 2 to leave one out")
    scores: list[float] = []
    said: list[bool] = []
    unsure: list[bool] = []
    asked: list[Case] = []
    for left_out in worlds:
        learned = learn([case for case in cases if case.world != left_out])
        for case in cases:
            if case.world == left_out and not case.other_words:
                value = score(case, learned)
                asked.append(case)
                scores.append(value)
                said.append(value >= learned.yes)
                unsure.append(learned.no <= value < learned.yes)
    return presence(scores, [case.present for case in asked], said, np.array(unsure, bool))


def worst(cases: Sequence[Case], calibration: PresenceCalibration, count: int = 12) -> list[Case]:
    """The cases that are judged most wrongly, worst first."""

    def error(case: Case) -> float:
        return abs(case.present - score(case, calibration))

    return sorted(cases, key=error, reverse=True)[:count]


def best_threshold(cases: Sequence[Case]) -> tuple[float, float]:
    """The relevancy from which on things are best taken for present, and the F1 of that.

    By the most relevant candidate alone, as standing prompts and encoders without a calibration
    are judged.
    """
    usable = [case for case in cases if not case.other_words]
    column = Evidence._fields.index("pooled")
    best = [case.candidates[:, column].max(initial=_NEVER) for case in usable]
    relevancy = 1 / (1 + np.exp(-np.array(best)))
    truth = np.array([case.present for case in usable], bool)
    levels = np.unique(relevancy)
    said = relevancy[None] >= levels[:, None]
    f1 = 2 * (said & truth).sum(1) / np.maximum(1, said.sum(1) + truth.sum())
    chosen = int(f1.argmax())
    below = levels[chosen - 1] if chosen else 0.0
    return float((levels[chosen] + below) / 2), float(f1[chosen])


def about(cases: Sequence[Case], checked: Presence | None) -> Mapping[str, float | int | None]:
    """What is written beside a calibration; `checked` is None where nothing was left out."""
    own = [case for case in cases if not case.other_words]
    threshold, threshold_f1 = best_threshold(cases)
    return {
        "worlds": len({case.world for case in cases}),
        "present": sum(case.present for case in own),
        "absent": sum(not case.present for case in own),
        "auroc": checked.auroc if checked else None,
        "f1": checked.f1 if checked else None,
        "unsure": checked.unsure if checked else None,
        "threshold": threshold,
        "threshold_f1": threshold_f1,
    }


def _likeliest(
    candidates: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    row: NDArray[np.float64] = candidates[int((candidates @ weights).argmax())]
    return row


def _regression(
    evidence: NDArray[np.float64], truth: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Weights [E] and bias of logistic regression with a little shrinking (ridge)."""
    sign = np.where(truth, 1.0, -1.0)

    def loss(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (evidence @ x[:-1] + x[-1])
        slope = -sign / (1 + np.exp(margin.clip(-50, 50))) / len(sign)
        value = np.logaddexp(0, -margin).mean() + _SHRINK / 2 * x[:-1] @ x[:-1]
        return float(value), np.append(evidence.T @ slope + _SHRINK * x[:-1], slope.sum())

    found = minimize(loss, np.zeros(evidence.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return found[:-1], float(found[-1])


def _limits(scores: NDArray[np.float64], cases: Sequence[Case]) -> tuple[float, float]:
    """Below the first, "not present"; from the second on, "present"."""
    own = np.array([not case.other_words for case in cases], bool)
    truth = np.array([case.present for case in cases], bool)
    levels = np.unique(scores[own])
    said = scores[None, own] >= levels[:, None]
    f1 = 2 * (said & truth[own]).sum(1) / (said.sum(1) + truth[own].sum())
    best = int(f1.argmax())
    below = levels[max(0, best - 1)]
    yes = float((levels[best] + below) / 2)  # in the gap, not on the edge
    missed = (scores[None, truth] < levels[:, None]).mean(1)
    fits = levels[(missed <= _MISSED) & (levels <= yes)]
    return float(fits.max(initial=0.0)), yes
