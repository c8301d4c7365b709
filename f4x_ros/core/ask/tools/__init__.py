# SPDX-License-Identifier: Apache-2.0
"""Typed tools over things with histories: questions about space and time, with evidence.

In: a `Scene` (of a map, or of a drawn world's truth) and arguments as JSON. Out: `ToolResult`s.
"""

from __future__ import annotations

from f4x_ros.core.ask.tools.all_tools import RELATION_WORDS, TOOLS
from f4x_ros.core.ask.tools.from_map import Door, MapScene
from f4x_ros.core.ask.tools.graph import scene_graph
from f4x_ros.core.ask.tools.over_time import history
from f4x_ros.core.ask.tools.result import Outcome, ToolResult, Value
from f4x_ros.core.ask.tools.scene import ANYTHING, ROOM, Found, Scene, State, Thing
from f4x_ros.core.ask.tools.table import Argument, Tool, Toolbox

__all__ = [
    "ANYTHING",
    "RELATION_WORDS",
    "ROOM",
    "TOOLS",
    "Argument",
    "Door",
    "Found",
    "MapScene",
    "Outcome",
    "Scene",
    "State",
    "Thing",
    "Tool",
    "ToolResult",
    "Toolbox",
    "Value",
    "history",
    "scene_graph",
]
