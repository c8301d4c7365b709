# SPDX-License-Identifier: Apache-2.0
"""Drawn frames are kept, shared and never trusted when damaged."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from f4x_ros.sim import World, open_source
from f4x_ros.sim import cache as cache_module
from f4x_ros.sim.__main__ import main


def small(cache: Path, **options: int) -> World:
    return World(**{"width": 48, "frames": 3, **options}, cache=cache)


def bytes_of(world: World) -> list[bytes]:
    return [b"".join(np.ascontiguousarray(a) for a in world.drawing(i)) for i in range(len(world))]


def test_same_seed_gives_same_bytes_whatever_the_number_of_workers(tmp_path: Path) -> None:
    here = small(tmp_path / "here")
    by_one, by_two = small(tmp_path / "one"), small(tmp_path / "two")
    ticks: list[tuple[int, int]] = []
    by_one.prepare(workers=1)
    by_two.prepare(workers=2, progress=lambda done, total: ticks.append((done, total)))
    assert by_one.missing() == by_two.missing() == []
    assert bytes_of(by_one) == bytes_of(by_two) == bytes_of(here)
    assert ticks[-1] == (3, 3)


def test_another_seed_gives_another_picture_and_another_folder(tmp_path: Path) -> None:
    one, other = small(tmp_path), small(tmp_path, seed=1)
    assert one.cache.folder != other.cache.folder
    assert not np.array_equal(one[0].rgb, other[0].rgb)


def test_a_longer_world_begins_with_the_frames_of_a_shorter_one(tmp_path: Path) -> None:
    short = small(tmp_path)
    short.drawing(0)
    assert small(tmp_path, frames=9).missing() == list(range(1, 9))


def test_frames_are_read_back_and_not_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = small(tmp_path)[1]
    again = small(tmp_path)
    monkeypatch.setattr("f4x_ros.sim.dataset.Raycaster.draw", lambda *_: pytest.fail("drawn again"))
    assert np.array_equal(again[1].rgb, first.rgb)


@pytest.mark.parametrize("damage", ["cut", "flipped bit", "empty", "wrong size"])
def test_a_damaged_frame_is_named_and_drawn_again(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = small(tmp_path)
    good = world.drawing(0)
    path = world.cache.path(0)
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "flipped bit":
        data[1000] ^= 4
        path.write_bytes(data)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        np.savez(path, **{k: v[:10] for k, v in good._asdict().items()})
    with caplog.at_level(logging.WARNING):
        again = world.drawing(0)
    assert path.name in caplog.text
    assert all(np.array_equal(a, b) for a, b in zip(good, again, strict=True))
    assert world.cache.get(0) is not None


def test_nothing_half_written_is_left_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small(tmp_path)
    drawing = world.drawing(0)

    def full(file: object, **_arrays: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module.np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        world.cache.put(1, drawing)
    assert sorted(p.name for p in world.cache.folder.iterdir()) == [
        "frame_000000.npz",
        "world.json",
    ]


def test_key_changes_with_the_generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = small(tmp_path).cache.folder
    monkeypatch.setattr(cache_module, "generator_version", lambda: "another")
    assert small(tmp_path).cache.folder != before


def test_cache_lies_under_the_xdg_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert open_source("demo").cache.folder.parent == tmp_path / "f4x_ros" / "worlds"  # type: ignore[attr-defined]
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_module.cache_root() == tmp_path / "home" / ".cache" / "f4x_ros" / "worlds"


def test_the_module_draws_times_and_makes_the_contact_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sheet = tmp_path / "img" / "sheet.png"
    monkeypatch.setattr(sys, "argv", ["world", "demo:64x48:4", "--sheet", str(sheet)])
    main()
    assert "demo:64x48:4: drew 4 of 4 frames in " in capsys.readouterr().out
    assert cv2.imread(str(sheet)).shape == (3 * 48, 4 * 64, 3)
    monkeypatch.setattr(sys, "argv", ["world", "nowhere"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "source 'nowhere'" in capsys.readouterr().err


def test_a_failing_worker_is_an_error_with_its_words(tmp_path: Path) -> None:
    world = small(tmp_path / "worlds")
    world.parameters = lambda: {"width": -1}  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="width is -1"):
        world.prepare(workers=1)


def test_frames_that_workers_put_elsewhere_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a change of the code that draws, between opening a world and drawing it."""
    monkeypatch.setattr(cache_module, "generator_version", lambda: "as it was")
    world = small(tmp_path)
    with pytest.raises(RuntimeError, match="left out 3 of 3 frames"):
        world.prepare(workers=1)
