# SPDX-License-Identifier: Apache-2.0
"""Blocks: what nobody looks at rests, costs nothing, and comes back as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from box_world import BoxWorld
from torch import Tensor

from f4x_ros.core.config import Config
from f4x_ros.core.data import Frustum, PinholeCamera, farthest
from f4x_ros.core.errors import CorruptError
from f4x_ros.core.field import GaussianField, pack, past_columns, present_columns, take_snapshot
from f4x_ros.core.field import field as field_module
from f4x_ros.core.files import PageFolder
from f4x_ros.core.perception import Perception
from f4x_ros.core.world import map_cloud, recall
from f4x_ros.core.world.map_cloud import relevancy as real

CAMERA = PinholeCamera(64, 48, 50.0, 50.0, 32.0, 24.0)
D = 8


def pose(x: float = 0.0, y: float = 0.0, z: float = 0.0, turn: float = 0.0) -> np.ndarray:
    """A camera at a place, turned about its y axis (0 looks along z)."""
    T = np.eye(4)
    T[:3, :3] = [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    T[:3, 3] = x, y, z
    return T


def looking(x: float = 0.0, far_m: float = 20.0, turn: float = 0.0) -> Frustum:
    return Frustum(CAMERA, pose(x, turn=turn), far_m)


def rows(count: int, around: tuple[float, float, float], seed: int = 0, **more: Tensor):
    """Gaussians within a metre of a place."""
    g = torch.Generator().manual_seed(seed)
    return {
        "means": torch.rand(count, 3, generator=g) - 0.5 + torch.tensor(around),
        "quats": torch.randn(count, 4, generator=g),
        "log_scales": torch.full((count, 3), -4.0),
        "logit_opacities": torch.full((count,), 2.0),
        "colors": torch.rand(count, 3, generator=g),
        "latents": torch.randn(count, D, generator=g).half(),
        "latent_weights": torch.full((count,), 10.0),
        "seen_s": torch.zeros(count, dtype=torch.float64),
        **more,
    }


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small maps go to rest, too."""
    monkeypatch.setattr(field_module, "_SPARE", 10)
    monkeypatch.setattr(field_module, "_SLACK", 1.5)


def sorted_rows(columns: dict[str, Tensor]) -> dict[str, Tensor]:
    order = np.lexsort(columns["means"].numpy().T)
    return {name: value[torch.from_numpy(order)] for name, value in columns.items()}


def two_places(max_bytes: int = 10**8, **options) -> GaussianField:
    """One thing before the first camera, and one far to its right."""
    field = GaussianField(D, max_bytes, **options)
    field.present.append(rows(200, (0.0, 0.0, 3.0)), rows(300, (100.0, 0.0, 3.0), seed=1))
    dead = torch.zeros(500, dtype=torch.bool)
    dead[180:220] = True
    field.retire(dead, 5.0)
    return field


def rest_all_but(field: GaussianField, *frusta: Frustum) -> None:
    for _ in range(field_module._LOOKS):
        field.focus(frusta)


# --- frusta --------------------------------------------------------------------------------------


def test_a_frustum_meets_every_box_with_a_point_in_view() -> None:
    rng = np.random.default_rng(0)
    frustum = Frustum(CAMERA, pose(1.0, -2.0, 0.5, turn=0.7), 12.0)
    low = rng.uniform(-15, 15, (400, 3))
    high = low + rng.uniform(0, 3, (400, 3))
    met = frustum.meets(low, high)
    T = np.linalg.inv(frustum.T_map_camera)
    for k in range(400):
        inside = rng.uniform(low[k], high[k], (200, 3)) @ T[:3, :3].T + T[:3, 3]
        z = inside[:, 2]
        uv = inside[:, :2] / np.maximum(z, 1e-9)[:, None] * [CAMERA.fx, CAMERA.fy]
        uv += [CAMERA.cx, CAMERA.cy]
        seen = (z > 0) & (z < 12) & (uv >= 0).all(1) & (uv < [CAMERA.width, CAMERA.height]).all(1)
        assert met[k] or not seen.any()
    assert 0.02 < met.mean() < 0.5  # and leaves most of the others out


def test_what_is_behind_or_too_far_is_not_met() -> None:
    box = np.array([[-1.0, -1.0, 5.0]]), np.array([[1.0, 1.0, 6.0]])
    assert looking().meets(*box)
    assert not looking(far_m=4.0).meets(*box)
    assert not looking(turn=np.pi).meets(*box)


