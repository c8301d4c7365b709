# SPDX-License-Identifier: Apache-2.0
"""Questions about space and time with exact answers, drawn from a world: one function a kind.

Each yields one question, or None where the draw does not make a clear one: differences are well
above what anybody would argue about, and things have been seen by the time that is asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from f4x_ros.core.ask.tools import Value
from f4x_ros.eval.protocol.asked_facts import Facts, Vector
from f4x_ros.eval.protocol.asked_question import Asked

Draw = Callable[[Facts, np.random.Generator], "Asked | None"]


def _time(facts: Facts, rng: np.random.Generator, margin_s: float = 0.5) -> float:
    return round(float(rng.uniform(margin_s, facts.end_s - margin_s)), 1)


def _some(
    facts: Facts, rng: np.random.Generator, t: float, number: int, among: Sequence[int] = ()
) -> list[int] | None:
    """Different things that have been seen by then; movers only while they are in sight."""
    pool = [n for n in (among or facts.things) if _told(facts, n, t)]
    if len(pool) < number:
        return None
    return [int(n) for n in rng.choice(pool, number, replace=False)]


def _told(facts: Facts, number: int, t: float) -> bool:
    known = facts.known(number, t) and number in facts.nameable
    return known and (number not in facts.movers or facts.in_sight(number, t))


def _seen_by(facts: Facts, number: int, t: float) -> bool:
    return facts.known(number, t) and number in facts.nameable


def _pick(rng: np.random.Generator, *texts: str) -> str:
    return str(rng.choice(list(texts)))


def _shuffled(rng: np.random.Generator, *names: str) -> tuple[str, ...]:
    return tuple(str(name) for name in rng.permutation(list(dict.fromkeys(names))))


# --- distances -----------------------------------------------------------------------------------


def distance(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How far two things are apart."""
    t = _time(facts, rng)
    if (two := _some(facts, rng, t, 2)) is None:
        return None
    a, b = two
    value = float(np.linalg.norm(facts.center(a, t) - facts.center(b, t)))
    text = _pick(
        rng,
        f"How far was the {facts.name(a)} from the {facts.name(b)} at {t} s?",
        f"What was the distance between the {facts.name(a)} and the {facts.name(b)} at {t} s?",
    )
    return Asked("distance", text, value, tolerance=max(0.1, 0.1 * value))


