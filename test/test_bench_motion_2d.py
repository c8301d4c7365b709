# SPDX-License-Identifier: Apache-2.0
"""bench/motion_2d.py on small drawn folders: its keys, and that no folder fits its own options."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))

import motion_2d  # noqa: E402

from f4x_ros.core.motion.picture import MoverOptions  # noqa: E402


def drawn_folder(path: Path, seed: int) -> Path:
    """A red square that moves over a grey texture, in DAVIS' layout."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(60, 160, (30, 40)).astype(np.float32)
    wall = cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)
    coat = cv2.resize(rng.uniform(0.6, 1, (10, 10)).astype(np.float32), (40, 40))
    (path / "images").mkdir(parents=True)
    (path / "masks").mkdir()
    for time in range(4):
        u = 30 + 5 * time
        bgr, mask = np.repeat(wall[..., None], 3, 2), np.zeros((120, 160), np.uint8)
        bgr[40:80, u : u + 40] = coat[..., None] * (40, 40, 220)
        mask[40:80, u : u + 40] = 255
        cv2.imwrite(str(path / "images" / f"{time:02d}.png"), bgr.clip(0, 255).astype(np.uint8))
        cv2.imwrite(str(path / "masks" / f"{time:02d}.png"), mask)
    return path


def test_scores_and_the_fit_come_out_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(drawn_folder(tmp_path / name, seed)) for seed, name in enumerate("ab")]
    grid = [MoverOptions(share=0.5), MoverOptions(share=1.0, colour=0.0, memory=0.0)]
    monkeypatch.setattr(motion_2d, "GRID", grid)
    out = tmp_path / "scores.json"
    monkeypatch.setattr(sys, "argv", ["motion_2d.py", *folders, "--json", str(out)])
    assert motion_2d.main() == 0
    found = json.loads(out.read_text())
    assert found["j_mean"] == pytest.approx((found["a"]["j"] + found["b"]["j"]) / 2)
    assert found["j_mean"] > 0.75
    assert found["a"]["left_out"]["share"] == found["b"]["left_out"]["share"] == 0.5
    assert found["j_leave_one_out"] == pytest.approx(found["j_mean"])
    assert "j_leave_one_out" in capsys.readouterr().out


def test_without_a_fit_there_is_no_such_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = drawn_folder(tmp_path / "a", 0), tmp_path / "scores.json"
    monkeypatch.setattr(sys, "argv", ["motion_2d.py", str(folder), "--no-fit", "--json", str(out)])
    assert motion_2d.main() == 0
    assert "j_leave_one_out" not in json.loads(out.read_text())


def test_a_folder_has_no_say_in_its_own_options() -> None:
    js = np.array([[1.0, 0.0, 0.4], [0.2, 0.6, 0.5], [0.1, 0.3, 0.6]])
    assert motion_2d.left_out(js).tolist() == [2, 0, 0]
