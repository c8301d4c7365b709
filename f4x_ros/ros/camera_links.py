# SPDX-License-Identifier: Apache-2.0
"""Where the camera is on the robot, for a node that estimates the camera's pose itself."""

from __future__ import annotations

from typing import NamedTuple

from f4x_ros.core.data import Pose
from f4x_ros.io.register import same_frame
from f4x_ros.ros.complaints import Complaints
from f4x_ros.ros.parameters import Settings
from f4x_ros.ros.transform_buffer import FOR_EVER_S, TransformBuffer, TransformUnavailableError


class Links(NamedTuple):
    """Transforms at the stamp of a frame; None where nobody asked for them."""

    T_base_camera: Pose | None = None
    T_odom_camera: Pose | None = None  # also None where it did not come in time


class CameraLinks:
    """Looks up what the node needs of TF beside its own estimate.

    Args:
        settings: `odometry.base_frame`, `odometry.odom_frame`, `odometry.publish_tf`.
        complaints: is told when the odometry of somebody else does not come.
    """

    def __init__(self, settings: Settings, complaints: Complaints) -> None:
        self._base: str = settings["odometry.base_frame"]
        wants_odom = settings["odometry.publish_tf"] == "map_to_odom"
        self._odom: str = settings["odometry.odom_frame"] if wants_odom else ""
        self._complaints = complaints
        self._waits = True  # for odom: not again for what did not come the last time

    def at(self, transforms: TransformBuffer, camera: str, ns: int, *, waited_s: float) -> Links:
        """The transforms of a camera frame at a stamp.

        A frame is of no use without the base, as the map begins there. Without odom it is mapped,
        and only the transform from the map to odom is not published.

        Raises:
            TransformUnavailableError: names what is missing and may still come.
        """
        base = None
        if self._base and not same_frame(self._base, camera):
            base = transforms.lookup(self._base, camera, ns, waited_s=waited_s)
        if not self._odom:
            return Links(base)
        try:
            odom = transforms.lookup(self._odom, camera, ns, waited_s=waited_s)
        except TransformUnavailableError as error:
            if self._waits and waited_s < FOR_EVER_S:
                raise
            self._waits = False
            self._complaints.bad_input(
                "transform", "", f"{error}: no transform to '{self._odom}' is published"
            )
            return Links(base)
        self._waits = True
        return Links(base, odom)
