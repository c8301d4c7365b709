# SPDX-License-Identifier: Apache-2.0
"""Operators through the field: what they say of single pictures becomes one thing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from box_world import BoxWorld
from torch import Tensor

from f4x_ros.core.ask.lift import Lifted, PosedImage, lift
from f4x_ros.core.config import Config
from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.field.snapshot import Snapshot
from f4x_ros.core.perception import Perception

CAMERA = PinholeCamera(48, 36, 45.0, 45.0, 24.0, 18.0)


def wall(depth_m: float = 2.0) -> Snapshot:
    """A wall of small opaque discs before the camera, left half red, right half blue."""
    x, y = torch.meshgrid(torch.linspace(-2, 2, 80), torch.linspace(-1.5, 1.5, 60), indexing="ij")
    means = torch.stack([x, y, torch.full_like(x, depth_m)], -1).reshape(-1, 3)
    count = len(means)
    left = (means[:, 0] < 0).float()
    return Snapshot(
        means=means,
        quats=torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
        scales=torch.tensor([0.035, 0.035, 0.002]).repeat(count, 1),
        opacities=torch.full((count,), 0.99),
        colors=torch.stack([left, torch.zeros(count), 1 - left], 1),
        latents=torch.zeros(count, 4),
        latent_weights=torch.ones(count),
        latent_vars=torch.zeros(count),
        object_ids=torch.zeros(count, dtype=torch.int32),
        piece_ids=torch.zeros(count, dtype=torch.int32),
        body_ids=torch.zeros(count, dtype=torch.int32),
        birth_s=torch.zeros(count, dtype=torch.float64),
        seen_s=torch.zeros(count, dtype=torch.float64),
    )


def pose(x: float) -> np.ndarray:
    out = np.eye(4)
    out[0, 3] = x
    return out


def views(snapshot: Snapshot, places: tuple[float, ...]) -> list[PosedImage]:
    out = []
    for x in places:
        drawn = snapshot.render(snapshot.colors, CAMERA, pose(x), "auto")
        out.append(PosedImage(drawn.image.permute(2, 0, 1).clamp(0, 1), CAMERA, pose(x)))
    return out


PLACES = (-0.3, -0.1, 0.1, 0.3)


@pytest.fixture(scope="module")
def scene() -> tuple[Snapshot, list[PosedImage]]:
    snapshot = wall()
    return snapshot, views(snapshot, PLACES)


def test_an_operator_that_is_the_same_everywhere_stays_what_it_is(scene) -> None:
    snapshot, seen = scene
    lifted = lift(snapshot, lambda image: image[:1] - image[2:], seen, "auto")
    shown, share = lifted.render(CAMERA, pose(0.0))
    left, right = shown[0, :, 4:20], shown[0, :, 28:44]
    assert shown.shape == (1, 36, 48)
    assert float(share.min()) > 0.95
    assert float((left - 1).abs().max()) < 0.05
    assert float((right + 1).abs().max()) < 0.05


def test_what_differs_from_view_to_view_is_averaged_away(scene) -> None:
    """The flicker of the operator is 1; lifted, neighbouring views differ by a hundredth of it."""
    snapshot, seen = scene
    calls = iter(range(99))

    def flickering(image: Tensor) -> Tensor:
        return image[:1] + next(calls) % 2

    lifted = lift(snapshot, flickering, seen, "auto")
    first, second = (lifted.render(CAMERA, pose(x))[0][0] for x in (-0.05, 0.05))
    assert float((first[:, 12:20].mean() - second[:, 12:20].mean()).abs()) < 0.01
    assert float(first[:, 12:20].mean()) == pytest.approx(1.5, abs=0.02)


def test_where_no_view_has_looked_nothing_is_known(scene) -> None:
    snapshot = scene[0]
    left = views(snapshot, (-1.4,))
    shown, share = lift(snapshot, lambda image: image + 1, left, "auto").render(CAMERA, pose(1.4))
    assert float(share[:, 30:].max()) == 0
    assert float(shown[:, :, 30:].abs().max()) == 0


def test_a_coarse_output_is_brought_to_the_size_of_the_view(scene) -> None:
    snapshot, seen = scene
    lifted = lift(snapshot, lambda image: image[:2, ::4, ::4], seen, "auto")
    assert lifted.render(CAMERA, pose(0.0))[0].shape == (2, 36, 48)


def test_depth_is_that_of_the_target_view_not_of_those_it_was_seen_from() -> None:
    snapshot = wall(2.0)
    seen = [
        PosedImage(torch.zeros(3, 36, 48), CAMERA, at)
        for at in (pose(0.0), pose(0.2), np.array(pose(0.1)))
    ]
    seen[2].T_map_camera[2, 3] = -1.0  # a metre farther away: there the operator says 3 times 5
    said = iter((10.0, 10.0, 15.0))

    def monocular(image: Tensor) -> Tensor:
        return torch.full((1, 36, 48), next(said))  # 5 units a metre

    lifted = lift(snapshot, monocular, seen, "auto", quantity="depth")
    near = pose(0.0)
    near[2, 3] = 1.0  # a metre before the wall
    shown, _ = lifted.render(CAMERA, near)
    assert float(shown[0, 18, 24]) == pytest.approx(5.0, rel=0.02)


def test_what_stood_before_the_field_when_a_picture_was_taken_is_left_out(scene) -> None:
    """One picture shows a board half a metre before the wall, which is gone: its depth says so."""
    snapshot, seen = scene
    board = torch.full((36, 48), 2.0)
    board[10:26, 4:20] = 1.5
    image = seen[1].image.clone()
    image[:, 10:26, 4:20] = torch.tensor([0.0, 1.0, 0.0])[:, None, None]
    depths = (None, board)
    shown = [
        lift(
            snapshot,
            lambda rgb: rgb,
            [seen[2], PosedImage(image, CAMERA, seen[1].T_map_camera, depth)],
            "auto",
        ).render(CAMERA, seen[1].T_map_camera)[0][1, 14:22, 8:16]
        for depth in depths
    ]
    assert float(shown[0].mean()) > 0.3
    assert float(shown[1].max()) < 0.05


def test_the_field_is_not_changed(scene) -> None:
    snapshot, seen = scene
    before = snapshot.colors.clone()
    lifted = lift(snapshot, lambda image: image.mul_(0), seen[:1], "auto")
    assert isinstance(lifted, Lifted)
    assert torch.equal(snapshot.colors, before)


@pytest.mark.parametrize(
    "operator, word",
    [
        (lambda image: image[0], "shape"),
        (lambda image: image / 0, "finite"),
        (lambda image: image[:0], "shape"),
    ],
)
def test_a_broken_operator_is_named(scene, operator, word) -> None:
    with pytest.raises(ValueError, match=word):
        lift(*scene[:1], operator, scene[1], "auto")


def test_bad_arguments_are_named(scene) -> None:
    snapshot, seen = scene
    with pytest.raises(ValueError, match="views is empty"):
        lift(snapshot, lambda image: image, [], "auto")
    with pytest.raises(ValueError, match="quantity"):
        lift(snapshot, lambda image: image, seen, "auto", quantity="colour")  # type: ignore[arg-type]
    wrong = PosedImage(torch.zeros(3, 5, 5), CAMERA, pose(0.0))
    with pytest.raises(ValueError, match="image has shape"):
        lift(snapshot, lambda image: image, [wrong], "auto")
    channels = iter((1, 2, 3, 3))
    with pytest.raises(ValueError, match="channels"):
        lift(snapshot, lambda image: image[: next(channels)], seen, "auto")


def test_perception_lifts_from_its_keyframes_or_along_its_path(tmp_path) -> None:
    """Colours lifted as they are show the scene; a loaded map has no keyframes and draws some."""
    perception = Perception(
        Config.from_dotted({"mapping.iterations": 2, "mapping.keyframe_iterations": 4})
    )
    world = BoxWorld()
    for index in range(8):
        perception.process(world(index))
    perception.save(tmp_path / "map.f4x")
    for one in (perception, Perception.load(tmp_path / "map.f4x")):
        shown, share = one.lift(lambda image: image[:1] - image[2:])
        assert shown.shape == (1, *world(7).rgb.shape[:2])
        assert float(share.mean()) > 0.9
        inside = {color: world.mask(7, color) for color in ("red", "blue")}
        assert float(shown[0].numpy()[inside["red"]].mean()) > 0.4
        assert float(shown[0].numpy()[inside["blue"]].mean()) < -0.4
