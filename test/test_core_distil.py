# SPDX-License-Identifier: Apache-2.0
"""Features into the field: averages, contradictions, several heads, and a code that changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from box_world import CAMERA, BoxWorld
from torch import Tensor
from torch.nn.functional import cosine_similarity

from f4x_ros.core.config import Config, FieldConfig
from f4x_ros.core.features.base import FeatureExtractor, Traits
from f4x_ros.core.features.color import ColorExtractor
from f4x_ros.core.features.distil import MAX_WEIGHT, RARE, Distiller, fold, sample
from f4x_ros.core.features.heads import Heads, Part
from f4x_ros.core.features.looks import look
from f4x_ros.core.field.field import GaussianField
from f4x_ros.core.field.gaussians import FEATURES, GaussianSet, past_columns
from f4x_ros.core.field.snapshot import take_snapshot
from f4x_ros.core.mapping.insertion import new_gaussians
from f4x_ros.core.observe.exposure import Exposure
from f4x_ros.core.observe.views import View, make_view

BACKEND = "auto"
D = 8


class Told(FeatureExtractor):
    """Features that the test dictates: a vector for the left half of the image, one for the right.

    `scale` shrinks its feature map, as those of large models are.
    """

    licence = "Apache-2.0"

    def __init__(self, name: str, left: Tensor, right: Tensor, scale: int = 1) -> None:
        self.name, self.dim, self._scale = name, len(left), scale
        self.left, self.right = left, right

    def dense(self, images: Tensor) -> Tensor:
        height, width = (side // self._scale for side in images.shape[-2:])
        halves = [v[:, None, None].expand(-1, height, width // 2) for v in (self.left, self.right)]
        return torch.cat(halves, 2)[None]


def unit(dim: int, *, seed: int) -> Tensor:
    """A unit vector."""
    vector = torch.randn(dim, generator=torch.Generator().manual_seed(seed))
    return vector / vector.norm()


def seen(index: int = 0) -> View:
    """A frame of the small world as the mapper gets it."""
    exposure = Exposure.neutral(torch.device("cpu"), learn=False)
    frame = BoxWorld()(index)
    return make_view(frame, index / 10, Config().mapping, torch.device("cpu"), exposure)


def mapped(latent_dim: int = D) -> GaussianField:
    """Gaussians on every second pixel of the first frame."""
    field, view = GaussianField(latent_dim, 10**9), seen()
    grid = np.mgrid[1 : CAMERA.height : 2, 1 : CAMERA.width : 2].reshape(2, -1).T
    pixels = torch.from_numpy(np.ascontiguousarray(grid))
    rows = new_gaussians(view, view.depth, pixels, torch.full((len(pixels),), 2.0))
    rows["birth_s"] = torch.full((len(pixels),), -1.0, dtype=torch.float64)
    field.present.append(rows)
    return field


def sides(field: GaussianField) -> tuple[Tensor, Tensor]:
    """Masks of Gaussians well inside of the left and of the right half of the first frame."""
    x = field.present["means"][:, 0] / field.present["means"][:, 2]
    return x < -0.1, x > 0.1


def test_a_gaussian_gets_the_feature_of_the_pixels_it_drew() -> None:
    one, two = unit(20, seed=1), unit(20, seed=2)
    field, distiller = mapped(), Distiller(Heads([Told("told", one, two)]), D, BACKEND)
    for index in range(3):
        distiller.observe(field, seen(index))
    features = distiller.decode(take_snapshot(field).latents)
    for side, expected in zip(sides(field), (one, two), strict=True):
        assert side.sum() > 300
        assert cosine_similarity(features[side], expected[None], dim=-1).min() > 0.999
    assert distiller.cosines["told"] > 0.999


def test_views_that_contradict_show_as_variance_and_those_that_agree_do_not() -> None:
    steady, one, two = unit(20, seed=0), unit(20, seed=1), unit(20, seed=2)
    told = Told("told", steady, one)
    field, distiller = mapped(), Distiller(Heads([told]), D, BACKEND)
    for index in range(8):
        told.right = (one, two)[index % 2]
        distiller.observe(field, seen())
    snapshot = take_snapshot(field)
    left, right = (snapshot.latent_vars[side] for side in sides(field))
    expected = float((one - two).square().sum()) / 4  # of two values, each half of the time
    assert left.max() < 0.01
    assert right.mean() == pytest.approx(expected, rel=0.1)
    assert right.min() > 10 * left.max()


def test_what_was_never_seen_has_no_weight_and_no_feature() -> None:
    field = mapped(16)
    field.present["means"][:40, 2] -= 10  # behind the camera
    distiller = Distiller(Heads([ColorExtractor()]), 16, BACKEND)
    distiller.observe(field, seen())
    assert not field.present["latent_weights"][:40].any()
    assert not field.present["latents"][:40].any()
    assert field.present["latent_weights"][40:].median() > 1


def test_two_heads_of_different_resolution_and_size_come_back_one_by_one() -> None:
    a, b = unit(20, seed=1), unit(20, seed=2)
    c, d = 50 * unit(12, seed=3), 50 * unit(12, seed=4)
    heads = Heads([Told("fine", a, b), Told("coarse", c, d, scale=4)])
    field, distiller = mapped(), Distiller(heads, D, BACKEND)
    for index in range(3):
        distiller.observe(field, seen(index))
    latents = take_snapshot(field).latents
    left, right = sides(field)
    for head, (first, second) in {"fine": (a, b), "coarse": (c, d)}.items():
        found = distiller.decode(latents, head)
        assert cosine_similarity(found[left], first[None], dim=-1).min() > 0.99
        assert cosine_similarity(found[right], second[None], dim=-1).min() > 0.99
    assert found[left].norm(dim=-1).mean() == pytest.approx(50, rel=0.02)
    assert distiller.cosines == pytest.approx({"fine": 1, "coarse": 1}, abs=0.01)
    with pytest.raises(ValueError, match="head is 'other', expected one of fine, coarse"):
        distiller.decode(latents, "other")


def test_present_and_past_stay_readable_while_the_code_is_fitted_anew() -> None:
    first, second = unit(40, seed=1), unit(40, seed=2)
    told = Told("told", first, second)
    field, distiller = mapped(4), Distiller(Heads([told]), 4, BACKEND)
    distiller.observe(field, seen())
    left, _ = sides(field)
    far = left & (torch.arange(len(left)) % 2 == 0)
    field.retire(far, 0.05)
    left, _ = sides(field)
    held = field.present["latents"].clone()
    told.left = told.right = unit(40, seed=3)
    for index in range(1, 9):
        distiller.observe(field, seen(index))
    past = distiller.decode(field.past["latents"].float())
    assert cosine_similarity(past, first[None], dim=-1).min() > 0.99
    stale = distiller.decode(held.float())
    assert cosine_similarity(stale[left], first[None], dim=-1).mean() < 0.97  # the code did change


def folded(targets: list[Tensor], weight: float, steps: int) -> GaussianSet:
    """One Gaussian that sees each of the latents in turn, `steps` times, with a pixel weight."""
    gaussians = GaussianSet(past_columns(len(targets[0])), "cpu")
    gaussians.append({"means": torch.zeros(1, 3)})
    for step in range(steps):
        latent = targets[step % len(targets)]
        total = torch.cat([latent, latent.square().sum()[None]]) * weight
        fold(gaussians, torch.tensor([0]), total[None], torch.tensor([weight]), step)
    return gaussians


def test_a_new_mean_is_reached_at_the_bound_of_the_weight_in_half_precision() -> None:
    old, new = unit(32, seed=1), unit(32, seed=2)
    gaussians = folded([old], 10.0, 100)
    assert gaussians["latent_weights"][0] == MAX_WEIGHT
    for step in range(4000):
        total = torch.cat([new, new.square().sum()[None]])[None]
        fold(gaussians, torch.tensor([0]), total, torch.ones(1), step)
    reached = gaussians["latents"][0].float()
    assert reached.dtype == torch.float32
    assert (reached - new).abs().max() < 1e-3
    assert gaussians["latent_vars"][0] < 1e-3


def test_mean_and_variance_are_those_of_all_pixels_together() -> None:
    targets = [unit(6, seed=s) for s in range(4)]
    gaussians = folded(targets, 2.0, 40)
    every = torch.stack(targets)
    mean = every.mean(0)
    assert torch.allclose(gaussians["latents"][0].float(), mean, atol=2e-3)
    spread = float((every - mean).square().sum(-1).mean())
    assert float(gaussians["latent_vars"][0]) == pytest.approx(spread, rel=0.02)
    assert float(gaussians["latent_weights"][0]) == 80


def test_samples_of_all_heads_are_of_the_same_pixels() -> None:
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(32.0), indexing="ij")
    fine = torch.stack([y, x])
    coarse = torch.nn.functional.avg_pool2d(fine[None], 4)[0]
    nowhere = torch.zeros(0, 2)
    parts = [Part(fine, 0, True, nowhere), Part(coarse, 2, True, nowhere)]
    rows = sample(parts, (24, 32), 0)
    assert rows.shape == (24 * 32, 4)
    inner = ((rows[:, :2] > 3) & (rows[:, :2] < torch.tensor([20, 28]))).all(1)
    assert torch.allclose(rows[inner, :2], rows[inner, 2:], atol=1e-3)
    assert torch.allclose(rows[:, :2], rows[:, :2].round(), atol=1e-4)
    assert len(rows[:, :2].round().unique(dim=0)) > 0.6 * 24 * 32  # spread, not heaped
    assert not torch.equal(rows, sample(parts, (24, 32), 1))


def test_rare_places_are_sampled_behind_the_others() -> None:
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(32.0), indexing="ij")
    rare = torch.tensor([[5.5 / 32, 2.5 / 24]])
    rows = sample([Part(torch.stack([y, x]), 0, True, rare)], (24, 32), 0)
    assert len(rows) == 24 * 32 + RARE
    assert torch.allclose(rows[-RARE:], torch.tensor([2.0, 5.0]).expand(RARE, 2), atol=1e-3)


def test_the_features_of_a_gaussian_take_at_most_140_bytes() -> None:
    gaussians = GaussianField(FieldConfig().latent_dim, 10**9)
    assert FieldConfig().latent_dim == 32
    for part in gaussians.parts:
        taken = sum(part.columns[name].nbytes for name in FEATURES)
        assert taken == 32 * 2 + 4 + 4 <= 140


class Near(Told):
    """Looks closer: of wholes and of tiles it says another thing."""

    traits = Traits(looks_closer=True)

    def __init__(self, whole: Tensor, tile: Tensor) -> None:
        super().__init__("near", whole, whole, scale=2)
        self._says, self.shown = (whole, tile), []

    def dense(self, images: Tensor) -> Tensor:
        self.left = self.right = self._says[len(self.shown) % 2]
        self.shown.append(images[0])
        return super().dense(images)


def test_every_other_frame_brings_a_tile_of_the_camera_s_own_picture() -> None:
    whole, tile = unit(20, seed=1), unit(20, seed=2)
    near = Near(whole, tile)
    field, distiller = mapped(), Distiller(Heads([near]), D, BACKEND, close_looks=1)
    rng, size = np.random.default_rng(0), (CAMERA.width, CAMERA.height)
    for index in range(80):
        fine = rng.integers(0, 256, (3 * size[1], 3 * size[0], 3), dtype=np.uint8)
        fine.flags.writeable = False
        view = seen()
        distiller.observe(field, view, fine)
        assert len(near.shown) == index + 1  # one pass of the model a frame
        shown = look(index, size, 1)
        assert shown.whole == (index % 2 == 0)
        expected = (
            view.rgb8.float() / 255 if shown.whole else shown.cut(fine, size).permute(1, 2, 0)
        )
        assert torch.allclose(near.shown[-1].permute(1, 2, 0), expected, atol=1e-3)
    snapshot = take_snapshot(field)
    left, right = sides(field)
    features = distiller.decode(snapshot.latents)[left | right]
    likeness = [cosine_similarity(features, one[None], dim=-1) for one in (whole, tile)]
    assert float((likeness[0] - likeness[1]).mean().abs()) < 0.1  # both have the same say
    assert float(snapshot.latent_vars[left | right].min()) > 0.05


def test_a_tile_teaches_what_it_shows_and_nothing_else() -> None:
    near = Near(unit(20, seed=1), unit(20, seed=2))
    field, distiller = mapped(), Distiller(Heads([near]), D, BACKEND, close_looks=1)
    distiller.observe(field, seen(0))
    weights = field.present["latent_weights"].clone()
    distiller.observe(field, seen(1))  # a tile
    taught = field.present["latent_weights"] > weights
    assert 0.05 < float(taught.float().mean()) < 0.6


def test_looks_count_alike_whatever_the_resolution_of_features() -> None:
    counted = []
    for scale in (1, 2, 4):
        told = Told("told", unit(9, seed=1), unit(9, seed=2), scale=scale)
        field, distiller = mapped(), Distiller(Heads([told]), D, BACKEND)
        distiller.observe(field, seen())
        counted.append(float(field.present["latent_weights"].sum()))
    assert counted[1] == pytest.approx(counted[0], rel=0.15)
    assert counted[2] == pytest.approx(counted[0], rel=0.15)


def test_without_close_looks_no_tile_is_cut() -> None:
    near = Near(unit(20, seed=1), unit(20, seed=2))
    distiller = Distiller(Heads([near]), D, BACKEND)
    for _ in range(3):
        distiller.observe(mapped(), seen())
    assert all(torch.equal(one, near.shown[0]) for one in near.shown)
