# SPDX-License-Identifier: Apache-2.0
"""`f4x history` and `f4x render`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from ask_scene import small_map
from box_world import CAMERA, START_NS, STEP_NS
from cli_runs import refused

from f4x_ros.cli import main as cli


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("map") / "map.f4x"
    small_map().save(path)
    return str(path)


def test_history_tells_what_moved_from_where_to_where(
    saved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["history", saved]) == 0
    said = capsys.readouterr().out
    (row,) = [line for line in said.splitlines() if "moved" in line]
    numbers = [float(word) for word in row.replace("to", " ").split() if word[-1].isdigit()
               and word.lstrip("-").replace(".", "").isdigit()]  # fmt: skip
    assert "blue thing" in row
    assert numbers[2] == pytest.approx(0.4, abs=0.05)  # after begin and end
    assert numbers[5] == pytest.approx(0.12, abs=0.05)


def test_history_tells_programs_where_something_was(
    saved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["history", saved, "blue thing", "--at", "0.5", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["since_ns"] == document["until_ns"] == START_NS + 5 * STEP_NS
    assert document["map_frame"] == "map"
    (state,) = document["things"][0]["states"]
    assert state["position"][0] == pytest.approx(0.4, abs=0.05)
    assert len(state["pose_covariance"]) == len(state["twist_covariance"]) == 36
    assert (state["state"], state["moving"]) == ("confirmed", False)
    assert document["events"] == []

    number = document["things"][0]["id"]
    span = ["--since", "0.5", "--until", "-0.1", "--step", "0.2"]
    assert cli.main(["history", saved, f"#{number}", *span]) == 0
    said = capsys.readouterr().out
    assert f"blue thing #{number}: 12 states" in said
    assert "moving" in said


def test_history_draws_the_ways_and_one_thing_at_four_times(
    saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "moments.png"
    assert cli.main(["history", saved, "--picture", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"The picture is in {out}, with blue thing #" in said
    assert cv2.imread(str(out)).shape[1] == 1600
    assert cli.main(["history", saved, "--picture", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["things"]
    nothing = refused(capsys, "history", saved, "purple thing", "--picture", str(out))
    assert "nothing to draw" in nothing


def test_history_says_what_is_wrong(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "a moment or a span" in refused(capsys, "history", saved, "--at", "1", "--since", "0")
    assert "expected 0 to 2.900 s" in refused(capsys, "history", saved, "--at", "3.5")
    assert "--until is 'x'" in refused(capsys, "history", saved, "--until", "x")
    assert "no thing has the id" in refused(capsys, "history", saved, "#99")
    assert "step is -1" in refused(capsys, "history", saved, "--step", "-1")


def test_render_writes_a_strip_of_moments_with_depth_and_labels(
    saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, depth, labels = (str(tmp_path / name) for name in ("s.png", "d.png", "l.png"))
    arguments = ["render", saved, "--at", "0.5,1.5,-0.1", "--out", out, "--depth", depth]
    more = ["--labels", labels, "--prompt", "blue thing", "--boxes"]
    assert cli.main([*arguments, *more]) == 0
    said = capsys.readouterr().out
    assert "0.50 s, 1.50 s, 2.80 s of 0 to 2.90 s" in said
    page = cv2.imread(out)
    assert page.shape[1] > 2.9 * page.shape[0] * CAMERA.width / CAMERA.height * 0.9
    middles = []
    for number in (1, 2, 3):
        millimetres = cv2.imread(str(tmp_path / f"d_{number}.png"), cv2.IMREAD_UNCHANGED)
        own = cv2.imread(str(tmp_path / f"l_{number}.png"), cv2.IMREAD_UNCHANGED)
        assert millimetres.dtype == own.dtype == np.uint16
        assert millimetres.shape == own.shape == CAMERA.shape
        assert np.median(millimetres[own == 1]) == pytest.approx(1500, abs=150)
        middles.append(np.median(np.argwhere(own == 1)[:, 1]))
    assert middles[0] > middles[1] > middles[2]  # one view: the thing slides to the left in it


def test_render_looks_from_elsewhere_and_as_the_camera_did(
    saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "a.png")
    pictures = []
    for view in (["--view", "0"], ["--view", "2.9"], ["--orbit", "20"], ["--width", "48"]):
        assert cli.main(["render", saved, "--out", out, "--at", "2.9", *view]) == 0
        pictures.append(cv2.imread(out))
    assert pictures[3].shape == (36, 48, 3)
    assert (pictures[0] != pictures[1]).any()
    assert (pictures[1] != pictures[2]).any()


def test_render_says_what_is_wrong(
    saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "a.png")]
    many = ",".join(["1"] * 13)
    assert "at most 12" in refused(capsys, "render", saved, *out, "--at", many)
    assert "expected 0 to 2.900 s" in refused(capsys, "render", saved, *out, "--at", "4")
    assert "width is 4000" in refused(capsys, "render", saved, *out, "--width", "4000")
    assert "orbit is" in refused(capsys, "render", saved, *out, "--orbit", "900")
    assert "--view is '1,2'" in refused(capsys, "render", saved, *out, "--view", "1,2")
    assert not (tmp_path / "a.png").exists()
