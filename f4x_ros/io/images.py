# SPDX-License-Identifier: Apache-2.0
"""Reading colour and depth image files, with errors that name the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io.names import natural_key

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_EXPECTED_COLOR = "expected a readable image (PNG, JPEG, ...)"
_EXPECTED_DEPTH = "expected a readable 16-bit PNG depth image"
# Cameras and telephones write how the camera was held beside the pixels. The calibration, the depth
# and the pose are of the pixels, so these are taken as they are stored, for colour and for depth.
_AS_STORED = cv2.IMREAD_IGNORE_ORIENTATION
_PROBES = 5


def list_images(folder: Path) -> list[Path]:
    """Image files of a folder in the natural order of their names, without hidden ones."""
    found = (p for p in folder.iterdir() if is_picture(p) and p.is_file())
    return sorted(found, key=natural_key)


def other_files(folder: Path) -> list[str]:
    """A sentence about files that are not read for the endings of their names, if there are any."""
    names = [p.name for p in folder.iterdir() if p.is_file() and not is_picture(p)]
    others = sorted(name for name in names if not name.startswith("."))
    if not others:
        return []
    return [
        f"{folder.name}/: {len(others)} files such as {others[0]} are not read, pictures end in "
        f"{' '.join(IMAGE_SUFFIXES)}."
    ]


def is_picture(path: Path) -> bool:
    """True for a name that ends like a picture's and is not hidden."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Colour image as ``[H, W, 3]`` uint8 RGB, pixels as stored, whatever EXIF says.

    Raises:
        BadSampleError: the file is missing, cut off or no image (``images_unreadable``).
    """
    bgr = _decoded(path, cv2.IMREAD_COLOR | _AS_STORED, "images_unreadable", _EXPECTED_COLOR)
    return np.ascontiguousarray(bgr[..., ::-1], np.uint8)


def read_depth(path: Path, units_per_metre: float = 1000.0) -> NDArray[np.float32]:
    """16-bit depth image as ``[H, W]`` float32 metres, 0 where there is no reading.

    ``units_per_metre`` is 1000 for millimetres and 5000 for TUM RGB-D.

    Raises:
        BadSampleError: the file is unreadable or is not a single-channel 16-bit image
            (``depth_unreadable``).
    """
    raw = _decoded(path, cv2.IMREAD_UNCHANGED | _AS_STORED, "depth_unreadable", _EXPECTED_DEPTH)
    if raw.dtype != np.uint16 or raw.ndim != 2:
        channels = 1 if raw.ndim == 2 else raw.shape[2]
        raise BadSampleError(
            "depth_unreadable",
            f"{path}: depth image of type {raw.dtype} with {channels} channel"
            f"{'s' if channels > 1 else ''}, expected uint16 with one channel, "
            f"{units_per_metre:g} per metre",
        )
    return np.asarray(raw.astype(np.float32) / np.float32(units_per_metre))


def orientation_ignored(path: Path) -> str | None:
    """A sentence if the file says that its picture is to be turned, which is not done."""
    stored, turned = (
        cv2.imread(str(path), flags) for flags in (cv2.IMREAD_COLOR | _AS_STORED, cv2.IMREAD_COLOR)
    )
    if stored is None or turned is None or np.array_equal(stored, turned):
        return None
    return (
        f"{path.name} says that it is to be turned (EXIF orientation); colour, depth and "
        "calibration are taken for the pixels as they are stored."
    )


def usual_size(paths: Sequence[Path], read: Callable[[Path], NDArray[Any]]) -> tuple[int, int]:
    """Height and width that most of a few of the images have, evenly chosen.

    Raises:
        BadInputError: none of them can be read; the text is that of the first.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    first_error: BadSampleError | None = None
    chosen = np.unique(np.linspace(0, len(paths) - 1, _PROBES).round().astype(int))
    for index in chosen.tolist():
        try:
            height, width = read(paths[index]).shape[:2]
        except BadSampleError as error:
            first_error = first_error or error
        else:
            sizes[(height, width)] += 1
    if not sizes:
        raise BadInputError(str(first_error)) from first_error
    return sizes.most_common(1)[0][0]


def check_size(path: Path, image: NDArray[Any], size: tuple[int, int], reason: str) -> None:
    """Raises BadSampleError under that reason if the image is not of ``size`` (height, width)."""
    if image.shape[:2] != size:
        height, width = image.shape[:2]
        raise BadSampleError(
            reason, f"{path}: {width}x{height} pixels, expected {size[1]}x{size[0]}"
        )


def _decoded(path: Path, flags: int, reason: str, expected: str) -> NDArray[Any]:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise BadSampleError(reason, f"{path}: {error.strerror}, {expected}") from error
    # From memory: of a file that was cut off, `imread` gives what there is, and grey below.
    pixels = cv2.imdecode(data, flags) if data.size else None
    if pixels is None:
        what = "not a whole image" if data.size else "an empty file"
        raise BadSampleError(reason, f"{path}: {what}, {expected}")
    return np.asarray(pixels)
