# SPDX-License-Identifier: Apache-2.0
"""Pictures of one evaluation, for people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from f4x_ros.eval.metrics.masks import jaccard
from f4x_ros.eval.metrics.track_states import ObjectStates
from f4x_ros.eval.protocol.evaluate import Evaluation
from f4x_ros.eval.protocol.frame_scores import FrameScores
from f4x_ros.eval.protocol.questions import Answers, Example
from f4x_ros.sim import World
from f4x_ros.viz.mask_sheet import MaskPicture, mask_sheet
from f4x_ros.viz.plots import plot_from_above, plot_over_time, plot_phrases, plot_presence
from f4x_ros.viz.png import save_png

_EXAMPLES = 12
_NAMES = ("masks", "moving", "from_above", "over_time", "phrases", "presence", "story")
_MOST_WORDS = 60  # bars in one plot


def draw_evaluation(folder: Path, evaluation: Evaluation) -> list[str]:
    """Write the pictures that the evaluation allows; returns their names, the best first.

    Raises:
        UnsupportedError: matplotlib is missing; says how to get it.
        OSError: a file cannot be written.
    """
    for name in _NAMES[:-1]:  # of an earlier run; the story is the recorder's
        (folder / f"{name}.png").unlink(missing_ok=True)
    world, scores, answers = evaluation.source, evaluation.scores, evaluation.answers
    if world is not None and scores is not None and answers is not None:
        if answers.examples:
            save_png(folder / "masks.png", mask_sheet(_chosen(world, answers.examples)))
        if scores.moving_examples:
            save_png(folder / "moving.png", mask_sheet(_moving(world, scores)))
        _over_time(folder / "over_time.png", world, scores)
        _from_above(folder / "from_above.png", world, scores)
        own, other = answers.phrases.result(), answers.paraphrases.result()
        plot_phrases(
            folder / "phrases.png",
            {text: score.iou for text, score in list(own.per_phrase.items())[:_MOST_WORDS]},
            {text: score.iou for text, score in list(other.per_phrase.items())[:_MOST_WORDS]},
        )
        _presence(folder / "presence.png", answers)
    return [f"{name}.png" for name in _NAMES if (folder / f"{name}.png").exists()]


def _chosen(world: World, examples: list[Example]) -> list[MaskPicture]:
    """Examples with their IoU: as many phrases as there is room for, each where most is seen."""
    best: dict[str, Example] = {}
    for example in examples:
        known = best.get(example.phrase.text)
        if known is None or example.truth.sum() > known.truth.sum():
            best[example.phrase.text] = example
    chosen = list(best.values())
    step = max(1, len(chosen) // _EXAMPLES)
    return [
        MaskPicture(
            rgb=world.drawing(example.index).rgb,
            predicted=example.predicted,
            truth=example.truth,
            title=f"{example.phrase.text}  {jaccard(example.predicted, example.truth):.2f}",
        )
        for example in chosen[::step][:_EXAMPLES]
    ]


def _moving(world: World, scores: FrameScores) -> list[MaskPicture]:
    """What moves, and what was said to move, with J."""
    pictures = []
    for index, predicted, truth in scores.moving_examples[:_EXAMPLES]:
        seconds = (world.stamps_ns[index] - world.stamps_ns[0]) / 1e9
        title = f"moving at {seconds:.2f} s  {jaccard(predicted, truth):.2f}"
        pictures.append(MaskPicture(world.drawing(index).rgb, predicted, truth, title))
    return pictures


def _over_time(path: Path, world: World, scores: FrameScores) -> None:
    times = (world.stamps_ns - world.stamps_ns[0]) / 1e9
    plot_over_time(
        path,
        times,
        {
            "published masks, mean IoU": np.array(scores.iou),
            "moving-object mask, IoU": np.array(scores.moving_j),
            "position error of movers' tracks [m]": scores.mover_errors_m(),
            "camera error [m]": scores.camera_errors_m(),
        },
    )


def _from_above(path: Path, world: World, scores: FrameScores) -> None:
    truth, tracked = scores.object_paths()
    movers = {number: label.name for number, label in world.labels.items() if label.moving}
    true_paths = _paths(truth)
    ever = {number for states in tracked for number in states.ids[states.moving].tolist()}
    moved = {number: places for number, places in _paths(tracked).items() if number in ever}
    plot_from_above(
        path,
        scores.camera_paths(),
        {movers[number]: places for number, places in true_paths.items() if number in movers},
        {f"#{number}": places for number, places in moved.items()},
    )


def _paths(frames: list[ObjectStates]) -> dict[int, NDArray[np.float64]]:
    places: dict[int, list[NDArray[np.floating]]] = {}
    for states in frames:
        for number, place in zip(states.ids.tolist(), states.positions, strict=True):
            places.setdefault(number, []).append(place)
    return {number: np.stack(of) for number, of in places.items()}


def _presence(path: Path, answers: Answers) -> None:
    there = answers.presence
    if there is None or there.curve is None or there.auroc is None:
        return
    curve = there.curve
    plot_presence(path, curve.precision, curve.recall, (there.precision, there.recall), there.auroc)
