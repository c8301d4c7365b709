# SPDX-License-Identifier: Apache-2.0
"""What the services ask of the map, and what the labels of its prompts mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from f4x_ros.core.ask import AUTO
from f4x_ros.core.data import QueryResult
from f4x_ros.core.errors import F4xError, NotUnderstoodError
from f4x_ros.core.perception import Perception
from f4x_ros.msg import LabelMap
from f4x_ros.ros.camera_poses import CameraPoses
from f4x_ros.ros.complaints import Complaints
from f4x_ros.ros.conversions import header, label_map_msg, png_msg, track_msg
from f4x_ros.ros.diagnostics import FOR_EVER_S, Health
from f4x_ros.ros.images import image_msg
from f4x_ros.ros.outputs import OutputTopics
from f4x_ros.ros.pointcloud import cloud_msg
from f4x_ros.ros.requests import read_prompts, read_query, read_segment
from f4x_ros.srv import Query, Segment, SetPrompts

_TOLD = 5  # prompts that are not understood are named one by one


class Labels:
    """The meaning of the labels in force and the first frame that has them; published at once."""

    def __init__(self, perception: Perception, outputs: OutputTopics) -> None:
        self._perception, self._outputs = perception, outputs
        self._since_ns: int | None = None
        self._number = 0
        self._told: tuple[str, ...] = ()  # of the first frame since then
        self.publish()

    @property
    def in_force(self) -> int:
        """A number that is another one after each `restart`."""
        return self._number

    def publish(self) -> None:
        """Tell everyone."""
        self._outputs.publish_labels(self.message())

    def message(self) -> LabelMap:
        """With the stamp of the first frame that has these labels, 0 before it."""
        p = self._perception
        return label_map_msg(p.prompts, p.thresholds, p.encoder, self._since_ns or 0)

    def restart(self) -> None:
        """The next frame is the first that has them: the prompts changed, or time jumped."""
        self._since_ns = None
        self._number += 1

    def used_at(self, ns: int, in_force: int) -> None:
        """A frame has those that were `in_force` when it began, or new ones of the map's own."""
        p = self._perception
        if p.names_itself and p.prompts != self._told:
            self._since_ns = None
        if self._since_ns is None and in_force == self._number:
            self._since_ns, self._told = ns, p.prompts
            self.publish()


