# SPDX-License-Identifier: Apache-2.0
"""What grows is bounded, and what a bound takes away is what matters least."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from box_world import START_NS, STEP_NS, BoxWorld, still
from test_core_births import as_view

from f4x_ros.core.config import Config, MappingConfig
from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.field.gaussians import PARAMETERS
from f4x_ros.core.mapping.keyframes import Keyframes
from f4x_ros.core.observe.exposure import ExposureTrack
from f4x_ros.core.perception import Perception

QUICK = Config.from_dotted(
    {
        "features.extractor": "color",
        "mapping.iterations": 2,
        "mapping.keyframe_iterations": 4,
    }
)
FROZEN = Config.from_dotted(
    {
        "features.extractor": "color",
        "mapping.iterations": 0,
        "mapping.keyframe_iterations": 0,
    }
)


# --- the byte budget -------------------------------------------------------------------------


def test_a_view_that_does_not_fit_is_not_inserted_and_forgotten_over_and_over() -> None:
    config = replace(QUICK, field=replace(QUICK.field, max_bytes=100_000), mapping=FINE)
    perception = Perception(config, ("red thing",))
    counts = [perception.process(BoxWorld(speed_m=0.0)(i)).counts for i in range(8)]
    assert counts[0]["inserted"] > 300
    assert counts[0]["not_inserted"] > 1000
    assert sum(c["inserted"] for c in counts[2:]) < 0.1 * counts[0]["inserted"]
    assert sum(c["forgotten"] for c in counts) < 0.1 * counts[0]["inserted"]
    assert all(c["map_bytes"] <= 100_000 for c in counts)


def test_what_fits_is_spread_over_the_whole_view() -> None:
    config = replace(QUICK, field=replace(QUICK.field, max_bytes=100_000), mapping=FINE)
    perception = Perception(config)
    alpha = perception.process(BoxWorld(speed_m=0.0)(0)).alpha
    quarters = [alpha[:36, :48], alpha[:36, 48:], alpha[36:, :48], alpha[36:, 48:]]
    means = [float(q.mean()) for q in quarters]
    assert min(means) > 0.6 * max(means)


def test_a_new_view_pushes_out_what_is_out_of_sight() -> None:
    config = replace(QUICK, field=replace(QUICK.field, max_bytes=100_000))
    perception = Perception(config)
    world = BoxWorld({"red": still(6.0, 0.0, 1.6)}, speed_m=1.5)
    for index in range(5):
        percept = perception.process(world(index))
    assert (percept.alpha > 0.6).mean() > 0.9


FINE = replace(QUICK.mapping, coarse_px=2)


# --- depth that is too near ------------------------------------------------------------------


def test_depth_nearer_than_can_be_drawn_is_no_reading() -> None:
    def at_the_lens(index: int) -> Frame:
        frame = BoxWorld(speed_m=0.0)(index)
        frame.depth[:] = 0.04
        return frame

    perception = Perception(QUICK)
    for index in range(3):
        assert perception.process(at_the_lens(index)).counts["inserted"] == 0
    view = as_view(replace(BoxWorld()(0), depth=np.full((72, 96), 0.06, np.float32)), 0.0)
    assert (view.depth == np.float32(0.06)).all()


# --- pruning ---------------------------------------------------------------------------------


def still_wall() -> Perception:
    perception = Perception(FROZEN)
    perception.process(BoxWorld({}, speed_m=0.0)(0))
    return perception


def test_a_gaussian_that_is_too_large_is_made_smaller_and_leaves_no_hole() -> None:
    perception = still_wall()
    scales = perception._memory.field.present["log_scales"]
    scales[:, :2] = np.log(0.7)
    before = perception.gaussians
    percept = perception.process(BoxWorld({}, speed_m=0.0)(1))
    assert percept.counts["pruned"] == 0
    assert perception.gaussians >= before
    assert (percept.alpha > 0.9).all()
    assert float(perception._memory.field.present.scales.max()) < 0.4


def test_a_coarse_camera_sees_no_holes() -> None:
    camera = PinholeCamera(32, 24, 30.0, 30.0, 16.0, 12.0)
    perception = Perception(FROZEN)
    for index in range(3):
        frame = Frame(
            START_NS + index * STEP_NS,
            np.full((24, 32, 3), 128, np.uint8),
            camera,
            np.full((24, 32), 6.0, np.float32),
            np.eye(4),
        )
        percept = perception.process(frame)
    assert (percept.alpha > 0.6).all()
    assert percept.counts["inserted"] == percept.counts["pruned"] == 0


@pytest.mark.parametrize("column", [*PARAMETERS, "latents"])
def test_a_gaussian_that_is_not_finite_anywhere_is_deleted(column: str) -> None:
    perception = still_wall()
    present = perception._memory.field.present
    present[column][7] = float("nan")
    counts = perception.process(BoxWorld({}, speed_m=0.0)(1)).counts
    assert counts["pruned"] == 1
    assert all(torch.isfinite(perception._memory.field.present[c]).all() for c in PARAMETERS)


# --- what is kept of the past ----------------------------------------------------------------


def test_exposures_are_bounded_and_the_past_keeps_its_look() -> None:
    track = ExposureTrack("cpu", learn=False)

    def gain(time_s: float) -> float:
        """Steady, a ramp, steady, a step, steady."""
        ramp = 0.3 * float(np.clip((time_s - 100) / 20, 0, 1))
        return 1.0 + ramp - (0.4 if time_s >= 400 else 0.0)

    for index in range(9000):
        track.begin(0.1 * index).values[0] = gain(0.1 * index)
        assert len(track) <= 2000
    errors = [
        abs(float(track.at(t)[0, 0]) - gain(t))
        for t in np.arange(0, 899, 0.25)
        if abs(t - 400) > 0.2
    ]
    assert max(errors) < 0.02
    assert float(track.at(899.9)[0, 0]) == pytest.approx(gain(899.9))


def keyframes_along(places: list[tuple[float, float]], keep: int) -> np.ndarray:
    """Where [M, 2] the keyframes are after a path through places (m)."""
    keyframes = Keyframes(replace(MappingConfig(), keyframes=keep))
    for x, y in places:
        pose = np.eye(4)
        pose[:2, 3] = x, y
        keyframes.offer(as_view(replace(BoxWorld()(0), T_map_camera=pose), 0.0))
    assert len(keyframes) <= keep
    return np.array([v.T_map_camera[:2, 3] for v in keyframes.views])


def test_the_turning_points_of_a_path_stay_among_the_keyframes() -> None:
    out = [(0.3 * i, 0.0) for i in range(11)]
    back = [(0.3 * i, 0.06) for i in range(9, -1, -1)]
    kept = keyframes_along([*out, *back, *[(0.0, 0.2 * i) for i in range(1, 6)]], 18)
    assert np.abs(kept - out[-1]).sum(1).min() < 1e-9


def test_keyframes_stay_spread_over_a_straight_path() -> None:
    kept = keyframes_along([(0.1 * i, 0.0) for i in range(100)], 20)
    gaps = np.diff(kept[:, 0])
    assert kept[0, 0] == 0
    assert kept[-1, 0] == pytest.approx(9.9)
    assert gaps.max() < 1.3
