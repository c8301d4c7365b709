# SPDX-License-Identifier: Apache-2.0
"""The map on disk: whole maps and pages of them; schema, checks, export.

In: a field and what belongs to it. Out: files that are whole or not there, without pickle.
"""

from __future__ import annotations

from f4x_ros.core.files import map_file
from f4x_ros.core.files.pages import PageFolder

__all__ = ["PageFolder", "map_file"]
