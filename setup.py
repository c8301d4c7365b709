# SPDX-License-Identifier: Apache-2.0
"""The pip build: runs the same CMakeLists.txt as colcon and packs what it installs.

CMake's ament and rosidl packages come from the ros-* wheels of the running Python (pip's isolated
build environment, or the current one with --no-build-isolation), or from a sourced ROS 2
installation where there are no such wheels. What CMake installs then goes here:

    lib/pythonX.Y/site-packages/<package>  ->  <package>/ in the wheel
    lib/*.so, lib/f4x_ros/*, share/*       ->  data files, that is <sys.prefix>/..., where the ros-*
                                               wheels have theirs, so the library path that
                                               ros-wheels-bootstrapper sets finds them

An editable install leaves the source tree alone, so that several environments can share it: the
generated modules and the rasteriser go to <sys.prefix>/lib/f4x_ros-editable, where
f4x_ros/__init__.py looks, too.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NAME = "f4x_ros"
HERE = Path(__file__).resolve().parent
VENDOR = HERE / "pip_vendor"
EDITABLE = Path(sys.prefix, "lib", f"{NAME}-editable")  # as in f4x_ros/__init__.py


def ros_prefixes() -> list[Path]:
    """Return the prefixes to build against: that of the ros-* wheels, else of a sourced ROS 2.

    Never both: their versions would not fit together.
    """
    spec = importlib.util.find_spec("rosidl_cmake")
    if spec is not None and spec.origin:
        return [Path(spec.origin).resolve().parents[4]]  # above lib/pythonX.Y/site-packages/PKG
    found = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    if not found:
        raise SystemExit(
            "f4x_ros: no ROS 2 found, neither the ros-rosidl-* wheels nor AMENT_PREFIX_PATH. "
            "Run pip without --no-build-isolation."
        )
    return found


def is_provided(package: str, prefixes: list[Path]) -> bool:
    """Tell whether someone else brings a message package that pip_vendor/ has, too."""
    if not any((p / "share" / package / "package.xml").exists() for p in prefixes):
        return False
    try:  # an earlier installation of ours is about to be replaced
        ours = metadata.files("f4x-ros") or []
    except metadata.PackageNotFoundError:
        return True
    return not any(f.parts[-3:] == ("share", package, "package.xml") for f in ours)


def check_toolchain() -> None:
    """Stop with the name of what is missing, before CMake fails in a page of output."""
    if not (os.environ.get("CXX") or any(map(shutil.which, ("c++", "g++", "clang++")))):
        raise SystemExit("f4x_ros: no C++ compiler found (Debian, Ubuntu: apt install g++).")
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.exists():
        raise SystemExit(f"f4x_ros: {header} is missing (Debian, Ubuntu: apt install python3-dev).")


class BuildWithCMake(build_ext):
    """Builds with CMake where setuptools would compile the extension named below."""

    user_options = [  # noqa: RUF012 (setuptools' own declaration)
        *build_ext.user_options,
        ("cmake-build-type=", None, "CMAKE_BUILD_TYPE of the interfaces and the rasteriser"),
    ]

    def initialize_options(self) -> None:
        super().initialize_options()
        self.cmake_build_type = "Release"
        self._built: list[str] = []

    def run(self) -> None:
        check_toolchain()
        prefixes = ros_prefixes()
        for package in sorted(p.parent for p in VENDOR.glob("*/package.xml")):
            if not is_provided(package.name, prefixes):
                self._pack(package.name, self._cmake(package.name, package, prefixes))
        self._pack(NAME, self._cmake(NAME, HERE, prefixes))
        if self.editable_mode:  # setuptools leaves data files out of editable installs
            self.run_command("install_data")

    def get_outputs(self) -> list[str]:
        return self._built

    def get_output_mapping(self) -> dict[str, str]:
        return {}

    def get_source_files(self) -> list[str]:
        return []  # MANIFEST.in lists them

    def _cmake(self, name: str, source: Path, prefixes: list[Path]) -> Path:
        """Configure, build and install one CMake package; return where it was installed."""
        tmp = Path(self.build_temp).resolve() / name
        shutil.rmtree(tmp, ignore_errors=True)  # an old cache names an old pip build environment
        (tmp / "build").mkdir(parents=True)
        listed = os.pathsep.join(map(str, prefixes))
        libraries = os.pathsep.join(str(p / "lib") for p in prefixes)
        env = {
            **os.environ,
            "AMENT_PREFIX_PATH": listed,
            "CMAKE_PREFIX_PATH": listed,
            # the linker follows libraries of libraries
            "LD_LIBRARY_PATH": f"{libraries}{os.pathsep}{os.environ.get('LD_LIBRARY_PATH', '')}",
        }
        configure = [
            *("cmake", "-S", str(source), "-B", str(tmp / "build")),
            *(("-G", "Ninja") if shutil.which("ninja") else ()),
            f"-DCMAKE_INSTALL_PREFIX={tmp / 'install'}",
            f"-DCMAKE_BUILD_TYPE={self.cmake_build_type}",
            "-DBUILD_TESTING=OFF",
            f"-DPython3_EXECUTABLE={sys.executable}",
            f"-DCMAKE_PROJECT_INCLUDE={HERE / 'cmake' / 'pip_wheels_fix.cmake'}",
            "-DCMAKE_INSTALL_RPATH=$ORIGIN;$ORIGIN/..;$ORIGIN/../../..",
        ]
        subprocess.check_call(configure, env=env)
        subprocess.check_call(
            ["cmake", "--build", str(tmp / "build"), "--target", "install", "--parallel"], env=env
        )
        return tmp / "install"

    def _pack(self, name: str, installed: Path) -> None:
        """Take one package's installed files into the wheel."""
        site = next(installed.glob(f"**/*-packages/{name}"))
        for path in sorted(p for p in site.rglob("*") if is_built(p, site, name)):
            if self.editable_mode:
                folder = EDITABLE if name == NAME else Path(sysconfig.get_path("platlib"), name)
                self._add_data_file(path, folder, site)
                continue
            target = Path(self.build_lib).resolve() / name / path.relative_to(site)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
            self._built.append(str(target))
        under_prefix = (
            *installed.glob("lib/*.so"),
            *(installed / "lib" / name).rglob("*"),
            *(installed / "share").rglob("*"),
        )
        for path in sorted(under_prefix):
            names_build_machine = "parent_prefix_path" in path.parts
            if path.is_file() and not names_build_machine:
                self._add_data_file(path, Path(sys.prefix), installed)

    def _add_data_file(self, path: Path, folder: Path, base: Path) -> None:
        """Let `path` be installed under `folder` as it lies under `base`."""
        target = (folder / path.relative_to(base).parent).relative_to(sys.prefix)
        self.distribution.data_files = [
            *(self.distribution.data_files or []),
            (str(target), [str(path)]),
        ]


def is_built(path: Path, site: Path, name: str) -> bool:
    """Tell generated modules and libraries from the sources that setuptools packs itself."""
    parts = path.relative_to(site).parts
    if not path.is_file() or path.suffix == ".c" or "__pycache__" in parts:
        return False
    return name != NAME or parts[0] in ("msg", "srv") or path.suffix == ".so"


setup(
    ext_modules=[Extension(f"{NAME}._interfaces", sources=[])],  # makes it a platform wheel
    cmdclass={"build_ext": BuildWithCMake},
)
