# SPDX-License-Identifier: Apache-2.0
"""The executable `camera`: publishes a recording, or a drawn world, as RGB-D cameras would."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rclpy.duration import Duration
from rclpy.exceptions import NameValidationException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from f4x_ros.core.data import Frame
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.cameras import check_names
from f4x_ros.msg import TrackArray
from f4x_ros.ros.conversions import camera_info_msg, header, stamp_ns, transform_msg
from f4x_ros.ros.images import image_msg
from f4x_ros.ros.middleware import ignore_interrupts, refused, ros, until_interrupted
from f4x_ros.ros.options import Option, checked, declare, listed, unknown
from f4x_ros.sim import open_source

_ACK_TIMEOUT = Duration(seconds=10)

OPTIONS: tuple[Option, ...] = (
    Option("source", "", "recording to publish: folder, bag, or 'demo', the demo world"),
    Option("cameras", [""], "names of several cameras of the source, e.g. front, left; none = one"),
    Option("rate_hz", 10.0, "frames per second; 0 = as fast as subscribers acknowledge", low=0),
    Option("loop", False, "begin again at the end, until stopped"),
    Option("start", 0, "first frame", low=0),
    Option("count", 0, "number of frames; 0 = to the end", low=0),
    Option("stamps", "original", "those of the recording, or now", choices=("original", "now")),
    Option("publish_tf", True, "publish the camera's pose on /tf, if the source has one"),
    Option("wait_for_subscribers", 0, "begin when each topic has so many subscribers", low=0),
    Option("wait_timeout_s", 60.0, "wait for subscribers no longer than this", low=0),
    Option("pace_topic", "", "TrackArray topic: send a frame when the previous one came back here"),
    Option("pace_timeout_s", 10.0, "wait no longer for a frame to come back", low=0),
)


class CameraNode(Node):
    """Publishes image, camera_info, depth/image and the camera's pose on /tf.

    Of several cameras, the topics of each are under its name: front/image.

    Raises:
        ValueError: a parameter or the source is not as expected.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Keyword arguments are those of `rclpy.node.Node`."""
        super().__init__("camera", **kwargs)
        self._options = self._read_options()
        names = [name for name in self._options["cameras"] if name]
        chosen = {"cameras": check_names(names, "parameter 'cameras'")} if names else {}
        self._source = open_source(self._options["source"], **chosen)
        qos = QoSProfile(depth=10)
        kinds = {"image": Image, "camera_info": CameraInfo, "depth/image": Image}
        self._of = {
            camera: {
                topic: self.create_publisher(kind, f"{camera}/{topic}" if camera else topic, qos)
                for topic, kind in kinds.items()
            }
            for camera in getattr(self._source, "cameras", ("",))
        }
        self._tf = None
        if self._options["publish_tf"]:
            self._tf = self.create_publisher(TFMessage, "/tf", QoSProfile(depth=100))
        self._returned_ns = -1
        self._stopped = False
        if self._options["pace_topic"]:
            self._listen(self._options["pace_topic"])
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def run(self) -> int:
        """Publish everything; return the number of frames."""
        self._wait_for_clock()
        self._wait_for_subscribers()
        sent, begin = 0, time.monotonic()
        indices = self._indices()
        self.get_logger().info(f"publishing {self._source.name}, {self._pace()}")
        for index in indices:
            if self._stopped:
                break
            frame = self._source[index]
            ns = self._publish(frame)
            sent += 1
            self._wait_for_next(ns, begin, sent)
        self._wait_for_delivery()
        self.get_logger().info(f"{sent} frames of {self._source.name} published")
        return sent

    def stop(self) -> None:
        """Let `run` end after the frame at hand; may be called from another thread."""
        self._stopped = True

    def close(self) -> None:
        """Release the source and the node."""
        self._source.close()
        self._executor.shutdown()
        self.destroy_node()

    def _read_options(self) -> dict[str, Any]:
        """The parameters by name; BadInputError for one that is unknown or does not fit."""
        misfits = [text for option in OPTIONS if (text := declare(self, option))]
        if strangers := unknown(self, [option.name for option in OPTIONS]):
            known = ", ".join(option.name for option in OPTIONS)
            misfits.append(f"{'; '.join(strangers)}, expected one of {known}")
        if misfits:
            raise BadInputError("; ".join(misfits))
        given = {o.name: self.get_parameter(o.name).value for o in OPTIONS}
        given["cameras"] = listed(given["cameras"])
        options = {o.name: checked(o, given[o.name]) for o in OPTIONS}
        if not options["source"]:
            raise BadInputError("parameter 'source' is '', expected a folder, a bag or 'demo'")
        return options

    def _listen(self, topic: str) -> None:
        """Hear of the frames that come back."""
        try:
            self.create_subscription(TrackArray, topic, self._on_returned, 10)
        except NameValidationException as error:
            raise BadInputError(
                f"parameter 'pace_topic' is '{topic}', expected the name of a topic ({error})"
            ) from error

    def _indices(self) -> Iterator[int]:
        start, count, length = self._options["start"], self._options["count"], len(self._source)
        if start >= length:
            raise BadInputError(f"parameter 'start' is {start}, expected less than {length} frames")
        stop = min(length, start + count) if count else length
        yield from range(start, stop)
        while self._options["loop"]:
            yield from range(start, stop)

    def _publish(self, frame: Frame) -> int:
        """Publish one frame, its transform first; return its stamp."""
        now = self._options["stamps"] == "now"
        ns = self.get_clock().now().nanoseconds if now else frame.stamp_ns
        head = header(ns, frame.frame_id)
        if frame.T_map_camera is not None and self._tf is not None:
            pose = transform_msg(frame.T_map_camera, ns, frame.map_frame, frame.frame_id)
            self._tf.publish(TFMessage(transforms=[pose]))
        own = self._of[frame.camera_name]
        own["camera_info"].publish(camera_info_msg(frame.camera, head))
        if frame.depth is not None:
            depth = image_msg(frame.depth.astype(np.float32), "32FC1", head)
            own["depth/image"].publish(depth)
        own["image"].publish(image_msg(frame.rgb, "rgb8", head))
        return ns

    def _wait_for_next(self, ns: int, begin: float, sent: int) -> None:
        """Until the next frame is due and nobody is behind."""
        rate_hz, pace_topic = self._options["rate_hz"], self._options["pace_topic"]
        timeout_s = self._options["pace_timeout_s"]
        if pace_topic and not self._spin_until(lambda: self._returned_ns >= ns, timeout_s):
            self.get_logger().warning(
                f"frame {sent} did not come back on '{pace_topic}' within {timeout_s:g} s"
            )
        elif not pace_topic and rate_hz == 0:
            self._wait_for_delivery()
        due = begin + sent / rate_hz if rate_hz else 0.0
        while (left := due - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=min(left, 1.0))

    def _pace(self) -> str:
        """For the log."""
        rate_hz = self._options["rate_hz"]
        pace = f"{rate_hz:g} frames a second" if rate_hz else "as fast as it is received"
        if self._options["pace_topic"]:
            pace = "each frame when the one before came back"
        return f"{pace}, again and again until stopped" if self._options["loop"] else pace

    def _wait_for_clock(self) -> None:
        """Stamps of a clock that does not run would all be 0."""
        if self._options["stamps"] != "now":
            return
        timeout_s = self._options["wait_timeout_s"]
        if not self._spin_until(lambda: self.get_clock().now().nanoseconds > 0, timeout_s):
            raise BadInputError(
                "parameter 'stamps' is 'now' and 'use_sim_time' is true, but nobody published "
                f"/clock within {timeout_s:g} s"
            )

    def _wait_for_subscribers(self) -> None:
        wanted = self._options["wait_for_subscribers"]
        publishers = self._senders()
        pace = self._options["pace_topic"]

        def complete() -> bool:
            return all(p.get_subscription_count() >= wanted for p in publishers) and not (
                pace and self.count_publishers(pace) == 0
            )

        if not self._spin_until(complete, self._options["wait_timeout_s"]):
            found = {p.topic_name: p.get_subscription_count() for p in publishers}
            raise BadInputError(
                f"parameter 'wait_for_subscribers' is {wanted}, but after "
                f"{self._options['wait_timeout_s']:g} s there are {found}"
                + (f" and nobody publishes '{pace}'" if pace else "")
            )

    def _senders(self) -> list[Any]:
        images = [publisher for own in self._of.values() for publisher in own.values()]
        return images if self._tf is None else [self._tf, *images]

    def _wait_for_delivery(self) -> None:
        """Until every subscriber has acknowledged everything."""
        for publisher in self._senders():
            if not publisher.wait_for_all_acked(_ACK_TIMEOUT):
                self.get_logger().warning(
                    f"not everything on '{publisher.topic_name}' was acknowledged"
                )

    def _spin_until(self, condition: Any, timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._executor.spin_once(timeout_sec=min(0.05, left))
        return True

    def _on_returned(self, message: TrackArray) -> None:
        self._returned_ns = stamp_ns(message.header.stamp)


def main(args: Sequence[str] | None = None) -> int:
    """Exit code 0 when all was delivered, 2 with one line when something was not as expected."""
    try:
        with ros(args):
            _publish_all()
    except ValueError as error:
        return refused("camera", error)
    return 0


def _publish_all() -> None:
    node = None
    try:
        with until_interrupted():
            node = CameraNode()
            node.run()
    finally:
        ignore_interrupts()
        if node is not None:
            node.close()


if __name__ == "__main__":
    sys.exit(main())
