# SPDX-License-Identifier: Apache-2.0
"""The camera's pose as the node estimates it: `~/odometry`, a transform, and how sure it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions

from f4x_ros.core.data import Pose, inverse
from f4x_ros.core.motion.odometry import PoseEstimate, TrackingState, carried, twist_carried
from f4x_ros.core.world.camera_pose import WHY_LOST, WHY_NOT_BEGUN
from f4x_ros.io.transforms import plain_frame
from f4x_ros.ros.camera_links import Links
from f4x_ros.ros.camera_poses import CameraPoses
from f4x_ros.ros.complaints import Complaints
from f4x_ros.ros.conversions import header, pose_msg
from f4x_ros.ros.diagnostics import FOR_EVER_S, Health
from f4x_ros.ros.own_transform import OwnTransform
from f4x_ros.ros.parameters import Settings

_LEAST_VARIANCE = 1e-9
"""m^2 and rad^2: where the map begins nothing is unsure, but filters divide by this."""
_UNKNOWN_VARIANCE = 1e6
"""(m/s)^2 and (rad/s)^2 of a speed of which nothing is known."""
_KINDS = ("lost", "weak", "own_tf")
QOS = QoSProfile(depth=10)
"""Of `~/odometry`: reliable, as the other topics."""


class OdometryPublisher:
    """Publishes estimates, and nothing of a lost camera.

    All but the constructor, `details` and `close` is called
    by the worker's thread.

    Args:
        node: carries the topics.
        settings: `map_frame`, `odometry.*`.
        health: counts, and is told what is wrong.
        complaints: is told about frames of a lost camera.
        poses: knows TF.
    """

    def __init__(
        self,
        node: Node,
        settings: Settings,
        health: Health,
        complaints: Complaints,
        poses: CameraPoses,
    ) -> None:
        self._node, self._health, self._complaints = node, health, complaints
        self._map_frame: str = plain_frame(settings["map_frame"])
        self._base: str = settings["odometry.base_frame"]
        self._odom: str = settings["odometry.odom_frame"]
        self._kind: str = settings["odometry.publish_tf"]
        self._ahead_ns = int(settings["odometry.transform_tolerance_s"] * 1e9)
        self._publisher = node.create_publisher(
            Odometry,
            "~/odometry",
            QOS,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._transform: OwnTransform | None = None
        if self._kind != "none":
            self._transform = OwnTransform(
                node, self._map_frame, poses.transforms, self._advice, self._on_conflict
            )
        self._begun = False  # the map has
        self._told: PoseEstimate | None = None
        self._state: tuple[TrackingState, int] | None = None  # and the stamp since which it is so
        self._lost = 0  # frames since then

    # --- frames ---------------------------------------------------------------------------------

    def restart(self) -> None:
        """A new map begins."""
        self._begun = False

    def tell(self, estimate: PoseEstimate, camera: str, links: Links) -> None:
        """Publish where the camera was, or say that nobody knows.

        Args:
            estimate: of a frame.
            camera: its optical frame.
            links: where that is on the robot.
        """
        self._told = estimate
        if self._state is None or self._state[0] is not estimate.state:
            self._state, self._lost = (estimate.state, estimate.stamp_ns), 0
        if estimate.T_map_camera is None:
            self._tell_lost(self._state[1])
            return
        self._begun = True
        self._health.solved("lost")
        if estimate.relocalised:
            self._health.count("odometry_relocalised")
        if estimate.loop_closed:
            self._health.count("odometry_loops_closed")
        if estimate.state is TrackingState.WEAK:
            self._health.count("odometry_weak")
            text = f"the pictures hold the camera badly: {_in_words(estimate)}"
            self._health.problem("weak", text)
        if not self._node.context.ok():  # after Ctrl-C
            return
        if self._transform is not None:
            self._send(self._transform, estimate, camera, links)
        child = self._base or camera
        self._publisher.publish(odometry_msg(estimate, self._map_frame, child, links.T_base_camera))

    def _tell_lost(self, since_ns: int) -> None:
        self._lost += 1
        since = f"since {since_ns / 1e9:.3f}, frames: {self._lost}"
        why = WHY_LOST if self._begun else WHY_NOT_BEGUN
        self._health.forget("weak")
        self._complaints.lost_camera(f"{why} ({since}; no odometry and no transform meanwhile)")

    def _send(
        self, transform: OwnTransform, estimate: PoseEstimate, camera: str, links: Links
    ) -> None:
        """Broadcast the one transform that was asked for."""
        pose = estimate.T_map_camera
        assert pose is not None
        if self._kind == "map_to_odom":
            if links.T_odom_camera is not None:
                corrected = pose @ inverse(links.T_odom_camera)
                transform.send(self._odom, estimate.stamp_ns + self._ahead_ns, corrected)
            return
        if links.T_base_camera is not None:
            pose = pose @ inverse(links.T_base_camera)
        transform.send(self._base or camera, estimate.stamp_ns, pose)

    # --- the transform --------------------------------------------------------------------------

    def _advice(self, parent: str) -> str:
        """What to do where a frame has another parent already."""
        if self._kind == "map_to_camera" and parent != self._map_frame:
            return (
                f"if '{parent}' is a part of the robot, set odometry.base_frame to it or to a "
                "frame that carries it, and odometry.publish_tf to map_to_base"
            )
        if self._kind == "map_to_base" and parent != self._map_frame:
            return (
                f"if '{parent}' is the frame of wheel odometry, set odometry.odom_frame to it and "
                "odometry.publish_tf to map_to_odom"
            )
        return "stop the other one, or set odometry.publish_tf to none"

    def _on_conflict(self, text: str) -> None:
        self._complaints.bad_input("own_tf", "", text)
        self._health.problem("own_tf", text, hold_s=FOR_EVER_S)

    # --- state ----------------------------------------------------------------------------------

    def details(self) -> dict[str, object]:
        """Values for the diagnostics."""
        told, state = self._told, self._state
        values: dict[str, object] = {"odometry_state": "not begun"}
        if state is not None:
            values["odometry_state"] = state[0].value
            values["odometry_state_since"] = f"{state[1] / 1e9:.3f}"
        if told is not None and told.covariance is not None:
            position, rotation = _deviations(told)
            values |= {
                "odometry_position_std_m": f"{position:.4f}",
                "odometry_rotation_std_deg": f"{np.degrees(rotation):.3f}",
                "odometry_compared": f"{told.compared:.0f}",
                "odometry_inliers": f"{told.inliers:.3f}",
            }
        tf = "none" if self._transform is None else self._transform.state
        return {**values, "odometry_tf": tf}

    def close(self) -> None:
        """Take the topics away."""
        self._node.destroy_publisher(self._publisher)
        if self._transform is not None:
            self._transform.close()
        self._health.forget(*_KINDS)


def odometry_msg(
    estimate: PoseEstimate, map_frame: str, child: str, T_child_camera: Pose | None = None
) -> Odometry:
    """Pose of a frame that is rigid with the camera, about the axes of the map, and its twist.

    Args:
        estimate: of a camera that is not lost.
        map_frame: the frame of its pose.
        child: the frame whose pose and twist the message is to have.
        T_child_camera: [4, 4]; None = it is the camera's own.
    """
    pose, covariance = estimate.T_map_camera, estimate.covariance
    assert pose is not None
    assert covariance is not None
    twist, twist_covariance = estimate.twist, estimate.twist_covariance
    if T_child_camera is not None:
        there = pose @ inverse(T_child_camera)
        covariance = carried(covariance, there[:3, 3] - pose[:3, 3])
        pose = there
        if twist is not None and twist_covariance is not None:
            change = twist_carried(T_child_camera)
            twist, twist_covariance = change @ twist, change @ twist_covariance @ change.T
    message = Odometry(header=header(estimate.stamp_ns, map_frame), child_frame_id=child)
    message.pose.pose = pose_msg(pose)
    message.pose.covariance = _flat(covariance + _LEAST_VARIANCE * np.eye(6))
    if twist is None or twist_covariance is None:
        message.twist.covariance = _flat(_UNKNOWN_VARIANCE * np.eye(6))
        return message
    _fill(message.twist.twist.linear, twist[:3])
    _fill(message.twist.twist.angular, twist[3:])
    message.twist.covariance = _flat(twist_covariance + _LEAST_VARIANCE * np.eye(6))
    return message


def _fill(vector: Any, xyz: NDArray[np.float64]) -> None:
    vector.x, vector.y, vector.z = xyz.tolist()


def _flat(matrix: NDArray[np.float64]) -> list[float]:
    flat: list[float] = matrix.reshape(36).tolist()
    return flat


def _deviations(estimate: PoseEstimate) -> tuple[float, float]:
    """The largest standard deviations of position (metres) and rotation (radians)."""
    assert estimate.covariance is not None
    one, other = estimate.covariance[:3, :3], estimate.covariance[3:, 3:]
    position, rotation = (np.sqrt(max(0.0, np.linalg.eigvalsh(part)[-1])) for part in (one, other))
    return float(position), float(rotation)


def _in_words(estimate: PoseEstimate) -> str:
    position, rotation = _deviations(estimate)
    unsure = f"unsure by {position:.3f} m and {np.degrees(rotation):.2f} degrees"
    if not estimate.fits:
        return f"{unsure}, its pose is only predicted and the frame is not mapped"
    return f"{unsure}, {100 * estimate.inliers:.0f} % of what is compared agrees"
