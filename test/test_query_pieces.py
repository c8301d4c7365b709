# SPDX-License-Identifier: Apache-2.0
"""Gaussians of one thing are put together, and asked together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from box_world import BoxWorld
from numpy.typing import NDArray

from f4x_ros.core.config import Config
from f4x_ros.core.features.base import Traits
from f4x_ros.core.features.color import ColorExtractor
from f4x_ros.core.field.snapshot import some_of, take_snapshot
from f4x_ros.core.objects.pieces import NO_PIECE, asked_together
from f4x_ros.core.objects.regions import merged, trusted
from f4x_ros.core.perception import Perception, nothing

QUICK = Config.from_dotted(
    {
        "features.extractor": "color",
        "features.group_every": 4,
        "mapping.iterations": 2,
        "mapping.keyframe_iterations": 4,
    }
)
SIDE = 12  # of a square of Gaussians
COUNT = SIDE * SIDE
PLAIN = trusted(np.ones((COUNT, 4), np.float32), np.ones(COUNT, np.float32))


def grid(odds: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Edges of a square of Gaussians, each with its neighbours to the right and below."""
    place = np.arange(COUNT).reshape(SIDE, SIDE)
    first = np.r_[place[:, :-1].ravel(), place[:-1].ravel()]
    second = np.r_[place[:, 1:].ravel(), place[1:].ravel()]
    return first, second, np.full(len(first), odds)


def halves(spread: float) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """The left and the right half look unlike each other; each Gaussian a bit unlike its half."""
    left = np.arange(COUNT) % SIDE < SIDE // 2
    rng = np.random.default_rng(0)
    plain = np.where(left[:, None], [1.0, 0, 0, 0], [0, 1.0, 0, 0])
    return left, (plain + spread * rng.normal(size=(COUNT, 4))).astype(np.float32)


@pytest.mark.parametrize("spread", [0.0, 0.12])
def test_what_looks_unlike_is_apart_and_noise_splits_nothing(spread: float) -> None:
    left, features = halves(spread)
    piece = merged(*grid(3.0), trusted(features, np.ones(COUNT, np.float32)))
    assert sorted(set(piece)) == [0, 1]
    assert len(set(piece[left])) == len(set(piece[~left])) == 1


def test_a_seam_of_the_surface_parts_what_looks_alike() -> None:
    left, _ = halves(0)
    first, second, odds = grid(3.0)
    odds[left[first] != left[second]] = -4.0
    piece = merged(first, second, odds, PLAIN)
    assert len(set(piece)) == 2
    assert (piece[left] == piece[0]).all()
    assert not (piece[~left] == piece[0]).any()


def test_a_gap_in_a_seam_does_not_join_what_it_parts() -> None:
    """It is the mean over a seam that counts: single links would join all through one edge."""
    left, _ = halves(0)
    first, second, odds = grid(3.0)
    seam = np.flatnonzero(left[first] != left[second])
    odds[seam[1:]] = -4.0
    piece = merged(first, second, odds, PLAIN)
    assert len(set(piece)) == 2


def test_gaussians_that_nothing_is_known_of_do_not_disturb() -> None:
    left, features = halves(0.1)
    weights = np.ones(COUNT, np.float32)
    features[::7], weights[::7] = 0, 0
    piece = merged(*grid(3.0), trusted(features, weights))
    known = np.arange(COUNT) % 7 != 0
    assert len(set(piece[left & known]) & set(piece[~left & known])) == 0
    assert len(set(piece[left & known])) == 1
    assert len(set(piece[~known])) == (~known).sum()  # they stay alone


def test_gaussians_join_pieces_that_stay_as_they_are_and_join_no_two_of_them() -> None:
    left, features = halves(0.05)
    features[left] = features[~left][:1]  # all alike: two pieces by history alone
    sums = trusted(features, np.ones(COUNT, np.float32))
    first, second, odds = grid(3.0)
    fixed = np.arange(COUNT) % SIDE % (SIDE - 1) == 0  # the outermost columns
    piece = merged(first, second, odds, sums, fixed)
    ends = piece[fixed]
    assert len(set(ends)) == len(ends)  # as many regions as there were pieces
    assert set(piece[~fixed]) <= set(ends) | set(piece[~fixed])
    joined = np.isin(piece[~fixed], ends)
    assert joined.all()


