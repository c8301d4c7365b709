# SPDX-License-Identifier: Apache-2.0
"""What /diagnostics says: the first thing that is wrong on the way from the topics to the map."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from f4x_ros.core.base import LeftOut
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.cameras import of_camera
from f4x_ros.ros.counters import COUNTERS, COUNTERS_OF_CAMERA, LEFT_OUT

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
HOLD_S = 5.0
"""A problem counts as present until so long after it was last reported."""

FOR_EVER_S = 1e9
"""Until it is taken back by `Health.solved`."""

# Kinds of problem in the order in which a frame meets them, with their level. The first one that is
# present is the message of the status; all are among its values.
KINDS: dict[str, bytes] = {
    "configuration": ERROR,  # a parameter, the file of prompts, the model: configuring failed
    "activation": ERROR,  # the folder of the report, a QoS override: activating failed
    "starting": OK,  # nobody publishes an input, yet
    "topic": ERROR,  # nobody publishes an input
    "type": ERROR,  # an input is published with another type than is read
    "qos": ERROR,  # a publisher's QoS does not fit the subscription
    "silent": ERROR,  # there is a publisher, but nothing comes
    "camera_info": ERROR,  # calibration that is no calibration
    "sync": ERROR,  # image and depth never pair
    "stereo": ERROR,  # pictures that are of no pair, or swapped
    "time": WARN,  # stamps go backwards
    "pose": ERROR,  # a pose or transform with values that are not a pose
    "transform": ERROR,  # no transform at the time of the frames
    "image": ERROR,  # encoding, size
    "depth": ERROR,  # encoding, size, unit
    "processing": ERROR,  # the map refused a frame or failed
    "lost": ERROR,  # the camera's pose is estimated, and no place is recognised
    "weak": WARN,  # it is estimated, and the pictures hold it badly
    "own_tf": WARN,  # the transform that is to be published is published by somebody else
    "parents": WARN,  # two programs say where a frame is
    "tf": WARN,  # a transform that is none, perhaps of a frame that nobody needs
    "publishers": WARN,  # several publish the image, or the depth image
    "stamps": WARN,  # header stamps of zero
    "backend": WARN,  # the map is drawn more slowly than it could be
    "prompts": WARN,  # a prompt was refused
    "report": WARN,  # the report could not be written
    "overload": WARN,  # frames come faster than they are processed
    "name": WARN,  # another node of the same name is in the graph
}
# What only the diagnostics see, so they log it; the rest is logged when it happens.
_LOGGED_HERE = (
    "topic",
    "type",
    "publishers",
    "qos",
    "silent",
    "sync",
    "stamps",
    "backend",
    "overload",
)
# What a frame that comes through has shown to be over.
_OF_FRAMES = (
    *("camera_info", "stereo", "time", "pose", "transform", "image", "depth", "processing"),
    *("stamps", "overload"),
)


@dataclass
class _Problem:
    text: str
    until: float  # monotonic seconds
    overcome: bool = False  # a frame has come through since


class _RecentMax:
    """The largest of the values of the last `2 * HOLD_S` seconds."""

    def __init__(self) -> None:
        self._largest: deque[tuple[float, float]] = deque()  # (time, value), values descending

    def add(self, now: float, value: float) -> None:
        while self._largest and self._largest[-1][1] <= value:
            self._largest.pop()
        self._largest.append((now, value))
        self.at(now)

    def at(self, now: float) -> float | None:
        """None if there was none."""
        while self._largest and now - self._largest[0][0] > 2 * HOLD_S:
            self._largest.popleft()
        return self._largest[0][1] if self._largest else None


class Health:
    """Counters, latencies and problems; written from any thread, read by the diagnostics."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter(dict.fromkeys(COUNTERS, 0))
        self._left_out = LeftOut()
        self._left_out_of_report = LeftOut()
        self._problems: dict[tuple[str, str], _Problem] = {}  # by kind and camera
        self._solved: list[str] = []
        self._latencies_ms: deque[float] = deque(maxlen=300)
        self._finished: deque[float] = deque(maxlen=300)
        self._latest_callback_ms = _RecentMax()
        self._oldest_published_ms = _RecentMax()

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[name] += by

    def left_out(
        self, reason: str, count: int = 1, stamp_ns: int | None = None, camera: str = ""
    ) -> None:
        """Something came and is not used: counted with its first stamp, see `core.base.LeftOut`.

        Of one of several cameras it is counted under `of_camera(reason)`, and in the sum of all.
        """
        own = of_camera(reason, camera)
        with self._lock:
            self._left_out.add(own, count, stamp_ns)
            self._left_out_of_report.add(own, count, stamp_ns)
            for name in {reason, own}:
                self._counts[LEFT_OUT + name] += count

    def of(self, camera: str) -> Health | CameraHealth:
        """What is told of one of several cameras goes there; "" = itself."""
        if not camera:
            return self
        with self._lock:
            for name in COUNTERS_OF_CAMERA:
                self._counts.setdefault(of_camera(name, camera), 0)
        return CameraHealth(self, camera)

    def all_left_out(self) -> LeftOut:
        """What was left out so far."""
        with self._lock:
            return _copy(self._left_out)

    def left_out_of_report(self) -> LeftOut:
        """What was left out since `begin_report`."""
        with self._lock:
            return _copy(self._left_out_of_report)

    def begin_report(self) -> None:
        """From now on things are left out of another report."""
        with self._lock:
            self._left_out_of_report = LeftOut()

    def problem(self, kind: str, text: str, *, hold_s: float = HOLD_S, camera: str = "") -> None:
        """Report something wrong, perhaps with one of several cameras; `kind` is one of KINDS."""
        if kind not in KINDS:
            raise BadInputError(f"kind is '{kind}', expected one of {', '.join(KINDS)}")
        with self._lock:
            self._problems[kind, camera] = _Problem(text, self._clock() + hold_s)

    def solved(self, kind: str, camera: str = "") -> None:
        """Take a problem back: it has been put right."""
        with self._lock:
            if self._problems.pop((kind, camera), None) is not None:
                self._note_solved(kind)

    def _note_solved(self, kind: str) -> None:
        if all(other != kind for other, _ in self._problems):
            self._solved.append(kind)

    def forget(self, *kinds: str, camera: str = "") -> None:
        """Take problems back that can no longer be seen, solved or not."""
        with self._lock:
            for kind in kinds:
                self._problems.pop((kind, camera), None)

    def take_solved(self) -> list[str]:
        """Kinds of problem that have been put right since the last call."""
        with self._lock:
            self._expire()
            solved, self._solved = self._solved, []
            return solved

    def _expire(self) -> None:
        """Let go what was reported long enough ago; solved only if a frame shows that it is."""
        now = self._clock()
        for key in [k for k, p in self._problems.items() if p.until < now]:
            if self._problems.pop(key).overcome:
                self._note_solved(key[0])

    def called_back(self, late_ms: float) -> None:
        """A callback ran, so long after the middleware had its message."""
        with self._lock:
            self._latest_callback_ms.add(self._clock(), late_ms)

    def processed(self, latency_ms: float, age_ms: float, camera: str = "") -> None:
        """A frame left the node, so long after it came, and so long after its stamp."""
        with self._lock:
            self._oldest_published_ms.add(self._clock(), age_ms)
            for name in {"processed", of_camera("processed", camera)}:
                self._counts[name] += 1
            for (kind, whose), problem in self._problems.items():
                problem.overcome |= kind in _OF_FRAMES and whose in ("", camera)
            self._latencies_ms.append(latency_ms)
            self._finished.append(self._clock())

    def counts(self) -> dict[str, int]:
        """All counters so far."""
        with self._lock:
            return dict(self._counts)

    def problems(self) -> list[tuple[str, str]]:
        """(kind, text) of what is wrong now, the first thing first."""
        with self._lock:
            self._expire()
            found: dict[str, list[str]] = {}
            for (kind, camera), problem in self._problems.items():
                text = f"camera {camera}: {problem.text}" if camera else problem.text
                found.setdefault(kind, []).append(text)
            return [(kind, "; ".join(found[kind])) for kind in KINDS if kind in found]

    def verdict(self) -> tuple[bytes, str]:
        """Level and message of the first thing that is wrong."""
        problems = self.problems()
        if not problems:
            return OK, ""
        level = max((KINDS[kind] for kind, _ in problems), key=lambda b: b[0])
        # A warning does not hide an error further down.
        kind, text = next(p for p in problems if KINDS[p[0]] == level)
        return level, f"{kind}: {text}"

    def speed(self) -> dict[str, str]:
        """Frame rate over the last frames and latencies, as text."""
        with self._lock:
            latencies, times = list(self._latencies_ms), list(self._finished)
            now = self._clock()
            latest = {
                "callback_max_ms": self._latest_callback_ms.at(now),
                "published_age_max_ms": self._oldest_published_ms.at(now),
            }
        said = {name: f"{value:.1f}" for name, value in latest.items() if value is not None}
        if not latencies:
            return said
        recent = [t for t in times if now - t <= 2 * HOLD_S]
        rate = (len(recent) - 1) / (now - recent[0]) if len(recent) > 1 else 0.0
        p50, p95 = np.percentile(latencies, [50, 95])
        return said | {
            "frame_rate_hz": f"{rate:.2f}",
            "latency_p50_ms": f"{p50:.1f}",
            "latency_p95_ms": f"{p95:.1f}",
        }


