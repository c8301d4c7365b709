# SPDX-License-Identifier: Apache-2.0
"""Clicks on the things of a world when the run is over, and how good the masks are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose
from f4x_ros.eval.metrics.clicks import CLICKS, Click, click_through
from f4x_ros.eval.metrics.common import mean_or_none
from f4x_ros.eval.protocol.asides import AsideView, views_aside
from f4x_ros.eval.protocol.frame_scores import VISIBLE_SHARE, least_visible_px
from f4x_ros.eval.protocol.questions import aside_moments, past_indices
from f4x_ros.sim import World, WorldTruth
from f4x_ros.sim.language import ROOM_CLASSES

_PAST_EVERY = 2  # of the moments at which phrases are asked; the last frame is clicked on, too
_ASIDE = 2  # new views


@runtime_checkable
class Clickable(Protocol):
    """A subject that answers clicks."""

    def segment(
        self, clicks: Sequence[Click], stamp_ns: int = 0, view: Pose | None = None
    ) -> NDArray[np.bool_]:
        """Mask [H, W] of the object, at a stamp (0 = now) from ``view`` (None = the camera's)."""


@dataclass(frozen=True, eq=False)
class Clicked:
    """One thing in one view, clicked on.

    Attributes:
        name: colour and class.
        aside: seen from where no camera was.
        rgb: [H, W, 3] the view.
        truth: [H, W] its pixels.
        first: [H, W] what one click selects.
        ious: after each click, 0..1.
    """

    name: str
    aside: bool
    rgb: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    first: NDArray[np.bool_]
    ious: list[float]


def click_numbers(
    world: World, subject: object, aside: Sequence[AsideView]
) -> dict[str, float | int | None]:
    """Mean IoU of all visible things after one click and after three; empty without clicks."""
    if not isinstance(subject, Clickable):
        return {}
    things = click_things(world, subject, aside)
    numbers: dict[str, float | int | None] = {"click_objects": len(things)}
    for count in (1, CLICKS):
        for ending, turned in (("", False), ("_aside", True)):
            ious = [thing.ious[count - 1] for thing in things if thing.aside == turned]
            numbers[f"click_iou_{count}{ending}"] = mean_or_none(ious)
    return numbers


def click_things(
    world: World, subject: Clickable, aside: Sequence[AsideView] | None = None
) -> list[Clicked]:
    """Click on all visible things at moments of the run, now, and from where no camera was.

    Args:
        world: what was seen.
        subject: a finished run.
        aside: `views_aside` of the world, if they are there already.
    """
    last = len(world) - 1
    things = []
    for index in [*past_indices(len(world))[::_PAST_EVERY], last]:
        stamp_ns = 0 if index == last else int(world.stamps_ns[index])
        seen = (world[index].rgb, world.truth(index))
        things += _clicked(world, subject, *seen, stamp_ns, aside=False)
    if aside is None:
        aside = views_aside(world, aside_moments(len(world)))
    for view in aside[:_ASIDE]:
        stamp_ns = int(world.stamps_ns[view.index])
        things += _clicked(world, subject, view.rgb, view.truth, stamp_ns, aside=True)
    return things


def visible_things(world: World, truth: WorldTruth) -> list[int]:
    """Ids of what is visible enough to be clicked on, without floor, walls and ceiling."""
    ids, pixels = np.unique(truth.instances, return_counts=True)
    least = least_visible_px(truth)
    return [
        number
        for number, count in zip(ids.tolist(), pixels.tolist(), strict=True)
        if count >= least
        and number in world.labels
        and world.labels[number].cls not in ROOM_CLASSES
        and truth.visibility.get(number, 0.0) >= VISIBLE_SHARE
    ]


def _clicked(
    world: World,
    subject: Clickable,
    rgb: NDArray[np.uint8],
    truth: WorldTruth,
    stamp_ns: int,
    *,
    aside: bool,
) -> list[Clicked]:
    things = []
    for number in visible_things(world, truth):
        answers: list[NDArray[np.bool_]] = []

        def segment(
            clicks: Sequence[Click], answers: list[NDArray[np.bool_]] = answers
        ) -> NDArray[np.bool_]:
            answers.append(subject.segment(clicks, stamp_ns, truth.T_map_camera))
            return answers[-1]

        mask, label = truth.mask({number}), world.labels[number]
        ious = click_through(mask, segment)
        name = f"{label.color} {label.cls}"
        things.append(Clicked(name, aside, rgb, mask, answers[0], ious))
    return things
