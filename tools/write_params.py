# SPDX-License-Identifier: Apache-2.0
"""Write config/perception.yaml: every parameter of the node, what it means, its default.

usage: .venv/bin/python tools/write_params.py

The code is where the parameters are defined; test/test_params_file.py fails where the file differs.
"""

from __future__ import annotations

import json
import textwrap
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from f4x_ros.core.config import Config
from f4x_ros.ros.parameters import OPTIONS

PATH = Path(__file__).resolve().parents[1] / "config" / "perception.yaml"
HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# All parameters of the perception node with their defaults, written by tools/write_params.py from
# the code. For a robot, copy what differs into a file of its own and pass it as params_file.
/**:
  ros__parameters:
"""


class Entry(NamedTuple):
    """One parameter, of the node or of the core."""

    name: str
    default: bool | int | float | str | list[str] | list[float]
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    doc: str

    @property
    def group(self) -> str:
        """What stands before the dot, '' without one."""
        return self.name.rpartition(".")[0]

    def lines(self, indent: str) -> list[str]:
        """Comment and value as they stand in the file."""
        note = f"{self.doc}{self._range()}"
        key = self.name.rpartition(".")[2]
        comment = textwrap.wrap(note, 98 - len(indent))
        return [*(f"{indent}# {line}" for line in comment), f"{indent}{key}: {self._value()}"]

    def _range(self) -> str:
        if self.choices:
            return f" ({', '.join(self.choices)})"
        if self.low is None and self.high is None:
            return ""
        if self.high is None:
            return f" (at least {self.low:g})"
        if self.low is None:
            return f" (at most {self.high:g})"
        return f" ({self.low:g} to {self.high:g})"

    def _value(self) -> str:
        return json.dumps(self.default, ensure_ascii=False)  # JSON is YAML, its floats have a point


def render() -> str:
    """Return the text of the file."""
    own = [Entry(o.name, o.default, o.low, o.high, o.choices, o.doc) for o in OPTIONS]
    core = [Entry(*p) for p in Config.parameters()]
    # (a stable sort: the groups in the order of their first parameter, those without one first)
    entries = [*own, *core]
    order = {group: at for at, group in reversed(list(enumerate(e.group for e in entries)))}
    entries.sort(key=lambda e: (e.group != "", order[e.group]))
    lines = []
    for group, members in groupby(entries, key=lambda e: e.group):
        if group:
            lines.append(f"    {group}:")
        indent = "      " if group else "    "
        lines += [line for entry in members for line in entry.lines(indent)]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
    print(f"wrote {PATH}")
