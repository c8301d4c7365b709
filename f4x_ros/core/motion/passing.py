# SPDX-License-Identifier: Apache-2.0
"""What moves: it is known only where it is seen now.

Free space retires what a reading passes through. Behind the surface that is seen now, and outside
of the picture, no reading does: a walking person would leave all its earlier places behind. How
long matter has held its place says how long it will (the persistence filter of Rosen, Mason &
Leonard, ICRA 2016, with a limit in place of its survival function): what came a moment ago, and was
not seen at rest since, goes as soon as it is out of sight.
"""

from __future__ import annotations

import torch
from torch import Tensor

from f4x_ros.core.field import NO_PIECE, GaussianSet, cube_codes

_REST_S = 1.0  # what has been seen in its place for so long is at rest ...
_FRAMES = 2.5  # ... and so many frames; out of sight for fewer is a gap in the view
_DISPLACED = 0.2  # share of a thing's Gaussians that came lately, or are gone, while it moves ...
_LEAST = 10  # ... of so many at least
_CUBE_M = 0.15  # edge of the cubes that are a neighbourhood
_SHARE = 0.6  # of the others in its cube that must be on their way, too, ...
_FEWEST = 3  # ... which must hold so many: a single one is noise of the depth, or far away


def rest_s(interval_s: float) -> float:
    """Seconds in its place after which a thing is at rest, with so long from frame to frame."""
    return max(_REST_S, _FRAMES * interval_s)


def arrived(present: GaussianSet, interval_s: float) -> Tensor:
    """Mask [N] of what came to where the camera saw nothing before, and has not rested there."""
    return present["seen_s"] - present["birth_s"] < rest_s(interval_s)


def on_its_way(present: GaussianSet, interval_s: float) -> Tensor:
    """Mask [N] of what has not been seen at rest since it moved.

    Either it has `arrived`, or the thing it is of was seen to move.
    """
    since_s = torch.maximum(present["birth_s"], present["moved_s"])
    return present["seen_s"] - since_s < rest_s(interval_s)


def gone_beside(present: GaussianSet, gone: Tensor) -> Tensor:
    """Of each Gaussian [N]: its share in what is gone of its piece, which sums to their number.

    Args:
        present: with the pieces that they were of.
        gone: pieces [G] of Gaussians whose place was seen empty.
    """
    pieces, piece = torch.unique(torch.cat([present["piece_ids"], gone]), return_inverse=True)
    left = _counted(piece[: len(present)], len(pieces))
    lost = _counted(piece[len(present) :], len(pieces))
    lost[pieces == NO_PIECE] = 0
    share: Tensor = (lost / left.clamp(min=1))[piece[: len(present)]]
    return share


def note_moving_things(
    present: GaussianSet, gone: Tensor, time_s: float, interval_s: float
) -> None:
    """Mark all Gaussians of the pieces of which a share has arrived or is gone.

    What is seen of a thing for the first time, at the edge of the picture or in the first frame of
    all, has no place that was empty before; that it moves shows in the rest of the thing.

    Args:
        present: with the pieces of now.
        gone: [N] what `gone_beside` says of the time since the pieces before.
        time_s: now, seconds of the field.
        interval_s: from frame to frame.
    """
    pieces, piece = torch.unique(present["piece_ids"], return_inverse=True)
    came = arrived(present, interval_s) & (time_s - present["seen_s"] < rest_s(interval_s))
    whole = torch.zeros(len(pieces), device=piece.device).index_add_(0, piece, 1 + gone)
    changed = torch.zeros_like(whole).index_add_(0, piece, came.float() + gone)
    moving = (whole >= _LEAST) & (changed >= _DISPLACED * whole) & (pieces != NO_PIECE)
    present["moved_s"][moving[piece]] = time_s


def passed_on(present: GaussianSet, time_s: float, interval_s: float, unseen_s: float) -> Tensor:
    """Mask [N] of what was on its way when it went out of sight.

    Where Gaussians are farther apart than a few in 15 cm (far away, and without texture), it stays:
    there one that moves cannot be told from noise.

    Args:
        present: Gaussians as the last frame left them.
        time_s: now, seconds of the field.
        interval_s: since the frame before.
        unseen_s: how long it must be out of sight, at least.
    """
    moving = on_its_way(present, interval_s)
    unseen = time_s - present["seen_s"] > max(unseen_s, _FRAMES * interval_s)
    lost = moving & unseen
    return lost & _among_its_like(present["means"], moving) if lost.any() else lost


def _among_its_like(means: Tensor, alike: Tensor) -> Tensor:
    """Mask [N] of points [N, 3] whose cube is full of others that are alike (mask [N])."""
    found, cube = torch.unique(cube_codes(means, _CUBE_M), return_inverse=True)
    count = _counted(cube, len(found))
    of_it = torch.zeros_like(count).index_add_(0, cube, alike.long())
    full = (count >= _FEWEST) & (of_it - 1 >= _SHARE * (count - 1))
    return full[cube]


def _counted(numbers: Tensor, count: int) -> Tensor:
    """How often [count] each number occurs; `torch.bincount` asks the device how many there are."""
    return numbers.new_zeros(count).index_add_(0, numbers, torch.ones_like(numbers))