class CameraHealth:
    """`Health` as one of several cameras sees it: it counts for itself, and in the sum."""

    def __init__(self, health: Health, camera: str) -> None:
        self._health, self.camera = health, camera

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        self._health.count(name, by)
        if not name.startswith("received."):  # (which has the camera's name in it)
            self._health.count(of_camera(name, self.camera), by)

    def left_out(self, reason: str, count: int = 1, stamp_ns: int | None = None) -> None:
        """Something came and is not used."""
        self._health.left_out(reason, count, stamp_ns, self.camera)

    def problem(self, kind: str, text: str, *, hold_s: float = HOLD_S) -> None:
        """Report something wrong."""
        self._health.problem(kind, text, hold_s=hold_s, camera=self.camera)

    def solved(self, kind: str) -> None:
        """Take a problem back: it has been put right."""
        self._health.solved(kind, self.camera)

    def forget(self, *kinds: str) -> None:
        """Take problems back that can no longer be seen."""
        self._health.forget(*kinds, camera=self.camera)

    def called_back(self, late_ms: float) -> None:
        """A callback ran."""
        self._health.called_back(late_ms)

    def processed(self, latency_ms: float, age_ms: float) -> None:
        """A frame left the node."""
        self._health.processed(latency_ms, age_ms, self.camera)


