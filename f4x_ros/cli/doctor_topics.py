# SPDX-License-Identifier: Apache-2.0
"""`f4x doctor --topics`: what a running ROS system publishes, and what of it the node could use."""

from __future__ import annotations

import importlib
import shlex
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError, UnsupportedError

if TYPE_CHECKING:
    from rclpy.node import Node

    from f4x_ros.io.survey import Survey, Table

_DISCOVERY_S = 1.5
_LISTENED_TO = (
    "sensor_msgs/msg/Image",
    "sensor_msgs/msg/CompressedImage",
    "sensor_msgs/msg/CameraInfo",
    "geometry_msgs/msg/PoseStamped",
    "geometry_msgs/msg/PoseWithCovarianceStamped",
    "geometry_msgs/msg/TransformStamped",
    "nav_msgs/msg/Odometry",
    "tf2_msgs/msg/TFMessage",
)
_NODE_READS = {"camera": "sensor_msgs/msg/Image", "depth": "sensor_msgs/msg/Image"}


@dataclass
class _Heard:
    """A topic: who publishes it, and what came."""

    name: str
    kind: str
    publishers: list[Any]  # TopicEndpointInfo
    times_s: list[float] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)  # the first; of /tf all
    unread: str = ""

    @property
    def rate_hz(self) -> float:
        steps = len(self.times_s) - 1
        spread = self.times_s[-1] - self.times_s[0] if steps > 0 else 0.0
        return steps / spread if spread > 0 else 0.0


def examine_topics(listen_s: float) -> int:
    """Print all about the topics that are there; 0 if the node would get all that it needs, else 1.

    Raises:
        BadInputError: the duration is not above 0.
        UnsupportedError: ROS 2 is missing.
    """
    if not listen_s > 0:
        raise BadInputError(f"--seconds is {listen_s}, expected above 0")
    try:
        from f4x_ros.ros.middleware import ros
    except ImportError as error:
        raise UnsupportedError(f"--topics needs ROS 2: {error}") from error
    with ros([]):
        import rclpy

        node = rclpy.create_node("f4x_doctor", start_parameter_services=False)
        try:
            heard = _listen(node, listen_s)
        finally:
            node.destroy_node()
    return _print(heard)


def _listen(node: Node, listen_s: float) -> list[_Heard]:
    """All topics with publishers, after having listened to those that matter here."""
    _spin(node, _DISCOVERY_S)
    heard = []
    for name, kinds in sorted(node.get_topic_names_and_types()):
        publishers = node.get_publishers_info_by_topic(name)
        mine = [p for p in publishers if p.node_name != node.get_name()]
        for kind in kinds:
            of_kind = [p for p in mine if p.topic_type == kind]
            if of_kind:
                heard.append(_Heard(name, kind, of_kind))
    for one in heard:
        if one.kind not in _LISTENED_TO:
            continue
        try:
            node.create_subscription(_type(one.kind), one.name, _taker(one), _qos(one))
        except (ImportError, RuntimeError, ValueError) as error:
            one.unread = f"cannot be subscribed to ({error})"
    _spin(node, listen_s)
    return heard


def _type(kind: str) -> Any:
    """The class of "sensor_msgs/msg/Image"."""
    package, _, name = kind.partition("/msg/")
    return getattr(importlib.import_module(f"{package}.msg"), name)


def _taker(one: _Heard) -> Any:
    def take(message: Any) -> None:
        one.times_s.append(time.monotonic())
        if not one.messages or one.kind == "tf2_msgs/msg/TFMessage":
            one.messages.append(message)

    return take


