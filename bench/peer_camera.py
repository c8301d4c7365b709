# SPDX-License-Identifier: Apache-2.0
"""Camera paths by what pip offers: Open3D's dense SLAM and RGB-D odometry, and KISS-ICP.

Each of them is told where the camera is in the first frame and nothing else.
"""

from __future__ import annotations

from abc import abstractmethod
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peer_subjects import Contestant, Seen

from f4x_ros.core.data.frame import Frame
from f4x_ros.core.data.poses import Pose

MAX_DEPTH_M = 8.0  # rooms
VOXEL_M = 0.01  # of Open3D's volume; its examples take 0.0058 for a desk


class Odometry(Contestant):
    """Integrates the motion from frame to frame; where it fails, the camera is taken to rest."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        super().__init__()
        self._start: Pose | None = None
        self._pose: Pose = np.eye(4)  # in the first frame
        self._failures: list[str] = []

    @abstractmethod
    def first(self, frame: Frame) -> None:
        """The first frame."""

    @abstractmethod
    def move(self, frame: Frame, last: Pose) -> Pose:
        """The camera's pose in the first frame's; RuntimeError if it is lost."""

    def step(self, frame: Frame) -> Seen:
        """Follow the camera."""
        if self._start is None:
            if frame.T_map_camera is None:
                raise ValueError("the first frame has no pose, expected one to start from")
            self._start = frame.T_map_camera
            self.first(frame)
        else:
            try:
                self._pose = rigid(self.move(frame, self._pose))
            except RuntimeError as error:
                self._failures.append(str(error).strip().splitlines()[-1])
        return Seen(frame.stamp_ns, self._start @ self._pose)

    def counts(self) -> dict[str, int | float | None]:
        """How often it was lost."""
        return {"frames_lost": len(self._failures)}


def rigid(pose: NDArray[np.floating]) -> Pose:
    """The nearest rigid transform [4, 4]: products of many rounded ones drift from it."""
    left, _, right = np.linalg.svd(np.asarray(pose[:3, :3], np.float64))
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = left @ right, pose[:3, 3]
    return out


def quiet_open3d() -> Any:
    """Open3D without its notes about buffers that it enlarges."""
    o3d: Any = import_module("open3d")
    o3d.utility.set_verbosity_level(o3d.utility.VerbosityLevel.Error)
    return o3d


class Open3DImages:
    """Frames as Open3D's tensors, on the CPU."""

    def __init__(self, frame: Frame) -> None:
        self.o3d = quiet_open3d()
        self.device = self.o3d.core.Device("CPU:0")
        self.K = self.o3d.core.Tensor(frame.camera.to_opencv_K())  # its pixels' centres are whole

    def depth(self, frame: Frame) -> Any:
        """Image [H, W, 1] float32 metres."""
        if frame.depth is None:
            raise ValueError("a frame has no depth, expected RGB-D")
        return self.o3d.t.geometry.Image(self.o3d.core.Tensor(np.ascontiguousarray(frame.depth)))

    def color(self, frame: Frame) -> Any:
        """Image [H, W, 3] float32 in 0..1."""
        return self.bytes(frame).to(self.o3d.core.float32, False, 1 / 255)

    def bytes(self, frame: Frame) -> Any:
        """Image [H, W, 3] uint8."""
        return self.o3d.t.geometry.Image(self.o3d.core.Tensor(np.ascontiguousarray(frame.rgb)))

    def rgbd(self, frame: Frame) -> Any:
        """Colour and depth."""
        return self.o3d.t.geometry.RGBDImage(self.color(frame), self.depth(frame))


