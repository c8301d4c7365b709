# SPDX-License-Identifier: Apache-2.0
"""A small map that is asked without a middleware, and what an answer has to be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from eval_scene import CAMERA, QUICK, START_NS, make_frame

pytest.importorskip("rclpy", reason="no ROS 2 here")

from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from f4x_ros.core.data import Frame
from f4x_ros.core.perception import Perception
from f4x_ros.ros.asks import Asks
from f4x_ros.ros.camera_poses import CameraPoses
from f4x_ros.ros.conversions import label_map_msg
from f4x_ros.ros.diagnostics import Health
from f4x_ros.ros.edits import Edits
from f4x_ros.ros.markers import TrackMarkers
from f4x_ros.ros.over_time import OverTime
from f4x_ros.ros.questions import Questions
from f4x_ros.ros.transform_buffer import TransformUnavailableError
from f4x_ros.viz.overlay import overlay_percept

PLANT = "\U0001fab4"


class NoTransforms:
    def lookup(self, parent: str, child: str, ns: int, *, waited_s: float = 0.0) -> None:
        raise TransformUnavailableError(f"no transform from '{child}' to '{parent}'")


class Asked:
    """A small map and all that answers from it, without a middleware between."""

    def __init__(self) -> None:
        self.perception = Perception(QUICK, ["red thing"])
        self.stamp = 0
        self.markers = TrackMarkers()
        poses: Any = SimpleNamespace(_map_frame="map", transforms=NoTransforms())
        poses.view = lambda view: CameraPoses.view(poses, view)
        labels: Any = SimpleNamespace(
            message=self.labels, restart=lambda: None, publish=self.labels
        )
        complaints: Any = SimpleNamespace(bad_input=lambda kind, counter, text: None)
        self.questions = Questions(self.perception, poses, labels, Health(), complaints)
        self.over_time = OverTime(self.perception, poses, Health())
        self.asks = Asks(self.perception, Health())
        self.edits = Edits(self.perception, Health())
        for _ in range(3):
            self.see()

    def labels(self) -> Any:
        p = self.perception
        return label_map_msg(p.prompts, p.thresholds, p.encoder, 0)

    def see(self) -> None:
        """A frame, and all that is published of it."""
        made = make_frame(self.stamp % 20)
        frame = Frame(
            START_NS + self.stamp * 1_000_000, made.rgb, CAMERA, made.depth, made.T_map_camera
        )
        self.stamp += 1
        percept = self.perception.process(frame)
        assert percept.labels is not None
        overlay_percept(frame.rgb, percept)
        serialize_message(self.markers.update(percept.tracks, percept.prompts, Header()))
        serialize_message(self.labels())


def check_refused(answer: Any) -> None:
    """A refusal is one line of bounded length, and nothing else is in the answer."""
    assert answer.message.strip()
    assert "\n" not in answer.message
    assert len(answer.message) < 1500
    assert answer.message.isprintable()


def raw(answer: Any) -> np.ndarray:
    shape = (answer.mask.height, answer.mask.width)
    return np.frombuffer(answer.mask.data, "<f4").reshape(shape)


def decoded(answer: Any) -> np.ndarray:
    data = np.frombuffer(answer.mask_png.data, np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED)) / 255
