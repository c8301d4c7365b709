# SPDX-License-Identifier: Apache-2.0
"""Pixels that show nothing, as black corners after undistortion, are no observation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from box_world import BoxWorld

from f4x_ros.core.config import Config
from f4x_ros.core.data import Frame
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.observe import Exposure, make_view
from f4x_ros.core.perception import Perception


def half_hidden(frame: Frame) -> Frame:
    """The left half is black and was not observed; its depth says what a wall there would."""
    rgb, observed = frame.rgb.copy(), np.ones(frame.rgb.shape[:2], bool)
    half = frame.camera.width // 2
    rgb[:, :half], observed[:, :half] = 0, False
    return replace(frame, rgb=rgb, observed=observed)


def a_perception() -> Perception:
    return Perception(
        Config.from_dotted(
            {
                "features.extractor": "color",
                "mapping.iterations": 3,
                "mapping.keyframe_iterations": 3,
            }
        )
    )


def columns(perception: Perception, frame: Frame) -> tuple[np.ndarray, torch.Tensor]:
    """Column of the picture that each present Gaussian's mean lies in."""
    means = perception._memory.field.present["means"]
    T = np.linalg.inv(frame.T_map_camera)
    p = means.double().numpy() @ T[:3, :3].T + T[:3, 3]
    return frame.camera.fx * p[:, 0] / p[:, 2] + frame.camera.cx, means


def test_nothing_is_mapped_or_learned_where_nothing_was_observed() -> None:
    frame = BoxWorld()(0)
    perception = a_perception()
    perception.process(half_hidden(frame))
    half = frame.camera.width // 2
    at, _ = columns(perception, frame)
    assert len(at) > 100
    assert at.min() > half - 3
    view = perception.render(frame.camera, frame.T_map_camera)
    assert view.alpha[:, : half - 12].max() < 0.1
    assert view.alpha[:, half + 12 :].mean() > 0.9
    # the same surfaces, had the mask not been given, are mapped
    other = a_perception()
    other.process(replace(half_hidden(frame), observed=None))
    assert columns(other, frame)[0].min() < 10


def test_what_a_mask_hides_stays_as_it_was_and_is_not_seen() -> None:
    world = BoxWorld()
    perception = a_perception()
    perception.process(world(0))
    field = perception._memory.field
    at, _ = columns(perception, world(0))
    hidden = torch.from_numpy(at < world(0).camera.width // 4)
    assert hidden.sum() > 50
    names = ("means", "latent_weights", "seen_s")
    before = {name: field.present[name].clone() for name in names}
    count = len(field.present)
    again = half_hidden(replace(world(0), stamp_ns=world(0).stamp_ns + 100_000_000))
    # a wall half as far: seen through, or in front, if it were observed
    near = replace(again, depth=np.where(again.observed, again.depth, again.depth / 2))
    percept = perception.process(near, hold_out=False)
    assert percept.counts["retired"] == 0
    for name in ("latent_weights", "seen_s"):
        assert torch.equal(field.present[name][:count][hidden], before[name][hidden]), name
    moved = (field.present["means"][:count] - before["means"]).norm(dim=1)
    assert float(moved[hidden].max()) < 1e-6
    assert float(moved[~hidden].max()) > 1e-5


def test_a_pixel_of_the_map_is_observed_if_all_of_it_was() -> None:
    frame = BoxWorld()(0)
    observed = np.ones(frame.rgb.shape[:2], bool)
    observed[5, 7] = False
    config = Config.from_dotted({"mapping.resolution": frame.camera.width // 2}).mapping
    cpu = torch.device("cpu")
    exposure = Exposure.neutral(cpu, learn=False)
    view = make_view(replace(frame, observed=observed), 0.0, config, cpu, exposure)
    assert view.observed is not None
    assert (~view.observed).nonzero().tolist() == [[2, 3]]
    assert float(view.depth[2, 3]) == 0
    whole = replace(frame, observed=np.ones_like(observed))
    assert whole.observed is None
    assert make_view(whole, 0.0, config, cpu, exposure).observed is None


def test_a_mask_of_another_size_is_named() -> None:
    frame = BoxWorld()(0)
    with pytest.raises(BadInputError, match=r"observed has shape \(3, 4\)"):
        replace(frame, observed=np.ones((3, 4), bool))
