# SPDX-License-Identifier: Apache-2.0
"""Points of the world that a picture is aligned to: where they are, how they lie, how they look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose
from f4x_ros.core.motion.odometry.images import Picture

_CELLS = (12, 16)  # of the image, rows and columns, that share the samples evenly
_OFFERED = 6  # pixels looked at for each sample that is wanted
_SLOPE = 1.5  # grey levels a pixel below which nothing is seen to shift ...
_NOISES = 3.0  # ... nor below so many times the slope of noise

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Samples:
    """Points in the map frame, for two ways to compare them with a picture.

    Attributes:
        points: [N, 3] metres, on surfaces.
        normals: [N, 3] of the surfaces there.
        marks: [M, 3] metres, where there is something to see.
        greys: [M] band-passed grey of the marks.
        point_trust: [N] 0..1, how often of late a point was there; changed in place by `judge`.
        mark_trust: [M] the same of the marks.
    """

    points: Array
    normals: Array
    marks: Array
    greys: Array
    point_trust: Array
    mark_trust: Array

    def __len__(self) -> int:
        return len(self.points) + len(self.marks)

    def some(self, count: int) -> Samples:
        """So many of each kind: the first, as they are in no order."""
        return Samples(*(getattr(self, one.name)[:count] for one in fields(self)))

    def moved_by(self, motion: Pose) -> Samples:
        """All of them moved rigidly; what they are trusted stays."""
        turn, shift = motion[:3, :3].T.astype(np.float32), motion[:3, 3].astype(np.float32)
        return replace(
            self,
            points=self.points @ turn + shift,
            normals=self.normals @ turn,
            marks=self.marks @ turn + shift,
        )


def joined(parts: Sequence[Samples]) -> Samples:
    """All of several."""
    names = [one.name for one in fields(Samples)]
    return Samples(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def samples_of(
    picture: Picture, T_map_camera: Pose, count: int, rng: np.random.Generator
) -> Samples:
    """At most `count` points and `count` marks of a picture, spread over it."""
    surface, normals, known = picture.surface
    rows = _spread(known, None, count, rng)
    at = np.unravel_index(rows, known.shape)
    slope = np.abs(picture.channels[..., 1]) + np.abs(picture.channels[..., 2])
    seen = picture.solid & (slope > np.maximum(_SLOPE, _NOISES * picture.noise))
    marked = np.unravel_index(_spread(seen, slope, count, rng), seen.shape)
    turn = T_map_camera[:3, :3].astype(np.float32)
    shift = T_map_camera[:3, 3].astype(np.float32)
    return Samples(
        surface[at] @ turn.T + shift,
        normals[at] @ turn.T,
        (picture.rays[marked] * picture.depth[marked][:, None] @ turn.T + shift).astype(np.float32),
        picture.channels[..., 0][marked],
        np.ones(len(rows), np.float32),
        np.ones(len(marked[0]), np.float32),
    )


def _spread(
    wanted: NDArray[np.bool_],  # [H, W]
    weight: Array | None,  # [H, W] how much better one is than another; None = all alike
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Flat indices of at most `count` wanted pixels, evenly over the cells, in no order."""
    flat = np.flatnonzero(wanted)
    if len(flat) > _OFFERED * count:
        flat = flat[rng.integers(0, len(flat), _OFFERED * count)]
        flat = np.unique(flat)
    if len(flat) <= count:
        return np.asarray(rng.permutation(flat))
    height, width = wanted.shape
    cell = flat // width * _CELLS[0] // height * _CELLS[1] + flat % width * _CELLS[1] // width
    order = rng.random(len(flat))
    if weight is not None:
        order /= np.minimum(weight.ravel()[flat], 10 * _SLOPE)
    ranked = np.lexsort((order, cell))
    starts = np.searchsorted(cell[ranked], np.arange(_CELLS[0] * _CELLS[1] + 1))
    rank = np.arange(len(ranked)) - np.repeat(starts[:-1], np.diff(starts))
    best = np.argsort(rank, kind="stable")[:count]
    return np.asarray(rng.permutation(flat[ranked[best]]))
