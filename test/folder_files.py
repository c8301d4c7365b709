# SPDX-License-Identifier: Apache-2.0
"""Small pictures and depth in files, as RGB-D folders and TUM sequences hold them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SIZE = (12, 16)  # height, width


def picture(seed: int) -> np.ndarray:
    """Noise [H, W, 3] uint8."""
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)


def depth_units(seed: int) -> np.ndarray:
    """Noise [H, W] uint16, no pixel without a reading."""
    return np.random.default_rng(seed + 99).integers(1, 9000, SIZE).astype(np.uint16)


def write_pair(image: Path, depth: Path, seed: int) -> None:
    """A picture and its depth; makes their folders."""
    image.parent.mkdir(exist_ok=True)
    depth.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(image), picture(seed)[..., ::-1])
    cv2.imwrite(str(depth), depth_units(seed))


def write_rgbd(folder: Path) -> Path:
    """An RGB-D folder of three frames, a metre apart."""
    poses = []
    for k in range(3):
        write_pair(folder / f"images/{k:05d}.png", folder / f"depth/{k:05d}.png", k)
        pose = np.eye(4)
        pose[0, 3] = k
        poses.append(pose.reshape(-1))
    np.savetxt(folder / "poses.txt", poses)
    np.savetxt(folder / "K.txt", [[20.0, 0, 7.5], [0, 21.0, 5.5], [0, 0, 1]])
    return folder
