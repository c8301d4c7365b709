# SPDX-License-Identifier: Apache-2.0
"""The objects of one frame, true or tracked, as the track metrics take them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError

_UNIT_TOLERANCE = 1e-2  # of a quaternion's length
_SHAPES = {
    "orientations": (4,),
    "velocities": (3,),
    "angular_velocities": (3,),
    "pose_covariances": (6, 6),
    "twist_covariances": (6, 6),
    "sizes": (3,),
}


@dataclass(frozen=True, eq=False)
class ObjectStates:
    """Objects at one instant, all in the map frame. What is None is not scored.

    Attributes:
        stamp_ns: stamp of the frame.
        ids: [N] whole numbers, each once; an object keeps its id from frame to frame.
        positions: [N, 3] centres, metres.
        orientations: [N, 4] unit quaternions xyzw, object to map.
        velocities: [N, 3] of the centres, m/s.
        angular_velocities: [N, 3] rad/s.
        pose_covariances, twist_covariances: [N, 6, 6] of predictions, ordered as in ROS.
        sizes: [N, 3] edges of the boxes, metres, in any order.
        confirmed: [N] bool of predictions: a tracker's tentative ones are not scored. All if None.
        moving: [N] bool of truths: those that move at this instant.
        pixels: [N] of truths: pixels of each in sight.
        classes: [N] whole numbers; objects of different classes never match. Any match if None.

    Raises:
        ValueError: a shape is wrong, an id comes twice, a value is not finite, or a quaternion is
            not of length 1.
    """

    stamp_ns: int
    ids: NDArray[np.integer]
    positions: NDArray[np.floating]
    orientations: NDArray[np.floating] | None = None
    velocities: NDArray[np.floating] | None = None
    angular_velocities: NDArray[np.floating] | None = None
    pose_covariances: NDArray[np.floating] | None = None
    twist_covariances: NDArray[np.floating] | None = None
    sizes: NDArray[np.floating] | None = None
    confirmed: NDArray[np.bool_] | None = None
    moving: NDArray[np.bool_] | None = None
    classes: NDArray[np.integer] | None = None
    pixels: NDArray[np.number] | None = None

    def __post_init__(self) -> None:
        if self.ids.ndim != 1 or not np.issubdtype(self.ids.dtype, np.integer):
            raise BadInputError(f"ids are {self.ids.shape} {self.ids.dtype}, expected [N] integers")
        if len(np.unique(self.ids)) != len(self.ids):
            raise BadInputError(f"ids are {self.ids.tolist()}, expected each once")
        _check_numbers("positions", self.positions, (len(self.ids), 3))
        for name, shape in _SHAPES.items():
            if getattr(self, name) is not None:
                _check_numbers(name, getattr(self, name), (len(self.ids), *shape))
        for name in ("confirmed", "moving", "classes", "pixels"):
            values = getattr(self, name)
            if values is not None and values.shape != self.ids.shape:
                raise BadInputError(f"{name} has shape {values.shape}, expected {self.ids.shape}")
        if self.orientations is not None:
            _check_quaternions(self.orientations)

    def __len__(self) -> int:
        return len(self.ids)

    def kept(self, keep: NDArray[np.bool_]) -> ObjectStates:
        """The objects [N] marked to be kept."""
        changed: dict[str, Any] = {}
        for field in fields(self):
            column = getattr(self, field.name)
            if field.name != "stamp_ns" and column is not None:
                changed[field.name] = column[keep]
        return replace(self, **changed)


def _check_numbers(name: str, values: NDArray[np.floating], shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise BadInputError(f"{name} has shape {values.shape}, expected {shape}")
    if not np.isfinite(values).all():
        raise BadInputError(f"{name} has values that are not finite: {values.tolist()}")


def _check_quaternions(quaternions: NDArray[np.floating]) -> None:
    lengths = np.linalg.norm(quaternions, axis=1)
    if (np.abs(lengths - 1) > _UNIT_TOLERANCE).any():
        raise BadInputError(
            f"orientations have lengths {lengths.tolist()}, expected unit quaternions (xyzw)"
        )
