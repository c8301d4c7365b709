# SPDX-License-Identifier: Apache-2.0
"""Surfaces by name, as people call them."""

from __future__ import annotations

from f4x_ros.sim.materials import Finish

GLAZED = Finish(specular=0.45, shininess=55)
PAINTED = Finish(specular=0.15, shininess=30)
CERAMIC = Finish(specular=0.45, shininess=55, word="ceramic")
PLASTIC = Finish(specular=0.45, shininess=55, word="plastic")
RUBBER = Finish(specular=0.10, shininess=12, word="rubber")
FABRIC = Finish("cloth", specular=0.0, word="fabric")
FURRY = Finish("cloth", specular=0.0)
CARDBOARD = Finish("cardboard", specular=0.0, grain_m=0.05, word="cardboard")
WOODEN = Finish("wood", specular=0.12, shininess=20, word="wooden")
METAL = Finish("metal", specular=0.5, shininess=45, word="metal")
GLASS = Finish("glass", specular=0.8, shininess=110, word="glass")
LEATHER = Finish("leather", specular=0.25, shininess=18, grain_m=0.04, word="leather")
WICKER = Finish("wicker", specular=0.05, grain_m=0.02, word="wicker")
PEEL = Finish("leather", specular=0.3, shininess=30, grain_m=0.02)
BEACH_BALL = Finish("sectors", specular=0.3, shininess=40)


def patterned(pitch_m: float, specular: float = 0.0) -> tuple[Finish, ...]:
    """Striped, checked and dotted, the pattern repeating every ``pitch_m`` metres."""
    return tuple(
        Finish(texture, specular=specular, shininess=50.0, grain_m=pitch_m, word=texture)
        for texture in ("striped", "checked", "dotted")
    )
