# SPDX-License-Identifier: Apache-2.0
"""What an installation must have, whichever way it came about (colcon, wheel, editable)."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

# Run in a process of its own: nothing of ROS may be importable, as in a plain Python environment.
IMPORT_WITHOUT_ROS = """
import importlib, importlib.abc, pkgutil, sys

class NoRos(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        generated = name in ("f4x_ros.msg", "f4x_ros.srv")
        ros = top in ("rclpy", "rcl_interfaces", "rpyutils", "tf2_ros", "cv_bridge", "launch_ros")
        if generated or ros or top.endswith(("_msgs", "_interfaces")) or top.startswith("ament_"):
            raise ModuleNotFoundError(f"{name} is hidden by the test", name=name)

sys.meta_path.insert(0, NoRos())
names = []
for ring in ("f4x_ros.core", "f4x_ros.io"):
    package = importlib.import_module(ring)
    names += [m.name for m in pkgutil.walk_packages(package.__path__, ring + ".")]
names = [n for n in names if ".libf4x" not in n]  # libraries for ctypes, not modules
for name in names:
    importlib.import_module(name)
print(len(names), "modules")
"""


def test_core_and_datasets_import_without_ros(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT_ROS], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 5


def test_a_source_checkout_finds_the_interfaces_of_the_installed_package(
    root: Path, tmp_path: Path
) -> None:
    # the working folder hides the wheel's package of the same name; its msg must still be found
    for package in ("f4x_ros", "f4x_ros/msg"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    code = "import f4x_ros, f4x_ros.msg; print(f4x_ros.__file__, f4x_ros.msg.__file__, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        str(root / "f4x_ros" / "__init__.py"),
        str(tmp_path / "f4x_ros" / "msg" / "__init__.py"),
    ]


def test_the_embedded_weights_are_part_of_it() -> None:
    from f4x_ros.core.base.tensor_file import read_tensors
    from f4x_ros.core.features.embedded.weights import FORMAT, shipped_file

    arrays, metadata = read_tensors(shipped_file())
    assert metadata["format"] == FORMAT
    assert arrays.keys() >= {"space.mean", "space.basis"}


def test_the_commands_are_declared() -> None:
    commands = {e.name: e.value for e in metadata.entry_points(group="console_scripts")}
    assert commands["f4x"] == "f4x_ros.cli.start:main"
    assert commands["f4x-perception"] == "f4x_ros.ros.start:perception"
    assert commands["f4x-camera"] == "f4x_ros.ros.start:camera"


@pytest.fixture
def prefix() -> Path:
    index = pytest.importorskip("ament_index_python", reason="no ROS 2 here")
    import f4x_ros

    assert f4x_ros.__version__  # its import makes the package known to the index
    return Path(index.get_package_prefix("f4x_ros"))


def test_the_ament_index_knows_the_share_of_the_package(prefix: Path, root: Path) -> None:
    share = prefix / "share" / "f4x_ros"
    for folder in ("config", "launch", "msg", "srv"):
        sources = [p for p in (root / folder).iterdir() if p.is_file()]
        assert sources
        assert [p.name for p in sources if not (share / folder / p.name).exists()] == []
    assert (share / "package.xml").exists()


def test_what_is_installed_is_what_the_source_says(prefix: Path, root: Path) -> None:
    # an editable installation copies these: `make setup` must have noticed the last change
    for name in (
        *("config/perception.rviz", "config/fastdds_shm.xml", "launch/perception.launch.py"),
        *("msg/Track.msg", "srv/Query.srv", "package.xml"),
    ):
        installed = prefix / "share" / "f4x_ros" / name
        assert installed.read_text() == (root / name).read_text(), name


@pytest.mark.parametrize("executable", ["camera", "perception"])
def test_ros2_run_finds_the_executables(prefix: Path, executable: str) -> None:
    path = prefix / "lib" / "f4x_ros" / executable
    assert os.access(path, os.X_OK)


def test_ros2_run_lists_nothing_but_the_executables(prefix: Path) -> None:
    folder = prefix / "lib" / "f4x_ros"
    runnable = {p.name for p in folder.rglob("*") if p.is_file() and os.access(p, os.X_OK)}
    assert runnable == {"camera", "perception"}
