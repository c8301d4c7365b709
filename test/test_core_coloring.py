# SPDX-License-Identifier: Apache-2.0
"""Colours that a new view asks for."""

from __future__ import annotations

import pytest
import torch
from test_core_steps import a_field, a_view

from f4x_ros.core.field import GaussianSet
from f4x_ros.core.mapping.coloring import recolor
from f4x_ros.core.observe import View, apply
from f4x_ros.core.render import available_backends, render

BACKENDS = [name for name in ("cpu", "padded") if available_backends()[name] == "ok"]


def error(present: GaussianSet, view: View) -> float:
    """Mean square of what is left between the view and the field's picture of it."""
    shape = (present["means"], present["quats"], present.scales, present.opacities)
    out = render(*shape, present["colors"], view.viewmat, view.K, *view.size)
    return float((apply(view.exposure.values, out.image, out.alpha) - view.rgb).square().mean())


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_round_brings_the_picture_closer_to_the_view(backend: str) -> None:
    present, view = a_field().present, a_view()
    errors = [error(present, view)]
    for _ in range(4):
        recolor(present, view, backend)
        errors.append(error(present, view))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.8 * errors[0]


def test_what_was_refined_before_moves_a_fifth_as_far_as_what_is_new() -> None:
    view = a_view()
    moved = []
    for steps in (0.0, 30.0):
        present = a_field().present
        before = present["colors"].clone()
        present["steps"].fill_(steps)
        recolor(present, view, BACKENDS[0])
        moved.append(present["colors"] - before)
    new, known = moved
    assert torch.allclose(known, new / 5, atol=1e-6)
    assert float(new.abs().max()) > 0.05


def test_what_the_view_does_not_show_keeps_its_colour() -> None:
    present, view = a_field().present, a_view()
    before = present["colors"].clone()
    recolor(present, view, BACKENDS[0])
    beside = present["means"][:, 0] > 40
    assert bool(beside.any())
    assert torch.equal(present["colors"][beside], before[beside])
