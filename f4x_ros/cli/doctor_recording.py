# SPDX-License-Identifier: Apache-2.0
"""`f4x doctor RECORDING`: prints what `io.survey` finds."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from f4x_ros.cli.sources import check_chosen, flags_of
from f4x_ros.cli.table import table

if TYPE_CHECKING:
    from f4x_ros.io.survey import Survey


def examine(path: str, chosen: dict[str, Any]) -> int:
    """Print all about a recording; 0 if it can be mapped, else 1.

    Raises:
        BadInputError: there is nothing, or nothing that is read.
    """
    from f4x_ros.io.survey import survey

    check_chosen(path, chosen)
    found = survey(path, chosen)
    print(f"{path}: {found.kind}")
    for part in found.tables:
        if part.rows:
            print(f"\n{part.title}\n\n{table(part.rows, part.header)}")
    _print_lines("How it is read", found.notes)
    _print_lines("What is wrong", list(dict.fromkeys(found.problems)))
    print()
    if found.frames:
        words = ["f4x", "run", path, *flags_of(chosen)]
        print(f"{found.frames} frames can be mapped:\n\n  {shlex.join(words)}")
        return 0
    print("No frame of it can be mapped as it is.")
    _print_example(path, found)
    return 1


def _print_lines(title: str, lines: list[str]) -> None:
    if lines:
        print(f"\n{title}\n")
        print("\n".join(f"  - {line}" for line in lines))


def _print_example(path: str, found: Survey) -> None:
    """A command that names what is what, where several topics could be the same."""
    candidates = next((p.rows for p in found.tables if p.title == "Who could be what"), [])
    flags = {"camera": "--image-topic", "depth": "--depth-topic", "pose": "--pose-topic"}
    by_role = {role: [row[1] for row in candidates if row[0] == role] for role in flags}
    words = [
        word
        for role, topics in by_role.items()
        for word in ([flags[role], *topics[:1]] if topics else [])
    ]
    if any(len(topics) > 1 for topics in by_role.values()):
        print(f"Name what is what, for instance:\n\n  {shlex.join(['f4x', 'run', path, *words])}")
