# SPDX-License-Identifier: Apache-2.0
"""The command `f4x`: what it leaves, what it says, and its exit codes."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from bag_messages import header, make, write
from cli_runs import QUICKLY, refused, run_quickly
from eval_scene import write_folder

from f4x_ros.cli import main as cli
from f4x_ros.cli.prompts import EXAMPLES, chosen_prompts
from f4x_ros.cli.settings import read_settings
from f4x_ros.cli.sources import Part
from f4x_ros.core.errors import F4xError
from f4x_ros.eval.subjects.run_recorder import FILES
from f4x_ros.sim import open_source


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("recording") / "small", 9)


@pytest.fixture(scope="module")
def results(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_quickly(recording, tmp_path_factory.mktemp("run") / "results")


# --- run -----------------------------------------------------------------------------------------


def test_run_leaves_its_files_and_a_report_of_what_was_asked(results: Path) -> None:
    assert sorted(path.name for path in results.iterdir()) == sorted(FILES)
    report = json.loads((results / "report.json").read_text())
    assert report["source"] == "small"
    assert report["prompts"] == "red thing, grey thing"
    assert report["frames"] == 9
    assert report["frames_heldout"] == 1
    assert report["left_out"] == {}


def test_run_says_at_its_end_what_it_left_out_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recording: Path
) -> None:
    tum = tmp_path / "sequence"
    shutil.copytree(recording, tum, ignore=shutil.ignore_patterns("K.txt", "poses.txt"))
    stamps = [f"{1_700_000_000 + index / 10:.1f}" for index in range(4)]
    names = [f"{index:03}.png" for index in range(4)]
    pairs = list(zip(stamps, names, strict=True))
    (tum / "rgb.txt").write_text("".join(f"{s} images/{name}\n" for s, name in pairs))
    (tum / "depth.txt").write_text("".join(f"{s} depth/{name}\n" for s, name in pairs[:3]))
    (tum / "groundtruth.txt").write_text("".join(f"{s} 0 0 0 0 0 0 1\n" for s in stamps))
    (tum / "calibration.txt").write_text("60 60 31.5 23.5\n")
    arguments = ["run", str(tum), "--out", str(tmp_path / "out"), "--holdout", "0"]
    assert cli.main([*arguments, *QUICKLY]) == 0
    said = capsys.readouterr().out
    assert "Left out of sequence:\n  1 image without depth" in said
    assert "Only 3 of 4 frames were used: 1 image without depth." in said
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["left_out"] == {"images_without_depth": 1}
    assert (report["frames"], report["frames_dropped"]) == (3, 0)


def test_run_ends_with_a_table_and_the_picture_to_open(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    part = ["--start", "2", "--frames", "3", "--holdout", "0"]
    assert cli.main(["run", str(recording), *part, *QUICKLY]) == 0
    said = capsys.readouterr().out
    assert "red thing, blue thing, green thing, yellow thing, orange thing" in said
    assert "only knows colours and textures" in said
    assert "PSNR, held out" in said
    assert "Left out" not in said
    assert said.strip().endswith("Open out/small/story.png to see the whole story.")
    assert json.loads(Path("out/small/report.json").read_text())["frames"] == 3


def test_a_disk_that_is_full_ends_the_run_with_one_line_and_nothing_half_written(
    recording: Path, tmp_path: Path
) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    command = ["run", str(recording), "--out", str(tmp_path / "out"), *QUICKLY]
    done = subprocess.run(
        [sys.executable, "-m", "f4x_ros.cli.main", *command],
        preexec_fn=small_files,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 2, done.stderr
    assert f"{tmp_path / 'out'}" in done.stderr.splitlines()[-1]
    assert "bytes are free" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


# --- bad input -----------------------------------------------------------------------------------


def test_a_source_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "'/no/such/place': no such file or folder" in refused(capsys, "run", "/no/such/place")


def test_a_bag_without_the_topic_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = make("geometry_msgs/msg/PointStamped", header=header(1), point=make(
        "geometry_msgs/msg/Point", x=0.0, y=0.0, z=0.0))  # fmt: skip
    bag = write(tmp_path / "bag", [("/point", "geometry_msgs/msg/PointStamped", 1, text)])
    line = refused(capsys, "run", str(bag))
    assert "image" in line
    assert "/point" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--prompts-file", "/no/prompts.txt"], "prompts file '/no/prompts.txt': No such file"),
        (["--set", "mapping.color=1"], "parameter 'mapping.color' is unknown"),
        (["--set", "mapping.iterations"], "--set is 'mapping.iterations', expected key=value"),
        (["--set", "mapping.iterations=many"], "'mapping.iterations' is 'many', expected"),
        (["--config", "/no/such.yaml"], "--config '/no/such.yaml': No such file"),
        (["--prompt", "coffee grinder"], "'coffee grinder'"),
        (["--start", "9"], "--start is 9, expected 0 to 8"),
        (["--frames", "-1"], "--frames is -1"),
        (["--holdout", "1"], "holdout is 1"),
        (["--set", "features.extractor=telepathy"], "telepathy"),
    ],
)
def test_run_names_what_is_wrong_with_its_options(
    recording: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    options = ["--set", "features.extractor=color", *arguments]
    line = refused(capsys, "run", str(recording), "--out", str(tmp_path / "out"), *options)
    assert words in line
    assert not (tmp_path / "out" / "report.json").exists()


def test_a_map_that_is_no_map_is_named(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "K.txt is not a map file" in refused(capsys, "query", str(recording / "K.txt"), "red")
    assert "/no/map.f4x" in refused(capsys, "query", "/no/map.f4x", "red")


def test_debug_shows_where_it_happened(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "/no/such/place", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let `f4x run` raise."""

    def run(options: object) -> int:
        raise error

    monkeypatch.setattr("f4x_ros.cli.run.run", run)


