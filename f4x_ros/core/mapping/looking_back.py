# SPDX-License-Identifier: Apache-2.0
"""Earlier views look at what bodies carry: what they see through was not there then.

A Gaussian that a body was given goes with it through all of its past. If it is no part of the rigid
core (a limb that swings, a scrap of floor), it is wrong there; an earlier view tells.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from f4x_ros.core.field import BodyPaths, GaussianSet
from f4x_ros.core.observe import View, sights


def born_later(
    table: GaussianSet,
    paths: BodyPaths,
    bodies: Tensor,
    views: Sequence[View],
    tolerance: float,
    wait_s: float,
) -> None:
    """Let Gaussians of some bodies begin after views that see through where they were then.

    Args:
        table: its column of births is written.
        paths: of the field.
        bodies: [B] int32 those that are asked about.
        views: earlier ones.
        tolerance: depth error of the sensor, share of the depth.
        wait_s: seconds after a view that they begin.
    """
    rows = torch.isin(table["body_ids"], bodies).nonzero()[:, 0]
    if not len(rows) or not views:
        return
    columns = ("means", "body_ids", "placed_s", "birth_s", "death_s", "log_scales")
    means, owners, placed_s, birth_s, death_s, log_scales = (table[name][rows] for name in columns)
    times_s = [view.time_s for view in views]
    moved = paths.motion(owners, placed_s, times_s)
    places = torch.stack([means if one is None else one.means(means) for one in moved])
    empty = sights(views, places, 2 * log_scales.amax(-1).exp(), tolerance).empty
    for time_s, wrong in zip(times_s, empty, strict=True):
        wrong = wrong & (birth_s < time_s) & (time_s < death_s)
        birth_s = torch.where(wrong, time_s + wait_s, birth_s)
    table["birth_s"][rows] = birth_s
