# SPDX-License-Identifier: Apache-2.0
"""Values that pass between rooms: cameras, poses, frames, percepts, tracks and answers."""

from __future__ import annotations

from f4x_ros.core.data.answer import Presence, QueryResult
from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.data.frustum import Frustum, farthest, met_by_any
from f4x_ros.core.data.over_time import (
    Event,
    Happening,
    HistoryResult,
    MotionModel,
    PointTracks,
    Prediction,
    ShownView,
    ThingStates,
)
from f4x_ros.core.data.percept import UNLABELLED, Cloud, Outputs, Percept, RenderedView
from f4x_ros.core.data.poses import (
    Pose,
    check_pose,
    from_quaternion,
    interpolate,
    inverse,
    quats_wxyz_from_xyzw,
    to_quaternion,
    viewmat,
)
from f4x_ros.core.data.track import Track, TrackState

__all__ = [
    "UNLABELLED",
    "Cloud",
    "Event",
    "Frame",
    "Frustum",
    "Happening",
    "HistoryResult",
    "MotionModel",
    "Outputs",
    "Percept",
    "PinholeCamera",
    "PointTracks",
    "Pose",
    "Prediction",
    "Presence",
    "QueryResult",
    "RenderedView",
    "ShownView",
    "ThingStates",
    "Track",
    "TrackState",
    "check_pose",
    "farthest",
    "from_quaternion",
    "interpolate",
    "inverse",
    "met_by_any",
    "quats_wxyz_from_xyzw",
    "to_quaternion",
    "viewmat",
]