def _qos(one: _Heard) -> Any:
    """What all publishers of the topic can serve."""
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

    profiles = [p.qos_profile for p in one.publishers]
    latched = all(p.durability == DurabilityPolicy.TRANSIENT_LOCAL for p in profiles)
    reliable = all(p.reliability == ReliabilityPolicy.RELIABLE for p in profiles)
    return QoSProfile(
        depth=100,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def _spin(node: Node, duration_s: float) -> None:
    import rclpy

    end = time.monotonic() + duration_s
    while (left := end - time.monotonic()) > 0:
        rclpy.spin_once(node, timeout_sec=left)


def _print(heard: list[_Heard]) -> int:
    from f4x_ros.io.survey import Survey
    from f4x_ros.io.survey_roles import Seen, roles
    from f4x_ros.io.survey_tf import Tree

    print(f"{len(heard)} topics are published here.")
    if not heard:
        print("Is the ROS domain (ROS_DOMAIN_ID) the one of your robot?")
        return 1
    header = ("topic", "type", "publishers", "QoS", "rate", "frame", "what")
    print(f"\nTopics\n\n{table([_row(one) for one in heard], header)}")
    found = Survey("live topics")
    tree = Tree(_edges(heard))
    seen = [
        Seen(h.name, h.kind, _frame(h), len(h.times_s), h.rate_hz, next(iter(h.messages), None))
        for h in heard
    ]
    candidates = roles(found, seen, tree)
    if candidates.rows:
        print(f"\n{candidates.title}\n\n{table(candidates.rows, candidates.header)}")
    _add_problems(found, heard)
    if found.problems:
        print("\nWhat is wrong\n")
        print("\n".join(f"  - {line}" for line in found.problems))
    return _print_command(found, candidates, {h.name: h.kind for h in heard})


def _row(one: _Heard) -> tuple[str, ...]:
    nodes = ", ".join(
        sorted({f"{p.node_namespace.rstrip('/')}/{p.node_name}" for p in one.publishers})
    )
    qos = ", ".join(
        sorted(
            {
                f"{p.qos_profile.reliability.name} {p.qos_profile.durability.name}".lower()
                for p in one.publishers
            }
        )
    )
    if one.kind not in _LISTENED_TO:
        rate = "-"
    elif len(one.times_s) > 1:
        rate = f"{one.rate_hz:.1f} Hz"
    else:
        rate = f"{len(one.times_s)} came"
    message = next(iter(one.messages), None)
    what = "-"
    if one.kind == "sensor_msgs/msg/Image" and message is not None:
        what = f"{message.width}x{message.height} {message.encoding}"
    elif one.kind == "sensor_msgs/msg/CompressedImage" and message is not None:
        what = repr(message.format)
    elif one.kind == "sensor_msgs/msg/CameraInfo" and message is not None:
        what = f"{message.width}x{message.height} {message.distortion_model or 'no model'}"
    return one.name, one.kind, nodes, qos, rate, _frame(one) or "-", what


def _frame(one: _Heard) -> str:
    header = getattr(next(iter(one.messages), None), "header", None)
    return str(getattr(header, "frame_id", ""))


def _edges(heard: list[_Heard]) -> Any:
    for one in heard:
        if one.kind == "tf2_msgs/msg/TFMessage":
            for message in one.messages:
                for t in message.transforms:
                    yield t.header.frame_id.lstrip("/"), t.child_frame_id.lstrip("/")


def _add_problems(found: Survey, heard: list[_Heard]) -> None:
    for one in heard:
        if one.unread:
            found.problems.append(f"{one.name}: {one.unread}")
        elif one.kind in _LISTENED_TO and not one.times_s:
            found.problems.append(f"{one.name}: nothing came while listening")
    kinds: dict[str, list[str]] = {}
    for one in heard:
        kinds.setdefault(one.name, []).append(one.kind)
    for name, several in kinds.items():
        if len(several) > 1:
            found.problems.append(
                f"{name}: published with {len(several)} types: {', '.join(several)}"
            )


def _print_command(found: Survey, candidates: Table, kinds: dict[str, str]) -> int:
    """The command that starts the node with what was found; 1 if something lacks."""
    by_role: dict[str, list[str]] = {}
    for role, topic, _ in candidates.rows:
        wanted = _NODE_READS.get(role)
        if wanted is None or kinds.get(topic) == wanted:
            by_role.setdefault(role, []).append(topic)
    words = ["f4x-perception", "--ros-args"]
    lacking = [role for role in ("camera", "depth") if not by_role.get(role)]
    if by_role.get("camera"):
        image = by_role["camera"][0]
        words += ["-r", f"image:={image}"]
        words += ["-r", f"camera_info:={image.rsplit('/', 1)[0]}/camera_info"]
    if by_role.get("depth"):
        words += ["-r", f"depth/image:={by_role['depth'][0]}"]
    poses = by_role.get("pose", [])
    if poses and "tf" not in poses:
        words += ["-p", "pose_source:=topic", "-r", f"pose:={poses[0]}"]
    elif not poses:
        words += ["-p", "pose_source:=odometry"]
    print()
    if lacking:
        print(f"The node lacks: {', '.join(lacking)}.")
        return 1
    several = [role for role in ("camera", "depth") if len(by_role[role]) > 1]
    if several:
        print(f"Several topics could be the {' and the '.join(several)}; for instance:\n")
    else:
        print("The node can use this:\n")
    if not poses:
        print("Nobody says where the camera is: the node estimates it.\n")
    print(f"  {shlex.join(words)}")
    return 0
