# SPDX-License-Identifier: Apache-2.0
"""One object laid over another of its kind: which turn, which proportions, how sure.

Both stand upright, so what is looked for is a turn about gravity, a stretch of the ground plan
(2x2), a stretch along gravity, and a shift. All turns are tried at once: each starts as a
similarity that makes the boxes agree, and is refined by iterated closest points in both directions
(Besl and McKay 1992), where "close" means near in place, in the direction of the surface, in colour
relative to the object's main colour, and in feature. What is left unexplained, in either direction,
is the turn's energy. Turns whose energies are alike are all kept: a bottle has no front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from f4x_ros.core.ask.object_cloud import ObjectCloud

_NEAR = 0.11  # distance at which two points no longer belong together, share of the object's size
_FIRST = (3.0, 2.2, 1.6, 1.3)  # the same in the first round, times: all turns, some of the points
_SECOND = (1.3, 1.1, 1.0, 1.0)  # in the second: the better half of the turns, all points
_FLOOR = 0.3  # costs of points that lie on one surface: samples do not coincide
_CAP = 3.0  # what is not there at all costs no more, however far the next thing is
_PRIOR = 0.08  # how much a turn's starting proportions count, share of the points' moments


@dataclass(frozen=True)
class Weights:
    """What a mismatch costs, against a distance of `_NEAR` that costs 1."""

    normal: float = 0.35
    color: float = 0.7
    feature: float = 0.7
    stretch: float = 0.15
    unseen: float = 0.5  # of what the source has and the target lacks; it may be out of sight


@dataclass(frozen=True, eq=False)
class Alignments:
    """The source laid over the target in Y ways, each from a turn of its own.

    Attributes:
        linear: [Y, 3, 3] of the source's points, which come first ...
        shift: [Y, 3] ... and then this, metres.
        energy: [Y] what stays unexplained, about 0..1.
        turns_rad: [Y] of the start.
    """

    linear: Tensor
    shift: Tensor
    energy: Tensor
    turns_rad: Tensor

    def move(self, points: Tensor) -> Tensor:
        """Points [K, 3] of the source in the target's place, [Y, K, 3]."""
        return torch.einsum("yij,kj->yki", self.linear, points) + self.shift[:, None]


def align(
    source: ObjectCloud, target: ObjectCloud, turns: int = 24, weights: Weights | None = None
) -> Alignments:
    """Lay the source over the target, from `turns` starting turns about z.

    All of them are tried with a third of the points; the better half is refined and returned.
    """
    weights = weights or Weights()
    few = source.coarser(3), target.coarser(3)
    start = _start(source, target, turns)
    linear, shift = _improved(*few, start, start, _FIRST, weights)
    rough = _left_over(*few, linear, shift, weights)
    best = rough.topk(max(1, turns // 2), largest=False).indices
    start = start[0][best], start[1][best]
    linear, shift = _improved(source, target, (linear[best], shift[best]), start, _SECOND, weights)
    energy = _left_over(source, target, linear, shift, weights)
    return Alignments(linear, shift, energy, best * (2 * torch.pi / turns))


def _improved(
    source: ObjectCloud,
    target: ObjectCloud,
    now: tuple[Tensor, Tensor],
    start: tuple[Tensor, Tensor],
    factors: Sequence[float],
    weights: Weights,
) -> tuple[Tensor, Tensor]:
    """Some rounds of closest points; `start` is what proportions are drawn to."""
    linear, shift = now
    fixed = _mismatch(source, target, weights)
    for factor in factors:
        moved = _moved(source.points, linear, shift)
        near = _NEAR * target.size_m * factor
        cost = _cost(source, target, moved, linear, near, fixed, weights)
        linear, shift = _refit(source.points, target.points, moved, cost, start, weights)
    return linear, shift


def _left_over(
    source: ObjectCloud, target: ObjectCloud, linear: Tensor, shift: Tensor, weights: Weights
) -> Tensor:
    moved = _moved(source.points, linear, shift)
    fixed = _mismatch(source, target, weights)
    cost = _cost(source, target, moved, linear, _NEAR * target.size_m, fixed, weights)
    return _energy(cost, weights) + weights.stretch * _stretch(linear)


def _mismatch(source: ObjectCloud, target: ObjectCloud, weights: Weights) -> Tensor:
    """[S, T] of what no turn changes: colour and feature."""
    a, b = source.body[:, None], target.body[None]
    hue = (torch.cdist(source.lab, target.lab) / 60).clamp(max=1)
    cost = weights.color * ((a - b).abs() + (1 - a) * (1 - b) * hue)
    if source.features.shape[1] and source.features.shape[1] == target.features.shape[1]:
        cost = cost + weights.feature * 0.5 * (1 - source.features @ target.features.T)
    return cost


def _start(source: ObjectCloud, target: ObjectCloud, turns: int) -> tuple[Tensor, Tensor]:
    """Similarities of the ground plan that put the middle of one box onto that of the other."""
    angles = torch.arange(turns) * (2 * torch.pi / turns)
    c, s = angles.cos(), angles.sin()
    turn = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], 1)  # [Y, 2, 2]
    flat = source.points[:, :2] @ turn.transpose(1, 2)  # [Y, S, 2]
    ends = torch.quantile(flat, torch.tensor([0.01, 0.99]), 1)  # [2, Y, 2]
    span, wanted = ends[1] - ends[0], (target.high - target.low)[:2]
    wide = (wanted.norm() / span.norm(dim=1)).clamp(0.3, 3.0)  # [Y]
    tall = (target.high - target.low)[2] / (source.high - source.low)[2].clamp(min=1e-6)
    tall = tall.clamp(0.3, 3.0)
    linear = torch.zeros(turns, 3, 3)
    linear[:, :2, :2] = turn * wide[:, None, None]
    linear[:, 2, 2] = tall
    shift = torch.zeros(turns, 3)
    shift[:, 2] = target.low[2] - tall * source.low[2]
    shift[:, :2] = (target.low + target.high)[:2] / 2 - wide[:, None] * ends.mean(0)
    return linear, shift


