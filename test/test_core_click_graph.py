# SPDX-License-Identifier: Apache-2.0
"""The compiled graph, walk and pieces of clicks are those of scipy and torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from box_world import START_NS, BoxWorld, still
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csc_matrix, diags
from scipy.sparse.linalg import spsolve

from f4x_ros.core.ask import segment_spread
from f4x_ros.core.ask.segment_sparse import SparseLinks
from f4x_ros.core.ask.segment_spread import CompiledLinks, links_of
from f4x_ros.core.config import Config
from f4x_ros.core.field import Snapshot
from f4x_ros.core.objects import Graph, build_graph, graph
from f4x_ros.core.perception import Perception

EYE = torch.tensor([0.2, -0.1, 3.0])
LEVELS = (0.9, 0.7, 0.5, 0.3)


def gaussians(means: NDArray[np.floating], seed: int = 0) -> Snapshot:
    """Gaussians at places [N, 3], all else by chance."""
    count, rng = len(means), torch.Generator().manual_seed(seed)

    def some(*shape: int) -> torch.Tensor:
        return torch.rand(count, *shape, generator=rng)

    return Snapshot(
        means=torch.from_numpy(np.asarray(means, np.float32)),
        quats=some(4) - 0.5,
        scales=0.002 + 0.03 * some(3),
        opacities=some(),
        colors=some(3),
        latents=some(4),
        latent_weights=some(),
        latent_vars=some(),
        object_ids=torch.zeros(count, dtype=torch.int32),
        piece_ids=torch.zeros(count, dtype=torch.int32),
        body_ids=torch.zeros(count, dtype=torch.int32),
        birth_s=some(),
        seen_s=some(),
    )


def surfaces(count: int, seed: int = 0) -> NDArray[np.floating]:
    """Points on a floor and on a wall, uneven."""
    points = np.random.default_rng(seed).normal(size=(count, 3))
    points[:, 2] *= 0.01
    points[: count // 3] = points[: count // 3, [2, 0, 1]]
    return points


def plain_graph(snapshot: Snapshot, features: torch.Tensor | None) -> Graph:
    """The graph by torch and scipy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "resolve_backend", lambda *_: "padded")
        return build_graph(snapshot, features, EYE)


@pytest.mark.parametrize("count", [2, 3, 8, 11, 12, 1500])
@pytest.mark.parametrize("width", [None, 3, 24])
def test_the_compiled_graph_is_that_of_torch(count: int, width: int | None) -> None:
    snapshot = gaussians(surfaces(count))
    features = None if width is None else torch.from_numpy(surfaces(count * width)[:, 0])
    features = None if features is None else features.reshape(count, -1).float()
    made, want = build_graph(snapshot, features, EYE), plain_graph(snapshot, features)
    assert (made.first == want.first).all()
    assert (made.second == want.second).all()
    # Of few points normals are by chance: those in a plane have no thinnest direction else.
    assert np.abs(made.log_odds - want.log_odds).max() < (2e-4 if count > 11 else 2e-2)


def test_far_from_the_origin_it_is_the_same_graph() -> None:
    near = gaussians(surfaces(400).astype(np.float32))
    offset = np.array([2048.0, -1024.0, 512.0], np.float32)
    there = gaussians(near.means.numpy() + offset)
    back = gaussians(there.means.numpy() - offset)  # (what single precision keeps of it there)
    eye = EYE + torch.from_numpy(offset)
    far, own = build_graph(there, None, eye), build_graph(back, None, EYE)
    assert (far.first == own.first).all()
    assert np.abs(far.log_odds - own.log_odds).max() < 1e-2


def test_of_equally_near_ones_the_lower_row_is_the_neighbour() -> None:
    square = np.stack(np.meshgrid(np.arange(7.0), np.arange(7.0), [0.0]), -1).reshape(-1, 3)
    made = build_graph(gaussians(square), None, EYE)
    apart = ((square[:, None] - square) ** 2).sum(-1)
    np.fill_diagonal(apart, np.inf)
    near = np.argsort(apart, axis=1, kind="stable")[:, :10]
    want = {(min(i, j), max(i, j)) for i, row in enumerate(near) for j in row.tolist()}
    assert set(zip(made.first.tolist(), made.second.tolist(), strict=True)) == want
    assert len(made.first) == len(want)


def test_the_graph_does_not_depend_on_the_number_of_threads() -> None:
    snapshot = gaussians(surfaces(3000))
    before, found = torch.get_num_threads(), []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(build_graph(snapshot, snapshot.latents, EYE))
    torch.set_num_threads(before)
    for one in found[1:]:
        assert (one.first == found[0].first).all()
        assert (one.log_odds == found[0].log_odds).all()


