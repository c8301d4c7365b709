# SPDX-License-Identifier: Apache-2.0
"""`~/history`, `~/render`, `~/follow_points`: things, pictures and points of any moment."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point

from f4x_ros.core.ask.prompts import check_prompts
from f4x_ros.core.base.limits import (
    MAX_PICTURE_PROMPTS,
    MAX_POINTS,
    MAX_PROMPT_LETTERS,
    check_length,
)
from f4x_ros.core.data import Event, HistoryResult, PointTracks, ThingStates
from f4x_ros.core.errors import BadInputError, F4xError
from f4x_ros.core.perception import Perception
from f4x_ros.msg import HistoryEvent, TrackHistory
from f4x_ros.ros.camera_poses import CameraPoses
from f4x_ros.ros.conversions import camera_info_msg, header, pose_msg, stamp_msg, track_msg
from f4x_ros.ros.diagnostics import Health
from f4x_ros.ros.images import image_msg
from f4x_ros.ros.pointcloud import point_map_msg
from f4x_ros.ros.requests import check_view, read_moment
from f4x_ros.srv import FollowPoints, History, Render


class OverTime:
    """Answers questions about the past, and draws it. Used by the worker's thread only.

    Args:
        perception: the map.
        poses: where viewpoints are.
        health: counts the questions.
    """

    def __init__(self, perception: Perception, poses: CameraPoses, health: Health) -> None:
        self._perception, self._poses, self._health = perception, poses, health

    def history(self, request: History.Request) -> History.Response:
        """Tell a history; a bad request gets success=false and the reason."""
        try:
            thing = _thing(request)
            since = read_moment(request.since, "since")
            until = read_moment(request.until, "until")
            result = self._perception.history(
                thing, since, until, step_s=request.step, max_states=request.max_states,
                want_states=request.want_states, want_events=request.want_events,
            )  # fmt: skip
        except F4xError as error:
            self._health.count("histories_refused")
            return History.Response(success=False, message=str(error))
        self._health.count("histories")
        return history_response(result)

    def render(self, request: Render.Request) -> Render.Response:
        """Draw the map; a bad request gets success=false and the reason."""
        try:
            if len(request.prompts) > MAX_PICTURE_PROMPTS:
                raise BadInputError(
                    f"there are {len(request.prompts)} prompts, expected at most "
                    f"{MAX_PICTURE_PROMPTS}"
                )
            check_prompts(request.prompts)
            check_view(request.view)
            shown = self._perception.show(
                read_moment(request.stamp, "stamp"),
                self._poses.view(request.view),
                orbit_rad=request.orbit,
                width=request.width,
                prompts=list(request.prompts) or None,
                want_labels=request.want_labels,
                want_velocity=request.want_points,
            )
        except F4xError as error:
            self._health.count("renders_refused")
            return Render.Response(success=False, message=str(error))
        self._health.count("renders")
        head = header(shown.stamp_ns, request.view.header.frame_id or shown.frame_id)
        covered = 100 * float((shown.depth > 0).mean())
        answer = Render.Response(
            success=True,
            message=f"{shown.camera.width}x{shown.camera.height}, {covered:.0f} % of it mapped",
            prompts=list(shown.prompts),
            camera_info=camera_info_msg(shown.camera, head),
        )
        answer.viewpoint.header = header(shown.stamp_ns, shown.map_frame)
        answer.viewpoint.pose = pose_msg(shown.T_map_camera)
        if request.want_image:
            answer.image = image_msg(shown.color, "rgb8", head)
        if request.want_depth:
            answer.depth = image_msg(shown.depth, "32FC1", head)
        if shown.labels is not None:
            answer.labels = image_msg(shown.labels, "mono16", head)
        if shown.velocity is not None:
            answer.points = point_map_msg(shown, header(shown.stamp_ns, shown.map_frame))
        return answer

    def follow_points(self, request: FollowPoints.Request) -> FollowPoints.Response:
        """Follow points of a surface; a bad request gets success=false and the reason."""
        try:
            if len(request.points) > MAX_POINTS:
                raise BadInputError(
                    f"there are {len(request.points)} points, expected at most {MAX_POINTS}"
                )
            check_view(request.view)
            since = read_moment(request.since, "since")
            until = read_moment(request.until, "until")
            given = np.array([(one.x, one.y, one.z) for one in request.points]).reshape(-1, 3)
            found = self._perception.follow_points(
                None if request.in_map else given[:, :2],
                points=given if request.in_map else None,
                stamp_ns=read_moment(request.stamp, "stamp"),
                stamps_ns=self._perception.moments(since, until, request.step),
                view=self._poses.view(request.view),
                want_visible=request.want_visible,
            )
        except F4xError as error:
            self._health.count("points_refused")
            return FollowPoints.Response(success=False, message=str(error))
        self._health.count("points_followed")
        return points_response(found)


def points_response(found: PointTracks) -> FollowPoints.Response:
    """Point tracks as a message."""
    going = int((found.bodies > 0).sum())
    return FollowPoints.Response(
        success=True,
        message=f"{len(found.bodies)} points at {len(found.stamps_ns)} moments, {going} of them "
        "on what moves",
        header=header(found.stamps_ns[-1], found.map_frame),
        stamps=[stamp_msg(ns) for ns in found.stamps_ns],
        positions=[Point(x=x, y=y, z=z) for x, y, z in found.positions.reshape(-1, 3).tolist()],
        visible=[] if found.visible is None else found.visible.reshape(-1).tolist(),
        bodies=found.bodies.tolist(),
    )


def _thing(request: History.Request) -> str:
    """As `Perception.history` takes it: words, `#id`, or ""."""
    check_length("prompt", request.prompt, MAX_PROMPT_LETTERS)
    prompt = request.prompt.strip()
    if request.object and prompt:
        raise BadInputError("object and prompt are both given, expected one of them, or none")
    if prompt.startswith("#"):
        raise BadInputError(f"prompt is '{prompt}', expected words (an id goes into object)")
    return f"#{request.object}" if request.object else prompt


def history_response(result: HistoryResult) -> History.Response:
    """A history as a message."""
    return History.Response(
        success=True,
        message=result.message,
        header=header(result.until_ns, result.map_frame),
        begin=stamp_msg(result.since_ns),
        things=[_things_msg(one) for one in result.things],
        events=[_event_msg(one) for one in result.events],
    )


def _things_msg(thing: ThingStates) -> TrackHistory:
    return TrackHistory(
        id=thing.id,
        label=thing.label,
        stamps=[stamp_msg(ns) for ns in thing.stamps_ns],
        states=[track_msg(track) for track in thing.states],
    )


def _event_msg(event: Event) -> HistoryEvent:
    return HistoryEvent(
        event=int(event.event),
        id=event.id,
        label=event.label,
        begin=stamp_msg(event.begin_ns),
        end=stamp_msg(event.end_ns),
        before=track_msg(event.before).pose,
        after=track_msg(event.after).pose,
        length=event.length_m,
        moving=event.moving,
    )
