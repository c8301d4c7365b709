# SPDX-License-Identifier: Apache-2.0
"""Objects of the standing prompts, followed from frame to frame.

A detection is a connected component of the field. It belongs to the track whose id its Gaussians
carry (they are the same matter); matter that is new is assigned by distance (Hungarian method,
`scipy.optimize.linear_sum_assignment`). Positions go through a constant-velocity filter; a thing
counts as moving only while part of it stands where the camera had seen empty space before, so that
the growing view of a static thing is not taken for motion.

What is not seen: a resting thing stays where the field has it, for as long as the field has it
(OCCLUDED). A thing that was moving when it was last seen is predicted onwards for a second, then
taken to have stopped; after `tracks.lost_after_s` it is LOST, wherever its last Gaussians lie.

An id is given out once. When its track ends, LOST or because its prompt is no longer asked, no
present Gaussian carries it on (`Tracker.lost_ids`, `Tracker.keep_labels`), so that nothing can be
taken for it later; those of the past keep it, as its history does, for questions about then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from f4x_ros.core.config import TracksConfig
from f4x_ros.core.data import Track, TrackState
from f4x_ros.core.motion import PositionFilter
from f4x_ros.core.motion.bodies import BodyMotion
from f4x_ros.core.objects.components import Box, Component, box_of
from f4x_ros.core.objects.history import History, Life
from f4x_ros.core.objects.target import Target, pack, unpack

_GATE_SIGMA = 3.0  # a distance beyond this many standard deviations is another object
_MIN_GATE_M = 0.15
_OVERLAP = 0.1  # share of a component's Gaussians that must carry a track's id
_REJECTED = 1e6
_SEEN_SHARE = 0.1  # of a component's Gaussians observed in this frame to count as seen
_BASE_SIGMA_M = 0.01
_SIGMA_PER_SIZE = 0.05  # the box of a half-seen object is off by a share of its size
_MAX_REST_GATE_M = 1.0  # however unsure a thing that rested is, it is not sought farther away
_COAST_S = 1.0  # unseen movers are predicted onwards for this long ...
_STOP_S = 0.3  # ... then their velocity falls to 1/e in this time
_COAST_FRAMES = 2.5  # where frames are rarer than that: in frame intervals
GIVEN_UP = -1  # object id of Gaussians of a track that was LOST while they stayed in the field
_GOES = 0.3  # what moves is rather the thing than what looks alike where it was
_WHOLE = 0.7  # share of an object that moves with a body whose surface is the object's
_FEWEST = 8  # points of a body that tell how large it is
_BODY_PERCENTILES = (0.5, 99.5)  # of the points of a body, which are sure, and evenly spread
_BORN_SHARE = 0.15  # of an object's Gaussians that were born lately while it moves


@dataclass(frozen=True, eq=False)
class Detection:
    """A component of the field with what the tracker needs to know of its Gaussians."""

    label: str
    component: Component
    ids: NDArray[np.int64]  # [M] track ids its Gaussians carry, 0 = none
    seen_share: float  # of its Gaussians, in this frame
    seen_ns: int  # stamp of the latest frame that saw one of them
    born_share: float  # of its Gaussians, lately: their place was seen empty, or its body moves
    positions: NDArray[np.floating] | None = None  # [M, 3] of its Gaussians, metres, map frame
    body: BodyMotion | None = None  # what it moves with
    body_share: float = 0.0  # of its Gaussians that are of that

    @property
    def seen(self) -> bool:
        """Whether enough of it was observed in this frame to count."""
        return self.seen_share >= _SEEN_SHARE


class Tracker:
    """Ids, states, positions and velocities of objects, now and at past moments."""

    def __init__(self, config: TracksConfig, first_id: int = 1) -> None:
        self._config = config
        self._history = History()
        self._targets: list[Target] = []
        self._next_id = first_id
        self._last_ns: int | None = None

    @property
    def next_id(self) -> int:
        """The lowest id that was never given out."""
        return self._next_id

    @property
    def lost_ids(self) -> tuple[int, ...]:
        """Tracks that the last frame gave up: no present Gaussian is to carry them on."""
        return tuple(t.id for t in self._targets if t.state == TrackState.LOST)

    def labels(
        self, ids: NDArray[np.signedinteger[Any]], prompts: Sequence[str]
    ) -> NDArray[np.signedinteger[Any]]:
        """What the tracks are called whose ids [N] Gaussians carry: p + 1 of prompts, 0 = none."""
        number = {text: p + 1 for p, text in enumerate(prompts)}
        label = {t.id: number.get(t.label, 0) for t in self._targets}
        found, of = np.unique(ids, return_inverse=True)
        own = np.array([label.get(int(one), 0) for one in found], np.int64)
        return np.asarray(own[of.reshape(-1)])

    def ids_now(self, ids: NDArray[np.signedinteger[Any]]) -> NDArray[np.signedinteger[Any]]:
        """What ids [N] that Gaussians carry are worth now.

        An id of a track that goes on stays, that of a LOST one becomes `GIVEN_UP`. That of a track
        whose prompt is no longer asked becomes 0: its thing may be followed anew in other words.
        """
        living = [t.id for t in self._targets if t.state != TrackState.LOST]
        stale = (ids > 0) & ~np.isin(ids, living)
        if not stale.any():
            return ids
        lost = [one for one in np.unique(ids[stale]).tolist() if self._history.was_lost(one)]
        out = ids.copy()
        out[stale] = np.where(np.isin(ids[stale], lost), GIVEN_UP, 0)
        return out

    def keep_labels(self, labels: Sequence[str]) -> list[int]:
        """Drop the tracks of prompts that are no longer asked: the last frame was their last.

        Returns their ids, which no present Gaussian is to carry on.
        """
        dropped = [t.id for t in self._targets if t.label not in labels]
        self._targets = [t for t in self._targets if t.label in labels]
        if self._last_ns is not None:
            self._history.end(dropped, self._last_ns + 1)
        return dropped

    def update(
        self,
        detections: Sequence[Detection],
        stamp_ns: int,
        elsewhere: Collection[int] = (),
        since_ns: int | None = None,
    ) -> list[int]:
        """Take in the objects of a frame.

        Args:
            detections: objects among the Gaussians that were looked at.
            stamp_ns: of the frame, not before that of the last.
            elsewhere: tracks that have Gaussians which were not looked at: their things are still
                in the field.
            since_ns: what was seen since then, by any camera, is in sight; None = in the frame.

        Returns:
            The track id of each detection; `GIVEN_UP` where a component out of sight belonged to a
            track that was given up or goes on elsewhere.
        """
        dt_s = 0.0 if self._last_ns is None else (stamp_ns - self._last_ns) / 1e9
        self._last_ns = stamp_ns
        since_ns = stamp_ns if since_ns is None else since_ns
        frame_s = max(dt_s, (stamp_ns - since_ns) / 1e9)
        self._targets = [t for t in self._targets if t.state != TrackState.LOST]
        for known in self._targets:
            self._predict(known, stamp_ns, dt_s, frame_s)
            known.supported = known.id in elsewhere
        assigned = self._assign(detections)
        ids = []
        for index, detection in enumerate(detections):
            target = assigned.get(index)
            if target is None and _was_followed(detection):
                ids.append(GIVEN_UP)
                continue
            if target is None:
                target = self._begin(detection, stamp_ns)
            self._correct(target, detection, stamp_ns)
            ids.append(target.id)
        self._age(stamp_ns, since_ns)
        self._history.note(self._targets, stamp_ns, since_ns)
        lost = self.lost_ids
        return [GIVEN_UP if one in lost else one for one in ids]

    @staticmethod
    def _predict(target: Target, stamp_ns: int, dt_s: float, frame_s: float) -> None:
        """Move on to the new frame; what has been out of sight for too long is stopped."""
        unseen_s = (stamp_ns - target.last_seen_ns) / 1e9
        if unseen_s > max(_COAST_S, _COAST_FRAMES * frame_s):
            target.filter.slow_down(float(np.exp(-dt_s / _STOP_S)))
            target.moving = False
        target.filter.predict(dt_s, moving=target.displaced)

    def tracks(self) -> tuple[Track, ...]:
        """All objects, oldest first; a track that was just lost is reported LOST once."""
        return tuple(t.track() for t in self._targets)

    def tracks_at(self, stamp_ns: int) -> tuple[Track, ...]:
        """All objects that were followed at a past moment, as they were then, oldest first.

        Left out is what had not begun, was LOST by then, or whose prompt was no longer asked; all,
        where the moment is forgotten, see `remembers`. Between frames numbers are interpolated.
        """
        return self._history.at(stamp_ns)

    @property
    def lives(self) -> tuple[Life, ...]:
        """The histories of all tracks, also of those that are no more; not to be changed."""
        return self._history.lives

    def remembers(self, stamp_ns: int) -> bool:
        """Whether `tracks_at` a moment is known; the bound of the history is `MAX_STATES`."""
        return self._history.knows(stamp_ns)

    @property
    def states_forgotten(self) -> int:
        """States that the history dropped for its bound."""
        return self._history.forgotten

    def state(self) -> dict[str, NDArray[Any]]:
        """All of it as arrays, for saving with the map."""
        last = -1 if self._last_ns is None else self._last_ns
        return {
            **pack(self._targets),
            **self._history.pack(),
            "next_id": np.array(self._next_id),
            "last_ns": np.array(last),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of `state`, into a fresh tracker; ValueError for what cannot be."""
        next_id = int(state["next_id"])
        highest = max(
            (int(ids.max()) for ids in (state["id"], state["life_id"]) if len(ids)), default=0
        )
        if highest >= next_id:
            raise ValueError(f"next_id is {next_id}, expected more than {highest} of a track")
        self._targets = unpack(state)
        self._history.unpack(state)
        self._next_id = max(self._next_id, next_id)
        last = int(state["last_ns"])
        self._last_ns = None if last < 0 else last

    def _assign(self, detections: Sequence[Detection]) -> dict[int, Target]:
        if not detections or not self._targets:
            return {}
        carried = Counter[int]()
        for one in detections:
            carried.update(one.ids.tolist())
        cost = np.array(
            [[self._cost(d, t, carried[t.id]) for t in self._targets] for d in detections]
        )
        rows, columns = linear_sum_assignment(cost)
        return {
            int(r): self._targets[c]
            for r, c in zip(rows, columns, strict=True)
            if cost[r, c] < _REJECTED
        }

    @staticmethod
    def _cost(detection: Detection, target: Target, carried: int) -> float:
        """0..1 for shared Gaussians, 1..2 for nearness alone, `_REJECTED` for neither.

        One less where it moves with the same body, and a little where it moves at all: what stays
        behind is a trace of it. 2..3 for the last Gaussians of something that
        moved out of sight. `carried` is how many Gaussians of all detections are the target's.
        """
        if detection.label != target.label:
            return _REJECTED
        shared = int((detection.ids == target.id).sum())
        overlap = shared / len(detection.ids)
        same = detection.body is not None and detection.body.id == target.turn.body
        if overlap >= _OVERLAP or same:
            # Where a mover was left behind is worth less than where something like it is seen
            unseen = 2.0 if target.left_moving else 0.5
            alike = (overlap + shared / max(carried, 1)) / 2
            goes = _GOES if detection.body is not None and detection.body.moving else 0.0
            return 1 - alike - same - goes + (0.0 if detection.seen else unseen)
        if not detection.seen:
            return _REJECTED
        distance = float(np.linalg.norm(detection.component.center - target.filter.position))
        sigma = float(np.sqrt(np.trace(target.filter.covariance[:3, :3])))
        reach = _GATE_SIGMA * sigma
        if not target.displaced:
            reach = min(reach, _MAX_REST_GATE_M)
        gate = max(_MIN_GATE_M, reach, float(np.linalg.norm(target.size)) / 2)
        return 1 + distance / gate if distance < gate else _REJECTED

    def _begin(self, detection: Detection, stamp_ns: int) -> Target:
        component = detection.component
        position = PositionFilter(component.center.copy(), _sigma(component))
        seen_ns = stamp_ns if detection.seen else min(detection.seen_ns, stamp_ns)
        target = Target(
            id=self._next_id,
            label=detection.label,
            filter=position,
            size=component.size,
            score=component.score,
            first_seen_ns=seen_ns,
            last_seen_ns=seen_ns,
        )
        self._next_id += 1
        self._targets.append(target)
        return target

    def _correct(self, target: Target, detection: Detection, stamp_ns: int) -> None:
        target.supported = True
        if not detection.seen:
            return
        target.turn.follow(detection.body)
        center, size = _box(detection, target)
        target.last_seen_ns = stamp_ns
        target.hits += 1
        displaced = detection.born_share >= _BORN_SHARE
        if displaced and not target.displaced:
            target.filter.release()
        target.displaced = displaced
        if not displaced:
            target.filter.loosen(np.abs(size - target.size) / 2)
        target.filter.correct(center, _sigma(detection.component))
        if not displaced:
            target.filter.rest()
        elif detection.body is not None and detection.body.moving:
            target.filter.move(
                detection.body.velocity_at(center), detection.body.covariance[6:9, 6:9]
            )
        speed = float(np.linalg.norm(target.filter.velocity))
        target.moving = displaced and speed >= self._config.moving_speed_mps
        target.left_moving = target.moving
        target.size = size
        target.score = detection.component.score

    def _age(self, stamp_ns: int, since_ns: int) -> None:
        """Set the states; what was seen since a stamp is in sight."""
        for target in self._targets:
            unseen_s = (stamp_ns - target.last_seen_ns) / 1e9
            if target.last_seen_ns < since_ns:
                unconfirmed = target.hits < self._config.confirm_frames
                overdue = unseen_s > self._config.lost_after_s
                gone = not target.supported
                if (gone and (unconfirmed or overdue)) or (target.left_moving and overdue):
                    target.state = TrackState.LOST
                elif not unconfirmed:
                    target.state = TrackState.OCCLUDED
            elif target.hits >= self._config.confirm_frames:
                target.state = TrackState.CONFIRMED


def _box(detection: Detection, target: Target) -> Box:
    """Centre and size of a detection along the axes of what it belongs to."""
    body = detection.body
    axes = target.turn.axes if target.turn.known else None
    whole = detection.body_share >= _WHOLE  # (else it is an arm of somebody who stands)
    if body is not None and whole and body.moving and len(body.surface) >= _FEWEST:
        return box_of(body.surface, axes, _BODY_PERCENTILES)
    if detection.positions is None or axes is None:
        return detection.component.center, detection.component.size
    return box_of(detection.positions, axes)


def _was_followed(detection: Detection) -> bool:
    """Whether a component out of sight is what a track left behind that goes on elsewhere."""
    return not detection.seen and float((detection.ids != 0).mean()) >= 0.5


def _sigma(component: Component) -> float:
    return _BASE_SIGMA_M + _SIGMA_PER_SIZE * float(np.linalg.norm(component.size))
