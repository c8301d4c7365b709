# SPDX-License-Identifier: Apache-2.0
"""Several cameras in a drawn world, and their evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from f4x_ros.cli.main import main
from f4x_ros.cli.sources import Part
from f4x_ros.core.config import Config
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.perception import Perception
from f4x_ros.eval.protocol.evaluate import evaluate
from f4x_ros.eval.subjects.subject import LibrarySubject
from f4x_ros.sim import Rig, World, open_source
from f4x_ros.sim.mounts import BASELINE_M, MOUNTS

_QUICK = {"features.extractor": "color", "mapping.iterations": 2, "mapping.resolution": 64}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    cache = tmp_path_factory.mktemp("worlds")
    made = Rig({"front": 1, "left": 3}, width=64, frames=18, sensor="exposure", cache=cache)
    made.prepare(workers=1)
    return made


def test_each_camera_has_a_rate_a_place_and_truth_of_its_own(rig: Rig) -> None:
    assert rig.name == "demo:64x48:18:exposure@front+left/3"
    names = [rig.camera_of(index) for index in range(len(rig))]
    assert (names.count("front"), names.count("left")) == (18, 6)
    assert (np.diff(rig.stamps_ns) >= 0).all()
    assert not rig.missing()
    for index in (names.index("left"), names.index("front")):
        frame, truth = rig[index], rig.truth(index)
        assert frame.frame_id == f"{frame.camera_name}_optical"
        assert frame.stamp_ns == truth.stamp_ns
        np.testing.assert_allclose(frame.depth, truth.depth)  # (this sensor spoils colours alone)
        np.testing.assert_allclose(frame.T_map_camera, truth.T_map_camera)
    at = names.index("left")
    front = rig.truth(next(i for i in range(at, -1, -1) if names[i] == "front"))
    assert front.stamp_ns == rig.truth(at).stamp_ns
    np.testing.assert_allclose(
        np.linalg.inv(front.T_map_camera) @ rig.truth(at).T_map_camera, MOUNTS["left"], atol=1e-9
    )
    assert (front.instances == rig.truth(at).instances).mean() < 0.9


def test_the_sensor_of_each_camera_is_its_own(tmp_path: Path) -> None:
    options = {"width": 48, "frames": 1, "sensor": "exposure", "cache": tmp_path}
    front, beside = World(**options), World(**options, mount="beside")
    gains = []
    for world in (front, beside):
        exact = world.drawing(0).rgb.astype(float)
        gains.append(float((world[0].rgb / np.maximum(exact, 1)).mean()))
    assert abs(gains[0] - gains[1]) > 0.01
    apart = np.linalg.inv(front.camera_pose(0)) @ beside.camera_pose(0)
    np.testing.assert_allclose(apart[:3, 3], [BASELINE_M, 0, 0], atol=1e-9)


def test_rigs_are_opened_by_name_or_option() -> None:
    one = open_source("tabletop:32x24:6:noisy@front+right/2")
    other = open_source("tabletop:32x24:6:noisy", cameras=("front", "right"))
    assert isinstance(one, Rig)
    assert isinstance(other, Rig)
    assert one.cameras == other.cameras == ("front", "right")
    assert len(one) < len(other)
    assert one.shortened(4).name == "tabletop:32x24:4:noisy@front+right/2"
    with pytest.raises(BadInputError, match="camera is 'above', expected one of front"):
        open_source("demo@above")
    with pytest.raises(BadInputError, match="expected each name once"):
        open_source("demo@front+front")
    with pytest.raises(BadInputError, match="every is 99"):
        open_source("demo:32x24:6@front/99")


def test_a_part_of_a_rig_knows_whose_frames_it_has(rig: Rig) -> None:
    part = Part(rig, 2, 3)
    assert [part.camera_of(i) for i in range(3)] == [part[i].camera_name for i in range(3)]
    assert part.cameras == ("front", "left")


def test_the_evaluation_has_numbers_for_each_camera(rig: Rig, tmp_path: Path) -> None:
    perception = Perception(Config.from_dotted(_QUICK), cameras=rig.cameras)
    with LibrarySubject(perception, tmp_path / "out", source=rig.name, recording=rig) as subject:
        found = evaluate(rig, subject)
    cameras = found.numbers["cameras"]
    assert (cameras["front_frames"], cameras["left_frames"]) == (18, 6)
    assert cameras["front_psnr_past_db"] > 12
    assert cameras["left_psnr_past_db"] is None  # six frames: none of them is the eighth
    assert cameras["front_miou_live"] > 0
    assert found.numbers["run"]["frames"] == 24
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["frames_heldout"] == 2


def test_the_command_maps_several_cameras(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "bag").mkdir()
    bag, out = tmp_path / "bag" / "rig.mcap", tmp_path / "out"
    rig = ["demo:64x48:9", "--cameras", "front,left"]
    assert main(["export-bag", *rig, str(bag)]) == 0
    quick = [word for k, v in _QUICK.items() for word in ("--set", f"{k}={v}")]
    command = ["run", str(bag), "--cameras", "front,left", "--prompt", "red thing", *quick]
    assert main([*command, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "camera front" in said
    assert "camera left" in said
    report = json.loads((out / "report.json").read_text())
    assert report["frames_of"] == {"front": 9, "left": 9}
    assert set(report["psnr_heldout_db_of"]) == {"front", "left"}
    assert {path.name for path in out.glob("*.mp4")} == {"overlay_front.mp4", "overlay_left.mp4"}
    assert Perception.load(out / "map.f4x").cameras == ("front", "left")
    assert main(["doctor", str(bag), "--cameras", "front,left"]) == 0
    said = capsys.readouterr().out
    assert "of camera left: used: image /left/camera/image_raw" in said
    assert "--cameras front,left" in said
