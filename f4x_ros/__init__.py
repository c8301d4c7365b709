# SPDX-License-Identifier: Apache-2.0
"""F4X: feature fields for perception with ROS 2.

`f4x_ros.core` is the method and knows no ROS; `f4x_ros.msg` and `f4x_ros.srv` are generated from
the `msg/` and `srv/` folders when the package is built. This module stays light, because every
import of a message passes through it.
"""

from __future__ import annotations

import os
import pkgutil
import sys

__version__ = "0.1.0"

# OpenMP's threads shall sleep while they wait and not spin on the cores of a robot's other
# processes: on two busy cores rendering is three times faster so. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A source checkout has no generated msg and srv and no compiled rasteriser, and it hides the
# installed package of the same name, which has them: look there, too, and where an editable install
# puts them.
__path__ = pkgutil.extend_path(__path__, __name__)
__path__.append(os.path.join(sys.prefix, "lib", "f4x_ros-editable"))


def _ensure_ament_prefix() -> None:
    """Let the ament index find this package in an environment that only pip filled.

    A sourced ROS 2 workspace lists our prefix in AMENT_PREFIX_PATH already; then nothing changes.
    """
    marker = os.path.join("share", "ament_index", "resource_index", "packages", "f4x_ros")
    listed = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    if any(os.path.exists(os.path.join(p, marker)) for p in listed):
        return
    if os.path.exists(os.path.join(sys.prefix, marker)):
        os.environ["AMENT_PREFIX_PATH"] = os.pathsep.join([*listed, sys.prefix])


_ensure_ament_prefix()
