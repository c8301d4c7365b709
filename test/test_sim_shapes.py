# SPDX-License-Identifier: Apache-2.0
"""Every class of things: well-made meshes over its whole range, words, and a person that walks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from f4x_ros.sim.catalogue import catalogue, draw, main, variant
from f4x_ros.sim.finishes import PAINTED
from f4x_ros.sim.materials import PALE, PALETTE, Finish, Material, surface
from f4x_ros.sim.mesh import Mesh, extruded, loft, loft_x, merged, torus, tube
from f4x_ros.sim.patterns import Football, icosahedron
from f4x_ros.sim.scene import Thing
from f4x_ros.sim.shapes import (
    CLASSES,
    PLACES,
    Parts,
    ThingClass,
    drawer_of,
    person_joints,
    person_stride,
    rack_levels,
    walking_lift,
    walking_links,
)
from f4x_ros.sim.shapes.openings import cabinet, drawer
from f4x_ros.sim.shapes.person import person
from f4x_ros.sim.textures import linear

BUILT = {name: made for name, made in CLASSES.items() if made.build is not None}

#: Classes in the first table: their order is the class id of recordings made with it.
FIRST = (
    "floor", "wall", "ceiling", "table", "chair", "sofa", "bookshelf", "cabinet", "rug", "mug",
    "bowl", "bottle", "teapot", "apple", "toy car", "ball", "rubber duck", "teddy bear", "book",
    "globe", "potted plant", "trash can", "picture", "window",
)  # fmt: skip

#: Things that do not stand on z = 0, and why.
NOT_ON_THE_FLOOR = {
    "ball": "its origin is its centre, so that it can roll",
    "door": "leaves air to the floor, so that it can swing",
    "picture": "hangs: its origin is its centre",
    "window": "is in a wall: its origin is its centre",
}

#: Sheets without a back side.
OPEN = {"bottle": 1, "teapot": 1}  # the label around it; the lid, which lies on the rim


def sizes_of(made: ThingClass) -> Iterator[dict[str, float]]:
    """The usual size, both ends of all ranges at once, and each end alone."""
    yield {}
    yield {name: low for name, (low, _) in made.sizes.items()}
    yield {name: high for name, (_, high) in made.sizes.items()}
    for name, ends in made.sizes.items():
        yield from ({name: end} for end in ends)


def parts_of(name: str, **size: float) -> Parts:
    build = CLASSES[name].build
    assert build is not None
    return build(**size)


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(float) for k in range(3))
    return float(np.einsum("ni,ni->n", a, np.cross(b, c)).sum() / 6)


def is_closed(mesh: Mesh) -> bool:
    """Every edge is passed once in each direction (corners at one place count as one)."""
    keys = np.round(mesh.vertices.astype(float) * 1e6).astype(np.int64)
    point = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)[mesh.faces]
    point = point[(point != np.roll(point, 1, axis=1)).all(1)]  # triangles without area
    edges = np.concatenate([point[:, [0, 1]], point[:, [1, 2]], point[:, [2, 0]]])
    there = edges[:, 0] * (point.max() + 1) + edges[:, 1]
    back = edges[:, 1] * (point.max() + 1) + edges[:, 0]
    return bool((np.sort(there) == np.sort(back)).all())


def test_there_are_many_classes_and_the_first_keep_their_ids() -> None:
    assert len(BUILT) >= 45
    assert tuple(CLASSES)[: len(FIRST)] == FIRST


@pytest.mark.parametrize("name", BUILT)
def test_meshes_are_sound_over_the_whole_range_of_sizes(name: str) -> None:
    for size in sizes_of(BUILT[name]):
        parts = parts_of(name, **size)
        mesh = merged([part.mesh for part in parts])
        extent = np.ptp(mesh.vertices, axis=0)
        assert np.isfinite(mesh.vertices).all(), size
        assert 0.02 < extent.max() < 3.0, size
        assert len(mesh.faces) < 20_000
        assert mesh.faces.min() >= 0
        assert mesh.faces.max() < len(mesh.vertices)
        if name not in NOT_ON_THE_FLOOR:
            assert abs(mesh.vertices[:, 2].min()) < 0.004, size


@pytest.mark.parametrize("name", BUILT)
def test_parts_are_closed_and_look_outwards(name: str) -> None:
    for size in list(sizes_of(BUILT[name]))[:3]:
        parts = parts_of(name, **size)
        closed = [part for part in parts if is_closed(part.mesh)]
        assert len(parts) - len(closed) == OPEN.get(name, 0), size
        for part in closed:
            assert volume(part.mesh) > 0, (size, part.material)


@pytest.mark.parametrize("name", BUILT)
def test_every_surface_of_a_class_can_be_painted_in_all_its_colours(name: str) -> None:
    made = BUILT[name]
    points = np.random.default_rng(0).uniform(-1, 1, (50, 3)).astype(np.float32)
    normals = points / np.linalg.norm(points, axis=1, keepdims=True)
    for finish in {made.finish, *made.finishes}:
        for color in made.colors or PALETTE:
            for what in [part.material for part in parts_of(name)]:
                albedo = surface(what, finish, color).texture(points, normals)
                assert albedo.shape == points.shape
                assert ((albedo >= 0) & (albedo <= 1.31)).all(), (finish.texture, color)


@pytest.mark.parametrize("name", BUILT)
def test_what_is_said_about_a_class_is_true(name: str) -> None:
    made = BUILT[name]
    assert made.where in PLACES
    assert set(made.colors) <= set(PALETTE)
    assert all(low < high for low, high in made.sizes.values())
    assert made.sizes or len(made.colors) != 1, "nothing varies"
    assert set(made.also) <= set(BUILT) - {name}
    assert name not in PALETTE, "a class that is called like a colour cannot be asked for"
    assert made.synonyms
    for word in made.synonyms:
        assert word not in CLASSES, f"{word!r} is a class of its own"
        assert re.fullmatch(r"[a-z]+( [a-z]+)*", word)
        assert word.split()[0] not in PALETTE


def test_variants_differ_from_each_other() -> None:
    for name in BUILT:
        first, second, third = (variant(name, number) for number in (0, 1, 2))
        assert second.size != third.size
        assert (first.color, first.size, first.finish) != (second.color, second.size, second.finish)


@pytest.mark.parametrize("texture", ["striped", "checked", "dotted", "metal", "sectors"])
def test_a_patterned_surface_has_more_than_one_tone_and_keeps_its_colour(texture: str) -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(-0.1, 0.1, (4000, 3)).astype(np.float32)
    normals = rng.normal(size=(4000, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    albedo = Finish(texture, grain_m=0.02).material("red").texture(points, normals)
    assert albedo.std(0).max() > 0.02
    assert albedo[:, 0].mean() > 1.3 * albedo[:, 1].mean()


def test_unknown_words_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'gold leaf'"):
        surface("gold leaf", PAINTED, "red")
    with pytest.raises(ValueError, match="'mauve'"):
        PAINTED.material("mauve")
    with pytest.raises(ValueError, match="'velvet'"):
        Finish("velvet").material("red")
    with pytest.raises(ValueError, match="'unicorn'"):
        variant("unicorn", 0)
    assert set(PALE) == set(PALETTE)


def test_new_solids_hold_the_volume_they_should() -> None:
    assert volume(torus(1.0, 0.2, 200, 100)) == pytest.approx(2 * np.pi**2 * 0.04, rel=0.01)
    pillar = loft([(0, 0, 0, 1, 2), (0, 0, 3, 1, 2)], sides=200)
    assert volume(pillar) == pytest.approx(np.pi * 2 * 3, rel=0.01)
    assert volume(loft_x([(0, 5, 1, 2), (3, 5, 1, 2)], 200)) == pytest.approx(np.pi * 6, rel=0.01)
    slab = extruded([(0, 0), (2, 0), (2, 1), (0, 1)], -1, 2)
    assert volume(slab) == pytest.approx(6, rel=1e-6)
    assert slab.vertices[:, 2].min() == -1


def test_lying_lofts_keep_height_and_depth_apart() -> None:
    low, high = (f(loft_x([(0, 5, 1, 2), (3, 5, 1, 2)]).vertices, axis=0) for f in (np.min, np.max))
    np.testing.assert_allclose(low, (0, -1, 3), atol=1e-5)
    np.testing.assert_allclose(high, (3, 1, 7), atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_tubes_of_any_direction_are_sound(axis: int) -> None:
    straight = tube(np.eye(3)[[axis]] * [[0], [1.0]], 0.1, 64)
    assert volume(straight) == pytest.approx(np.pi * 0.01, rel=0.01)
    bent = np.roll([(0, 0, 0), (0, 0, 1), (0, 1, 2), (0.1, 1.2, 3)], axis, axis=1)
    mesh = tube(bent, 0.1)
    assert np.isfinite(mesh.vertices).all()
    assert volume(mesh) > 0


def test_a_football_has_twelve_pentagons_and_five_neighbours_for_each() -> None:
    corners, middles = icosahedron()
    near = np.sort(corners @ middles.T, axis=1)[:, ::-1]
    np.testing.assert_allclose(near[:, :5], near[0, 0], atol=1e-6)
    assert (near[:, 5] < near[:, 4] - 0.1).all()
    texture = Football((0, 0, 0), linear((1, 1, 1)), linear((0, 0, 0)))
    assert texture(corners, corners).max() == 0  # black in the middle of each pentagon
    assert texture(middles, middles).min() == 1


def test_a_drawer_fits_its_cabinet_and_slides_out_of_it() -> None:
    for opening in range(3):
        size, place = drawer_of(0.7, 0.45, 0.9, 3, opening)
        inside = merged([part.mesh for part in drawer(**size)]).vertices + place
        room = cabinet(0.7, 0.45, 0.9, 3, opening)
        back = inside[inside[:, 1] > -0.45 / 2 + 0.02]
        assert np.abs(back[:, 0]).max() < 0.35 - 0.018
        assert back[:, 1].max() < 0.45 / 2 - 0.018
        assert back[:, 2].min() > 0.3 * opening + 0.009
        assert back[:, 2].max() < 0.3 * (opening + 1) - 0.009
        assert sum(part.material == "cap" for part in room) == 2  # knobs of the others
    with pytest.raises(ValueError, match="opening 3"):
        cabinet(drawers=3, opening=3)


def test_racks_say_where_things_stand_on_them() -> None:
    for level in rack_levels(2.4, 3):
        decks = [p.mesh.vertices[:, 2] for p in parts_of("pallet rack") if p.material == "pine"]
        assert any(abs(z - level).min() < 1e-6 for z in decks)


def test_limbs_meet_their_joints() -> None:
    for height in (1.5, 1.9):
        parts = person(height)
        joints = person_joints(height)
        assert {part.link for part in parts} == {"", *joints}
        for link, joint in joints.items():
            limb = merged([part.mesh for part in parts if part.link == link]).vertices
            low, high = limb.min(0) - 1e-6, limb.max(0) + 1e-6
            assert ((low <= joint) & (joint <= high)).all(), link


@pytest.mark.parametrize("height", [1.5, 1.9])
def test_a_walking_person_has_a_foot_on_the_floor_that_does_not_slide(height: float) -> None:
    parts, speed = person(height), person_stride(height) / (2 * np.pi)
    soles = []
    for phase in np.linspace(0, 2 * np.pi, 48, endpoint=False):
        links = walking_links(height, phase)
        lift = walking_lift(height, phase)
        shins = [
            merged([p.mesh for p in parts if p.link == f"{side} shin"]).vertices
            @ links[f"{side} shin"][:3, :3].T
            + links[f"{side} shin"][:3, 3]
            + [speed * phase, 0, lift]
            for side in ("left", "right")
        ]
        lowest = min(float(points[:, 2].min()) for points in shins)
        assert abs(lowest) < 0.02 * height
        assert abs(lift + 0.04 * height) < 0.06 * height
        soles.append(links["left shin"] @ [0, 0, 0, 1] + [speed * phase, 0, lift, 0])
    # While the left leg goes from the front to the back its sole stays nearly where it is.
    standing = np.array(soles)[13:30, 0]
    assert np.ptp(standing) < 0.04 * person_stride(height)
    with_arms = walking_links(height, np.pi / 2)
    assert with_arms["left leg"][0, 2] * with_arms["left arm"][0, 2] < 0  # arms against legs


def test_a_picture_of_a_thing_shows_all_of_it() -> None:
    red = draw(Thing("mug", "red", 0, 0), 48).astype(int)
    mask = red[..., 0] > red[..., 1] + 50
    assert 0.25 < mask.mean() < 0.9
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    assert not border.any()


def test_the_catalogue_is_a_grid_with_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = catalogue(["mug", "door", "window"], variants=2, side_px=24, columns=2)
    assert image.shape == (2 * (24 + 17), 2 * 2 * 24, 3)
    path = f"{tmp_path}/deep/sheet.png"
    monkeypatch.setattr(
        "sys.argv", ["catalogue", "banana", "--out", path, "--side", "32", "--columns", "1"]
    )
    main()
    sheet = cv2.imread(path)
    assert sheet is not None
    assert sheet.shape == (32 + 17, 64, 3)
    monkeypatch.setattr("sys.argv", ["catalogue", "unicorn", "--out", path])
    with pytest.raises(SystemExit):
        main()


def test_materials_resolve_to_materials() -> None:
    for name in BUILT:
        for part in parts_of(name):
            assert isinstance(surface(part.material, PAINTED, "blue"), Material)
