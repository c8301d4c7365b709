# SPDX-License-Identifier: Apache-2.0
"""A picture of every class, two variants each: ``python -m f4x_ros.sim.catalogue``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera
from f4x_ros.core.errors import BadInputError
from f4x_ros.sim.materials import PALETTE, Material
from f4x_ros.sim.mesh import merged
from f4x_ros.sim.motion import Pose, look_at, pose_from
from f4x_ros.sim.raycast import Raycaster
from f4x_ros.sim.scene import Light, Room, SceneSpec, Thing, build_scene
from f4x_ros.sim.shapes import CLASSES
from f4x_ros.sim.textures import Solid

_FOV_RAD = 0.50
_FLOOR = Material(Solid((0.34,) * 3))
_WALL = Material(Solid((0.50,) * 3))
_SHADES = 8  # step of brightness; fewer shades make a much smaller file
_NAME_PX = 17  # height of a strip with a name


def variant(cls: str, number: int) -> Thing:
    """Variant ``number`` of a class: its usual look, then others drawn from its ranges.

    Raises ValueError for a class that is not in the table or is part of the room.
    """
    known = CLASSES.get(cls)
    if known is None or known.build is None:
        names = sorted(name for name, of in CLASSES.items() if of.build)
        raise BadInputError(f"class {cls!r}, expected one of {names}")
    rng = np.random.default_rng([number, *cls.encode()])
    colors = known.colors or tuple(PALETTE)
    color = colors[(number if known.colors else int(rng.integers(len(colors)))) % len(colors)]
    if number == 0:
        return Thing(cls, color, 0, 0)
    finishes = known.finishes or (known.finish,)
    sizes = {name: float(rng.uniform(low, high)) for name, (low, high) in known.sizes.items()}
    finish = finishes[int(rng.integers(len(finishes)))]
    return Thing(cls, color, 0, 0, size=sizes, finish=finish)


def draw(thing: Thing, side_px: int = 104) -> NDArray[np.uint8]:
    """A square picture ``[side_px, side_px, 3]`` of one thing on a neutral floor, or on a wall."""
    on_wall = CLASSES[thing.cls].where == "wall"
    points = _points(thing)
    reach = float(np.linalg.norm(np.ptp(points, axis=0))) / 2
    room = 60 * reach
    at = (0.0, room / 2 - 0.001, room / 3) if on_wall else (0.0, 0.0, -float(points[:, 2].min()))
    # Furniture has its front at -y, what walks and drives at +x: look from between the two.
    T_map_camera = _framed(points + at, (0.25, -1.0, 0.15) if on_wall else (0.75, -0.85, 0.55))
    scene = SceneSpec(
        room=Room((room, room, room), _FLOOR, _WALL, _WALL),
        things=(replace(thing, x=at[0], y=at[1], z=at[2]),),
        lights=_lights((points + at).mean(0), max(1.0, 3 * reach)),
        ambient=(0.43,) * 3,
        camera=lambda t: T_map_camera,
    )
    focal = side_px / 2 / float(np.tan(_FOV_RAD / 2))
    camera = PinholeCamera(side_px, side_px, focal, focal, side_px / 2, side_px / 2)
    return Raycaster(build_scene(scene)).draw(camera, T_map_camera, 0.0, 0).rgb


def _points(thing: Thing) -> NDArray[np.float64]:
    """All corners ``[N, 3]`` of a thing in its own frame."""
    build = CLASSES[thing.cls].build
    parts = build(**thing.size) if build else []
    return merged([part.mesh for part in parts]).vertices.astype(np.float64)


def _framed(points: NDArray[np.float64], way: tuple[float, float, float]) -> Pose:
    """``T_map_camera`` that looks against ``way`` and sees all points with a margin."""
    back = np.asarray(way) / np.linalg.norm(way)
    axes = look_at(back, (0, 0, 0))[:3, :3]
    seen = points @ axes  # right, down, away
    slope = np.tan(_FOV_RAD / 2) * 0.93
    middle = (seen.max(0) + seen.min(0)) / 2
    for _ in range(3):  # the middle of the picture depends on the distance a little
        offset = np.abs(seen[:, :2] - middle[:2]).max(1)
        distance = float((offset / slope - seen[:, 2]).max())
        shown = (seen[:, :2] - middle[:2]) / (seen[:, 2] + distance)[:, None]
        middle[:2] += (shown.max(0) + shown.min(0)) / 2 * (middle[2] + distance)
    eye = axes @ np.array([middle[0], middle[1], -distance])
    return pose_from(axes, eye)


def _lights(middle: NDArray[np.float64], distance: float) -> tuple[Light, ...]:
    """A key light from the upper right and a weak one from the left, equally bright at any size."""
    lights = []
    for way, tone in (
        ((0.35, -0.6, 0.72), (0.97,) * 3),
        ((-0.7, -0.6, 0.4), (0.22,) * 3),
    ):
        x, y, z = (middle + distance * np.asarray(way)).tolist()
        gain = 0.75 * (1 + distance**2) / 4  # undoes the fall-off of the shader
        r, g, b = (gain * channel for channel in tone)
        lights.append(Light((x, y, z), (r, g, b), 0.008 * distance))
    return tuple(lights)


def catalogue(
    classes: Sequence[str] | None = None, variants: int = 2, side_px: int = 104, columns: int = 6
) -> NDArray[np.uint8]:
    """All classes (or some) in a grid, each with its variants side by side under its name."""
    names = classes or [name for name, made in CLASSES.items() if made.build]
    cells = []
    for cls in names:
        pictures = [draw(variant(cls, number), side_px) for number in range(variants)]
        cell = np.concatenate([np.full((_NAME_PX, variants * side_px, 3), 30, np.uint8),
                               np.concatenate(pictures, 1)])  # fmt: skip
        place = (4, _NAME_PX - 5)
        cv2.putText(cell, cls, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235,) * 3, 1, cv2.LINE_AA)
        cells.append(cell)
    empty = np.full_like(cells[0], 30)
    cells += [empty] * (-len(cells) % columns)
    rows = [np.concatenate(cells[k : k + columns], 1) for k in range(0, len(cells), columns)]
    return np.concatenate(rows)


def write_catalogue(path: Path, image: NDArray[np.uint8]) -> None:
    """Write the picture as a PNG of few shades; raises OSError if it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    few = np.minimum((image.astype(np.int32) + _SHADES // 2) // _SHADES * _SHADES, 255)
    if not cv2.imwrite(
        str(path), few.astype(np.uint8)[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9]
    ):
        raise OSError(f"cannot write {path}")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m f4x_ros.sim.catalogue")
    parser.add_argument("classes", nargs="*", help="only these classes")
    parser.add_argument("--out", type=Path, default=Path("doc/img/catalogue.png"))
    parser.add_argument("--variants", type=int, default=2, help="pictures of each class")
    parser.add_argument("--side", type=int, default=104, help="pixels of a picture's side")
    parser.add_argument("--columns", type=int, default=6, help="classes in a row")
    arguments = parser.parse_args()
    try:
        image = catalogue(arguments.classes, arguments.variants, arguments.side, arguments.columns)
    except ValueError as error:
        parser.error(str(error))
    write_catalogue(arguments.out, image)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
