# SPDX-License-Identifier: Apache-2.0
"""Where frames come from without a running ROS: folders, bags and drawn worlds.

A source is duck-typed: ``len(source)``, ``source[i] -> Frame``, ``source.name``, ``source.close()``
and, where exact ground truth exists, ``source.truth(i)``.
"""

from __future__ import annotations

from f4x_ros.io.bag_writer import write_bag
from f4x_ros.io.open import open_source
from f4x_ros.io.source import START_NS, Source

__all__ = ["START_NS", "Source", "open_source", "write_bag"]
