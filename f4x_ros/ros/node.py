# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node `perception`: a camera's topics in, masks, tracks and a cloud out."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.task import Future

from f4x_ros.core.errors import BadInputError
from f4x_ros.ros.complaints import is_expected, text_of, traceback_of
from f4x_ros.ros.diagnostics import FOR_EVER_S, DiagnosticsPublisher, Health
from f4x_ros.ros.middleware import ignore_interrupts, refused, ros, until_interrupted
from f4x_ros.ros.parameters import NodeParameters
from f4x_ros.ros.session import Session
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

Response = TypeVar(
    "Response",
    Ask.Response,
    Edit.Response,
    FollowPoints.Response,
    History.Response,
    Query.Response,
    Render.Response,
    Segment.Response,
    SetPrompts.Response,
)


class PerceptionNode(LifecycleNode):
    """See doc/node.md for topics, services and parameters.

    Configuring builds the map and what it needs; activating subscribes. Diagnostics are published
    and services answer in every state (without a map: success=false).
    """

    def __init__(self, **kwargs: Any) -> None:
        """Keyword arguments are those of `rclpy.lifecycle.LifecycleNode`."""
        super().__init__("perception", **kwargs)
        self.health = Health()
        self._own_parameters = NodeParameters(self)
        self._session: Session | None = None
        self._next_track_id = 1  # ids are not given out again by the session after a cleanup
        self._state = "unconfigured"
        self._has_namesake = False
        # Handlers wait for the worker: in the default group they would hold up every callback.
        group = ReentrantCallbackGroup()
        self.create_service(Query, "~/query", self._on_query, callback_group=group)
        self.create_service(Ask, "~/ask", self._on_ask, callback_group=group)
        self.create_service(
            FollowPoints, "~/follow_points", self._on_follow_points, callback_group=group
        )
        self.create_service(History, "~/history", self._on_history, callback_group=group)
        self.create_service(Render, "~/render", self._on_render, callback_group=group)
        self.create_service(Edit, "~/edit", self._on_edit, callback_group=group)
        self.create_service(Segment, "~/segment", self._on_segment, callback_group=group)
        self.create_service(SetPrompts, "~/set_prompts", self._on_set_prompts, callback_group=group)
        self.diagnostics = DiagnosticsPublisher(
            self,
            self.health,
            state=lambda: self._state,
            details=self._details,
            before=self._check,
            rate_hz=self._own_parameters.value("diagnostics.rate_hz"),
        )

    @property
    def autostart(self) -> bool:
        """Whether the executable configures and activates it (a misfit: yes, which says it)."""
        return bool(self._own_parameters.value("autostart"))

    # --- lifecycle ------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters, build the map, warm up."""
        begin = time.monotonic()
        try:
            settings = self._own_parameters.read()
            self._session = Session(self, settings, self.health, first_track_id=self._next_track_id)
        except Exception as error:  # F4xError; a model's own errors; a missing library
            return self._failure("configuration", "configured", error)
        self.health.solved("configuration")
        self._own_parameters.freeze(True)
        # What there is now lives on. A full collection would walk over it, libraries and all, with
        # the interpreter to itself: 150 ms in which no callback runs.
        gc.freeze()
        self._state = "inactive"
        if not settings.prompts:
            self.get_logger().info(
                "no prompts: no masks and no objects until ~/set_prompts (~/query works)"
            )
        self.get_logger().info(f"configured in {time.monotonic() - begin:.1f} s")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the camera."""
        assert self._session is not None  # configured
        try:
            self._session.activate()
        except Exception as error:  # F4xError of report.dir; qos_overrides
            return self._failure("activation", "activated", error)
        self.health.solved("activation")
        self.health.solved("report")
        self._state = "active"
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening, finish what waits, write the report if one was asked for."""
        assert self._session is not None  # active
        self._session.deactivate()
        self._state = "inactive"
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the map and end the thread; the node can be configured again."""
        self._close()
        self._state = "unconfigured"
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End for good; a report that was asked for is written."""
        self._end()
        self._state = "finalized"
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """A transition raised, which is a defect: back to unconfigured."""
        self.get_logger().error("a transition raised; the node is unconfigured again")
        self._close()
        self._state = "unconfigured"
        return super().on_error(state)

    def destroy_node(self) -> None:
        """End the thread, then destroy the node."""
        self._end()
        # rclpy leaves it, and with it the node stays in the graph until somebody collects garbage:
        # for the next one of this name it would be a namesake.
        machine = getattr(self, "_state_machine", None)
        if machine is not None:
            machine.destroy_when_not_in_use()
        super().destroy_node()

    def _end(self) -> None:
        try:
            if self._session is not None and self._session.reports:
                self._session.deactivate()
        finally:
            self._close()

    def _failure(self, kind: str, done: str, error: Exception) -> TransitionCallbackReturn:
        """Say why a transition fails. (rclpy would swallow the exception.)"""
        # (what rclpy, a model or a missing library raises may be the user's to put right, too)
        error = self._own_parameters.named(error)
        text = str(error) if is_expected(error) else f"{type(error).__name__}: {error}"
        self.health.problem(kind, text, hold_s=FOR_EVER_S)
        self.get_logger().error(f"cannot be {done}: {text}")
        if not is_expected(error):
            self.get_logger().debug(traceback_of(error))
        return TransitionCallbackReturn.FAILURE

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            gc.unfreeze()
            self._next_track_id = self._session.next_track_id
            self._session = None
        self._own_parameters.freeze(False)

    # --- services -------------------------------------------------------------------------------

    async def _on_query(self, request: Query.Request, response: Query.Response) -> Query.Response:
        return await self._answer(lambda session: session.query(request), response)

    async def _on_ask(self, request: Ask.Request, response: Ask.Response) -> Ask.Response:
        return await self._answer(lambda session: session.ask(request), response)

    async def _on_edit(self, request: Edit.Request, response: Edit.Response) -> Edit.Response:
        return await self._answer(lambda session: session.edit(request), response)

    async def _on_segment(
        self, request: Segment.Request, response: Segment.Response
    ) -> Segment.Response:
        return await self._answer(lambda session: session.segment(request), response)

    async def _on_history(
        self, request: History.Request, response: History.Response
    ) -> History.Response:
        return await self._answer(lambda session: session.history(request), response)

    async def _on_follow_points(
        self, request: FollowPoints.Request, response: FollowPoints.Response
    ) -> FollowPoints.Response:
        return await self._answer(lambda session: session.follow_points(request), response)

    async def _on_render(
        self, request: Render.Request, response: Render.Response
    ) -> Render.Response:
        return await self._answer(lambda session: session.render(request), response)

    async def _on_set_prompts(
        self, request: SetPrompts.Request, response: SetPrompts.Response
    ) -> SetPrompts.Response:
        return await self._answer(lambda session: session.set_prompts(request), response)

    async def _answer(
        self, ask: Callable[[Session], Future[Response]], response: Response
    ) -> Response:
        """What the worker answers, without holding up the executor; what fails is said, too."""
        if self._session is None:
            response.success = False
            response.message = f"the node is {self._state}, expected configured or active"
            return response
        try:
            answer = await ask(self._session)
        except Exception as error:
            self.health.count("services_failed")
            if not is_expected(error):
                self.get_logger().error(traceback_of(error))
            response.success = False
            response.message = text_of(error)
            return response
        assert answer is not None
        return answer

    # --- diagnostics ----------------------------------------------------------------------------

    def _check(self) -> None:
        self._look_for_namesakes()
        if self._session is not None:
            self._session.check()

    def _look_for_namesakes(self) -> None:
        """ROS allows two nodes of one name; then questions are answered by any of them."""
        own = (self.get_name(), self.get_namespace())
        count = self.get_node_names_and_namespaces().count(own)
        if count < 2:
            self.health.solved("name")
            self._has_namesake = False
            return
        text = (
            f"{count} nodes are named '{self.get_fully_qualified_name()}': each answers services "
            "and publishes for the other, too; give one another name (-r __node:=NAME) or "
            "namespace (of one that was killed, the name is free after some seconds)"
        )
        self.health.problem("name", text)
        if not self._has_namesake:
            self._has_namesake = True
            self.get_logger().warning(text)

    def _details(self) -> dict[str, object]:
        details = self._session.details() if self._session is not None else {}
        return {**details, "threads": threading.active_count()}


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is told to stop; with `autostart` it configures and activates first.

    Exit code 0, or 2 with one line when ROS does not understand its arguments.
    """
    try:
        with ros(args):
            _spin()
    except BadInputError as error:
        return refused("perception", error)
    return 0


def _spin() -> None:
    node = None
    try:
        with until_interrupted():
            node = PerceptionNode()
            if node.autostart:
                started = node.trigger_configure() == TransitionCallbackReturn.SUCCESS
                if started:
                    node.trigger_activate()
            rclpy.spin(node)
    finally:
        ignore_interrupts()
        if node is not None:
            node.destroy_node()


if __name__ == "__main__":
    sys.exit(main())
