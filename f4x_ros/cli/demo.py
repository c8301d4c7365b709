# SPDX-License-Identifier: Apache-2.0
"""Show the whole path through ROS.

A camera and the node run as two processes and talk over real topics; the node is asked questions,
measures its map and leaves what `f4x run` leaves.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from f4x_ros.cli.node_processes import (
    REPORT_S,
    SILENCE_S,
    START_S,
    own_domain,
    start_camera,
    start_node,
    wait_until_active,
)
from f4x_ros.cli.processes import Child
from f4x_ros.cli.prompts import ABSENT, DEMO, KNOWS, speaker
from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.config import Config
    from f4x_ros.eval.subjects.report import Report
    from f4x_ros.msg import TrackArray
    from f4x_ros.ros.client import PerceptionClient
    from f4x_ros.srv import Query


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--frames", type=int, default=150, metavar="N", help="of the demo world (default: 150)"
    )
    parser.add_argument("--out", default="out/demo", metavar="DIR", help="default: out/demo")
    parser.add_argument(
        "--rate", type=float, default=0.0, metavar="HZ",
        help="frames per second of the camera, which may be more than the node can take; "
        "0 = send a frame when the one before has been processed (default)",
    )  # fmt: skip
    parser.add_argument(
        "--prompt", action="append", default=[], metavar="TEXT",
        help="what to look for; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--source",
        default="demo",
        metavar="SOURCE",
        help="what the camera publishes: any source of f4x run (default: the demo world)",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments",
        help="an option of the map, e.g. features.extractor=color; may be given several times",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.rate < 0:
        raise BadInputError(f"--rate is {options.rate:g}, expected 0 or more")
    if options.frames < 1:
        raise BadInputError(f"--frames is {options.frames}, expected at least 1")
    domain = own_domain("f4x demo")

    from f4x_ros.cli.settings import read_settings
    from f4x_ros.cli.sources import prepared
    from f4x_ros.sim import open_source

    config, _ = read_settings(None, options.assignments)
    words = speaker(config.features.extractor)
    if not (options.prompt or words in DEMO):
        raise BadInputError(f"extractor '{words}' needs prompts: give --prompt")
    prompts = options.prompt or list(DEMO[words])
    if words in KNOWS:
        print(KNOWS[words])
    source = open_source(options.source)
    frames = min(options.frames, len(source))
    prepared(source, frames)
    out = Path(options.out).expanduser()
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").unlink(missing_ok=True)
    print(f"Node and camera talk on ROS_DOMAIN_ID={domain} of this machine; logs are in {out}.")
    demo = _Demo(out, options.source, frames, options.rate, prompts, config)
    report = demo.run()

    from f4x_ros.eval.subjects.report import report_rows

    print("\nThe node's report:\n")
    print(table(report_rows(report)))
    _draw_moments(out)
    print(f"\nResults are in {out}: f4x view {out / 'map.f4x'} shows the map in a browser.")
    print(f"Open {out / 'story.png'} to see the whole story.")
    return 0


def _draw_moments(out: Path) -> None:
    """What the map knows of time, as a picture and a table, from the file that the node left."""
    from f4x_ros.cli.history import told
    from f4x_ros.cli.moments_picture import write_moments
    from f4x_ros.core.perception import Perception

    perception = Perception.load(out / "map.f4x")
    result = perception.history()
    if not result.things or result.until_ns <= result.since_ns:
        return
    thing = write_moments(out / "moments.png", perception, result, "f4x: over time")
    print("\nWhat happened, as f4x history tells it:\n")
    print(told(replace(result, things=()), perception.span_ns[0]))
    print(f"\n{out / 'moments.png'} shows {thing.label} #{thing.id} at four times, and all ways.")


class _Demo:
    """One demonstration: its processes, its client and what it saw."""

    def __init__(
        self,
        out: Path,
        source: str,
        frames: int,
        rate_hz: float,
        prompts: list[str],
        config: Config,
    ) -> None:
        self._out, self._source, self._frames = out, source, frames
        self._rate_hz, self._prompts, self._config = rate_hz, prompts, config
        self._stamps: list[tuple[int, int]] = []  # (sec, nanosec) of the frames that came back
        self._news = threading.Condition()

    def run(self) -> Report:
        """Everything; the processes have ended when this returns or raises.

        Raises:
            CommandError: a process failed, or did not answer in time; has the end of its log.
        """
        with ExitStack() as stack:
            work = Path(tempfile.mkdtemp(prefix="f4x-demo-"))
            stack.callback(shutil.rmtree, work, ignore_errors=True)
            node = stack.enter_context(self._node(work))
            try:
                client = stack.enter_context(_client())
                return self._show(client, node, stack)
            except (TimeoutError, RuntimeError) as error:
                node.check()  # a node that has ended is the better explanation
                raise node.failure(f"does not do what it should ({error})") from error

    def _show(self, client: PerceptionClient, node: Child, stack: ExitStack) -> Report:
        from f4x_ros.msg import TrackArray

        wait_until_active(client, node)
        client.subscribe(TrackArray, "~/tracks", self._on_tracks)
        with self._camera() as camera:
            self._watch(node, camera)
            camera.wait(_QUIET_S)
            camera.check()
        self._ask(client)
        print("\nThe node measures its map and writes the report ...", flush=True)
        before = client.values()
        client.change_state("deactivate", REPORT_S)
        file = self._out / "report.json"
        if not file.exists():
            raise node.failure("wrote no report")
        report: Report = json.loads(file.read_text())
        _tell_drops(before, self._frames, report)
        if node.stop() != 0:
            raise node.failure(f"ended with exit code {node.returncode}")
        return report

    # --- processes -----------------------------------------------------------------------------

    def _node(self, work: Path) -> Child:
        parameters = {
            **self._config.to_dotted(),
            "prompts": self._prompts,
            "autostart": True,
            # at a rate of its own the camera is one of a robot, else the recording is mapped whole
            "frames": "newest" if self._rate_hz else "all",
            "report.dir": str(self._out.absolute()),
            "report.source": f"{Path(self._source).name} over ROS",
            "report.holdout_every": 8,
        }
        return start_node(work, self._out / "node.log", parameters)

    def _camera(self) -> Child:
        log = self._out / "camera.log"
        return start_camera(self._source, log, count=self._frames, rate_hz=self._rate_hz)

    # --- watching ------------------------------------------------------------------------------

    def _on_tracks(self, message: TrackArray) -> None:
        with self._news:
            self._stamps.append((message.header.stamp.sec, message.header.stamp.nanosec))
            self._news.notify_all()

    def _watch(self, node: Child, camera: Child) -> None:
        """Show a bar until the camera has sent all and the node has been silent for a moment."""
        from f4x_ros.cli.progress import progress_bar

        with progress_bar(self._frames, "camera -> node") as bar:
            heard_at, ended_at = time.monotonic(), float("inf")
            while bar.n < self._frames:
                with self._news:
                    self._news.wait(0.2)
                    came = len(self._stamps) - bar.n
                bar.update(came)
                now = time.monotonic()
                if came:
                    heard_at = now
                node.check()
                camera.check()
                if camera.returncode == 0:
                    ended_at = min(ended_at, now)
                if now - max(heard_at, ended_at) > _QUIET_S:
                    break  # the rest was dropped: said later
                if now - heard_at > (SILENCE_S if bar.n else START_S):
                    raise node.failure(f"sent nothing on ~/tracks for {now - heard_at:.0f} s")

    # --- asking --------------------------------------------------------------------------------

    def _ask(self, client: PerceptionClient) -> None:
        """Questions as any ROS program may ask them."""
        from builtin_interfaces.msg import Time

        rows = []
        absent = ABSENT.get(speaker(self._config.features.extractor))
        for prompt in dict.fromkeys([*self._prompts, *([absent] if absent else [])]):
            rows += _answer_rows(prompt, "now", client.query(prompt))
        if self._stamps:
            first, middle = self._stamps[0], self._stamps[len(self._stamps) // 2]
            then = f"{middle[0] - first[0] + (middle[1] - first[1]) / 1e9:.2f} s"
            stamp = Time(sec=middle[0], nanosec=middle[1])
            answer = client.query(self._prompts[0], stamp=stamp)
            rows += _answer_rows(self._prompts[0], then, answer)
        print("\nAsked through the service ~/query:\n")
        header = (
            "prompt",
            "when",
            "present",
            "score",
            "object",
            "x y z in the map [m]",
            "size [m]",
        )
        print(table(rows, header))


_QUIET_S = 5.0  # after the camera's end; what has not come then was dropped


def _client() -> PerceptionClient:
    from f4x_ros.ros.client import PerceptionClient

    return PerceptionClient("/perception")


def _answer_rows(prompt: str, when: str, answer: Query.Response) -> list[tuple[object, ...]]:
    if not answer.success:
        return [(prompt, when, "refused", "", "", answer.message, "")]
    said = {answer.PRESENT: "yes", answer.UNSURE: "unsure"}.get(answer.presence, "no")
    first = (prompt, when, said, f"{answer.score:.2f}")
    objects = []
    for track in answer.tracks:
        p, s = track.pose.pose.position, track.size
        place = f"{p.x:6.2f} {p.y:6.2f} {p.z:6.2f}"
        objects.append((f"#{track.id}", place, f"{s.x:.2f} x {s.y:.2f} x {s.z:.2f}"))
    objects = objects or [("-", "", "")]
    return [
        (*(first if number == 0 else ("", "", "", "")), *found)
        for number, found in enumerate(objects)
    ]


def _tell_drops(counters: dict[str, str], sent: int, report: Report) -> None:
    """Say what became of the frames that are not in the map."""
    dropped = {
        name: value
        for name, value in counters.items()
        if name.startswith("dropped.") and value != "0"
    }
    processed = report["frames"]
    print(f"The camera sent {sent} frames, the node processed {processed}.", end=" ")
    print(
        "Dropped: " + ", ".join(f"{name} {value}" for name, value in dropped.items()) + "."
        if dropped
        else "None was dropped."
        if processed == sent
        else f"{sent - int(processed or 0)} were lost on the way."
    )
