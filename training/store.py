# SPDX-License-Identifier: Apache-2.0
"""Drawn rooms on disk: a folder each, with pictures (JPEG), ids (PNG, 16 bit) and labels (JSON).

Labels say what an id is, not which words are true of it: words are decided when they are used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.base.atomic import atomic_write
from f4x_ros.sim.scene import ObjectLabel
from f4x_ros.sim.shapes import CLASS_IDS
from training.views import View

_QUALITY = 95
_LABELS = "labels.json"  # written last: a room without it is not complete


@dataclass(frozen=True)
class StoredRoom:
    """A room on disk.

    Attributes:
        folder: where it is.
        labels: of its objects by id.
        views: how many pictures it has.
    """

    folder: Path
    labels: dict[int, ObjectLabel]
    views: int

    def rgb(self, view: int) -> NDArray[np.uint8]:
        """Picture [H, W, 3]; ValueError if it is damaged."""
        image = cv2.imread(str(self.folder / f"{view:02d}.jpg"), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"picture {view} of {self.folder} cannot be read")
        return np.ascontiguousarray(image[..., ::-1], np.uint8)

    def instances(self, view: int) -> NDArray[np.uint16]:
        """Object ids [H, W]; ValueError if it is damaged."""
        ids = cv2.imread(str(self.folder / f"{view:02d}.png"), cv2.IMREAD_UNCHANGED)
        if ids is None or ids.dtype != np.uint16 or ids.ndim != 2:
            raise ValueError(f"ids {view} of {self.folder} cannot be read")
        return np.asarray(ids, np.uint16)


def room_folder(root: Path, name: str, seed: int) -> Path:
    """Where the room of a seed is kept."""
    return root / f"{name}_{seed:07d}"


def is_stored(folder: Path) -> bool:
    """Whether the room is there and complete."""
    return (folder / _LABELS).is_file()


def write_room(folder: Path, labels: Iterable[ObjectLabel], views: Iterable[View]) -> int:
    """Store a room; returns the number of views. Raises OSError if it cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    focals = []
    for number, view in enumerate(views):
        flags = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        _write_image(folder / f"{number:02d}.jpg", view.rgb[..., ::-1], flags)
        _write_image(folder / f"{number:02d}.png", view.instances, [cv2.IMWRITE_PNG_COMPRESSION, 6])
        focals.append(round(view.focal_px, 2))
    objects = [{"id": label.id, "name": label.name, "cls": label.cls, "color": label.color,
                "material": label.material} for label in labels]  # fmt: skip
    text = json.dumps({"objects": objects, "focal_px": focals}, separators=(",", ":"))
    with atomic_write(folder / _LABELS) as file:
        file.write(text.encode())
    return len(focals)


def read_rooms(folders: Sequence[Path]) -> list[StoredRoom]:
    """All complete rooms below some folders, in the order of their names.

    Raises:
        ValueError: there are none, or labels are not understood; names the folder.
    """
    found = sorted(path.parent for root in folders for path in root.glob(f"*/{_LABELS}"))
    if not found:
        raise ValueError(f"no rooms in {[str(f) for f in folders]}, expected some of generate.py")
    return [_read_room(folder) for folder in found]


def _read_room(folder: Path) -> StoredRoom:
    try:
        stored = json.loads((folder / _LABELS).read_text(encoding="utf-8"))
        labels = {int(entry["id"]): _label(entry) for entry in stored["objects"]}
        return StoredRoom(folder, labels, len(stored["focal_px"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"labels of {folder} are not understood: {error!r}") from error


def _label(entry: dict[str, Any]) -> ObjectLabel:
    cls, nowhere = str(entry["cls"]), (0.0, 0.0, 0.0)
    return ObjectLabel(
        int(entry["id"]), str(entry["name"]), cls, CLASS_IDS[cls], str(entry["color"]),
        str(entry["material"]), False, nowhere, nowhere,
    )  # fmt: skip


def _write_image(path: Path, image: NDArray[Any], flags: list[int]) -> None:
    if not cv2.imwrite(str(path), image, flags):
        raise OSError(f"cannot write {path}")
