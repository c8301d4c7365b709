# SPDX-License-Identifier: Apache-2.0
"""A recording through the field: mapped whole, then asked from the cameras of some pictures."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from photo_marks import Marks, Outlines, pictures_of
from photo_names import Named
from photo_scores import Map, Pair, Relevancies
from photo_sheets import Sheets

from f4x_ros.cli.prompts import chosen_prompts
from f4x_ros.core.ask.prompts import relevancy
from f4x_ros.core.config import Config
from f4x_ros.core.data import Frame, Presence, QueryResult
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.perception import Perception
from f4x_ros.io.open import open_source
from f4x_ros.io.rgbd_folder import is_rgbd_folder
from f4x_ros.io.source import Source

_SAID = 20  # frames between two lines of progress


@dataclass(frozen=True)
class FieldAnswers:
    """What the map said.

    Attributes:
        masks: of the answers, as a caller gets them, by picture and word.
        relevancies: drawn from the same cameras, before anything is selected.
        thresholds: with which each answer's mask selects.
        presence: of the whole map, by word; words that are not understood are missing.
        sure: the score of that answer.
    """

    masks: Relevancies
    relevancies: Relevancies
    thresholds: dict[Pair, float]
    presence: dict[str, Presence]
    sure: dict[str, float]

    def selected(self, size: tuple[int, int], outlines: Outlines) -> dict[Pair, NDArray[np.bool_]]:
        """[H, W] of `size` (width, height): the answer's mask, of pairs wanted."""
        out = {}
        for pair in ((picture, word) for picture, words in outlines.items() for word in words):
            mask = self.masks.maps[pair]
            if mask.shape != (size[1], size[0]):
                raise BadInputError(f"masks are {mask.shape}, expected marks of their size: {size}")
            out[pair] = mask >= self.thresholds.get(pair, np.inf)
        return out


def can_be_mapped(folder: Path) -> bool:
    """Whether it is a recording with depth and poses."""
    return is_rgbd_folder(folder) and (folder / "depth").is_dir()


def map_of(
    folder: Path, config: Config, every: int, stored: Path | None
) -> tuple[Perception, dict[str, Any], Named | None]:
    """The map of each N-th frame, or a stored one; what the features took per frame; its names."""
    if stored:
        return Perception.load(stored), {}, None
    with contextlib.redirect_stdout(io.StringIO()):
        prompts = chosen_prompts([], None, None, config.features.extractor)
    perception, source = Perception(config, prompts), open_source(folder)
    named = Named()
    wall, cpu = [], FeaturesCpu(perception)
    for index in range(0, len(source), every):
        percept = perception.process(source[index])
        wall.append(percept.timings_ms.get("features", 0.0))
        if perception.names_itself:
            named.add(percept.prompts)
        if len(wall) % _SAID == 0:
            print(f"{folder.name}: frame {index + 1} of {len(source)}", file=sys.stderr, flush=True)
    return (
        perception,
        {
            "frames": len(wall),
            "gaussians": percept.counts["gaussians"],
            "features_ms": float(np.mean(wall)),
            "features_median_ms": float(np.median(wall)),
            "features_cpu_ms": 1000 * cpu.seconds / len(wall),
            "threads": torch.get_num_threads(),
        },
        named if perception.names_itself else None,
    )


class FeaturesCpu:
    """Processor time of the features, all threads together; wall times of a busy machine lie."""

    def __init__(self, perception: Perception) -> None:
        self.seconds = 0.0
        distiller = perception._memory.distiller
        inner = distiller.observe

        def observe(*args: Any, **kwargs: Any) -> None:
            began = time.process_time()
            inner(*args, **kwargs)
            self.seconds += time.process_time() - began

        distiller.observe = observe  # type: ignore[method-assign]


def asked_of_field(
    perception: Perception, folder: Path, marks: Marks, sheets: Sheets | None = None
) -> FieldAnswers:
    """All words from the cameras of the pictures that have marks, and once of the whole map."""
    refused = perception.misunderstood(marks.words)
    asked = [word for word in marks.words if word not in refused]
    answers = FieldAnswers(Relevancies(marks), Relevancies(marks), {}, {}, {})
    for name, frame in frames_of(folder, marks):
        results = perception.query_all(
            asked, view=frame.T_map_camera, camera=frame.camera, want_cloud=False
        )
        none = [np.zeros((frame.camera.height, frame.camera.width), np.float32)] * len(refused)
        answers.masks.add(name, [*asked, *refused], [one.mask for one in results] + none)
        drawn = drawn_relevancies(perception, asked, frame)
        answers.relevancies.add(name, [*asked, *refused], drawn + none)
        answers.thresholds.update({(name, one.prompt): one.threshold for one in results})
        if sheets:
            sheets.draw(f"field_{name}", name, frame.rgb, answers.masks, answers.thresholds)
            sheets.draw(f"field_relevancy_{name}", name, frame.rgb, answers.relevancies)
    for one in of_whole_map(perception, asked):
        answers.presence[one.prompt], answers.sure[one.prompt] = one.presence, one.score
    return answers


def of_whole_map(perception: Perception, asked: list[str]) -> list[QueryResult]:
    """Is it there? As `f4x query MAP WORD` asks, one answer per word."""
    return [perception.query(word, want_cloud=False) for word in asked]


@torch.no_grad()
def drawn_relevancies(perception: Perception, asked: list[str], frame: Frame) -> list[Map]:
    """Relevancy [H, W] of each word as a frame's camera would see it in the field."""
    asker, memory = perception._asker, perception._memory
    wanted = asker.prompts(asked)
    scene = memory.scene(0, frame.T_map_camera, frame.camera, wanted=wanted)
    scores = relevancy(scene.snapshot, memory.distiller, wanted, asker.min_weight)
    out = scene.snapshot.render(scores, frame.camera, frame.T_map_camera, perception.backend)
    return list((out.image / out.alpha.clamp(min=0.5)[..., None]).permute(2, 0, 1).cpu().numpy())


def frames_of(folder: Path, marks: Marks) -> Iterator[tuple[str, Frame]]:
    """The frames of the pictures that have marks, with their names."""
    source: Source = open_source(folder)
    names = list(pictures_of(folder))
    if len(names) != len(source):
        raise BadInputError(
            f"{folder} has {len(names)} pictures and {len(source)} frames, expected as many"
        )
    for name in marks.boxes:
        if name not in names:
            raise BadInputError(f"{folder} has no picture {name}, which has marks")
        yield name, source[names.index(name)]
