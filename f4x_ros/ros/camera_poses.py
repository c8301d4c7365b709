# SPDX-License-Identifier: Apache-2.0
"""Where the camera and other viewpoints are in the map: from TF, or from a topic of poses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node

from f4x_ros.core.data import Pose
from f4x_ros.core.errors import F4xError
from f4x_ros.ros.complaints import Complaints
from f4x_ros.ros.conversions import pose_from_msg, stamp_ns
from f4x_ros.ros.parameters import Settings
from f4x_ros.ros.transforms import TransformBuffer, Transforms, listen

_CAMERA = "camera"  # the child of the poses that come from a topic


class CameraPoses:
    """Poses by time, with `pose_source: tf` from TF, with `topic` from what `take` was given.

    Args:
        node: listens to TF.
        settings: `map_frame`, `pose_source`, `time_jump_s`.
        complaints: is told about poses that are none.
        on_new: called when something came that a waiting frame may need.
    """

    def __init__(
        self, node: Node, settings: Settings, complaints: Complaints, on_new: Callable[[], None]
    ) -> None:
        self._map_frame: str = settings["map_frame"]
        self._from_topic = settings["pose_source"] == "topic"
        self._complaints, self._on_new = complaints, on_new
        self._poses = TransformBuffer(jump_s=settings["time_jump_s"])
        self._transforms: Transforms = listen(
            node,
            on_new=on_new,
            on_bad=partial(complaints.bad_input, "pose", "transforms_rejected"),
            jump_s=settings["time_jump_s"],
        )

    def take(self, message: PoseStamped) -> None:
        """A pose of the camera in the map, of a topic."""
        if message.header.frame_id != self._map_frame:
            text = f"pose is in frame '{message.header.frame_id}', expected '{self._map_frame}'"
            self._complaints.bad_input("pose", "poses_rejected", text)
            return
        try:
            pose = pose_from_msg(message.pose)
        except F4xError as error:
            self._complaints.bad_input("pose", "poses_rejected", str(error))
            return
        self._poses.add(self._map_frame, _CAMERA, stamp_ns(message.header.stamp), pose)
        self._on_new()

    def camera(self, frame_id: str, ns: int) -> Pose:
        """`T_map_camera` at a time; raises TransformUnavailableError naming what is missing."""
        if self._from_topic:
            return self._poses.lookup(self._map_frame, _CAMERA, ns)
        return self._transforms.lookup(self._map_frame, frame_id, ns)

    def view(self, view: PoseStamped) -> Pose | None:
        """`T_map_camera` of the viewpoint asked for; None for the camera's own.

        Raises:
            ValueError: the pose has no rotation, or values that are not finite.
            TransformUnavailableError: TF does not know the frame then.
        """
        if not view.header.frame_id:
            return None
        T_frame_view = pose_from_msg(view.pose)
        if view.header.frame_id == self._map_frame:
            return T_frame_view
        ns = stamp_ns(view.header.stamp)
        return self._transforms.lookup(self._map_frame, view.header.frame_id, ns) @ T_frame_view

    def forget_future(self) -> None:
        """Time jumped back: what was the future must not be mixed in."""
        self._transforms.forget_future()

    def close(self) -> None:
        """Stop listening to TF."""
        self._transforms.close()
