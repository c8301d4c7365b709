# SPDX-License-Identifier: Apache-2.0
"""Things over time: where they were, what happened to them, and where they are going to be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.percept import RenderedView
from f4x_ros.core.data.poses import Pose
from f4x_ros.core.data.track import Track


class Happening(IntEnum):
    """What happens to a thing; the values are those of `msg/HistoryEvent`."""

    MOVED = 0
    APPEARED = 1
    LEFT = 2


@dataclass(frozen=True, eq=False)
class Event:
    """Something that happened to a thing.

    Attributes:
        event: what.
        id: of its track; negative where it was found by words and is not followed.
        label: what it is called.
        begin_ns: when it began to move, came or went.
        end_ns: when it came to rest, or the end of the span; else `begin_ns`.
        before: what it was like before; of what APPEARED the same as `after`.
        after: what it is like after; of what LEFT the same as `before`.
        length_m: of the way it took; 0 unless it MOVED.
        moving: it had not come to rest by the end of the span.
    """

    event: Happening
    id: int
    label: str
    begin_ns: int
    end_ns: int
    before: Track
    after: Track
    length_m: float = 0.0
    moving: bool = False


@dataclass(frozen=True, eq=False)
class ThingStates:
    """What one thing was like over a span, at rising stamps; between two on a straight line."""

    id: int
    label: str
    stamps_ns: tuple[int, ...]
    states: tuple[Track, ...]


@dataclass(frozen=True, eq=False)
class HistoryResult:
    """The answer to a question about a span.

    Attributes:
        since_ns: begin of the span.
        until_ns: end of the span.
        map_frame: fixed frame of all poses.
        message: what was found and what was left out, for people.
        things: ascending id.
        events: in the order of their begins.
    """

    since_ns: int
    until_ns: int
    map_frame: str
    message: str
    things: tuple[ThingStates, ...]
    events: tuple[Event, ...]


class MotionModel(IntEnum):
    """How a thing is carried on; the values are those of `msg/PredictedTrack`."""

    RESTS = 0
    CONSTANT_TWIST = 1
    COORDINATED_TURN = 2


@dataclass(frozen=True, eq=False)
class Prediction:
    """Where one thing is going to be.

    Attributes:
        track: what it is now.
        model: how it is carried on.
        turn_rate_radps: of its velocity about the vertical; 0 but for COORDINATED_TURN.
        ahead: what it is going to be at each moment that was asked for; covariances grow.
    """

    track: Track
    model: MotionModel
    turn_rate_radps: float
    ahead: tuple[Track, ...]


@dataclass(frozen=True, eq=False)
class ShownView(RenderedView):
    """The map seen by a camera at a moment, with labels.

    Attributes:
        stamp_ns: the moment.
        frame_id: optical frame of the camera.
        map_frame: fixed frame of the map.
        camera: intrinsics of the pictures.
        T_map_camera: [4, 4] where it was looked from.
        labels: [H, W] uint16, 0 background, q + 1 prompt q, 65535 unlabelled; None = not asked for.
        prompts: what the labels mean.
        velocity: [H, W, 3] float32 m/s of each pixel's surface in the map frame (scene flow); None
            = not asked for.
    """

    stamp_ns: int
    frame_id: str
    map_frame: str
    camera: PinholeCamera
    T_map_camera: Pose
    labels: NDArray[np.uint16] | None  # [H, W]
    prompts: tuple[str, ...]
    velocity: NDArray[np.float32] | None = None  # [H, W, 3]

    def points(self) -> NDArray[np.float32]:
        """Point map [H, W, 3] in the map frame, metres; NaN where the map is empty."""
        there = self.camera.unproject(self.depth)
        out = there @ self.T_map_camera[:3, :3].T + self.T_map_camera[:3, 3]
        return np.where(self.depth[..., None] > 0, out, np.nan).astype(np.float32)


@dataclass(frozen=True, eq=False)
class PointTracks:
    """Points of the map's surface over time.

    Attributes:
        stamps_ns: [T] the moments.
        map_frame: fixed frame of all positions.
        positions: [T, N, 3] metres.
        bodies: [N] what each goes with: 0 = it stays where it is, else a number of a moving thing.
        visible: [T, N] whether the camera saw it then; None = not asked for.
    """

    stamps_ns: tuple[int, ...]
    map_frame: str
    positions: NDArray[np.float64]
    bodies: NDArray[np.int64]
    visible: NDArray[np.bool_] | None
