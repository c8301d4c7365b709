# SPDX-License-Identifier: Apache-2.0
"""Make a virtual environment with this package in it: `python3 tools/make_venv.py DIR [EXTRA ...]`.

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


def build_requirements() -> list[str]:
    """Read build-system.requires of pyproject.toml."""
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        from pip._vendor import tomli as tomllib
    with (ROOT / "pyproject.toml").open("rb") as file:
        return list(tomllib.load(file)["build-system"]["requires"])


def create(venv: Path) -> Path:
    """Create the environment unless it is there; return its Python."""
    python = venv / "bin" / "python"
    if not python.exists():
        done = subprocess.run([sys.executable, "-m", "venv", str(venv)], check=False)
        if done.returncode:
            sys.exit("make_venv: no venv module (Debian, Ubuntu: apt install python3-venv)")
    return python


def pip(python: Path, log: Path, what: str, *arguments: str) -> None:
    """Run `pip install`, its output in `log`; end the program with the log's end if it fails."""
    print(f"  {what} ...", flush=True)
    start = time.monotonic()
    # the variables of another environment's ros-wheels-bootstrapper must not reach this one
    env = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "PYTHONPATH")}
    command = [str(python), "-m", "pip", "install", "-c", str(ROOT / "constraints.txt")]
    with log.open("a", encoding="utf-8") as file:
        done = subprocess.run(
            [*command, *arguments], env=env, stdout=file, stderr=file, check=False
        )
    if done.returncode:
        end = log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
        sys.exit("\n".join([*end, f"make_venv: pip failed while {what}; all of it is in {log}"]))
    print(f"  {what}: {time.monotonic() - start:.0f} s", flush=True)


def main(venv: Path, extras: list[str]) -> None:
    if not OLDEST <= sys.version_info[:2] < TOO_NEW:
        sys.exit(
            f"make_venv: {sys.executable} is Python {sys.version.split()[0]}, expected 3.10 to 3.13 "
            "(the ROS 2 wheels have no other); choose one with `make PYTHON=python3.12 ...`"
        )
    print(f"setting up {venv} with Python {sys.version.split()[0]}", flush=True)
    log = ROOT / "build" / f"pip-{venv.name.strip('.')}.log"
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    python = create(venv)
    package = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    pip(python, log, "fetching the build tools", *build_requirements())
    pip(python, log, "fetching the rest, building", "--no-build-isolation", "-e", package)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
