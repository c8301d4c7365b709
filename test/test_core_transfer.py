# SPDX-License-Identifier: Apache-2.0
"""Marks of one object found on another of its kind, on clouds of Gaussians made from meshes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from f4x_ros.core.ask.parts import spread_parts
from f4x_ros.core.ask.pixels import from_pixel, to_pixels
from f4x_ros.core.ask.transfer import transfer
from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.field.snapshot import Snapshot
from f4x_ros.eval.metrics.keypoints import keypoint_errors
from f4x_ros.sim.keypoints import keypoints_of
from f4x_ros.sim.mesh import rotation
from f4x_ros.sim.shapes import CLASSES

GAUSSIANS = 700


class Thing:
    """An instance of a class, turned about z and put somewhere; seen from all sides, or one."""

    def __init__(self, cls, size, yaw, at, color, seed=0, seen_from=None) -> None:
        rng = np.random.default_rng(seed)
        build = CLASSES[cls].build
        assert build is not None
        corners, normals, owners, areas = [], [], [], []
        for number, part in enumerate(build(**size)):
            triangles = part.mesh.vertices[part.mesh.faces].astype(np.float64)
            cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
            corners.append(triangles)
            normals.append(cross)
            owners.append(np.full(len(triangles), number))
            areas.append(np.linalg.norm(cross, axis=1) / 2)
        triangles, normal, owner = map(np.concatenate, (corners, normals, owners))
        area = np.concatenate(areas)
        if seen_from is not None:
            area = area * ((normal @ np.asarray(seen_from, float)) > 0)
        face = rng.choice(len(area), GAUSSIANS, p=area / area.sum())
        share = rng.dirichlet((1, 1, 1), GAUSSIANS)
        turn = rotation("z", yaw)
        own = np.einsum("nk,nkd->nd", share, triangles[face])
        self.parts = owner[face]
        self.points = own @ turn.T + at
        self.normals = normal[face] @ turn.T
        self.normals /= np.linalg.norm(self.normals, axis=1, keepdims=True)
        self.spacing = float(np.sqrt(area.sum() / GAUSSIANS))
        light = np.clip(0.75 + 0.25 * self.normals @ [0.3, -0.4, 0.86], 0, 1)
        self.colors = np.asarray(color) * light[:, None]
        made = keypoints_of(cls, size)
        self.names = made.names
        self.keypoints = made.points @ turn.T + at
        self.equivalents = made.equivalents @ turn.T + at
        self.size = float(np.ptp(own, axis=0).max())


def field_of(*things: Thing) -> tuple[Snapshot, list[torch.Tensor]]:
    """All things as one snapshot, and the rows of each."""
    normals = np.concatenate([t.normals for t in things])
    count = len(normals)
    # The shortest turn from z to the normal.
    quats = np.stack([1 + normals[:, 2], -normals[:, 1], normals[:, 0], 0 * normals[:, 0]], 1)
    quats[normals[:, 2] < -0.999] = (0, 1, 0, 0)
    wide = np.concatenate([np.full(GAUSSIANS, t.spacing / 2) for t in things])
    snapshot = Snapshot(
        means=torch.from_numpy(np.concatenate([t.points for t in things])).float(),
        quats=torch.from_numpy(quats).float(),
        scales=torch.from_numpy(np.stack([wide, wide, wide * 0.1], 1)).float(),
        opacities=torch.full((count,), 0.9),
        colors=torch.from_numpy(np.concatenate([t.colors for t in things])).float(),
        latents=torch.zeros(count, 4),
        latent_weights=torch.ones(count),
        latent_vars=torch.zeros(count),
        object_ids=torch.zeros(count, dtype=torch.int32),
        piece_ids=torch.zeros(count, dtype=torch.int32),
        body_ids=torch.zeros(count, dtype=torch.int32),
        birth_s=torch.zeros(count, dtype=torch.float64),
        seen_s=torch.zeros(count, dtype=torch.float64),
    )
    return snapshot, list(torch.arange(count).split(GAUSSIANS))


def carry(source: Thing, target: Thing, **rest):
    snapshot, (a, b) = field_of(source, target)
    marks = dict(zip(source.names, source.keypoints, strict=True))
    return transfer(snapshot, None, a, [b], marks, **rest)[0]


def hits(found, target: Thing) -> float:
    at = np.stack([point.position for point in found.points])
    errors = keypoint_errors(at, target.equivalents, target.size)
    return errors.within() / errors.counted


@pytest.mark.parametrize(
    "cls, first, second",
    [
        ("mug", {"radius": 0.04, "height": 0.1}, {"radius": 0.048, "height": 0.11}),
        ("chair", {"back": 0.38, "slats": 1.0}, {"back": 0.55, "width": 0.5, "slats": 4.0}),
        ("dog", {"height": 0.3, "snout": 0.6}, {"height": 0.62, "snout": 1.2}),
    ],
)
def test_keypoints_follow_turn_size_and_proportions(cls, first, second) -> None:
    source = Thing(cls, first, 0.4, (0, 0, 0), (0.7, 0.2, 0.2))
    target = Thing(cls, second, 2.6, (1, 2, 0.5), (0.2, 0.3, 0.8), seed=1)
    found = carry(source, target)
    assert hits(found, target) == 1
    assert found.fit > 0.6
    assert min(point.confidence for point in found.points) > 0.3
    assert [point.name for point in found.points] == list(source.names)


def test_half_an_object_is_enough() -> None:
    """The target is seen from one side only; what is out of sight is placed by the rest."""
    source = Thing("chair", {}, 0.0, (0, 0, 0), (0.6, 0.4, 0.2))
    target = Thing("chair", {"back": 0.5}, 1.9, (2, 0, 0), (0.2, 0.6, 0.3), 1, (0.5, -0.8, 0.4))
    assert hits(carry(source, target), target) >= 0.75


def test_what_looks_the_same_when_turned_is_not_claimed_to_be_known() -> None:
    """A bottle's cap is known; where on its round label the mark was put is not."""
    source = Thing("bottle", {"height": 0.2}, 0.0, (0, 0, 0), (0.1, 0.5, 0.2))
    target = Thing("bottle", {"height": 0.32}, 1.0, (1, 0, 0), (0.5, 0.1, 0.2), seed=1)
    cap, label = carry(source, target).points
    assert np.linalg.norm(cap.position - target.keypoints[0]) < 0.1 * target.size
    assert cap.confidence > 0.6
    assert cap.others == ()
    assert label.confidence < 0.6 * cap.confidence
    assert len(label.others) >= 1
    assert sum(place.share for place in label.others) <= 1


