# SPDX-License-Identifier: Apache-2.0
"""What comes in (`Frame`) and what goes out (`Percept`, `QueryResult`) of the one door."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.base.limits import MAX_CAMERA_M
from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.poses import Pose, check_pose
from f4x_ros.core.errors import BadInputError

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
        T_map_camera: [4, 4] float64, optical frame to map, within `MAX_CAMERA_M` of its origin.
            None where the pose is unknown.
        frame_id: name of the optical frame.
        map_frame: name of the fixed frame the pose refers to.
        observed: [H, W] bool, pixels that show something; the others (what undistortion left black,
            what a mask hides) are neither mapped nor compared. None = all.
        camera_name: of the camera, where there are several; "" = the only one.

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
    observed: NDArray[np.bool_] | None = None
    camera_name: str = ""

    def __post_init__(self) -> None:
        if self.stamp_ns < 0:
            raise BadInputError(f"stamp_ns is {self.stamp_ns}, expected >= 0")
        if self.rgb.ndim != 3 or self.rgb.shape[2] != 3 or self.rgb.dtype != np.uint8:
            raise BadInputError(
                f"rgb has shape {self.rgb.shape} and type {self.rgb.dtype}, "
                "expected (H, W, 3) uint8"
            )
        size = (self.camera.height, self.camera.width)
        if self.rgb.shape[:2] != size:
            raise BadInputError(
                f"rgb is {self.rgb.shape[1]}x{self.rgb.shape[0]} but the camera is "
                f"{size[1]}x{size[0]}"
            )
        if self.depth is not None:
            object.__setattr__(self, "depth", _checked_depth(self.depth, size))
        if self.observed is not None:
            object.__setattr__(self, "observed", _checked_mask(self.observed, size))
            if self.depth is not None:
                object.__setattr__(self, "depth", np.where(self.observed, self.depth, 0))
        if self.T_map_camera is not None:
            pose = check_pose("T_map_camera", self.T_map_camera)
            if np.abs(pose[:3, 3]).max() > MAX_CAMERA_M:
                raise BadInputError(
                    f"T_map_camera is at {pose[:3, 3].tolist()} m in '{self.map_frame}', expected "
                    f"within {MAX_CAMERA_M:g} m of its origin, as far as the map's numbers are "
                    "precise (of coordinates of the earth such as UTM, take a local frame)"
                )
            object.__setattr__(self, "T_map_camera", pose)


def _checked_mask(observed: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_] | None:
    if observed.shape != size or observed.dtype != np.bool_:
        raise BadInputError(
            f"observed has shape {observed.shape} and type {observed.dtype}, expected {size} bool"
        )
    return None if observed.all() else observed


def _checked_depth(depth: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    if depth.shape != size:
        raise BadInputError(
            f"depth has shape {depth.shape}, expected {size}: register depth to the colour camera"
        )
    if not np.issubdtype(depth.dtype, np.floating):
        raise BadInputError(f"depth has type {depth.dtype}, expected float32 metres")
    clean = np.where(np.isfinite(depth), depth, 0).astype(np.float32)
    valid = clean[clean != 0]
    if valid.size and valid.min() < 0:
        raise BadInputError(
            f"depth has negative values (minimum {valid.min():.3g} m), expected >= 0"
        )
    if valid.size and (median := float(np.median(valid))) > MAX_PLAUSIBLE_DEPTH_M:
        raise BadInputError(
            f"depth has a median of {median:.4g} m, expected metres below "
            f"{MAX_PLAUSIBLE_DEPTH_M:g}: is it in millimetres?"
        )
    return clean