def test_a_box_with_a_point_before_the_surface_is_met_and_one_behind_it_is_not() -> None:
    rng = np.random.default_rng(1)
    depth = np.full((48, 64), 6.0, np.float32)
    depth[:, 20:40] = 2.0  # a pillar
    depth[:24, 50:] = 0.0  # a window
    frustum = Frustum(CAMERA, pose(), 12.0, farthest(depth))
    low = rng.uniform((-6, -4, 0.5), (6, 4, 11), (600, 3))
    high = low + rng.uniform(0, 1, (600, 3))
    met = frustum.meets(low, high)
    for k in range(600):
        x, y, z = rng.uniform(low[k], high[k], (200, 3)).T
        u, v = CAMERA.fx * x / z + CAMERA.cx, CAMERA.fy * y / z + CAMERA.cy
        inside = (u >= 0) & (u < 64) & (v >= 0) & (v < 48) & (z < 12)
        surface = np.full(200, np.inf)
        surface[inside] = depth[v[inside].astype(int), u[inside].astype(int)]
        seen = inside & ((z < surface) | (surface == 0))
        assert met[k] or not seen.any()
    assert met.sum() < 0.7 * Frustum(CAMERA, pose(), 12.0).meets(low, high).sum()
    behind = np.array([[-0.3, -0.3, 3.0]]), np.array([[0.1, 0.3, 4.0]])
    assert looking().meets(*behind)
    assert not frustum.meets(*behind)
    assert frustum.meets(np.array([[1.5, -2.0, 9.0]]), np.array([[5.0, -1.0, 10.0]]))  # the window


def test_the_farthest_surface_of_a_tile_is_unknown_where_much_of_it_is() -> None:
    depth = np.ones((48, 64), np.float32)
    depth[0, 0] = 0.0  # one of 4 x 4 pixels: still known
    depth[:2, 4:8] = 0.0
    depth[10, 10] = 3.0
    found = farthest(depth)
    assert found.shape == (12, 16)
    assert found[0, 0] == np.float32(np.inf) or found[0, 0] == 1
    assert np.isinf(found[0, 1])
    assert found[2, 2] == 3
    assert (found[3:] == 1).all()
    odd = farthest(np.full((5, 7), 2.0, np.float32))  # smaller than there are tiles
    assert odd.shape == (5, 7)
    assert (odd == 2).all()


# --- resting and waking --------------------------------------------------------------------------


def test_what_no_camera_may_see_goes_to_rest_and_what_one_may_see_stays(small: None) -> None:
    field = two_places()
    rest_all_but(field, looking())
    assert (field.present["means"][:, 0] < 10).all()
    assert (len(field.present), len(field.past)) == (180, 20)
    assert field.rest.counts == [280, 20]
    assert field.counts == (460, 40)


def test_what_rests_comes_back_as_it_was_but_for_the_first_moment(small: None) -> None:
    field = two_places()
    field.present["adam_m"].fill_(3.0)
    field.present["adam_v"].fill_(2.0)
    field.present["steps"].fill_(7.0)
    before = [sorted_rows(dict(part.items())) for part in field.parts]
    rest_all_but(field, looking())
    field.focus([looking(100.0)])
    assert len(field.rest) == 0
    assert field.rest.nbytes == 0
    for part, old in zip(field.parts, before, strict=True):
        for name, value in sorted_rows(dict(part.items())).items():
            if name != "adam_m":
                assert torch.equal(value, old[name]), name
    far = field.present["means"][:, 0] > 10
    assert (field.present["adam_m"][far] == 0).all()
    assert (field.present["adam_m"][~far] == 3).all()


def test_bytes_are_those_of_all_tensors_wherever_they_are(small: None) -> None:
    field = two_places()
    whole = field.nbytes
    assert whole == 460 * field.present.bytes_per_gaussian + 40 * field.past.bytes_per_gaussian
    rest_all_but(field, looking())
    kept = field.present.bytes_per_gaussian - 14 * 4
    assert field.rest.nbytes == 280 * kept + 20 * field.past.bytes_per_gaussian
    assert sum(one.nbytes for one in field.rest) == field.rest.nbytes


def test_small_maps_never_go_to_rest() -> None:
    field = two_places()
    rest_all_but(field, looking())
    assert len(field.rest) == 0


