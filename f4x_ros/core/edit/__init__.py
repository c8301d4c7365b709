# SPDX-License-Identifier: Apache-2.0
"""Edits: a layer over the field, ordered, undone, saved with the map; nothing measured is touched.

In: edits in words or as values. Out: snapshots with them, for whoever asks for `layer="edited"`.
"""

from __future__ import annotations

from f4x_ros.core.edit.edit import KINDS, Edit, EditResult
from f4x_ros.core.edit.editor import Editor
from f4x_ros.core.edit.inserted import read_ply
from f4x_ros.core.edit.layer import Edited
from f4x_ros.core.edit.region import Region, region_of
from f4x_ros.core.edit.selecting import Selected
from f4x_ros.core.edit.shown import EDITED, LAYERS, MEASURED, check_layer

__all__ = [
    "EDITED",
    "KINDS",
    "LAYERS",
    "MEASURED",
    "Edit",
    "EditResult",
    "Edited",
    "Editor",
    "Region",
    "Selected",
    "check_layer",
    "read_ply",
    "region_of",
]
