# SPDX-License-Identifier: Apache-2.0
"""`f4x segment`: what it says and leaves."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from eval_scene import CAMERA, QUICK, make_frame

from f4x_ros.cli import main as cli
from f4x_ros.core.perception import Perception


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    perception = Perception(QUICK)
    for index in range(4):
        perception.process(make_frame(index))
    path = tmp_path_factory.mktemp("map") / "map.f4x"
    perception.save(path)
    return str(path)


def test_a_click_prints_the_object_and_writes_mask_and_picture(
    saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask, picture = tmp_path / "mask.png", tmp_path / "seen.png"
    files = ["--out", str(mask), "--picture", str(picture)]
    assert cli.main(["segment", saved, "--point", "32,24", "--not", "4,4", *files]) == 0
    said = capsys.readouterr().out
    assert "points at 1 click" in said
    assert "size [m]" in said
    grey = cv2.imread(str(mask))
    assert grey.shape == (CAMERA.height, CAMERA.width, 3)
    assert grey[24, 32, 0] > 200
    assert grey[4, 4, 0] < 127  # not selected
    assert cv2.imread(str(picture)) is not None


def test_a_box_in_the_past_is_answered(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["segment", saved, "--box", "20,12,44,36", "--stamp", "-0.2"]) == 0
    assert "points at the box" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no box"),
        (["--point", "32"], "--point is '32', expected 2 numbers"),
        (["--box", "1,2,x,4"], "--box is '1,2,x,4', expected 4 numbers"),
        (["--point", "900,3"], "outside"),
    ],
)
def test_bad_clicks_are_refused_in_one_line(
    saved: str, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert cli.main(["segment", saved, *arguments]) == 2
    assert said in capsys.readouterr().err
