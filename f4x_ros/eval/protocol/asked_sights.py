# SPDX-License-Identifier: Apache-2.0
"""Questions about sight, and those that take several steps."""

from __future__ import annotations

import numpy as np

from f4x_ros.eval.protocol.asked_draws import (
    draw_time,
    pick,
    shuffled,
    some_things,
    was_seen,
)
from f4x_ros.eval.protocol.asked_facts import Facts
from f4x_ros.eval.protocol.asked_question import Asked

# --- sight ---------------------------------------------------------------------------------------


def visible(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """Whether the camera could see something."""
    frame = int(rng.choice(facts.looks[1:]))
    t = frame / 30.0
    wanted = bool(rng.random() < 0.5)
    pool = [
        n for n in facts.things
        if was_seen(facts, n, t) and (facts.share(n, frame) > 0.6 if wanted else
                                  facts.share(n, frame) < 0.01)
        and (wanted or n in facts.still)
    ]  # fmt: skip
    if not pool:
        return None
    name = facts.name(int(rng.choice(pool)))
    text = pick(
        rng,
        f"Was the {name} visible at {t:.1f} s?",
        f"Could the camera see the {name} at {t:.1f} s?",
    )
    return Asked("visible", text, "yes" if wanted else "no", ("yes", "no"))


def hidden_by(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """What is before something that is hidden in part or whole."""
    frame = int(rng.choice(facts.looks[1:]))
    t = frame / 30.0
    found = [(n, who) for n in facts.still if was_seen(facts, n, t)
             and (who := _before(facts, n, frame)) is not None]  # fmt: skip
    if not found:
        return None
    number, who = found[int(rng.integers(len(found)))]
    others = [facts.name(n) for n in facts.things if n not in (number, who) and facts.known(n, t)]
    if len(others) < 3:
        return None
    wrong = [str(name) for name in rng.choice(others, 3, replace=False)]
    text = f"What was hiding the {facts.name(number)} at {t:.1f} s?"
    return Asked("hidden_by", text, facts.name(who), shuffled(rng, facts.name(who), *wrong))


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
    return best if alone and was_seen(facts, best, frame / 30) else None


# --- steps ---------------------------------------------------------------------------------------


def steps(facts: Facts, rng: np.random.Generator) -> Asked | None:
    """How far the only mover of a kind, found by what it did, is from something."""
    t = draw_time(facts, rng)
    if (two := some_things(facts, rng, t, 2, facts.still)) is None:
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
    t = draw_time(facts, rng)
    if (three := some_things(facts, rng, t, 3)) is None:
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
