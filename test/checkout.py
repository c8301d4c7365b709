# SPDX-License-Identifier: Apache-2.0
"""The files of the source checkout, for tests that build from them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def known_to_git(root: Path) -> list[Path]:
    """All files that git knows or would, relative to the root."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    return [Path(p) for p in done.stdout.decode().split("\0") if p and (root / p).is_file()]


def copied(root: Path, files: Sequence[Path], folder: Path) -> Path:
    """A copy of these files, so that a build leaves the checkout alone."""
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / path, folder / path)
    return folder
