# SPDX-License-Identifier: Apache-2.0
"""The subscriptions of an active node, and what the ROS graph says about them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import MessageInfo, Subscription
from sensor_msgs.msg import CameraInfo, Image

from f4x_ros.ros.conversions import stamp_ns
from f4x_ros.ros.diagnostics import Health
from f4x_ros.ros.parameters import Settings
from f4x_ros.ros.sync import StampPairing

_SILENT_S = 3.0
"""A publisher from which nothing came for so long is silent."""
_NEVER_PAIRED = 5
"""So many images and as many depth images without a pair are a pattern."""

# Reliable where all publishers are, since best effort loses large images; best effort where one of
# them is, since they would not match otherwise. The middleware decides when the subscription is
# made; `Input.repair` makes it again when a publisher came later.
_QOS = QoSProfile(
    depth=10,
    reliability=ReliabilityPolicy.BEST_AVAILABLE,
    durability=DurabilityPolicy.VOLATILE,
)


class Input:
    """One subscription that adapts to its publishers."""

    def __init__(
        self, node: Node, topic: str, kind: Any, callback: Callable[[Any], None], health: Health
    ) -> None:
        self.topic = topic
        self.received = 0
        self.last_s = time.monotonic()
        self._node, self._kind, self._callback, self._health = node, kind, callback, health
        self._misfit: str | None = None  # the policy of a publisher that does not fit
        self._repaired = False
        self._subscription = self._subscribe()

    def publishers(self) -> int:
        """Publishers that are seen in the ROS graph."""
        return self._node.count_publishers(self._subscription.topic_name)

    def resolved(self) -> str:
        """Full name of the topic, after remapping."""
        return self._subscription.topic_name

    def repair(self) -> str | None:
        """Subscribe again if the QoS did not fit; what is wrong if that did not help."""
        if self._misfit is None:
            return None
        if not self._repaired:
            self._node.get_logger().info(
                f"'{self.resolved()}': a publisher offers another {self._misfit}, adapting to it"
            )
            self._misfit, self._repaired = None, True
            self._node.destroy_subscription(self._subscription)
            self._subscription = self._subscribe()
            return None
        requested = self._subscription.qos_profile.reliability.name
        return (
            f"a publisher of '{self.resolved()}' offers an incompatible {self._misfit} "
            f"(requested: {requested}); remove the qos_overrides of the subscription"
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def _subscribe(self) -> Subscription[Any]:
        return self._node.create_subscription(
            self._kind,
            self.topic,
            self._on_message,
            QoSProfile(depth=_QOS.depth, reliability=_QOS.reliability, durability=_QOS.durability),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=self._on_misfit),
        )

    def _on_message(self, message: Any, info: MessageInfo) -> None:
        came_ns = info["received_timestamp"]
        if came_ns:  # (a middleware may not say it)
            self._health.called_back((time.time_ns() - came_ns) / 1e6)
        self.received += 1
        self.last_s = time.monotonic()
        self._health.count(f"received.{self.topic}")
        self._callback(message)

    def _on_misfit(self, event: Any) -> None:
        self._misfit = qos_policy_name_from_kind(event.last_policy_kind).lower()


class Inputs:
    """Image, calibration, depth and, if asked for, pose; complete sets go to `on_set`."""

    def __init__(
        self,
        node: Node,
        settings: Settings,
        health: Health,
        on_set: Callable[[dict[str, Any]], None],
        on_pose: Callable[[PoseStamped], None],
    ) -> None:
        self._health, self._on_set = health, on_set
        self._pairing = StampPairing(
            "image",
            partners=["depth/image"],
            latched=["camera_info"],
            slop_s=settings["sync.slop_s"],
            queue_size=settings["sync.queue_size"],
            jump_s=settings["time_jump_s"],
        )
        self._paired = 0
        self._told: Counter[str] = Counter()  # of what was not paired
        self._pairing_needs = ("image", "depth/image")
        kinds = {"image": Image, "camera_info": CameraInfo, "depth/image": Image}
        self._inputs: list[Input] = []
        try:
            for topic, kind in kinds.items():
                self._inputs.append(Input(node, topic, kind, self._taker(topic), health))
            if settings["pose_source"] == "topic":
                self._inputs.append(Input(node, "pose", PoseStamped, on_pose, health))
        except Exception:  # a qos_override that is none
            self.close()
            raise

    def check(self) -> None:
        """Report what is wrong with the topics; called before each diagnostics message."""
        now = time.monotonic()
        missing = [i.resolved() for i in self._inputs if not i.received and not i.publishers()]
        self._tell("topic", [f"nobody publishes '{name}'" for name in missing])
        self._tell("qos", [text for i in self._inputs if (text := i.repair())])
        silent = [
            f"nothing comes from '{i.resolved()}' for {now - i.last_s:.0f} s"
            + ("" if i.publishers() else " and its publisher is gone")
            for i in self._inputs
            if now - i.last_s > _SILENT_S
            and i.resolved() not in missing
            # (calibration may be sent once)
            and not (i.topic == "camera_info" and i.received)
        ]
        self._tell("silent", silent)
        self._check_pairs()

    def close(self) -> None:
        """Unsubscribe; what waits for partners is counted as unpaired and forgotten."""
        for one in self._inputs:
            one.close()
        self._inputs = []
        self._pairing.give_up()
        self._count_unpaired()

    def _taker(self, topic: str) -> Callable[[Any], None]:
        def take(message: Any) -> None:
            for complete in self._pairing.add(topic, stamp_ns(message.header.stamp), message):
                self._paired += 1
                self._health.count("paired")
                self._on_set(complete)

        return take

    def _count_unpaired(self) -> None:
        """Tell what is new since the last time: counters go on over deactivation."""
        pairing = self._pairing
        now = {f"dropped.unpaired.{topic}": count for topic, count in pairing.unpaired.items()}
        now["dropped.duplicate"] = pairing.duplicates
        for name, count in now.items():
            self._health.count(name, count - self._told[name])
            self._told[name] = count

    def _check_pairs(self) -> None:
        self._count_unpaired()
        received = {i.topic: i.received for i in self._inputs}
        if self._paired or min(received[t] for t in self._pairing_needs) < _NEVER_PAIRED:
            return
        if not received["camera_info"]:
            return  # the missing topic says it
        miss = self._pairing.nearest_miss_s
        near = "" if miss is None else f", the nearest differ by {miss:.3f} s"
        self._health.problem(
            "sync", f"the stamps of image and depth/image never pair{near} (parameter sync.slop_s)"
        )

    def _tell(self, kind: str, problems: list[str]) -> None:
        if problems:
            self._health.problem(kind, "; ".join(problems))
        else:
            self._health.solved(kind)
