# SPDX-License-Identifier: Apache-2.0
"""Rotations as numbers, and the paths that carry Gaussians through time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from f4x_ros.core.data import inverse, turns
from f4x_ros.core.field import BodyPaths, Moved, paths

ANGLES = st.one_of(
    st.floats(0, np.pi),
    st.floats(0, 1e-7),
    st.floats(np.pi - 1e-5, np.pi),
)
SEEDS = st.integers(0, 10_000)


def turned(seed: int, angle: float) -> np.ndarray:
    axis = np.random.default_rng(seed).normal(size=3)
    return angle * axis / np.linalg.norm(axis)


def pose(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    out = np.eye(4)
    out[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    out[:3, 3] = rng.normal(size=3)
    return out


@given(SEEDS, ANGLES)
def test_vectors_and_matrices_are_those_of_scipy(seed: int, angle: float) -> None:
    vector = turned(seed, angle)
    matrix = turns.matrix_of_vector(vector)
    assert np.abs(matrix - Rotation.from_rotvec(vector).as_matrix()).max() < 1e-9
    again = turns.matrix_of_vector(turns.vector_of_matrix(matrix))
    assert np.abs(again - matrix).max() < 1e-6
    assert np.linalg.norm(turns.vector_of_matrix(matrix)) <= np.pi + 1e-9


@given(SEEDS, SEEDS, st.floats(0, 1))
def test_between_two_turns_and_one_after_the_other_are_those_of_scipy(
    one: int, other: int, share: float
) -> None:
    pair = Rotation.concatenate([Rotation.random(random_state=n) for n in (one, other)])
    first, second = pair.as_quat()[:, None]
    found = turns.slerp(first, second, np.array([share]))
    want = Slerp([0.0, 1.0], pair)(share).as_matrix()
    if (pair[0].inv() * pair[1]).magnitude() < np.pi - 1e-3:  # else there are two ways
        assert np.abs(turns.matrices_of_quats(found)[0] - want).max() < 1e-6
    both = turns.matrices_of_quats(turns.products(first, second))[0]
    assert np.abs(both - (pair[0] * pair[1]).as_matrix()).max() < 1e-9


def test_a_body_is_between_its_poses_and_rests_outside_of_them() -> None:
    known = BodyPaths()
    a, b = pose(1), pose(2)
    known.add(1, 1.0, a)
    known.add(1, 3.0, b)
    assert np.allclose(known.at(1, 0.0), a)
    assert np.allclose(known.at(1, 9.0), b)
    assert np.allclose(known.at(1, 2.0)[:3, 3], (a[:3, 3] + b[:3, 3]) / 2)
    known.begin_at(1, 0.0, b)
    assert np.allclose(known.at(1, -1.0), b)
    assert np.allclose(known.at(1, 1.0), a)


def test_what_a_line_replaces_is_not_kept() -> None:
    known, steps = BodyPaths(), 200
    for n in range(steps):
        T = np.eye(4)
        T[:3, :3] = turns.matrix_of_vector(np.array([0, 0, 0.01 * n]))
        T[0, 3] = 0.02 * n
        known.add(1, 0.1 * n, T)
    assert len(known.arrays()["time_s"]) < 5
    assert abs(known.at(1, 0.1 * 77)[0, 3] - 0.02 * 77) < 0.01


def test_gaussians_are_where_their_body_was_and_gradients_come_back() -> None:
    known = BodyPaths()
    then, now = pose(3), pose(4)
    known.add(5, 1.0, then)
    known.add(5, 2.0, now)
    bodies = torch.tensor([0, 5, 7, 5], dtype=torch.int32)  # (nobody knows 7)
    placed = torch.tensor([2.0, 2.0, 2.0, 1.0], dtype=torch.float64)
    means = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    quats = torch.randn(4, 4, generator=torch.Generator().manual_seed(1))
    (moved,) = known.motion(bodies, placed, [1.0])
    assert moved is not None
    assert moved.rows.tolist() == [1]  # row 3 is there already
    motion = then @ inverse(now)
    there = moved.means(means)
    want = motion[:3, :3] @ means[1].double().numpy() + motion[:3, 3]
    assert np.abs(there[1].numpy() - want).max() < 1e-5
    assert torch.equal(there[[0, 2, 3]], means[[0, 2, 3]])
    own = Rotation.from_quat(torch.roll(moved.turned(quats)[1], -1).numpy()).as_matrix()
    before = Rotation.from_quat(torch.roll(quats[1], -1).numpy()).as_matrix()
    assert np.abs(own - motion[:3, :3] @ before).max() < 1e-5
    check_gradients(moved, means, quats)


def check_gradients(moved: Moved, means: torch.Tensor, quats: torch.Tensor) -> None:
    leaves = [one.clone().requires_grad_() for one in (means, quats)]
    weights = [torch.randn(one.shape) for one in leaves]
    out = moved.means(leaves[0]), moved.turned(leaves[1])
    loss = sum((w * o).sum() for w, o in zip(weights, out, strict=True))
    want = torch.autograd.grad(loss, leaves)
    for have, true in zip(moved.gradients(*weights), want, strict=True):
        assert torch.allclose(have, true, atol=1e-5)


def test_a_selection_of_a_table_moves_as_the_table_does() -> None:
    known = BodyPaths()
    known.add(1, 0.0, pose(1))
    known.add(1, 1.0, pose(2))
    bodies = torch.tensor([1, 0, 1, 1], dtype=torch.int32)
    (moved,) = known.motion(bodies, torch.ones(4, dtype=torch.float64), [0.0])
    assert moved is not None
    means, chosen = torch.arange(12.0).reshape(4, 3), torch.tensor([3, 1])
    some = moved.among(chosen, 4)
    assert some is not None
    assert torch.equal(some.means(means[chosen]), moved.means(means)[chosen])
    assert moved.among(torch.tensor([1]), 4) is None


def test_paths_are_bounded_forgotten_and_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MAX_POSES", 40)
    known = BodyPaths()
    for n in range(100):
        known.add(1, float(n), pose(n))
    known.add(2, 0.0, pose(0))
    assert len(known.arrays()["time_s"]) <= 41
    assert np.allclose(known.at(1, 99.0), pose(99))
    again = BodyPaths()
    again.load_arrays(known.arrays())
    assert np.allclose(again.at(1, 98.5), known.at(1, 98.5))
    assert again.new_id() == 3
    again.drop(1)
    assert len(again) == 1
    assert again.motion(torch.tensor([1]), torch.zeros(1, dtype=torch.float64), [1.0]) == [None]
    bad = known.arrays() | {"time_s": known.arrays()["time_s"][::-1]}
    with pytest.raises(ValueError, match="body 1"):
        BodyPaths().load_arrays(bad)
