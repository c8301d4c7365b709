# SPDX-License-Identifier: Apache-2.0
"""Choice by words: in drawn rooms with two things of a kind, is the right one edited?

    python bench/edit_choice.py --seeds 9000 9010 [--size 240x180 --frames 60]

Each room is mapped with the names of its things as standing prompts. For each kind that is there
at least twice, and whose things the camera saw, `remove the NAME` is asked for by the full name of
each ("gray mug") and for the kind alone ("mug"). Right is: the box of what is taken away at the
last frame holds the middle of the thing that was named, or a question back ("which", "unsure"). For
the kind alone nothing but a question back is right. "not present" and "not understood" are counted
as they are: nothing was edited.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from f4x_ros.core.config import Config
from f4x_ros.core.perception import Perception
from f4x_ros.eval.protocol.questions import Vocabulary
from f4x_ros.eval.subjects.subject import understood_by
from f4x_ros.sim import World, open_source

_LEAST_PX = 30
_MARGIN_M = 0.05


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs=2, default=(9000, 9010), help="first, end")
    parser.add_argument("--size", default="240x180")
    parser.add_argument("--frames", type=int, default=60)
    options = parser.parse_args()
    named: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    scenes = 0
    for seed in range(*options.seeds):
        world = open_source(f"random:{seed}:{options.size}:{options.frames}")
        assert isinstance(world, World)
        pairs = alike(world)
        if not pairs:
            continue
        perception = mapped(world)
        for kind, numbers in pairs.items():
            scenes += 1
            for number in numbers:
                said = asked(world, perception, world.labels[number].name, number)
                named[said] += 1
                print(seed, world.labels[number].name, said, flush=True)
            said = asked(world, perception, kind, 0)
            kinds[said] += 1
            print(seed, kind, said, flush=True)
    print(f"{scenes} pairs; by name {dict(named)}; by kind {dict(kinds)}")


def alike(world: World) -> dict[str, list[int]]:
    """Kinds of which at least two things are well in sight at the same last moments."""
    seen: dict[str, list[int]] = {}
    truths = [world.truth(k) for k in np.linspace(0, len(world) - 1, 7).astype(int).tolist()]
    for number, label in world.labels.items():
        if max(int((one.instances == number).sum()) for one in truths) >= _LEAST_PX:
            seen.setdefault(label.cls, []).append(number)
    room = ("floor", "wall", "ceiling")
    return {kind: found for kind, found in seen.items() if len(found) > 1 and kind not in room}


def mapped(world: World) -> Perception:
    """A map that follows the world's things by their names."""
    perception = Perception(Config())
    words = Vocabulary.understood(world, lambda texts: understood_by(perception, texts))
    perception.set_prompts([phrase.text for phrase in words.standing()])
    for index in range(len(world)):
        perception.process(world[index])
    return perception


def asked(world: World, perception: Perception, words: str, number: int) -> str:
    """What comes of asking to remove something: right, wrong, or the outcome."""
    result = perception.edit(f"remove the {words}")
    if not result.done:
        return "asked back" if result.outcome in ("which", "unsure") else result.outcome
    region = result.edits[0].region
    perception.undo()
    truth = world.truth(len(world) - 1)
    if number not in truth.T_map_center or region is None:
        return "wrong"
    now = perception.editor.measured()
    places = now.means[region.rows_of(now)].numpy()
    if not len(places):
        return "wrong"
    middle = truth.T_map_center[number][:3, 3]
    low, high = np.percentile(places, (1, 99), axis=0)
    inside = ((middle >= low - _MARGIN_M) & (middle <= high + _MARGIN_M)).all()
    size = np.linalg.norm(high - low)
    own = np.linalg.norm(world.labels[number].size)
    return "right" if inside and size < 2 * own + 0.1 else "wrong"


if __name__ == "__main__":
    main()
