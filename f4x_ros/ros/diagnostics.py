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

from f4x_ros.core.errors import BadInputError

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
    "topic": ERROR,  # nobody publishes an input
    "qos": ERROR,  # a publisher's QoS does not fit the subscription
    "silent": ERROR,  # there is a publisher, but nothing comes
    "camera_info": ERROR,  # calibration that is no calibration
    "sync": ERROR,  # image and depth never pair
    "time": WARN,  # stamps go backwards
    "pose": ERROR,  # a pose or transform with values that are not a pose
    "transform": ERROR,  # no transform at the time of the frames
    "image": ERROR,  # encoding, size
    "depth": ERROR,  # encoding, size, unit
    "processing": ERROR,  # the map refused a frame or failed
    "backend": WARN,  # the map is drawn more slowly than it could be
    "prompts": WARN,  # a prompt was refused
    "report": WARN,  # the report could not be written
    "overload": WARN,  # frames come faster than they are processed
    "name": WARN,  # another node of the same name is in the graph
}
# What only the diagnostics see, so they log it; the rest is logged when it happens.
_LOGGED_HERE = ("topic", "qos", "silent", "sync", "backend", "overload")


@dataclass
class _Problem:
    text: str
    until: float  # monotonic seconds


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
        self._counts: Counter[str] = Counter()
        self._problems: dict[str, _Problem] = {}
        self._latencies_ms: deque[float] = deque(maxlen=300)
        self._finished: deque[float] = deque(maxlen=300)
        self._latest_callback_ms = _RecentMax()
        self._oldest_published_ms = _RecentMax()

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[name] += by

    def problem(self, kind: str, text: str, *, hold_s: float = HOLD_S) -> None:
        """Report something wrong; `kind` is one of KINDS."""
        if kind not in KINDS:
            raise BadInputError(f"kind is '{kind}', expected one of {', '.join(KINDS)}")
        with self._lock:
            self._problems[kind] = _Problem(text, self._clock() + hold_s)

    def solved(self, kind: str) -> None:
        """Take a problem back."""
        with self._lock:
            self._problems.pop(kind, None)

    def called_back(self, late_ms: float) -> None:
        """A callback ran, so long after the middleware had its message."""
        with self._lock:
            self._latest_callback_ms.add(self._clock(), late_ms)

    def processed(self, latency_ms: float, age_ms: float) -> None:
        """A frame left the node, so long after it came, and so long after its stamp."""
        with self._lock:
            self._oldest_published_ms.add(self._clock(), age_ms)
            self._counts["processed"] += 1
            self._latencies_ms.append(latency_ms)
            self._finished.append(self._clock())

    def counts(self) -> dict[str, int]:
        """All counters so far."""
        with self._lock:
            return dict(self._counts)

    def problems(self) -> list[tuple[str, str]]:
        """(kind, text) of what is wrong now, the first thing first."""
        with self._lock:
            now = self._clock()
            return [
                (kind, self._problems[kind].text)
                for kind in KINDS
                if kind in self._problems and self._problems[kind].until >= now
            ]

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
        self._said: str | None = None

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
        """Log a verdict when it changes."""
        kind = status.message.split(":", 1)[0] if status.level != OK else None
        if kind == self._said:
            return
        logger = self._node.get_logger()
        if kind in _LOGGED_HERE:
            # (rclpy allows one severity per line of code)
            if status.level == ERROR:
                logger.error(status.message)
            else:
                logger.warning(status.message)
        elif kind is None:
            logger.info(f"{self._said}: no longer a problem")
        self._said = kind


def key_values(values: Mapping[str, object]) -> Sequence[KeyValue]:
    """Values as text, in the order given."""
    return [KeyValue(key=key, value=str(value)) for key, value in values.items()]
