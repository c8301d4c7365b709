# SPDX-License-Identifier: Apache-2.0
"""Everyday things made from code, and the table of what exists."""

from __future__ import annotations

from f4x_ros.sim.shapes.openings import drawer_of
from f4x_ros.sim.shapes.part import Part, Parts
from f4x_ros.sim.shapes.person import person_joints, person_stride, walking_lift, walking_links
from f4x_ros.sim.shapes.table import CLASSES
from f4x_ros.sim.shapes.thing_class import PLACES, ThingClass, called
from f4x_ros.sim.shapes.warehouse import rack_levels

__all__ = [
    "CLASSES", "CLASS_IDS", "PLACES", "Part", "Parts", "ThingClass", "called", "drawer_of",
    "person_joints", "person_stride", "rack_levels", "walking_lift", "walking_links",
]  # fmt: skip

#: Class name to the id used in label images; 0 is background.
CLASS_IDS: dict[str, int] = {name: number for number, name in enumerate(CLASSES, start=1)}
