# SPDX-License-Identifier: Apache-2.0
"""Map a recording without ROS.

Leaves a video, a picture that tells the whole story, the map (for f4x and for splat viewers), the
tracks and a report.
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from f4x_ros.cli.prompts import KNOWS, chosen_prompts, speaker, use_prompts
from f4x_ros.cli.sources import SOURCE_HELP
from f4x_ros.cli.table import table

if TYPE_CHECKING:
    from f4x_ros.cli.sources import Part
    from f4x_ros.eval.subjects.run_recorder import RunRecorder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", help=SOURCE_HELP)
    parser.add_argument(
        "--prompt", action="append", default=[], metavar="TEXT",
        help="what to look for; may be given several times",
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


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from f4x_ros.cli.settings import read_settings
    from f4x_ros.cli.sources import Part, prepared
    from f4x_ros.sim import open_source

    config, configured = read_settings(options.config, options.assignments)
    opened = open_source(options.source)
    Part(opened, options.start, options.frames)  # says what is wrong before anything is loaded
    extractor = config.features.extractor
    prompts = chosen_prompts(options.prompt, options.prompts_file, configured, extractor)
    if speaker(extractor) in KNOWS:
        print(KNOWS[speaker(extractor)])

    from f4x_ros.core.perception import Perception
    from f4x_ros.eval.subjects.report import left_out_text, report_rows
    from f4x_ros.eval.subjects.run_recorder import RunRecorder

    perception = Perception(config)
    use_prompts(perception, prompts, keep_all=options.prompts_file is not None)
    stop = options.start + options.frames if options.frames else 0
    source = Part(prepared(opened, stop), options.start, options.frames)
    out = Path(options.out) if options.out else Path("out") / file_name(source.name)
    with RunRecorder(
        perception, out, holdout_every=options.holdout, source=source.name
    ) as recorder:
        _process(source, recorder)
        print("measuring the map, writing the results ...", flush=True)
        report = recorder.finish(source.left_out.counts)
    print()
    print(table(report_rows(report)))
    if left_out := left_out_text(report):
        print(f"\nLeft out of {source.name}: {left_out}.")
    print(f"\nResults are in {out}. Open {recorder.path('story.png')} to see the whole story.")
    return 0


def _process(source: Part, recorder: RunRecorder) -> None:
    import psutil

    from f4x_ros.cli.progress import progress_bar

    process = psutil.Process()
    shown_at = 0.0
    with progress_bar(len(source), source.name) as bar:
        for index in range(len(source)):
            percept = recorder.process(source[index])
            bar.update()
            if time.monotonic() - shown_at > 0.5:
                shown_at = time.monotonic()
                bar.set_postfix_str(
                    f"{recorder.fps:.1f} frames/s in the map, "
                    f"{percept.counts['gaussians']:,d} Gaussians, "
                    f"{process.memory_info().rss / 1e6:.0f} MB",
                    refresh=False,
                )


def file_name(name: str) -> str:
    """A source's name as the name of a folder."""
    return re.sub(r"[^\w.-]+", "_", Path(name).name).strip("._") or "run"
