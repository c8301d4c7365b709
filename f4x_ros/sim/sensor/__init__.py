# SPDX-License-Identifier: Apache-2.0
"""What a real camera does to the exact picture of a world."""

from __future__ import annotations

from f4x_ros.sim.sensor.model import EFFECTS, Observation, Sensor

__all__ = ["EFFECTS", "Observation", "Sensor"]
