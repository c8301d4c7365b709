# SPDX-License-Identifier: Apache-2.0
"""All of `Perception` on a device of its own: nothing mixes, and the host seldom waits for it.

The device is pretended, see `pretended_device`, and so is gsplat; all else is what a GPU runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from box_world import CAMERA, START_NS, STEP_NS, BoxWorld, iou, still
from on_device import (
    A_BLOCK,
    A_FRAME,
    A_QUESTION,
    FRAMES,
    GROUPING,
    MOVING,
    PAST,
    PROMPTS,
    QUESTIONS,
    RESTING,
    SEEING,
    check_answers,
    check_percepts,
    config,
    elsewhere,
    held_out,
    middle,
)
from pretended_device import DEVICE, PretendedDevice, PretendedTensor, let_perception_use_it

from f4x_ros.core.config import Config
from f4x_ros.core.data import Frame, Outputs, Percept
from f4x_ros.core.field import field as field_module
from f4x_ros.core.mapping import schedule
from f4x_ros.core.observe.surfaces import farthest_surface, nearest_surface
from f4x_ros.core.perception import Perception


@pytest.fixture(scope="module", autouse=True)
def taken_for_a_gpu() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        let_perception_use_it(patch)
        yield


@pytest.fixture
def device() -> Iterator[PretendedDevice]:
    with PretendedDevice() as made:
        yield made


class Run:
    """A world with a thing that moves, on one of the devices."""

    def __init__(self, extractor: str, place: str) -> None:
        self.waits, self.uploads, self.percepts = [], [], []
        with PretendedDevice() as device:
            self.perception = Perception(
                config(features__extractor=extractor, render__device=place), PROMPTS
            )
            for index in range(FRAMES):
                with device.counted() as (waits, uploads):
                    out = self.perception.process(MOVING(index), hold_out=held_out(index))
                self.percepts.append(out)
                self.waits.append(waits)
                self.uploads.append(uploads)


@pytest.fixture(scope="module", params=["color", "embedded"])
def runs(request: pytest.FixtureRequest) -> tuple[Run, Run]:
    """On the device, and on the CPU."""
    return Run(request.param, "auto"), Run(request.param, "cpu")


@pytest.fixture
def here(runs: tuple[Run, Run], device: PretendedDevice) -> Perception:
    return runs[0].perception


@pytest.fixture
def cpu(runs: tuple[Run, Run]) -> Perception:
    return runs[1].perception


# --- frames --------------------------------------------------------------------------------------


def test_all_that_is_kept_of_gaussians_is_on_the_device(here: Perception) -> None:
    assert (here.device, here.backend) == (DEVICE, "cuda")
    field = here._memory.field
    assert len(field.present) > 100
    assert len(field.past) > 0
    for part in field.parts:
        assert all(isinstance(column, PretendedTensor) for _, column in part.items())


def test_percepts_are_those_of_the_cpu(runs: tuple[Run, Run]) -> None:
    for have, want in zip(*(run.percepts for run in runs), strict=True):
        check_percepts(have, want)


def test_the_host_waits_a_stated_few_times_a_frame(runs: tuple[Run, Run]) -> None:
    every = runs[0].perception.config.features.group_every
    groups = runs[0].perception._memory.distiller.of_things
    mapped = 0
    for index, waits in enumerate(runs[0].waits):
        mapped += not held_out(index)
        most = A_FRAME + (GROUPING if groups and mapped % every == 0 else 0)
        most = SEEING if held_out(index) else most
        assert waits.times <= most, f"frame {index}, expected {most}:\n{waits.table()}"


def test_nothing_is_asked_of_a_device_by_the_cpu(runs: tuple[Run, Run]) -> None:
    assert not any(runs[1].waits)
    assert not any(runs[1].uploads)


@pytest.mark.parametrize("bodies", [False, True])
@pytest.mark.parametrize("extractor", ["color", "embedded"])
def test_an_optimiser_step_neither_waits_nor_sends(
    extractor: str, bodies: bool, device: PretendedDevice
) -> None:
    found = []
    for steps in (2, 12):
        perception = Perception(
            config(
                features__extractor=extractor,
                mapping__iterations=steps,
                mapping__keyframe_iterations=0,
                mapping__bodies=bodies,
            ),
            PROMPTS,
        )
        counts = []
        for index in range(6):
            with device.counted() as (waits, uploads):
                perception.process(MOVING(index))
            assert not waits.within("step"), waits.within("step").table()
            assert not uploads.within("step"), uploads.within("step").table()
            counts.append(waits.within("refine").times)
        found.append(counts)
    if not bodies:  # (what is found to move depends on how well the map is fitted)
        assert found[0] == found[1]
    assert max(max(found)) <= (12 if bodies else 4)


def test_waits_do_not_grow_with_the_prompts(device: PretendedDevice) -> None:
    found = []
    for colors in (["red"], ["red", "blue", "green", "yellow", "black", "white", "orange"]):
        perception = Perception(
            config(features__extractor="color"), [f"{one} thing" for one in colors]
        )
        with device.counted() as (waits, _):
            perception.process(MOVING(0))
        found.append(waits.times)
    assert found[0] == found[1]


def test_what_is_not_asked_for_is_not_waited_for(device: PretendedDevice) -> None:
    perception = Perception(config(features__extractor="color"), PROMPTS)
    perception.process(MOVING(0))
    with device.counted() as (waits, _):
        perception.process(MOVING(1), Outputs(masks=False, cloud=False, moving=False))
    for function in ("result", "semantic_cloud", "moving_mask"):
        assert not waits.within(function)


def test_questions_between_two_steps_are_answered(device: PretendedDevice) -> None:
    perception = Perception(config(features__extractor="color"), PROMPTS)
    for index in range(3):
        perception.process(MOVING(index))
    answers = []
    perception.process(MOVING(3), between=lambda: answers.append(perception.query("red thing")))
    assert len(answers) > 2
    assert all(one.present for one in answers)


def test_surfaces_around_pixels_are_those_of_the_cpu(device: PretendedDevice) -> None:
    depth = torch.rand(40, 50) * 3
    depth[torch.rand(40, 50) < 0.1] = 0
    for surface in (nearest_surface, farthest_surface):
        with device.counted() as (waits, _):
            have = surface(depth.to(DEVICE))
        assert not waits
        assert torch.equal(have.cpu(), surface(depth))
        assert 0 < (have > 0).float().mean() < 1


# --- questions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUESTIONS)
def test_answers_are_those_of_the_cpu(
    name: str, here: Perception, cpu: Perception, device: PretendedDevice
) -> None:
    with device.counted() as (waits, _):
        have = QUESTIONS[name](here)
    assert waits.times <= A_QUESTION, waits.table()
    check_answers(have, QUESTIONS[name](cpu))


def test_several_questions_and_the_evidence_for_them(here: Perception, cpu: Perception) -> None:
    texts = ["red thing", "green thing"]
    for have, want in zip(here.query_all(texts), cpu.query_all(texts), strict=True):
        check_answers(have, want)
    for have, want in zip(here.evidence(texts), cpu.evidence(texts), strict=True):
        assert len(have) == len(want)
        assert np.allclose(have, want, atol=0.3)


def test_pictures_of_now_and_then(here: Perception, cpu: Perception) -> None:
    for stamp_ns in (0, PAST):
        have, want = (one.render(CAMERA, elsewhere(), stamp_ns) for one in (here, cpu))
        assert np.abs(have.depth - want.depth).mean() < 0.02
        assert np.abs(have.color.astype(float) - want.color).mean() < 2


def test_the_cloud_of_the_whole_map_is_that_of_the_cpu(here: Perception, cpu: Perception) -> None:
    have, want = here.cloud(), cpu.cloud()
    assert len(have) == pytest.approx(len(want), rel=0.05)
    for label in (1, 2):
        assert len(have.where(label)) == pytest.approx(len(want.where(label)), rel=0.1, abs=5)


def test_marks_are_carried_from_one_thing_to_another(here: Perception, cpu: Perception) -> None:
    x, y = middle("red")
    results = [
        one.transfer(
            objects=[(x, y), middle("green")],
            points={"middle": (x, y)},
            parts={"left": [(x - 4, y)], "right": [(x + 4, y)]},
        )
        for one in (here, cpu)
    ]
    have, want = results
    assert len(have.targets) == len(want.targets) == 1
    assert (have.part_mask == want.part_mask).mean() > 0.95
    assert have.targets[0].fit == pytest.approx(want.targets[0].fit, abs=0.2)


@pytest.mark.parametrize("quantity", ["value", "depth"])
def test_operators_are_lifted(here: Perception, cpu: Perception, quantity: str) -> None:
    def operator(image: torch.Tensor) -> torch.Tensor:
        return image[:2] + 0.5

    have, want = (
        one.lift(operator, target_view=elsewhere(), quantity=quantity, stamp_ns=PAST)
        for one in (here, cpu)
    )
    assert isinstance(have[0], PretendedTensor)
    for a, b in zip(have, want, strict=True):
        assert (a.cpu() - b).abs().mean() < 0.03


def test_prompts_are_replaced_and_maps_forgotten(device: PretendedDevice) -> None:
    perception = Perception(config(features__extractor="color"), PROMPTS)
    for index in range(3):
        perception.process(MOVING(index))
    perception.set_prompts(["green thing"], [0.3])
    percept = perception.process(MOVING(3))
    assert [one.label for one in percept.tracks] == ["green thing"]
    perception.reset()
    assert perception.gaussians == 0
    assert len(perception.process(MOVING(0)).tracks) == 1


# --- files ---------------------------------------------------------------------------------------


def test_a_map_is_saved_loaded_and_extended(here: Perception, tmp_path: Path) -> None:
    file = tmp_path / "map.f4x"
    here.save(file)
    again = Perception.load(file)
    assert again.device == DEVICE
    for stamp_ns in (0, PAST):
        have, want = (one.query("red thing", stamp_ns=stamp_ns) for one in (again, here))
        assert np.abs(have.mask - want.mask).max() < 1e-5
    assert again.lift(lambda image: image[:1])[0].shape == (1, *CAMERA.shape)  # drawn, no keyframes
    before = again.gaussians
    for index in (FRAMES, FRAMES + 1):
        percept = again.process(MOVING(index))
    assert again.gaussians >= before
    assert iou(percept.labels == 1, MOVING.mask(FRAMES + 1, "red")) > 0.7


def test_files_are_those_of_the_cpu(here: Perception, cpu: Perception, tmp_path: Path) -> None:
    sizes = []
    for one in (here, cpu):
        one.export_ply(tmp_path / "map.ply")
        sizes.append((tmp_path / "map.ply").stat().st_size)
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


# --- blocks --------------------------------------------------------------------------------------

WALK = 12
LONG = BoxWorld({"red": still(-0.4, 0.0, 1.6), "blue": still(5.0, 0.0, 1.5)}, speed_m=0.5)


def there_and_back() -> list[Frame]:
    ahead = [LONG(index) for index in range(WALK)]
    stamps = [START_NS + STEP_NS * index for index in range(WALK, 2 * WALK)]
    return ahead + [replace(f, stamp_ns=s) for f, s in zip(ahead[::-1], stamps, strict=True)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small maps go to rest, too, and soon."""
    monkeypatch.setattr(field_module, "_SPARE", 10)
    monkeypatch.setattr(field_module, "_SLACK", 1.0)
    monkeypatch.setattr(field_module, "_LOOKS", 2)
    monkeypatch.setattr(schedule, "_LATEST", 2)


