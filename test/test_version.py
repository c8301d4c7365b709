# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from importlib import metadata
from pathlib import Path

import pytest

import f4x_ros

PATTERNS = {
    "pyproject.toml": r'^version = "(.+)"$',
    "f4x_ros/__init__.py": r'^__version__ = "(.+)"$',
    "CHANGELOG.rst": r"^(\d+\.\d+\.\d+)\b",  # the first, that is the newest
}


@pytest.mark.parametrize("file", PATTERNS)
def test_the_version_is_the_same_in_every_file(root: Path, file: str) -> None:
    found = re.search(PATTERNS[file], (root / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    assert found[1] == f4x_ros.__version__


def test_package_xml_carries_the_version(root: Path) -> None:
    assert ElementTree.parse(root / "package.xml").findtext("version") == f4x_ros.__version__


def test_the_installed_package_has_the_version() -> None:
    assert metadata.version("f4x-ros") == f4x_ros.__version__


def test_the_newest_changelog_entry_is_underlined_in_full(root: Path) -> None:
    # catkin_generate_changelog and catkin_prepare_release read this layout
    found = re.search(
        r"^(\d+\.\d+\.\d+ \(.+\))\n(-+)$",
        (root / "CHANGELOG.rst").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert found is not None
    assert len(found[1]) == len(found[2])
