# SPDX-License-Identifier: Apache-2.0
"""What is drawn for questions: moments, things that have been seen, the order of choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from f4x_ros.eval.protocol.asked_facts import Facts
from f4x_ros.eval.protocol.asked_question import Asked

Draw = Callable[[Facts, np.random.Generator], "Asked | None"]


def draw_time(facts: Facts, rng: np.random.Generator, margin_s: float = 0.5) -> float:
    """A moment [s], to a tenth of a second, away from both ends."""
    return round(float(rng.uniform(margin_s, facts.end_s - margin_s)), 1)


def some_things(
    facts: Facts, rng: np.random.Generator, t: float, number: int, among: Sequence[int] = ()
) -> list[int] | None:
    """Different things that have been seen by then; movers only while they are in sight."""
    pool = [n for n in (among or facts.things) if is_told(facts, n, t)]
    if len(pool) < number:
        return None
    return [int(n) for n in rng.choice(pool, number, replace=False)]


def is_told(facts: Facts, number: int, t: float) -> bool:
    """Whether it may be asked where a thing is: seen by then, named by its name alone.

    A mover has to be in sight.
    """
    known = facts.known(number, t) and number in facts.nameable
    return known and (number not in facts.movers or facts.in_sight(number, t))


def was_seen(facts: Facts, number: int, t: float) -> bool:
    """Whether a thing was seen by then and its name means it alone."""
    return facts.known(number, t) and number in facts.nameable


def pick(rng: np.random.Generator, *texts: str) -> str:
    """One of some texts."""
    return str(rng.choice(list(texts)))


def shuffled(rng: np.random.Generator, *names: str) -> tuple[str, ...]:
    """Names, each once, in a drawn order."""
    return tuple(str(name) for name in rng.permutation(list(dict.fromkeys(names))))


def draw_span(facts: Facts, rng: np.random.Generator, least_s: float = 1.0) -> tuple[float, float]:
    """Begin and end of a span [s]."""
    begin = round(float(rng.uniform(0.2, facts.end_s - least_s - 0.3)), 1)
    end = round(float(rng.uniform(begin + least_s, facts.end_s - 0.1)), 1)
    return begin, end