def test_half_a_turn_of_a_table_is_offered_as_the_other_answer() -> None:
    source = Thing("table", {}, 0.3, (0, 0, 0), (0.5, 0.4, 0.3))
    target = Thing("table", {"width": 1.1}, 1.0, (3, 0, 0), (0.3, 0.3, 0.3), seed=2)
    found = carry(source, target)
    assert hits(found, target) == 1
    corner = found.points[0]
    assert 0.25 < corner.confidence < 0.75
    opposite = target.keypoints.mean(0) * 2 - corner.position
    assert min(np.linalg.norm(p.position[:2] - opposite[:2]) for p in corner.others) < 0.15


def test_an_object_of_another_kind_does_not_fit() -> None:
    source = Thing("chair", {}, 0.0, (0, 0, 0), (0.6, 0.4, 0.2))
    kin = Thing("chair", {"back": 0.5}, 1.0, (2, 0, 0), (0.2, 0.6, 0.3), seed=1)
    other = Thing("dog", {}, 1.0, (2, 0, 0), (0.2, 0.6, 0.3), seed=1)
    assert carry(source, other).fit < carry(source, kin).fit - 0.2


def test_features_decide_where_shape_does_not() -> None:
    """A table has two ends; a feature that knows them apart leaves one answer."""
    source = Thing("table", {}, 0.0, (0, 0, 0), (0.5, 0.4, 0.3))
    target = Thing("table", {}, 0.0, (3, 0, 0), (0.5, 0.4, 0.3), seed=2)
    snapshot, (a, b) = field_of(source, target)
    end = torch.cat([snapshot.means[a, 0], 3 - snapshot.means[b, 0]])  # the other way round
    features = torch.stack([end, torch.ones_like(end), end**2], 1)
    marks = dict(zip(source.names, source.keypoints, strict=True))
    points = transfer(snapshot, features, a, [b], marks)[0].points
    for point, opposite in zip(points, target.keypoints[[2, 3, 0, 1]], strict=True):
        assert np.linalg.norm(point.position - opposite) < 0.1 * target.size
        assert point.confidence > 0.6


def along(points: np.ndarray, count: int) -> np.ndarray:
    """Some of the points, from the lowest to the highest."""
    return points[np.argsort(points[:, 2])[np.linspace(0, len(points) - 1, count).astype(int)]]


def share_of_both(found: np.ndarray, truth: np.ndarray) -> float:
    return (found & truth).sum() / (found | truth).sum()


def test_parts_spread_from_clicks_and_are_carried_over() -> None:
    """The handle of a mug, 13 mm thick and of the mug's colour; mean of eight mugs."""
    marked, carried = [], []
    for seed in range(8):
        source = Thing("mug", {}, 0.0, (0, 0, 0), (0.7, 0.2, 0.2), seed=seed)
        target = Thing("mug", {"radius": 0.05}, 2.0, (1, 0, 0), (0.2, 0.2, 0.7), seed=3 + seed)
        snapshot, (a, b) = field_of(source, target)
        handle, wall = source.parts == 1, source.parts == 0
        clicks = {"handle": along(source.points[handle], 3), "body": along(source.points[wall], 8)}
        labels = spread_parts(snapshot, a, clicks)
        assert set(np.unique(labels)) == {1, 2}
        marked.append(share_of_both(labels == 1, handle))
        found = transfer(snapshot, None, a, [b], {}, labels)[0]
        carried.append(share_of_both(found.parts == 1, target.parts == 1))
        assert found.part_scores.min() >= 0.2
        assert found.points == ()
    assert np.mean(marked) > 0.6
    assert np.mean(carried) > 0.5


