# SPDX-License-Identifier: Apache-2.0
"""The node as a subject of evaluation: everything through topics and services."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.cli.node_processes import (
    REPORT_S,
    SILENCE_S,
    START_S,
    own_domain,
    start_camera,
    start_node,
    wait_until_active,
)
from f4x_ros.core.errors import BadInputError
from f4x_ros.eval.metrics.clicks import CLICK_LEVEL, Click, as_arguments
from f4x_ros.eval.subjects.report import Report, read_report
from f4x_ros.eval.subjects.subject import HOLDOUT_EVERY, Answer

if TYPE_CHECKING:
    from f4x_ros.cli.processes import Child
    from f4x_ros.core.config import Config
    from f4x_ros.core.data import Frame, PinholeCamera, Pose, Track
    from f4x_ros.io.source import Source
    from f4x_ros.ros.client import PerceptionClient


@dataclass(frozen=True, eq=False)
class Published:
    """What the node published with one stamp; see `f4x_ros.eval.subjects.subject.Observed`."""

    stamp_ns: int
    T_map_camera: None
    prompts: tuple[str, ...]
    labels: NDArray[np.uint16] | None
    tracks: tuple[Track, ...]
    moving: NDArray[np.float32]
    color: None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


class NodeSubject:
    """The perception node and a camera, two processes on a ROS domain of their own.

    Use it in a `with` statement. The node is not asked for rendered colour, so there are no numbers
    about new views; held-out frames are measured by the node itself.

    Args:
        spec: source that the camera publishes, as `open_source` takes it.
        source: the same, opened.
        config: options of the node.
        out_dir: results and logs.

    Raises:
        UnsupportedError: ROS 2 is missing.
        CommandError: a process failed; has the end of its log.
    """

    def __init__(self, spec: str, source: Source, config: Config, out_dir: Path) -> None:
        self._spec, self._config, self._out = spec, config, out_dir
        self._source = source
        self._prompts: tuple[str, ...] = ()
        self._map_frame = "map"
        self._open = ExitStack()
        self._came = threading.Condition()
        self._messages: dict[str, dict[int, Any]] = {"masks": {}, "moving": {}, "tracks": {}}
        self._cloud: Any = None
        self.encoder = config.features.extractor
        self.finds_pose = False  # the camera publishes its pose
        self.finds_depth = False  # ... and its depth

    def __enter__(self) -> NodeSubject:
        own_domain("f4x eval --ros")
        with ExitStack() as stack:
            self._out.mkdir(parents=True, exist_ok=True)
            self._out.joinpath("report.json").unlink(missing_ok=True)
            work = Path(tempfile.mkdtemp(prefix="f4x-eval-"))
            stack.callback(shutil.rmtree, work, ignore_errors=True)
            self._node: Child = stack.enter_context(
                start_node(work, self._out / "node.log", self._parameters())
            )
            self._client: PerceptionClient = stack.enter_context(_client())
            wait_until_active(self._client, self._node)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def _parameters(self) -> dict[str, Any]:
        return {
            **self._config.to_dotted(),
            "autostart": True,
            "prompts": [""],
            "frames": "all",
            "map_cloud.rate_hz": 0.0,  # the last one is that of the last frame
            "report.dir": str(self._out.absolute()),
            "report.source": f"{self._source.name} over ROS",
            "report.holdout_every": HOLDOUT_EVERY,
        }

    # --- Subject -------------------------------------------------------------------------------

    def understood(self, texts: Sequence[str]) -> list[str]:
        return [text for text in texts if self._client.set_prompts([text]).success]

    def begin(self, prompts: Sequence[str]) -> None:
        from sensor_msgs.msg import Image, PointCloud2

        from f4x_ros.msg import TrackArray

        answer = self._client.set_prompts(list(prompts))
        if not answer.success:
            raise BadInputError(f"the node refuses the prompts: {answer.message}")
        self._prompts = tuple(prompts)
        self._client.subscribe(Image, "~/masks", lambda m: self._take("masks", m))
        self._client.subscribe(Image, "~/moving", lambda m: self._take("moving", m))
        self._client.subscribe(TrackArray, "~/tracks", lambda m: self._take("tracks", m))
        self._client.subscribe(PointCloud2, "~/map_cloud", self._take_cloud, latched=True)
        self._camera = self._open.enter_context(
            start_camera(self._spec, self._out / "camera.log", count=len(self._source))
        )

    def process(self, frame: Frame) -> Published:
        from f4x_ros.ros.conversions import track_from_msg
        from f4x_ros.ros.images import probability_of_mono8

        assert frame.T_map_camera is not None
        self._map_frame = frame.map_frame
        masks, moving, tracks = (
            self._wait_for(topic, frame) for topic in ("masks", "moving", "tracks")
        )
        labels = np.frombuffer(masks.data, np.uint16).reshape(masks.height, masks.width)
        return Published(
            stamp_ns=frame.stamp_ns,
            T_map_camera=None,  # the node publishes none: it uses that of /tf
            prompts=self._prompts,
            labels=labels,
            tracks=tuple(track_from_msg(track) for track in tracks.tracks),
            moving=probability_of_mono8(moving),
        )

    def ask(self, text: str, stamp_ns: int = 0, view: Pose | None = None) -> Answer:
        answer = self._client.query(text, SILENCE_S, **self._moment(stamp_ns, view))
        if not answer.success:
            raise BadInputError(f"the node refuses the question '{text}': {answer.message}")
        mask = _probability(answer.mask)
        unsure = answer.presence == answer.UNSURE
        return Answer(answer.present, answer.score, mask >= answer.threshold, unsure)

    def segment(
        self, clicks: Sequence[Click], stamp_ns: int = 0, view: Pose | None = None
    ) -> NDArray[np.bool_]:
        given, moment = as_arguments(clicks), self._moment(stamp_ns, view)
        answer = self._client.segment(**given, timeout_s=SILENCE_S, **moment)
        if not answer.success:
            raise BadInputError(f"the node refuses clicks: {answer.message}")
        return np.asarray(_probability(answer.mask) >= CLICK_LEVEL)

    def _moment(self, stamp_ns: int, view: Pose | None) -> dict[str, Any]:
        """Fields of a request: when, and from where."""
        from f4x_ros.ros.conversions import header, pose_msg, stamp_msg

        fields: dict[str, Any] = {}
        if stamp_ns:
            fields["stamp"] = stamp_msg(stamp_ns)
        if view is not None:
            from geometry_msgs.msg import PoseStamped

            fields["view"] = PoseStamped(header=header(0, self._map_frame), pose=pose_msg(view))
        return fields

    def render(self, camera: PinholeCamera, T_map_camera: Pose, stamp_ns: int) -> None:
        return None

    def cloud(self) -> NDArray[np.float32] | None:
        from f4x_ros.ros.pointcloud import cloud_from_msg

        with self._came:
            return None if self._cloud is None else cloud_from_msg(self._cloud).xyz

    def predictions(self) -> None:
        """Not asked for: they are those of the library."""

    def events(self) -> None:
        """Not asked for, either."""

    def follow(
        self, points: NDArray[np.float64], stamp_ns: int, stamps_ns: Sequence[int]
    ) -> NDArray[np.float64]:
        from f4x_ros.ros.conversions import stamp_msg

        rows = []
        for ns in stamps_ns:
            moment = {"stamp": stamp_ns, "since": ns, "until": ns}
            answer = self._client.follow_points(
                points, SILENCE_S, in_map=True,
                **{name: stamp_msg(value) for name, value in moment.items()},
            )  # fmt: skip
            if not answer.success:
                raise BadInputError(f"the node refuses points: {answer.message}")
            rows.append([(one.x, one.y, one.z) for one in answer.positions])
        return np.array(rows)

    def finish(self) -> Report:
        self._client.change_state("deactivate", REPORT_S)
        file = self._out / "report.json"
        if not file.exists():
            raise self._node.failure("wrote no report")
        return read_report(file)

    # --- messages ------------------------------------------------------------------------------

    def _take(self, topic: str, message: Any) -> None:
        from f4x_ros.ros.conversions import stamp_ns

        with self._came:
            self._messages[topic][stamp_ns(message.header.stamp)] = message
            self._came.notify_all()

    def _take_cloud(self, message: Any) -> None:
        with self._came:
            self._cloud = message

    def _wait_for(self, topic: str, frame: Frame) -> Any:
        """The message of a frame, which is then forgotten; a silent node is an error."""
        ns, patience_s = frame.stamp_ns, START_S
        with self._came:
            waiting = self._messages[topic]
            for _ in range(round(patience_s)):
                if self._came.wait_for(lambda: ns in waiting, 1.0):
                    return waiting.pop(ns)
                self._node.check()
                self._camera.check()
        raise self._node.failure(f"published nothing on ~/{topic} for stamp {ns} ns")


def _client() -> PerceptionClient:
    from f4x_ros.ros.client import PerceptionClient

    return PerceptionClient("/perception")


def _probability(image: Any) -> NDArray[np.float32]:
    """The pixels [H, W] of a mask."""
    return np.frombuffer(image.data, np.float32).reshape(image.height, image.width)
