# SPDX-License-Identifier: Apache-2.0
"""Errors of a camera path by hand, and paths that are deliberately wrong."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from f4x_ros.core.errors import UnsupportedError
from f4x_ros.eval.metrics.camera import CameraScores, camera_scores, position_errors_m

RATE_NS = 33_333_333


def stamps(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.int64) * RATE_NS


def pose(position: object, rotation: Rotation | None = None) -> np.ndarray:
    out = np.eye(4)
    out[:3, 3] = position
    if rotation is not None:
        out[:3, :3] = rotation.as_matrix()
    return out


def walk(count: int = 40) -> np.ndarray:
    """A path in a curve that looks around."""
    t = np.linspace(0, 1, count)
    return np.stack(
        [
            pose(
                [3 * s, math.sin(4 * s), 0.3 * math.cos(9 * s)],
                Rotation.from_euler("zy", [2 * s, math.sin(5 * s)]),
            )
            for s in t
        ]
    )


def scores(estimated: np.ndarray, truth: np.ndarray | None = None) -> CameraScores:
    truth = walk(len(estimated)) if truth is None else truth
    return camera_scores(stamps(len(truth)), truth, estimated)


def test_errors_of_three_poses_by_hand() -> None:
    truth = np.stack([pose([0, 0, 0]), pose([1, 0, 0]), pose([2, 1, 0])])
    estimated = truth.copy()
    estimated[1, :3, 3] += [0, 0.3, 0]
    estimated[2, :3, 3] += [0.4, 0, 0]
    got = scores(estimated, truth)
    assert got.ate_rmse_m == pytest.approx(math.sqrt((0.3**2 + 0.4**2) / 3))
    assert got.ate_max_m == pytest.approx(0.4)
    # Steps are off by (0, .3) and then by (.4, -.3).
    assert got.rpe_translation_rmse_m == pytest.approx(math.sqrt((0.3**2 + 0.5**2) / 2))
    assert got.rpe_rotation_rmse_rad == pytest.approx(0, abs=1e-7)
    assert got.path_length_m == pytest.approx(1 + math.sqrt(2))
    assert got.duration_s == pytest.approx(2 / 30, abs=1e-6)
    assert got.frames == 3
    assert position_errors_m(truth, estimated) == pytest.approx([0, 0.3, 0.4])


def test_rotation_errors_by_hand() -> None:
    truth = np.stack([pose([i, i * i, 0]) for i in range(4)])
    estimated = np.stack([pose([i, i * i, 0], Rotation.from_euler("y", 0.1 * i)) for i in range(4)])
    got = scores(estimated, truth)
    assert got.ate_rmse_m == 0.0
    assert got.ate_rotation_rmse_rad == pytest.approx(0.1 * math.sqrt((0 + 1 + 4 + 9) / 4))
    assert got.rpe_rotation_rmse_rad == pytest.approx(0.1)


def test_a_true_path_has_no_error_even_in_float32() -> None:
    truth = walk()
    got = scores(truth.astype(np.float32).astype(np.float64), truth)
    for value in (got.ate_rmse_m, got.ate_aligned_rmse_m, got.rpe_translation_rmse_m):
        assert value == pytest.approx(0, abs=1e-6)
    assert got.rpe_rotation_rmse_rad == pytest.approx(0, abs=1e-6)


def test_a_rigid_shift_of_the_whole_path_is_an_error_only_without_alignment() -> None:
    moved = pose([0.5, -0.2, 0.1], Rotation.from_euler("z", 0.2)) @ walk()
    got = scores(moved)
    assert got.ate_rmse_m is not None
    assert got.ate_rmse_m > 0.4
    assert got.ate_aligned_rmse_m == pytest.approx(0, abs=1e-9)
    assert got.rpe_translation_rmse_m == pytest.approx(0, abs=1e-9)


def _scaled(path: np.ndarray) -> np.ndarray:
    path[:, :3, 3] *= 1.1
    return path


def _drifting(path: np.ndarray) -> np.ndarray:
    drift = pose([0.005, 0, 0], Rotation.from_euler("z", 0.005))
    total = np.eye(4)
    for i in range(len(path)):
        path[i] = path[i] @ total
        total = total @ drift
    return path


def _jumping(path: np.ndarray) -> np.ndarray:
    path[len(path) // 2 :, :3, 3] += [0, 0, 0.5]
    return path


def _late(path: np.ndarray) -> np.ndarray:
    return np.concatenate([path[:1], path[:-1]])


def _inverted(path: np.ndarray) -> np.ndarray:
    return np.linalg.inv(path)


def _standing(path: np.ndarray) -> np.ndarray:
    return np.broadcast_to(path[0], path.shape).copy()


@pytest.mark.parametrize("spoil", [_scaled, _drifting, _jumping, _late, _inverted, _standing])
def test_a_wrong_path_scores_worse(spoil: Callable[[np.ndarray], np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    right = walk()
    right[:, :3, 3] += rng.normal(0, 1e-3, (len(right), 3))
    good, bad = scores(right), scores(spoil(walk()))
    for name in ("ate_rmse_m", "rpe_translation_rmse_m"):
        assert getattr(bad, name) > 2 * getattr(good, name), name
    if spoil is not _standing:  # one place: nothing to align
        assert bad.ate_aligned_rmse_m is not None
        assert good.ate_aligned_rmse_m is not None
        assert bad.ate_aligned_rmse_m > 5 * good.ate_aligned_rmse_m


def test_a_scale_error_is_not_aligned_away() -> None:
    truth = walk()
    got = scores(_scaled(walk()))
    centred = truth[:, :3, 3] - truth[:, :3, 3].mean(0)
    expected = 0.1 * math.sqrt((centred**2).sum(1).mean())
    assert got.ate_aligned_rmse_m == pytest.approx(expected, rel=1e-6)


def test_short_and_straight_paths_leave_undefined_what_is_undefined() -> None:
    nothing = scores(np.zeros((0, 4, 4)), np.zeros((0, 4, 4)))
    assert (nothing.ate_rmse_m, nothing.rpe_translation_rmse_m, nothing.frames) == (None, None, 0)
    one = scores(np.stack([pose([0, 0, 0.1])]), np.stack([pose([0, 0, 0])]))
    assert one.ate_rmse_m == pytest.approx(0.1)
    assert (one.ate_aligned_rmse_m, one.rpe_translation_rmse_m) == (None, None)
    straight = np.stack([pose([i, 0, 0]) for i in range(5)])
    got = scores(straight, straight)
    assert (got.ate_rmse_m, got.ate_aligned_rmse_m) == (0.0, None)
    assert got.rpe_translation_rmse_m == pytest.approx(0, abs=1e-12)


def test_bad_paths_are_refused_by_name() -> None:
    good, broken = walk(4), walk(4)
    broken[2, 0, 3] = math.nan
    with pytest.raises(ValueError, match=r"^estimated\[2\] has values that are not finite"):
        camera_scores(stamps(4), good, broken)
    with pytest.raises(ValueError, match=r"^truth\[2\]"):
        camera_scores(stamps(4), broken, good)
    scaled = good.copy()
    scaled[1, :3, :3] *= 2
    with pytest.raises(ValueError, match=r"^estimated\[1\] is not a rigid transform"):
        camera_scores(stamps(4), good, scaled)
    with pytest.raises(ValueError, match=r"^estimated has shape"):
        camera_scores(stamps(4), good, good[:3])
    with pytest.raises(ValueError, match=r"^stamps_ns has .* rise strictly"):
        camera_scores(stamps(4)[[0, 2, 1, 3]], good, good)
    with pytest.raises(ValueError, match=r"^stamps_ns is .*float64"):
        camera_scores(stamps(4) * 1e-9, good, good)


def test_the_libraries_print_nothing_and_leave_no_settings(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from f4x_ros.eval.metrics.libraries import library\n"
        "for name in ('evo.core.metrics', 'evo.core.trajectory', 'trackeval.metrics'):\n"
        "    library(name)\n"
        "sys.exit('matplotlib' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "evo.core.metrics", None)
    with pytest.raises(UnsupportedError, match=r"^evo is needed .*pip install 'f4x-ros\[eval\]'"):
        camera_scores(stamps(4), walk(4), walk(4))
