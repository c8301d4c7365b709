# SPDX-License-Identifier: Apache-2.0
"""Things: pieces without names, detections of prompts, and tracks that follow them.

In: a snapshot and a label for each Gaussian. Out: `piece_ids`, `Component`s and `Track`s.
"""

from __future__ import annotations

from f4x_ros.core.objects.components import BOX_PERCENTILES, Component
from f4x_ros.core.objects.detections import components_of, dominant_id, track_objects
from f4x_ros.core.objects.graph import Graph, build_graph
from f4x_ros.core.objects.history import Life
from f4x_ros.core.objects.pieces import Grouper, asked_together, coordinates
from f4x_ros.core.objects.predictions import AHEAD_S, predictions
from f4x_ros.core.objects.target import make_track
from f4x_ros.core.objects.tracker import GIVEN_UP, Tracker
from f4x_ros.core.objects.turn import Turn

__all__ = [
    "AHEAD_S",
    "BOX_PERCENTILES",
    "GIVEN_UP",
    "Component",
    "Graph",
    "Grouper",
    "Life",
    "Tracker",
    "Turn",
    "asked_together",
    "build_graph",
    "components_of",
    "coordinates",
    "dominant_id",
    "make_track",
    "predictions",
    "track_objects",
]