def test_blocks_that_are_held_or_whose_tracks_are_wanted_stay(small: None) -> None:
    field = two_places()
    held = field.present["means"][:, 0] > 10
    for _ in range(field_module._LOOKS):
        field.focus([looking()], held=held)
    assert len(field.rest) == 0
    field.present["object_ids"][held.nonzero()[:5, 0]] = 4
    rest_all_but(field, looking())
    assert field.rest.objects[4] == 5
    field.focus([looking()], ids=[9])
    assert field.rest.objects[4] == 5
    field.focus([looking()], ids=[4])
    assert (field.present["object_ids"] == 4).sum() == 5
    assert not field.rest.objects


def test_what_moved_into_a_block_at_rest_is_there_when_it_wakes(small: None) -> None:
    field = two_places()
    rest_all_but(field, looking())
    resting = field.rest.counts[0]
    field.present.append(rows(400, (100.0, 0.0, 3.0), seed=5))
    rest_all_but(field, looking())
    assert field.rest.counts[0] == resting + 400
    field.focus([looking(100.0)])
    assert len(field.present) == field.counts[0] == 460 + 400


def test_latents_at_rest_follow_the_code_when_they_wake(small: None) -> None:
    field = two_places()
    far = sorted_rows({n: v[field.present["means"][:, 0] > 10] for n, v in field.present.items()})
    rest_all_but(field, looking())
    g = torch.Generator().manual_seed(3)
    changes = [torch.linalg.qr(torch.randn(D, D, generator=g)).Q for _ in range(3)]
    for change in changes:
        field.recode(change)
    expected = far["latents"].float() @ changes[0] @ changes[1] @ changes[2]
    snapshot = take_snapshot(field)
    seen = snapshot.means[:, 0] > 10
    order = torch.from_numpy(np.lexsort(snapshot.means[seen].numpy().T))
    assert torch.allclose(snapshot.latents[seen][order], expected, atol=0.02)
    field.focus([looking(100.0)])
    woken = field.present["means"][:, 0] > 10
    found = sorted_rows({n: v[woken] for n, v in field.present.items()})
    assert torch.allclose(found["latents"].float(), expected, atol=0.02)


def test_a_snapshot_has_the_blocks_that_are_asked_for_and_the_past_of_then(small: None) -> None:
    field = two_places()
    everything = len(take_snapshot(field))
    rest_all_but(field, looking())
    assert len(take_snapshot(field)) == everything == 460
    assert len(take_snapshot(field, blocks=())) == 180
    codes = field.rest.met_by([looking(100.0)])
    assert len(codes) > 1
    assert len(take_snapshot(field, blocks=codes)) == 460
    assert len(take_snapshot(field, 3.0)) == 500
    assert len(take_snapshot(field, 6.0)) == 460


