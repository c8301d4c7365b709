# SPDX-License-Identifier: Apache-2.0
"""Where a frame is in another one at a time: tf2_ros where it is installed, else our own buffer.

tf2_ros is not on PyPI. `TransformBuffer` does what the node needs of it: samples per edge, linear
and slerp interpolation between them, a chain through the common parent, and no extrapolation.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time

from f4x_ros.core.data import Pose, check_pose, interpolate, inverse
from f4x_ros.core.errors import BadInputError, F4xError, NotReadyError
from f4x_ros.ros.conversions import pose_from_transform, stamp_ns

LATEST = 0
"""The stamp that asks for the latest transform, as in tf2."""

_NS = 1_000_000_000


class TransformUnavailableError(NotReadyError):
    """There is no such transform now; the message names the edge that is missing."""


class Transforms(Protocol):
    """Answers where a frame is."""

    def lookup(self, target: str, source: str, ns: int) -> Pose:
        """`T_target_source` at a time; raises TransformUnavailableError naming the edge."""

    def forget_future(self) -> None:
        """Time jumped back: what was the future must not be mixed in."""

    def close(self) -> None:
        """Stop listening."""


class _Edge:
    """Poses of one child in its parent over a bounded time, ascending by stamp."""

    def __init__(self, parent: str, *, static: bool) -> None:
        self.parent = parent
        self.static = static
        self.stamps: list[int] = []
        self.poses: list[Pose] = []

    def add(self, ns: int, pose: Pose, history_ns: int, jump_ns: int) -> None:
        if self.static or (self.stamps and ns < self.stamps[-1] - jump_ns):
            self.stamps.clear()  # a looping bag: what was the future must not be mixed in
            self.poses.clear()
        at = bisect_left(self.stamps, ns)
        if at < len(self.stamps) and self.stamps[at] == ns:
            self.poses[at] = pose
            return
        self.stamps.insert(at, ns)
        self.poses.insert(at, pose)
        keep = bisect_left(self.stamps, self.stamps[-1] - history_ns)
        del self.stamps[:keep], self.poses[:keep]

    def at(self, ns: int) -> Pose | None:
        """The pose at a time; None outside the samples."""
        if self.static:
            return self.poses[-1]
        after = bisect_left(self.stamps, ns)
        if after == len(self.stamps):
            return None
        if self.stamps[after] == ns:
            return self.poses[after]
        if after == 0:
            return None
        first, second = self.stamps[after - 1], self.stamps[after]
        fraction = (ns - first) / (second - first)
        return interpolate(self.poses[after - 1], self.poses[after], fraction)


class TransformBuffer:
    """Transforms of the last seconds. All methods may be called from any thread.

    A sample older than the newest of its edge by more than `jump_s` is a jump back in time: the
    edge forgets what it had.
    """

    def __init__(self, *, history_s: float = 30.0, jump_s: float = 1.0) -> None:
        self._history_ns = int(history_s * _NS)
        self._jump_ns = int(jump_s * _NS)
        self._edges: dict[str, _Edge] = {}  # by child
        self._lock = threading.Lock()

    def add(
        self, parent: str, child: str, ns: int, T_parent_child: Pose, *, static: bool = False
    ) -> None:
        """Store one sample. A frame has one parent; a new one replaces the old with its history.

        Raises:
            ValueError: an empty name, a frame that is its own parent, or an invalid pose.
        """
        parent, child = parent.lstrip("/"), child.lstrip("/")
        if not parent or not child or parent == child:
            raise BadInputError(f"transform '{parent}' -> '{child}', expected two different names")
        pose = check_pose(f"transform '{parent}' -> '{child}'", T_parent_child)
        with self._lock:
            edge = self._edges.get(child)
            if edge is None or edge.parent != parent or edge.static != static:
                edge = self._edges[child] = _Edge(parent, static=static)
            edge.add(ns, pose, self._history_ns, self._jump_ns)

    def forget_future(self) -> None:
        """Nothing to do: each edge notices the jump by its own samples, before a frame can."""

    def lookup(self, target: str, source: str, ns: int) -> Pose:
        """`T_target_source` at a time; `LATEST` takes the newest time all edges have in common.

        Raises:
            TransformUnavailableError: a frame is unknown, the two are not connected, or an edge has
                no samples around that time (there is no extrapolation).
        """
        target, source = target.lstrip("/"), source.lstrip("/")
        with self._lock:
            up_target, up_source = self._legs(target, source)
            if ns == LATEST:
                ns = self._newest_common([*up_target, *up_source])
            return inverse(self._climb(up_target, ns)) @ self._climb(up_source, ns)

    def _legs(self, target: str, source: str) -> tuple[list[str], list[str]]:
        """Frames to climb from target and from source until both stand at the same frame."""
        chain_target, chain_source = list(self._chain(target)), list(self._chain(source))
        common = next((name for name in chain_source if name in chain_target), None)
        if common is None:
            top_target, top_source = chain_target[-1], chain_source[-1]
            known = ", ".join(sorted(self._edges)) or "none"
            raise TransformUnavailableError(
                f"no transform '{target}' -> '{source}': nothing connects '{top_target}' and "
                f"'{top_source}' (child frames heard of: {known})"
            )
        return (
            chain_target[: chain_target.index(common)],
            chain_source[: chain_source.index(common)],
        )

    def _chain(self, name: str) -> Iterator[str]:
        """The frame, its parent, and so on; ends at the root or where the chain bites its tail."""
        seen: set[str] = set()
        while name not in seen:
            seen.add(name)
            yield name
            if name not in self._edges:
                return
            name = self._edges[name].parent

    def _newest_common(self, names: list[str]) -> int:
        newest = [self._edges[name].stamps[-1] for name in names if not self._edges[name].static]
        return min(newest, default=LATEST)

    def _climb(self, names: list[str], ns: int) -> Pose:
        """The transform from the first of the frames to the parent of the last."""
        total: Pose = np.eye(4)
        for name in names:
            edge = self._edges[name]
            step = edge.at(ns)
            if step is None:
                raise TransformUnavailableError(_outside(edge, name, ns))
            total = step @ total
        return total


def _outside(edge: _Edge, child: str, ns: int) -> str:
    """How far a time lies outside the samples of an edge."""
    before = ns < edge.stamps[0]
    distance = (edge.stamps[0] - ns if before else ns - edge.stamps[-1]) / _NS
    return (
        f"no transform '{edge.parent}' -> '{child}' at {ns / _NS:.6f}: it is {distance:.3f} s "
        f"{'before the oldest' if before else 'after the newest'} of {len(edge.stamps)} samples"
    )


class TfListener(TransformBuffer):
    """A `TransformBuffer` that is filled from /tf and /tf_static."""

    def __init__(
        self,
        node: Node,
        *,
        on_new: Callable[[], None],
        on_bad: Callable[[str], None],
        history_s: float = 30.0,
        jump_s: float = 1.0,
    ) -> None:
        """`on_new` is called after each message, `on_bad` with what is wrong with a transform."""
        super().__init__(history_s=history_s, jump_s=jump_s)
        from tf2_msgs.msg import TFMessage

        self._node, self._on_new, self._on_bad = node, on_new, on_bad
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

    def _on_moving(self, message: Any) -> None:
        self._take(message, static=False)

    def _on_static(self, message: Any) -> None:
        self._take(message, static=True)

    def _take(self, message: Any, *, static: bool) -> None:
        for stamped in message.transforms:
            parent, child = stamped.header.frame_id, stamped.child_frame_id
            try:
                pose = pose_from_transform(stamped.transform)
                self.add(parent, child, stamp_ns(stamped.header.stamp), pose, static=static)
            except F4xError as error:
                self._on_bad(f"transform '{parent}' -> '{child}': {error}")
        self._on_new()


class Tf2Transforms:
    """The same by tf2_ros, of a ROS installation."""

    def __init__(self, node: Node, *, on_new: Callable[[], None], history_s: float = 30.0) -> None:
        import tf2_ros
        from rclpy.duration import Duration

        self._errors: tuple[type[Exception], ...] = (tf2_ros.TransformException,)
        self._buffer = tf2_ros.Buffer(Duration(seconds=history_s))
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        # tf2 tells nobody that something came: the worker looks again at this rate.
        self._node = node
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(0.02, on_new, clock=steady)

    def lookup(self, target: str, source: str, ns: int) -> Pose:
        """`T_target_source` at a time; raises TransformUnavailableError in tf2's words."""
        try:
            found = self._buffer.lookup_transform(target, source, Time(nanoseconds=ns))
        except self._errors as error:
            raise TransformUnavailableError(
                f"no transform '{target}' -> '{source}' at {ns / _NS:.6f}: {error}"
            ) from error
        return pose_from_transform(found.transform)

    def forget_future(self) -> None:
        """tf2 refuses samples older than its history, and so all of a bag that starts again."""
        self._buffer.clear()

    def close(self) -> None:
        """Stop listening."""
        self._node.destroy_timer(self._timer)
        self._listener.unregister()


def listen(
    node: Node, *, on_new: Callable[[], None], on_bad: Callable[[str], None], jump_s: float
) -> Transforms:
    """tf2_ros where it can be imported, else `TfListener`."""
    try:
        import tf2_ros  # noqa: F401
    except ImportError:
        return TfListener(node, on_new=on_new, on_bad=on_bad, jump_s=jump_s)
    return Tf2Transforms(node, on_new=on_new)
