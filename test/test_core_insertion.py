# SPDX-License-Identifier: Apache-2.0
"""Which pixels get Gaussians, and how many fit."""

from __future__ import annotations

import numpy as np
import roma
import torch
from box_world import BoxWorld
from test_core_births import as_view

from f4x_ros.core.config import Config, MappingConfig
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.mapping.insertion import _quats_of, unexplained
from f4x_ros.core.perception import Perception

QUICK = Config.from_dotted(
    {
        "features.extractor": "color",
        "mapping.iterations": 2,
        "mapping.keyframe_iterations": 4,
    }
)


def grey(frame: Frame) -> Frame:
    """The same scene in one colour."""
    frame.rgb[:] = 128
    return frame


def test_a_grey_box_before_a_grey_wall_is_mapped() -> None:
    def place(i: int) -> tuple[float, float, float]:
        return (0.0, 0.0, 1.5) if i >= 3 else (0.0, 0.0, 99.0)

    world = BoxWorld({"green": place}, speed_m=0.0)
    perception = Perception(QUICK)
    for index in range(5):
        percept = perception.process(grey(world(index)))
    inside = world.mask(4, "green")
    inside[:, :1] = False
    assert np.median(np.abs(percept.depth - 1.5)[inside]) < 0.05
    assert np.median(np.abs(percept.depth - 2.0)[~inside]) < 0.02


def test_a_contradiction_in_depth_alone_must_be_large_and_wide() -> None:
    view = as_view(grey(BoxWorld({}, speed_m=0.0)(0)), 0.0)
    alpha = torch.ones_like(view.depth)

    def in_front(nearer: float, rows: slice, *, other_color: bool = False) -> int:
        depth, color = view.depth.clone(), view.rgb.clone()
        depth[rows] *= 1 + nearer
        if other_color:
            color[rows] += 0.2
        return int(unexplained(view, color, depth, alpha, MappingConfig())[1].sum())

    block, line = slice(20, 30), slice(20, 21)
    tolerance = MappingConfig().depth_tolerance
    small, large = 2 * tolerance, 4 * tolerance
    assert in_front(large, block) == 10 * 96
    assert in_front(small, block) == 0  # may be noise of the sensor
    assert in_front(small, block, other_color=True) == 10 * 96
    assert in_front(large, line) == 0  # may be an edge that mixes near and far
    assert in_front(large, line, other_color=True) == 96
    assert in_front(-large, block, other_color=True) == 0


def test_quaternions_of_rotations_are_roma_s() -> None:
    torch.manual_seed(1)
    half_turns = torch.diag_embed(torch.tensor([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1]]))
    rotations = torch.cat([roma.random_rotmat(1000), half_turns, torch.eye(3)[None]])
    expected = roma.rotmat_to_unitquat(rotations).roll(1, -1)  # roma's xyzw -> wxyz
    assert torch.equal(_quats_of(rotations), expected)
    assert _quats_of(rotations[:0]).shape == (0, 4)
