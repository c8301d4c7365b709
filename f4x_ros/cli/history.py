# SPDX-License-Identifier: Apache-2.0
"""Tell from a saved map where things were, and what moved, appeared or left.

f4x history map.f4x                        what happened, to all that was followed
f4x history map.f4x "mug" --at -2          where it was two seconds before the end
f4x history map.f4x "#12" --since 1 --until 3 --step 0.1
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f4x_ros.cli.moment import MOMENT, add_map_argument, since_first
from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from f4x_ros.core.data import Event, HistoryResult, ThingStates, Track

_SAID = 20  # states of one thing in a table for people


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_map_argument(parser)
    parser.add_argument(
        "thing", nargs="?", default="", help="words, or #ID of a track; none: all that is followed"
    )
    parser.add_argument("--at", metavar="SECONDS", help=f"only this moment: {MOMENT}")
    parser.add_argument("--since", metavar="SECONDS", help="begin of the span, as --at")
    parser.add_argument("--until", metavar="SECONDS", help="end of the span, as --at")
    parser.add_argument(
        "--step", type=float, default=0.0, metavar="SECONDS",
        help="seconds between the states; 0 = where the motion changes (default)",
    )  # fmt: skip
    parser.add_argument(
        "--states", type=int, default=0, metavar="N",
        help="at most so many states of each thing, thinned evenly (default: 200)",
    )  # fmt: skip
    parser.add_argument(
        "--picture", metavar="PNG",
        help="draw the ways of what moved, with the past drawn again and one thing at four times",
    )  # fmt: skip
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document, nothing else (doc/time.md)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.at is not None and (options.since is not None or options.until is not None):
        raise BadInputError("--at with --since or --until, expected a moment or a span")
    from f4x_ros.core.perception import Perception

    perception = Perception.load(options.map)
    span = perception.span_ns
    moments = (options.at, options.at) if options.at is not None else (options.since, options.until)
    since, until = (
        0 if text is None else since_first(text, span, name)
        for text, name in zip(moments, ("--since", "--until"), strict=True)
    )
    result = perception.history(
        options.thing, since, until, step_s=options.step, max_states=options.states,
        want_states=bool(options.thing or options.json or options.picture or options.at),
    )  # fmt: skip
    if options.picture:
        from f4x_ros.cli.moments_picture import write_moments

        path = Path(options.picture).expanduser()
        shown = write_moments(path, perception, result, Path(options.map).stem)
        about = f"The picture is in {path}, with {shown.label} #{shown.id} at four times."
        print(about, file=sys.stderr if options.json else sys.stdout)
    if options.json:
        print(json.dumps(as_json(result, span[0]), indent=2, allow_nan=False))
    elif options.picture and not options.thing:
        print(told(replace(result, things=()), span[0]))
    else:
        print(told(result, span[0]))
    return 0


def told(result: HistoryResult, first_ns: int) -> str:
    """A history for a terminal; times are seconds since the first frame."""
    parts = [f"{result.message} ({_s(result.since_ns, first_ns)} to "
             f"{_s(result.until_ns, first_ns)} s, positions in {result.map_frame})"]  # fmt: skip
    if result.events:
        names = ("when [s]", "object", "", "what", "from x y z [m]", "to x y z [m]", "way [m]")
        parts.append(table([_event_row(one, first_ns) for one in result.events], names))
    if result.things and result.since_ns == result.until_ns:
        rows = [
            (thing.label, f"#{thing.id}", *_state_row(thing.states[-1])) for thing in result.things
        ]
        parts.append(table(rows, ("object", "", *_STATE)))
    elif result.things:
        parts += [_way(thing, first_ns) for thing in result.things]
    return "\n\n".join(parts)


_STATE = ("x y z [m]", "+- [m]", "yaw [deg]", "speed [m/s]", "size [m]", "state")


def _way(thing: ThingStates, first_ns: int) -> str:
    count = len(thing.states)
    step = max(1, -(-count // _SAID))
    rows = [
        (_s(ns, first_ns), *_state_row(state))
        for ns, state in list(zip(thing.stamps_ns, thing.states, strict=True))[::step]
    ]
    more = f", every {step}th shown (--json has all)" if step > 1 else ""
    return f"{thing.label} #{thing.id}: {count} states{more}\n{table(rows, ('at [s]', *_STATE))}"


def _state_row(track: Track) -> tuple[object, ...]:
    import numpy as np

    sigma = float(np.sqrt(np.diag(track.pose_covariance)[:3].max()))
    speed = float(np.linalg.norm(track.velocity))
    moving = ", moving" if track.moving else ""
    return (
        _xyz(track.position), f"{sigma:.2f}", _yaw(track), f"{speed:.2f}",
        " ".join(f"{x:.2f}" for x in track.size), f"{track.state.name.lower()}{moving}",
    )  # fmt: skip


def _yaw(track: Track) -> str:
    """Degrees about z; a dash where it is not known."""
    import numpy as np
    from scipy.spatial.transform import Rotation

    if float(track.pose_covariance[5, 5]) > 1.0:
        return "-"
    return f"{np.degrees(Rotation.from_quat(track.orientation).as_euler('ZYX')[0]):.0f}"


def _event_row(event: Event, first_ns: int) -> tuple[object, ...]:
    what, begin = event.event.name.lower(), _s(event.begin_ns, first_ns)
    when = begin if event.end_ns == event.begin_ns else f"{begin} to {_s(event.end_ns, first_ns)}"
    source = "" if what == "appeared" else _xyz(event.before.position)
    target = "" if what == "left" else _xyz(event.after.position)
    if event.moving:
        target += " and on"
    length = f"{event.length_m:.2f}" if what == "moved" else ""
    return when, event.label, f"#{event.id}", what, source, target, length


def as_json(result: HistoryResult, first_ns: int) -> dict[str, Any]:
    """What --json says; doc/time.md has the fields."""
    return {
        "message": result.message,
        "map_frame": result.map_frame,
        "since_ns": result.since_ns,
        "until_ns": result.until_ns,
        "first_frame_ns": first_ns,
        "events": [
            {
                "event": event.event.name.lower(),
                "id": event.id,
                "label": event.label,
                "begin_ns": event.begin_ns,
                "end_ns": event.end_ns,
                "before": _pose(event.before),
                "after": _pose(event.after),
                "length_m": event.length_m,
                "moving": event.moving,
            }
            for event in result.events
        ],
        "things": [
            {
                "id": thing.id,
                "label": thing.label,
                "states": [
                    {"stamp_ns": ns, **_state(state)}
                    for ns, state in zip(thing.stamps_ns, thing.states, strict=True)
                ],
            }
            for thing in result.things
        ],
    }


def _state(track: Track) -> dict[str, Any]:
    return {
        **_pose(track),
        "velocity": _numbers(track.velocity),
        "angular_velocity": _numbers(track.angular_velocity),
        "twist_covariance": _numbers(track.twist_covariance.reshape(-1)),
        "size": _numbers(track.size),
        "state": track.state.name.lower(),
        "moving": bool(track.moving),
        "last_seen_ns": int(track.last_seen_ns),
    }


def _pose(track: Track) -> dict[str, Any]:
    return {
        "position": _numbers(track.position),
        "orientation": _numbers(track.orientation),
        "pose_covariance": _numbers(track.pose_covariance.reshape(-1)),
    }


def _numbers(values: NDArray[np.float64] | Sequence[float]) -> list[float]:
    return [float(value) for value in values]


def _xyz(values: NDArray[np.float64]) -> str:
    return " ".join(f"{value:6.2f}" for value in values)


def _s(stamp_ns: int, first_ns: int) -> str:
    return f"{(stamp_ns - first_ns) / 1e9:.2f}"
