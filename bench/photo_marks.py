# SPDX-License-Identifier: Apache-2.0
"""What was marked by hand in photographs: words, boxes, outlines; read from JSON.

A file of marks is laid out like `boxes.json` of a recording:

    size     width and height of the pictures that boxes are given in
    boxes    picture (name without suffix) -> word -> [[x0, y0, x1, y1], ...] in pixels
    absent   words that are in none of the pictures
    also     picture -> words that it shows, without boxes (may be left out)
    absent_in  picture -> more words that it does not show (may be left out)

One of outlines has `size` and `outlines`: picture -> word -> polygons [[x, y], ...] in pixels, of
all things of that word together; what lies in an odd number of them is in, so holes are polygons.
What lies in those of `unsure` (may be left out) may be of the word or not, and is not counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError
from f4x_ros.io.images import is_picture

OURS = Path(__file__).resolve().parent / "photos"

COCO = frozenset(
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,"
    "stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,"
    "backpack,umbrella,handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,"
    "baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,"
    "banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,"
    "oven,toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,hair drier,"
    "toothbrush".split(",")
)
"""The 80 classes."""

ALSO_COCO = {
    "plant": "potted plant", "sofa": "couch", "table": "dining table", "fruit": "apple",
    "bag": "handbag", "mug": "cup", "television": "tv", "monitor": "tv", "fridge": "refrigerator",
    "luggage": "suitcase", "child": "person", "man": "person", "woman": "person", "bike": "bicycle",
    "ball": "sports ball", "phone": "cell phone", "necktie": "tie",
}  # fmt: skip
"""Other words for a class, or for several of which one is named."""

Boxes = Sequence[Sequence[float]]


class Outline(NamedTuple):
    """Where a word is in a picture."""

    mask: NDArray[np.bool_]  # [H, W]
    counted: NDArray[np.bool_]  # [H, W] pixels of which it is known


Outlines = Mapping[str, Mapping[str, Outline]]  # by picture and word


def is_coco(word: str) -> bool:
    """Whether COCO has a class for a word."""
    return ALSO_COCO.get(word, word) in COCO


@dataclass(frozen=True)
class Marks:
    """What was marked in the pictures of one recording.

    Attributes:
        size: width and height that boxes are given in.
        boxes: by picture and word.
        absent: words that no picture shows.
        also: words without boxes that a picture shows.
        absent_in: more words that a picture does not show.
    """

    size: tuple[int, int]
    boxes: Mapping[str, Mapping[str, Boxes]]
    absent: tuple[str, ...]
    also: Mapping[str, Sequence[str]] = field(default_factory=dict)
    absent_in: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def present(self) -> list[str]:
        """The words that have a box somewhere, sorted."""
        return sorted({word for words in self.boxes.values() for word in words})

    @property
    def words(self) -> list[str]:
        """All that have to be asked."""
        more = [w for part in (self.also, self.absent_in) for words in part.values() for w in words]
        return list(dict.fromkeys([*self.present, *more, *self.absent]))

    def shown(self, picture: str) -> set[str]:
        """The words that a picture shows, with boxes and without."""
        return {*self.boxes[picture], *self.also.get(picture, ())}

    def missing(self, picture: str) -> list[str]:
        """The words that a picture certainly does not show."""
        return [*self.absent, *self.absent_in.get(picture, ())]


def read_marks(folder: Path, given: Path | None = None) -> Marks:
    """Those of a file, else the folder's own `boxes.json`, else those kept in `bench/photos`.

    Raises:
        ValueError: there are none, or they contradict themselves; names the file and the part.
    """
    looked = [given] if given else [folder / "boxes.json", OURS / f"{folder.resolve().name}.json"]
    path = next((one for one in looked if one.is_file()), None)
    if path is None:
        raise BadInputError(f"{folder}: expected marks in {' or '.join(map(str, looked))}")
    content = _json(path, ("size", "boxes", "absent"))
    marks = Marks(
        (int(content["size"][0]), int(content["size"][1])),
        content["boxes"],
        tuple(content["absent"]),
        content.get("also", {}),
        content.get("absent_in", {}),
    )
    for picture, words in marks.boxes.items():
        _check_boxes(path, picture, words, marks.size)
        if both := marks.shown(picture) & {*marks.missing(picture)}:
            raise BadInputError(f"{path}: {picture} shows what is marked absent: {sorted(both)}")
    for name in ("also", "absent_in"):
        if unknown := set(content.get(name, {})) - set(marks.boxes):
            raise BadInputError(f"{path}: {name} has {sorted(unknown)}, expected names of `boxes`")
    return marks


def _check_boxes(
    path: Path, picture: str, words: Mapping[str, Boxes], size: tuple[int, int]
) -> None:
    for word, boxes in words.items():
        for box in boxes:
            x0, y0, x1, y1 = box
            if not (0 <= x0 < x1 <= size[0] and 0 <= y0 < y1 <= size[1]):
                raise BadInputError(
                    f"{path}: a box of {word!r} in {picture} is {list(box)}, expected x0 < x1 and "
                    f"y0 < y1 within {size[0]}x{size[1]}"
                )


def read_outlines(folder: Path, size: tuple[int, int]) -> Outlines:
    """Those of `bench/photos`, in `size` (width, height); none where none were drawn."""
    path = OURS / f"{folder.resolve().name}_outlines.json"
    if not path.is_file():
        return {}
    content = _json(path, ("size", "outlines"))
    drawn_in, unsure = content["size"], content.get("unsure", {})
    return {
        picture: {
            word: Outline(
                filled(polygons, drawn_in, size),
                ~filled(unsure.get(picture, {}).get(word, ()), drawn_in, size),
            )
            for word, polygons in words.items()
        }
        for picture, words in content["outlines"].items()
    }


def filled(
    polygons: Sequence[Sequence[Sequence[float]]],
    drawn_in: Sequence[int],  # width, height
    size: Sequence[int],  # width, height
) -> NDArray[np.bool_]:
    """A mask [H, W]: what lies in an odd number of polygons."""
    scale = np.array(size, float) / np.array(drawn_in, float)
    points = [np.rint(np.array(one, float) * scale).astype(np.int32) for one in polygons]
    mask = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillPoly(mask, points, 1)
    return mask.astype(bool)


def polygons_of(mask: NDArray[np.bool_], within_px: float = 0.7) -> list[list[list[int]]]:
    """The outlines of a mask [H, W] as `filled` takes them, off by about `within_px` at most."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    thin = [cv2.approxPolyDP(one, within_px, True)[:, 0] for one in found]
    return [one.tolist() for one in thin if len(one) > 2]


def pictures_of(folder: Path) -> dict[str, Path]:
    """The pictures of a recording, or of a folder of photographs, by their names without suffix."""
    there = folder / "images" if (folder / "images").is_dir() else folder
    return {path.stem: path for path in sorted(there.iterdir()) if is_picture(path)}


def _json(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path}: {error}, expected a JSON file of marks") from error
    lacking = [key for key in keys if not isinstance(content, dict) or key not in content]
    if lacking:
        raise BadInputError(f"{path}: {', '.join(lacking)} is missing, expected {', '.join(keys)}")
    return dict(content)
