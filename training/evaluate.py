# SPDX-License-Identifier: Apache-2.0
"""How well a model finds what words name: ``python -m training.evaluate MODEL --worlds 8000:8012``.

It is asked in single pictures of worlds that it has not seen. The conventions are those of
``f4x eval``: the same moments, phrases, masks and scores.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.ask.refine import line_for
from f4x_ros.core.features.embedded.extractor import EmbeddedExtractor
from f4x_ros.core.features.embedded.weights import Calibration, load_model, save_model
from f4x_ros.eval.protocol.frame_scores import VISIBLE_PX, countable
from f4x_ros.eval.protocol.questions import past_indices
from f4x_ros.sim import Phrase, World, WorldTruth
from f4x_ros.sim.language import ROOM_CLASSES
from f4x_ros.viz.mask_sheet import MaskPicture, mask_sheet
from training.generate import LAST_TRAINING_SEED, LAST_TUNING_SEED, span
from training.tally import LINES, OFFSETS, Tally, best_offset, print_summary, summary
from training.vocabulary import Kind, Split
from training.words import ABSENT

ABSENT_WORDS = tuple(" ".join(word.split()) for word in ABSENT)
"""Things that no world has."""

_FRAMES = 150  # of a world, as in f4x eval
_SEEN_PX = 150  # of a thing that counts as present
_PICTURES = 12  # of each world, where what is asked for is in view
_MOST_PICTURES = 48
_BEST = 38  # features: as many pixels of the picture


def evaluate(model: EmbeddedExtractor, seeds: Sequence[int], split: Split) -> Tally:
    """Ask a model for everything in some random worlds."""
    tally = Tally()
    for seed in seeds:
        _evaluate_world(model, World(frames=_FRAMES, seed=seed, scene="random"), split, tally)
    return tally


def _evaluate_world(model: EmbeddedExtractor, world: World, split: Split, tally: Tally) -> None:
    phrases = [*world.phrases, *world.paraphrases]
    absent = world.absent_phrases
    strange = [word for word in ABSENT_WORDS if split.hides_absent(word)]
    texts = model.text([*(phrase.text for phrase in phrases), *absent, *strange])
    views = [_asked(model, world, index, texts) for index in past_indices(len(world))]
    surest = torch.stack([view.best for view in views]).amax(0)
    limits = [_limits(phrase.text, float(b)) for phrase, b in zip(phrases, surest, strict=False)]
    seen: dict[int, int] = {}
    shown = set(np.random.default_rng(world.seed).permutation(len(phrases))[:_PICTURES].tolist())
    for view in views:
        truth = view.truth
        for number, count in zip(*np.unique(truth.instances, return_counts=True), strict=True):
            seen[int(number)] = max(int(count), seen.get(int(number), 0))
        tally.moments.append(view.moment)
        for row, phrase in enumerate(phrases):
            predicted = _enlarged(view.logits[row], truth.instances.shape)
            masks = [predicted + offset >= 0 for offset in OFFSETS]
            masks += [predicted >= limit for limit in limits[row]]
            true, valid = truth.mask(phrase.instances), countable(world, truth, phrase)
            if row in shown and true.sum() >= VISIBLE_PX:
                shown.remove(row)
                tally.pictures.append(MaskPicture(view.rgb, predicted >= 0, true, phrase.text))
            for group in _groups(world, phrase, row >= len(world.phrases), split):
                for sums, mask in zip(tally.of(group, world.seed), masks, strict=True):
                    sums.add(phrase.text, mask, true, valid)
    there = {number for number, count in seen.items() if count >= _SEEN_PX}
    asked = [bool(phrase.instances & there) for phrase in world.phrases]
    scores = torch.sigmoid(surest).tolist()
    tally.scores += [score for score, ask in zip(scores, asked, strict=False) if ask]
    tally.present += [True] * sum(asked)
    tally.scores += scores[len(phrases) : len(phrases) + len(absent)]
    tally.present += [False] * len(absent)
    tally.strange += scores[len(phrases) + len(absent) :]


def _limits(phrase: str, best: float) -> list[float]:
    """Log odds from which on a phrase selects, by each of `LINES`."""
    chosen = [line_for(phrase, lines) for lines in LINES]
    return [line.offset + line.slope * best for line in chosen]


class _View(NamedTuple):
    """A picture of a world, asked for everything."""

    rgb: NDArray[np.uint8]
    truth: WorldTruth
    logits: Tensor  # [P, h, w]
    best: Tensor  # [P] log odds of the surest pixels
    moment: Tensor  # [D, D]


def _asked(model: EmbeddedExtractor, world: World, index: int, texts: Tensor) -> _View:
    features = _features(model, world[index].rgb)
    flat, logits = features.flatten(1), _logits(model, features, texts)
    best = logits.flatten(1).topk(_BEST, dim=1).values.mean(1)
    moment = flat @ flat.T / flat.shape[1]
    return _View(world[index].rgb, world.truth(index), logits, best, moment)


def _features(model: EmbeddedExtractor, rgb: NDArray[np.uint8]) -> Tensor:
    """[D, h, w]."""
    image = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    return model.dense(image)[0]


def _logits(model: EmbeddedExtractor, features: Tensor, texts: Tensor) -> Tensor:
    """[P, h, w] log-odds that each text is true of each of the features [D, h, w]."""
    cosine = torch.einsum("dhw,pd->phw", features, texts)
    calibration = model.calibration
    return calibration.scale * cosine + calibration.bias


def _enlarged(logits: Tensor, shape: tuple[int, ...]) -> NDArray[np.float32]:
    full = functional.interpolate(logits[None, None], shape, mode="bilinear", align_corners=False)[
        0, 0
    ].numpy()
    return np.asarray(full, np.float32)


def _groups(world: World, phrase: Phrase, other_words: bool, split: Split) -> Iterator[str]:
    """Which numbers a phrase counts for; the first is what ``f4x eval`` reports."""
    yield "paraphrases" if other_words else "phrases"
    labels = [world.labels[number] for number in phrase.instances]
    of_hidden_class = all(label.cls in split.classes for label in labels)
    if not other_words:
        yield f"phrases: {phrase.kind}"
        if of_hidden_class and phrase.kind != "color":
            yield "phrases of held-out classes"
        elif phrase.kind == "object" and all(_combined(split, x.cls, x.color) for x in labels):
            yield "phrases of held-out colours of classes"
        elif phrase.kind != "color":
            yield "phrases that were trained"
    elif not of_hidden_class:
        hidden = any(phrase.text in split.secret_synonyms(x.cls, x.color) for x in labels)
        yield "paraphrases, held out" if hidden else "paraphrases that were trained"


def _combined(split: Split, cls: str, color: str) -> bool:
    return cls not in ROOM_CLASSES and split.hides_combination(Kind(cls, color, ""))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate")
    parser.add_argument("model", type=Path, help="embedded.safetensors of training.train")
    parser.add_argument("--worlds", type=span, required=True, help="seeds, FIRST:STOP")
    parser.add_argument("--final-test", action="store_true", help="allow the seeds of tests")
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="write the best bias, and the second moment of the features, to the model",
    )
    parser.add_argument("--pictures", type=Path, help="write some masks beside the truth there")
    parser.add_argument("--json", type=Path, help="write all numbers there")
    arguments = parser.parse_args()
    last = arguments.worlds[-1] if arguments.worlds else -1
    tuning = arguments.worlds.start > LAST_TRAINING_SEED and last <= LAST_TUNING_SEED
    if not tuning and (arguments.calibrate or not arguments.final_test):
        parser.error(
            f"--worlds: expected seeds {LAST_TRAINING_SEED + 1} to {LAST_TUNING_SEED}; higher ones "
            "only with --final-test, once, and never to calibrate"
        )
    return arguments


def main() -> None:
    """See the module."""
    arguments = _arguments()
    torch.set_num_threads(1)
    extractor = EmbeddedExtractor.load({"weights": str(arguments.model)})
    stored = extractor.about.get("split", {})
    stored["classes"] = tuple(stored.get("classes", ()))
    tally = evaluate(extractor, arguments.worlds, Split(**stored))
    numbers = summary(tally)
    print_summary(numbers)
    if arguments.pictures:
        sheet = mask_sheet(tally.pictures[:_MOST_PICTURES], 6)
        if not cv2.imwrite(str(arguments.pictures), sheet[..., ::-1]):
            raise OSError(f"cannot write {arguments.pictures}")
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    if arguments.calibrate:
        model = load_model(arguments.model)
        scale, bias = model.calibration
        offset = best_offset(tally)
        calibrated = model._replace(
            calibration=Calibration(scale, bias + offset),
            moment=torch.stack(tally.moments).mean(0),
        )
        save_model(arguments.model, calibrated)
        print(f"bias {bias:.2f} -> {bias + offset:.2f}")


if __name__ == "__main__":
    main()
