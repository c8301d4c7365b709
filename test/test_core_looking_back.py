# SPDX-License-Identifier: Apache-2.0
"""What a body carries through its past but was no part of it then, an earlier view tells."""

from __future__ import annotations

import numpy as np
import torch
from turning_box import BoxRoom, at

from f4x_ros.core.config import Config
from f4x_ros.core.field import FOREVER, BodyPaths, GaussianSet, present_columns
from f4x_ros.core.mapping.looking_back import born_later
from f4x_ros.core.observe import Exposure, View, make_view

HALF_S = 0.03
THEN_S, NOW_S = 1.0, 2.0


def empty_room() -> View:
    """A wall at y = 3 m, the camera 0.9 m high."""
    device = torch.device("cpu")
    return make_view(
        BoxRoom(None)(0), THEN_S, Config().mapping, device, Exposure.neutral(device, learn=False)
    )


def table(places: list[tuple[float, float, float]], bodies: list[int]) -> GaussianSet:
    """Gaussians of 1 cm, written down where they are now."""
    out = GaussianSet(present_columns(4), "cpu")
    out.append(
        {
            "means": torch.tensor(places, dtype=torch.float32),
            "log_scales": torch.full((len(places), 3), float(np.log(0.01))),
            "body_ids": torch.tensor(bodies, dtype=torch.int32),
            "placed_s": torch.full((len(places),), NOW_S, dtype=torch.float64),
        }
    )
    return out


def paths_of(*bodies: int) -> BodyPaths:
    """Bodies that were 1 m farther to the left at the time of the view than they are now."""
    out = BodyPaths()
    for body in bodies:
        out.add(body, THEN_S, at(-1.0, 0.0, 0.0, 0.0))
        out.add(body, NOW_S, at(0.0, 0.0, 0.0, 0.0))
    return out


def look(gaussians: GaussianSet, paths: BodyPaths) -> int:
    """How many the view saw through."""
    sure, before = torch.tensor([1], dtype=torch.int32), gaussians["birth_s"].clone()
    tolerance = Config().mapping.depth_tolerance
    born_later(gaussians, paths, sure, [empty_room()], tolerance, HALF_S)
    return int((gaussians["birth_s"] != before).sum())


def test_what_a_view_sees_through_begins_after_it() -> None:
    """Before the wall it was then; on the wall; of a body that nobody is sure of; of none."""
    gaussians = table(
        [(0.7, 2.0, 0.9), (0.7, 2.99, 0.9), (0.7, 2.0, 0.9), (0.7, 2.0, 0.9)], [1, 1, 2, 0]
    )
    assert look(gaussians, paths_of(1, 2)) == 1
    assert gaussians["birth_s"].tolist() == [THEN_S + HALF_S, -FOREVER, -FOREVER, -FOREVER]


def test_it_is_looked_for_where_it_was_and_not_where_it_is() -> None:
    """Now it is out of sight, far to the right; then it was before the wall."""
    gaussians = table([(2.5, 2.0, 0.9)], [1])
    still = BodyPaths()
    still.add(1, THEN_S, at(0.0, 0.0, 0.0, 0.0))
    assert look(gaussians, still) == 0
    far = BodyPaths()
    far.add(1, THEN_S, at(-2.5, 0.0, 0.0, 0.0))
    far.add(1, NOW_S, at(0.0, 0.0, 0.0, 0.0))
    assert look(gaussians, far) == 1


def test_what_was_not_yet_there_or_no_more_is_left_alone() -> None:
    gaussians = table([(0.7, 2.0, 0.9), (0.7, 2.0, 0.9)], [1, 1])
    gaussians["birth_s"][0] = THEN_S + 0.5
    gaussians["death_s"][1] = THEN_S - 0.5
    assert look(gaussians, paths_of(1)) == 0
    assert gaussians["birth_s"].tolist() == [THEN_S + 0.5, -FOREVER]
