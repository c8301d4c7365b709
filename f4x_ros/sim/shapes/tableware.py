# SPDX-License-Identifier: Apache-2.0
"""Things on a table to eat and drink from."""

from __future__ import annotations

import numpy as np

from f4x_ros.sim.mesh import arc, cylinder, lathe, sphere, tube
from f4x_ros.sim.shapes.part import Part, Parts


def mug(radius: float = 0.043, height: float = 0.1) -> Parts:
    """A cup with a ring handle on +x."""
    wall = 0.004
    r, top = radius, radius * 1.03
    profile = [
        (0, 0), (r * 0.92, 0), (r, 0.006), (top, height),
        (top - wall, height), (r - wall, 0.008), (0, 0.008),
    ]  # fmt: skip
    handle = arc(height * 0.3, -1.5, 1.5, (r * 0.95, 0, height * 0.52))
    return [Part(lathe(profile), "body"), Part(tube(handle, 0.0065), "body")]


def bowl(radius: float = 0.09, height: float = 0.062) -> Parts:
    """A round open bowl."""
    t = np.linspace(0, np.pi / 2, 8)
    foot = radius * 0.45
    outside = np.stack([foot + (radius - foot) * np.sin(t), height * (1 - np.cos(t)) + 0.006], -1)
    inside = outside[::-1] - [0.005, -0.004]
    profile = np.concatenate([[(0, 0), (foot, 0)], outside, inside, [(0, 0.012)]])
    return [Part(lathe(profile, 36), "body")]


def bottle(radius: float = 0.038, height: float = 0.26) -> Parts:
    """A bottle with a neck, a cap and a paper label."""
    r, h = radius, height
    glass = [
        (0, 0), (r * 0.95, 0), (r, 0.008), (r, h * 0.6), (r * 0.9, h * 0.66),
        (r * 0.38, h * 0.8), (r * 0.35, h * 0.93), (0, h * 0.93),
    ]  # fmt: skip
    label = [(r * 1.01, h * 0.2), (r * 1.01, h * 0.42)]
    return [
        Part(lathe(glass), "body"),
        Part(cylinder(r * 0.42, h * 0.07, h * 0.93), "cap"),
        Part(lathe(label), "paper"),
    ]


def teapot(radius: float = 0.075) -> Parts:
    """A round teapot: spout on +x, handle on -x, a lid with a knob."""
    r = radius
    t = np.linspace(-1.25, 1.2, 14)
    belly = np.stack([r * np.cos(t), r * 0.85 * (np.sin(t) + 0.95)], -1)
    rim, top = belly[-1]
    profile = np.concatenate([[(0, belly[0, 1])], belly, [(0, top + 0.002)]])
    lid = [(rim * 1.05, top), (rim * 0.5, top + r * 0.18), (0, top + r * 0.2)]
    spout = [
        (r * 0.8, 0, r * 0.5),
        (r * 1.25, 0, r * 0.7),
        (r * 1.4, 0, r * 1.15),
        (r * 1.65, 0, r * 1.45),
    ]
    handle = arc(r * 0.5, 1.7, 4.6, (-r * 0.95, 0, r * 0.9))
    return [
        Part(lathe(profile), "body"),
        Part(lathe(lid), "body"),
        Part(sphere(r * 0.14, (0, 0, top + r * 0.3), sides=12, rings=8), "body"),
        Part(tube(spout, np.array([0.24, 0.16, 0.12, 0.1]) * r), "body"),
        Part(tube(handle, r * 0.09), "body"),
    ]


def apple(radius: float = 0.042) -> Parts:
    """An apple with a stem."""
    t = np.linspace(-np.pi / 2, np.pi / 2, 16)
    ring = radius * np.cos(t).clip(0) ** 0.8 * (1 + 0.08 * np.sin(t))
    z = radius * 0.92 * np.sin(t)
    z -= np.sign(z) * radius * 0.25 * np.exp(-((ring / (radius * 0.35)) ** 2))
    ring[[0, -1]] = 0
    stem = [(0, 0, radius * 1.4), (0.003, 0, radius * 1.75), (0.007, 0, radius * 2.0)]
    return [
        Part(lathe(np.stack([ring, z + radius * 0.85], -1)), "body"),
        Part(tube(stem, 0.0022, 6), "bark"),
    ]
