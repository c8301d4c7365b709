# SPDX-License-Identifier: Apache-2.0
"""What labels mean is told before the first frame that has them, also where the map names them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 here")

from asked import Asked

from f4x_ros.ros.questions import Labels
from f4x_ros.srv import SetPrompts


class Told:
    """A map with names, and what was published of its labels: stamp in ns, and prompts."""

    def __init__(self, prompts: tuple[str, ...], *, names_itself: bool) -> None:
        self.said: list[tuple[int, list[str]]] = []
        self.map: Any = SimpleNamespace(encoder="embedded", names_itself=names_itself)
        self.name(prompts)
        self.labels = Labels(self.map, SimpleNamespace(publish_labels=self._hear))  # type: ignore[arg-type]

    def name(self, prompts: tuple[str, ...]) -> None:
        self.map.prompts, self.map.thresholds = prompts, (0.5,) * len(prompts)

    def _hear(self, message: Any) -> None:
        stamp = message.header.stamp
        self.said.append((stamp.sec * 10**9 + stamp.nanosec, list(message.prompts)))


def test_names_that_the_map_finds_are_told_with_the_frame_that_has_them_first() -> None:
    told = Told((), names_itself=True)
    for ns, names in ((10, ()), (20, ("cup",)), (30, ("cup",)), (40, ("cup", "car"))):
        told.name(names)
        told.labels.used_at(ns, told.labels.in_force)
    assert told.said == [(0, []), (10, []), (20, ["cup"]), (40, ["cup", "car"])]


def test_prompts_that_were_set_while_a_frame_was_made_wait_for_the_next() -> None:
    told = Told(("cup",), names_itself=False)
    before = told.labels.in_force
    told.name(("sofa",))
    told.labels.restart()
    told.labels.used_at(10, before)
    assert told.said == [(0, ["cup"])]
    told.labels.used_at(20, told.labels.in_force)
    assert told.said[1:] == [(20, ["sofa"])]


def test_the_service_takes_auto_and_says_what_it_means() -> None:
    asked = Asked()
    answer = asked.questions.set_prompts(SetPrompts.Request(prompts=["auto"]))
    assert answer.success
    assert answer.labels.prompts == []
    assert "0 prompts from the next frame on; encoder 'color' is never sure" in answer.message
    refused = asked.questions.set_prompts(SetPrompts.Request(prompts=["auto"], thresholds=[0.3]))
    assert not refused.success
    assert "thresholds" in refused.message
