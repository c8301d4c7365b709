# SPDX-License-Identifier: Apache-2.0
"""Which track an object of an answer is, at the moment that was asked about.

Now, it is the one whose id most of its Gaussians carry. At a past moment they may carry the id of a
track that began later, or none, as that of then has ended since: the object is the track of then
whose id it carries if that was there, otherwise the one that stood in its place with its size,
otherwise none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.ask.scene import QueryScene
from f4x_ros.core.data import Track, TrackState
from f4x_ros.core.objects import Component, dominant_id

_UNKNOWN = 1.0  # standard deviation (m, rad, m/s, rad/s) of what a single look does not tell
_BOX_SIGMA = 0.05  # of a box centre, share of its size
_MARGIN_M = 0.05  # boxes of one thing, from a filter and from the field, agree so well
_ALIKE = 2.0  # boxes of one thing differ less in their diagonals
_SIGMAS = 3.0


def as_track(component: Component, scene: QueryScene, label: str) -> Track:
    """The track an object is, as of the scene's moment, with this label and the object's box.

    An object that is none of the scene's tracks has the id 0.
    """
    track = _track_of(component, scene)
    if track is not None:
        return replace(
            track,
            label=label,
            score=component.score,
            position=component.center,
            size=component.size,
            last_seen_ns=min(track.last_seen_ns, scene.stamp_ns),
        )
    sigma = _BOX_SIGMA * float(np.linalg.norm(component.size))
    unknown = _UNKNOWN**2 * np.eye(6)
    pose_covariance = unknown.copy()
    pose_covariance[:3, :3] = sigma**2 * np.eye(3)
    return Track(
        id=0,
        label=label,
        score=component.score,
        state=TrackState.TENTATIVE,
        moving=False,
        position=component.center,
        orientation=np.array([0.0, 0.0, 0.0, 1.0]),
        pose_covariance=pose_covariance,
        velocity=np.zeros(3),
        angular_velocity=np.zeros(3),
        twist_covariance=unknown,
        size=component.size,
        first_seen_ns=scene.stamp_ns,
        last_seen_ns=scene.stamp_ns,
    )


def ids_of(scene: QueryScene, objects: Sequence[Component], tracks: Sequence[Track]) -> Tensor:
    """Track id of every Gaussian [N] in the answer: what it carries, in the past those of then."""
    ids = scene.snapshot.object_ids
    if not scene.past:
        return ids
    ids = torch.zeros_like(ids)
    for one, track in zip(objects, tracks, strict=True):
        ids[torch.from_numpy(one.members).to(ids.device)] = track.id
    return ids


def said_of_then(scene: QueryScene, objects: Sequence[Component], tracks: Sequence[Track]) -> str:
    """What is to be said of objects of the past that are not named; "" if nothing is."""
    if not scene.past or not objects:
        return ""
    if not scene.tracks_known:
        return "; what was followed then is forgotten"
    unnamed = [one for one, track in zip(objects, tracks, strict=True) if track.id == 0]
    carried = {dominant_id(scene.snapshot.object_ids, one.members) for one in unnamed}
    later = sorted(carried - {track.id for track in scene.tracks})
    names = ", ".join(str(number) for number in later if number > 0)
    return f"; not followed then: track {names}" if names else ""


def _track_of(component: Component, scene: QueryScene) -> Track | None:
    carried = dominant_id(scene.snapshot.object_ids, component.members)
    named = next((track for track in scene.tracks if track.id == carried), None)
    if not scene.past or (named is not None and _was_there(component, named)):
        return named
    same = [track for track in scene.tracks if _same_box(component, track)]
    return min(same, key=lambda track: _distance(component, track), default=None)


def _was_there(component: Component, track: Track) -> bool:
    """Whether an object lies where its track was, as well as that was known."""
    unsure = _SIGMAS * np.sqrt(np.diag(track.pose_covariance)[:3])
    off = np.abs(component.center - track.position)
    return bool((off <= track.size / 2 + unsure + _MARGIN_M).all())


def _same_box(component: Component, track: Track) -> bool:
    """Whether each has its centre in the other's box, and they are of a size."""
    off = np.abs(component.center - track.position)
    spans = np.linalg.norm(component.size), np.linalg.norm(track.size)
    inside = (off <= np.minimum(component.size, track.size) / 2 + _MARGIN_M).all()
    return bool(inside and max(spans) <= _ALIKE * min(spans) + _MARGIN_M)


def _distance(component: Component, track: Track) -> float:
    return float(np.linalg.norm(component.center - track.position))
