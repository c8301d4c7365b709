# SPDX-License-Identifier: Apache-2.0
"""When each Gaussian was seen last."""

from __future__ import annotations

from test_core_distil import BACKEND, mapped, seen

from f4x_ros.core.mapping.coloring import recolor
from f4x_ros.core.mapping.sighting import drawn_px, note_seen


def test_what_draws_a_view_has_been_seen_at_its_time() -> None:
    present, view = mapped().present, seen(3)
    note_seen(present, view, drawn_px(present, view, BACKEND), 0.02)
    assert float((present["seen_s"] == view.time_s).float().mean()) > 0.9


def test_what_is_behind_the_camera_has_not() -> None:
    present, view = mapped().present, seen(3)
    present["means"][:40, 2] -= 10.0
    note_seen(present, view, drawn_px(present, view, BACKEND), 0.02)
    assert not bool((present["seen_s"][:40] == view.time_s).any())


def test_what_shines_through_a_surface_has_not() -> None:
    present, view = mapped().present, seen(3)
    present["means"][:40] *= 1.5  # farther along the rays of the camera, which is at the origin
    everything = drawn_px(present, view, BACKEND) + 1
    note_seen(present, view, everything, 0.02)
    assert not bool((present["seen_s"][:40] == view.time_s).any())
    assert float((present["seen_s"][40:] == view.time_s).float().mean()) > 0.9


def test_half_the_resolution_counts_the_pixels_of_the_whole() -> None:
    present, view = mapped().present, seen(0)
    half, whole = drawn_px(present, view, BACKEND), recolor(present, view, BACKEND)
    assert float((half.sum() - whole.sum()).abs() / whole.sum()) < 0.05
    assert float(((half > 0.2) == (whole > 0.2)).float().mean()) > 0.95