def distance_camera(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How far something is from the camera."""
    t = _time(facts, rng)
    if (one := _some(facts, rng, t, 1)) is None:
        return None
    value = float(np.linalg.norm(facts.center(one[0], t) - facts.eye(t)))
    text = f"How far was the {facts.name(one[0])} from the camera at {t} s?"
    return Asked("distance_camera", text, value, tolerance=max(0.1, 0.08 * value))


def closer(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Which of three is nearest to something."""
    t = _time(facts, rng)
    if (four := _some(facts, rng, t, 4)) is None:
        return None
    to, *others = four
    away = {n: float(np.linalg.norm(facts.center(n, t) - facts.center(to, t))) for n in others}
    first, second = sorted(others, key=away.__getitem__)[:2]
    if away[second] - away[first] < max(0.2, 0.15 * away[second]):
        return None
    names = _shuffled(rng, *(facts.name(n) for n in others))
    listed = f"the {names[0]}, the {names[1]} or the {names[2]}"
    text = f"Which was closer to the {facts.name(to)} at {t} s: {listed}?"
    return Asked("closer", text, facts.name(first), names)


# --- sides ---------------------------------------------------------------------------------------


def side_camera(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Left or right as the camera sees it."""
    t = _time(facts, rng)
    if (two := _some(facts, rng, t, 2)) is None:
        return None
    a, b = (facts.in_camera(n, t) for n in two)
    if a[2] < 0.4 or b[2] < 0.4:
        return None
    turn = float(np.arctan2(a[0], a[2]) - np.arctan2(b[0], b[2]))
    if abs(turn) < 0.12:
        return None
    text = _pick(
        rng,
        f"Was the {facts.name(two[0])} left or right of the {facts.name(two[1])} at {t} s?",
        f"As seen by the camera, was the {facts.name(two[0])} to the left or to the right of the "
        f"{facts.name(two[1])} at {t} s?",
    )
    return Asked("side_camera", text, "right" if turn > 0 else "left", ("left", "right"))


def _turn(forward: Vector, to: Vector) -> float:
    """Angle from one way to another seen from above, left positive, rad."""
    cross = forward[0] * to[1] - forward[1] * to[0]
    return float(np.arctan2(cross, forward[:2] @ to[:2]))


def side_own(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Left or right of a mover, by its own front."""
    t = _time(facts, rng)
    movers = [n for n in facts.movers if _told(facts, n, t)
              and np.linalg.norm(facts.velocity(n, t)[:2]) > 0.2]  # fmt: skip
    if not movers:
        return None
    mover = int(rng.choice(movers))
    if (one := _some(facts, rng, t, 1, [n for n in facts.things if n != mover])) is None:
        return None
    way = facts.center(one[0], t) - facts.center(mover, t)
    angle = _turn(facts.velocity(mover, t), way)
    if abs(np.sin(angle)) < 0.45 or np.linalg.norm(way[:2]) < 0.4:
        return None
    text = _pick(
        rng,
        f"From the {facts.name(mover)}'s own view, was the {facts.name(one[0])} on the left or on "
        f"the right at {t} s?",
        f"Was the {facts.name(one[0])} to the left or to the right of the {facts.name(mover)} from "
        f"its own point of view at {t} s?",
    )
    return Asked("side_own", text, "left" if angle > 0 else "right", ("left", "right"))


def viewpoint(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Left or right of one who stands at one thing and looks at another."""
    t = _time(facts, rng)
    if (three := _some(facts, rng, t, 3)) is None:
        return None
    at, to, asked = three
    ahead = facts.center(to, t) - facts.center(at, t)
    way = facts.center(asked, t) - facts.center(at, t)
    if min(np.linalg.norm(ahead[:2]), np.linalg.norm(way[:2])) < 0.5:
        return None
    angle = _turn(ahead, way)
    if abs(np.sin(angle)) < 0.45:
        return None
    text = _pick(
        rng,
        f"If I stood at the {facts.name(at)} and looked at the {facts.name(to)}, would the "
        f"{facts.name(asked)} be on my left or on my right at {t} s?",
        f"Standing at the {facts.name(at)} facing the {facts.name(to)}, was the "
        f"{facts.name(asked)} left or right at {t} s?",
    )
    return Asked("viewpoint", text, "left" if angle > 0 else "right", ("left", "right"))


def front(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """In front or behind as the camera sees it."""
    t = _time(facts, rng)
    if (two := _some(facts, rng, t, 2)) is None:
        return None
    T = facts.world.camera_pose(facts.frame(t))
    ahead = np.array([T[0, 2], T[1, 2], 0.0])
    ahead /= np.linalg.norm(ahead)
    a, b = (float((facts.center(n, t) - facts.eye(t)) @ ahead) for n in two)
    if abs(a - b) < 0.4 or min(a, b) < 0.3:
        return None
    text = f"Was the {facts.name(two[0])} in front of or behind the {facts.name(two[1])} at {t} s?"
    return Asked("front", text, "in front of" if a < b else "behind", ("in front of", "behind"))


def direction(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Direction along the map's axes."""
    t = _time(facts, rng)
    if (two := _some(facts, rng, t, 2)) is None:
        return None
    way = facts.center(two[0], t) - facts.center(two[1], t)
    big, small = sorted(np.abs(way[:2]), reverse=True)
    if big < 0.4 or small > 0.6 * big:
        return None
    axis = int(abs(way[1]) > abs(way[0]))
    truth = f"{'+' if way[axis] > 0 else '-'}{'xy'[axis]}"
    text = (
        f"In which direction of the map was the {facts.name(two[0])} from the "
        f"{facts.name(two[1])} at {t} s?"
    )
    return Asked("direction", text, truth, ("+x", "-x", "+y", "-y"))


def height(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Above or below."""
    t = _time(facts, rng)
    if (two := _some(facts, rng, t, 2)) is None:
        return None
    rise = float(facts.center(two[0], t)[2] - facts.center(two[1], t)[2])
    if abs(rise) < 0.2:
        return None
    text = f"Was the {facts.name(two[0])} above or below the {facts.name(two[1])} at {t} s?"
    return Asked("height", text, "above" if rise > 0 else "below", ("above", "below"))


# --- what stands on what, counts -----------------------------------------------------------------


def on_what(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """What something stands on."""
    t = _time(facts, rng)
    placed = [n for n in facts.still if (s := facts.support(n)) and _told(facts, s, t)]
    if (one := _some(facts, rng, t, 1, placed)) is None or not placed:
        return None
    support = facts.support(one[0])
    others = [facts.name(n) for n in facts.still
              if n not in (support, one[0]) and n in facts.nameable]  # fmt: skip
    if support is None or len(others) < 3:
        return None
    wrong = [str(name) for name in rng.choice(others, 3, replace=False)]
    text = f"What was the {facts.name(one[0])} standing on at {t} s?"
    return Asked("on_what", text, facts.name(support),
                 _shuffled(rng, facts.name(support), *wrong))  # fmt: skip


def count_on(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How many things are on something at a time."""
    t = _time(facts, rng)
    supports = {n: facts.support(n) for n in facts.things}
    bases = sorted({s for s in supports.values() if s and _told(facts, s, t)})
    if not bases:
        return None
    base = int(rng.choice(bases))
    on = [n for n, s in supports.items() if s == base and facts.exists(n, t)]
    if any(not facts.known(n, t) or n in facts.movers for n in on):
        return None
    text = f"How many things were on the {facts.name(base)} at {t} s?"
    low = max(0, len(on) - int(rng.integers(0, 4)))
    return Asked("count_on", text, str(len(on)), tuple(str(low + k) for k in range(4)))


def count(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How many of a kind there are at a time."""
    t = _time(facts, rng)
    kinds = sorted({label.cls for label in facts.things.values()})
    cls = str(rng.choice(kinds))
    all_of = [n for n, label in facts.things.items() if label.cls == cls]
    there = [n for n in all_of if facts.exists(n, t)]
    if any(not facts.known(n, t) for n in there) or not there:
        return None
    many = "people" if cls == "person" else f"{cls}s"
    low = max(0, len(there) - int(rng.integers(0, 4)))
    text = f"How many {many} were there at {t} s?"
    return Asked("count", text, str(len(there)), tuple(str(low + k) for k in range(4)))


# --- looks ---------------------------------------------------------------------------------------


def tall(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How high something is."""
    t = _time(facts, rng)
    if (one := _some(facts, rng, t, 1)) is None:
        return None
    value = float(facts.box(one[0], t)[1][2])
    if value < 0.15:
        return None
    text = f"How tall was the {facts.name(one[0])} at {t} s?"
    return Asked("tall", text, value, tolerance=max(0.08, 0.15 * value))


def bigger(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Which of two is taller or bigger."""
    t = _time(facts, rng)
    if (two := _some(facts, rng, t, 2)) is None:
        return None
    sizes = [facts.box(n, t)[1] for n in two]
    word = _pick(rng, "taller", "bigger")
    a, b = (float(s[2] if word == "taller" else np.prod(s)) for s in sizes)
    if max(a, b) < (1.4 if word == "taller" else 2.0) * min(a, b):
        return None
    names = tuple(facts.name(n) for n in two)
    text = f"Which was {word} at {t} s, the {names[0]} or the {names[1]}?"
    return Asked("bigger", text, names[0] if a > b else names[1], names)


def color(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """What colour the only one of a kind is."""
    t = _time(facts, rng)
    kinds = [label.cls for label in facts.things.values()]
    lone = [n for n, label in facts.things.items() if kinds.count(label.cls) == 1]
    if not lone or (one := _some(facts, rng, t, 1, lone)) is None:
        return None
    label = facts.things[one[0]]
    others = ["red", "orange", "yellow", "green", "blue", "purple", "black", "white", "pink"]
    wrong = rng.choice([c for c in others if c != label.color], 3, replace=False)
    text = f"What colour was the {label.cls} at {t} s?"
    return Asked("color", text, label.color, _shuffled(rng, label.color, *map(str, wrong)))


# --- motion --------------------------------------------------------------------------------------


def _going(facts: Facts, rng: np.random.Generator, t: float, least: float = 0.2) -> list[int]:
    """Movers that go at an even pace at a time and are in sight, in a drawn order."""
    going = [
        n for n in facts.movers
        if _told(facts, n, t) and facts.speed(n, t) > least
        and all(abs(facts.speed(n, t + d) - facts.speed(n, t)) < 0.2 * facts.speed(n, t)
                and _told(facts, n, max(0.0, t + d)) for d in (-0.3, 0.15))
    ]  # fmt: skip
    return [int(n) for n in rng.permutation(going)]


def speed(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How fast something moves."""
    t = _time(facts, rng)
    if not (going := _going(facts, rng, t)):
        return None
    value = facts.speed(going[0], t)
    text = _pick(
        rng,
        f"How fast was the {facts.name(going[0])} at {t} s?",
        f"What was the speed of the {facts.name(going[0])} at {t} s?",
    )
    return Asked("speed", text, value, tolerance=max(0.1, 0.2 * value))


def faster(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Which of two is faster."""
    t = _time(facts, rng)
    if not (going := _going(facts, rng, t)):
        return None
    other = _some(facts, rng, t, 1, [n for n in facts.things if n != going[0]])
    if other is None:
        return None
    a, b = facts.speed(going[0], t), facts.speed(other[0], t)
    if max(a, b) < 1.4 * min(a, b) or abs(a - b) < 0.12:
        return None
    names = _shuffled(rng, facts.name(going[0]), facts.name(other[0]))
    text = f"Which was faster at {t} s, the {names[0]} or the {names[1]}?"
    return Asked("faster", text, facts.name(going[0] if a > b else other[0]), names)


def _main_way(value: Value) -> str:
    return str(value["main"]) if isinstance(value, dict) else str(value)


def heading(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Left, right, towards the camera or away from it."""
    t = _time(facts, rng)
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
    t = _time(facts, rng)
    if not (going := _going(facts, rng, t)):
        return None
    other = _some(facts, rng, t, 1, [n for n in facts.still])
    if other is None:
        return None
    way = facts.center(other[0], t) - facts.center(going[0], t)
    rate = float(facts.velocity(going[0], t) @ way) / max(float(np.linalg.norm(way)), 1e-6)
    if abs(rate) < 0.5 * facts.speed(going[0], t):
        return None
    text = _pick(
        rng,
        f"Was the {facts.name(going[0])} moving towards or away from the {facts.name(other[0])} at "
        f"{t} s?",
        f"At {t} s, was the {facts.name(going[0])} approaching or leaving the "
        f"{facts.name(other[0])}?",
    )
    return Asked("towards", text, "towards" if rate > 0 else "away", ("towards", "away"))


def _span(facts: Facts, rng: np.random.Generator, least_s: float = 1.0) -> tuple[float, float]:
    begin = round(float(rng.uniform(0.2, facts.end_s - least_s - 0.3)), 1)
    end = round(float(rng.uniform(begin + least_s, facts.end_s - 0.1)), 1)
    return begin, end


def moved(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Which of four moved."""
    begin, end = _span(facts, rng)
    moving = [n for n in facts.movers if _told(facts, n, begin) and _told(facts, n, end)
              and facts.reach(n, begin, end) > 0.3]  # fmt: skip
    still = _some(facts, rng, begin, 3, facts.still)
    if not moving or still is None:
        return None
    truth = facts.name(int(rng.choice(moving)))
    names = _shuffled(rng, truth, *(facts.name(n) for n in still))
    listed = ", ".join(f"the {name}" for name in names[:-1]) + f" and the {names[-1]}"
    text = f"Which of {listed} moved between {begin} s and {end} s?"
    return Asked("moved", text, truth, names)


def travelled(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How long the way of something is."""
    begin, end = _span(facts, rng)
    moving = [n for n in facts.movers if n in facts.nameable and facts.path(n, begin, end) > 0.4
              and all(_told(facts, n, float(t)) for t in np.linspace(begin, end, 8))]  # fmt: skip
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
        rests = [r for r in facts.rests(number) if _told(facts, number, r[0])]
        if len(facts.rests(number)) != 1 or not rests:
            continue
        begin, end = rests[0]
        if begin > 0.5 and _told(facts, number, max(0.0, begin - 0.4)):
            found.append((number, "stopped", begin))
        if 0.5 < end < facts.end_s - 0.3 and _told(facts, number, end):
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
    names = _shuffled(rng, facts.name(number), *wrong)
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


# --- sight ---------------------------------------------------------------------------------------


def visible(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Whether the camera could see something."""
    frame = int(rng.choice(facts.looks[1:]))
    t = frame / 30.0
    wanted = bool(rng.random() < 0.5)
    pool = [
        n for n in facts.things
        if _seen_by(facts, n, t) and (facts.share(n, frame) > 0.6 if wanted else
                                  facts.share(n, frame) < 0.01)
        and (wanted or n in facts.still)
    ]  # fmt: skip
    if not pool:
        return None
    name = facts.name(int(rng.choice(pool)))
    text = _pick(
        rng, f"Was the {name} visible at {t:.1f} s?", f"Could the camera see the {name} at {t:.1f} s?"
    )
    return Asked("visible", text, "yes" if wanted else "no", ("yes", "no"))


def hidden_by(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """What is before something that is hidden in part or whole."""
    frame = int(rng.choice(facts.looks[1:]))
    t = frame / 30.0
    found = [(n, who) for n in facts.still if _seen_by(facts, n, t)
             and (who := _before(facts, n, frame)) is not None]  # fmt: skip
    if not found:
        return None
    number, who = found[int(rng.integers(len(found)))]
    others = [facts.name(n) for n in facts.things if n not in (number, who) and facts.known(n, t)]
    if len(others) < 3:
        return None
    wrong = [str(name) for name in rng.choice(others, 3, replace=False)]
    text = f"What was hiding the {facts.name(number)} at {t:.1f} s?"
    return Asked("hidden_by", text, facts.name(who), _shuffled(rng, facts.name(who), *wrong))


def _before(facts: Facts, number: int, frame: int) -> int | None:
    """What hides at least a third of a thing that is in the picture, mostly one thing; else None.

    The pixels on which its silhouette would fall alone are found by drawing its points.
    """
    share = facts.share(number, frame)
    if share > 0.6:
        return None
    made = facts.world.scene.objects[number - 1]
    pose, camera = made.pose(frame / 30), facts.world.camera
    mesh = made.mesh_at(frame / 30)
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    points = np.concatenate([corners.mean(1), corners.reshape(-1, 3)]) @ pose[:3, :3].T
    points += pose[:3, 3]
    T = facts.world.camera_pose(frame)
    seen = (points - T[:3, 3]) @ T[:3, :3]
    seen = seen[seen[:, 2] > 0.1]
    if len(seen) < 20:
        return None
    pixels = np.floor(camera.project(seen)).astype(int)
    inside = ((pixels >= 0) & (pixels < [camera.width, camera.height])).all(1)
    if inside.mean() < 0.9:
        return None
    drawing = facts.drawing(frame)
    x, y = pixels[inside].T
    nearer = drawing.depth[y, x] < seen[inside, 2] - 0.05
    blockers = drawing.instances[y, x][nearer]
    blockers = blockers[(blockers != number) & np.isin(blockers, list(facts.things))]
    if len(blockers) < 0.3 * inside.sum():
        return None
    best = int(np.bincount(blockers).argmax())
    alone = float((blockers == best).mean()) >= 0.75
    return best if alone and _seen_by(facts, best, frame / 30) else None


# --- steps ---------------------------------------------------------------------------------------


def steps(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How far the only mover of a kind, found by what it did, is from something."""
    t = _time(facts, rng)
    if (two := _some(facts, rng, t, 2, facts.still)) is None:
        return None
    base, to = two
    others = [n for n in facts.things if n != base and facts.exists(n, t)]
    away = {n: float(np.linalg.norm(facts.center(n, t) - facts.center(base, t))) for n in others}
    cls = str(rng.choice(sorted({facts.things[n].cls for n in others})))
    of = sorted((n for n in others if facts.things[n].cls == cls), key=away.__getitem__)
    if len(of) < 2 or away[of[1]] - away[of[0]] < 0.3 or of[0] == to:
        return None
    if any(n in facts.movers or not facts.known(n, t) for n in of):
        return None
    value = float(np.linalg.norm(facts.center(of[0], t) - facts.center(to, t)))
    text = (
        f"How far was the {cls} that is nearest to the {facts.name(base)} from the "
        f"{facts.name(to)} at {t} s?"
    )
    return Asked("steps", text, value, tolerance=max(0.12, 0.1 * value))


def several(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Whether something is between two others."""
    t = _time(facts, rng)
    if (three := _some(facts, rng, t, 3)) is None:
        return None
    asked, one, other = three
    way = (facts.center(other, t) - facts.center(one, t))[:2]
    step = (facts.center(asked, t) - facts.center(one, t))[:2]
    length = float(np.linalg.norm(way))
    if length < 1.0:
        return None
    share = float(step @ way) / length**2
    aside = abs(float(way[0] * step[1] - way[1] * step[0])) / length
    yes = 0.25 < share < 0.75 and aside < 0.2 * length
    no = share < -0.1 or share > 1.1 or aside > 0.6 * length
    if not (yes or no) or (no and rng.random() < 0.85):
        return None
    text = (
        f"Was the {facts.name(asked)} between the {facts.name(one)} and the {facts.name(other)} at "
        f"{t} s?"
    )
    return Asked("several", text, "yes" if yes else "no", ("yes", "no"))


KINDS: dict[str, Draw] = {
    made.__name__: made
    for made in (
        distance, distance_camera, closer, side_camera, side_own, viewpoint, front, direction,
        height, on_what, count_on, count, tall, bigger, color, speed, faster, heading, towards,
        moved, travelled, when, came_or_went, order, visible, hidden_by, steps, several,
    )
}  # fmt: skip
"""All kinds of questions."""
