# SPDX-License-Identifier: Apache-2.0
"""Earlier views look at what bodies carry: what they see through was not there then.

A Gaussian that a body was given goes with it through all of its past. If it is no part of the rigid
core (a limb that swings, a scrap of floor), it is wrong there; an earlier view tells.
"""

from __future__ import annotations

import torch
from torch import Tensor

from f4x_ros.core.field import BodyPaths, GaussianSet
from f4x_ros.core.observe import View, seen_through


def born_later(
    table: GaussianSet,
    paths: BodyPaths,
    bodies: Tensor,
    view: View,
    tolerance: float,
    wait_s: float,
) -> int:
    """Let Gaussians of some bodies begin after a view that sees through where they were then.

    Args:
        table: its column of births is written.
        paths: of the field.
        bodies: [B] int32 those that are asked about.
        view: an earlier one.
        tolerance: depth error of the sensor, share of the depth.
        wait_s: seconds after the view that they begin.

    Returns:
        How many were wrong there.
    """
    alive = (table["birth_s"] < view.time_s) & (view.time_s < table["death_s"])
    rows = (torch.isin(table["body_ids"], bodies) & alive).nonzero()[:, 0]
    if not len(rows):
        return 0
    means = table["means"][rows]
    moved = paths.motion(table["body_ids"][rows], table["placed_s"][rows], [view.time_s])[0]
    if moved is not None:
        means = moved.means(means)
    extent = 2 * table["log_scales"][rows].amax(-1).exp()
    wrong = rows[seen_through(view, means, extent, tolerance).nonzero()[:, 0]]
    table["birth_s"][wrong] = view.time_s + wait_s
    return len(wrong)
