# SPDX-License-Identifier: Apache-2.0
"""Points and parts marked on one object, found on every other object of its kind.

What FeatureNeRF (Ye et al. 2023) does by comparing distilled features, done here by laying one
object over the other (`registration`), with features as one of several hints: it needs no network
that knows parts, and it says where a thing's symmetry leaves open what is meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.ask.object_cloud import ObjectCloud, object_cloud
from f4x_ros.core.ask.parts import carry_parts
from f4x_ros.core.ask.registration import Alignments, Weights, align
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.field import Snapshot

_SHARPNESS = 0.03  # difference of energies that makes a turn e times less likely
_SAME = 0.1  # places nearer than this, as a share of the object's size, are one place
_OTHER = 0.12  # a place with a smaller share of the turns is not worth a mention
_GOOD, _POOR = 0.35, 0.85  # energies of a sure and of a hopeless match


@dataclass(frozen=True, eq=False)
class Place:
    """Where a mark may be: position [3] (m, map frame) and how likely, 0..1."""

    position: NDArray[np.float64]
    share: float


@dataclass(frozen=True, eq=False)
class FoundPoint:
    """A marked point on another object.

    Attributes:
        name: of the mark.
        position: [3] metres, map frame.
        confidence: 0..1; the share of all likely turns that put it here, times how well the
            objects fit. Low for the left rim of a cup without a handle.
        others: other places it may be, because the object looks the same when turned.
    """

    name: str
    position: NDArray[np.float64]
    confidence: float
    others: tuple[Place, ...]


@dataclass(frozen=True, eq=False)
class Transfer:
    """What became of the marks on one object.

    Attributes:
        members: [M] rows of the snapshot.
        fit: 0..1, how well the source could be laid over it.
        points: in the order of the marks.
        parts: [M] part of each member: 0 none, p + 1 the p-th part.
        part_scores: [M] share of the votes for it.
    """

    members: Tensor
    fit: float
    points: tuple[FoundPoint, ...]
    parts: NDArray[np.int64]
    part_scores: NDArray[np.float32]


@torch.no_grad()
def transfer(
    snapshot: Snapshot,
    features: Tensor | None,
    source: Tensor,
    targets: Sequence[Tensor],
    keypoints: Mapping[str, NDArray[np.float64]],
    parts: NDArray[np.int64] | None = None,
    weights: Weights | None = None,
) -> list[Transfer]:
    """Find the marks of one object on others.

    Args:
        snapshot: the field at a time, N Gaussians; z is up.
        features: [N, C] of every Gaussian, decoded; None compares shapes and colours alone.
        source: rows of the marked object.
        targets: rows of each other object.
        keypoints: name to position [3] (m, map frame) on the source.
        parts: [M] part of each row of `source`, 0 none; see `parts.spread_parts`.
        weights: what mismatches cost.

    Raises:
        ValueError: an object of fewer than 8 solid Gaussians, a position that is not three finite
            numbers, or parts that do not fit the source.
    """
    marked = _checked(keypoints)
    if parts is not None and parts.shape != (len(source),):
        raise BadInputError(f"parts has shape {parts.shape}, expected ({len(source)},)")
    cloud = object_cloud(snapshot, features, source)
    out = []
    for members in targets:
        goal = object_cloud(snapshot, features, members)
        ways = align(cloud, goal, weights=weights)
        out.append(_carried(snapshot, cloud, goal, ways, source, members, marked, parts))
    return out


def _checked(keypoints: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    marked = {name: np.asarray(point, np.float64) for name, point in keypoints.items()}
    for name, point in marked.items():
        if point.shape != (3,) or not np.isfinite(point).all():
            raise BadInputError(f"keypoint {name!r} is {point.tolist()}, expected 3 finite numbers")
    return marked


def _carried(
    snapshot: Snapshot,
    cloud: ObjectCloud,
    goal: ObjectCloud,
    ways: Alignments,
    source: Tensor,
    members: Tensor,
    marked: Mapping[str, NDArray[np.float64]],
    parts: NDArray[np.int64] | None,
) -> Transfer:
    likely = torch.softmax(-ways.energy / _SHARPNESS, 0)
    at = torch.as_tensor(np.stack(list(marked.values())), dtype=torch.float32) if marked else None
    probe = cloud.points if at is None else at
    moved = ways.move(probe)  # [Y, K, 3]
    best = _best_way(ways.move(cloud.points), likely, goal.size_m)
    fit = float(((_POOR - ways.energy[best]) / (_POOR - _GOOD)).clamp(0, 1))
    points: tuple[FoundPoint, ...] = ()
    if at is not None:
        points = tuple(
            _found(name, moved[:, k], best, likely, fit, goal.size_m)
            for k, name in enumerate(marked)
        )
    labels, scores = carry_parts(snapshot, ways, best, source, members, parts)
    return Transfer(members, fit, points, labels, scores)


def _best_way(moved: Tensor, likely: Tensor, size_m: float) -> int:
    """The way with most of the likelihood about it: neighbours support one another."""
    apart = (moved[:, None] - moved[None]).norm(dim=-1).mean(-1) / size_m  # [Y, Y]
    return int((torch.exp(-((apart / _SAME) ** 2)) @ likely).argmax())


def _found(
    name: str,
    moved: Tensor,  # [Y, 3] by every way
    best: int,
    likely: Tensor,
    fit: float,
    size_m: float,
) -> FoundPoint:
    left = likely.clone()
    here = (moved - moved[best]).norm(dim=1) < _SAME * size_m
    share = float(left[here].sum())
    left[here] = 0
    others = []
    while float(left.sum()) > _OTHER:
        apart = torch.cdist(moved, moved) < _SAME * size_m
        middle = int((apart.float() @ left).argmax())
        part = float(left[apart[middle]].sum())
        if part < _OTHER:
            break
        others.append(Place(moved[middle].double().numpy(), part))
        left[apart[middle]] = 0
    return FoundPoint(name, moved[best].double().numpy(), share * fit, tuple(others))
