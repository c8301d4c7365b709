# SPDX-License-Identifier: Apache-2.0
"""When each Gaussian was seen last."""

from __future__ import annotations

from test_core_distil import BACKEND, mapped, seen

from f4x_ros.core.mapping.sighting import note_seen


def test_what_draws_a_view_has_been_seen_at_its_time() -> None:
    present, view = mapped().present, seen(3)
    note_seen(present, view, 0.02, BACKEND)
    assert float((present["seen_s"] == view.time_s).float().mean()) > 0.9


def test_what_is_behind_the_camera_has_not() -> None:
    present, view = mapped().present, seen(3)
    present["means"][:40, 2] -= 10.0
    note_seen(present, view, 0.02, BACKEND)
    assert not bool((present["seen_s"][:40] == view.time_s).any())


def test_what_shines_through_a_surface_has_not() -> None:
    present, view = mapped().present, seen(3)
    present["means"][:40] *= 1.5  # farther along the rays of the camera, which is at the origin
    present["logit_opacities"].fill_(-2.0)  # all surfaces let much through
    note_seen(present, view, 0.02, BACKEND)
    assert not bool((present["seen_s"][:40] == view.time_s).any())
    assert float((present["seen_s"][40:] == view.time_s).float().mean()) > 0.9
