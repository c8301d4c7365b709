# SPDX-License-Identifier: Apache-2.0
"""The node's topics: what is wanted of a frame, and publishing it with that frame's stamp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from f4x_ros.core.data import Cloud, Frame, Outputs, Percept, Prediction, ShownView
from f4x_ros.core.objects import AHEAD_S
from f4x_ros.msg import LabelMap, PredictedTracks, TrackArray
from f4x_ros.ros.conversions import header, tracks_msg
from f4x_ros.ros.images import image_msg, mono8_of_probability
from f4x_ros.ros.markers import TrackMarkers
from f4x_ros.ros.parameters import Settings
from f4x_ros.ros.pointcloud import cloud_msg, point_map_msg
from f4x_ros.ros.predictions import predictions_msg
from f4x_ros.viz.overlay import overlay_percept

_NS = 1_000_000_000
_STREAM = QoSProfile(depth=10)
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_TOPICS: dict[str, tuple[Any, QoSProfile]] = {
    "masks": (Image, _STREAM),
    "moving": (Image, _STREAM),
    "overlay": (Image, _STREAM),
    "tracks": (TrackArray, _STREAM),
    "predictions": (PredictedTracks, _STREAM),
    "markers": (MarkerArray, _STREAM),
    "point_map": (PointCloud2, _STREAM),
    "cloud": (PointCloud2, _LATCHED),
    "map_cloud": (PointCloud2, _LATCHED),
    "labels": (LabelMap, _LATCHED),
}


class RateLimit:
    """At most so many per second of stamps; stamps that jump back start anew."""

    def __init__(self, rate_hz: float) -> None:
        # (a tenth of slack: a camera at 10 Hz is to pass a limit of 10 Hz)
        self._period_ns = 0 if rate_hz == 0 else int(0.9 * _NS / rate_hz)
        self._last: int | None = None

    def due(self, ns: int) -> bool:
        """True if something may be published at this stamp."""
        return self._last is None or ns < self._last or ns - self._last >= self._period_ns

    @property
    def unspent(self) -> bool:
        """True while nothing was published."""
        return self._last is None

    def spend(self, ns: int) -> None:
        """Something was published."""
        self._last = ns


@dataclass(frozen=True)
class Wanted:
    """The topics to publish of one frame."""

    topics: frozenset[str]

    @property
    def outputs(self) -> Outputs:
        """What `Perception` has to compute for them."""
        return Outputs(
            masks=False,  # (one of each prompt: nobody publishes them)
            labels=not self.topics.isdisjoint(("masks", "overlay")),
            cloud="cloud" in self.topics,
            tracks=not self.topics.isdisjoint(("tracks", "predictions", "markers", "overlay")),
            moving="moving" in self.topics,
        )


def _moving_msg(moving: NDArray[np.float32] | None, in_camera: Header) -> Image:
    assert moving is not None  # wanted
    return image_msg(mono8_of_probability(moving), "mono8", in_camera)


class OutputTopics:
    """Publishers of the private topics. Used by the worker's thread only, after construction."""

    def __init__(self, node: Node, settings: Settings) -> None:
        self._node = node
        # Plain publishers: a LifecyclePublisher stays in its node's list for ever. The session is
        # silent while the node is inactive.
        self._publishers: dict[str, Publisher[Any]] = {}
        try:
            for name, (kind, qos) in _TOPICS.items():
                options = QoSOverridingOptions.with_default_policies()
                self._publishers[name] = node.create_publisher(
                    kind, f"~/{name}", qos, qos_overriding_options=options
                )
        except Exception:  # a qos_override that is none
            self.close()
            raise
        self._limits = {
            name: RateLimit(settings[f"{name}.rate_hz"])
            for name in self._publishers
            if name != "labels"
        }
        self._markers = TrackMarkers()
        self._map_frame = str(settings["map_frame"])

    def wanted(self, ns: int) -> Wanted:
        """Topics that have subscribers and whose rate allows another message."""
        return Wanted(
            frozenset(
                name
                for name, limit in self._limits.items()
                if self._publishers[name].get_subscription_count() and limit.due(ns)
            )
        )

    def publish(
        self,
        frame: Frame,
        percept: Percept,
        wanted: Wanted,
        map_cloud: Callable[[], Cloud],
        predictions: Callable[[], Sequence[Prediction]],
        point_map: Callable[[], ShownView],
    ) -> None:
        """Publish what is wanted; everything carries the stamp of the frame.

        If somebody wants them, `map_cloud` makes that of the whole map, `predictions` those of the
        tracks for `AHEAD_S`, and `point_map` the frame's view with velocities.
        """
        in_camera = header(percept.stamp_ns, percept.frame_id)
        in_map = header(percept.stamp_ns, percept.map_frame)
        # Tracks last: whoever has them (the camera's `pace_topic`) knows that all is out.
        make = {
            "masks": lambda: image_msg(percept.labels, "mono16", in_camera),
            "moving": lambda: _moving_msg(percept.moving, in_camera),
            "overlay": lambda: image_msg(overlay_percept(frame.rgb, percept), "rgb8", in_camera),
            "cloud": lambda: cloud_msg(percept.cloud, in_map),
            "map_cloud": lambda: cloud_msg(map_cloud(), in_map),
            "markers": lambda: self._markers.update(
                percept.tracks, percept.prompts, in_map, predictions()
            ),
            "point_map": lambda: point_map_msg(point_map(), in_map),
            "predictions": lambda: predictions_msg(predictions(), AHEAD_S, in_map),
            "tracks": lambda: tracks_msg(percept.tracks, in_map),
        }
        for name, message in make.items():
            if name in wanted.topics:
                self._publishers[name].publish(message())
                self._limits[name].spend(percept.stamp_ns)

    def unserved(self) -> list[str]:
        """Clouds that somebody waits for, and that were never made as nobody listened before."""
        return [
            name
            for name in ("cloud", "map_cloud")
            if self._limits[name].unspent
            and (publisher := self._publishers.get(name))
            and publisher.get_subscription_count()
        ]

    def publish_late(self, name: str, cloud: Cloud, ns: int) -> None:
        """Publish one of them, with the stamp of the last frame."""
        if name in self._publishers:
            self._publishers[name].publish(cloud_msg(cloud, header(ns, self._map_frame)))
            self._limits[name].spend(ns)

    def publish_labels(self, labels: LabelMap) -> None:
        """Publish what the numbers mean, for everyone who comes later, too."""
        self._publishers["labels"].publish(labels)

    def clear_markers(self, ns: int) -> None:
        """Take away what RViz shows."""
        self._publishers["markers"].publish(self._markers.clear(header(ns, self._map_frame)))

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)
        self._publishers = {}
