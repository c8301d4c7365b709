# SPDX-License-Identifier: Apache-2.0
"""Where the camera and other viewpoints are in the map: from TF, or from a topic of poses.

Where the node estimates the camera's pose itself, where the camera is on the robot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from geometry_msgs.msg import PoseStamped, TransformStamped
from rclpy.node import Node

from f4x_ros.core.base.limits import check_frame_name
from f4x_ros.core.data import Pose
from f4x_ros.core.errors import F4xError, shown
from f4x_ros.io.extrinsics import read_extrinsic
from f4x_ros.io.register import same_frame
from f4x_ros.io.transforms import plain_frame
from f4x_ros.ros.camera_links import CameraLinks, Links
from f4x_ros.ros.complaints import Complaints
from f4x_ros.ros.conversions import pose_from_msg, pose_from_transform, stamp_ns
from f4x_ros.ros.parameters import Settings
from f4x_ros.ros.transform_buffer import FOR_EVER_S, TransformBuffer, TransformUnavailableError
from f4x_ros.ros.transforms import TfListener

_CAMERA = "(camera)"  # where a message does not say whose pose it is


_MAX_PAIRS = 1000  # of frames that nothing connects


class Placement(NamedTuple):
    """Where the cameras of a frame are."""

    T_map_camera: Pose | None  # None where it is to be estimated
    T_color_depth: Pose | None  # the depth camera's frame; None where it is the same, or unknown
    links: Links = Links()  # where it is to be estimated


class CameraPoses:
    """Poses by time, with `pose_source: tf` from TF, with `topic` from what `take` was given.

    With `odometry` there are none but those of frames that are rigid with the camera.

    Args:
        node: listens to TF.
        settings: `map_frame`, `pose_source`, `odometry.*`, `time_jump_s`, `transform_timeout_s`.
        complaints: is told about poses that are none.
        on_new: called when something came that a waiting frame may need.
        transforms: those of another camera's; None = to be listened to.

    Attributes:
        transforms: what was heard on /tf and /tf_static.
    """

    def __init__(
        self,
        node: Node,
        settings: Settings,
        complaints: Complaints,
        on_new: Callable[[], None],
        transforms: TfListener | None = None,
    ) -> None:
        self._map_frame: str = plain_frame(settings["map_frame"])
        self._from_topic = settings["pose_source"] == "topic"
        self._estimated = settings["pose_source"] == "odometry"
        self._links = CameraLinks(settings, complaints)
        self._complaints, self._on_new = complaints, on_new
        rules = {
            "fixed": self._map_frame,
            "jump_s": settings["time_jump_s"],
            "patience_s": settings["transform_timeout_s"],
        }
        self._poses = TransformBuffer(**rules)
        self._owns_transforms = transforms is None
        self.transforms = transforms or TfListener(
            node,
            on_new=on_new,
            on_bad=complaints.bad_transform,
            on_choice=complaints.several_parents,
            **rules,
        )
        if transforms is None:
            for text in filter(None, settings["extrinsics"]):
                one = read_extrinsic(text)
                self.transforms.add(one.parent, one.child, 0, one.T_parent_child, static=True)
        self._child: str | None = None  # whose poses the topic gives
        self._unplaced: set[tuple[str, str]] = set()  # frames that nothing has ever connected

    def take(self, message: Any) -> None:
        """A pose of the camera in the map, of a topic, as one of the messages that have one."""
        parent, ns = plain_frame(message.header.frame_id), stamp_ns(message.header.stamp)
        if parent != self._map_frame:
            text = f"pose is in frame {shown(parent)}, expected '{self._map_frame}'"
            self._complaints.bad_pose("poses_of_other_frames", ns, text)
            return
        child = plain_frame(getattr(message, "child_frame_id", "")) or _CAMERA
        if child != self._child and self._child is not None:
            text = f"pose is that of {shown(child)}, expected '{self._child}' as before"
            self._complaints.bad_pose("poses_of_other_frames", ns, text)
            return
        try:
            check_frame_name("child_frame_id", child)
            self._poses.add(self._map_frame, child, ns, _pose_of(message))
        except F4xError as error:
            self._complaints.bad_pose("poses_unusable", ns, f"pose is skipped: {error}")
            return
        self._child = child
        self._on_new()

    def place(self, color_frame: str, depth_frame: str, ns: int, *, waited_s: float) -> Placement:
        """Where the cameras are at a time.

        Args:
            color_frame: of the image.
            depth_frame: of the depth image.
            ns: the stamp.
            waited_s: so long the frame waits; after `FOR_EVER_S` what can be done without is left
                out.

        Raises:
            TransformUnavailableError: names what is missing.
        """
        camera, links = None, Links()
        if self._estimated:
            links = self._links.at(self.transforms, color_frame, ns, waited_s=waited_s)
        else:
            camera = self._camera(color_frame, ns, waited_s)
        if same_frame(color_frame, depth_frame):
            return Placement(camera, None, links)
        pair = (color_frame, depth_frame)
        try:
            beside = self.transforms.lookup(color_frame, depth_frame, ns, waited_s=waited_s)
        except TransformUnavailableError:
            # (the next ones do not wait for what has not come by now)
            if waited_s < FOR_EVER_S and pair not in self._unplaced:
                raise
            if len(self._unplaced) >= _MAX_PAIRS:  # names that change all the time
                self._unplaced.clear()
            self._unplaced.add(pair)
            beside = None
        return Placement(camera, beside, links)

    def _camera(self, frame: str, ns: int, waited_s: float) -> Pose:
        """`T_map_camera`."""
        if not self._from_topic:
            return self.transforms.lookup(self._map_frame, frame, ns, waited_s=waited_s)
        child = self._child or _CAMERA
        posed = self._poses.lookup(self._map_frame, child, ns, waited_s=waited_s)
        if child in (_CAMERA, frame):
            return posed
        return posed @ self.transforms.lookup(child, frame, ns, waited_s=waited_s)

    def view(self, view: PoseStamped) -> Pose | None:
        """`T_map_camera` of the viewpoint asked for; None for the camera's own.

        Raises:
            ValueError: the pose has no rotation, or values that are not finite.
            TransformUnavailableError: TF does not know the frame then.
        """
        frame = plain_frame(view.header.frame_id)
        if not frame:
            return None
        T_frame_view = pose_from_msg(view.pose)
        if frame == self._map_frame:
            return T_frame_view
        ns = stamp_ns(view.header.stamp)
        there = self.transforms.lookup(self._map_frame, frame, ns, waited_s=FOR_EVER_S)
        return there @ T_frame_view

    def close(self) -> None:
        """Stop listening to TF."""
        if self._owns_transforms:
            self.transforms.close()


def _pose_of(message: Any) -> Pose:
    """[4, 4] of a PoseStamped, PoseWithCovarianceStamped, Odometry or TransformStamped."""
    if isinstance(message, TransformStamped):
        return pose_from_transform(message.transform)
    inner = message.pose
    return pose_from_msg(getattr(inner, "pose", inner))
