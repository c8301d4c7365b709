# SPDX-License-Identifier: Apache-2.0
"""Tools about what things are like: size, colour, and which of several is more so."""

from __future__ import annotations

import numpy as np

from f4x_ros.core.ask.tools.motion import speed_of
from f4x_ros.core.ask.tools.resolve import called, moment, named, thing_at
from f4x_ros.core.ask.tools.result import Outcome, ToolResult, unsure
from f4x_ros.core.ask.tools.scene import Scene, State
from f4x_ros.core.ask.tools.space import Z90

DIMENSIONS = ("height", "width", "length", "all")
QUANTITIES = ("size", "height", "speed")

_SAID = {
    ("size", "most"): "the biggest", ("size", "least"): "the smallest",
    ("height", "most"): "the tallest", ("height", "least"): "the shortest",
    ("speed", "most"): "the fastest", ("speed", "least"): "the slowest",
}  # fmt: skip
_SAME_COLOR = 0.6  # a second colour with so much of the first one's share is named, too


def size(scene: Scene, thing: str, dimension: str = "all", at: float | None = None) -> ToolResult:
    """How large something is."""
    then = moment(scene, at)
    one, state = thing_at(scene, thing, then)
    longer, shorter = sorted(state.size[:2].tolist(), reverse=True)
    tall = float(state.size[2])
    box = f"{longer:.2f} m by {shorter:.2f} m, {tall:.2f} m high"
    value = {"height": tall, "width": longer, "length": longer}.get(dimension)
    evidence = (f"box along the map's axes {box}",)
    if value is None:
        return ToolResult(
            "size", Outcome.VALUE,
            {"length": longer, "width": shorter, "height": tall},
            f"{named(one)} is {box}", unit="m", ids=(one.id,), stamps_ns=(then.ns,),
            evidence=evidence,
        )  # fmt: skip
    sigma = 2 * float(state.sigma_m[2] if dimension == "height" else state.sigma_m[:2].max())
    low, high = max(0.0, value - Z90 * sigma), value + Z90 * sigma
    what = {"height": "high", "width": "wide", "length": "long"}[dimension]
    return ToolResult(
        "size", Outcome.VALUE, value,
        f"{named(one)} is {value:.2f} m {what} ({low:.2f} to {high:.2f})",
        unit="m", interval=(low, high), ids=(one.id,), stamps_ns=(then.ns,), evidence=evidence,
    )  # fmt: skip


def color(scene: Scene, thing: str, at: float | None = None) -> ToolResult:
    """What colour something is."""
    then = moment(scene, at)
    one, _ = thing_at(scene, thing, then)
    shares = scene.color_of(one, then.ns)
    if not shares:
        raise unsure(f"the colour of {named(one)} is not known", (one.id,), (then.ns,))
    best = shares[0]
    others = [word for word, share in shares[1:3] if share >= _SAME_COLOR * best[1]]
    said = " and ".join([best[0], *others])
    return ToolResult(
        "color", Outcome.VALUE, best[0], f"{named(one)} is {said}", ids=(one.id,),
        stamps_ns=(then.ns,),
        evidence=(", ".join(f"{word} {share:.0%}" for word, share in shares[:4]),),
    )  # fmt: skip


def compare(
    scene: Scene, quantity: str, among: list[str], which: str = "most", at: float | None = None
) -> ToolResult:
    """Which of several things is the largest, tallest or fastest, or the least so."""
    then = moment(scene, at)
    rows, said = [], {}
    for words in among:
        one, state = thing_at(scene, words, then)
        value, sigma, unit = _measure(quantity, state)
        rows.append((one, value, sigma, unit))
        said[one.id] = called(one, words)
    rows.sort(key=lambda row: row[1], reverse=which == "most")
    best, second = rows[0], rows[1] if len(rows) > 1 else None
    ids = tuple(row[0].id for row in rows)
    listed = tuple(f"{named(one)} {value:.3g} {unit}" for one, value, _, unit in rows)
    if second is not None and abs(best[1] - second[1]) < 1e-9:
        raise unsure(f"{' and '.join(listed[:2])} are equal", ids, (then.ns,))
    return ToolResult(
        "compare", Outcome.VALUE, said[best[0].id],
        f"{named(best[0])} is {_SAID[quantity, which]} at {then}: {'; '.join(listed)}",
        ids=ids, stamps_ns=(then.ns,), evidence=listed,
    )  # fmt: skip


def _measure(quantity: str, state: State) -> tuple[float, float, str]:
    """A number, its standard deviation and its unit."""
    if quantity == "height":
        return float(state.size[2]), 2 * float(state.sigma_m[2]), "m"
    if quantity == "speed":
        return (*speed_of(state), "m/s")
    volume = float(np.prod(np.maximum(state.size, 0.005)))
    return volume, volume * float((2 * state.sigma_m / np.maximum(state.size, 0.01)).max()), "m3"