def _copy(left_out: LeftOut) -> LeftOut:
    copy = LeftOut()
    copy.extend(left_out)
    return copy


class DiagnosticsPublisher:
    """Publishes a DiagnosticStatus regularly, by the wall clock (/clock may stand still)."""

    def __init__(
        self,
        node: Node,
        health: Health,
        state: Callable[[], str],
        details: Callable[[], Mapping[str, object]],
        before: Callable[[], None],
        rate_hz: float = 1.0,
    ) -> None:
        """`state` and `details` say more about the node; `before` is called before each message."""
        self._node, self._health = node, health
        self._state, self._details, self._before = state, details, before
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(1.0 / rate_hz, self.publish, clock=steady)
        self._said: str | None = None  # kind of the verdict that was logged last
        self._open = set(KINDS) - set(_LOGGED_HERE)  # kinds of which people may have read

    def publish(self) -> None:
        """Publish now; a new verdict is logged, too."""
        self._before()
        status = self.status()
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)
        self._log(status)

    def status(self) -> DiagnosticStatus:
        """The status of this moment."""
        level, problem = self._health.verdict()
        values: dict[str, object] = {"state": self._state()}
        values |= self._health.counts()
        values |= {
            f"first_{LEFT_OUT}{reason}": f"{ns / 1e9:.3f}"
            for reason, ns in self._health.all_left_out().first_ns.items()
        }
        values |= self._health.speed()
        values |= self._details()
        values |= {f"problem.{kind}": text for kind, text in self._health.problems()}
        return DiagnosticStatus(
            level=level,
            name=f"{self._node.get_fully_qualified_name().lstrip('/')}: frames",
            hardware_id="f4x_ros",
            message=problem or self._state(),
            values=key_values(values),
        )

    def _log(self, status: DiagnosticStatus) -> None:
        """Log a verdict when it changes, and what has been put right."""
        logger = self._node.get_logger()
        for solved in self._health.take_solved():
            if solved in self._open:
                logger.info(f"{solved}: no longer a problem")
            self._open -= {solved} & set(_LOGGED_HERE)
        kind = status.message.split(":", 1)[0] if status.level != OK else None
        if kind == self._said:
            return
        self._said = kind
        if kind in _LOGGED_HERE:
            self._open.add(kind)
            # (rclpy allows one severity per line of code)
            if status.level == ERROR:
                logger.error(status.message)
            else:
                logger.warning(status.message)


def key_values(values: Mapping[str, object]) -> Sequence[KeyValue]:
    """Values as text, in the order given."""
    return [KeyValue(key=key, value=str(value)) for key, value in values.items()]
