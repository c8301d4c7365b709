# SPDX-License-Identifier: Apache-2.0
"""Errors of movers by kind, honest covariances, and points of drawn things through time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from f4x_ros.eval.metrics.mover_errors import BAND, MoverErrors, mover_errors
from f4x_ros.eval.metrics.track_matching import follow_matches, scored_frame
from f4x_ros.eval.metrics.track_states import ObjectStates
from f4x_ros.sim import World

AHEAD, SPIN = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])
SIGMA = np.array([0.02, 0.02, 0.02, 0.05, 0.05, 0.05])


def run(
    noise: np.ndarray, *, said: float = 1.0, pixels: int = 500, moving: bool = True
) -> MoverErrors:
    """A thing that goes and turns about z, tracked with errors [frames, 12] of pose and twist."""
    frames = []
    offset = Rotation.from_euler("xyz", [0.3, -0.2, 1.0])  # the tracker's own axes
    for k, error in enumerate(noise):
        place, turn = np.array([0.1 * k, 0, 0]), Rotation.from_rotvec([0, 0, 0.1 * k])
        true = ObjectStates(
            k, np.array([7]), place[None], turn.as_quat()[None], AHEAD[None],
            SPIN[None], moving=np.array([moving]), pixels=np.array([pixels]),
        )  # fmt: skip
        wrong = Rotation.from_rotvec(error[3:6]) * turn * offset
        own = ObjectStates(
            k, np.array([3]), (place + error[:3])[None], wrong.as_quat()[None],
            (AHEAD + error[6:9])[None], (SPIN + error[9:])[None],
            np.diag(np.square(said * SIGMA))[None], np.diag(np.square(said * SIGMA))[None],
        )  # fmt: skip
        frames.append(scored_frame(true, own, 0.5, ()))
    return mover_errors(frames, follow_matches(frames), {7}, 150)


def noise(frames: int) -> np.ndarray:
    made = np.random.default_rng(0).normal(size=(frames, 12)) * np.tile(SIGMA, 2)
    made[0] = 0  # the first match is no measurement of what came since
    return made


def test_honest_covariances_have_19_of_20_errors_in_their_band() -> None:
    found = run(noise(800))
    assert found.nees_pose == pytest.approx(0.95, abs=0.03)
    assert found.nees_twist == pytest.approx(0.95, abs=0.03)
    assert run(noise(800), said=0.3).nees_pose_over > 0.9
    too_large = run(noise(800), said=5.0)
    assert too_large.nees_pose < 0.2
    assert too_large.nees_pose_over == 0
    assert BAND[0] < 6 < BAND[1]


def test_ways_and_turns_count_from_the_first_match() -> None:
    steady = np.zeros((20, 12))
    steady[:, 0] = 0.1  # always 10 cm off: the way is right
    found = run(steady)
    assert found.position_median_m == pytest.approx(0.1)
    assert found.motion_median_m == pytest.approx(0, abs=1e-9)
    assert found.orientation_median_rad == pytest.approx(0, abs=1e-6)
    steady[1:, 0], steady[1:, 5], steady[:, 11] = 0.13, 0.2, 0.4
    found = run(steady)
    assert found.motion_median_m == pytest.approx(0.03)
    assert found.motion_p90_m == pytest.approx(0.03)
    assert found.orientation_p90_rad == pytest.approx(0.2, abs=1e-6)
    assert found.angular_velocity_median_radps == pytest.approx(0.4)
    assert found.velocity_median_mps == pytest.approx(0)


def test_what_is_small_or_rests_does_not_count() -> None:
    small = run(noise(20), pixels=100)
    assert small.motion_median_m is None
    assert small.position_median_m is not None
    assert run(noise(20), moving=False).matches == 0


def test_points_of_a_drawn_thing_are_carried_with_it() -> None:
    world = World(scene="crowd", width=64, frames=60)
    rows = {label.name: number for number, label in world.labels.items() if label.moving}
    for number in rows.values():
        thing = world.scene.objects[number - 1]
        for body, then, now in zip(
            thing.bodies, thing.body_poses(0.0), thing.body_poses(40 / 30), strict=True
        ):
            corner = body.mesh.vertices[:5].astype(np.float64)
            points = corner @ then[:3, :3].T + then[:3, 3]
            true = corner @ now[:3, :3].T + now[:3, 3]
            if thing.exists(40 / 30):
                own = np.full(len(points), number)
                assert np.abs(world.carried(points, own, 0, 40) - true).max() < 0.03
    floor = next(number for number, label in world.labels.items() if label.cls == "floor")
    still = np.array([[0.1, 0.2, 0.0]])
    assert world.carried(still, np.array([floor]), 0, 40) == pytest.approx(still)
