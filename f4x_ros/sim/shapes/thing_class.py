# SPDX-License-Identifier: Apache-2.0
"""What is known about a class of things."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from f4x_ros.sim.finishes import PAINTED
from f4x_ros.sim.materials import Finish
from f4x_ros.sim.shapes.part import Parts

#: Where things belong: on the floor, on top of furniture, flat against a wall (back at y = 0), or
#: in a place that another thing leaves for them (a door in its frame, a drawer in a cabinet).
PLACES = ("floor", "table", "wall", "frame")


#: The colour of a person is that of the clothes.
_WEARS_ITS_COLOR = ("person",)


def called(color: str, name: str, cls: str) -> str:
    """Colour and a name of a class as people say it: "red mug", "person in red"."""
    return f"{name} in {color}" if cls in _WEARS_ITS_COLOR else f"{color} {name}"


class ThingClass(NamedTuple):
    """How a class of things is made and called, and how its instances may differ."""

    #: Makes its parts; all arguments have defaults. None: part of the room itself.
    build: Callable[..., Parts] | None
    #: The usual surface.
    finish: Finish = PAINTED
    #: Other words for the class, never the name of another class; two classes may share one.
    synonyms: tuple[str, ...] = ()
    #: Colour words it comes in; (): any of the palette.
    colors: tuple[str, ...] = ()
    #: One of `PLACES`.
    where: str = "table"
    #: Arguments of `build` that may vary, with the least and the greatest sensible value.
    sizes: Mapping[str, tuple[float, float]] = MappingProxyType({})
    #: Surfaces it comes in; (): only the usual one.
    finishes: tuple[Finish, ...] = ()
    #: Other classes whose names are true of it as well: a football is a ball.
    also: tuple[str, ...] = ()