def test_what_is_nowhere_is_refused() -> None:
    points = surfaces(30)
    points[7, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        build_graph(gaussians(points), None, EYE)


def room(count: int = 4000) -> tuple[Graph, NDArray[np.float64], NDArray[np.float64]]:
    """A graph with edges of all strengths, and what holds a walk that one click began."""
    made = build_graph(gaussians(surfaces(count)), None, EYE)
    rng = np.random.default_rng(1)
    odds = rng.choice([6.0, 6.0, 6.0, 2.0, -6.0], len(made.first))
    like = rng.uniform(size=count)
    inside, outside = 0.3 * like, 0.3 * (1 - like)
    inside[count // 2] += 1e4
    return Graph(made.first, made.second, odds), inside, outside


def exact(
    links: Graph, inside: NDArray[np.float64], outside: NDArray[np.float64]
) -> NDArray[np.float64]:
    weight, count = np.exp(links.log_odds), len(inside)
    half = coo_matrix((weight, (links.first, links.second)), shape=(count, count))
    whole = half + half.T
    degree = np.asarray(whole.sum(1)).ravel()
    return np.asarray(spsolve(csc_matrix(diags(degree + inside + outside) - whole), inside))


def test_a_walk_is_the_solution_of_its_equations() -> None:
    links, inside, outside = room()
    made, want = links_of(links, len(inside)), exact(links, inside, outside)
    assert isinstance(made, CompiledLinks)
    found = made.walk(inside, outside)
    assert 0.05 < want.mean() < 0.95
    assert np.sqrt(((found - want) ** 2).mean()) < 0.01
    assert (made.walk(inside, outside) == found).all()


def test_as_many_steps_as_are_needed_come_as_near_as_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segment_spread, "_TOLERANCE", 1e-8)
    links, inside, outside = room(700)
    found = links_of(links, len(inside)).walk(inside, outside)
    assert np.abs(found - exact(links, inside, outside)).max() < 1e-5


def test_who_has_no_neighbour_ends_where_it_is() -> None:
    nobody = np.zeros(0, np.int64)
    made = links_of(Graph(nobody, nobody, np.zeros(0)), 3)
    found = made.walk(np.array([1.0, 0.0, 3.0]), np.array([1.0, 2.0, 1.0]))
    assert found == pytest.approx([0.5, 0.0, 0.75])
    assert made.pieces(np.array([True, False, True])).tolist() == [0, -1, 1]


def test_pieces_and_contrasts_are_those_of_scipy() -> None:
    links, inside, outside = room()
    weight = np.exp(links.log_odds)
    compiled, sparse = (kind(links, weight, len(inside)) for kind in (CompiledLinks, SparseLinks))
    walk = exact(links, inside, outside)
    like = inside.clip(max=0.3) / 0.3
    chosen = np.random.default_rng(2).uniform(size=len(inside)) < 0.3
    one, other = compiled.pieces(chosen), sparse.pieces(chosen)
    assert ((one < 0) == ~chosen).all()
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))  # the same pieces, by any number
    assert len(pairs) == len(set(one.tolist())) == len(set(other.tolist())) > 20
    for clicked in (len(inside) // 2, int(walk.argmin())):
        found = compiled.contrasts(walk, like, clicked, LEVELS)
        assert found == pytest.approx(sparse.contrasts(walk, like, clicked, LEVELS), rel=1e-9)
    assert not compiled.contrasts(walk, like, int(walk.argmin()), (0.999,)).any()


def test_without_a_compiled_library_a_click_selects_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = BoxWorld({"red": still(-0.4, 0.0, 1.6), "blue": still(0.4, 0.1, 1.5)})
    options = {"features.extractor": "color", "mapping.resolution": 96, "mapping.iterations": 1}
    perception = Perception(Config.from_dotted(options))
    for index in range(3):
        perception.process(world(index))
    rows, columns = np.nonzero(world.mask(2, "blue"))
    click = [(float(columns.mean()) + 0.5, float(rows.mean()) + 0.5)]
    masks = [perception.segment(click).mask]
    for module in (graph, segment_spread):
        monkeypatch.setattr(module, "resolve_backend", lambda *_: "padded")
    masks.append(perception.segment(click, stamp_ns=perception.stamp_ns).mask)
    assert perception.stamp_ns > START_NS
    assert (masks[0] >= 0.5).sum() > 20
    assert ((masks[0] >= 0.5) != (masks[1] >= 0.5)).mean() < 0.002