def test_resting_blocks_cost_a_frame_nothing(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one tensor of a block at rest is touched while nobody looks at it."""
    field = two_places()
    rest_all_but(field, looking())

    def touched(*_: object) -> None:
        raise AssertionError("a block at rest was unpacked")

    monkeypatch.setattr("f4x_ros.core.field.packed.Packed.unpack", touched)
    for _ in range(3 * field_module._LOOKS):
        field.focus([looking()])
        field.retire(torch.zeros(len(field.present), dtype=torch.bool), 1.0)
        field.prune(torch.zeros(len(field.present), dtype=torch.bool))
        field.enforce_budget(10)
        field.recode(torch.eye(D))
        take_snapshot(field, blocks=())
    with pytest.raises(AssertionError):
        field.focus([looking(100.0)])


# --- gists ---------------------------------------------------------------------------------------


def test_the_gist_of_blocks_has_the_means_of_their_pieces(small: None) -> None:
    field = two_places()
    field.present["piece_ids"][:] = 1 + (field.present["colors"][:, 0] > 0.5)
    rest_all_but(field, looking())
    gist, codes = field.rest.gists()
    assert int(gist.counts.sum()) <= 280 + 20
    for block in field.rest:
        packed, _ = field.rest.packed(block)
        own = packed.unpack()
        mine = {float(w) for w in gist.weights[codes == block.code]}
        for piece in (1, 2):
            inside = own["piece_ids"] == piece
            if inside.any():
                assert float(inside.sum() * 10.0) in mine
    assert field.rest.gists()[0] is gist  # kept while nothing changes
    field.recode(2 * torch.eye(D))
    assert torch.allclose(
        field.rest.gists()[0].latents.float(), 2 * gist.latents.float(), atol=0.02
    )


# --- the budget ----------------------------------------------------------------------------------


def test_without_pages_blocks_seen_longest_ago_are_forgotten_their_past_first(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_module, "_LOW_WATER", 1.0)
    field = GaussianField(D, 10**8)
    for place, seen in ((100.0, 1.0), (200.0, 2.0), (300.0, 3.0)):
        when = torch.full((100,), seen, dtype=torch.float64)
        field.present.append(rows(100, (place, 0.0, 3.0), seed=int(seen), seen_s=when))
    field.retire(torch.arange(300) % 10 == 0, 5.0)
    field.present.append(rows(100, (0.0, 0.0, 3.0)))
    rest_all_but(field, looking())
    assert field.rest.counts == [270, 30]
    field.max_bytes = field.nbytes - 1
    assert field.enforce_budget() > 0
    assert field.nbytes <= field.max_bytes
    assert field.rest.counts[1] < 30
    assert field.rest.counts[0] == 270
    field.max_bytes = field.nbytes - 60 * field.rest.nbytes // 270
    forgotten = field.enforce_budget()
    assert field.nbytes <= field.max_bytes
    assert len(field.present) == 100  # what is in view stays
    left = {round(float(one["means"][0, 0]), -2) for one in unpacked(field)}
    assert 300.0 in left
    assert 100.0 not in left or field.rest.counts[0] > 200
    assert field.forgotten >= forgotten > 0


def unpacked(field: GaussianField) -> list[dict[str, Tensor]]:
    return [field.rest.packed(block)[0].unpack() for block in field.rest if block.counts[0]]


def test_with_pages_nothing_is_forgotten_and_all_comes_back(small: None, tmp_path: Path) -> None:
    pages = PageFolder(tmp_path / "new" / "folder")
    field = two_places(pages=pages)
    before = [sorted_rows(dict(part.items())) for part in field.parts]
    rest_all_but(field, looking())
    field.max_bytes = field.nbytes - field.rest.nbytes // 2
    assert field.enforce_budget() == 0
    assert field.nbytes <= field.max_bytes
    assert field.counts == (460, 40)
    assert field.rest.paged_out > 0
    assert len(list(pages.path.glob("*.safetensors"))) == field.rest.paged_out
    assert len(take_snapshot(field)) == 460  # asked about, it is read
    field.max_bytes = 10**8
    field.focus([looking(100.0)])
    assert field.rest.paged_in == field.rest.paged_out
    assert not list(pages.path.glob("*.safetensors"))
    for part, old in zip(field.parts, before, strict=True):
        found = sorted_rows(dict(part.items()))
        assert all(torch.equal(found[n], old[n]) for n in found if n != "adam_m")
    pages.close()
    assert not pages.path.exists()


def test_with_pages_what_is_nearest_is_awake_and_nothing_is_forgotten(
    small: None, tmp_path: Path
) -> None:
    field = GaussianField(D, 10**8, pages=PageFolder(tmp_path))
    places = (3.0, 6.0, 9.0, 12.0, 15.0, 18.0)
    for k, z in enumerate(places):
        field.present.append(rows(300, (0.0, 0.0, z), seed=k, seen_s=torch.full((300,), -float(k))))
    field.retire(torch.arange(1800) % 50 == 0, 5.0)
    whole = sorted_rows(field.whole()[0])
    field.max_bytes = field.nbytes // 2
    for _ in range(3):  # all of it is in view, and only half of it fits
        field.focus([looking()])
        assert field.enforce_budget(reserve=20) == 0
        assert field.nbytes + 20 * field.present.bytes_per_gaussian <= field.max_bytes
    awake = field.present["means"][:, 2]
    assert awake.max() < 12
    assert len(awake) > 500
    assert field.waiting > 3
    assert field.counts == (1764, 36)
    field.focus([Frustum(CAMERA, pose(z=14.0), 20.0)])
    assert field.enforce_budget() == 0
    assert field.present["means"][:, 2].min() > 8
    assert field.waiting == 0
    found = sorted_rows(field.whole()[0])
    assert all(torch.equal(found[name], column) for name, column in whole.items())


def test_tracks_that_are_wanted_come_before_what_is_near(small: None, tmp_path: Path) -> None:
    field = GaussianField(D, 10**8, pages=PageFolder(tmp_path))
    for k, z in enumerate((3.0, 16.0)):
        ids = torch.full((300,), 7 * k, dtype=torch.int32)
        field.present.append(rows(300, (0.0, 0.0, z), seed=k, object_ids=ids))
    field.max_bytes = int(0.7 * field.nbytes)
    field.focus([looking()])
    field.enforce_budget()
    awake = [int((field.present["object_ids"] == one).sum()) for one in (0, 7)]
    assert awake[0] == 300
    assert awake[1] < 150
    field.focus([looking()], ids=[7])
    assert field.enforce_budget() == 0
    awake = [int((field.present["object_ids"] == one).sum()) for one in (0, 7)]
    assert awake[0] < 150
    assert awake[1] == 300


def test_track_ids_are_taken_away_from_what_is_at_rest_and_on_disk(
    small: None, tmp_path: Path
) -> None:
    for pages in (None, PageFolder(tmp_path)):
        field = two_places(pages=pages)
        far = (field.present["means"][:, 0] > 10).nonzero()[:, 0]
        field.present["object_ids"][far[:50]] = 7
        field.present["object_ids"][far[50:80]] = 8
        rest_all_but(field, looking())
        if pages is not None:
            field.max_bytes = field.nbytes - field.rest.nbytes
            field.enforce_budget()
            assert all(block.on_disk for block in field.rest)
        field.replace_ids([7], -1)
        assert field.rest.objects == {8: 30}
        field.max_bytes = 10**8
        field.focus([looking(100.0)])
        ids = field.present["object_ids"]
        assert [(ids == one).sum() for one in (7, 8, -1)] == [0, 30, 50]


def test_a_damaged_page_costs_itself_and_is_counted(
    small: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pages = PageFolder(tmp_path)
    field = two_places(pages=pages)
    rest_all_but(field, looking())
    field.max_bytes = field.nbytes - field.rest.nbytes
    field.enforce_budget()
    files = sorted(pages.path.glob("*.safetensors"))
    assert len(files) > 2
    content = bytearray(files[0].read_bytes())
    content[-1] ^= 0xFF
    files[0].write_bytes(content)
    files[1].write_bytes(files[1].read_bytes()[:-10])
    field.max_bytes = 10**8
    field.focus([looking(100.0)])
    assert field.rest.lost > 0
    assert sum(field.counts) == 500 - field.rest.lost
    assert files[0].name in caplog.text
    assert files[1].name in caplog.text


def test_a_page_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    pages = PageFolder(tmp_path)
    columns = (present_columns(D), past_columns(D))
    field = two_places()
    present, past = (
        pack(dict(part.items()), layout) for part, layout in zip(field.parts, columns, strict=True)
    )
    pages.write(-5, present, past)
    again = pages.read(-5, columns)
    assert torch.equal(again[0].data, present.data)
    assert torch.equal(again[1].data, past.data)
    with pytest.raises(OSError, match="safetensors"):
        pages.read(6, columns)
    with pytest.raises(CorruptError, match=r"has no 'present\.latents2'"):
        pages.read(-5, ({**columns[0], "latents2": columns[0]["latents"]}, columns[1]))


# --- the whole map -------------------------------------------------------------------------------


@pytest.fixture
def walked(small: None) -> Perception:
    """A small world that was left behind, and another one farther on."""
    config = Config.from_dotted(
        {
            "features.extractor": "color",
            "mapping.iterations": 1,
            "mapping.keyframe_iterations": 2,
            "mapping.range_m": 8.0,
        }
    )
    perception = Perception(config, ["red thing"])
    world = BoxWorld()
    for index in range(24):
        frame = world(index % 6)
        away = pose(0.0 if index < 6 else 60.0) @ frame.T_map_camera
        perception.process(
            replace(frame, stamp_ns=world(0).stamp_ns + index * 100_000_000, T_map_camera=away)
        )
    return perception


def test_the_cloud_of_a_frame_is_what_is_in_view_and_that_of_the_map_is_all(
    walked: Perception, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = walked._memory.field.rest
    assert rest.counts[0] > 100
    whole = walked.cloud()
    here = whole.xyz[:, 0] > 30
    assert 0.2 < here.mean() < 0.8
    for side in (here, ~here):
        red = whole.rgb[side][:, 0] > 150
        labels = whole.label[side]
        assert (labels[red] == 1).mean() > 0.5
        assert (labels[~red] == 1).mean() < 0.1

    asked = []
    monkeypatch.setattr(map_cloud, "relevancy", lambda s, *a: asked.append(len(s)) or real(s, *a))
    again = walked.cloud()
    assert np.array_equal(again.label, whole.label)
    assert asked == [len(walked._memory.field.present)]  # nothing that is at rest


def test_a_question_finds_what_is_at_rest(walked: Perception) -> None:
    answer = walked.query("red thing")
    assert answer.present
    places = sorted(round(track.position[0] / 60) for track in answer.tracks)
    assert places == [0, 1]


def test_of_many_blocks_those_are_looked_at_that_promise_most(
    walked: Perception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recall, "_MOST", 2)
    memory = walked._memory
    wanted = walked._asker.prompts(["red thing"])
    codes = recall.promising(memory.field.rest, memory.distiller, wanted, 0.05)
    assert len(codes) == 2 < len(memory.field.rest)
    colors = [memory.field.rest.packed(memory.field.rest[c])[0].unpack()["colors"] for c in codes]
    assert all(((one[:, 0] > 0.6) & (one[:, 1] < 0.3)).any() for one in colors)
    assert walked.query("red thing").present


def test_limits_of_standing_prompts_follow_the_best_of_what_is_at_rest(walked: Perception) -> None:
    memory = walked._memory
    best = memory.best_at_rest(walked._prompts)
    assert best is not None
    assert best.shape == (25, 1)
    assert float(best[0]) > 0.5
    assert memory.best_at_rest(walked._prompts) is best  # kept while nothing changes


def test_a_map_with_blocks_at_rest_is_saved_whole(walked: Perception, tmp_path: Path) -> None:
    walked.save(tmp_path / "map.f4x")
    again = Perception.load(tmp_path / "map.f4x")
    assert again.gaussians == walked.gaussians
    assert len(again.cloud()) == len(walked.cloud())
    ours, theirs = walked.query("red thing"), again.query("red thing")
    assert ours.score == pytest.approx(theirs.score, abs=1e-3)
    walked.export_ply(tmp_path / "map.ply")
    count = walked._memory.field.counts[0]
    assert f"element vertex {count}\n".encode() in (tmp_path / "map.ply").read_bytes()[:300]


def test_frames_of_a_place_left_behind_cost_what_is_in_view(walked: Perception) -> None:
    percept = walked.process(
        replace(
            BoxWorld()(0),
            stamp_ns=walked.stamp_ns + 100_000_000,
            T_map_camera=pose(60.0) @ BoxWorld()(0).T_map_camera,
        )
    )
    assert percept.counts["working_set"] < 0.8 * percept.counts["gaussians"]


def test_with_a_folder_for_pages_the_first_room_is_found_again(small: None, tmp_path: Path) -> None:
    world, made = BoxWorld(), []
    for folder in ("", str(tmp_path)):
        config = Config.from_dotted(
            {
                "features.extractor": "color",
                "mapping.iterations": 1,
                "mapping.keyframe_iterations": 2,
                "mapping.range_m": 8.0,
                "map.dir": folder,
                "field.max_bytes": 260_000,
            }
        )
        perception = Perception(config)
        over = []
        for index in range(72):
            frame = world(index % 6)
            away = pose(60.0 * (index // 12)) @ frame.T_map_camera
            stamp_ns = world(0).stamp_ns + index * 100_000_000
            percept = perception.process(replace(frame, stamp_ns=stamp_ns, T_map_camera=away))
            over.append(percept.counts["map_bytes"] / 260_000)
        assert max(over) <= 1.0
        view = perception.render(world(5).camera, world(5).T_map_camera)
        made.append(float(view.alpha.mean()))
        assert (percept.counts["paged_out"] > 0) == bool(folder)
        perception.reset()
        assert not list(tmp_path.glob("f4x-pages-*/*"))
    assert made[0] < 0.2  # forgotten
    assert made[1] > 0.9


def test_a_view_that_does_not_fit_is_not_mapped_again_and_again(
    small: None, tmp_path: Path
) -> None:
    config = Config.from_dotted(
        {
            "features.extractor": "color",
            "mapping.iterations": 1,
            "mapping.keyframe_iterations": 2,
            "map.dir": str(tmp_path),
            "field.max_bytes": 150_000,
        }
    )
    perception = Perception(config)
    world, gaussians, forgotten, waiting = BoxWorld(), [], 0, 0
    for index in range(48):
        frame = replace(world(index % 6), stamp_ns=world(0).stamp_ns + index * 100_000_000)
        counts = perception.process(frame).counts
        assert counts["map_bytes"] <= 150_000
        gaussians.append(counts["gaussians"])
        forgotten += counts["forgotten"]
        waiting += counts["waiting"]
    assert forgotten == 0
    assert waiting > 0
    assert gaussians[-1] * perception._memory.field.present.bytes_per_gaussian > 160_000
    assert gaussians[-1] < 1.15 * gaussians[23]
    perception.reset()
