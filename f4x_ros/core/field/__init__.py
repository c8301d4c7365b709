# SPDX-License-Identifier: Apache-2.0
"""The Gaussians: tables of rows, present and past, and snapshots of them to draw and to ask.

In: rows to insert, to retire and to forget. Out: a `Snapshot` of one time.
"""

from __future__ import annotations

from f4x_ros.core.field.gaussians import (
    FOREVER,
    NO_PIECE,
    PARAMETER_WIDTHS,
    PARAMETERS,
    GaussianField,
    GaussianSet,
)
from f4x_ros.core.field.snapshot import MIN_OPACITY, Snapshot, some_of, take_snapshot, to_picture

__all__ = [
    "FOREVER",
    "MIN_OPACITY",
    "NO_PIECE",
    "PARAMETERS",
    "PARAMETER_WIDTHS",
    "GaussianField",
    "GaussianSet",
    "Snapshot",
    "some_of",
    "take_snapshot",
    "to_picture",
]
