# SPDX-License-Identifier: Apache-2.0
"""Questions about motion and events."""

from __future__ import annotations

import numpy as np

from f4x_ros.core.ask.tools import Value
from f4x_ros.eval.protocol.asked_draws import (
    draw_span,
    draw_time,
    is_told,
    pick,
    shuffled,
    some_things,
)
from f4x_ros.eval.protocol.asked_facts import Facts
from f4x_ros.eval.protocol.asked_question import Asked

# --- motion --------------------------------------------------------------------------------------


def _going(facts: Facts, rng: np.random.Generator, t: float, least: float = 0.2) -> list[int]:
    """Movers that go at an even pace at a time and are in sight, in a drawn order."""
    going = [
        n for n in facts.movers
        if is_told(facts, n, t) and facts.speed(n, t) > least
        and all(abs(facts.speed(n, t + d) - facts.speed(n, t)) < 0.2 * facts.speed(n, t)
                and is_told(facts, n, max(0.0, t + d)) for d in (-0.3, 0.15))
    ]  # fmt: skip
    return [int(n) for n in rng.permutation(going)]


def speed(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How fast something moves."""
    t = draw_time(facts, rng)
    if not (going := _going(facts, rng, t)):
        return None
    value = facts.speed(going[0], t)
    text = pick(
        rng,
        f"How fast was the {facts.name(going[0])} at {t} s?",
        f"What was the speed of the {facts.name(going[0])} at {t} s?",
    )
    return Asked("speed", text, value, tolerance=max(0.1, 0.2 * value))


def faster(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Which of two is faster."""
    t = draw_time(facts, rng)
    if not (going := _going(facts, rng, t)):
        return None
    other = some_things(facts, rng, t, 1, [n for n in facts.things if n != going[0]])
    if other is None:
        return None
    a, b = facts.speed(going[0], t), facts.speed(other[0], t)
    if max(a, b) < 1.4 * min(a, b) or abs(a - b) < 0.12:
        return None
    names = shuffled(rng, facts.name(going[0]), facts.name(other[0]))
    text = f"Which was faster at {t} s, the {names[0]} or the {names[1]}?"
    return Asked("faster", text, facts.name(going[0] if a > b else other[0]), names)


def _main_way(value: Value) -> str:
    return str(value["main"]) if isinstance(value, dict) else str(value)


def heading(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Left, right, towards the camera or away from it."""
    t = draw_time(facts, rng)
    if not (going := _going(facts, rng, t)):
        return None
    T = facts.world.camera_pose(facts.frame(t))
    velocity = facts.velocity(going[0], t)
    right, ahead = float(velocity @ T[:3, 0]), float(velocity @ T[:3, 2])
    if max(abs(right), abs(ahead)) < 2 * min(abs(right), abs(ahead)):
        return None
    if abs(right) > abs(ahead):
        truth = "right" if right > 0 else "left"
    else:
        truth = "away" if ahead > 0 else "towards"
    text = f"In which direction was the {facts.name(going[0])} moving at {t} s?"
    return Asked("heading", text, truth, ("left", "right", "towards", "away"), read=_main_way)


def towards(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Towards something or away from it."""
    t = draw_time(facts, rng)
    if not (going := _going(facts, rng, t)):
        return None
    other = some_things(facts, rng, t, 1, facts.still)
    if other is None:
        return None
    way = facts.center(other[0], t) - facts.center(going[0], t)
    rate = float(facts.velocity(going[0], t) @ way) / max(float(np.linalg.norm(way)), 1e-6)
    if abs(rate) < 0.5 * facts.speed(going[0], t):
        return None
    text = pick(
        rng,
        f"Was the {facts.name(going[0])} moving towards or away from the {facts.name(other[0])} at "
        f"{t} s?",
        f"At {t} s, was the {facts.name(going[0])} approaching or leaving the "
        f"{facts.name(other[0])}?",
    )
    return Asked("towards", text, "towards" if rate > 0 else "away", ("towards", "away"))


def moved(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Which of four moved."""
    begin, end = draw_span(facts, rng)
    moving = [n for n in facts.movers if is_told(facts, n, begin) and is_told(facts, n, end)
              and facts.reach(n, begin, end) > 0.3]  # fmt: skip
    still = some_things(facts, rng, begin, 3, facts.still)
    if not moving or still is None:
        return None
    truth = facts.name(int(rng.choice(moving)))
    names = shuffled(rng, truth, *(facts.name(n) for n in still))
    listed = ", ".join(f"the {name}" for name in names[:-1]) + f" and the {names[-1]}"
    text = f"Which of {listed} moved between {begin} s and {end} s?"
    return Asked("moved", text, truth, names)


def travelled(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How long the way of something is."""
    begin, end = draw_span(facts, rng)
    moving = [n for n in facts.movers if n in facts.nameable and facts.path(n, begin, end) > 0.4
              and all(is_told(facts, n, float(t)) for t in np.linspace(begin, end, 8))]  # fmt: skip
    if not moving:
        return None
    number = int(rng.choice(moving))
    value = facts.path(number, begin, end)
    text = f"How far did the {facts.name(number)} move between {begin} s and {end} s?"
    return Asked("travelled", text, value, tolerance=max(0.15, 0.2 * value))


# --- events --------------------------------------------------------------------------------------


def _changes(facts: Facts) -> list[tuple[int, str, float]]:
    """Objects that come or go during the recording: id, event, time [s]."""
    found = []
    for number in facts.things:
        for begin, end in facts.world.scene.objects[number - 1].life:
            if 0.4 < begin < facts.end_s - 0.4:
                found.append((number, "appeared", begin))
            if 0.4 < end < facts.end_s - 0.4:
                found.append((number, "left", end))
    return [row for row in found if row[0] in facts.seen_from and row[0] in facts.nameable]


def _events(facts: Facts) -> list[tuple[int, str, float]]:
    """Changes, and when movers start or stop, where that happens once."""
    found = _changes(facts)
    for number in facts.movers:
        rests = [r for r in facts.rests(number) if is_told(facts, number, r[0])]
        if len(facts.rests(number)) != 1 or not rests:
            continue
        begin, end = rests[0]
        if begin > 0.5 and is_told(facts, number, max(0.0, begin - 0.4)):
            found.append((number, "stopped", begin))
        if 0.5 < end < facts.end_s - 0.3 and is_told(facts, number, end):
            found.append((number, "started", end))
    return found


_SAID = {"appeared": "appear", "left": "disappear", "stopped": "stop", "started": "start moving"}
_PAST = {"appeared": "appeared", "left": "disappeared", "stopped": "stopped",
         "started": "started moving"}  # fmt: skip


def when(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """When something happened."""
    if not (events := _events(facts)):
        return None
    number, event, t = events[int(rng.integers(len(events)))]
    text = f"When did the {facts.name(number)} {_SAID[event]}?"
    return Asked("when", text, t, tolerance=0.35)


def came_or_went(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Which of four appeared or disappeared."""
    changes = _changes(facts)
    others = [n for n in facts.still
              if facts.always(n) and n in facts.seen_from and n in facts.nameable]  # fmt: skip
    if not changes or len(others) < 3:
        return None
    number, event, _ = changes[int(rng.integers(len(changes)))]
    wrong = [facts.name(int(n)) for n in rng.choice(others, 3, replace=False)]
    names = shuffled(rng, facts.name(number), *wrong)
    listed = ", ".join(f"the {name}" for name in names[:-1]) + f" and the {names[-1]}"
    text = f"Which of {listed} {_PAST[event]}?"
    return Asked("came_or_went", text, facts.name(number), names)


def order(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """What happened first."""
    events = _events(facts)
    if len(events) < 2:
        return None
    first, second = (events[int(k)] for k in rng.choice(len(events), 2, replace=False))
    if abs(first[2] - second[2]) < 0.5 or first[0] == second[0]:
        return None
    earlier = min(first, second, key=lambda row: row[2])
    told = [f"the {facts.name(n)} {_PAST[event]}" for n, event, _ in (first, second)]
    keys = tuple(f"{facts.name(n)} {event}" for n, event, _ in (first, second))
    text = f"What happened first: {told[0]} or {told[1]}?"
    return Asked("order", text, f"{facts.name(earlier[0])} {earlier[1]}", keys, read=_first)


def _first(value: Value) -> str:
    return str(value[0]) if isinstance(value, list) and value else ""
