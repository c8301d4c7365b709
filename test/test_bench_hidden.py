# SPDX-License-Identifier: Apache-2.0
"""The ruler for hidden movers: what it calls the same id, on tracks made up for it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricated import track

from f4x_ros.core.data import Track, TrackState

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import hidden

Seen = list[tuple[float, np.ndarray, tuple[Track, ...]]]


def run(after: int, *, keeps: bool = True, off_m: float = 0.1) -> Seen:
    """In sight with id 1 for 10 frames, hidden for 6, in sight again with another id for 10."""
    frames: Seen = []
    for k in range(26):
        place = np.array([0.1 * k, 0.0, 0.1])
        shown = k < 10 or k >= 16
        own = track(1 if k < 16 else after, "toy car", tuple(place), moving=True)
        if not shown:
            spread = np.diag([(0.05 + 0.02 * (k - 9)) ** 2] * 3 + [1.0] * 3)
            own = replace(
                own, state=TrackState.OCCLUDED, position=place + np.array([0, off_m, 0]),
                pose_covariance=spread,
            )  # fmt: skip
        other = track(7, "cabinet", (5.0, 5.0, 0.5))
        tracks = (own, other) if shown or keeps else (other,)
        frames.append((1.0 if shown else 0.0, place, tracks))
    return frames


def test_the_same_id_before_and_after_is_what_counts() -> None:
    same = hidden.outcome(1, "toy car", False, run(1))
    assert (same.id_before, same.id_after, same.same_id) == (1, 1, True)
    assert same.hidden_s == pytest.approx(6 / hidden.RATE_HZ)
    assert (same.kept_share, same.grew, same.inside_95) == (1.0, True, 1.0)
    assert same.hidden_error_m == pytest.approx(0.1)
    other = hidden.outcome(1, "toy car", False, run(2))
    assert (other.id_before, other.id_after, other.same_id) == (1, 2, False)


def test_a_track_that_is_dropped_or_far_off_meanwhile_shows() -> None:
    dropped = hidden.outcome(1, "toy car", False, run(1, keeps=False))
    assert (dropped.kept_share, dropped.hidden_error_m, dropped.grew) == (0.0, None, None)
    off = hidden.outcome(1, "toy car", False, run(1, off_m=2.0))
    assert off.inside_95 == 0.0
    numbers = hidden.summary([dropped, off, hidden.outcome(1, "toy car", False, run(2))])
    assert numbers["same_id"] == pytest.approx(2 / 3)
    assert numbers["seeds"] == 3


def test_who_had_no_track_has_not_kept_it() -> None:
    nobody = [(share, place, tracks[1:]) for share, place, tracks in run(1)]
    found = hidden.outcome(1, "toy car", False, nobody)
    assert (found.id_before, found.id_after, found.same_id) == (None, None, False)
    with pytest.raises(ValueError, match="never hidden"):
        hidden.outcome(1, "toy car", False, run(1)[:10])


def test_the_mover_of_a_seed_is_hidden_for_about_three_seconds() -> None:
    """By geometry: where the line of sight to its lane passes the cabinet."""
    for seed in range(8000, 8010):
        scene, name, halts = hidden.scene_of(seed)
        made = {one.label.name: one for one in scene.objects}
        mover = made[name]
        cabinet = next(one for one in scene.objects if one.label.cls == "cabinet")
        eye = scene.spec.camera(0.0)[:3, 3]
        back = cabinet.pose(0.0)[1, 3]
        behind = [
            t
            for t in np.arange(0, 7.5, 0.05)
            if abs(eye[0] + (mover.pose(t)[0, 3] - eye[0]) * (back - eye[1])
                   / (mover.pose(t)[1, 3] - eye[1])) < cabinet.label.size[0] / 2
        ]  # fmt: skip
        assert mover.label.size[2] < 0.85  # the camera looks over the cabinet at what is higher
        assert 2.4 < len(behind) * 0.05 < 4.2, (seed, halts)
