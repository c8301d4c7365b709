# SPDX-License-Identifier: Apache-2.0
"""Write a recording, or a drawn world, as a ROS 2 bag.

A frame that cannot be read costs itself and is counted.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from f4x_ros.cli.sources import SOURCE_HELP, add_topic_arguments, topic_options

if TYPE_CHECKING:
    from f4x_ros.eval.subjects.report import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", help=SOURCE_HELP)
    parser.add_argument("bag", help="new bag: a folder, or a file NAME.mcap or NAME.db3")
    parser.add_argument("--storage", choices=("mcap", "sqlite3"), help="default: by name, or mcap")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="first frame")
    parser.add_argument("--frames", type=int, default=0, metavar="N", help="so many; 0 = all")
    add_topic_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from f4x_ros.cli.progress import progress_bar
    from f4x_ros.cli.run import say_remarks
    from f4x_ros.cli.sources import open_part
    from f4x_ros.core.base import LeftOut
    from f4x_ros.eval.subjects.report import few_used_text, left_out_lines
    from f4x_ros.io import write_bag

    source = open_part(options.source, options.start, options.frames, topic_options(options))
    said = say_remarks(source.name, source.remarks)
    with progress_bar(len(source), "writing") as bar:

        def show(done: int, total: int) -> None:
            bar.update(done - bar.n)

        written = write_bag(source, options.bag, options.storage, show)
    say_remarks(source.name, source.remarks[said:])  # what only the frames have shown
    path = written.path
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    size = sum(file.stat().st_size for file in files)
    print(f"{written.frames} frames of {source.name} are in {path} ({size / 1e6:.1f} MB).")
    left_out = LeftOut()
    left_out.extend(source.left_out)
    left_out.extend(written.lost)
    report: Report = {
        "frames": written.frames,
        "frames_there": source.frames_there,
        "left_out": left_out.counts,
        "left_out_first_ns": left_out.first_ns,
    }
    if lines := left_out_lines(report, written.why):
        print(f"Left out of {source.name}:")
        print("\n".join(f"  {line}" for line in lines))
    if few := few_used_text(report, written.why):
        print(few)
    return 0
