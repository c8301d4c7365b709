# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from f4x_ros.core.config import Config
from f4x_ros.core.features import LatentCodec
from f4x_ros.core.perception import Perception
from f4x_ros.sim import World


def test_words_are_answered_through_the_field(tmp_path: Path) -> None:
    checkpoint = tiny.add_model(tmp_path, "f4x-field")
    options = {
        "features.extractor": "openclip",
        "features.options": f"model=f4x-field pretrained='{checkpoint}' size=128",
        "mapping.iterations": 1,
        "query.threshold": 0.3,  # the weights are random: nothing is relevant in earnest
    }
    perception = Perception(Config.from_dotted(options), prompts=["red mug"])
    world = World(width=96, cache=tmp_path / "world")
    for index in (0, 15, 30):
        percept = perception.process(world[index])
    assert percept.encoder == "openclip"
    assert percept.masks is not None
    assert np.isfinite(percept.masks).all()

    found = perception.query("a chair by the wall")
    assert found.encoder == "openclip"
    assert 0 < found.score < 1
    assert found.mask.shape == (72, 96)

    perception.save(tmp_path / "map.f4x")
    again = Perception.load(tmp_path / "map.f4x").query("a chair by the wall")
    assert np.array_equal(found.mask, again.mask)


@pytest.mark.parametrize("latent_dim,bar", [(8, 0.85), (16, 0.93)])
def test_the_codec_keeps_patch_features(tmp_path: Path, latent_dim: int, bar: float) -> None:
    extractor = tiny.load(tiny.add_model(tmp_path, "f4x-codec"), size="128")
    codec = LatentCodec([extractor.dim], latent_dim)
    world = World(width=96, cache=tmp_path / "world")
    for index in range(0, 60, 6):
        image = torch.from_numpy(world[index].rgb).permute(2, 0, 1)[None].float() / 255
        codec.observe(extractor.dense(image)[0].flatten(1).T)
    assert codec.cosines[0] > bar
