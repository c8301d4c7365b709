# SPDX-License-Identifier: Apache-2.0
"""The subscriptions of an active node, and what the ROS graph says about them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped, TransformStamped
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from f4x_ros.io.pairing import SLOP_OF_PERIOD
from f4x_ros.ros.channels import IMAGE, INFO, RIGHT_INFO, Channels
from f4x_ros.ros.conversions import stamp_ns
from f4x_ros.ros.diagnostics import CameraHealth, Health
from f4x_ros.ros.parameters import Settings
from f4x_ros.ros.subscription import Input
from f4x_ros.ros.sync import StampPairing

_SILENT_S = 3.0
"""A publisher from which nothing came for so long is silent."""
_STARTING_S = 3.0
"""So long the other programs may take to appear: a launch file starts them all at once."""
_NEVER_PAIRED = 5
"""So many images and as many depth images without a pair are a pattern."""
_ADAPT_S = 0.2
"""So often the graph is asked for the type of a topic from which nothing has come yet."""

_TRANSPORTS = ("/compressed", "/compressedDepth")
_PICTURES, _INFOS = (Image, CompressedImage), (CameraInfo,)
_POSES = (PoseStamped, PoseWithCovarianceStamped, Odometry, TransformStamped)
_OWN_KINDS = ("starting", "topic", "type", "publishers", "qos", "silent", "sync", "stamps")


class Inputs:
    """Image, calibration, depth and, if asked for, pose; complete sets go to `on_set`.

    A set has the messages by their roles, see `Channels`. `depth/camera_info`, the calibration of a
    depth camera of its own, is in it where somebody publishes it. Of a stereo pair the right image
    and its calibration are needed in place of depth.
    """

    def __init__(
        self,
        node: Node,
        settings: Settings,
        channels: Channels,
        health: Health | CameraHealth,
        on_set: Callable[[dict[str, Any]], None],
        on_pose: Callable[[Any], None],
    ) -> None:
        self._node, self._health, self._on_set = node, health, on_set
        self._channels = channels
        partner_info = [channels.partner_info]
        self._pairing = StampPairing(
            IMAGE,
            partners=[channels.partner],
            latched=[INFO, *(partner_info if channels.stereo else [])],
            optional=[] if channels.stereo else partner_info,
            slop_s=settings["sync.slop_s"],
            queue_size=settings["sync.queue_size"],
            jump_s=settings["time_jump_s"],
            on_lost=self._lost,
        )
        self._paired = 0
        self._calibrated = False
        self._began_s = time.monotonic()
        self._inputs: list[Input] = []
        self._of: dict[str, Input] = {}  # by role
        try:
            for role in (IMAGE, INFO, channels.partner):
                self._hear(role, channels.topic(role))
            beside = partner_info_topic(node, channels)
            self._hear(channels.partner_info, beside, optional=not channels.stereo)
            if settings["pose_source"] == "topic":
                self._listen(channels.topic("pose"), _POSES, on_pose)
        except Exception:  # a qos_override that is none
            self._unsubscribe()
            raise
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_ADAPT_S, self._adapt, clock=steady)

    def check(self) -> None:
        """Report what is wrong with the topics; called before each diagnostics message."""
        self._adapt()
        now = time.monotonic()
        needed = [i for i in self._inputs if not i.optional]
        missing = [i for i in needed if not i.received and not i.publishers()]
        starting = now - self._began_s < _STARTING_S
        yet = " yet" if starting else ""
        said = [f"nobody publishes '{i.resolved()}'{yet}{self._instead(i)}" for i in missing]
        if said and starting:
            self._health.problem("starting", "; ".join(said))
        else:
            self._health.forget("starting")
            self._tell("topic", said)
        wrong = {i: text for i in self._inputs if (text := i.other_type())}
        self._tell("type", list(wrong.values()))
        pictures = [self._of[role] for role in (IMAGE, self._channels.partner)]
        crowds = [i.crowd() for i in pictures if i.received]
        self._tell("publishers", [f"{text}; all count as one camera" for text in crowds if text])
        self._tell("qos", [text for i in self._inputs if (text := i.repair())])
        silent = [
            _silence(i, now)
            for i in self._inputs
            if now - i.last_s > _SILENT_S
            and i not in missing
            and i not in wrong
            and not (i.once and i.received)
            and not (i.optional and not i.publishers())
        ]
        self._tell("silent", silent)
        self._check_pairs()

    def close(self) -> None:
        """Unsubscribe; what waits for partners is counted as unpaired and forgotten."""
        self._node.destroy_timer(self._timer)
        self._unsubscribe()
        self._pairing.give_up()
        self._health.forget(*_OWN_KINDS)

    def _instead(self, one: Input) -> str:
        """What is published beside a topic that is not, as by image_transport."""
        beside = [one.resolved() + transport for transport in _TRANSPORTS]
        there = [name for name in beside if self._node.count_publishers(name)]
        return f" (but '{there[0]}': remap '{one.name}' to that)" if there else ""

    def _listen(
        self, topic: str, kinds: tuple[type, ...], callback: Callable[[Any], None], **options: Any
    ) -> None:
        self._inputs.append(Input(self._node, topic, kinds, callback, self._health, **options))

    def _unsubscribe(self) -> None:
        for one in self._inputs:
            one.close()
        self._inputs = []

    def _adapt(self) -> None:
        """Follow the publishers of topics from which nothing has come yet."""
        for one in self._inputs:
            if not one.received:
                one.adapt()

    def _expect_optional(self) -> None:
        """Images wait for what somebody publishes, unless it is silent."""
        for one in self._inputs:
            if one.optional and not one.received:
                heard_soon = time.monotonic() - one.last_s <= _SILENT_S
                expected = heard_soon and one.publishers() > 0
                self._pairing.expect(self._channels.partner_info, expected)

    def _hear(self, role: str, topic: str, *, optional: bool = False) -> None:
        """Listen to what a frame is made of."""
        is_info = role in (INFO, self._channels.partner_info)
        kinds, name = _INFOS if is_info else _PICTURES, self._channels.topic(role)
        self._listen(topic, kinds, self._taker(role), name=name, once=is_info, optional=optional)
        self._of[role] = self._inputs[-1]

    def _taker(self, topic: str) -> Callable[[Any], None]:
        def take(message: Any) -> None:
            if topic == IMAGE:
                self._expect_optional()
            self._calibrated |= topic == INFO
            if any(one.stamped for one in self._inputs):
                self._pairing.loosen(SLOP_OF_PERIOD)
            for complete in self._pairing.add(topic, stamp_ns(message.header.stamp), message):
                self._paired += 1
                self._health.count("paired")
                self._on_set(complete)

        return take

    def _lost(self, topic: str, ns: int, cause: str) -> None:
        """The pairing lets a message go."""
        if topic in (IMAGE, self._channels.partner):
            repeated = cause == "repeated"
            reason = (self._channels.repeated if repeated else self._channels.unpaired)(topic)
            if topic == IMAGE and not self._calibrated:  # that is what it waited for
                reason = "images_without_calibration"
            self._health.left_out(reason, stamp_ns=ns)

    def _check_pairs(self) -> None:
        received = {role: one.received for role, one in self._of.items()}
        partner = self._channels.partner
        if self._paired or min(received[IMAGE], received[partner]) < _NEVER_PAIRED:
            if self._paired:
                self._health.solved("sync")
            return
        if not received[INFO] or (self._channels.stereo and not received[RIGHT_INFO]):
            return  # the missing topic says it
        miss = self._pairing.nearest_miss_s
        near = "" if miss is None else f", the nearest differ by {miss:.3f} s"
        self._health.problem(
            "sync",
            f"the stamps of {self._channels.topic(IMAGE)} and {self._channels.topic(partner)} "
            f"never pair{near} (parameter sync.slop_s)",
        )

    def _tell(self, kind: str, problems: list[str]) -> None:
        if problems:
            self._health.problem(kind, "; ".join(problems))
        else:
            self._health.solved(kind)


def partner_info_topic(node: Node, channels: Channels) -> str:
    """The topic of the calibration of the depth camera, or of the right one of a pair.

    `depth/camera_info` where that is remapped; else the one beside the depth images, where
    image_transport expects it.
    """
    own = channels.topic(channels.partner_info)
    if node.resolve_topic_name(own) != node.resolve_topic_name(own, only_expand=True):
        return own
    depth = node.resolve_topic_name(channels.topic(channels.partner))
    for transport in _TRANSPORTS:
        depth = depth.removesuffix(transport)
    return f"{depth.rpartition('/')[0]}/camera_info"


def _silence(one: Input, now: float) -> str:
    gone = "" if one.publishers() else " and its publisher is gone"
    return f"nothing comes from '{one.resolved()}' for {now - one.last_s:.0f} s{gone}"
