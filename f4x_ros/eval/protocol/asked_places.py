# SPDX-License-Identifier: Apache-2.0
"""Questions about one moment: distances, sides, what stands on what, counts, looks."""

from __future__ import annotations

import numpy as np

from f4x_ros.eval.protocol.asked_draws import (
    draw_time,
    is_told,
    pick,
    shuffled,
    some_things,
)
from f4x_ros.eval.protocol.asked_facts import Facts, Vector
from f4x_ros.eval.protocol.asked_question import Asked

# --- distances -----------------------------------------------------------------------------------


def distance(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How far two things are apart."""
    t = draw_time(facts, rng)
    if (two := some_things(facts, rng, t, 2)) is None:
        return None
    a, b = two
    value = float(np.linalg.norm(facts.center(a, t) - facts.center(b, t)))
    text = pick(
        rng,
        f"How far was the {facts.name(a)} from the {facts.name(b)} at {t} s?",
        f"What was the distance between the {facts.name(a)} and the {facts.name(b)} at {t} s?",
    )
    return Asked("distance", text, value, tolerance=max(0.1, 0.1 * value))


def distance_camera(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How far something is from the camera."""
    t = draw_time(facts, rng)
    if (one := some_things(facts, rng, t, 1)) is None:
        return None
    value = float(np.linalg.norm(facts.center(one[0], t) - facts.eye(t)))
    text = f"How far was the {facts.name(one[0])} from the camera at {t} s?"
    return Asked("distance_camera", text, value, tolerance=max(0.1, 0.08 * value))


def closer(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Which of three is nearest to something."""
    t = draw_time(facts, rng)
    if (four := some_things(facts, rng, t, 4)) is None:
        return None
    to, *others = four
    away = {n: float(np.linalg.norm(facts.center(n, t) - facts.center(to, t))) for n in others}
    first, second = sorted(others, key=away.__getitem__)[:2]
    if away[second] - away[first] < max(0.2, 0.15 * away[second]):
        return None
    names = shuffled(rng, *(facts.name(n) for n in others))
    listed = f"the {names[0]}, the {names[1]} or the {names[2]}"
    text = f"Which was closer to the {facts.name(to)} at {t} s: {listed}?"
    return Asked("closer", text, facts.name(first), names)


# --- sides ---------------------------------------------------------------------------------------


def side_camera(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Left or right as the camera sees it."""
    t = draw_time(facts, rng)
    if (two := some_things(facts, rng, t, 2)) is None:
        return None
    a, b = (facts.in_camera(n, t) for n in two)
    if a[2] < 0.4 or b[2] < 0.4:
        return None
    turn = float(np.arctan2(a[0], a[2]) - np.arctan2(b[0], b[2]))
    if abs(turn) < 0.12:
        return None
    text = pick(
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
    t = draw_time(facts, rng)
    movers = [n for n in facts.movers if is_told(facts, n, t)
              and np.linalg.norm(facts.velocity(n, t)[:2]) > 0.2]  # fmt: skip
    if not movers:
        return None
    mover = int(rng.choice(movers))
    if (one := some_things(facts, rng, t, 1, [n for n in facts.things if n != mover])) is None:
        return None
    way = facts.center(one[0], t) - facts.center(mover, t)
    angle = _turn(facts.velocity(mover, t), way)
    if abs(np.sin(angle)) < 0.45 or np.linalg.norm(way[:2]) < 0.4:
        return None
    text = pick(
        rng,
        f"From the {facts.name(mover)}'s own view, was the {facts.name(one[0])} on the left or on "
        f"the right at {t} s?",
        f"Was the {facts.name(one[0])} to the left or to the right of the {facts.name(mover)} from "
        f"its own point of view at {t} s?",
    )
    return Asked("side_own", text, "left" if angle > 0 else "right", ("left", "right"))


def viewpoint(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Left or right of one who stands at one thing and looks at another."""
    t = draw_time(facts, rng)
    if (three := some_things(facts, rng, t, 3)) is None:
        return None
    at, to, asked = three
    ahead = facts.center(to, t) - facts.center(at, t)
    way = facts.center(asked, t) - facts.center(at, t)
    if min(np.linalg.norm(ahead[:2]), np.linalg.norm(way[:2])) < 0.5:
        return None
    angle = _turn(ahead, way)
    if abs(np.sin(angle)) < 0.45:
        return None
    text = pick(
        rng,
        f"If I stood at the {facts.name(at)} and looked at the {facts.name(to)}, would the "
        f"{facts.name(asked)} be on my left or on my right at {t} s?",
        f"Standing at the {facts.name(at)} facing the {facts.name(to)}, was the "
        f"{facts.name(asked)} left or right at {t} s?",
    )
    return Asked("viewpoint", text, "left" if angle > 0 else "right", ("left", "right"))


def front(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """In front or behind as the camera sees it."""
    t = draw_time(facts, rng)
    if (two := some_things(facts, rng, t, 2)) is None:
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
    t = draw_time(facts, rng)
    if (two := some_things(facts, rng, t, 2)) is None:
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
    t = draw_time(facts, rng)
    if (two := some_things(facts, rng, t, 2)) is None:
        return None
    rise = float(facts.center(two[0], t)[2] - facts.center(two[1], t)[2])
    if abs(rise) < 0.2:
        return None
    text = f"Was the {facts.name(two[0])} above or below the {facts.name(two[1])} at {t} s?"
    return Asked("height", text, "above" if rise > 0 else "below", ("above", "below"))


# --- what stands on what, counts -----------------------------------------------------------------


def on_what(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """What something stands on."""
    t = draw_time(facts, rng)
    placed = [n for n in facts.still if (s := facts.support(n)) and is_told(facts, s, t)]
    if (one := some_things(facts, rng, t, 1, placed)) is None or not placed:
        return None
    support = facts.support(one[0])
    others = [facts.name(n) for n in facts.still
              if n not in (support, one[0]) and n in facts.nameable]  # fmt: skip
    if support is None or len(others) < 3:
        return None
    wrong = [str(name) for name in rng.choice(others, 3, replace=False)]
    text = f"What was the {facts.name(one[0])} standing on at {t} s?"
    return Asked("on_what", text, facts.name(support),
                 shuffled(rng, facts.name(support), *wrong))  # fmt: skip


def count_on(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How many things are on something at a time."""
    t = draw_time(facts, rng)
    supports = {n: facts.support(n) for n in facts.things}
    bases = sorted({s for s in supports.values() if s and is_told(facts, s, t)})
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
    t = draw_time(facts, rng)
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
    t = draw_time(facts, rng)
    if (one := some_things(facts, rng, t, 1)) is None:
        return None
    value = float(facts.box(one[0], t)[1][2])
    if value < 0.15:
        return None
    text = f"How tall was the {facts.name(one[0])} at {t} s?"
    return Asked("tall", text, value, tolerance=max(0.08, 0.15 * value))


def bigger(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Which of two is taller or bigger."""
    t = draw_time(facts, rng)
    if (two := some_things(facts, rng, t, 2)) is None:
        return None
    sizes = [facts.box(n, t)[1] for n in two]
    word = pick(rng, "taller", "bigger")
    a, b = (float(s[2] if word == "taller" else np.prod(s)) for s in sizes)
    if max(a, b) < (1.4 if word == "taller" else 2.0) * min(a, b):
        return None
    names = tuple(facts.name(n) for n in two)
    text = f"Which was {word} at {t} s, the {names[0]} or the {names[1]}?"
    return Asked("bigger", text, names[0] if a > b else names[1], names)


def color(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """What colour the only one of a kind is."""
    t = draw_time(facts, rng)
    kinds = [label.cls for label in facts.things.values()]
    lone = [n for n, label in facts.things.items() if kinds.count(label.cls) == 1]
    if not lone or (one := some_things(facts, rng, t, 1, lone)) is None:
        return None
    label = facts.things[one[0]]
    others = ["red", "orange", "yellow", "green", "blue", "purple", "black", "white", "pink"]
    wrong = rng.choice([c for c in others if c != label.color], 3, replace=False)
    text = f"What colour was the {label.cls} at {t} s?"
    return Asked("color", text, label.color, shuffled(rng, label.color, *map(str, wrong)))
