# SPDX-License-Identifier: Apache-2.0
"""Geometry by Open3D's TSDF volume, at the same given poses as ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from peer_camera import MAX_DEPTH_M, VOXEL_M, Open3DImages, quiet_open3d
from peer_subjects import Contestant, Seen

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.data.percept import RenderedView
from f4x_ros.core.data.poses import Pose
from f4x_ros.eval.subjects.subject import is_held_out

_TRUNCATION = 8.0  # voxels, Open3D's default
_BLOCKS = 4000  # room for so many at first; the map grows by itself
_BLOCK = 16  # voxels along an edge
_MIN_WEIGHT = 3.0  # Open3D's default: a surface has been seen in three frames


class Open3DTsdf(Contestant):
    """`o3d.t.geometry.VoxelBlockGrid`; as ours it does not integrate the held-out frames."""

    def __init__(self) -> None:
        """Make an empty volume."""
        super().__init__()
        self.settings = {
            "voxel_m": VOXEL_M,
            "max_depth_m": MAX_DEPTH_M,
            "truncation_voxels": _TRUNCATION,
            "min_weight": _MIN_WEIGHT,
        }
        self._o3d: Any = quiet_open3d()
        core = self._o3d.core
        self._grid = self._o3d.t.geometry.VoxelBlockGrid(
            ("tsdf", "weight", "color"), (core.float32, core.uint16, core.uint16), ((1), (1), (3)),
            VOXEL_M, _BLOCK, _BLOCKS, core.Device("CPU:0"),
        )  # fmt: skip
        self._frames = 0

    def step(self, frame: Frame) -> Seen:
        """Integrate the frame at its given pose."""
        if frame.T_map_camera is None:
            raise ValueError("a frame has no pose, expected one")
        held_out = is_held_out(self._frames)
        self._frames += 1
        if not held_out:
            io = Open3DImages(frame)
            extrinsic = self._o3d.core.Tensor(np.linalg.inv(frame.T_map_camera))
            depth = io.depth(frame)
            scale = (1.0, MAX_DEPTH_M, _TRUNCATION)
            blocks = self._grid.compute_unique_block_coordinates(depth, io.K, extrinsic, *scale)
            self._grid.integrate(blocks, depth, io.color(frame), io.K, extrinsic, *scale)
        return Seen(frame.stamp_ns, frame.T_map_camera, counts={"map_bytes": self._nbytes()})

    def _nbytes(self) -> int:
        """Bytes of the voxels in use (Open3D reserves more)."""
        blocks = int(self._grid.hashmap().size())
        voxel: int = sum(
            tensor.shape[-1] * tensor.dtype.byte_size()
            for name in ("tsdf", "weight", "color")
            for tensor in (self._grid.attribute(name),)
        )
        return blocks * _BLOCK**3 * voxel

    def render(self, camera: PinholeCamera, T_map_camera: Pose, stamp_ns: int) -> RenderedView:
        """Ray cast of the volume; it has no past."""
        core = self._o3d.core
        K, extrinsic = core.Tensor(camera.to_opencv_K()), core.Tensor(np.linalg.inv(T_map_camera))
        cast = self._grid.ray_cast(
            self._in_front(T_map_camera), K, extrinsic, camera.width, camera.height,
            ["depth", "color"], 1.0, 0.1, MAX_DEPTH_M, _MIN_WEIGHT, _TRUNCATION, 8,
        )  # fmt: skip
        depth = cast["depth"].numpy()[..., 0]
        color = np.clip(cast["color"].numpy() * 255 + 0.5, 0, 255).astype(np.uint8)
        return RenderedView(color, depth, (depth > 0).astype(np.float32))

    def _in_front(self, T_map_camera: Pose) -> Any:
        """Blocks [B, 3] in front of a camera.

        With one across the camera's plane, Open3D 0.20 may march along a ray for ever.
        """
        hashmap, edge_m = self._grid.hashmap(), VOXEL_M * _BLOCK
        keys = hashmap.key_tensor()[hashmap.active_buf_indices().to(self._o3d.core.int64)]
        centers = (keys.numpy() + 0.5) * edge_m
        z = (centers - T_map_camera[:3, 3]) @ T_map_camera[:3, 2]
        return keys[self._o3d.core.Tensor(z > edge_m)]

    def cloud(self) -> NDArray[np.float32]:
        """Points of the surface."""
        points: NDArray[np.float32] = (
            self._grid.extract_point_cloud(_MIN_WEIGHT).point["positions"].numpy()
        )
        return points

    def counts(self) -> dict[str, int | float | None]:
        """Size of the volume."""
        return {"map_bytes": self._nbytes(), "cloud_points": len(self.cloud())}
