# SPDX-License-Identifier: Apache-2.0
"""Folders of pictures and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from f4x_ros.core.data import Frame
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.images import check_size, list_images, other_files, read_rgb, usual_size
from f4x_ros.io.lens import Lens
from f4x_ros.io.source import Source, stamps_at_rate

_FEWEST = 2
_OF_OTHERS = ("poses.txt", "transforms.json", "rgb.txt", "depth.txt")  # files of other layouts


def is_picture_folder(path: Path) -> bool:
    """True for a folder with pictures in it, or in its ``images``, and no other known layout."""
    if not path.is_dir() or (path / "K.txt").exists() or (path / "masks").is_dir():
        return False
    if any((path / name).exists() for name in _OF_OTHERS):
        return False
    folder = folder_of(path)
    others = [one for one in path.iterdir() if one.is_dir() and one != folder]
    pictures = [] if others else list_images(folder)
    with_depth = any(".depth." in one.name or one.name.startswith("depth") for one in pictures)
    return len(pictures) >= _FEWEST and not with_depth


def folder_of(path: Path) -> Path:
    """Where the pictures of a folder lie: in its ``images``, or in itself."""
    return path / "images" if (path / "images").is_dir() else path


class PicturesAlone(Source):
    """Colour frames without depth and pose, of picture files that a lens took.

    Args:
        name: of the source.
        images: the files in the order of time.
        rate_hz: pictures a second, from ``START_NS``.
        fov: horizontal field of view in degrees; 0 = guessed, and said, see `Lens`.
        calibration: file of a calibration instead; "" = none.

    Raises:
        BadInputError: a picture, a rate or a lens that cannot be used.
    """

    def __init__(
        self, name: str, images: Sequence[Path], rate_hz: float, fov: float, calibration: str
    ) -> None:
        self._images = images
        super().__init__(name, stamps_at_rate(len(images), rate_hz))
        self._size = usual_size(images, read_rgb)
        height, width = self._size
        lens = Lens(width, height, fov, calibration)
        self._rectifier = lens.rectifier
        self.remarks += lens.remarks

    def load(self, index: int) -> Frame:
        rgb = read_rgb(self._images[index])
        check_size(self._images[index], rgb, self._size, "images_of_other_size")
        return Frame(
            stamp_ns=int(self.stamps_ns[index]),
            rgb=self._rectifier.color(rgb),
            camera=self._rectifier.camera,
            observed=self._rectifier.observed,
        )


class PictureFolder(PicturesAlone):
    """Colour frames without depth and pose, from the pictures of a folder or of its ``images``.

    The natural order of the names (2 before 10) is the order in time; frames are ``1 / rate_hz``
    apart, starting at ``START_NS``.

    Args:
        path: the folder.
        rate_hz: pictures a second.
        fov: horizontal field of view in degrees; 0 = guessed, and said, see `Lens`.
        calibration: file of a calibration instead; "" = none.
    """

    def __init__(
        self, path: str | Path, *, rate_hz: float = 10.0, fov: float = 0.0, calibration: str = ""
    ) -> None:
        """Index the folder; raises ValueError naming what does not fit."""
        self.path = Path(path)
        folder = folder_of(self.path)
        images = list_images(folder)
        if len(images) < _FEWEST:
            raise BadInputError(f"{folder}: {len(images)} pictures, expected {_FEWEST} or more")
        super().__init__(self.path.name, images, rate_hz, fov, calibration)
        self.remarks[:0] = other_files(folder)
