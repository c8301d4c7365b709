# SPDX-License-Identifier: Apache-2.0
"""Everyday things made from code, and the table of what exists.

To add a class: write a function that returns its parts and append a line to `CLASSES`. Only append:
the place in the table is the class id in ground truth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from f4x_ros.datasets.world.materials import FABRIC, GLAZED, PAINTED, WOODEN, Finish
from f4x_ros.datasets.world.shapes import decor, furniture, tableware, toys
from f4x_ros.datasets.world.shapes.part import Part, Parts

__all__ = ["CLASSES", "CLASS_IDS", "Part", "Parts", "ThingClass"]


class ThingClass(NamedTuple):
    """How a class of things is made."""

    build: Callable[..., Parts] | None  # None: part of the room itself
    finish: Finish = PAINTED
    synonyms: tuple[str, ...] = ()  # other words for the class
    colors: tuple[str, ...] = ()  # colour words it comes in; (): any of the palette


CLASSES: dict[str, ThingClass] = {
    "floor": ThingClass(None),
    "wall": ThingClass(None),
    "ceiling": ThingClass(None),
    "table": ThingClass(furniture.table, WOODEN),
    "chair": ThingClass(furniture.chair, PAINTED),
    "sofa": ThingClass(furniture.sofa, FABRIC),
    "bookshelf": ThingClass(furniture.bookshelf, WOODEN),
    "cabinet": ThingClass(furniture.cabinet, PAINTED),
    "rug": ThingClass(furniture.rug, FABRIC),
    "mug": ThingClass(tableware.mug, GLAZED),
    "bowl": ThingClass(tableware.bowl, GLAZED),
    "bottle": ThingClass(tableware.bottle, GLAZED),
    "teapot": ThingClass(tableware.teapot, GLAZED),
    "apple": ThingClass(tableware.apple, GLAZED),
    "toy car": ThingClass(toys.toy_car, GLAZED),
    "ball": ThingClass(toys.ball, GLAZED),
    "rubber duck": ThingClass(toys.rubber_duck, GLAZED),
    "teddy bear": ThingClass(toys.teddy_bear, FABRIC),
    "book": ThingClass(decor.book, PAINTED),
    "globe": ThingClass(decor.globe, PAINTED),
    "potted plant": ThingClass(decor.potted_plant, PAINTED),
    "trash can": ThingClass(decor.trash_can, PAINTED),
    "picture": ThingClass(decor.picture, PAINTED),
    "window": ThingClass(decor.window, PAINTED),
}

#: Class name to the id used in label images; 0 is background.
CLASS_IDS: dict[str, int] = {name: number for number, name in enumerate(CLASSES, start=1)}
