# SPDX-License-Identifier: Apache-2.0
"""Clicks answered by SAM 2's decoder from embeddings that are drawn out of the field."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_sam2
import torch

from f4x_ros.core.config import Config
from f4x_ros.core.perception import Perception
from f4x_ros.sim import World

FRAMES = (0, 8, 15)
SIDE = 96


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(width=SIDE, cache=tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def perception(world: World, tmp_path_factory: pytest.TempPathFactory) -> Perception:
    weights = tiny_sam2.add_model(tmp_path_factory.mktemp("sam2"))
    files = f"sam2.config='{weights.with_suffix('.yaml')}' sam2.checkpoint='{weights}'"
    options = {
        "features.extractor": "color,sam2",
        "features.options": files,
        "mapping.iterations": 1,
    }
    made = Perception(Config.from_dotted(options))
    for index in FRAMES:
        made.process(world[index])
    return made


@pytest.mark.parametrize(
    "given",
    [
        {"points": [(48.0, 36.0)]},
        {"points": [(48.0, 36.0), (20.0, 60.0), (5.0, 5.0)], "labels": [1, 1, 0]},
        {"box": (20.0, 10.0, 70.0, 60.0)},
        {"box": (20.0, 10.0, 70.0, 60.0), "points": [(25.0, 12.0)], "labels": [0]},
    ],
)
def test_the_mask_is_that_of_the_decoder_on_the_drawn_embedding(
    perception: Perception, given: dict[str, list[tuple[float, float]]]
) -> None:
    found = perception.segment(**given)  # type: ignore[arg-type]
    assert found.encoder == "sam2"
    distiller, scene = perception._memory.distiller, perception._memory.scene()
    sam = distiller.prompted
    assert sam is not None
    out = scene.snapshot.render(
        scene.snapshot.latents.float(), scene.camera, scene.T_map_camera, perception.backend
    )
    latents = out.image / out.alpha.clamp(min=0.5)[..., None]
    points = torch.tensor(given.get("points", []))
    expected = sam.decode(
        distiller.decode(latents, "sam2").permute(2, 0, 1),
        size=(scene.camera.height, scene.camera.width),
        points=points[None] if len(points) else None,
        labels=torch.tensor([given.get("labels", [1] * len(points))]) if len(points) else None,
        boxes=torch.tensor([given["box"]]) if "box" in given else None,
    )
    solid = (out.alpha >= 0.5).numpy()
    chosen = (found.mask >= found.threshold)[solid]
    assert (chosen == expected.masks[0].numpy()[solid]).mean() > 0.999
    if found.present:
        assert found.score == pytest.approx(float(expected.iou[0].clamp(0, 1)), abs=1e-5)
        assert found.cloud is not None
        assert len(found.cloud) > 0


def test_past_moments_and_new_views_are_answered_from_the_field(
    perception: Perception, world: World
) -> None:
    past = perception.segment([(48.0, 36.0)], stamp_ns=int(world.stamps_ns[FRAMES[1]]))
    assert past.stamp_ns == int(world.stamps_ns[FRAMES[1]])
    view = world.camera_pose(FRAMES[0]).copy()
    view[:3, 3] += 0.1
    aside = perception.segment([(48.0, 36.0)], view=view)
    assert np.isfinite(aside.mask).all()
    assert aside.mask.shape == past.mask.shape
