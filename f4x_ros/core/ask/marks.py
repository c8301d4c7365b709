# SPDX-License-Identifier: Apache-2.0
"""Marks put on one object in a view, and every other object of that name with the same marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from f4x_ros.core.ask.clicks import LEVEL, members_of, object_of
from f4x_ros.core.ask.naming import as_track
from f4x_ros.core.ask.parts import spread_parts
from f4x_ros.core.ask.pixels import from_pixel, to_pixels
from f4x_ros.core.ask.prompts import Wanted, relevancy
from f4x_ros.core.ask.scene import QueryScene
from f4x_ros.core.ask.segment_clicks import check_clicks
from f4x_ros.core.ask.transfer import FoundPoint, Transfer, transfer
from f4x_ros.core.config import Config
from f4x_ros.core.data import Pose, RenderedView, Track
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.distil import Distiller
from f4x_ros.core.field import MIN_OPACITY, brought_here, to_picture
from f4x_ros.core.objects import Component, components_of

_SEEN = 0.05  # a point so far behind the surface, as a share of its object, is still seen
_FAR = 0.5  # marks farther than this share of its size from an object are not on it
_PART_ALPHA = 0.3  # rendered share from which a pixel shows a part
_LOCAL_FEATURES = ("dinov2",)  # heads that know one end of a thing from the other


@dataclass(frozen=True, eq=False)
class MarkedObject:
    """An object with its marks.

    Attributes:
        track: the object; its label is the words that found it.
        fit: 0..1, how well the marked object could be laid over it; 1 for that one itself.
        points: in the order of the marks, in the map frame.
        pixels: [K, 2] x, y of the points in the view; NaN behind the camera.
        seen: [K] whether the view shows them.
        parts: [M] part of each Gaussian of the object, 0 none, p + 1 the p-th.
        positions: [M, 3] of these Gaussians, metres, map frame.
    """

    track: Track
    fit: float
    points: tuple[FoundPoint, ...]
    pixels: NDArray[np.float64]
    seen: NDArray[np.bool_]
    parts: NDArray[np.int64]
    positions: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TransferResult:
    """The marks on all objects, in the view and at the time they were asked for.

    Attributes:
        source: the object that was marked.
        targets: the others, those that fit best first.
        part_names: names of the parts.
        part_mask: [H, W] 0 none, p + 1 the p-th part, of all objects.
        view: what the field looks like there.
        scene: time, camera and pose.
        message: one sentence.
    """

    source: MarkedObject
    targets: tuple[MarkedObject, ...]
    part_names: tuple[str, ...]
    part_mask: NDArray[np.uint16]
    view: RenderedView
    scene: QueryScene
    message: str


@torch.no_grad()
def transfer_marks(
    distiller: Distiller,
    scene: QueryScene,
    wanted: Wanted | None,
    config: Config,
    backend: str,
    exposure: Tensor,
    *,
    objects: ArrayLike,
    points: Mapping[str, ArrayLike],
    parts: Mapping[str, ArrayLike],
) -> TransferResult:
    """Carry marks from one object to the others; arguments are those of `Perception.transfer`.

    Args:
        distiller: reads the latents.
        scene: the field, and the view the clicks were made in.
        wanted: one thing for source and targets alike, or two: the source, then the targets; None
            where the objects are clicked.
        config: all options.
        backend: rasteriser, resolved.
        exposure: [2, 3] of the picture.
        objects: [K, 2] pixels, one on each object, the marked one included.
        points: name to a pixel (x, y), or to a position (x, y, z) in the map frame.
        parts: name to one or more pixels [S, 2] or positions [S, 3].
    """
    if not points and not parts:
        raise BadInputError("there are no points and no parts, expected at least one mark")
    view = to_picture(
        scene.snapshot.render(scene.snapshot.colors, scene.camera, scene.T_map_camera, backend),
        exposure,
    )
    at = {name: _positions(name, mark, scene, view, one=True)[0] for name, mark in points.items()}
    clicks = {name: _positions(name, mark, scene, view, one=False) for name, mark in parts.items()}
    texts: tuple[str, ...] = ("object",)
    if wanted is None:
        found = [_clicked(distiller, scene, objects, backend)]
    else:
        texts = wanted.texts
        found = _named(distiller, scene, wanted, config)
    marked = np.concatenate([*(p[None] for p in at.values()), *clicks.values()])
    source = _nearest(found[0], marked, scene, texts[0])
    others = [c for c in found[-1] if not _overlap(c, source)]
    rows = torch.from_numpy(source.members)
    snapshot = brought_here(scene.snapshot)
    labels = spread_parts(snapshot, rows, clicks)
    carried = transfer(
        snapshot,
        _local_features(distiller, scene),
        rows,
        [torch.from_numpy(c.members) for c in others],
        at,
        labels,
    )
    known = tuple(FoundPoint(name, point, 1.0, ()) for name, point in at.items())
    own = Transfer(rows, 1.0, known, labels, np.ones(len(labels), np.float32))
    means = snapshot.means
    first = _marked(scene, view, means, source, own, texts[0])
    targets = [
        _marked(scene, view, means, c, t, texts[-1]) for c, t in zip(others, carried, strict=True)
    ]
    targets.sort(key=lambda one: -one.fit)
    mask = _part_mask(scene, [own, *carried], len(parts), backend)
    message = f"{len(targets)} other object{'' if len(targets) == 1 else 's'}"
    return TransferResult(first, tuple(targets), tuple(parts), mask, view, scene, message)


def _positions(
    name: str, mark: ArrayLike, scene: QueryScene, view: RenderedView, *, one: bool
) -> NDArray[np.float64]:
    """A mark as positions [S, 3] in the map frame."""
    given = np.atleast_2d(np.asarray(mark, np.float64))
    if given.ndim != 2 or given.shape[1] not in (2, 3) or not len(given) or one > len(given) > 1:
        raise BadInputError(f"mark {name!r} has shape {given.shape}, expected pixels or positions")
    if one and len(given) != 1:
        raise BadInputError(f"point {name!r} has {len(given)} places, expected one")
    if not np.isfinite(given).all():
        raise BadInputError(f"mark {name!r} is {given.tolist()}, expected finite numbers")
    if given.shape[1] == 3:
        return given
    try:
        return np.stack(
            [from_pixel((x, y), scene.camera, scene.T_map_camera, view.depth) for x, y in given]
        )
    except ValueError as error:
        raise BadInputError(f"mark {name!r}: {error}") from None


def _named(
    distiller: Distiller, scene: QueryScene, wanted: Wanted, config: Config
) -> list[list[Component]]:
    """The objects that answer to each thing that is wanted."""
    scores = relevancy(scene.snapshot, distiller, wanted, config.query.min_weight)
    out = []
    for index, threshold in enumerate(wanted.thresholds):
        own = scores[:, index].contiguous()
        solid = (own >= threshold) & (scene.snapshot.opacities >= MIN_OPACITY)
        out.append(components_of(scene.snapshot, own, solid, config.tracks))
    return out


def _clicked(
    distiller: Distiller, scene: QueryScene, objects: ArrayLike, backend: str
) -> list[Component]:
    """The object under each click."""
    out = []
    for place in np.atleast_2d(np.asarray(objects, np.float64)):
        clicks = check_clicks(place[None], None, None, scene.camera)
        found = members_of(distiller, scene, clicks, backend)
        solid = (found.probability >= LEVEL) & (scene.snapshot.opacities >= MIN_OPACITY)
        rows = solid.nonzero()[:, 0]
        if not len(rows):
            raise BadInputError(f"object at {place.tolist()}: nothing is in the map there")
        out.append(object_of(scene, rows, found.score))
    return out


def _nearest(
    objects: list[Component], marked: NDArray[np.float64], scene: QueryScene, text: str
) -> Component:
    """The object the marks are on."""
    if not objects:
        raise BadInputError(f"nothing in the map answers to {text!r}: there is no object to mark")
    means = scene.snapshot.means.cpu().numpy()
    gaps = [
        float(np.median(np.linalg.norm(marked[:, None] - means[c.members][None], axis=2).min(1)))
        / max(float(c.size.max()), 1e-6)
        for c in objects
    ]
    best = int(np.argmin(gaps))
    if gaps[best] > _FAR:
        raise BadInputError(
            f"the marks are {gaps[best]:.1f} times the size of the nearest {text!r} away from it, "
            "expected them on one"
        )
    return objects[best]


def _overlap(first: Component, second: Component) -> bool:
    """Whether two finds are one object."""
    shared = len(np.intersect1d(first.members, second.members))
    return 2 * shared > min(len(first.members), len(second.members))


def _local_features(distiller: Distiller, scene: QueryScene) -> Tensor | None:
    """Features that tell parts apart, where a head has such: class words do not."""
    for head in _LOCAL_FEATURES:
        if head in distiller.heads.names:
            return distiller.decode(scene.snapshot.latents, head).cpu()
    return None


def _marked(
    scene: QueryScene,
    view: RenderedView,
    means: Tensor,  # [N, 3] of all Gaussians, on the CPU
    component: Component,
    carried: Transfer,
    text: str,
) -> MarkedObject:
    track = as_track(component, scene, text)
    places = np.array([point.position for point in carried.points]).reshape(-1, 3)
    reach_m = _SEEN * float(component.size.max())
    pixels, seen = to_pixels(places, scene.camera, scene.T_map_camera, view.depth, reach_m)
    positions = means[carried.members].numpy()
    return MarkedObject(track, carried.fit, carried.points, pixels, seen, carried.parts, positions)


def _part_mask(
    scene: QueryScene, objects: list[Transfer], count: int, backend: str
) -> NDArray[np.uint16]:
    """Label image [H, W] of the parts of all objects."""
    size: Pose = np.zeros((scene.camera.height, scene.camera.width))
    if not count:
        return size.astype(np.uint16)
    channels = torch.zeros(len(scene.snapshot), count)
    for one in objects:
        for p in range(count):
            channels[one.members[torch.from_numpy(one.parts == p + 1)], p] = 1
    channels = channels.to(scene.snapshot.means.device)
    out = scene.snapshot.render(channels, scene.camera, scene.T_map_camera, backend)
    best = out.image.max(-1)
    mask = torch.where(best.values > _PART_ALPHA, best.indices + 1, 0)
    labels: NDArray[np.uint16] = mask.cpu().numpy().astype(np.uint16)
    return labels
