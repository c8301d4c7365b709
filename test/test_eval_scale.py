# SPDX-License-Identifier: Apache-2.0
"""Maps up to scale: paths and depths compared after the best scale, moments before the map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from eval_scene import QUICK, make_frame
from scipy.spatial.transform import Rotation

from f4x_ros.core.perception import Perception
from f4x_ros.eval.subjects.camera_path import CameraPath
from f4x_ros.eval.subjects.held_out import HeldOut
from f4x_ros.eval.subjects.report import report_rows
from f4x_ros.eval.subjects.subject import LibrarySubject


def path_of(estimated: np.ndarray, given: np.ndarray) -> CameraPath:
    path = CameraPath()
    for ours, theirs in zip(estimated, given, strict=True):
        a, b = np.eye(4), np.eye(4)
        a[:3, 3], b[:3, 3] = ours, theirs
        path.add(a, b)
    return path


def test_a_path_of_another_size_agrees_after_scaling() -> None:
    given = np.random.default_rng(0).normal(size=(20, 3))
    turn = Rotation.from_euler("xyz", (10, 20, 30), degrees=True)
    rmse, scale = path_of(turn.apply(given) / 2.5 + 4, given).scaled()
    assert rmse == pytest.approx(0, abs=1e-9)
    assert scale == pytest.approx(2.5)


def test_a_mirrored_path_does_not_agree() -> None:
    given = np.random.default_rng(0).normal(size=(20, 3))
    rmse, _ = path_of(given * [1, 1, -1], given).scaled()
    assert rmse is not None
    assert rmse > 0.5


@pytest.mark.parametrize("positions", [np.zeros((2, 3)), np.zeros((5, 3))])
def test_a_path_that_goes_nowhere_has_no_scale(positions: np.ndarray) -> None:
    assert path_of(positions, positions + 1).scaled() == (None, None)


@pytest.fixture(scope="module")
def mapped() -> Perception:
    perception = Perception(QUICK)
    for index in range(4):
        perception.process(make_frame(index))
    return perception


def test_depth_is_compared_after_one_scale(mapped: Perception) -> None:
    frame, held_out = make_frame(3), HeldOut()
    assert frame.depth is not None
    held_out.add(replace(frame, depth=2 * frame.depth))
    quality = held_out.evaluate(mapped)
    assert quality.depth_scale == pytest.approx(0.5, rel=0.02)
    assert quality.depth_relative_error is not None
    assert quality.depth_relative_error < 0.02


def test_a_moment_before_the_map_is_its_first(tmp_path: Path) -> None:
    with LibrarySubject(Perception(QUICK), tmp_path, source="small") as subject:
        subject.begin(["red thing"])
        first = make_frame(1)
        for frame in (first, make_frame(2)):
            subject.process(frame)
        then = subject.ask("red thing", first.stamp_ns, first.T_map_camera)
        before = subject.ask("red thing", make_frame(0).stamp_ns, first.T_map_camera)
        assert np.array_equal(then.mask, before.mask)
        assert first.T_map_camera is not None
        drawn = subject.render(first.camera, first.T_map_camera, make_frame(0).stamp_ns)
        assert drawn.color.any()


def test_the_rows_say_that_sizes_are_not_known() -> None:
    report = {
        "pose_source": "odometry", "depth_source": "motion", "scale_known": False,
        "still_frames": 3, "depth_relative_error": 0.0312, "ate_rmse_m": 1.0,
        "ate_scaled_rmse_m": 0.02, "path_m": 2.0, "lost_frames": 0, "weak_frames": 0,
    }  # fmt: skip
    rows = dict(report_rows(report))  # type: ignore[arg-type]
    assert rows["depth"] == "from motion, up to scale; 3 frames nearly still"
    assert rows["depth error, scaled"] == "3.1 % median"
    assert "2.0 cm aligned and scaled" in rows["off the given path"]
