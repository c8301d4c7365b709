# SPDX-License-Identifier: Apache-2.0
"""The Gaussians: a working set in view, blocks at rest, and snapshots to draw and to ask.

In: rows to insert, to retire and to forget, and where cameras look. Out: a `Snapshot` of one time.
"""

from __future__ import annotations

from f4x_ros.core.field.blocks import BlockStore, Pages
from f4x_ros.core.field.cubes import cube_codes
from f4x_ros.core.field.field import GaussianField
from f4x_ros.core.field.gaussians import (
    FOREVER,
    NO_PIECE,
    PARAMETER_WIDTHS,
    PARAMETERS,
    Columns,
    GaussianSet,
    past_columns,
    present_columns,
)
from f4x_ros.core.field.packed import Packed, pack
from f4x_ros.core.field.paths import NO_BODY, BodyPaths, Moved
from f4x_ros.core.field.snapshot import (
    EMPTY_ALPHA,
    MIN_OPACITY,
    Snapshot,
    brought_here,
    some_of,
    take_snapshot,
    to_picture,
)
from f4x_ros.core.field.uplifted import uplift_view

__all__ = [
    "EMPTY_ALPHA",
    "FOREVER",
    "MIN_OPACITY",
    "NO_BODY",
    "NO_PIECE",
    "PARAMETERS",
    "PARAMETER_WIDTHS",
    "BlockStore",
    "BodyPaths",
    "Columns",
    "GaussianField",
    "GaussianSet",
    "Moved",
    "Packed",
    "Pages",
    "Snapshot",
    "brought_here",
    "cube_codes",
    "pack",
    "past_columns",
    "present_columns",
    "some_of",
    "take_snapshot",
    "to_picture",
    "uplift_view",
]
