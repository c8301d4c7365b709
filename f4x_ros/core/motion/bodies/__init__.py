# SPDX-License-Identifier: Apache-2.0
"""Things that move as a whole: found, aligned to each frame, carried with their Gaussians."""

from __future__ import annotations

from f4x_ros.core.motion.bodies.bodies import Bodies
from f4x_ros.core.motion.bodies.body import Body, BodyState
from f4x_ros.core.motion.bodies.motion import BodyMotion

__all__ = ["Bodies", "Body", "BodyMotion", "BodyState"]
