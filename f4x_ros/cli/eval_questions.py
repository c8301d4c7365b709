# SPDX-License-Identifier: Apache-2.0
"""`f4x eval --questions`: questions about space and time, of the truth and of maps of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.config import Config
    from f4x_ros.eval.protocol.asked import Asked, Tally
    from f4x_ros.io.source import Source
    from f4x_ros.sim import World

INVENTED = 20
"""Questions about things that are not there, of each world."""


def run_questions(opened: list[Source], config: Config, out: Path, *, truth_only: bool) -> None:
    """Ask each world, print how many answers are right, and leave questions.json.

    Args:
        opened: drawn worlds.
        config: of the maps.
        out: folder for the results.
        truth_only: reasoning alone, on true tracks and boxes; no map is made.

    Raises:
        BadInputError: a source is no drawn world.
    """
    from f4x_ros.eval.protocol.asked import Tally
    from f4x_ros.sim import World

    for source in opened:
        if not isinstance(source, World):
            raise BadInputError(
                f"{source.name} with --questions, expected a drawn world: only they have the truth"
            )
    out.mkdir(parents=True, exist_ok=True)
    true, mapped = Tally(), Tally()
    worlds: dict[str, Any] = {}
    for source in opened:
        assert isinstance(source, World)
        worlds[source.name] = _one(source, config, out, true, None if truth_only else mapped)
        _write(out, worlds, true, mapped)
    _print(worlds, true, mapped)
    print(f"\nAll questions and answers are in {out / 'questions.json'}.")


def _one(
    world: World, config: Config, out: Path, true: Tally, mapped: Tally | None
) -> dict[str, Any]:
    """All of one world; what came of it."""
    from f4x_ros.cli.sources import prepared
    from f4x_ros.core.ask.tools import MapScene
    from f4x_ros.eval.protocol.asked import ask_all, draw_questions, invented_questions
    from f4x_ros.eval.subjects.true_scene import TrueScene

    if mapped is not None:  # else few frames are looked at
        prepared(world)
    questions = draw_questions(world)
    invented = invented_questions(world, INVENTED)
    reasoned = ask_all(TrueScene(world), questions, invented)
    _extend(true, reasoned)
    numbers = {"reasoning_right": reasoned.right(), "asked": len(questions)}
    print(f"{world.name}: {len(questions)} questions, reasoning {reasoned.right():.3f}", flush=True)
    if mapped is not None:
        perception = mapped_world(world, config, out)
        begin = time.process_time()
        answered = ask_all(MapScene(perception), questions, invented)
        seconds = time.process_time() - begin
        _extend(mapped, answered)
        numbers |= answered.numbers()
        numbers["answer_cpu_ms"] = 1e3 * seconds / (len(questions) + len(invented))
        print(f"{world.name}: from the map {answered.right():.3f}", flush=True)
    return numbers


def mapped_world(world: World, config: Config, out: Path) -> Any:
    """A map of a world that follows its objects by their names."""
    from f4x_ros.cli.progress import progress_bar
    from f4x_ros.cli.run import file_name
    from f4x_ros.core.perception import Perception
    from f4x_ros.eval.protocol.questions import Vocabulary
    from f4x_ros.eval.subjects.subject import understood_by

    perception = Perception(config)
    words = Vocabulary.understood(world, lambda texts: understood_by(perception, texts))
    perception.set_prompts([phrase.text for phrase in words.standing()])
    with progress_bar(len(world), world.name) as bar:
        for index in range(len(world)):
            perception.process(world[index])
            bar.update(1)
    perception.save(out / f"{file_name(world.name.replace(':', '_'))}.f4x")
    return perception


def _extend(tally: Tally, more: Tally) -> None:
    tally.asked += more.asked
    tally.invented += more.invented


def _write(out: Path, worlds: dict[str, Any], true: Tally, mapped: Tally) -> None:
    from f4x_ros.eval.report.files import write_json

    answered = mapped if mapped.asked else true
    overall = mapped.numbers() if mapped.asked else {}
    write_json(
        out / "questions.json",
        {
            "questions": {
                **overall,
                "reasoning_right": true.right(),
                "reasoning_per_kind": true.numbers()["per_kind"],
                "reasoning_invented": true.answered_invented(),
            },
            "worlds": worlds,
            "answers": [_row(question, answer) for question, answer in answered.asked],
            "invented": [answer.as_json() for answer in answered.invented],
        },
    )


def _row(question: Asked, answer: Any) -> dict[str, Any]:
    return {
        "kind": question.kind,
        "question": question.text,
        "truth": question.truth,
        "choices": list(question.choices),
        "outcome": answer.outcome,
        "value": answer.value,
        "text": answer.text,
        "right": question.is_right(answer),
    }


def _print(worlds: dict[str, Any], true: Tally, mapped: Tally) -> None:
    """A row for each kind."""
    reasoned, answered = true.numbers(), mapped.numbers()
    rows = [
        (kind, about["asked"], f"{about['chance']:.2f}", f"{about['right']:.2f}",
         f"{answered['per_kind'][kind]['right']:.2f}" if mapped.asked else "-")
        for kind, about in reasoned["per_kind"].items()
    ]  # fmt: skip
    rows.append(
        ("all", reasoned["asked"], "", f"{true.right():.3f}",
         f"{mapped.right():.3f}" if mapped.asked else "-")
    )  # fmt: skip
    print()
    print(table(rows, ("kind", "asked", "chance", "reasoning", "from the map")))
    print(f"\n{len(worlds)} worlds; about things that are not there, answered as if they were: "
          f"reasoning {true.answered_invented()} of {len(true.invented)}", end="")  # fmt: skip
    if mapped.asked:
        held = answered["in_interval"]
        print(f", from the map {mapped.answered_invented()} of {len(mapped.invented)}")
        print(f"numbers inside their stated 90 % interval: {held:.2f}"
              if held is not None else "", end="")  # fmt: skip
    print()
