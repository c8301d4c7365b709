# SPDX-License-Identifier: Apache-2.0
"""Ask a saved map: in words, by a picture, or for what resembles an object.

What follows a minus sign is excluded: f4x query map.f4x "mug -red". Several texts are answered at
once. If one of them is not understood, the others are answered, and the exit code is 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from f4x_ros.cli.moment import add_map_argument, add_moment_arguments, nanoseconds, view_of
from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from f4x_ros.core.data import Pose, QueryResult
    from f4x_ros.core.perception import Perception


_NOT_UNDERSTOOD = "not understood"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_map_argument(parser)
    parser.add_argument("text", nargs="*", help='what to look for, e.g. "mug" "chair -wooden"')
    parser.add_argument(
        "--example", metavar="PICTURE", help="look for what this picture shows, cut to it"
    )
    parser.add_argument(
        "--like", type=int, default=0, metavar="ID", help="look for what resembles this object"
    )
    parser.add_argument(
        "--threshold", type=float, default=0.0, metavar="SCORE",
        help="score 0..1 that counts as found; 0 = calibrated (default)",
    )  # fmt: skip
    parser.add_argument(
        "--top", type=int, default=0, metavar="N", help="at most so many objects; 0 = all (default)"
    )
    add_moment_arguments(parser)
    parser.add_argument(
        "--json", action="store_true", help="print the answers as one JSON document, nothing else"
    )
    parser.add_argument("--out", metavar="PNG", help="write the mask, grey 0..255 = 0..1")
    parser.add_argument(
        "--picture", metavar="PNG", help="write the map as seen from there, mask and boxes on it"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    stamp_ns, view = nanoseconds(options.stamp), view_of(options.view)
    _check_one_way(options)

    from f4x_ros.core.perception import Perception

    perception = Perception.load(options.map)
    if stamp_ns < 0:
        stamp_ns += perception.stamp_ns
    how = _How(options.threshold, stamp_ns, view, options.top)
    misunderstood: dict[str, str] = {}
    if options.text:
        misunderstood = perception.misunderstood(options.text)
        known = [text for text in options.text if text.strip() not in misunderstood]
        results = perception.query_all(known, **how._asdict())
    else:
        example = _picture(options.example) if options.example else None
        one = perception.query(example=example, like_object=options.like, **how._asdict())
        results = [one]
    told = _in_order(options.text, results, misunderstood)
    if not options.json:
        print("\n\n".join(_answer(one) for one in told))
    about_files = sys.stderr if options.json else sys.stdout
    for number, result in enumerate(told, 1):
        if isinstance(result, _NotUnderstood):
            continue
        suffix = f"_{number}" if len(told) > 1 else ""
        if options.out:
            file = _numbered(options.out, suffix)
            _write_mask(file, result)
            print(f"\nThe mask of '{result.prompt}' is in {file}.", file=about_files)
        if options.picture:
            file = _numbered(options.picture, suffix)
            _write_picture(file, perception, result)
            print(f"\nThe picture of '{result.prompt}' is in {file}.", file=about_files)
    if options.json:  # last: nothing is printed if a file cannot be written
        print(json.dumps([_as_json(one) for one in told], indent=2, allow_nan=False))
    return 2 if misunderstood else 0


class _NotUnderstood(NamedTuple):
    """A text that cannot be asked for, and why."""

    prompt: str
    message: str


def _in_order(
    texts: Sequence[str], results: Sequence[QueryResult], misunderstood: Mapping[str, str]
) -> list[QueryResult | _NotUnderstood]:
    """Answers in the order of the texts, with what was not understood in its place."""
    answers = iter(results)
    if not texts:
        return list(answers)
    return [
        _NotUnderstood(text.strip(), misunderstood[text.strip()])
        if text.strip() in misunderstood
        else next(answers)
        for text in texts
    ]


class _How(NamedTuple):
    """Arguments that all ways of asking share."""

    threshold: float
    stamp_ns: int
    view: Pose | None
    max_results: int


def _check_one_way(options: argparse.Namespace) -> None:
    given = bool(options.text) + (options.example is not None) + (options.like != 0)
    if given != 1:
        raise BadInputError(
            f"{'nothing' if not given else 'more than one thing'} to look for, expected one of "
            "texts, --example or --like"
        )


def _presence(result: QueryResult) -> str:
    """In words: present, not present, unsure."""
    return result.presence.name.lower().replace("_", " ")


def _as_json(result: QueryResult | _NotUnderstood) -> dict[str, Any]:
    """What --json says of an answer; doc/queries.md has units and ranges."""
    if isinstance(result, _NotUnderstood):
        return {
            "prompt": result.prompt,
            "presence": _NOT_UNDERSTOOD,
            "score": None,
            "threshold": None,
            "message": result.message,
            "stamp_ns": None,
            "encoder": None,
            "map_frame": None,
            "points": 0,
            "objects": [],
        }
    return {
        "prompt": result.prompt,
        "presence": _presence(result),
        "score": float(result.score),
        "threshold": float(result.threshold),
        "message": result.message,
        "stamp_ns": int(result.stamp_ns),
        "encoder": result.encoder,
        "map_frame": result.map_frame,
        "points": 0 if result.cloud is None else len(result.cloud),
        "objects": [
            {
                "id": int(track.id),
                "score": float(track.score),
                "position": [float(x) for x in track.position],
                "size": [float(x) for x in track.size],
            }
            for track in result.tracks
        ],
    }


def _answer(result: QueryResult | _NotUnderstood) -> str:
    if isinstance(result, _NotUnderstood):
        return table(
            [
                ("asked for", shown(result.prompt)),
                ("presence", _NOT_UNDERSTOOD),
                ("message", result.message),
            ]
        )
    from f4x_ros.eval.subjects.history import seconds

    about = table(
        [
            ("asked for", result.prompt),
            ("presence", _presence(result)),
            ("score", f"{result.score:.3f} (points from {result.threshold:.3f} on)"),
            ("features", result.encoder),
            ("time", f"{seconds(result.stamp_ns)} s"),
            ("points", 0 if result.cloud is None else len(result.cloud)),
            *([("message", result.message)] if result.message else []),
        ]
    )
    if not result.tracks:
        return about
    rows = [
        (
            track.id or "-",
            f"{track.score:.3f}",
            " ".join(f"{x:7.2f}" for x in track.position),
            " ".join(f"{x:5.2f}" for x in track.size),
        )
        for track in result.tracks
    ]
    names = ("object", "score", f"x y z in {result.map_frame} [m]", "size [m]")
    return f"{about}\n\n{table(rows, names)}"


def _numbered(path: str, suffix: str) -> Path:
    """Of several questions, each has a file of its own."""
    file = Path(path).expanduser()
    return file.with_stem(file.stem + suffix)


def _write_mask(path: Path, result: QueryResult) -> None:
    import numpy as np

    from f4x_ros.viz.png import save_png

    grey = (result.mask.clip(0, 1) * 255).round().astype(np.uint8)
    save_png(path, np.repeat(grey[..., None], 3, axis=-1))


def _write_picture(path: Path, perception: Perception, result: QueryResult) -> None:
    from f4x_ros.viz.answer_picture import answer_picture
    from f4x_ros.viz.png import save_png

    seen = perception.render(result.camera, result.T_map_camera, result.stamp_ns)
    save_png(path, answer_picture(seen.color, result))


def _picture(path: str) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    image = cv2.imread(path, cv2.IMREAD_COLOR)
    if image is None:
        raise BadInputError(f"--example is '{path}', expected a picture that can be read")
    return np.ascontiguousarray(image[..., ::-1]).astype(np.uint8)
