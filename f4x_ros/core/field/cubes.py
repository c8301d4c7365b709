# SPDX-License-Identifier: Apache-2.0
"""Space cut into cubes, each with a number."""

from __future__ import annotations

from torch import Tensor

_PLACES = (1, 1 << 21, 1 << 42)  # of a cube's three numbers in one


def cube_codes(points: Tensor, edge_m: float) -> Tensor:
    """The number [N] int64 of the cube that each point [N, 3] lies in.

    Different cubes have different numbers within a million edges of the origin.
    """
    cubes = (points / edge_m).floor().long()
    return (cubes * cubes.new_tensor(_PLACES)).sum(1)
