# SPDX-License-Identifier: Apache-2.0
"""Draw a saved map from any view at any moment, or one view at several moments as a strip.

f4x render map.f4x --at -2 --out then.png
f4x render map.f4x --at 1,2,3,4 --orbit 30 --prompt mug --boxes --out strip.png
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from f4x_ros.cli.moment import since_first, view_of
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from f4x_ros.core.data import Pose, ShownView, Track
    from f4x_ros.core.perception import Perception

_MAX_MOMENTS = 12  # of a strip
_READABLE_PX = 640  # width from which on names can be read


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("map", help="a file map.f4x, as left by `f4x run`")
    parser.add_argument("--out", required=True, metavar="PNG", help="the picture")
    parser.add_argument(
        "--at", default="", metavar="SECONDS,...",
        help="the moment, or several of them for a strip: seconds since the first frame, negative: "
        "before the last one (default: the last frame)",
    )  # fmt: skip
    parser.add_argument(
        "--view", metavar="VIEW",
        help="x,y,z,tx,ty,tz: look from x,y,z at tx,ty,tz, metres in the map frame; SECONDS: as "
        "the camera did then (default: as it did at the moment, in a strip at its last one)",
    )  # fmt: skip
    parser.add_argument(
        "--orbit", type=float, default=0.0, metavar="DEGREES",
        help="turn the view about what is in its middle; positive: the camera goes to the right",
    )  # fmt: skip
    parser.add_argument(
        "--prompt", action="append", default=[], metavar="TEXT",
        help="tint what answers to this; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--masks", action="store_true", help="tint what answers to the prompts of the map"
    )
    parser.add_argument(
        "--boxes", action="store_true",
        help="draw the boxes of what was followed, or of what answers to the prompts",
    )  # fmt: skip
    parser.add_argument(
        "--width", type=int, default=0, metavar="PIXELS",
        help="of a picture, 0 to 2048 (default: that of the camera)",
    )  # fmt: skip
    parser.add_argument(
        "--depth", metavar="PNG", help="write the depth, too: 16 bits, millimetres, 0 = nothing"
    )
    parser.add_argument(
        "--labels", metavar="PNG",
        help="write the labels, too: 16 bits, 0 background, 1.. the prompts, 65535 = nothing",
    )  # fmt: skip
    parser.add_argument(
        "--points", metavar="NPZ",
        help="write the point map, too: xyz [H,W,3] m, and its scene flow, velocity [H,W,3] m/s",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    import numpy as np

    from f4x_ros.core.base import atomic_write
    from f4x_ros.core.perception import Perception
    from f4x_ros.viz.png import save_png
    from f4x_ros.viz.strip import strip

    perception = Perception.load(options.map)
    span = perception.span_ns
    stamps = _moments(options.at, span)
    view = _view(options.view, perception, stamps)
    wants_labels = bool(options.prompt or options.masks or options.labels)
    shown = [
        perception.show(
            ns, view, orbit_rad=math.radians(options.orbit), width=options.width,
            prompts=options.prompt or None, want_labels=wants_labels,
            want_velocity=bool(options.points),
        )
        for ns in stamps
    ]  # fmt: skip
    pictures = [
        _picture(one, perception, asked=options.prompt, masks=options.masks, boxes=options.boxes)
        for one in shown
    ]  # fmt: skip
    captions = [f"{(one.stamp_ns - span[0]) / 1e9:.2f} s" for one in shown]
    drawn = pictures[0] if len(pictures) == 1 else strip(pictures, captions)
    save_png(Path(options.out).expanduser(), drawn)
    print(f"The picture is in {options.out}: {', '.join(captions)} of {_s(span)} s.")
    for number, one in enumerate(shown, 1):
        suffix = f"_{number}" if len(shown) > 1 else ""
        if options.depth:
            millimetres = np.rint(one.depth * 1000).clip(0, 65535).astype(np.uint16)
            print(f"The depth is in {_write(options.depth, suffix, millimetres)}.")
        if options.points and one.velocity is not None:
            file = _numbered(options.points, suffix)
            with atomic_write(file) as out:
                np.savez_compressed(out, xyz=one.points(), velocity=one.velocity)
            print(f"Points and velocities are in {file}.")
        if options.labels and one.labels is not None:
            file = _write(options.labels, suffix, one.labels)
            named = ", ".join(f"{k} {text}" for k, text in enumerate(one.prompts, 1))
            print(f"The labels are in {file}: {named or 'no prompt'}.")
    return 0


def _moments(text: str, span_ns: tuple[int, int]) -> list[int]:
    """Stamps of `--at`."""
    if not text.strip():
        return [span_ns[1]]
    parts = text.split(",")
    if len(parts) > _MAX_MOMENTS:
        raise BadInputError(f"--at has {len(parts)} moments, expected at most {_MAX_MOMENTS}")
    return [since_first(part, span_ns, "--at") for part in parts]


def _view(text: str | None, perception: Perception, stamps: list[int]) -> Pose | None:
    """Where to look from; None = where the camera was at the moment."""
    if text is not None and "," in text:
        return view_of(text)
    if text is not None:
        return perception.viewpoint(None, since_first(text, perception.span_ns, "--view"))[1]
    return perception.viewpoint(None, stamps[-1])[1] if len(stamps) > 1 else None


def _picture(
    one: ShownView, perception: Perception, *, asked: Sequence[str], masks: bool, boxes: bool
) -> NDArray[np.uint8]:
    """Its colours; with masks or boxes enlarged, so that names can be read."""
    from f4x_ros.viz.overlay import overlay

    tinted = bool(asked or masks)
    if not tinted and not boxes:
        return one.color
    tracks: list[Track] = []
    for words in (asked or [""]) if boxes else []:
        then = perception.history(words, one.stamp_ns, one.stamp_ns, want_events=False)
        tracks += [thing.states[-1] for thing in then.things]
    return overlay(
        one.color,
        one.labels if tinted else None,
        one.prompts or perception.prompts,
        tracks=tracks,
        camera=one.camera,
        T_map_camera=one.T_map_camera,
        scale=max(1, round(_READABLE_PX / one.camera.width)),
        legend=tinted,
    )


def _write(path: str, suffix: str, pixels: NDArray[np.uint16]) -> Path:
    """An image of 16 bits, whole or not at all."""
    import cv2

    from f4x_ros.core.base import atomic_write

    file = _numbered(path, suffix)
    done, encoded = cv2.imencode(".png", pixels)
    if not done:
        raise BadInputError(f"picture {file} of shape {pixels.shape} cannot be encoded as PNG")
    with atomic_write(file) as out:
        out.write(encoded.tobytes())
    return file


def _numbered(path: str, suffix: str) -> Path:
    file = Path(path).expanduser()
    return file.with_stem(file.stem + suffix)


def _s(span_ns: tuple[int, int]) -> str:
    return f"0 to {(span_ns[1] - span_ns[0]) / 1e9:.2f}"