def test_parts_end_where_surfaces_fold() -> None:
    """Two walls of one colour: a click on each, and the corner between them is the border."""
    grid = np.stack(np.meshgrid(np.arange(20), np.arange(20)), -1).reshape(-1, 2) * 0.01 + 0.005
    flat = np.c_[grid, np.zeros(400)]
    upright = np.c_[np.zeros(400), grid]
    snapshot, (a, b) = field_of(
        Thing("mug", {}, 0, (0, 0, 0), (0.5, 0.5, 0.5)),
        Thing("mug", {}, 0, (0, 0, 0), (0.5, 0.5, 0.5)),
    )
    rows = torch.cat([a[:400], b[:400]])
    snapshot.means[rows] = torch.from_numpy(np.concatenate([flat, upright])).float()
    snapshot.quats[rows] = torch.tensor([[1.0, 0, 0, 0]] * 400 + [[0.5**0.5, 0, 0.5**0.5, 0]] * 400)
    snapshot.colors[rows] = 0.5
    # The floor's click lies at its far end, much further from the corner than the wall's.
    labels = spread_parts(
        snapshot,
        rows,
        {"floor": np.array([[0.19, 0.1, 0.0]]), "wall": np.array([[0.0, 0.1, 0.03]])},
    )
    assert (labels[:400] == 1).mean() > 0.95
    assert (labels[400:] == 2).mean() > 0.95


def test_what_no_click_reaches_is_no_part() -> None:
    source = Thing("mug", {}, 0.0, (0, 0, 0), (0.7, 0.2, 0.2))
    snapshot, (a, b) = field_of(source, Thing("mug", {}, 0.0, (5, 0, 0), (0.7, 0.2, 0.2)))
    labels = spread_parts(snapshot, torch.cat([a, b]), {"all": source.points[:1]})
    assert (labels[: len(a)] == 1).all()
    assert (labels[len(a) :] == 0).all()


def test_pixels_and_points_are_each_others_inverse() -> None:
    camera = PinholeCamera(64, 48, 60.0, 60.0, 32.0, 24.0)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation("y", 0.3), (0.1, 0.2, 0.3)
    depth = np.full((48, 64), 1.5, np.float32)
    point = from_pixel((20.5, 30.5), camera, pose, depth)
    pixels, seen = to_pixels(point[None], camera, pose, depth, 0.02)
    assert np.allclose(pixels, [[20.5, 30.5]], atol=1e-6)
    assert seen.tolist() == [True]
    behind = pose[:3, :3] @ [0, 0, -1] + pose[:3, 3]
    hidden = pose[:3, :3] @ [0, 0, 1.6] + pose[:3, 3]
    pixels, seen = to_pixels(np.stack([behind, hidden]), camera, pose, depth, 0.02)
    assert seen.tolist() == [False, False]
    assert np.isnan(pixels[0]).all()


def test_a_click_on_an_edge_means_the_nearer_surface() -> None:
    camera = PinholeCamera(64, 48, 60.0, 60.0, 32.0, 24.0)
    depth = np.full((48, 64), 2.0, np.float32)
    depth[:, :20], depth[:, 20] = 1.0, 1.6  # the column between them is a mixture
    assert from_pixel((20.5, 24), camera, np.eye(4), depth)[2] == pytest.approx(1.0)
    assert from_pixel((30.5, 24), camera, np.eye(4), depth)[2] == pytest.approx(2.0)
    slope = np.tile(np.linspace(1, 1.2, 64, dtype=np.float32), (48, 1))
    assert from_pixel((30.5, 24), camera, np.eye(4), slope)[2] == pytest.approx(slope[0, 30])


def test_bad_input_is_named() -> None:
    source = Thing("mug", {}, 0.0, (0, 0, 0), (0.7, 0.2, 0.2))
    snapshot, (a,) = field_of(source)
    with pytest.raises(ValueError, match="'lip'"):
        transfer(snapshot, None, a, [a], {"lip": np.array([0.0, np.nan, 0.0])})
    with pytest.raises(ValueError, match="solid Gaussians"):
        transfer(snapshot, None, a[:5], [a], {"lip": np.zeros(3)})
    with pytest.raises(ValueError, match="parts"):
        transfer(snapshot, None, a, [a], {}, np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="'rim'"):
        spread_parts(snapshot, a, {"rim": np.zeros((0, 3))})
    camera = PinholeCamera(64, 48, 60.0, 60.0, 32.0, 24.0)
    with pytest.raises(ValueError, match="outside"):
        from_pixel((64, 0), camera, np.eye(4), np.ones((48, 64), np.float32))
    with pytest.raises(ValueError, match="nothing"):
        from_pixel((3, 3), camera, np.eye(4), np.zeros((48, 64), np.float32))
