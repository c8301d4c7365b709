# SPDX-License-Identifier: Apache-2.0
"""The one transform that the node broadcasts, as long as nobody else does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile
from tf2_msgs.msg import TFMessage

from f4x_ros.core.data import Pose
from f4x_ros.ros.conversions import transform_msg
from f4x_ros.ros.transforms import TfListener

LISTEN_S = 2.0
"""So long /tf is listened to before the first transform is sent: a localisation may be running."""
_REMEMBERED = 1000  # transforms of ours that are known again when they are heard
_SAME = 1e-6  # metres, and entries of the rotation, that a transform heard again may be off


class OwnTransform:
    """Broadcasts where one frame is, and stops for good when somebody else says it, too.

    A frame has one parent in TF (REP-105), and one program that says where it is. Who hears two
    jumps between them, so this one yields. `send` is called by the worker's thread, `heard` by the
    executor's.

    Args:
        node: publishes on /tf.
        parent: the fixed frame.
        transforms: what was heard on /tf and /tf_static.
        advice: by the parent that another one gives the child, what to do about it, in words.
        on_conflict: told, once, what is wrong.
    """

    def __init__(
        self,
        node: Node,
        parent: str,
        transforms: TfListener,
        advice: Callable[[str], str],
        on_conflict: Callable[[str], None],
    ) -> None:
        self._node, self._parent, self._transforms = node, parent, transforms
        self._advice, self._on_conflict = advice, on_conflict
        self._publisher = node.create_publisher(TFMessage, "/tf", QoSProfile(depth=100))
        self._since_s = time.monotonic()
        self._lock = threading.Lock()
        self._child = ""
        self._sent: dict[int, Pose] = {}  # by stamp, the latest
        self.conflict = ""  # why it has stopped
        transforms.on_heard = self.heard

    @property
    def state(self) -> str:
        """What it does, for the diagnostics."""
        if self.conflict:
            return "stopped"
        return f"{self._parent} -> {self._child}" if self._sent else "not yet"

    def send(self, child: str, ns: int, T_parent_child: Pose) -> None:
        """Broadcast it, unless it is too early or not ours to say."""
        if self.conflict or time.monotonic() - self._since_s < LISTEN_S:
            return
        if child != self._child:
            others = self._transforms.parents_of(child)
            if others:
                self._stop(child, others[0])
                return
        with self._lock:
            self._child = child
            self._sent[ns] = T_parent_child
            while len(self._sent) > _REMEMBERED:
                del self._sent[next(iter(self._sent))]
        message = transform_msg(T_parent_child, ns, self._parent, child)
        self._publisher.publish(TFMessage(transforms=[message]))

    def heard(self, parent: str, child: str, ns: int, T_parent_child: Pose) -> None:
        """A transform came on /tf or /tf_static, perhaps the own one."""
        with self._lock:
            if self.conflict or child != self._child:
                return
            own = self._sent.get(ns)
        if (
            parent == self._parent
            and own is not None
            and np.allclose(own, T_parent_child, atol=_SAME)
        ):
            return
        self._stop(child, parent)

    def _stop(self, child: str, parent: str) -> None:
        own = self._node.get_fully_qualified_name()
        topic = self._node.resolve_topic_name("/tf")
        infos = [
            *self._node.get_publishers_info_by_topic(topic),
            *self._node.get_publishers_info_by_topic(f"{topic}_static"),
        ]
        names = {f"{one.node_namespace.rstrip('/')}/{one.node_name}" for one in infos} - {own}
        who = f" (one of {', '.join(sorted(names))})" if names else ""
        self.conflict = (
            f"somebody else{who} says where '{child}' is: in '{parent}'; this node does not "
            f"publish '{self._parent}' -> '{child}' any more until it is configured anew; "
            f"{self._advice(parent)}"
        )
        self._on_conflict(self.conflict)

    def close(self) -> None:
        """Say nothing more."""
        self._transforms.on_heard = None
        self._node.destroy_publisher(self._publisher)
