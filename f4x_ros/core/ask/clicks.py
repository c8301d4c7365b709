# SPDX-License-Identifier: Apache-2.0
"""Clicks and a box in a picture of the field to the object they mean: mask, points and box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from f4x_ros.core.ask.describe import semantic_cloud
from f4x_ros.core.ask.naming import as_track, ids_of, said_of_then
from f4x_ros.core.ask.scene import QueryScene
from f4x_ros.core.ask.segment_clicks import Clicks, check_clicks
from f4x_ros.core.ask.segment_field import members_by_field
from f4x_ros.core.ask.segment_prompted import members_by_model
from f4x_ros.core.base import on_host
from f4x_ros.core.data import Cloud, Presence, QueryResult, Track
from f4x_ros.core.features.distil import Distiller
from f4x_ros.core.field import MIN_OPACITY
from f4x_ros.core.objects import BOX_PERCENTILES, Component, asked_together, coordinates

LEVEL = 0.5
"""Probability from which a Gaussian, or a pixel, is part of the object."""

_SOLID_ALPHA = 0.5
_OF_PIECE = 0.7  # share of the piece in what a Gaussian looks like; bench/clicks.py, doc/clicks.md


class Members(NamedTuple):
    """What a way to segment finds.

    Attributes:
        probability: [N] that a Gaussian is part of the object.
        score: how sure the answer is, 0..1.
        mask: [H, W] probability of each pixel; None = what the Gaussians draw.
    """

    probability: Tensor
    score: float
    mask: Tensor | None = None


@torch.no_grad()
def segment(
    distiller: Distiller,
    scene: QueryScene,
    backend: str,
    *,
    points: ArrayLike | None = None,  # [K, 2]
    labels: ArrayLike | None = None,  # [K]
    box: Sequence[float] | NDArray[np.float64] | None = None,  # [4]
    want_cloud: bool = True,
) -> QueryResult:
    """One object of the field; arguments and errors are those of `Perception.segment`."""
    clicks = check_clicks(points, labels, box, scene.camera)
    found = members_of(distiller, scene, clicks, backend)
    probability = found.probability
    selected = (probability >= LEVEL) & (scene.snapshot.opacities >= MIN_OPACITY)
    mask = _drawn(scene, probability, backend) if found.mask is None else found.mask
    rows = selected.nonzero()[:, 0]
    objects = [object_of(scene, rows, found.score)] if len(rows) else []
    tracks = tuple(_track(scene, one) for one in objects)
    what = _words(clicks)
    message = f"{len(rows)} points at {what}" if tracks else f"nothing is in the map at {what}"
    message += said_of_then(scene, objects, tracks)
    ids = ids_of(scene, objects, tracks)
    return QueryResult(
        prompt="",
        presence=Presence.PRESENT if tracks else Presence.NOT_PRESENT,
        score=found.score if tracks else 0.0,
        threshold=LEVEL,
        encoder=reader(distiller),
        message=message,
        stamp_ns=scene.stamp_ns,
        frame_id=scene.frame_id,
        map_frame=scene.map_frame,
        camera=scene.camera,
        T_map_camera=scene.T_map_camera,
        mask=mask.clamp(0, 1).cpu().numpy(),
        cloud=_cloud(scene, selected, probability, ids) if want_cloud else None,
        tracks=tracks,
    )


def reader(distiller: Distiller) -> str:
    """Name of the extractor that reads clicks."""
    return distiller.words.name if distiller.prompted is None else distiller.prompted.name


def members_of(distiller: Distiller, scene: QueryScene, clicks: Clicks, backend: str) -> Members:
    """The Gaussians of the object that was clicked, by the best means there is."""
    if not len(scene.snapshot):
        return Members(scene.snapshot.opacities, 0.0)
    if distiller.prompted is None:
        return Members(*members_by_field(scene, _features(distiller, scene), clicks, backend))
    return Members(*members_by_model(distiller, scene, clicks, backend))


def _features(distiller: Distiller, scene: QueryScene) -> Tensor:
    """[N, D] of the Gaussians, drawn to the mean of their piece: a single one's are noisy."""
    means, _, piece = asked_together(scene.snapshot)
    return coordinates(torch.lerp(scene.snapshot.latents, means[piece], _OF_PIECE), distiller)


def _drawn(scene: QueryScene, probability: Tensor, backend: str) -> Tensor:
    """Probability [H, W] that a pixel shows the object."""
    out = scene.snapshot.render(probability[:, None], scene.camera, scene.T_map_camera, backend)
    return out.image[..., 0] / out.alpha.clamp(min=_SOLID_ALPHA)


def object_of(scene: QueryScene, rows: Tensor, score: float) -> Component:
    """What was found (rows [M]), with its box."""
    members, places = on_host(rows, scene.snapshot.means[rows])
    low, high = np.percentile(places, BOX_PERCENTILES, axis=0)
    return Component(members, (low + high) / 2, high - low, score)


def _track(scene: QueryScene, found: Component) -> Track:
    """The object, by its own name if it is followed."""
    track = as_track(found, scene, "")
    label = next((one.label for one in scene.tracks if one.id == track.id), "")
    return replace(track, label=label)


def _cloud(scene: QueryScene, selected: Tensor, probability: Tensor, ids: Tensor) -> Cloud:
    # (no least weight of the feature: a click counts without one, too)
    named = replace(scene.snapshot, object_ids=ids)
    whole = semantic_cloud(named, selected.long(), probability, scene.time_s, 0.0)
    return whole.where(1)


def _words(clicks: Clicks) -> str:
    count = int(clicks.inside.sum())
    parts = [f"{count} click{'' if count == 1 else 's'}"] if count else []
    parts += ["the box"] if clicks.box else []
    return " and ".join(parts)
