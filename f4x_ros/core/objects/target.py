# SPDX-License-Identifier: Apache-2.0
"""What a tracker knows of one object, as a `Track` for the world and as arrays for a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Track, TrackState
from f4x_ros.core.motion import PositionFilter
from f4x_ros.core.objects.turn import UNKNOWN_SPIN_RADPS, UNKNOWN_TURN_RAD, Turn


@dataclass(eq=False)
class Target:
    """What is known of one object."""

    id: int
    label: str
    filter: PositionFilter
    size: NDArray[np.float64]
    score: float
    first_seen_ns: int
    last_seen_ns: int
    hits: int = 0
    displaced: bool = False  # part of it stands where there was nothing a moment ago
    moving: bool = False  # displaced, and fast enough to say so
    left_moving: bool = False  # it moved when it was last seen: it is not where it was
    state: TrackState = TrackState.TENTATIVE
    supported: bool = True  # its Gaussians are in the field
    turn: Turn = field(default_factory=Turn)

    def track(self) -> Track:
        """As the world sees it; arrays are copies."""
        return make_track(
            id=self.id,
            label=self.label,
            score=self.score,
            state=self.state,
            moving=self.moving,
            position=self.filter.position.copy(),
            velocity=self.filter.velocity.copy(),
            covariance=self.filter.covariance,
            size=self.size.copy(),
            turn=self.turn.values,
            first_seen_ns=self.first_seen_ns,
            last_seen_ns=self.last_seen_ns,
        )


def make_track(
    *, covariance: NDArray[np.float64], turn: NDArray[np.float64], **known: Any
) -> Track:
    """A `Track` of what is known of an object.

    Args:
        covariance: [6, 6] of position and velocity.
        turn: [9] see `Turn.values`.
        known: the other fields of a `Track`.
    """
    sigma, spin_sigma = np.exp(turn[7:])
    return Track(
        orientation=turn[:4] / max(float(np.linalg.norm(turn[:4])), 1e-9),
        pose_covariance=_covariance(covariance[:3, :3], min(float(sigma), UNKNOWN_TURN_RAD)),
        angular_velocity=turn[4:7].copy(),
        twist_covariance=_covariance(
            covariance[3:, 3:], min(float(spin_sigma), UNKNOWN_SPIN_RADPS)
        ),
        **known,
    )


def _covariance(linear: NDArray[np.float64], angle_sigma: float) -> NDArray[np.float64]:
    """[6, 6] in the order of ROS: x, y, z, rotations about X, Y, Z."""
    out = np.zeros((6, 6))
    out[:3, :3] = linear
    out[3:, 3:] = angle_sigma**2 * np.eye(3)
    return out


_SCALARS: dict[str, type] = {
    "id": int,
    "label": str,
    "score": float,
    "first_seen_ns": int,
    "last_seen_ns": int,
    "hits": int,
    "displaced": bool,
    "moving": bool,
    "left_moving": bool,
    "supported": bool,
    "state": int,
}

LAYOUT: dict[str, tuple[tuple[int, ...], str]] = {
    **{name: ((), np.dtype(kind).kind) for name, kind in _SCALARS.items()},
    "mean": ((6,), "f"),
    "covariance": ((6, 6), "f"),
    "size": ((3,), "f"),
    "turn": ((9,), "f"),
}
"""Shape of one target's part and kind of its numbers, for each array that `pack` makes."""


def pack(targets: Sequence[Target]) -> dict[str, NDArray[Any]]:
    """Arrays [T, ...] as in `LAYOUT`."""
    count = len(targets)
    scalars: dict[str, NDArray[Any]] = {
        name: np.array([getattr(t, name) for t in targets], dtype=kind)
        for name, kind in _SCALARS.items()
    }
    return {
        **scalars,
        "mean": np.array([t.filter.mean for t in targets]).reshape(count, 6),
        "covariance": np.array([t.filter.covariance for t in targets]).reshape(count, 6, 6),
        "size": np.array([t.size for t in targets]).reshape(count, 3),
        "turn": np.array([t.turn.values for t in targets]).reshape(count, 9),
    }


def unpack(arrays: Mapping[str, NDArray[Any]]) -> list[Target]:
    """The inverse of `pack`; ValueError for a state that does not exist."""
    targets = []
    for row in range(len(arrays["id"])):
        scalars: dict[str, Any] = {name: kind(arrays[name][row]) for name, kind in _SCALARS.items()}
        scalars["state"] = TrackState(scalars["state"])
        position = PositionFilter(np.zeros(3), 1.0)
        position.mean = np.array(arrays["mean"][row], np.float64)
        position.covariance = np.array(arrays["covariance"][row], np.float64)
        size = np.array(arrays["size"][row], np.float64)
        turn = Turn.of_values(np.array(arrays["turn"][row], np.float64))
        targets.append(Target(filter=position, size=size, turn=turn, **scalars))
    return targets
