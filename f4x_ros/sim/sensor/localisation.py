# SPDX-License-Identifier: Apache-2.0
"""What localisation believes: the true pose with a slow drift to and fro and a little jitter."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from f4x_ros.core.data import Pose
from f4x_ros.sim.sensor.seeded import generator, wander

_CYCLES = (1, 2, 3, 5, 8, 13, 21)  # a minute; the fastest takes 3 s
_DRIFT_M = 0.009  # rms of each axis: 1.6 cm in all
_DRIFT_RAD = np.deg2rad(0.17)  # rms about each axis: 0.3 degrees in all
_JITTER_M = 0.0008  # of each axis, from frame to frame
_JITTER_RAD = np.deg2rad(0.02)


def believed(T_map_camera: Pose, moment: int, seed: int) -> Pose:
    """The pose ``[4, 4]`` that localisation reports for a true one.

    The drift has the spectrum of a random walk (the error model of odometry in Thrun, Burgard, Fox:
    Probabilistic Robotics, 2005, chapter 5), kept from running away as a localisation against a
    map keeps it: its mean over a minute is 0. Position errs along the axes of the map, orientation
    about the camera.
    """
    drift = wander("pose", seed, moment, 6, _CYCLES)
    jitter = generator("pose jitter", seed, moment).standard_normal(6)
    out = T_map_camera.copy()
    out[:3, 3] += _DRIFT_M * drift[:3] + _JITTER_M * jitter[:3]
    turn = Rotation.from_rotvec(_DRIFT_RAD * drift[3:] + _JITTER_RAD * jitter[3:])
    out[:3, :3] = T_map_camera[:3, :3] @ turn.as_matrix()
    return out
