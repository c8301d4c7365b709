# SPDX-License-Identifier: Apache-2.0
"""What is known of the camera's pose: where, how surely, and whether at all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from f4x_ros.core.data import Pose, inverse

Twist = NDArray[np.float64]  # [6] metres and radians: shift, then turn


class TrackingState(Enum):
    """How it stands with the camera's pose."""

    GIVEN = "given"  # it comes with the frames
    TRACKING = "tracking"  # it is estimated
    WEAK = "weak"  # it is estimated, and the pictures hold it badly: see the covariance
    LOST = "lost"  # nobody knows
    BEGINNING = "beginning"  # a camera without depth has not moved enough to know distances
    STILL = "still"  # a camera without depth only turns, as far as can be told


@dataclass(frozen=True, eq=False)
class PoseEstimate:
    """Where the camera was at a stamp.

    Attributes:
        stamp_ns: of the frame.
        state: whether the rest is to be trusted.
        T_map_camera: [4, 4]; None while lost.
        covariance: [6, 6] of position (metres) and rotation (radians) about the axes of the map
            frame, as nav_msgs/Odometry has it; it grows from keyframe to keyframe, and with each
            frame whose pose is only predicted. None while lost.
        twist: [6] metres and radians a second along the camera's axes since the frame before; None
            where that is not known: in the first frame, where it is lost, and when it is found
            again.
        twist_covariance: [6, 6] of it; None where there is none.
        fits: the picture shows what was expected from there; else the pose is only predicted, and
            the frame is not to be mapped.
        relocalised: it was lost in the frame before.
        loop_closed: a place was seen again and the path corrected; the pose may have jumped.
        loss: mean share 0..1 by which what was expected and what was seen differ; NaN = not known.
        compared: places where the two were compared, each by its trust; 0 while lost.
        inliers: share 0..1 of them that agree within the noise of the camera.
    """

    stamp_ns: int
    state: TrackingState
    T_map_camera: Pose | None
    covariance: NDArray[np.float64] | None = None
    twist: Twist | None = None
    twist_covariance: NDArray[np.float64] | None = None
    fits: bool = True
    relocalised: bool = False
    loop_closed: bool = False
    loss: float = float("nan")
    compared: float = 0.0
    inliers: float = 0.0


def moved(twist: Twist) -> Pose:
    """The rigid motion [4, 4] of a shift and a turn."""
    out = np.eye(4)
    out[:3, :3] = Rotation.from_rotvec(twist[3:]).as_matrix()
    out[:3, 3] = twist[:3]
    return out


def twist_of(motion: Pose) -> Twist:
    """Shift and turn [6] of a rigid motion; the inverse of `moved`."""
    return np.concatenate([motion[:3, 3], Rotation.from_matrix(motion[:3, :3]).as_rotvec()])


def between(T_map_a: Pose, T_map_b: Pose) -> Pose:
    """`T_a_b`."""
    return inverse(T_map_a) @ T_map_b


def about_map_axes(of_camera: NDArray[np.float64], T_map_camera: Pose) -> NDArray[np.float64]:
    """A covariance [6, 6] along the camera's axes as one along those of the map."""
    turn = np.kron(np.eye(2), T_map_camera[:3, :3])
    return np.asarray(turn @ of_camera @ turn.T)


def carried(covariance: NDArray[np.float64], offset_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance of a pose as that of another one that is rigidly `offset_m` away from it.

    Args:
        covariance: [6, 6] about the axes of the map.
        offset_m: [3] from the first to the other, along these axes: turned with the first one.
    """
    x, y, z = offset_m
    lever = np.eye(6)
    lever[:3, 3:] = [[0, z, -y], [-z, 0, x], [y, -x, 0]]  # turn x offset
    return np.asarray(lever @ covariance @ lever.T)


def twist_carried(T_b_a: Pose) -> NDArray[np.float64]:
    """Takes the twist of frame a, along its own axes, to that of frame b, rigid with it: [6, 6]."""
    x, y, z = T_b_a[:3, 3]
    out = np.kron(np.eye(2), T_b_a[:3, :3])
    # b's origin is at -T_b_a[:3, 3] from a's: v_b = R v_a + t x (R w_a)
    out[:3, 3:] = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ T_b_a[:3, :3]
    return np.asarray(out)
