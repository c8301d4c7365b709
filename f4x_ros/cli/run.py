# SPDX-License-Identifier: Apache-2.0
"""Map a recording without ROS.

Leaves a video, a picture that tells the whole story, the map (for f4x and for splat viewers), the
tracks and a report. A frame that cannot be used costs itself and is counted; what was mapped until
an error or Ctrl-C is kept.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from f4x_ros.cli.prompts import KNOWS, chosen_prompts, speaker, use_prompts
from f4x_ros.cli.sources import (
    SOURCE_HELP,
    add_lens_arguments,
    add_topic_arguments,
    lens_options,
    topic_options,
)
from f4x_ros.cli.table import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from f4x_ros.core.config import Config
    from f4x_ros.core.data import Frame
    from f4x_ros.eval.subjects.feed import Feed
    from f4x_ros.eval.subjects.report import Report
    from f4x_ros.eval.subjects.run_recorder import RunRecorder
    from f4x_ros.io.source import Source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", help=SOURCE_HELP)
    parser.add_argument(
        "--prompt", action="append", default=[], metavar="TEXT",
        help="what to look for; may be given several times (none: what is surely seen is named)",
    )  # fmt: skip
    parser.add_argument("--prompts-file", metavar="FILE", help="more prompts, one per line")
    parser.add_argument("--out", metavar="DIR", help="results (default: out/NAME)")
    parser.add_argument(
        "--holdout", type=int, default=8, metavar="N",
        help="every N-th frame is not mapped but measures the map; 0 = none (default: 8)",
    )  # fmt: skip
    parser.add_argument("--start", type=int, default=0, metavar="N", help="first frame")
    parser.add_argument("--frames", type=int, default=0, metavar="N", help="so many; 0 = all")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments",
        help="an option, e.g. mapping.iterations=8; may be given several times",
    )  # fmt: skip
    parser.add_argument("--config", metavar="FILE", help="options in YAML, or ROS parameters")
    add_topic_arguments(parser)
    add_lens_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from f4x_ros.cli.settings import read_settings
    from f4x_ros.cli.sources import Part, open_recording, prepared

    config, configured = read_settings(options.config, options.assignments)
    opened = open_recording(options.source, topic_options(options), lens_options(options))
    Part(opened, options.start, options.frames)  # says what is wrong before anything is loaded
    config, chosen = from_motion(opened, config, options.assignments)
    opened.remarks += chosen
    extractor = config.features.extractor
    prompts = chosen_prompts(options.prompt, options.prompts_file, configured, extractor)
    if speaker(extractor) in KNOWS:
        print(KNOWS[speaker(extractor)])

    from f4x_ros.core.perception import Perception
    from f4x_ros.eval.subjects.feed import Feed
    from f4x_ros.eval.subjects.run_recorder import RunRecorder

    perception = Perception(config, cameras=getattr(opened, "cameras", ()))
    use_prompts(perception, prompts, keep_all=options.prompts_file is not None)
    stop = options.start + options.frames if options.frames else 0
    source = Part(prepared(opened, stop), options.start, options.frames)
    said = say_remarks(source.name, source.remarks)
    out = Path(options.out) if options.out else Path("out") / file_name(source.name)
    with RunRecorder(
        perception, out, holdout_every=options.holdout, source=source.name
    ) as recorder:
        feed = Feed(source, needs_pose=perception.needs_pose, needs_depth=perception.needs_depth)
        failure = _process(feed, recorder, len(source), source.name)
        if failure is not None and not recorder.frames:
            raise failure  # what lies in the folder stays as it is
        print("measuring the map, writing the results ...", flush=True)
        try:
            report = recorder.finish(
                feed.left_out,
                frames_there=source.frames_there,
                remarks=source.remarks,
                ended_early=_in_a_line(failure),
            )
        except OSError as error:
            if failure is None:
                raise
            print(f"f4x: what was mapped cannot be saved: {error}", file=sys.stderr)
            raise failure from error
    say_remarks(source.name, source.remarks[said:])  # what only the frames have shown
    say_remarks(source.name, perception.remarks)
    _print_report(report, feed.why)
    saved = recorder.path("map.f4x")
    shown = f"Results are in {out}; f4x view {saved} shows the map in a browser."
    print(f"\n{shown} Open {recorder.path('story.png')} to see the whole story.")
    if failure is not None:
        raise failure
    return 0


def from_motion(
    source: Source, config: Config, assignments: Sequence[str]
) -> tuple[Config, list[str]]:
    """Options with which a source without depth is mapped all the same, and what was chosen.

    Videos and pictures alone have neither depth nor poses; what is set by hand stays.
    """
    from f4x_ros.io.davis import DavisFolder
    from f4x_ros.io.pictures import PictureFolder
    from f4x_ros.io.video import VideoFile

    if not isinstance(source, (VideoFile, PictureFolder, DavisFolder)):
        return config, []
    named = {one.split("=")[0] for one in assignments}
    wanted = {"depth.source": "motion", "pose.source": "odometry"}
    changed = {key: value for key, value in wanted.items() if key not in named}
    if not changed:
        return config, []
    said = " ".join(f"{key}={value}" for key, value in changed.items())
    return type(config).from_dotted({**config.to_dotted(), **changed}), [
        f"It has colour alone, so {said} is taken."
    ]


def say_remarks(name: str, remarks: list[str]) -> int:
    """Print how a source is read: what was chosen, what was taken to mean what; how many it says.

    They go on growing while frames are read.
    """
    for remark in remarks:
        print(f"{name}: {remark}", flush=True)
    return len(remarks)


def _process(feed: Feed, recorder: RunRecorder, frames: int, name: str) -> BaseException | None:
    """Map all frames; returns what ended that before the last one, if anything did."""
    import psutil

    from f4x_ros.cli.progress import progress_bar

    process = psutil.Process()
    shown_at = 0.0
    with progress_bar(frames, name) as bar:

        def map_one(frame: Frame) -> None:
            nonlocal shown_at
            percept = recorder.process(frame)
            if time.monotonic() - shown_at > 0.5:
                shown_at = time.monotonic()
                bar.set_postfix_str(
                    f"{recorder.fps:.1f} frames/s in the map, "
                    f"{percept.counts['gaussians']:,d} Gaussians, "
                    f"{process.memory_info().rss / 1e6:.0f} MB",
                    refresh=False,
                )

        try:
            feed.run(map_one, lambda done: bar.update(done - bar.n))
        except (Exception, KeyboardInterrupt) as error:  # whatever it is: what is mapped is kept
            if recorder.frames:
                bar.write(
                    f"ended after {recorder.frames} frames: {_in_a_line(error)}", file=sys.stderr
                )
            return error
    return None


def _in_a_line(failure: BaseException | None) -> str:
    """Why a run ended before its last frame; "" if it did not."""
    from f4x_ros.core.errors import F4xError

    if failure is None:
        return ""
    if isinstance(failure, KeyboardInterrupt):
        return "interrupted"
    if isinstance(failure, (F4xError, OSError)):
        return str(failure)
    return f"internal error ({type(failure).__name__}: {failure})"


def _print_report(report: Report, why: Mapping[str, str]) -> None:
    """The numbers, then what is missing: people read the end."""
    from f4x_ros.eval.subjects.report import few_used_text, left_out_lines, report_rows

    print()
    print(table(report_rows(report)))
    if lines := left_out_lines(report, why):
        print(f"\nLeft out of {report['source']}:")
        print("\n".join(f"  {line}" for line in lines))
    if report["ended_early"]:
        print(f"\nThe run ended before its last frame: {report['ended_early']}.")
    if few := few_used_text(report, why):
        print(f"\n{few}")


def file_name(name: str) -> str:
    """A source's name as the name of a folder."""
    return re.sub(r"[^\w.-]+", "_", Path(name).name).strip("._") or "run"
