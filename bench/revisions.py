# SPDX-License-Identifier: Apache-2.0
"""Source trees with an environment each: the working tree, and revisions built beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BUILT = ".built"  # in the folder of a revision whose environment is whole
_EXTRAS = ("eval", "sim")  # what is not there at a revision is in its base
_HIDDEN = (  # what would let one tree see another's code or libraries
    "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "LD_LIBRARY_PATH",
    "PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "VIRTUAL_ENV",
)  # fmt: skip
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Tree:
    """Sources and the Python that runs them.

    Attributes:
        name: for people.
        root: folder of the sources; commands run there, so that it is imported from there.
        python: of its environment.
        threads: of each process; given, as environments may differ in what they take by default.
    """

    name: str
    root: Path
    python: Path
    threads: int = 2

    def f4x(self, *arguments: object, log: Path) -> None:
        """Run a command of the package, what it says going to a file.

        Raises:
            RuntimeError: it failed; with the end of what it said.
        """
        command = [self.python, "-m", "f4x_ros.cli.main", *arguments]
        environment = clean_environment() | dict.fromkeys(_THREADS, str(self.threads))
        with log.open("w", encoding="utf-8") as file:
            done = subprocess.run(
                list(map(str, command)),
                cwd=self.root, env=environment, stdout=file, stderr=file, check=False,
            )  # fmt: skip
        if done.returncode:
            end = log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
            said = "\n".join(end)
            raise RuntimeError(f"{self.name}: f4x {arguments[0]} ended with an error:\n{said}")

    def check(self) -> None:
        """Raises RuntimeError if its processes would not import its own sources."""
        code = "import f4x_ros; print(f4x_ros.__file__)"
        done = subprocess.run(
            [str(self.python), "-c", code],
            cwd=self.root, env=clean_environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        found = done.stdout.strip()
        if Path(found) != self.root / "f4x_ros" / "__init__.py":
            reason = found or done.stderr.strip()
            raise RuntimeError(f"{self.name} imports {reason}, expected what is in {self.root}")


def clean_environment() -> dict[str, str]:
    """The environment of this process, without what leads to other code."""
    return {name: value for name, value in os.environ.items() if name not in _HIDDEN}


def working_tree(threads: int = 2) -> Tree:
    """The sources this file is of, run by the Python that runs it."""
    return Tree("working tree", ROOT, Path(sys.executable), threads)


def built(revision: str, cache: Path, threads: int = 2) -> Tree:
    """A revision with an environment of its own, made unless it is there.

    Args:
        revision: what git knows.
        cache: folder that holds one folder for each revision.
        threads: of each process.

    Raises:
        RuntimeError: git does not know it, or its environment cannot be made.
    """
    commit = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if not commit:
        raise RuntimeError(f"git knows no revision '{revision}'")
    root = cache.resolve() / commit[:12]
    tree = Tree(revision, root, root / ".venv" / "bin" / "python", threads)
    mark = root / _BUILT
    if not mark.exists():
        print(f"building {revision} in {root}", flush=True)
        root.mkdir(parents=True, exist_ok=True)
        _unpack(commit, root)
        _make_environment(tree)
        mark.touch()
    tree.check()
    return tree


def _git(*arguments: str) -> str:
    """What git says, nothing if it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise RuntimeError("git is not installed, expected it to bring revisions") from error
    return done.stdout.strip()


def _unpack(commit: str, root: Path) -> None:
    with subprocess.Popen(
        ["git", "-C", str(ROOT), "archive", commit], stdout=subprocess.PIPE
    ) as archive:
        subprocess.run(["tar", "-x", "-C", str(root)], stdin=archive.stdout, check=True)
    if archive.returncode:
        raise RuntimeError(f"git archive {commit} failed")


def _make_environment(tree: Tree) -> None:
    """By the revision's own tool and constraints, with those of `_EXTRAS` that it knows."""
    declared = (tree.root / "pyproject.toml").read_text(encoding="utf-8")
    extras: Sequence[str] = [name for name in _EXTRAS if f"\n{name} = [" in declared]
    done = subprocess.run(
        [sys.executable, "tools/make_venv.py", ".venv", "constraints.txt", *extras],
        cwd=tree.root, env=clean_environment(), check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the environment of {tree.name} cannot be made, see above")