@pytest.mark.parametrize("error", [ValueError("three is odd"), KeyError("three")])
def test_a_defect_is_70_with_its_traceback_and_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    failing(monkeypatch, error)
    assert cli.main(["run", "demo"]) == 70
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == f"{type(error).__name__}: {error}"
    assert lines[-1].startswith(f"f4x: internal error ({type(error).__name__}): this is a defect")
    assert said.out == ""


@pytest.mark.parametrize("kind", [F4xError, *F4xError.__subclasses__(), OSError])
def test_what_a_user_can_put_right_is_2_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: type[Exception]
) -> None:
    failing(monkeypatch, kind("three is odd, expected an even number"))
    assert cli.main(["run", "demo"]) == 2
    said = capsys.readouterr()
    assert said.err == "f4x: three is odd, expected an even number\n"
    assert said.out == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_clean_up_and_are_130(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    cleaned = []

    def interrupted(options: object) -> int:
        try:
            signal.raise_signal(number)
        finally:
            cleaned.append(True)
        return 0

    monkeypatch.setattr("f4x_ros.cli.run.run", interrupted)
    assert cli.main(["run", "demo"]) == 130
    assert cleaned


def test_help_does_not_load_torch_or_ros() -> None:
    program = (
        "import sys\nfrom f4x_ros.cli.main import main\n"
        "try:\n    main(['run', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'rclpy', 'cv2', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "--prompts-file" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


# --- query, export-bag, doctor -------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_an_exported_bag_gives_the_same_frames(
    recording: Path, tmp_path: Path, storage: str
) -> None:
    bag = tmp_path / "bag"
    options = ["--storage", storage, "--start", "2", "--frames", "3"]
    assert cli.main(["export-bag", str(recording), str(bag), *options]) == 0
    written, original = open_source(bag), Part(open_source(recording), 2, 3)
    assert len(written) == len(original) == 3
    assert np.array_equal(written[2].rgb, original[2].rgb)
    assert np.array_equal(written[2].depth, original[2].depth)
    assert np.allclose(written[2].T_map_camera, original[2].T_map_camera)


def test_export_does_not_overwrite(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "exists already" in refused(capsys, "export-bag", str(recording), str(tmp_path))


def test_doctor_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    lines = {line[:18].strip(): line for line in capsys.readouterr().out.splitlines()}
    assert " ok " in lines["torch"]
    assert " ok " in lines["render: cpu"]
    assert " ok " in lines["features: color"]
    assert any(name.startswith("features: openclip") for name in lines)
    assert "The core works here." in " ".join(lines.values())


def test_doctor_says_what_keeps_the_core_from_working(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert cli.main(["doctor"]) == 1
    assert "f4x cannot work here: OpenCV" in capsys.readouterr().out


# --- settings ------------------------------------------------------------------------------------


def test_a_parameter_file_of_the_node_is_understood(root: Path, tmp_path: Path) -> None:
    config, prompts = read_settings(str(root / "config" / "perception.yaml"), [])
    assert config.to_dotted()["mapping.iterations"] == 4
    assert prompts == [] or all(prompts)
    nested = {"/**": {"ros__parameters": {"prompts": ["", "red"], "mapping": {"iterations": 7}}}}
    (tmp_path / "ros.yaml").write_text(yaml.safe_dump(nested))
    config, prompts = read_settings(str(tmp_path / "ros.yaml"), [])
    assert (config.mapping.iterations, prompts) == (7, ["red"])


@pytest.mark.parametrize(
    ("given", "configured", "extractor", "chosen"),
    [
        (["mug"], ["sofa"], "embedded", ["mug"]),
        ([], ["sofa"], "embedded", ["sofa"]),
        ([], None, "embedded", ["auto"]),
        ([], None, "sam2,embedded", ["auto"]),
        ([], [], "embedded", []),  # said, and empty
        ([], ["auto"], "embedded", ["auto"]),
        ([], ["auto"], "color", list(EXAMPLES["color"])),  # which is never sure
        ([], None, "color", list(EXAMPLES["color"])),
        ([], [], "dinov2", []),
    ],
)
def test_what_is_looked_for_where_prompts_are_given_configured_or_neither(
    given: list[str], configured: list[str] | None, extractor: str, chosen: list[str]
) -> None:
    assert chosen_prompts(given, None, configured, extractor) == chosen


def test_a_file_that_names_no_prompts_is_not_one_that_names_none(tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    for text, prompts in (
        ("mapping.iterations: 2\n", None),
        ("prompts: []\n", []),
        ("prompts: ['']\n", []),
        ("prompts: [auto]\n", ["auto"]),
    ):
        file.write_text(text)
        assert read_settings(str(file), [])[1] == prompts


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "flat.yaml"
    file.write_text("mapping.iterations: 7\nfield:\n  latent_dim: 8\n")
    config, _ = read_settings(str(file), ["mapping.iterations=9"])
    assert (config.mapping.iterations, config.field.latent_dim) == (9, 8)
    file.write_text("mapping.iteration: 7\n")
    with pytest.raises(ValueError, match=r"'mapping.iteration' is unknown"):
        read_settings(str(file), [])


def test_waiting_threads_are_told_to_sleep_unless_the_user_decides(
    monkeypatch: pytest.MonkeyPatch, recording: Path
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    cli.main(["run", "/no/such/place"])
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    cli.main(["run", "/no/such/place"])
    assert os.environ["OMP_WAIT_POLICY"] == "active"
