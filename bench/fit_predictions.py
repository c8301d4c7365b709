# SPDX-License-Identifier: Apache-2.0
"""Fit what predictions do not know (`core/motion/predict`) to worlds with exact truth.

    python bench/fit_predictions.py crowd:8001 random:8003 random:8011 [--check livingroom:8001]
        [--frames 150] [--set KEY=VALUE] [--evaluations 160] [--only-check] [--json FILE]

Each world is mapped once, and the tracks of each frame are kept with where things truly were then
and 0.5, 1 and 2 s later. The numbers of `NAMES` are those that make the true places likeliest
(Student's t with 6 degrees of freedom, so that a track on the wrong thing does not rule). Printed
are the values, to be written into the module, and for each world, those of --check included, the
median error, the share inside the 95 % band and the share above it. Anew after tracks have changed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from f4x_ros.cli.settings import read_settings
from f4x_ros.cli.table import table
from f4x_ros.core.base.atomic import atomic_write
from f4x_ros.core.config import Config
from f4x_ros.core.data import Outputs, Track, TrackState
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.motion import predict
from f4x_ros.core.motion.predict import Turn, carried_on
from f4x_ros.core.objects import AHEAD_S
from f4x_ros.core.objects.predictions import moved_lately, turn_at
from f4x_ros.core.perception import Perception
from f4x_ros.eval.metrics.predictions import BAND
from f4x_ros.eval.metrics.track_matching import follow_matches, scored_frame
from f4x_ros.eval.metrics.track_states import ObjectStates
from f4x_ros.eval.protocol.frame_scores import VISIBLE_SHARE
from f4x_ros.eval.protocol.questions import Vocabulary
from f4x_ros.eval.subjects.subject import understood_by
from f4x_ros.sim import World

NAMES = ("_BOX", "_BOX_UP", "_ALONG", "_ACROSS", "_ANY", "_ANY_UP", "_HALTING", "_TURN_MEMORY_S")
"""Of `core/motion/predict`; the other memories are chosen, as they trade medians for tails."""

_FREEDOM = 6.0
_EVERY = 5  # frames whose tracks are used
_NEAR_M = 0.5
_PULL = 0.002  # towards the values there are, of squared differences of logarithms

Row = tuple[float, float]  # error in m, squared error by covariance


class Sample(NamedTuple):
    """A track at a moment, what its history tells, and the true places now and then."""

    track: Track
    turn: Turn | None
    halts: bool
    places: tuple[NDArray[np.float64] | None, ...]  # for 0 s and each of AHEAD_S


def samples_of(spec: str, frames: int, config: Config) -> list[Sample]:
    """Map a world and keep every fifth frame's tracks of what truly moves.

    Raises:
        BadInputError: the text is no SCENE:SEED, or the seed is above 9099.
    """
    scene, _, seed = spec.partition(":")
    if not seed.isdecimal() or int(seed) > 9099:
        raise BadInputError(f"world is '{spec}', expected SCENE:SEED with a seed up to 9099")
    world = World(scene=scene, seed=int(seed), frames=frames)
    perception = Perception(config)
    words = Vocabulary.understood(world, lambda texts: understood_by(perception, texts))
    perception.set_prompts([phrase.text for phrase in words.standing()])
    movers = {number for number, label in world.labels.items() if label.moving}
    known: list[dict[int, tuple[Track, Turn | None, bool]]] = []
    truths: list[ObjectStates] = []
    scored = []
    for index in range(len(world)):
        perception.process(world[index], Outputs(masks=False, cloud=False, moving=False))
        truth = world.truth(index)
        ids = sorted(movers & truth.T_map_center.keys())
        truths.append(
            ObjectStates(
                truth.stamp_ns,
                np.array(ids, np.int64),
                np.array([truth.T_map_center[one][:3, 3] for one in ids]).reshape(-1, 3),
                moving=np.array([truth.moving[one] for one in ids], bool),
            )
        )
        lives = {life.id: life for life in perception.lives}
        tracks = [one.track for one in perception.predictions()]
        known.append(
            {
                one.id: (
                    one,
                    turn_at(one, lives[one.id], truth.stamp_ns),
                    moved_lately(lives[one.id], truth.stamp_ns),
                )
                for one in tracks
            }
        )
        sure = [one for one in tracks if one.state is TrackState.CONFIRMED]
        said = ObjectStates(
            truth.stamp_ns,
            np.array([one.id for one in sure], np.int64),
            np.array([one.position for one in sure]).reshape(-1, 3),
        )
        hidden = {one for one, share in truth.visibility.items() if share < VISIBLE_SHARE}
        scored.append(scored_frame(truths[-1], said, _NEAR_M, hidden))
    stamps = np.array([one.stamp_ns for one in truths])
    made = []
    for match in follow_matches(scored):
        now = scored[match.frame].truth
        assert now.moving is not None
        if match.frame % _EVERY or not now.moving[match.truth_row]:
            continue
        places = tuple(
            _place(truths, stamps, match.truth_id, int(stamps[match.frame]) + round(s * 1e9))
            for s in (0.0, *AHEAD_S)
        )
        made.append(Sample(*known[match.frame][match.predicted_id], places))
    return made


def _place(
    truths: Sequence[ObjectStates], stamps: NDArray[np.int64], number: int, stamp_ns: int
) -> NDArray[np.float64] | None:
    """Where a thing truly was; None after the end, or where it was no more."""
    index = int(np.abs(stamps - stamp_ns).argmin())
    rows = np.flatnonzero(truths[index].ids == number)
    if abs(int(stamps[index]) - stamp_ns) > 20_000_000 or not len(rows):
        return None
    return np.asarray(truths[index].positions[rows[0]], np.float64)


def use(values: Sequence[float]) -> None:
    """Put values in the place of those of the module."""
    for name, value in zip(NAMES, values, strict=True):
        setattr(predict, name, float(value))


def rows_of(samples: Sequence[Sample]) -> tuple[list[list[Row]], float]:
    """Errors by time ahead (now first), and the mean of minus log likelihood."""
    rows: list[list[Row]] = [[] for _ in (0.0, *AHEAD_S)]
    loss = []
    for one in samples:
        _, ahead = carried_on(one.track, (0.0, *AHEAD_S), one.turn, halts=one.halts)
        for own, said, true in zip(rows, ahead, one.places, strict=True):
            if true is None:
                continue
            error, covariance = said.position - true, said.pose_covariance[:3, :3]
            expected = float(error @ np.linalg.solve(covariance, error))
            own.append((float(np.linalg.norm(error)), expected))
            spread = np.linalg.slogdet(covariance)[1]
            loss.append(spread / 2 + (_FREEDOM + 3) / 2 * np.log1p(expected / _FREEDOM))
    return rows, float(np.mean(loss))


def fitted(samples: Sequence[Sample], evaluations: int) -> NDArray[np.float64]:
    """The likeliest values of `NAMES`, near those there are."""
    start = np.log([getattr(predict, name) for name in NAMES])

    def cost(logs: NDArray[np.float64]) -> float:
        use(np.exp(logs))
        return rows_of(samples)[1] + _PULL * float(((logs - start) ** 2).sum())

    simplex = np.vstack([start, *(start + 0.5 * row for row in np.eye(len(start)))])
    options = {"maxfev": evaluations, "initial_simplex": simplex}
    found = minimize(cost, start, method="Nelder-Mead", options=options)
    return np.asarray(np.exp(found.x))


def described(name: str, samples: Sequence[Sample]) -> list[dict[str, float | str]]:
    """For each time ahead: median error, share inside the band, share above it."""
    made: list[dict[str, float | str]] = []
    for seconds, own in zip((0.0, *AHEAD_S), rows_of(samples)[0], strict=True):
        errors, expected = np.array(own).reshape(-1, 2).T
        if len(errors):
            inside = (expected >= BAND[0]) & (expected <= BAND[1])
            made.append(
                {
                    "world": name,
                    "ahead_s": seconds,
                    "position_median_m": float(np.median(errors)),
                    "position_p90_m": float(np.percentile(errors, 90)),
                    "nees": float(inside.mean()),
                    "overconfident": float((expected > BAND[1]).mean()),
                    "predictions": len(errors),
                }
            )
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("worlds", nargs="*", help="SCENE:SEED to fit to")
    parser.add_argument("--check", nargs="*", default=[], help="SCENE:SEED that are only measured")
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--evaluations", type=int, default=160, help="of the fit")
    parser.add_argument("--only-check", action="store_true", help="fit nothing")
    parser.add_argument("--set", action="append", default=[], dest="assignments",
                        metavar="KEY=VALUE", help="an option")  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="leave the numbers there")
    options = parser.parse_args(arguments)
    config, _ = read_settings(None, options.assignments)
    kept: dict[str, list[Sample]] = {}
    for spec in dict.fromkeys([*options.worlds, *options.check]):
        kept[spec] = samples_of(spec, options.frames, config)
        print(f"{spec}: {len(kept[spec])} samples", flush=True)
    if not options.only_check:
        pooled = [one for spec in options.worlds for one in kept[spec]]
        use(fitted(pooled, options.evaluations))
    values = {name: float(getattr(predict, name)) for name in NAMES}
    print(table([(name, f"{value:.3f}") for name, value in values.items()]))
    rows = [row for spec, samples in kept.items() for row in described(spec, samples)]
    shown = [[f"{v:.2f}" if isinstance(v, float) else v for v in row.values()] for row in rows]
    print(table(shown, tuple(rows[0]) if rows else ()))
    if options.json:
        with atomic_write(Path(options.json)) as file:
            file.write(json.dumps({"values": values, "rows": rows}, indent=2).encode())


if __name__ == "__main__":
    main()