class Questions:
    """Answers requests. Used by the worker's thread only.

    Args:
        perception: the map.
        poses: where viewpoints are.
        labels: told about new prompts.
        health: counts the questions.
        complaints: is told about refused prompts.
    """

    def __init__(
        self,
        perception: Perception,
        poses: CameraPoses,
        labels: Labels,
        health: Health,
        complaints: Complaints,
    ) -> None:
        self._perception, self._poses, self._labels = perception, poses, labels
        self._health, self._complaints = health, complaints

    def query(self, request: Query.Request) -> Query.Response:
        """Answer a question; a bad one with success=false and the reason."""
        try:
            asked = read_query(request)
            result = self._perception.query(
                request.prompt,
                example=asked.example,
                like_object=request.like_object,
                threshold=request.threshold,
                stamp_ns=asked.stamp_ns,
                view=self._poses.view(request.view),
                camera_name=request.camera,
                want_cloud=request.want_cloud,
                max_results=request.max_results,
            )
        except NotUnderstoodError as error:
            self._health.count("queries_refused")
            unknown = Query.Response.NOT_UNDERSTOOD
            return Query.Response(success=False, message=str(error), presence=unknown)
        except F4xError as error:
            self._health.count("queries_refused")
            return Query.Response(success=False, message=str(error))
        self._health.count("queries")
        in_map = header(result.stamp_ns, result.map_frame)
        return Query.Response(
            success=True,
            message=result.message,
            present=result.present,
            presence=int(result.presence),
            score=float(result.score),
            threshold=float(result.threshold),
            encoder=result.encoder,
            **_masks(request, result),
            cloud=cloud_msg(result.cloud if request.want_cloud else None, in_map),
            tracks=[track_msg(track) for track in result.tracks],
        )

    def segment(self, request: Segment.Request) -> Segment.Response:
        """Select an object by clicks; bad ones get success=false and the reason."""
        try:
            clicked = read_segment(request)
            result = self._perception.segment(
                clicked.points,
                clicked.labels,
                clicked.box,
                stamp_ns=clicked.stamp_ns,
                view=self._poses.view(request.view),
                camera_name=request.camera,
                want_cloud=request.want_cloud,
            )
        except F4xError as error:
            self._health.count("segments_refused")
            return Segment.Response(success=False, message=str(error))
        self._health.count("segments")
        in_map = header(result.stamp_ns, result.map_frame)
        return Segment.Response(
            success=True,
            message=result.message,
            present=result.present,
            score=float(result.score),
            encoder=result.encoder,
            **_masks(request, result),
            cloud=cloud_msg(result.cloud, in_map),
            tracks=[track_msg(track) for track in result.tracks],
        )

    def set_prompts(self, request: SetPrompts.Request) -> SetPrompts.Response:
        """Replace the standing prompts, all or nothing, for the next frame and those after it."""
        try:
            prompts, thresholds = read_prompts(request)
            use_prompts(self._perception, prompts, thresholds)
        except F4xError as error:
            self._complaints.bad_input("prompts", "prompts_refused", str(error))
            labels = self._labels.message()
            return SetPrompts.Response(success=False, message=str(error), labels=labels)
        self.say_not_understood()
        self._labels.restart()
        self._labels.publish()
        count = len(self._perception.prompts)
        told = [f"{count} prompt{'' if count == 1 else 's'} from the next frame on"]
        if self._perception.names_itself:
            told = ["what is surely seen is named from the next frame on"]
        elif tuple(prompts) == AUTO:
            told.append(f"encoder '{self._perception.encoder}' is never sure of what it sees")
        if unknown := not_understood_text(self._perception):
            told.append(unknown)
        message = "; ".join(told)
        return SetPrompts.Response(success=True, message=message, labels=self._labels.message())

    def say_not_understood(self) -> None:
        """Keep in the diagnostics which standing prompts select nothing, until there are others."""
        if unknown := not_understood_text(self._perception):
            self._complaints.bad_input("prompts", "", unknown)
            self._health.problem("prompts", unknown, hold_s=FOR_EVER_S)
        else:
            self._health.solved("prompts")


def use_prompts(
    perception: Perception, prompts: Sequence[str], thresholds: Sequence[float]
) -> None:
    """Make these the standing prompts; one that is not understood does not stop the others.

    Raises:
        NotUnderstoodError: none of them is understood.
        ValueError: one is not as expected, see `Perception.set_prompts`.
    """
    if tuple(prompts) == AUTO:
        perception.set_prompts(AUTO, thresholds)
        return
    unknown = perception.misunderstood(prompts)
    perception.set_prompts(prompts, thresholds, keep_unknown=len(unknown) < len(prompts))


def not_understood_text(perception: Perception) -> str:
    """Which standing prompts select nothing as they are not understood, "" if all are."""
    reasons = list(perception.not_understood.values())
    more = f"; and {len(reasons) - _TOLD} more" if len(reasons) > _TOLD else ""
    return "; ".join(reasons[:_TOLD]) + more


def _masks(request: Query.Request | Segment.Request, result: QueryResult) -> dict[str, Any]:
    """The mask of an answer in the forms that are wanted."""
    frame_id = request.view.header.frame_id or result.frame_id
    made: dict[str, Any] = {}
    if request.want_mask:
        made["mask"] = image_msg(result.mask, "32FC1", header(result.stamp_ns, frame_id))
    if request.want_mask_png:
        made["mask_png"] = png_msg(result.mask, header(result.stamp_ns, frame_id))
    return made
