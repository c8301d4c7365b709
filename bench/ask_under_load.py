# SPDX-License-Identifier: Apache-2.0
"""How long does a question wait while frames come faster than they can be mapped?

    python bench/ask_under_load.py [--source SOURCE] [--rate HZ] [--minutes M] [--json FILE]

The node and a camera run as two processes, as on a robot; the camera sends a recording or a drawn
world over and over, with stamps of now. Meanwhile words that were asked before, words that are new
and clicks are asked through the services. Ends with 1 where a bar is missed:

    query_p95_ms              from sending a question to having its answer, words and clicks
                              together: at most 150 ms; words_p95_ms and segment_p95_ms, too
    callback_max_ms           from when the node's middleware had an input to its callback, as the
                              node's diagnostics say: at most 50 ms
    published_age_max_frames  from a frame's stamp to when the node's middleware sends its tracks,
                              in medians of the time between two of them: at most 2
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from f4x_ros.cli.errors import CommandError
from f4x_ros.cli.node_processes import START_S, own_domain, start_node, wait_until_active
from f4x_ros.cli.processes import Child

if TYPE_CHECKING:
    from f4x_ros.ros.client import PerceptionClient

BARS = {
    "query_p95_ms": 150.0,
    "words_p95_ms": 150.0,
    "segment_p95_ms": 150.0,
    "callback_max_ms": 50.0,
    "published_age_max_frames": 2.0,
}
KNOWN = ("red mug", "chair", "cardboard box", "ball", "table")
MANNERS = (
    "small", "large", "round", "wooden", "shiny", "old", "broken", "striped", "metal", "soft",
)  # fmt: skip
COLORS = ("red", "blue", "green", "yellow", "white", "black", "brown", "grey")
THINGS = (
    "cup", "bottle", "book", "lamp", "shoe", "plant",
    "bowl", "teapot", "cushion", "toy", "bag", "tool",
)  # fmt: skip
ANSWER_S = 60.0
PAUSE_S = (0.3, 0.9)  # between an answer and the next question: one or two a second


@dataclass
class Heard:
    """What came back, all of it from after the first frame."""

    words_ms: list[float] = field(default_factory=list)
    segment_ms: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    sent_ns: list[int] = field(default_factory=list)  # tracks: when the node sent them
    ages_s: list[float] = field(default_factory=list)  # and how old their stamp was then
    callback_ms: list[float] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)  # of the last diagnostics


def new_texts(seed: int) -> itertools.chain[str]:
    """Phrases none of which comes twice, until they come again after 960."""
    texts = [" ".join(words) for words in itertools.product(MANNERS, COLORS, THINGS)]
    random.Random(seed).shuffle(texts)
    return itertools.chain.from_iterable(itertools.repeat(texts))


class Load:
    """Node, camera and the one who asks."""

    def __init__(self, options: argparse.Namespace, work: Path) -> None:
        self._options, self._work = options, work
        self.heard = Heard()
        self._first = threading.Event()
        self._size: tuple[int, int] | None = None  # of the masks, pixels
        self._random = random.Random(options.seed)

    def run(self) -> Heard:
        """Ask for the time given; the processes have ended when this returns or raises."""
        parameters = {
            "prompts": list(KNOWN[:3]),
            "features.extractor": self._options.extractor,
            "diagnostics.rate_hz": 2.0,
        }
        with ExitStack() as stack:
            node = stack.enter_context(start_node(self._work, self._work / "node.log", parameters))
            from f4x_ros.ros.client import PerceptionClient

            client = stack.enter_context(PerceptionClient("/perception"))
            wait_until_active(client, node)
            self._listen(client)
            camera = stack.enter_context(self._camera())
            self._wait_for_first(node, camera)
            client.state()  # answers of the node reach this process
            self._ask(client, node, camera)
            return self.heard

    def _camera(self) -> Child:
        parameters = {
            "source": self._options.source,
            "rate_hz": float(self._options.rate),
            "loop": "true",
            "stamps": "now",
            "wait_for_subscribers": 1,
        }
        words = [w for name, value in parameters.items() for w in ("-p", f"{name}:={value}")]
        arguments = ["--ros-args", *words]
        return Child("f4x_ros.ros.camera", arguments, self._work / "camera.log", {})

    # --- what the node says ----------------------------------------------------------------------

    def _listen(self, client: PerceptionClient) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from sensor_msgs.msg import Image

        from f4x_ros.msg import TrackArray

        node = client.node
        node.create_subscription(TrackArray, "/perception/tracks", self._on_tracks, 10)
        node.create_subscription(Image, "/perception/masks", self._on_masks, 10)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _on_tracks(self, message: Any, info: Any) -> None:
        from f4x_ros.ros.conversions import stamp_ns

        self.heard.sent_ns.append(info["source_timestamp"])
        age_ns = info["source_timestamp"] - stamp_ns(message.header.stamp)
        self.heard.ages_s.append(age_ns / 1e9)

    def _on_masks(self, message: Any) -> None:
        self._size = (message.width, message.height)
        self._first.set()

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            self.heard.values = {v.key: v.value for v in status.values}
            if late_ms := self.heard.values.get("callback_max_ms"):
                self.heard.callback_ms.append(float(late_ms))

    def _wait_for_first(self, node: Child, camera: Child) -> None:
        end = time.monotonic() + START_S
        while not self._first.wait(0.5):
            node.check()
            camera.check()
            if time.monotonic() > end:
                raise node.failure(f"published nothing within {START_S:g} s")

    # --- asking ----------------------------------------------------------------------------------

    def _ask(self, client: PerceptionClient, node: Child, camera: Child) -> None:
        from geometry_msgs.msg import Point

        from f4x_ros.srv import Query, Segment

        query = client.node.create_client(Query, "/perception/query")
        segment = client.node.create_client(Segment, "/perception/segment")
        if not (query.wait_for_service(ANSWER_S) and segment.wait_for_service(ANSWER_S)):
            raise node.failure("offers no ~/query and ~/segment")
        new = new_texts(self._options.seed)
        begin = shown = time.monotonic()
        for turn in itertools.count():
            if time.monotonic() - begin > 60 * self._options.minutes:
                break
            if turn % 3 == 2:
                assert self._size is not None  # the first frame has been there
                x, y = (self._random.uniform(0.1, 0.9) * side for side in self._size)
                request: Any = Segment.Request(points=[Point(x=x, y=y)])
                self.heard.segment_ms.append(self._timed(segment, request, node))
            else:
                text = self._random.choice(KNOWN) if turn % 3 else next(new)
                self.heard.words_ms.append(self._timed(query, Query.Request(prompt=text), node))
            node.check()
            camera.check()
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                print(f"{shown - begin:5.0f} s: {summary(self.heard)}", flush=True)
            time.sleep(self._random.uniform(*PAUSE_S))

    def _timed(self, client: Any, request: Any, node: Child) -> float:
        """Milliseconds from sending a question to having its answer."""
        done = threading.Event()
        begin = time.perf_counter()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(ANSWER_S):
            raise node.failure(f"did not answer within {ANSWER_S:g} s")
        took_ms = (time.perf_counter() - begin) * 1e3
        answer = future.result()
        if not answer.success:
            self.heard.refused.append(answer.message)
        return took_ms


def summary(heard: Heard) -> dict[str, Any]:
    """The numbers of the report."""

    def percentile(values: list[float], share: float) -> float | None:
        return round(float(np.percentile(values, share)), 2) if values else None

    frame_s = float(np.median(np.diff(heard.sent_ns))) / 1e9 if len(heard.sent_ns) > 1 else None
    ages = [age_s / frame_s for age_s in heard.ages_s] if frame_s else []
    counted = {k: int(v) for k, v in heard.values.items() if k.startswith("dropped.") and int(v)}
    asked = {
        "query": heard.words_ms + heard.segment_ms,
        "words": heard.words_ms,
        "segment": heard.segment_ms,
    }
    took = {
        f"{kind}_{name}_ms": percentile(times_ms, share)
        for kind, times_ms in asked.items()
        for name, share in (("p50", 50), ("p95", 95), ("max", 100))
    }
    return {
        **took,
        "callback_max_ms": percentile(heard.callback_ms, 100),
        "published_age_p50_frames": percentile(ages, 50),
        "published_age_p95_frames": percentile(ages, 95),
        "published_age_max_frames": percentile(ages, 100),
        "frame_p50_ms": frame_s and round(frame_s * 1e3, 1),
        "questions_words": len(heard.words_ms),
        "questions_clicks": len(heard.segment_ms),
        "questions_refused": len(heard.refused),
        "frames_received": int(heard.values.get("received.image", 0)),
        "frames_processed": int(heard.values.get("processed", 0)),
        "frames_dropped": counted,
        "gaussians": int(heard.values.get("gaussians", 0)),
    }


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="demo", help="what the camera sends (default: demo)")
    parser.add_argument("--rate", type=float, default=15.0, help="frames per second (default: 15)")
    parser.add_argument("--minutes", type=float, default=5.0, help="default: 5")
    parser.add_argument("--extractor", default="embedded", help="default: embedded")
    parser.add_argument("--seed", type=int, default=0, help="of texts and clicks")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    own_domain("bench/ask_under_load.py")
    from f4x_ros.cli.sources import prepared
    from f4x_ros.sim import open_source

    prepared(open_source(options.source))
    with tempfile.TemporaryDirectory() as name:
        try:
            heard = Load(options, Path(name)).run()
        except CommandError as error:
            print(error, file=sys.stderr)
            return error.exit_code
    result = {"source": options.source, "rate_hz": options.rate, "minutes": options.minutes}
    result |= summary(heard)
    for key, value in result.items():
        print(f"{key:28}{value}")
    for text in sorted(set(heard.refused)):
        print(f"refused: {text}")
    missed = [key for key, bar in BARS.items() if result[key] is None or result[key] > bar]
    print("FAIL " + ", ".join(missed) if missed else "PASS")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