class Open3DOdometry(Odometry):
    """`o3d.t.pipelines.odometry.rgbd_odometry_multi_scale`, hybrid of colour and depth."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        super().__init__()
        self.settings = {
            "method": "Hybrid, 3 scales (10, 5, 3 iterations)",
            "max_depth_m": MAX_DEPTH_M,
        }
        self._last: Any = None

    def first(self, frame: Frame) -> None:
        """Keep it."""
        self._io = Open3DImages(frame)
        self._last = self._io.rgbd(frame)

    def move(self, frame: Frame, last: Pose) -> Pose:
        """Register the frame to the one before."""
        o3d, now = self._io.o3d, self._io.rgbd(frame)
        odometry = o3d.t.pipelines.odometry
        before, self._last = self._last, now
        found = odometry.rgbd_odometry_multi_scale(
            now,
            before,
            self._io.K,
            o3d.core.Tensor(np.eye(4)),
            1.0,
            MAX_DEPTH_M,
            [odometry.OdometryConvergenceCriteria(n) for n in (10, 5, 3)],
            odometry.Method.Hybrid,
        )
        motion: NDArray[np.float64] = found.transformation.numpy()
        return last @ motion


class Open3DSlam(Odometry):
    """`o3d.t.pipelines.slam`: a TSDF volume, and each frame registered to its ray cast."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        super().__init__()
        self.settings = {"voxel_m": VOXEL_M, "max_depth_m": MAX_DEPTH_M}
        self._index = 0

    def first(self, frame: Frame) -> None:
        """Make the volume and put the frame into it."""
        self._io = io = Open3DImages(frame)
        slam, height, width = io.o3d.t.pipelines.slam, frame.camera.height, frame.camera.width
        pose = io.o3d.core.Tensor(np.eye(4))
        self._model = slam.Model(VOXEL_M, 16, 20000, pose, io.device)
        self._input = slam.Frame(height, width, io.K, io.device)
        self._cast = slam.Frame(height, width, io.K, io.device)
        self._show(frame)
        self._integrate(pose)

    def move(self, frame: Frame, last: Pose) -> Pose:
        """Register the frame to the volume's ray cast, then put it into the volume."""
        self._index += 1
        self._show(frame)
        found = self._model.track_frame_to_model(self._input, self._cast, 1.0, MAX_DEPTH_M)
        pose = self._model.get_current_frame_pose() @ found.transformation
        self._integrate(pose)
        moved: NDArray[np.float64] = pose.numpy()
        return moved

    def _show(self, frame: Frame) -> None:
        self._input.set_data_from_image("depth", self._io.depth(frame))
        self._input.set_data_from_image("color", self._io.color(frame))

    def _integrate(self, pose: Any) -> None:
        self._model.update_frame_pose(self._index, pose)
        self._model.integrate(self._input, 1.0, MAX_DEPTH_M)
        self._model.synthesize_model_frame(self._cast, 1.0, 0.1, MAX_DEPTH_M, 8.0, True)


class KissIcp(Odometry):
    """`kiss_icp.kiss_icp.KissICP` on the cloud of each depth image, tuned from a car to a room."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        super().__init__()
        self.settings = {
            "max_range_m": MAX_DEPTH_M,
            "voxel_m": 0.05,
            "initial_threshold_m": 0.2,
            "min_motion_m": 0.01,
            "deskew": False,
        }

    def first(self, frame: Frame) -> None:
        """Start the map."""
        config = import_module("kiss_icp.config").load_config(None)
        config.data.max_range = self.settings["max_range_m"]
        config.data.min_range, config.data.deskew = 0.05, False
        config.mapping.voxel_size = self.settings["voxel_m"]
        config.adaptive_threshold.initial_threshold = self.settings["initial_threshold_m"]
        config.adaptive_threshold.min_motion_th = self.settings["min_motion_m"]
        self._icp = import_module("kiss_icp.kiss_icp").KissICP(config)
        self._register(frame)

    def move(self, frame: Frame, last: Pose) -> Pose:
        """Register the cloud to the map."""
        self._register(frame)
        return np.asarray(self._icp.last_pose, np.float64)

    def _register(self, frame: Frame) -> None:
        if frame.depth is None:
            raise ValueError("a frame has no depth, expected RGB-D")
        cloud = frame.camera.unproject(frame.depth)[frame.depth > 0].astype(np.float64)
        self._icp.register_frame(cloud, np.zeros(0))
