# SPDX-License-Identifier: Apache-2.0
"""Running `f4x` in this process, quickly, and what it says of bad input."""

from __future__ import annotations

from pathlib import Path

import pytest
from eval_scene import QUICK

from f4x_ros.cli import main as cli

QUICKLY = [
    word
    for name in (
        *("features.extractor", "mapping.resolution"),
        *("mapping.iterations", "mapping.keyframe_iterations"),
    )
    for word in ("--set", f"{name}={QUICK.to_dotted()[name]}")
]


def run_quickly(recording: Path, out: Path) -> Path:
    """Map a recording with two prompts; where the results are."""
    prompts = ["--prompt", "red thing", "--prompt", "grey thing"]
    code = cli.main(["run", str(recording), *prompts, "--out", str(out), *QUICKLY])
    assert code == 0
    return out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that says what is wrong with the input."""
    assert cli.main(arguments) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("f4x: ")]
    assert len(errors) == 1
    return errors[0]
