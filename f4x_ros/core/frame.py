# SPDX-License-Identifier: Apache-2.0
"""What comes in (`Frame`) and what goes out (`Percept`, `QueryResult`) of the one door."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.camera import PinholeCamera
from f4x_ros.core.poses import Pose, check_pose

UNLABELLED = 65535
"""Label of pixels that the field does not explain yet."""

MAX_PLAUSIBLE_DEPTH_M = 200.0
"""A median depth beyond this is taken for millimetres passed as metres."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One rectified RGB(-D) image with its camera, pose and time.

    Attributes:
        stamp_ns: ROS time of the exposure, nanoseconds.
        rgb: [H, W, 3] uint8.
        camera: intrinsics of `rgb` (and of `depth`).
        depth: [H, W] float32, metres along the optical axis; 0 = no reading. NaN and infinite
            values are turned into 0 on construction. None for an RGB-only camera.
        T_map_camera: [4, 4] float64, optical frame to map. None where the pose is unknown.
        frame_id: name of the optical frame.
        map_frame: name of the fixed frame the pose refers to.

    Raises:
        ValueError: names the field, the value and what was expected.
    """

    stamp_ns: int
    rgb: NDArray[np.uint8]
    camera: PinholeCamera
    depth: NDArray[np.float32] | None = None
    T_map_camera: Pose | None = None
    frame_id: str = "camera"
    map_frame: str = "map"

    def __post_init__(self) -> None:
        if self.stamp_ns < 0:
            raise ValueError(f"stamp_ns is {self.stamp_ns}, expected >= 0")
        if self.rgb.ndim != 3 or self.rgb.shape[2] != 3 or self.rgb.dtype != np.uint8:
            raise ValueError(
                f"rgb has shape {self.rgb.shape} and type {self.rgb.dtype}, "
                "expected (H, W, 3) uint8"
            )
        size = (self.camera.height, self.camera.width)
        if self.rgb.shape[:2] != size:
            raise ValueError(
                f"rgb is {self.rgb.shape[1]}x{self.rgb.shape[0]} but the camera is "
                f"{size[1]}x{size[0]}"
            )
        if self.depth is not None:
            object.__setattr__(self, "depth", _checked_depth(self.depth, size))
        if self.T_map_camera is not None:
            object.__setattr__(self, "T_map_camera", check_pose("T_map_camera", self.T_map_camera))


def _checked_depth(depth: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    if depth.shape != size:
        raise ValueError(
            f"depth has shape {depth.shape}, expected {size}: register depth to the colour camera"
        )
    if not np.issubdtype(depth.dtype, np.floating):
        raise ValueError(f"depth has type {depth.dtype}, expected float32 metres")
    clean = np.where(np.isfinite(depth), depth, 0).astype(np.float32)
    valid = clean[clean != 0]
    if valid.size and valid.min() < 0:
        raise ValueError(f"depth has negative values (minimum {valid.min():.3g} m), expected >= 0")
    if valid.size and (median := float(np.median(valid))) > MAX_PLAUSIBLE_DEPTH_M:
        raise ValueError(
            f"depth has a median of {median:.4g} m, expected metres below "
            f"{MAX_PLAUSIBLE_DEPTH_M:g}: is it in millimetres?"
        )
    return clean


class TrackState(IntEnum):
    """Life of a track; the values are those of `msg/Track`."""

    TENTATIVE = 0
    CONFIRMED = 1
    OCCLUDED = 2
    LOST = 3


@dataclass(frozen=True, eq=False)
class Track:
    """One object of the field, followed over time. Frames and units as in `msg/Track`.

    `position` [3] is the centre of the object's box, `velocity` [3] its rate, both in the map
    frame (m, m/s). `orientation` [4] is xyzw; covariances [6, 6] are ordered x, y, z, then
    rotations about X, Y, Z, as in ROS. `size` [3] is the box's full extent in metres.
    """

    id: int
    label: str
    score: float
    state: TrackState
    moving: bool
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    pose_covariance: NDArray[np.float64]
    velocity: NDArray[np.float64]
    angular_velocity: NDArray[np.float64]
    twist_covariance: NDArray[np.float64]
    size: NDArray[np.float64]
    first_seen_ns: int
    last_seen_ns: int


@dataclass(frozen=True, eq=False)
class Cloud:
    """Semantic points in the map frame, one per Gaussian."""

    xyz: NDArray[np.float32]  # [N, 3] metres, map frame
    rgb: NDArray[np.uint8]  # [N, 3]
    label: NDArray[np.uint16]  # [N] 0 background, q + 1 prompt q, 65535 unlabelled
    score: NDArray[np.float32]  # [N] of the label's prompt, 0..1
    age: NDArray[np.float32]  # [N] seconds since the point was last observed
    object: NDArray[np.uint32]  # [N] track id, 0 = none

    def __len__(self) -> int:
        return len(self.xyz)

    def where(self, label: int) -> Cloud:
        """The points of one label."""
        rows = self.label == label
        return Cloud(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True)
class Outputs:
    """What a caller wants from `Perception.process`; the rest is not computed."""

    masks: bool = True
    cloud: bool = True
    tracks: bool = True
    moving: bool = True


@dataclass(eq=False)
class Percept:
    """Everything computed from one frame, with that frame's stamp, frame and camera."""

    stamp_ns: int
    frame_id: str
    map_frame: str
    camera: PinholeCamera
    T_map_camera: Pose
    prompts: tuple[str, ...]
    thresholds: tuple[float, ...]
    encoder: str
    masks: NDArray[np.float32] | None  # [Q, H, W] probability per prompt
    labels: NDArray[np.uint16] | None  # [H, W] 0 background, q + 1 prompt q, 65535 unlabelled
    tracks: tuple[Track, ...]
    cloud: Cloud | None
    color: NDArray[np.uint8]  # [H, W, 3] the field seen by the frame's camera
    depth: NDArray[np.float32]  # [H, W] metres, 0 where the field is empty
    alpha: NDArray[np.float32]  # [H, W] 0..1
    moving: NDArray[np.float32] | None = None  # [H, W] probability that it shows what moves now
    timings_ms: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RenderedView:
    """The field seen by a camera."""

    color: NDArray[np.uint8]  # [H, W, 3]
    depth: NDArray[np.float32]  # [H, W] metres, 0 where the field is empty
    alpha: NDArray[np.float32]  # [H, W] 0..1


class Presence(IntEnum):
    """Whether something is there; the values are those of `srv/Query`."""

    NOT_PRESENT = 0
    PRESENT = 1
    UNSURE = 2


@dataclass(frozen=True, eq=False)
class QueryResult:
    """The answer to one question, in the view and at the time it was asked for."""

    prompt: str
    presence: Presence
    score: float  # 0..1 how sure it is there: calibrated, or the relevancy of the best object
    threshold: float  # the one used
    encoder: str
    message: str
    stamp_ns: int
    frame_id: str
    map_frame: str
    camera: PinholeCamera
    T_map_camera: Pose
    mask: NDArray[np.float32]  # [H, W] probability
    cloud: Cloud | None  # the selected points; label is 1
    tracks: tuple[Track, ...]  # best first

    @property
    def present(self) -> bool:
        """Whether it is there for sure."""
        return self.presence is Presence.PRESENT
