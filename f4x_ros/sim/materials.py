# SPDX-License-Identifier: Apache-2.0
"""Colours and surfaces: what a part of an object looks like and how it takes light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from f4x_ros.core.errors import BadInputError
from f4x_ros.sim.patterns import Brushed, Checks, Clear, Dots, Marbled, Wicker
from f4x_ros.sim.textures import (
    Books,
    Cloth,
    Globe,
    Landscape,
    Planks,
    Points,
    Rgb,
    Sectors,
    Sky,
    Solid,
    Stripes,
    Texture,
    Weave,
    Wood,
    darker,
    linear,
)

__all__ = [
    "FIXED", "PALE", "PALETTE", "Books", "Cloth", "Dye", "Finish", "Globe", "Landscape", "Material",
    "Planks", "Points", "Rgb", "Sectors", "Sky", "Solid", "Stripes", "Texture", "Weave", "Wood",
    "linear", "surface",
]  # fmt: skip

#: Colour words and the sRGB value that stands for each.
PALETTE: dict[str, Rgb] = {
    "red": (0.80, 0.07, 0.07),
    "orange": (0.95, 0.45, 0.05),
    "yellow": (0.95, 0.80, 0.08),
    "green": (0.10, 0.55, 0.14),
    "blue": (0.08, 0.22, 0.75),
    "purple": (0.47, 0.14, 0.62),
    "brown": (0.45, 0.26, 0.12),
    "black": (0.05, 0.05, 0.055),
    "white": (0.90, 0.90, 0.88),
    "gray": (0.45, 0.46, 0.48),
    "pink": (0.95, 0.52, 0.68),
    "beige": (0.82, 0.72, 0.55),
}

#: A lighter (for white: darker) relative of each colour, for patterns in two tones.
PALE: dict[str, Rgb] = {
    "red": (0.96, 0.82, 0.80),
    "orange": (0.98, 0.85, 0.68),
    "yellow": (0.98, 0.95, 0.72),
    "green": (0.78, 0.92, 0.76),
    "blue": (0.72, 0.82, 0.96),
    "purple": (0.78, 0.60, 0.88),
    "brown": (0.86, 0.76, 0.62),
    "black": (0.60, 0.60, 0.62),
    "white": (0.66, 0.67, 0.70),
    "gray": (0.78, 0.79, 0.80),
    "pink": (0.98, 0.86, 0.90),
    "beige": (0.95, 0.91, 0.82),
}


@dataclass(frozen=True)
class Material:
    """A texture and how it takes light (Blinn-Phong)."""

    texture: Texture
    specular: float = 0.0
    shininess: float = 20.0
    emission: float = 0.0


def _plain(srgb: Rgb, **light: float) -> Material:
    return Material(Solid(linear(srgb)), **light)


#: Materials of parts that do not take the colour of their object.
FIXED: dict[str, Material] = {
    "metal": _plain((0.62, 0.63, 0.65), specular=0.5, shininess=60),
    "rubber": _plain((0.06, 0.06, 0.065), specular=0.08, shininess=12),
    "glass": _plain((0.12, 0.17, 0.22), specular=0.8, shininess=120),
    "paper": _plain((0.93, 0.92, 0.86)),
    "cap": _plain((0.15, 0.15, 0.18), specular=0.2, shininess=30),
    "bark": _plain((0.28, 0.17, 0.08)),
    "beak": _plain((0.95, 0.45, 0.05), specular=0.15),
    "white paint": _plain((0.90, 0.90, 0.88), specular=0.15),
    "cream": _plain((0.92, 0.86, 0.72)),
    "headlight": _plain((1.0, 0.96, 0.8), specular=0.2, emission=0.5),
    "leaf": Material(Cloth(linear((0.14, 0.52, 0.12)), 0.05), specular=0.12, shininess=14),
    "sky": Material(Sky(), emission=0.9),
    "steel": Material(Brushed(linear((0.74, 0.75, 0.77))), specular=0.45, shininess=50),
    "brass": Material(Brushed(linear((0.80, 0.62, 0.28))), specular=0.45, shininess=50),
    "pine": Material(Wood(linear((0.82, 0.66, 0.43)), linear((0.66, 0.48, 0.28))), specular=0.08),
    "dark wood": Material(Wood(linear((0.36, 0.22, 0.12)), linear((0.22, 0.13, 0.07)))),
    "tape": _plain((0.80, 0.70, 0.48), specular=0.3, shininess=40),
    "linen": Material(Cloth(linear((0.93, 0.92, 0.90)), 0.08, 0.12)),
    "flame": _plain((1.0, 0.78, 0.25), emission=1.0),
    "bulb": _plain((1.0, 0.95, 0.82), emission=1.0),
    "lit": _plain((0.25, 0.85, 1.0), emission=0.8),
    "mouth": _plain((0.70, 0.30, 0.28)),
    "cat eye": _plain((0.72, 0.75, 0.20), specular=0.4, shininess=60),
    "collar": _plain((0.75, 0.10, 0.10), specular=0.2),
    "soil": Material(Cloth(linear((0.20, 0.13, 0.08)), 0.01, 0.5)),
}


@dataclass(frozen=True)
class Finish:
    """How an object's own colour is worn: the surface of its parts named "body" and "body dark".

    ``texture`` is one of "solid", "cloth", "wood", "metal", "glass", "wicker", "leather",
    "cardboard", "striped", "checked", "dotted" and "sectors". ``grain_m`` is the size of
    its pattern.
    """

    texture: str = "solid"
    specular: float = 0.15
    shininess: float = 30.0
    grain_m: float = 0.01
    word: str = ""  # for phrases: "wooden", "metal", ...

    def material(self, color: str, shade: float = 1.0) -> Material:
        """The material for a colour word; ``shade`` below one darkens it."""
        make = _TEXTURES.get(self.texture)
        if make is None or color not in PALETTE:
            what, value, known = ("color", color, PALETTE) if make else (
                "texture", self.texture, _TEXTURES)  # fmt: skip
            raise BadInputError(f"{what} {value!r}, expected one of {sorted(known)}")
        rgb, pale = (darker(linear(of[color]), shade) for of in (PALETTE, PALE))
        return Material(make(rgb, pale, self.grain_m), self.specular, self.shininess)


def _halfway(first: Rgb, second: Rgb) -> Rgb:
    r, g, b = (0.7 * x + 0.3 * y for x, y in zip(first, second, strict=True))
    return r, g, b


def _grained(rgb: Rgb) -> Wood:
    """Wood in a colour; the rings of painted, bright wood are faint."""
    spread = 0.3 if max(rgb) < 0.3 else 0.1
    return Wood(darker(rgb, 1 + spread), darker(rgb, 1 - spread))


# From the colour, its pale relative and the size of the pattern [m].
_TEXTURES: dict[str, Callable[[Rgb, Rgb, float], Texture]] = {
    "solid": lambda rgb, pale, grain_m: Solid(rgb),
    "cloth": lambda rgb, pale, grain_m: Cloth(rgb, grain_m),
    "wood": lambda rgb, pale, grain_m: _grained(rgb),
    "cardboard": lambda rgb, pale, grain_m: Cloth(_halfway(rgb, pale), grain_m, 0.2),
    "metal": lambda rgb, pale, grain_m: Brushed(rgb),
    "glass": lambda rgb, pale, grain_m: Clear(rgb),
    "wicker": lambda rgb, pale, grain_m: Wicker(rgb, grain_m),
    "leather": lambda rgb, pale, grain_m: Marbled(rgb, grain_m),
    "striped": lambda rgb, pale, grain_m: Stripes(rgb, pale, grain_m, (0.45, 0.2, 0.87)),
    "checked": lambda rgb, pale, grain_m: Checks(rgb, pale, grain_m / 2),
    "dotted": lambda rgb, pale, grain_m: Dots(rgb, pale, grain_m),
    "sectors": lambda rgb, pale, grain_m: Sectors(rgb, pale),
}

#: A surface that depends on the object's colour in a way of its own.
Dye = Callable[[str], Material]


def surface(material: Material | Dye | str, finish: Finish, color: str) -> Material:
    """What a part is made of, from what its `Part` says and its object's finish and colour.

    "body" and "body dark" wear the finish, "body pale" the colour's pale relative without pattern;
    other words are those of `FIXED`. Raises ValueError for a word that is none of these.
    """
    if isinstance(material, Material):
        return material
    if not isinstance(material, str):
        return material(color)
    if material in ("body", "body dark"):
        return finish.material(color, 1.0 if material == "body" else 0.8)
    if material == "body pale":
        return Material(Solid(linear(PALE[color])), finish.specular, finish.shininess)
    if material not in FIXED:
        raise BadInputError(f"material {material!r}, expected 'body' or one of {sorted(FIXED)}")
    return FIXED[material]
