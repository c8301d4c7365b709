# SPDX-License-Identifier: Apache-2.0
"""The answer to one question."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.percept import Cloud
from f4x_ros.core.data.poses import Pose
from f4x_ros.core.data.track import Track


class Presence(IntEnum):
    """Whether something is there; the values are those of `srv/Query`.

    NOT_UNDERSTOOD is no answer: no `QueryResult` has it, `NotUnderstoodError` is raised instead.
    """

    NOT_PRESENT = 0
    PRESENT = 1
    UNSURE = 2
    NOT_UNDERSTOOD = 3


@dataclass(frozen=True, eq=False)
class QueryResult:
    """The answer to one question, in the view and at the time it was asked for."""

    prompt: str
    presence: Presence
    score: float  # 0..1 how sure it is there: calibrated, or the relevancy of the best object
    threshold: float  # the one used
    encoder: str
    message: str
    stamp_ns: int
    frame_id: str
    map_frame: str
    camera: PinholeCamera
    T_map_camera: Pose
    mask: NDArray[np.float32]  # [H, W] probability
    cloud: Cloud | None  # the selected points; label is 1
    tracks: tuple[Track, ...]  # best first

    @property
    def present(self) -> bool:
        """Whether it is there for sure."""
        return self.presence is Presence.PRESENT