def _moved(points: Tensor, linear: Tensor, shift: Tensor) -> Tensor:
    return torch.einsum("yij,kj->yki", linear, points) + shift[:, None]


def _cost(
    source: ObjectCloud,
    target: ObjectCloud,
    moved: Tensor,
    linear: Tensor,
    near: float,
    fixed: Tensor,
    weights: Weights,
) -> Tensor:
    """[Y, S, T] of taking a source point for a target point; 1 is the distance `near` alone."""
    goal = target.points.expand(len(moved), -1, -1)
    place = (torch.cdist(moved, goal, compute_mode="use_mm_for_euclid_dist") / near) ** 2
    # Normals go with the inverse transpose.
    normals = torch.einsum("yji,kj->yki", torch.linalg.inv(linear), source.normals)
    normals = normals / normals.norm(dim=2, keepdim=True).clamp(min=1e-9)
    bend = 1 - torch.einsum("yki,ti->ykt", normals, target.normals).abs()
    return place + weights.normal * bend + fixed


def _energy(cost: Tensor, weights: Weights) -> Tensor:
    """Mean of the least costs beyond what sampling explains, none above `_CAP`; both directions."""
    there = (cost.amin(1).clamp(max=_CAP) - _FLOOR).clamp(min=0).mean(1)  # of the target's points
    back = (cost.amin(2).clamp(max=_CAP) - _FLOOR).clamp(min=0).mean(1)
    return (there + weights.unseen * back) / (1 + weights.unseen)


def _stretch(linear: Tensor) -> Tensor:
    """How unlike a similarity, [Y]: spread of the logarithms of the three stretches."""
    stretches: Tensor = torch.linalg.svdvals(linear)
    return stretches.clamp(min=1e-6).log().std(dim=1, correction=0)


def _refit(
    points: Tensor,
    goal: Tensor,
    moved: Tensor,
    cost: Tensor,
    start: tuple[Tensor, Tensor],
    weights: Weights,
) -> tuple[Tensor, Tensor]:
    """Weighted least squares over the closest pairs of both directions, drawn to the start."""
    ways = len(moved)
    back, to = cost.min(2)  # each source point's target
    there, of = cost.min(1)  # each target point's source
    x = torch.cat([points.expand(ways, -1, -1), points[of]], 1)  # [Y, P, 3]
    y = torch.cat([goal[to], goal.expand(ways, -1, -1)], 1)
    w = torch.cat([weights.unseen * _trust(back), _trust(there)], 1)[..., None]
    mean_x = (w * x).sum(1) / w.sum(1)
    mean_y = (w * y).sum(1) / w.sum(1)
    x, y = x - mean_x[:, None], y - mean_y[:, None]
    moments = torch.einsum("ypi,ypj->yij", w * x, x)
    mixed = torch.einsum("ypi,ypj->yij", w * y, x)
    prior = start[0]
    linear = torch.zeros_like(prior)
    flat = moments[:, :2, :2]
    ridge = _PRIOR * torch.diagonal(flat, dim1=1, dim2=2).mean(1)[:, None, None] * torch.eye(2)
    wanted = mixed[:, :2, :2] + ridge @ prior[:, :2, :2]
    linear[:, :2, :2] = wanted @ torch.linalg.inv(flat + ridge + 1e-9 * torch.eye(2))
    upright = _PRIOR * moments[:, 2, 2] + 1e-9
    linear[:, 2, 2] = (mixed[:, 2, 2] + upright * prior[:, 2, 2]) / (moments[:, 2, 2] + upright)
    linear[:, 2, 2] = linear[:, 2, 2].clamp(min=0.2)
    return linear, mean_y - torch.einsum("yij,yj->yi", linear, mean_x)


def _trust(cost: Tensor) -> Tensor:
    """1 for a perfect pair, falling to little beyond a cost of 1 (Geman and McClure)."""
    return 1 / (1 + cost) ** 2
