# SPDX-License-Identifier: Apache-2.0
"""A red box before a wall, filmed by a camera that moves aside: small enough to map in no time."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from f4x_ros.core.config import Config
from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame

CAMERA = PinholeCamera(64, 48, 60.0, 60.0, 32.0, 24.0)
START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
QUICK = Config.from_dotted(
    {
        "features.extractor": "color",
        "mapping.iterations": 1,
        "mapping.keyframe_iterations": 4,
        "mapping.resolution": 64,
    }
)


def make_frame(index: int) -> Frame:
    """Frame `index`; box at 1.5 m, wall with a pattern at 2 m, 1 cm of motion a frame."""
    pose = np.eye(4)
    pose[0, 3] = 0.01 * index
    rays = CAMERA.pixel_rays()
    at_box, at_wall = rays * 1.5 + pose[:3, 3], rays * 2.0 + pose[:3, 3]
    box = (np.abs(at_box[..., :2]) < 0.25).all(-1)
    depth = np.where(box, 1.5, 2.0).astype(np.float32)
    checks = (np.floor(at_wall[..., 0] * 5) + np.floor(at_wall[..., 1] * 5)) % 2
    rgb = np.where(box[..., None], [210, 20, 20], (110 + 40 * checks)[..., None]).astype(np.uint8)
    return Frame(START_NS + index * STEP_NS, rgb, CAMERA, depth, pose)


def write_folder(folder: Path, count: int) -> Path:
    """The scene as an RGB-D folder."""
    for name in ("images", "depth"):
        (folder / name).mkdir(parents=True)
    poses = []
    for index in range(count):
        frame = make_frame(index)
        assert frame.depth is not None
        assert frame.T_map_camera is not None
        cv2.imwrite(str(folder / "images" / f"{index:03}.png"), frame.rgb[..., ::-1])
        millimetres = (frame.depth * 1000).round().astype(np.uint16)
        cv2.imwrite(str(folder / "depth" / f"{index:03}.png"), millimetres)
        poses.append(frame.T_map_camera.reshape(-1))
    np.savetxt(folder / "poses.txt", poses)
    np.savetxt(folder / "K.txt", CAMERA.to_opencv_K())
    return folder
