# SPDX-License-Identifier: Apache-2.0
"""Drawn frames on disk, one file each, never half-written and never trusted when damaged."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import zipfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from f4x_ros.core.data import camera, poses
from f4x_ros.core.errors import BadInputError
from f4x_ros.sim.raycast import Drawing

_log = logging.getLogger(__name__)


def cache_root() -> Path:
    """``$XDG_CACHE_HOME/f4x_ros/worlds``, or the same under ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is invalid and to be ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "f4x_ros" / "worlds"


#: Sources that a drawing does not depend on.
_AFTERWARDS = (
    "sensor", "language.py", "truth.py", "check.py", "sheet.py", "catalogue.py", "keypoints.py",
    "open.py", "rig.py", "__init__.py", "__main__.py",
)  # fmt: skip


def generator_version() -> str:
    """A hash of everything that decides what a frame looks like, apart from its parameters."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for source in sorted(here.rglob("*.py")):
        if source.relative_to(here).parts[0] in _AFTERWARDS:
            continue
        digest.update(source.relative_to(here).as_posix().encode())
        digest.update(source.read_bytes())
    for module in (camera, poses):
        digest.update(Path(str(module.__file__)).read_bytes())
    for package in ("embreex", "numpy", "scipy"):
        digest.update(f"{package} {version(package)}".encode())
    return digest.hexdigest()[:16]


class FrameCache:
    """A folder of drawings, named after a hash of the world's parameters and the generator."""

    def __init__(self, parameters: Mapping[str, Any], root: Path | None = None) -> None:
        """Find or make the folder; raises OSError if it cannot be made."""
        key = {"generator": generator_version(), **parameters}
        text = json.dumps(key, sort_keys=True, indent=1)
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.folder = (root or cache_root()) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self._shape = (int(parameters["height"]), int(parameters["width"]))
        about = self.folder / "world.json"
        if not about.exists():
            self._write(about, lambda path: path.write_text(text))

    def path(self, index: int, offset_us: int = 0) -> Path:
        """File of a frame, or of the moment so many microseconds after it."""
        offset = f"{offset_us:+d}us" if offset_us else ""
        return self.folder / f"frame_{index:06d}{offset}.npz"

    def __contains__(self, moment: tuple[int, int]) -> bool:
        """Whether the file of a (frame, offset in microseconds) is there."""
        return self.path(*moment).exists()

    def get(self, index: int, offset_us: int = 0) -> Drawing | None:
        """A frame from disk, or None if it is not there; a damaged file is removed and logged."""
        path = self.path(index, offset_us)
        try:
            with np.load(path) as data:  # checks the CRC of each array
                drawing = Drawing(*(data[name] for name in Drawing._fields))
            self._check(drawing)
        except FileNotFoundError:
            return None
        except (zipfile.BadZipFile, ValueError, KeyError, EOFError, OSError) as error:
            _log.warning("%s is damaged and will be drawn again (%s)", path, error)
            path.unlink(missing_ok=True)
            return None
        return drawing

    def put(self, index: int, drawing: Drawing, offset_us: int = 0) -> None:
        """Store a frame; raises OSError (with nothing left behind) if it cannot be written."""

        def save(path: Path) -> None:
            with path.open("wb") as file:
                np.savez(file, **drawing._asdict())

        self._write(self.path(index, offset_us), save)

    def _check(self, drawing: Drawing) -> None:
        found = [(array.shape, array.dtype.name) for array in drawing]
        sizes = [(*self._shape, 3), self._shape, self._shape, (len(drawing.visibility),)]
        expected = list(zip(sizes, ["uint8", "float32", "uint16", "float32"], strict=True))
        if found != expected:
            raise BadInputError(f"arrays {found}, expected {expected}")

    def _write(self, path: Path, write: Any) -> None:
        """Write under a temporary name, then rename, so that readers see all or nothing."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            write(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
