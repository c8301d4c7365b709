# SPDX-License-Identifier: Apache-2.0
"""How predictions are scored: against where things truly were then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fabricated import track

from f4x_ros.core.data import MotionModel, Prediction
from f4x_ros.eval.metrics.predictions import BAND, prediction_scores
from f4x_ros.eval.metrics.track_states import ObjectStates

RATE, AHEAD_S = 10, (0.5, 1.0)
SPEED = np.array([0.4, 0.0, 0.0])


def states(frame: int, *, moving: bool = True, number: int = 7) -> ObjectStates:
    place = SPEED * frame / RATE
    return ObjectStates(
        frame * 100_000_000, np.array([number]), place[None], moving=np.array([moving])
    )


def said(frame: int, error: np.ndarray, sigma: float) -> dict[int, Prediction]:
    now = replace(track(1, "robot", (0, 0, 0), moving=True), position=SPEED * frame / RATE)
    covariance = np.diag([sigma**2] * 3 + [1.0] * 3)
    ahead = tuple(
        replace(now, position=now.position + SPEED * s + error, pose_covariance=covariance)
        for s in AHEAD_S
    )
    return {1: Prediction(now, MotionModel.CONSTANT_TWIST, 0.0, ahead)}


def test_an_error_is_the_distance_from_the_true_place_of_then() -> None:
    truth = [states(k) for k in range(20)]
    tracked = [states(k, number=1) for k in range(20)]
    error = np.array([0.0, 0.03, 0.04])
    soon, late = prediction_scores(
        truth, tracked, [said(k, error, 0.03) for k in range(20)], AHEAD_S
    )
    assert (soon.predictions, late.predictions) == (15, 10)  # the last have no later
    assert soon.position_median_m == pytest.approx(0.05)
    assert late.position_p90_m == pytest.approx(0.05)
    assert (soon.still_median_m, late.still_median_m) == (pytest.approx(0.2), pytest.approx(0.4))
    assert (soon.nees, soon.overconfident) == (1.0, 0.0)  # 5 cm at 3 cm a component


def test_nees_tells_too_sure_and_too_unsure_from_honest() -> None:
    rng = np.random.default_rng(1)
    truth = [states(k) for k in range(600)]
    tracked = [states(k, number=1) for k in range(600)]
    shares = {}
    for name, sigma in (("honest", 0.1), ("too sure", 0.02), ("too unsure", 3.0)):
        predicted = [said(k, rng.normal(0, 0.1, 3), sigma) for k in range(600)]
        shares[name] = prediction_scores(truth, tracked, predicted, AHEAD_S)[0]
    assert shares["honest"].nees == pytest.approx(0.95, abs=0.03)
    assert (shares["too sure"].nees or 0) < 0.2 < 0.8 < (shares["too sure"].overconfident or 0)
    assert ((shares["too unsure"].nees or 0) < 0.2, shares["too unsure"].overconfident) == (True, 0)
    assert BAND[0] < 3 < BAND[1]


def test_what_rests_or_is_hardly_seen_is_not_scored() -> None:
    tracked = [states(k, number=1) for k in range(20)]
    predicted = [said(k, np.zeros(3), 0.1) for k in range(20)]
    rests = prediction_scores(
        [states(k, moving=False) for k in range(20)], tracked, predicted, AHEAD_S
    )
    hidden = prediction_scores(
        [states(k) for k in range(20)], tracked, predicted, AHEAD_S, ignore=[{7}] * 20
    )
    for one in (*rests, *hidden):
        assert (one.predictions, one.nees, one.position_median_m) == (0, None, None)
    with pytest.raises(ValueError, match="expected as many of each"):
        prediction_scores([], tracked, predicted, AHEAD_S)
