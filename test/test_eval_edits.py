# SPDX-License-Identifier: Apache-2.0
"""The ruler of edits: worlds with the edit made in truth, and numbers from scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_runs import refused
from eval_scene import write_folder

from f4x_ros.eval.protocol.edited import EditScore, numbers_of, psnr_db
from f4x_ros.sim import World
from f4x_ros.sim.changed import ChangedWorld, displaced, doubled, dyed, without


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(96, 72, frames=2, cache=tmp_path_factory.mktemp("worlds"))


def number_of(world: World, name: str) -> int:
    return next(n for n, label in world.labels.items() if label.name == name)


def test_a_world_without_a_thing_shows_what_is_behind_it(world: World) -> None:
    mug, before = number_of(world, "red mug"), world.drawing(1)
    was = before.instances == mug
    after = ChangedWorld(world, without(mug)).drawing(1)
    assert was.sum() > 20
    assert not (after.instances == mug).any()
    assert (after.depth[was] > before.depth[was]).all()
    assert np.array_equal(after.instances[~was], before.instances[~was])


def test_a_thing_is_moved_doubled_and_dyed(world: World) -> None:
    mug, before = number_of(world, "red mug"), world.drawing(1)
    up = np.eye(4)
    up[2, 3] = 0.2
    moved = ChangedWorld(world, displaced(mug, up)).drawing(1).instances == mug
    was = before.instances == mug
    assert np.nonzero(moved)[0].mean() < np.nonzero(was)[0].mean() - 3
    both = ChangedWorld(world, doubled(mug, up)).drawing(1).instances
    assert (both == mug).sum() > 20
    assert (both == len(world.labels) + 1).sum() > 20
    blue = ChangedWorld(world, dyed(mug, "blue")).drawing(1)
    assert np.array_equal(blue.instances, before.instances)
    red, new = before.rgb[was].mean(0), blue.rgb[was].mean(0)
    assert red[0] > red[2] + 50
    assert new[2] > new[0] + 50


def test_numbers() -> None:
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    mask = np.array([[True, False], [False, False]])
    assert psnr_db(black, white, mask) == pytest.approx(0)
    assert psnr_db(black, black, mask) == 60
    told = numbers_of(
        [
            EditScore("w", "mug", "remove", "done", psnr_db=[10, 22, 30], gone=True,
                      is_there="not present", untouched=True, undone=True),
            EditScore("w", "mug", "move", "done", iou=[0.8, 0.6], untouched=True, undone=False),
            EditScore("w", "mug", "recolor", "which"),
        ]
    )  # fmt: skip
    assert (told["asked"], told["done"]) == (3, 2)
    assert told["removed_psnr_db"] == 22
    assert told["removed_at_20_db"] == pytest.approx(2 / 3)
    assert told["moved_iou_at_0.75"] == 0.5
    assert told["undone"] == 0.5
    assert told["recolored_iou"] is None


def test_only_drawn_worlds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "folder", 2)
    said = refused(capsys, "eval", "--edits", str(folder), "--out", str(tmp_path / "out"))
    assert "with --edits, expected a drawn world" in said
