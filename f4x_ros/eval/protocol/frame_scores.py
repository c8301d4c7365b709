# SPDX-License-Identifier: Apache-2.0
"""Frame by frame: what a subject said about a drawn world against what is so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from f4x_ros.core.data import Event, Prediction, Track, TrackState
from f4x_ros.core.objects import AHEAD_S
from f4x_ros.eval.metrics.camera import CameraScores, camera_scores, position_errors_m
from f4x_ros.eval.metrics.masks import MaskScores, MaskSequence, jaccard
from f4x_ros.eval.metrics.mover_errors import MoverErrors, mover_errors
from f4x_ros.eval.metrics.moves import MoveScores, move_scores, true_moves
from f4x_ros.eval.metrics.predictions import PredictionScores, prediction_scores
from f4x_ros.eval.metrics.queries import PhraseIou
from f4x_ros.eval.metrics.track_matching import follow_matches, scored_frame
from f4x_ros.eval.metrics.track_states import ObjectStates
from f4x_ros.eval.metrics.tracks import TrackScores, track_scores
from f4x_ros.eval.subjects.subject import Observed
from f4x_ros.sim import Phrase, World, WorldTruth
from f4x_ros.sim.language import ROOM_CLASSES

#: An object is scored where at least this share of it is visible ...
VISIBLE_SHARE = 0.25
#: ... and this many pixels of it at 320x240; both are what an annotator would mark.
VISIBLE_PX = 40

_MOVING_LEVEL = 0.5
_NEAR_M = 0.5
_EXAMPLES = 12
_CLEAR_PX = 150  # of a thing at 320x240 from which its way and turn are scored
_KINDS = {"person": "persons", "ball": "balls", "football": "balls"}


def least_visible_px(truth: WorldTruth) -> float:
    """`VISIBLE_PX` for a picture of this size."""
    return VISIBLE_PX * truth.instances.size / (320 * 240)


class FrameScores:
    """Adds up masks, tracks and poses of the frames of one run.

    Attributes:
        iou: ``[frames]`` mean IoU of the standing prompts visible in each frame; NaN without any.
        moving_j: ``[frames]`` J of the moving-object mask; NaN where nothing moves or no mask is.
        seen_px: most pixels that each instance had in any frame.
        moving_examples: index, predicted and true moving-object mask of some frames.
    """

    def __init__(self, world: World, standing: Sequence[Phrase]) -> None:
        self._world, self._standing = world, standing
        self._scale = world.camera.width * world.camera.height / (320 * 240)
        self._masks, self._moving = PhraseIou(), MaskSequence()
        self._false_alarms: list[float] = []
        self._truths: list[ObjectStates] = []
        self._movers: list[ObjectStates] = []
        self._tracks: list[ObjectStates] = []
        self._unseen: list[set[int]] = []
        self._predicted: list[dict[int, Prediction]] = []
        self._poses: list[NDArray[np.float64]] = []  # true
        self._used: list[NDArray[np.float64]] = []
        self.iou: list[float] = []
        self.moving_j: list[float] = []
        self.seen_px: dict[int, int] = {}
        self.moving_examples: list[tuple[int, NDArray[np.bool_], NDArray[np.bool_]]] = []

    def add(
        self,
        truth: WorldTruth,
        observed: Observed,
        predictions: Sequence[Prediction] | None = None,
    ) -> None:
        """One frame, and where its tracks were predicted to be `AHEAD_S` later; None: not known."""
        if predictions is not None:
            self._predicted.append({one.track.id: one for one in predictions})
        self._poses.append(truth.T_map_camera)
        if observed.T_map_camera is not None:
            self._used.append(observed.T_map_camera)
        ids, counts = np.unique(truth.instances, return_counts=True)
        pixels = dict(zip(ids.tolist(), counts.tolist(), strict=True))
        for number, count in pixels.items():
            self.seen_px[number] = max(count, self.seen_px.get(number, 0))
        self.iou.append(self._add_masks(truth, observed))
        self.moving_j.append(self._add_moving(truth, observed))
        self._add_tracks(truth, observed, pixels)

    def _add_masks(self, truth: WorldTruth, observed: Observed) -> float:
        if observed.labels is None:
            return float("nan")
        ious = []
        for q, phrase in enumerate(self._standing):
            predicted, true = observed.labels == q + 1, truth.mask(phrase.instances)
            valid = countable(self._world, truth, phrase)
            self._masks.add(phrase.text, predicted, true, valid)
            if true.sum() >= least_visible_px(truth):
                ious.append(jaccard(predicted & valid, true & valid))
        return float(np.mean(ious)) if ious else float("nan")

    def _add_moving(self, truth: WorldTruth, observed: Observed) -> float:
        if observed.moving is None:
            return float("nan")
        predicted, true = observed.moving >= _MOVING_LEVEL, truth.moving_mask
        if len(self.moving_j) % max(1, len(self._world) // _EXAMPLES) == 0:
            self.moving_examples.append((len(self.moving_j), predicted, true))
        if true.any():
            return self._moving.add(predicted, true)
        self._false_alarms.append(float(predicted.mean()))
        return float("nan")

    def _add_tracks(self, truth: WorldTruth, observed: Observed, pixels: Mapping[int, int]) -> None:
        wanted = {number for phrase in self._standing for number in phrase.instances}
        movers = {number for number, label in self._world.labels.items() if label.moving}
        least = least_visible_px(truth)
        self._unseen.append(
            {
                number
                for number in truth.T_map_center
                if truth.visibility[number] < VISIBLE_SHARE or pixels.get(number, 0) < least
            }
        )
        for states, ids in ((self._truths, wanted), (self._movers, movers)):
            there = sorted(ids & truth.T_map_center.keys())
            states.append(_true_states(self._world, truth, there, pixels))
        self._tracks.append(_tracked_states(truth.stamp_ns, observed.tracks))

    def standing_of(self, *, moving: bool) -> set[str]:
        """Texts of the standing phrases all of whose things move at some time, or none of them."""
        labels = self._world.labels
        return {
            phrase.text
            for phrase in self._standing
            if phrase.instances and all(labels[one].moving is moving for one in phrase.instances)
        }

    # --- results -------------------------------------------------------------------------------

    @property
    def masks(self) -> PhraseIou:
        """The standing prompts' masks as they were published."""
        return self._masks

    def moving(self) -> tuple[MaskScores, float | None]:
        """Masks of what moves, and the share of pixels said to move where nothing does.

        The masks are scored in the frames that show something moving; the share is the mean over
        all other frames, None if there is none.
        """
        alarms = self._false_alarms
        return self._moving.result(), float(np.mean(alarms)) if alarms else None

    def tracks(self, *, moving_only: bool) -> TrackScores:
        """Tracks of all objects of the standing prompts, or of whatever ever moves.

        Objects that are hardly visible are ignored: a track on one of them is neither right nor
        wrong. With ``moving_only`` only tracks count that were called moving at any time, what a
        planner takes for a dynamic obstacle: on something still such a track is an invention, and
        a mover is missed whether or not the encoder has a word for it.
        """
        if not moving_only:
            return track_scores(self._truths, self._tracks, ignore=self._unseen)
        return track_scores(self._movers, self._called_moving(), ignore=self._unseen)

    def _called_moving(self) -> list[ObjectStates]:
        """Frame by frame the tracks that were called moving at any time."""
        ever = {
            number
            for states in self._tracks
            if states.moving is not None
            for number in states.ids[states.moving].tolist()
        }
        return [states.kept(np.isin(states.ids, list(ever))) for states in self._tracks]

    def kinds(self) -> dict[str, MoverErrors]:
        """How well the motion is known of "movers", all, and of "rigid", "persons" and "balls"."""
        kinds: dict[str, set[int]] = {"movers": set(), "rigid": set(), "persons": set()}
        kinds["balls"] = set()
        for number, label in self._world.labels.items():
            if label.moving:
                kinds["movers"].add(number)
                kinds[_KINDS.get(label.cls, "rigid")].add(number)
        frames = [
            scored_frame(true, said, _NEAR_M, ids)
            for true, said, ids in zip(
                self._movers, self._called_moving(), self._unseen, strict=True
            )
        ]
        matches, least = follow_matches(frames), _CLEAR_PX * self._scale
        return {name: mover_errors(frames, matches, ids, least) for name, ids in kinds.items()}

    def predictions(self) -> dict[float, PredictionScores]:
        """Predictions of what moves, by seconds ahead; empty where the subject makes none."""
        if len(self._predicted) < len(self._movers) or not self._movers:
            return {}
        scores = prediction_scores(
            self._movers, self._tracks, self._predicted, AHEAD_S, ignore=self._unseen
        )
        return dict(zip(AHEAD_S, scores, strict=True))

    def moves(self, events: Sequence[Event]) -> MoveScores:
        """Events against what truly moved, of all things that ever move."""
        return move_scores(true_moves(self._movers, self._unseen), events)

    def poses(self) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """True and used pose [4, 4] of each frame that had both."""
        return list(zip(self._poses, self._used, strict=False))

    def camera(self) -> CameraScores | None:
        """The path of the camera; None if the subject does not say which pose it used."""
        if len(self._used) < len(self._poses):
            return None
        stamps = np.array([states.stamp_ns for states in self._truths], np.int64)
        return camera_scores(stamps, np.stack(self._poses), np.stack(self._used))

    def camera_paths(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """True positions of the camera and those that were used, ``[frames, 3]`` or ``[0, 3]``."""
        used = np.stack(self._used)[:, :3, 3] if self._used else np.zeros((0, 3))
        return np.stack(self._poses)[:, :3, 3], used

    def camera_errors_m(self) -> NDArray[np.float64]:
        """Distance ``[frames]`` of the camera's used position from the true one; NaN = unknown."""
        if len(self._used) < len(self._poses):
            return np.full(len(self._poses), np.nan)
        return position_errors_m(np.stack(self._poses), np.stack(self._used))

    def mover_errors_m(self) -> NDArray[np.float64]:
        """Mean distance ``[frames]`` of movers from the nearest track; NaN where none is near.

        A simple look at the course of things: `tracks` has the numbers.
        """
        errors = []
        for truth, tracked in zip(self._movers, self._tracks, strict=True):
            assert truth.moving is not None  # see `_true_states`
            places = truth.positions[truth.moving]
            gaps = [np.linalg.norm(tracked.positions - place, axis=1) for place in places]
            near = [gap.min() for gap in gaps if gap.size and gap.min() < _NEAR_M]
            errors.append(float(np.mean(near)) if near else float("nan"))
        return np.array(errors)

    def object_paths(self) -> tuple[list[ObjectStates], list[ObjectStates]]:
        """True movers and all tracked objects, frame by frame."""
        return self._movers, self._tracks


def countable(world: World, truth: WorldTruth, phrase: Phrase) -> NDArray[np.bool_]:
    """``[H, W]`` pixels that a phrase can be judged at.

    A colour is no word for floor, walls and ceiling in the truth, though they have one, so for
    "color" phrases their pixels do not count.
    """
    if phrase.kind != "color":
        return np.ones(truth.instances.shape, bool)
    room = {number for number, label in world.labels.items() if label.cls in ROOM_CLASSES}
    return ~truth.mask(room)


def _true_states(
    world: World, truth: WorldTruth, there: Sequence[int], pixels: Mapping[int, int]
) -> ObjectStates:
    poses = [truth.T_map_center[number] for number in there]
    turns = [Rotation.from_matrix(pose[:3, :3]).as_quat() for pose in poses]
    return ObjectStates(
        stamp_ns=truth.stamp_ns,
        ids=np.array(there, np.int64),
        positions=np.array([pose[:3, 3] for pose in poses]).reshape(-1, 3),
        orientations=np.array(turns).reshape(-1, 4),
        velocities=np.array([truth.velocity[number] for number in there]).reshape(-1, 3),
        angular_velocities=np.array([truth.angular_velocity[number] for number in there]).reshape(
            -1, 3
        ),
        sizes=np.array([world.labels[number].size for number in there]).reshape(-1, 3),
        moving=np.array([truth.moving[number] for number in there], bool),
        pixels=np.array([pixels.get(number, 0) for number in there], np.int64),
    )


def _tracked_states(stamp_ns: int, tracks: Sequence[Track]) -> ObjectStates:
    """What a planner would take for real at this moment: the confirmed tracks."""
    sure = [track for track in tracks if track.state is TrackState.CONFIRMED]
    return ObjectStates(
        stamp_ns=stamp_ns,
        ids=np.array([track.id for track in sure], np.int64),
        positions=np.array([track.position for track in sure], float).reshape(-1, 3),
        orientations=np.array([track.orientation for track in sure], float).reshape(-1, 4),
        velocities=np.array([track.velocity for track in sure], float).reshape(-1, 3),
        angular_velocities=np.array([one.angular_velocity for one in sure], float).reshape(-1, 3),
        pose_covariances=np.array([one.pose_covariance for one in sure], float).reshape(-1, 6, 6),
        twist_covariances=np.array([one.twist_covariance for one in sure], float).reshape(-1, 6, 6),
        sizes=np.array([track.size for track in sure], float).reshape(-1, 3),
        moving=np.array([track.moving for track in sure], bool),
    )
