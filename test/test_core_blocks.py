# SPDX-License-Identifier: Apache-2.0
"""Blocks: what nobody looks at rests, costs nothing, and comes back as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from box_world import BoxWorld
from field_places import D, looking, pose, rest_all_but, rows, sorted_rows, two_places

from f4x_ros.core.config import Config
from f4x_ros.core.field import field as field_module
from f4x_ros.core.field import take_snapshot
from f4x_ros.core.perception import Perception
from f4x_ros.core.world import map_cloud, recall
from f4x_ros.core.world.map_cloud import relevancy as real

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
