# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="no ROS 2 here")

from f4x_ros.core.config import Config
from f4x_ros.ros.parameters import OPTIONS


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Join the keys of nested maps by dots, as rcl does."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


@pytest.fixture
def params_file(root: Path) -> Path:
    return root / "config" / "perception.yaml"


def test_the_parameter_file_is_what_the_code_defines(root: Path, params_file: Path) -> None:
    written = runpy.run_path(str(root / "tools" / "write_params.py"))["render"]()
    assert params_file.read_text(encoding="utf-8") == written, "run tools/write_params.py"


def test_the_parameter_file_has_every_parameter_with_its_default(params_file: Path) -> None:
    read = flat(yaml.safe_load(params_file.read_text())["/**"]["ros__parameters"])
    defaults = {o.name: o.default for o in OPTIONS}
    defaults |= {p.name: p.default for p in Config.parameters()}
    assert read == defaults
    # rcl tells an integer from a float by the point
    assert {n: type(v) for n, v in read.items()} == {n: type(v) for n, v in defaults.items()}