def walked(
    device: PretendedDevice, options: Config, monkeypatch: pytest.MonkeyPatch
) -> tuple[Perception, list[Percept]]:
    """Walk there and back; the host waits for blocks as often as it may."""
    perception = Perception(options, PROMPTS)
    rest, moved = perception._memory.field.rest, []
    for name in ("_add", "page_out"):
        real = getattr(rest, name)
        monkeypatch.setattr(rest, name, lambda *given, do=real: (moved.append(1), do(*given)))
    percepts = []
    for frame in there_and_back():
        moved.clear()
        with device.counted() as (waits, _):
            percepts.append(perception.process(frame))
        most = A_FRAME + GROUPING + RESTING + A_BLOCK * len(moved)
        assert waits.times <= most, f"{len(moved)} blocks, expected {most}:\n{waits.table()}"
    return perception, percepts


@pytest.mark.parametrize("pages", [False, True])
def test_blocks_go_to_rest_and_to_disk_and_come_back(
    pages: bool,
    small: None,
    device: PretendedDevice,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = config(
        features__extractor="embedded",
        field__block_m=0.5,
        field__max_bytes=190_000 if pages else 10**8,
        map__dir=str(tmp_path) if pages else "",
    )
    perception, percepts = walked(device, options, monkeypatch)
    field = perception._memory.field
    assert len(field.rest) > 10
    assert field.edition > 2  # latents at rest were in another code than those of now
    assert (field.rest.paged_in > 0) == pages
    assert field.rest.lost == 0
    assert np.abs(percepts[-1].depth - LONG(0).depth).mean() < 0.05
    far = perception.query("blue thing", view=LONG(WALK - 1).T_map_camera)
    assert iou(far.mask >= far.threshold, LONG.mask(WALK - 1, "blue")) > 0.5
    with device.counted() as (first, _):
        cloud = perception.cloud()
    with device.counted() as (again, _):
        assert len(perception.cloud()) == len(cloud) > 0
    assert again.times < min(10, first.times)  # what rests is not worked out again
    then = perception.query("red thing", stamp_ns=START_NS + STEP_NS)
    assert then.mask.max() > 0.2
    perception.save(tmp_path / "map.f4x")
    assert Perception.load(tmp_path / "map.f4x").gaussians == perception.gaussians


def test_a_budget_is_kept(
    small: None, device: PretendedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = config(features__extractor="color", field__block_m=0.5, field__max_bytes=100_000)
    perception, percepts = walked(device, options, monkeypatch)
    assert perception._memory.field.forgotten > 0
    assert all(one.counts["map_bytes"] <= 100_000 for one in percepts)
