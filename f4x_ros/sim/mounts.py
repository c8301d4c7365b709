# SPDX-License-Identifier: Apache-2.0
"""Where cameras of a rig stand beside the scene's own."""

from __future__ import annotations

import numpy as np

from f4x_ros.sim.mesh import rotation
from f4x_ros.sim.motion import Motion, Pose, pose_from

#: How far "beside" stands to the right of "front", as the right one of a stereo pair [m].
BASELINE_M = 0.12

_ASIDE_RAD = float(np.deg2rad(45.0))

#: ``T_front_camera`` of each camera, optical frames; "front" is the scene's own.
MOUNTS: dict[str, Pose] = {
    "front": np.eye(4),
    "left": pose_from(rotation("y", -_ASIDE_RAD), (-0.08, 0.0, 0.0)),
    "right": pose_from(rotation("y", _ASIDE_RAD), (0.08, 0.0, 0.0)),
    "back": pose_from(rotation("y", np.pi), (0.0, 0.0, -0.1)),
    "beside": pose_from(np.eye(3), (BASELINE_M, 0.0, 0.0)),
}


def mounted(path: Motion, mount: str) -> Motion:
    """The path of a camera of `MOUNTS` beside one that goes along ``path``."""
    if mount == "front":
        return path
    return lambda t: path(t) @ MOUNTS[mount]
