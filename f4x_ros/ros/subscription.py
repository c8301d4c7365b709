# SPDX-License-Identifier: Apache-2.0
"""One topic as its publishers offer it: type, reliability, durability."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any

from rclpy._rclpy_pybind11 import RCLError  # (no public module has it)
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import MessageInfo, Subscription

from f4x_ros.core.errors import BadInputError
from f4x_ros.ros.conversions import stamp_msg, stamp_ns
from f4x_ros.ros.diagnostics import Health

_DEPTH = 10
_NAMED = 4  # publishers of one topic
# Reliable where all publishers are, since best effort loses large images; best effort where one of
# them is, since they would not match otherwise. The middleware decides when the subscription is
# made; `Input.repair` makes it again when a publisher came later.
_RELIABILITY = ReliabilityPolicy.BEST_AVAILABLE
# "Best available" durability would be decided once, by who is there then. So what may be latched
# gets a second subscription, which only latching publishers match.
_LATCHED = QoSProfile(
    depth=_DEPTH,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


def type_name(kind: type) -> str:
    """Name of a message class in the ROS graph, e.g. sensor_msgs/msg/Image."""
    return f"{kind.__module__.partition('.')[0]}/msg/{kind.__name__}"


class Input:
    """A subscription that adapts to its publishers.

    Args:
        node: subscribes.
        topic: name before remapping.
        kinds: types of message that are read, the expected one first. What a topic has is asked of
            the ROS graph: a topic has one type.
        callback: takes the messages. A header stamp of zero, which some drivers send, has been
            replaced by the node's time.
        health: counts `received.<name>` and `stamps_replaced`.
        name: of the input for people and counters; None = the topic.
        optional: nobody need publish it.
        once: it may be sent once, perhaps before the node began to listen (latched).

    Attributes:
        received: messages so far.
        stamped: those of them whose stamp is the time of receipt.
        last_s: when the last one came, or the subscription began, monotonic.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        kinds: Sequence[type],
        callback: Callable[[Any], None],
        health: Health,
        *,
        name: str | None = None,
        optional: bool = False,
        once: bool = False,
    ) -> None:
        self.name = topic if name is None else name
        self.optional, self.once = optional, once
        self.received = self.stamped = 0
        self.last_s = time.monotonic()
        self._node, self._topic, self._kinds = node, topic, tuple(kinds)
        self._callback, self._health = callback, health
        self._misfit: str | None = None  # the policy of a publisher that does not fit
        self._repaired = False
        self._others_named = False
        self._seen: deque[int] = deque(maxlen=4 * _DEPTH)  # source times, where there are two ears
        self._subscriptions: list[Subscription[Any]] = []
        self._kind = self._fitting(self._types()) or self._kinds[0]
        self._subscribe()

    def publishers(self) -> int:
        """Publishers that are seen in the ROS graph, of whatever type."""
        return self._node.count_publishers(self.resolved())

    def resolved(self) -> str:
        """Full name of the topic, after remapping."""
        return self._node.resolve_topic_name(self._topic)

    def adapt(self) -> None:
        """Subscribe by the type that the topic has, if it is another one that is read."""
        types = self._types()
        if not types or type_name(self._kind) in types:
            self._name_others(types)
            if not self._subscriptions:  # it had another type, in this process
                self._subscribe()
            return
        fits = self._fitting(types)
        if fits is not None:
            self._node.get_logger().info(
                f"'{self.resolved()}' has type {type_name(fits)}: it is read as such"
            )
            self._kind = fits
            self._subscribe()

    def other_type(self) -> str:
        """What is wrong with the type of the topic; '' = nothing."""
        types = self._types()
        if not types or (type_name(self._kind) in types and self._subscriptions):
            return ""
        has = " and ".join(f"{kind} (from {by})" for kind, by in sorted(types.items()))
        read = " or ".join(type_name(kind) for kind in self._kinds)
        return f"'{self.resolved()}' has type {has}, expected {read}"

    def crowd(self) -> str:
        """Who publishes the topic, if it is more than one; '' = nobody else does."""
        ends = [
            f"{end.node_namespace.rstrip('/')}/{end.node_name}"
            for end in self._node.get_publishers_info_by_topic(self.resolved())
            if end.topic_type == type_name(self._kind)
        ]
        if len(ends) < 2:
            return ""
        return f"'{self.resolved()}' has {len(ends)} publishers: {', '.join(sorted(ends)[:_NAMED])}"

    def repair(self) -> str | None:
        """Subscribe again if the QoS did not fit; what is wrong if that did not help."""
        if self._misfit is None:
            return None
        if not self._repaired:
            self._node.get_logger().info(
                f"'{self.resolved()}': a publisher offers another {self._misfit}, adapting to it"
            )
            self._misfit, self._repaired = None, True
            self._subscribe()
            return None
        requested = self._subscriptions[0].qos_profile.reliability.name
        return (
            f"a publisher of '{self.resolved()}' offers an incompatible {self._misfit} "
            f"(requested: {requested}); remove the qos_overrides of the subscription"
        )

    def close(self) -> None:
        """Unsubscribe."""
        for one in self._subscriptions:
            self._node.destroy_subscription(one)
        self._subscriptions = []

    def _fitting(self, types: Collection[str]) -> type | None:
        """The first of the types that are read that a topic has."""
        return next((kind for kind in self._kinds if type_name(kind) in types), None)

    def _types(self) -> dict[str, str]:
        """Types of the topic in the ROS graph, with the first node that publishes each."""
        found: dict[str, str] = {}
        for end in self._node.get_publishers_info_by_topic(self.resolved()):
            found.setdefault(end.topic_type, f"{end.node_namespace.rstrip('/')}/{end.node_name}")
        return found

    def _name_others(self, types: dict[str, str]) -> None:
        others = {kind: by for kind, by in types.items() if kind != type_name(self._kind)}
        if others and not self._others_named:
            self._others_named = True
            said = " and ".join(f"{kind} (from {by})" for kind, by in sorted(others.items()))
            self._node.get_logger().warning(
                f"'{self.resolved()}' is published as {said}, too: only {type_name(self._kind)} "
                "is read"
            )

    def _subscribe(self) -> None:
        """Listen; not yet, where this process itself publishes the topic with another type.

        Raises:
            BadInputError: the middleware refuses for another reason.
        """
        self.close()
        try:
            self._create()
        except RCLError as error:
            self.close()
            if not self._types().keys() - {type_name(self._kind)}:
                raise BadInputError(
                    f"'{self.resolved()}' cannot be subscribed to as {type_name(self._kind)}: "
                    f"{error}"
                ) from error

    def _create(self) -> None:
        events = SubscriptionEventCallbacks(incompatible_qos=self._on_misfit)
        self._subscriptions.append(
            self._node.create_subscription(
                self._kind,
                self._topic,
                self._on_message,
                QoSProfile(
                    depth=_DEPTH, reliability=_RELIABILITY, durability=DurabilityPolicy.VOLATILE
                ),
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
                event_callbacks=events,
            )
        )
        if self.once:
            # (publishers that do not latch do not match it, and that is as it should be)
            silent = SubscriptionEventCallbacks(
                incompatible_qos=lambda event: None, use_default_callbacks=False
            )
            self._subscriptions.append(
                self._node.create_subscription(
                    self._kind, self._topic, self._on_message, _LATCHED, event_callbacks=silent
                )
            )

    def _on_message(self, message: Any, info: MessageInfo) -> None:
        if len(self._subscriptions) > 1 and self._heard_already(info["source_timestamp"]):
            return
        came_ns = info["received_timestamp"]
        if came_ns:  # (a middleware may not say it)
            self._health.called_back((time.time_ns() - came_ns) / 1e6)
        self.received += 1
        self.last_s = time.monotonic()
        self._health.count(f"received.{self.name}")
        if stamp_ns(message.header.stamp) == 0:
            self._stamp(message)
        self._callback(message)

    def _heard_already(self, source_ns: int) -> bool:
        """True for what came by the other subscription, too."""
        if not source_ns:  # a middleware that does not say it
            return False
        if source_ns in self._seen:
            return True
        self._seen.append(source_ns)
        return False

    def _stamp(self, message: Any) -> None:
        self.stamped += 1
        message.header.stamp = stamp_msg(self._node.get_clock().now().nanoseconds)
        self._health.count("stamps_replaced")
        self._health.problem(
            "stamps", f"'{self.resolved()}' has header stamps of zero: the time of receipt is used"
        )

    def _on_misfit(self, event: Any) -> None:
        self._misfit = qos_policy_name_from_kind(event.last_policy_kind).lower()
