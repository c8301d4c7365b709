# SPDX-License-Identifier: Apache-2.0
"""Make the pictures of `f4x weights check` (f4x_ros/core/features/check).

usage: python tools/make_check_pictures.py FOLDER

FOLDER has chelsea.png, coffee.png, rocket.jpg and brick.png, as they lie in skimage/data of
scikit-image 0.26; NOTICE has their authors and licences. The table is drawn here, and the outlines
are its truth.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from f4x_ros.core.features.check.pictures import THINGS
from f4x_ros.sim import World

TARGET = Path(__file__).resolve().parents[1] / "f4x_ros" / "core" / "features" / "check"
PARTS = {  # file: source, rows and columns of the part that shows the thing alone
    "cat": ("chelsea.png", slice(0, 300), slice(20, 420)),
    "coffee": ("coffee.png", slice(0, 400), slice(50, 550)),
    "rocket": ("rocket.jpg", slice(0, 427), slice(150, 490)),
    "bricks": ("brick.png", slice(0, 512), slice(0, 512)),
}
SHORTER = 256  # pixels
QUALITY = 88  # of JPEG
FRAME = 50
CALLED = {"mug": ("mug", "purple"), "pear": ("pear", "red")}  # there are several mugs


def photographs(folder: Path) -> None:
    """The shown part of each photograph, smaller."""
    for name, (source, rows, columns) in PARTS.items():
        part = cv2.imread(str(folder / source))[rows, columns]
        scale = SHORTER / min(part.shape[:2])
        size = (round(part.shape[1] * scale), round(part.shape[0] * scale))
        write(f"{name}.jpg", cv2.resize(part, size, interpolation=cv2.INTER_AREA))


def table() -> None:
    """A frame of a drawn world, and the outlines of its things."""
    world = World(width=480, frames=60, seed=1, scene="tabletop")
    write("table.jpg", world[FRAME].rgb[..., ::-1])
    instances = world.truth(FRAME).instances
    numbers = np.zeros(instances.shape, np.uint8)
    for instance in np.unique(instances).tolist():
        if label := world.labels.get(instance):
            name = label.cls
            if name in THINGS and CALLED.get(name, (name, label.color)) == (name, label.color):
                numbers[instances == instance] = THINGS[name]
    missing = set(THINGS.values()) - set(np.unique(numbers).tolist())
    if missing:
        sys.exit(f"make_check_pictures: frame {FRAME} lacks things number {sorted(missing)}")
    cv2.imwrite(str(TARGET / "outlines.png"), numbers)


def write(name: str, picture: np.ndarray) -> None:
    """Write a JPEG and say how large it is."""
    cv2.imwrite(str(TARGET / name), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    print(
        f"{name}: {picture.shape[1]} x {picture.shape[0]}, {(TARGET / name).stat().st_size} bytes"
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    photographs(Path(sys.argv[1]))
    table()
