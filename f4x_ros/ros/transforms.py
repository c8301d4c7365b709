# SPDX-License-Identifier: Apache-2.0
"""Listening to /tf and /tf_static."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from f4x_ros.core.data import Pose
from f4x_ros.core.errors import F4xError, shown
from f4x_ros.io.transforms import plain_frame
from f4x_ros.ros.conversions import pose_from_transform, stamp_ns
from f4x_ros.ros.transform_buffer import TransformBuffer


class TfListener(TransformBuffer):
    """A `TransformBuffer` that is filled from /tf and /tf_static.

    Args:
        node: subscribes.
        on_new: called after each message.
        on_bad: told the child frame, the stamp and what is wrong with a transform, which goes.
        options: those of `TransformBuffer`.

    Attributes:
        on_heard: told parent, child, stamp and pose of each transform that came.
    """

    def __init__(
        self,
        node: Node,
        *,
        on_new: Callable[[], None],
        on_bad: Callable[[str, int, str], None],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._node, self._on_new, self._on_bad = node, on_new, on_bad
        self.on_heard: Callable[[str, str, int, Pose], None] | None = None
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._subscriptions = [
            node.create_subscription(TFMessage, "/tf", self._on_moving, QoSProfile(depth=100)),
            node.create_subscription(TFMessage, "/tf_static", self._on_static, latched),
        ]

    def close(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    def _on_moving(self, message: TFMessage) -> None:
        self._take(message, static=False)

    def _on_static(self, message: TFMessage) -> None:
        self._take(message, static=True)

    def _take(self, message: TFMessage, *, static: bool) -> None:
        for stamped in message.transforms:
            parent, child = stamped.header.frame_id, stamped.child_frame_id
            ns = stamp_ns(stamped.header.stamp)
            if ns == 0 and not static:  # (some drivers send no stamps)
                ns = self._node.get_clock().now().nanoseconds
            try:
                pose = pose_from_transform(stamped.transform)
                self.add(parent, child, ns, pose, static=static)
                if self.on_heard is not None:
                    self.on_heard(plain_frame(parent), plain_frame(child), ns, pose)
            except F4xError as error:
                edge = f"transform {shown(parent)} -> {shown(child)}"
                self._on_bad(shown(child), ns, f"{edge} is skipped: {error}")
        self._on_new()
