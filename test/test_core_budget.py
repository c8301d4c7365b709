# SPDX-License-Identifier: Apache-2.0
"""The byte budget: what does not fit goes to pages or is forgotten by the rule, and is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from box_world import BoxWorld
from field_places import CAMERA, D, looking, pose, rest_all_but, rows, sorted_rows, two_places
from torch import Tensor

from f4x_ros.core.config import Config
from f4x_ros.core.data import Frustum
from f4x_ros.core.errors import CorruptError
from f4x_ros.core.field import GaussianField, pack, past_columns, present_columns, take_snapshot
from f4x_ros.core.field import field as field_module
from f4x_ros.core.files import PageFolder
from f4x_ros.core.perception import Perception


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
            "field.max_bytes": 157_000,
        }
    )
    perception = Perception(config)
    world, gaussians, forgotten, waiting = BoxWorld(), [], 0, 0
    for index in range(48):
        frame = replace(world(index % 6), stamp_ns=world(0).stamp_ns + index * 100_000_000)
        counts = perception.process(frame).counts
        assert counts["map_bytes"] <= 157_000
        gaussians.append(counts["gaussians"])
        forgotten += counts["forgotten"]
        waiting += counts["waiting"]
    assert forgotten == 0
    assert waiting > 0
    assert gaussians[-1] * perception._memory.field.present.bytes_per_gaussian > 167_000
    assert gaussians[-1] < 1.15 * gaussians[23]
    perception.reset()
