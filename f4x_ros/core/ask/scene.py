# SPDX-License-Identifier: Apache-2.0
"""What a question is about: the field at a time, the tracks, and from where one looks."""

from __future__ import annotations

from dataclasses import dataclass

from f4x_ros.core.data import PinholeCamera, Pose, Track
from f4x_ros.core.field import Snapshot


@dataclass(frozen=True, eq=False)
class QueryScene:
    """Everything an answer is computed from, but the question.

    Attributes:
        snapshot: Gaussians that are there at the time.
        tracks: objects of the standing prompts as of the time, those of the last frame now.
        stamp_ns: time of the answer.
        time_s: the same in seconds of the field.
        camera: intrinsics of masks.
        T_map_camera: [4, 4] where masks are seen from.
        frame_id: optical frame of the camera.
        map_frame: fixed frame of positions.
        past: a time was asked for. Gaussians may carry ids of tracks that were not there then.
        tracks_known: whether `tracks` are all that were there; of a time too long ago they are
            forgotten.
    """

    snapshot: Snapshot
    tracks: tuple[Track, ...]
    stamp_ns: int
    time_s: float
    camera: PinholeCamera
    T_map_camera: Pose
    frame_id: str
    map_frame: str
    past: bool = False
    tracks_known: bool = True
