# SPDX-License-Identifier: Apache-2.0
"""The pieces an object is made of."""

from __future__ import annotations

from typing import NamedTuple

from f4x_ros.sim.materials import Dye, Material
from f4x_ros.sim.mesh import Mesh


class Part(NamedTuple):
    """A mesh in the object's frame (origin at the centre of its base, z up) and its surface.

    ``material`` is a `Material`, the name of one in ``materials.FIXED``, a function from the
    object's colour word to a `Material`, or "body" / "body dark" / "body pale", which take the
    object's own colour and finish. ``link`` names the piece of a jointed object
    that the part moves with; parts with the link "" are rigid with the object itself.
    """

    mesh: Mesh
    material: Material | Dye | str
    link: str = ""


Parts = list[Part]