@pytest.fixture(scope="module")
def perception() -> Perception:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ColorExtractor, "traits", Traits(of_things=True))
        made = Perception(QUICK)
        for index in range(8):
            made.process(BoxWorld()(index))
    return made


def test_the_things_of_a_scene_become_pieces(perception: Perception) -> None:
    present = perception._memory.field.present
    assert (present["piece_ids"] != NO_PIECE).all()
    colors, pieces = present["colors"], present["piece_ids"]
    others = torch.stack([colors[:, [1, 2]].amax(1), colors[:, [0, 1]].amax(1)], 1)
    red = colors[:, 0] > others[:, 0] + 0.4
    blue = colors[:, 2] > others[:, 1] + 0.4
    assert red.sum() > 20
    assert blue.sum() > 20
    main = pieces[red].mode().values
    assert (pieces[red] == main).float().mean() > 0.8
    assert (pieces[blue] == main).float().mean() < 0.05
    assert (pieces == main).sum() < 1.5 * red.sum()


def test_what_is_asked_together_has_the_mean_of_its_latents(perception: Perception) -> None:
    snapshot = take_snapshot(perception._memory.field)
    latents, weights, rows = asked_together(snapshot)
    assert len(latents) == len(snapshot.piece_ids.unique()) < 0.2 * len(snapshot)
    own = snapshot.piece_ids == snapshot.piece_ids.mode().values
    (row,) = rows[own].unique().tolist()
    trust = snapshot.latent_weights[own]
    mean = (snapshot.latents[own] * trust[:, None]).sum(0) / trust.sum()
    torch.testing.assert_close(latents[row], mean, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(weights[row], trust.sum(), rtol=1e-3, atol=1e-3)


def test_gaussians_without_a_piece_are_asked_alone(perception: Perception) -> None:
    snapshot = some_of(take_snapshot(perception._memory.field), torch.arange(30))
    snapshot.piece_ids.fill_(NO_PIECE)
    snapshot.piece_ids[:5] = 3
    latents, _, rows = asked_together(snapshot)
    assert len(latents) == 26
    torch.testing.assert_close(latents[rows[5:]], snapshot.latents[5:], atol=1e-4, rtol=1e-3)
    assert len(rows[:5].unique()) == 1


def test_an_empty_field_has_nothing_to_ask(perception: Perception) -> None:
    snapshot = some_of(take_snapshot(perception._memory.field), torch.arange(0))
    latents, weights, rows = asked_together(snapshot)
    assert (len(latents), len(weights), len(rows)) == (0, 0, 0)


def test_pieces_of_which_no_more_was_seen_are_kept_and_numbers_never_return(
    perception: Perception, tmp_path: Path
) -> None:
    perception.save(tmp_path / "map.f4x")
    again = Perception.load(tmp_path / "map.f4x")
    memory, before = again._memory, perception._memory.field.present["piece_ids"]
    present = memory.field.present
    assert torch.equal(present["piece_ids"], before)
    highest = max(int(part["piece_ids"].max()) for part in memory.field.parts if len(part))
    assert memory.grouper.update(memory.field, memory.distiller, np.zeros(3), nothing) == 0
    seen = before == before.mode().values
    present["latent_weights"][seen] *= 2
    grouped = memory.grouper.update(memory.field, memory.distiller, np.zeros(3), nothing)
    assert grouped == seen.sum()
    assert torch.equal(present["piece_ids"][~seen], before[~seen])
    own = present["piece_ids"][seen]
    assert (own.mode().values > highest).all()
    assert ((own > highest) | torch.isin(own, before[~seen])).all()  # some join their neighbours


def test_colours_are_asked_of_each_gaussian_and_grouping_can_be_turned_off() -> None:
    plain = Perception(QUICK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ColorExtractor, "traits", Traits(of_things=True))
        off = Perception(Config.from_dotted({**QUICK.to_dotted(), "features.group_every": 0}))
    for made in (plain, off):
        for index in range(4):
            percept = made.process(BoxWorld()(index))
        assert (made._memory.field.present["piece_ids"] == NO_PIECE).all()
        assert "group" not in percept.timings_ms
