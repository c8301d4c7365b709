# SPDX-License-Identifier: Apache-2.0
"""`f4x transfer`: two red hooks on a wall, one marked with clicks, the other one found."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from f4x_ros.cli import main as cli
from f4x_ros.core.config import Config
from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.perception import Perception

CAMERA = PinholeCamera(128, 96, 120.0, 120.0, 64.0, 48.0)
# An L of two bars in its own plane: the corner at (0, 0), a long bar along x, a short one along y.
CORNER, LONG_END, SHORT_END = (0.0, 0.0), (0.4, 0.0), (0.0, 0.22)
WIDE = 0.05
HOOKS = {  # place on the wall [m], turn, size
    "first": (np.array([-0.62, -0.3]), 0.2, 1.0),
    "second": (np.array([0.55, 0.35]), 2.4, 1.2),
}


def place(hook: str, point: tuple[float, float]) -> np.ndarray:
    """A point of a hook in the map frame; the wall is the plane z = 2, the front stands at 1.9."""
    at, turn, size = HOOKS[hook]
    c, s = np.cos(turn), np.sin(turn)
    return np.append(at + size * np.array([[c, -s], [s, c]]) @ point, 1.9)


def frame(index: int) -> Frame:
    pose = np.eye(4)
    pose[0, 3] = 0.02 * index - 0.08
    rays = CAMERA.pixel_rays()
    depth = np.full(rays.shape[:2], 2.0, np.float32)
    rgb = np.full((*rays.shape[:2], 3), 128, np.uint8)
    hit = rays[..., :2] * 1.9 + pose[:2, 3]
    for at, turn, size in HOOKS.values():
        c, s = np.cos(turn), np.sin(turn)
        x, y = np.moveaxis((hit - at) @ np.array([[c, -s], [s, c]]) / size, -1, 0)
        long = (np.abs(y) < WIDE) & (x > -WIDE) & (x < LONG_END[0] + WIDE)
        short = (np.abs(x) < WIDE) & (y > -WIDE) & (y < SHORT_END[1] + WIDE)
        depth[long | short] = 1.9
        rgb[long | short] = (200, 20, 20)
    return Frame(10**9 + index * 10**8, rgb, CAMERA, depth, pose)


def pixel(hook: str, point: tuple[float, float], index: int = 8) -> str:
    """Where the last frame shows a point, as `X,Y`."""
    x, y, z = place(hook, point) - [0.02 * index - 0.08, 0, 0]
    return f"{CAMERA.fx * x / z + CAMERA.cx:.1f},{CAMERA.fy * y / z + CAMERA.cy:.1f}"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    config = Config.from_dotted(
        {
            "features.extractor": "color",
            "mapping.iterations": 2,
            "mapping.keyframe_iterations": 4,
            "mapping.resolution": 128,
        }
    )
    perception = Perception(config)
    for index in range(9):
        perception.process(frame(index))
    path = tmp_path_factory.mktemp("map") / "map.f4x"
    perception.save(path)
    return str(path)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["transfer", *arguments]) == 2
    return capsys.readouterr().err


def test_marks_are_found_on_the_other_hook(saved, capsys, tmp_path: Path) -> None:
    ends = {"corner": CORNER, "long end": LONG_END, "short end": SHORT_END}
    marks = [f"--mark={name}={pixel('first', at)}" for name, at in ends.items()]
    out = tmp_path / "marked.png"
    assert cli.main(["transfer", saved, "red thing", *marks, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "1 other object" in said
    for name, at in ends.items():
        row = next(line for line in said.splitlines() if f"  {name}  " in line)
        numbers = [float(x) for x in re.findall(r"-?\d+\.\d\d", row.split(name)[1])]
        assert np.linalg.norm(np.array(numbers[1:4]) - place("second", at)) < 0.05, name
        assert numbers[0] > 0.4  # sure
    picture = cv2.imread(str(out))
    assert picture.shape == (960, 1280, 3)
    assert picture.std() > 20


def test_parts_are_found_on_the_other_hook(saved) -> None:
    perception = Perception.load(saved)
    clicks = {
        "long": [tuple(map(float, pixel("first", (x, 0.0)).split(","))) for x in (0.2, 0.35)],
        "short": [tuple(map(float, pixel("first", (0.0, y)).split(","))) for y in (0.12, 0.2)],
    }
    found = perception.transfer("red thing", parts=clicks)
    assert found.part_names == ("long", "short")
    for number, at in ((1, (0.3, 0.0)), (2, (0.0, 0.18))):
        x, y = (int(float(v)) for v in pixel("second", at).split(","))
        assert found.part_mask[y, x] == number
        x, y = (int(float(v)) for v in pixel("first", at).split(","))
        assert found.part_mask[y, x] == number
    assert (found.part_mask > 0).mean() < 0.2


def test_a_position_in_the_map_marks_as_a_click_does(saved) -> None:
    perception = Perception.load(saved)
    x, y = (float(v) for v in pixel("first", LONG_END).split(","))
    by_click = perception.transfer("red thing", points={"end": (x, y)})
    by_place = perception.transfer("red thing", points={"end": place("first", LONG_END)})
    a, b = (one.targets[0].points[0].position for one in (by_click, by_place))
    assert np.linalg.norm(a - b) < 0.03


def test_objects_can_be_clicked_instead_of_named(saved, capsys) -> None:
    clicks = [f"--object={pixel(hook, (0.2, 0.0))}" for hook in HOOKS]
    mark = f"--mark=end={pixel('first', LONG_END)}"
    assert cli.main(["transfer", saved, *clicks, mark]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if "  end  " in line)
    numbers = [float(x) for x in re.findall(r"-?\d+\.\d\d", row.split("  end  ")[1])]
    assert np.linalg.norm(np.array(numbers[1:4]) - place("second", LONG_END)) < 0.08


def test_without_marks_the_view_is_written_to_click_in(saved, capsys, tmp_path: Path) -> None:
    out = tmp_path / "view.png"
    assert cli.main(["transfer", saved, "red thing", "--out", str(out)]) == 0
    assert "--mark" in capsys.readouterr().out
    assert cv2.imread(str(out)).shape == (960, 1280, 3)


def test_bad_marks_are_named(saved, capsys) -> None:
    assert "nothing to do" in refused(capsys, saved, "red thing")
    assert "one of target" in refused(capsys, saved, "--mark", "a=60,50")
    assert "'tip'" in refused(capsys, saved, "red thing", "--mark", "tip")
    assert "'tip=3'" in refused(capsys, saved, "red thing", "--mark", "tip=3")
    assert "twice" in refused(capsys, saved, "red thing", "--mark", "a=1,1", "--mark", "a=2,2")
    assert "expected one" in refused(capsys, saved, "red thing", "--mark", "a=1,1;2,2")
    assert "outside" in refused(capsys, saved, "red thing", "--mark", "a=500,1")
    assert "away" in refused(capsys, saved, "red thing", "--mark", "a=120,10")
    assert "answers" in refused(capsys, saved, "green thing", "--mark", "a=60,50")
