# SPDX-License-Identifier: Apache-2.0
"""All of `Perception` on a real GPU: it says what the CPU says, and the host seldom waits."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from box_world import CAMERA
from on_device import (
    A_FRAME,
    FRAMES,
    GROUPING,
    MOVING,
    PAST,
    PROMPTS,
    QUESTIONS,
    check_answers,
    check_percepts,
    config,
    elsewhere,
    held_out,
    middle,
)

from f4x_ros.core.data import Percept
from f4x_ros.core.perception import Perception
from f4x_ros.core.render import available_backends

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
with_gsplat = pytest.mark.skipif(
    available_backends()["cuda"] != "ok", reason=available_backends()["cuda"]
)

SENT = 45  # copies to the device in a frame: torch warns of them as of waits
GSPLAT = 1  # number that gsplat itself reads in each picture: of the tiles that Gaussians meet


def run(extractor: str, place: str) -> tuple[Perception, list[Percept]]:
    perception = Perception(config(features__extractor=extractor, render__device=place), PROMPTS)
    return perception, [
        perception.process(MOVING(index), hold_out=held_out(index)) for index in range(FRAMES)
    ]


@pytest.fixture(scope="module", params=["color", "embedded"])
def runs(request: pytest.FixtureRequest) -> list[tuple[Perception, list[Percept]]]:
    """On the GPU, and on the CPU."""
    return [run(request.param, place) for place in ("cuda", "cpu")]


@contextmanager
def waits() -> Iterator[list[str]]:
    """What torch says of each synchronisation."""
    found: list[str] = []
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode(before)
    found += [
        f"{one.filename}:{one.lineno}" for one in caught if "synchronizing" in str(one.message)
    ]


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each picture that gsplat draws."""
    from gsplat import rendering

    drawn, real = [], rendering.rasterization
    monkeypatch.setattr(
        rendering,
        "rasterization",
        lambda *args, **kwargs: (drawn.append(1), real(*args, **kwargs))[1],
    )
    return drawn


def test_the_field_is_on_the_gpu(runs) -> None:
    perception = runs[0][0]
    assert perception.device.type == "cuda"
    for part in perception._memory.field.parts:
        assert all(column.is_cuda for _, column in part.items())


def test_percepts_are_those_of_the_cpu(runs) -> None:
    for have, want in zip(runs[0][1], runs[1][1], strict=True):
        check_percepts(have, want)


@pytest.mark.parametrize("name", QUESTIONS)
def test_answers_are_those_of_the_cpu(name: str, runs) -> None:
    check_answers(*(QUESTIONS[name](perception) for perception, _ in runs))


def test_pictures_marks_and_operators(runs) -> None:
    have, want = (one.render(CAMERA, elsewhere(), PAST) for one, _ in runs)
    assert np.abs(have.depth - want.depth).mean() < 0.02
    places = [middle("red"), middle("green")]
    have, want = (
        one.transfer(objects=places, points={"middle": places[0]}, parts={"all": [places[0]]})
        for one, _ in runs
    )
    assert len(have.targets) == len(want.targets) == 1
    assert (have.part_mask == want.part_mask).mean() > 0.95
    have, want = (one.lift(lambda image: image[:2])[0].cpu() for one, _ in runs)
    assert (have - want).abs().mean() < 0.03


def test_a_map_of_the_gpu_is_loaded_on_either_device(runs, tmp_path: Path) -> None:
    file = tmp_path / "map.f4x"
    runs[0][0].save(file)
    again = Perception.load(file)
    assert again.device.type == "cuda"
    check_answers(again.query("red thing"), runs[0][0].query("red thing"))
    again.process(MOVING(FRAMES))


@with_gsplat
def test_the_host_waits_a_stated_few_times_a_frame(pictures: list[int]) -> None:
    perception = Perception(config(features__extractor="embedded"), PROMPTS)
    every, mapped = perception.config.features.group_every, 0
    for index in range(FRAMES):
        pictures.clear()
        with waits() as found:
            perception.process(MOVING(index), hold_out=held_out(index))
        mapped += not held_out(index)
        most = A_FRAME + SENT + (GROUPING if mapped % every == 0 else 0) + GSPLAT * len(pictures)
        assert len(found) <= most, "\n".join(found)


@with_gsplat
def test_an_optimiser_step_waits_for_gsplat_alone(pictures: list[int]) -> None:
    found = {}
    for steps in (2, 12):
        perception = Perception(
            config(
                features__extractor="color",
                mapping__iterations=steps,
                mapping__keyframe_iterations=0,
            ),
            PROMPTS,
        )
        perception.process(MOVING(0))  # (compiles, and fills caches)
        pictures.clear()
        with waits() as lines:
            perception.process(MOVING(1))
        found[steps] = len(lines), len(pictures)
    more, drawn = (found[12][k] - found[2][k] for k in (0, 1))
    assert drawn == 10
    assert more <= GSPLAT * drawn
