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

from f4x_ros.core.gaussians import NO_PIECE, GaussianField, GaussianSet

_REST_S = 1.0  # what has been seen in its place for so long is at rest
_DISPLACED = 0.2  # share of a thing's Gaussians that came lately, or are gone, while it moves ...
_LEAST = 10  # ... of so many at least
_FRAMES = 2.5  # out of sight for fewer frames is a gap in the view
_CUBE_M = 0.15  # edge of the cubes that are a neighbourhood
_PLACES = (1, 1 << 21, 1 << 42)  # of its three numbers in one; unique within 150 km
_SHARE = 0.6  # of the others in its cube that must be on their way, too ...
_FEWEST = 3  # ... of so many at least: a single one is noise of the depth


def on_its_way(present: GaussianSet) -> Tensor:
    """Mask [N] of what has not been seen at rest since it moved.

    Either it came to where the camera saw nothing before, or the thing it is of was seen to move.
    """
    return present["seen_s"] - torch.maximum(present["birth_s"], present["moved_s"]) < _REST_S


def note_moving_things(field: GaussianField, time_s: float, since_s: float) -> None:
    """Mark all Gaussians of the pieces of which a share has come, or has gone, of late.

    What is seen of a thing for the first time, at the edge of the picture or in the first frame of
    all, has no place that was empty before; that it moves shows in the rest of the thing.

    Args:
        field: its pieces are those of `since_s`.
        time_s: now, seconds of the field.
        since_s: what has gone after this time counts.
    """
    present, past = field.parts
    lately = past["piece_ids"][past["death_s"] > since_s]
    pieces, piece = torch.unique(torch.cat([present["piece_ids"], lately]), return_inverse=True)
    gone = torch.arange(len(piece), device=piece.device) >= len(present)
    moved = torch.cat([on_its_way(present), torch.ones_like(lately, dtype=torch.bool)])
    count = torch.bincount(piece, minlength=len(pieces))
    changed = torch.bincount(piece[moved], minlength=len(pieces))
    moving = (count >= _LEAST) & (changed >= _DISPLACED * count) & (pieces != NO_PIECE)
    present["moved_s"][moving[piece[~gone]]] = time_s


def passed_on(present: GaussianSet, time_s: float, interval_s: float, unseen_s: float) -> Tensor:
    """Mask [N] of what was on its way when it went out of sight.

    Args:
        present: Gaussians as the last frame left them.
        time_s: now, seconds of the field.
        interval_s: since the frame before.
        unseen_s: how long it must be out of sight, at least.
    """
    moving = on_its_way(present)
    unseen = time_s - present["seen_s"] > max(unseen_s, _FRAMES * interval_s)
    lost = moving & unseen
    return lost & _among_its_like(present["means"], moving) if lost.any() else lost


def _among_its_like(means: Tensor, alike: Tensor) -> Tensor:
    """Mask [N] of points [N, 3] whose cube is full of others that are alike (mask [N])."""
    cubes = (means / _CUBE_M).floor().long()
    _, cube = torch.unique((cubes * cubes.new_tensor(_PLACES)).sum(1), return_inverse=True)
    count = torch.bincount(cube)
    of_it = torch.bincount(cube[alike], minlength=len(count))
    full = (count >= _FEWEST) & (of_it - 1 >= _SHARE * (count - 1))
    return full[cube]
