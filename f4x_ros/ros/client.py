# SPDX-License-Identifier: Apache-2.0
"""A user's side of the node: lifecycle, services and topics of a node in another process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Point
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from numpy.typing import ArrayLike, NDArray
from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from f4x_ros.ros.images import image_msg
from f4x_ros.ros.middleware import use_large_shared_memory
from f4x_ros.srv import (
    Ask,
    Edit,
    FollowPoints,
    History,
    Query,
    Render,
    Segment,
    SetPrompts,
)

_TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
}
_SERVICES = {
    "change_state": ChangeState,
    "ask": Ask,
    "edit": Edit,
    "follow_points": FollowPoints,
    "history": History,
    "query": Query,
    "render": Render,
    "segment": Segment,
    "set_prompts": SetPrompts,
    "get_state": GetState,
}


class PerceptionClient:
    """Calls a perception node from outside, as any ROS program may. Use it in a `with` statement.

    It has an rclpy context and a thread of its own, so it needs no rclpy.init() and disturbs none.

    Raises (all methods):
        TimeoutError: the node did not answer in time; names the service or topic.
    """

    def __init__(self, node_name: str = "/perception") -> None:
        """`node_name` is the full name of the node, with its namespace."""
        use_large_shared_memory()
        self._name = "/" + node_name.lstrip("/")
        self._context = Context()
        rclpy.init(context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self.node = Node("perception_client", context=self._context)
        self._executor.add_node(self.node)
        # get_state last: see `_call`.
        self._clients: dict[str, Client[Any, Any]] = {
            name: self.node.create_client(kind, f"{self._name}/{name}")
            for name, kind in _SERVICES.items()
        }
        self.status: DiagnosticStatus | None = None  # the node's latest diagnostics
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._thread = threading.Thread(target=self._executor.spin, name="f4x-client")
        self._thread.start()

    def close(self) -> None:
        """End the thread and leave the ROS network."""
        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def __enter__(self) -> PerceptionClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def values(self) -> dict[str, str]:
        """The values of the latest diagnostics by key."""
        return {v.key: v.value for v in self.status.values} if self.status else {}

    def state(self, timeout_s: float = 10.0) -> str:
        """The lifecycle state: unconfigured, inactive, active, finalized.

        Asks again every second: an answer is lost while the node has not yet found this client.
        """
        end = time.monotonic() + timeout_s
        while True:
            left = end - time.monotonic()
            try:
                answer = self._ask("get_state", GetState.Request(), min(1.0, left))
            except TimeoutError:
                if left <= 1.0:
                    raise
            else:
                return str(answer.current_state.label)

    def change_state(self, transition: str, timeout_s: float = 60.0) -> None:
        """Run "configure", "activate", "deactivate" or "cleanup".

        Raises:
            RuntimeError: the transition failed; has what the diagnostics say.
        """
        request = ChangeState.Request()
        request.transition.id = _TRANSITIONS[transition]
        if not self._call("change_state", request, timeout_s).success:
            self._wait_for_new_status()
            reason = self.status.message if self.status else "it gave no reason"
            raise RuntimeError(f"{self._name} cannot {transition}: {reason}")

    def start(self, timeout_s: float = 60.0) -> None:
        """Configure and activate, as far as the node is not there yet."""
        if self.state(timeout_s) == "unconfigured":
            self.change_state("configure", timeout_s)
        if self.state(timeout_s) == "inactive":
            self.change_state("activate", timeout_s)

    def query(
        self,
        prompt: str = "",
        timeout_s: float = 30.0,
        *,
        example: NDArray[np.uint8] | None = None,
        **fields: Any,
    ) -> Query.Response:
        """Ask one question: in words, or by a picture [h, w, 3] RGB, or with `like_object=ID`.

        `fields` are further fields of the request.
        """
        if example is not None:
            fields["example"] = image_msg(example, "rgb8", Header())
        return self._call("query", Query.Request(prompt=prompt, **fields), timeout_s)

    def edit(self, text: str, timeout_s: float = 30.0) -> Edit.Response:
        """Change the layer of edits in words; what was measured stays as it is."""
        return self._call("edit", Edit.Request(text=text), timeout_s)

    def ask(self, question: str, session: str = "", timeout_s: float = 30.0) -> Ask.Response:
        """Ask about space and time in words; questions of one session are one conversation."""
        return self._call("ask", Ask.Request(question=question, session=session), timeout_s)

    def history(self, timeout_s: float = 30.0, **fields: Any) -> History.Response:
        """Ask where things were; `fields` are those of the request."""
        return self._call("history", History.Request(**fields), timeout_s)

    def follow_points(
        self, points: ArrayLike, timeout_s: float = 30.0, **fields: Any
    ) -> FollowPoints.Response:
        """Follow pixels [N, 2], or with `in_map=True` positions [N, 3], through time.

        `fields` are further fields of the request.
        """
        given = np.asarray(points, np.float64)
        found = [Point(**dict(zip("xyz", row, strict=False))) for row in given.tolist()]
        request = FollowPoints.Request(points=found, **fields)
        return self._call("follow_points", request, timeout_s)

    def render(self, timeout_s: float = 30.0, **fields: Any) -> Render.Response:
        """Have the map drawn; `fields` are those of the request."""
        return self._call("render", Render.Request(**fields), timeout_s)

    def segment(
        self,
        points: Sequence[tuple[float, float]] = (),
        labels: Sequence[int] = (),
        box: tuple[int, int, int, int] | None = None,
        timeout_s: float = 30.0,
        **fields: Any,
    ) -> Segment.Response:
        """Select an object by clicks x, y and their labels, or a box x0, y0, x1, y1, in pixels.

        `fields` are further fields of the request.
        """
        x0, y0, x1, y1 = box or (0, 0, 0, 0)
        request = Segment.Request(
            points=[Point(x=float(x), y=float(y)) for x, y in points],
            labels=list(labels),
            box=RegionOfInterest(x_offset=x0, y_offset=y0, width=x1 - x0, height=y1 - y0),
            **fields,
        )
        return self._call("segment", request, timeout_s)

    def set_prompts(
        self, prompts: Sequence[str], thresholds: Sequence[float] = (), timeout_s: float = 30.0
    ) -> SetPrompts.Response:
        """Replace the standing prompts."""
        request = SetPrompts.Request(prompts=list(prompts), thresholds=list(thresholds))
        return self._call("set_prompts", request, timeout_s)

    def subscribe(
        self, kind: Any, topic: str, callback: Callable[[Any], None], *, latched: bool = False
    ) -> Subscription[Any]:
        """Call back, on the client's thread, for each message; `~/` stands for the node's name."""
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        qos = QoSProfile(depth=10, durability=durability)
        return self.node.create_subscription(kind, self._resolved(topic), callback, qos)

    def wait_for_message(
        self,
        kind: Any,
        topic: str,
        *,
        accept: Callable[[Any], bool] = lambda message: True,
        latched: bool = False,
        timeout_s: float = 30.0,
    ) -> Any:
        """The first message that is accepted."""
        found: list[Any] = []
        came = threading.Event()

        def take(message: Any) -> None:
            if not came.is_set() and accept(message):
                found.append(message)
                came.set()

        subscription = self.subscribe(kind, topic, take, latched=latched)
        try:
            if not came.wait(timeout_s):
                name = self._resolved(topic)
                raise TimeoutError(f"nothing came on '{name}' within {timeout_s:g} s")
        finally:
            self.node.destroy_subscription(subscription)
        return found[0]

    def wait_for_publisher(self, topic: str, timeout_s: float = 30.0) -> None:
        """Until someone publishes a topic."""
        name = self._resolved(topic)
        end = time.monotonic() + timeout_s
        while not self.node.count_publishers(name):
            if time.monotonic() > end:
                raise TimeoutError(f"nobody publishes '{name}' after {timeout_s:g} s")
            time.sleep(0.02)

    def _resolved(self, topic: str) -> str:
        return f"{self._name}/{topic[2:]}" if topic.startswith("~/") else topic

    def _call(self, service: str, request: Any, timeout_s: float) -> Any:
        """Ask once, after the node has proven that its answers arrive.

        It learns of our readers in the order in which they were made, so when an answer of
        get_state has come, it knows the others.
        """
        end = time.monotonic() + timeout_s
        self.state(timeout_s)
        return self._ask(service, request, max(0.0, end - time.monotonic()))

    def _ask(self, service: str, request: Any, timeout_s: float) -> Any:
        client, end = self._clients[service], time.monotonic() + timeout_s
        if not client.wait_for_service(timeout_s):
            raise TimeoutError(f"service '{client.service_name}' is not there")
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(max(0.0, end - time.monotonic())):
            client.remove_pending_request(future)
            raise TimeoutError(
                f"service '{client.service_name}' did not answer within {timeout_s:g} s"
            )
        return future.result()

    def _wait_for_new_status(self) -> None:
        seen, end = self.status, time.monotonic() + 10.0
        while self.status is seen and time.monotonic() < end:
            time.sleep(0.02)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f"{self._name.lstrip('/')}: frames":
                self.status = status
