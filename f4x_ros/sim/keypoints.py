# SPDX-License-Identifier: Apache-2.0
"""Named points of the worlds' things: the same place on every instance of a class.

They are read off the parts an instance is built of, so they follow its sizes: "the tip of the
spout" is where that part reaches farthest forwards and up. Left and right are the thing's own, as
it looks; of what has no front they are those of somebody before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError
from f4x_ros.sim.mesh import rotation
from f4x_ros.sim.shapes import CLASSES, Parts

_AXIAL_STEPS = 36  # turns that stand for all of them where every turn looks the same
_EDGE = 0.02  # vertices so near the farthest one, as a share of the reach, share a tip


class _Tip(NamedTuple):
    """Where some parts reach farthest; a flat end gives its middle."""

    way: tuple[float, float, float]
    parts: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Keypoints:
    """The K named points of one instance, in its own frame [m].

    Attributes:
        names: K names.
        points: ``[K, 3]``.
        equivalents: ``[S, K, 3]`` all ways to name them that look the same, the first is `points`:
            a bottle may be turned as one likes, a table by half a turn.
    """

    names: tuple[str, ...]
    points: NDArray[np.float64]
    equivalents: NDArray[np.float64]


def keypoints_of(cls: str, size: Mapping[str, float]) -> Keypoints:
    """The keypoints of an instance of a class, made with these sizes.

    Raises:
        ValueError: no keypoints are known of the class; names it and those that have some.
    """
    build = CLASSES[cls].build if cls in CLASSES else None
    if cls not in _TIPS or build is None:
        raise BadInputError(f"class {cls!r} has no keypoints, expected one of {KEYPOINT_CLASSES}")
    parts = build(**size)
    points = np.stack([_reach(parts, tip) for tip in _TIPS[cls].values()])
    turns = [rotation("z", 2 * np.pi * k / _TURNS.get(cls, 1)).T for k in range(_TURNS.get(cls, 1))]
    return Keypoints(tuple(_TIPS[cls]), points, np.stack([points @ turn for turn in turns]))


def _reach(parts: Parts, tip: _Tip) -> NDArray[np.float64]:
    corners = np.concatenate([parts[k].mesh.vertices for k in tip.parts]).astype(np.float64)
    corners = np.unique(corners.round(7), axis=0)
    far = corners @ np.asarray(tip.way)
    return np.asarray(corners[far >= far.max() - _EDGE * np.ptp(far)].mean(0))


def _tip(x: float, y: float, z: float, *parts: int) -> _Tip:
    return _Tip((x, y, z), parts)


# The numbers are places in the list of parts that the class's function returns.
_TIPS: dict[str, dict[str, _Tip]] = {
    "mug": {
        "handle": _tip(1, 0, 0, 1),
        "rim opposite": _tip(-1, 0, 1, 0),
        "rim left": _tip(0, 1, 1, 0),
        "rim right": _tip(0, -1, 1, 0),
    },
    "teapot": {
        "spout": _tip(1, 0, 1, 3),
        "handle": _tip(-1, 0, 0, 4),
        "knob": _tip(0, 0, 1, 2),
    },
    "kettle": {
        "spout": _tip(1, 0, 1, 2),
        "handle": _tip(-1, 0, 0, 5),
        "knob": _tip(0, 0, 1, 4),
        "foot": _tip(1, 0, -1, 0),
    },
    "pan": {
        "handle": _tip(1, 0, 0, 2),
        "rim opposite": _tip(-1, 0, 1, 0),
        "rim left": _tip(0, 1, 1, 0),
        "rim right": _tip(0, -1, 1, 0),
    },
    "toy car": {
        "front left": _tip(1, 0.8, 0.3, 0),
        "front right": _tip(1, -0.8, 0.3, 0),
        "rear left": _tip(-1, 0.8, 0.3, 0),
        "rear right": _tip(-1, -0.8, 0.3, 0),
        "roof": _tip(0, 0, 1, 2),
    },
    "rubber duck": {
        "beak": _tip(1, 0, 0, 2),
        "head": _tip(0, 0, 1, 1),
        "tail": _tip(-1, 0, 0.3, 5),
        "left wing": _tip(0, 1, 0, 6),
        "right wing": _tip(0, -1, 0, 7),
    },
    "teddy bear": {
        "nose": _tip(0, -1, 0, 4),
        "right ear": _tip(-0.3, 0, 1, 5),
        "left ear": _tip(0.3, 0, 1, 9),
        "right hand": _tip(-1, 0, 0, 6),
        "left hand": _tip(1, 0, 0, 10),
        "right foot": _tip(0, -1, 0, 7),
        "left foot": _tip(0, -1, 0, 11),
    },
    "toy airplane": {
        "nose": _tip(1, 0, 0, 4),
        "left wing": _tip(0, 1, 0, 1),
        "right wing": _tip(0, -1, 0, 1),
        "fin": _tip(-0.3, 0, 1, 2),
    },
    "laptop": {
        "lid left": _tip(-1, 0, 1, 1),
        "lid right": _tip(1, 0, 1, 1),
        "front left": _tip(-1, -1, 0, 0),
        "front right": _tip(1, -1, 0, 0),
    },
    "monitor": {
        "top left": _tip(-1, -0.2, 1, 0),
        "top right": _tip(1, -0.2, 1, 0),
        "bottom left": _tip(-1, -0.2, -1, 0),
        "bottom right": _tip(1, -0.2, -1, 0),
        "foot": _tip(0, -1, 0.2, 3),
    },
    "hammer": {
        "grip": _tip(-1, 0, 0, 0),
        "face": _tip(0, 1, 0, 1),
        "claw": _tip(0, -1, 0, 3, 4),
    },
    "shoe": {
        "toe": _tip(1, 0, 0, 0),
        "heel": _tip(-1, 0, 0, 0),
        "tongue": _tip(0, 0, 1, 5),
        "collar": _tip(-1, 0, 0.5, 2),
    },
    "banana": {"tip": _tip(-1, 0, 0, 1), "stalk": _tip(1, 0, 0, 2)},
    "clock": {
        "right bell": _tip(-0.3, 0, 1, 3),
        "left bell": _tip(0.3, 0, 1, 5),
        "right foot": _tip(0, 0, -1, 4),
        "left foot": _tip(0, 0, -1, 6),
        "dial": _tip(0, -1, 0, 1),
    },
    "bottle": {"cap": _tip(0, 0, 1, 1), "label": _tip(1, 0, 0, 2)},
    "desk lamp": {
        "foot": _tip(1, 0, -1, 0),
        "shade below": _tip(1, 0, -1, 2),
        "shade above": _tip(1, 0, 2, 2),
    },
    "chair": {
        "front right foot": _tip(-1, -1, -1, 1),
        "back right foot": _tip(-1, 1, -1, 2),
        "back right top": _tip(-1, 0, 1, 3),
        "front left foot": _tip(1, -1, -1, 4),
        "back left foot": _tip(1, 1, -1, 5),
        "back left top": _tip(1, 0, 1, 6),
        "seat right": _tip(-1, -1, 1, 0),
        "seat left": _tip(1, -1, 1, 0),
    },
    "sofa": {
        "right arm": _tip(-1, -1, 1, 2),
        "left arm": _tip(1, -1, 1, 6),
        "back right": _tip(-1, 1, 1, 1),
        "back left": _tip(1, 1, 1, 1),
    },
    "table": {
        "corner 1": _tip(1, 1, 1, 0),
        "corner 2": _tip(-1, 1, 1, 0),
        "corner 3": _tip(-1, -1, 1, 0),
        "corner 4": _tip(1, -1, 1, 0),
    },
    "bed": {
        "head right": _tip(-1, 0, 1, 1),
        "head left": _tip(1, 0, 1, 1),
        "foot right": _tip(-1, -1, 1, 0),
        "foot left": _tip(1, -1, 1, 0),
    },
    "dog": {
        "nose": _tip(1, 0, 0, 5),
        "tail": _tip(0, 0, 1, 6),
        "right ear": _tip(0, -0.3, 1, 7),
        "left ear": _tip(0, 0.3, 1, 13),
        "front right paw": _tip(1, 0, 0, 10),
        "back right paw": _tip(1, 0, 0, 12),
        "front left paw": _tip(1, 0, 0, 16),
        "back left paw": _tip(1, 0, 0, 18),
    },
    "cat": {
        "nose": _tip(1, 0, 0, 4),
        "right ear": _tip(0, 0, 1, 7),
        "left ear": _tip(0, 0, 1, 14),
        "right paw": _tip(1, 0, 0, 12),
        "left paw": _tip(1, 0, 0, 19),
    },
    "guitar": {
        "head": _tip(0, 0, 1, 6),
        "sound hole": _tip(0, -1, 0, 2),
        "left side": _tip(1, 0, 0, 0),
        "right side": _tip(-1, 0, 0, 0),
    },
    "backpack": {
        "pocket": _tip(0, -1, 0, 1),
        "loop": _tip(0, 0, 1, 3),
        "right strap": _tip(0, 1, 0, 6),
        "left strap": _tip(0, 1, 0, 8),
        "right bag": _tip(-1, 0, 0, 7),
        "left bag": _tip(1, 0, 0, 9),
    },
    "suitcase": {
        "grip right": _tip(-1, 0, 1, 21),
        "grip left": _tip(1, 0, 1, 21),
        "front right": _tip(-1, -1, -1, 0),
        "front left": _tip(1, -1, -1, 0),
        "rear right": _tip(-1, 1, -1, 0),
        "rear left": _tip(1, 1, -1, 0),
    },
    "hand truck": {
        "plate right": _tip(-1, -1, 0, 3),
        "plate left": _tip(1, -1, 0, 3),
        "bow right": _tip(-1, 0, 1, 2),
        "bow left": _tip(1, 0, 1, 2),
        "right wheel": _tip(0, 1, 0, 5),
        "left wheel": _tip(0, 1, 0, 7),
    },
    "bicycle": {
        "saddle": _tip(-1, 0, 1, 2),
        "right grip": _tip(0, -1, 0, 4),
        "left grip": _tip(0, 1, 0, 5),
        "rear wheel": _tip(-1, 0, 0, 10),
        "front wheel": _tip(1, 0, 0, 13),
    },
    "robot": {
        "antenna": _tip(0, 0, 1, 9),
        "tray": _tip(1, 0, 0, 7),
        "right hand": _tip(1, 0, 0, 12),
        "left hand": _tip(1, 0, 0, 17),
    },
    "bench": {
        "seat right": _tip(-1, -1, 1, 0),
        "seat left": _tip(1, -1, 1, 0),
        "back right": _tip(-1, 0, 1, 6),
        "back left": _tip(1, 0, 1, 6),
    },
    "fire extinguisher": {
        "lever": _tip(1, 0, 0, 4),
        "horn": _tip(0, 0, -1, 6),
        "gauge": _tip(0, -1, 0, 7),
    },
}

_TURNS = {"bottle": _AXIAL_STEPS, "desk lamp": _AXIAL_STEPS, "table": 2}

#: Classes whose keypoints are known.
KEYPOINT_CLASSES: tuple[str, ...] = tuple(_TIPS)
