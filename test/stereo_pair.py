# SPDX-License-Identifier: Apache-2.0
"""A drawn stereo pair, and what is wrong with pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bag_messages as bag
import numpy as np

from f4x_ros.core.data import Frame, PinholeCamera
from f4x_ros.io.bag_topics import CAMERA_INFO, IMAGE, TF
from f4x_ros.sim import World
from f4x_ros.sim.mounts import BASELINE_M

FRAMES = 4
LEFT, RIGHT = "left_eye", "right_eye"


class DrawnPair:
    """The left and the right camera of a drawn world, and the true depth of the left one."""

    def __init__(self, cache: Path, scene: str = "tabletop", sensor: str = "exposure") -> None:
        options: dict[str, Any] = {
            "width": 320,
            "frames": FRAMES,
            "scene": scene,
            "sensor": sensor,
            "cache": cache,
        }
        self.left, self.right = World(**options), World(**options, mount="beside")
        self.left.prepare()
        self.right.prepare()

    @property
    def camera(self) -> PinholeCamera:
        return self.left.camera

    def rgb(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.left[index].rgb, self.right[index].rgb

    def frame(self, index: int) -> Frame:
        return self.left[index]

    def true_depth(self, index: int) -> np.ndarray:
        return self.left.truth(index).depth


def pair_info(camera: PinholeCamera, baseline_m: float, stamp: int = 0, frame: str = LEFT) -> Any:
    """Calibration of one of a pair whose pictures are rectified as they come."""
    K = camera.to_opencv_K()
    P = np.hstack([K, [[-camera.fx * baseline_m], [0.0], [0.0]]])
    made = bag.info(stamp, k=K.reshape(-1), p=P.reshape(-1))
    made.width, made.height = camera.width, camera.height
    made.header.frame_id = frame
    return made


def infos(camera: PinholeCamera) -> tuple[Any, Any]:
    return pair_info(camera, 0.0), pair_info(camera, BASELINE_M, frame=RIGHT)


def pair_messages(pair: DrawnPair, *, late_ns: int = 0, swapped: bool = False) -> list[bag.Message]:
    """Messages of a bag: the right pictures are later by `late_ns`; or they are swapped."""
    messages: list[bag.Message] = []
    for index in range(FRAMES):
        frame = pair.frame(index)
        assert frame.T_map_camera is not None
        ns = frame.stamp_ns
        messages.append(("/tf", TF, ns, bag.transform(ns, "map", LEFT, 0.01 * index)))
        pictures = pair.rgb(index)[:: -1 if swapped else 1]
        for side, rgb, at, baseline, eye in (
            ("left", pictures[0], ns, 0.0, LEFT),
            ("right", pictures[1], ns + late_ns, BASELINE_M, RIGHT),
        ):
            info = pair_info(pair.camera, baseline, at, eye)
            messages.append((f"/stereo/{side}/camera_info", CAMERA_INFO, at, info))
            picture = bag.image(at, "rgb8", rgb, eye)
            messages.append((f"/stereo/{side}/image_raw", IMAGE, at, picture))
    return messages
