# SPDX-License-Identifier: Apache-2.0
"""Ask a saved map about space and time: where, how far, what moved, when, what hides what.

Each answer says what it rests on; "not present", "unsure" and "not understood" are answers, too.
Without a question it prompts for them, and remembers what was said: "and where was it before?".
With --endpoint a language model behind an OpenAI-compatible server reads the questions instead of
f4x's own parser, and calls the same tools. Exit code 2 if a question was not understood.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from f4x_ros.cli.moment import add_map_argument
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.ask.dialogue import Answer
    from f4x_ros.core.perception import Perception

_KEY = "F4X_ENDPOINT_KEY"


class _Asked(Protocol):
    """Something that answers questions in words."""

    def ask(self, text: str) -> Answer: ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_map_argument(parser)
    parser.add_argument(
        "question", nargs="*", help='e.g. "How far is the mug from the sofa?"; none: a prompt'
    )
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE",
        help="write the answers as one JSON document to FILE, without FILE to the terminal",
    )  # fmt: skip
    parser.add_argument(
        "--picture", metavar="PNG", help="write the map with the things of the last answer marked"
    )
    parser.add_argument(
        "--graph", metavar="FILE",
        help="write things, relations and histories as one JSON document (doc/ask.md); without a "
        "question nothing is asked",
    )  # fmt: skip
    parser.add_argument(
        "--endpoint", metavar="URL",
        help="let a language model read the questions: base address of an OpenAI-compatible "
        f"server, e.g. http://localhost:11434/v1; its key is taken from ${_KEY}",
    )  # fmt: skip
    parser.add_argument("--model", default="", help="name of the model on that server")
    parser.add_argument(
        "--tools", action="store_true", help="list the tools with their arguments, and end"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.endpoint and not options.model:
        raise BadInputError("--endpoint without --model, expected the name of a model there")
    if options.json is None and options.question and any(not q.strip() for q in options.question):
        raise BadInputError("a question is blank, expected words")
    from f4x_ros.core.perception import Perception

    perception = Perception.load(options.map)
    if options.tools:
        _list_tools(perception)
        return 0
    if options.graph:
        _write_graph(options.graph, perception)
        if not options.question:
            return 0
    asked = _asked(perception, options)
    quiet = options.json == "-"
    answers: list[Answer] = []
    for question in options.question or _typed():
        answer = asked.ask(question)
        answers.append(answer)
        if not quiet:
            print(told(answer), flush=True)
    if options.picture and answers:
        _write_picture(options.picture, perception, answers[-1])
    if options.json is not None:
        _write_json(options.json, answers)
    return 2 if any(answer.outcome == "not understood" for answer in answers) else 0


def _list_tools(perception: Perception) -> None:
    for tool in perception.tools.tools:
        arguments = ", ".join(
            one.name if one.required else f"[{one.name}]" for one in tool.arguments
        )
        print(f"{tool.name}({arguments})\n    {tool.about}")


def told(answer: Answer) -> str:
    """An answer for a terminal: the statement, then what it rests on."""
    lines = [answer.text[0].upper() + answer.text[1:] if answer.text else answer.outcome]
    if answer.outcome in ("unsure", "not present"):
        lines[0] = f"{answer.outcome.capitalize()}: {answer.text}"
    for step in answer.steps:
        given = ", ".join(f"{k}={v}" for k, v in step.arguments.items())
        lines.append(f"  {step.tool}({given})")
        lines += [f"    {one}" for one in step.evidence[:6]]
    return "\n".join(lines)


def _asked(perception: Perception, options: argparse.Namespace) -> _Asked:
    from f4x_ros.core.ask.dialogue import Dialogue, Endpoint, EndpointDialogue

    if not options.endpoint:
        return Dialogue(perception.tools)
    endpoint = Endpoint(options.endpoint, options.model, os.environ.get(_KEY, ""))
    return EndpointDialogue(perception.tools, endpoint)


def _typed() -> Iterator[str]:
    """Questions typed at a prompt until the end of the input, or "quit"."""
    prompt = sys.stdin.isatty()
    if prompt:
        import readline

        readline.set_history_length(1000)
        print('Ask about the map, e.g. "What moved?". An empty line ends it.')
    while True:
        try:
            line = input("? " if prompt else "").strip()
        except EOFError:
            return
        if line in ("", "quit", "exit"):
            return
        yield line


def _write_json(path: str, answers: list[Answer]) -> None:
    from f4x_ros.core.base import atomic_write

    text = json.dumps([one.as_json() for one in answers], indent=2, allow_nan=False)
    if path == "-":
        print(text)
        return
    with atomic_write(Path(path).expanduser()) as file:
        file.write(f"{text}\n".encode())


def _write_graph(path: str, perception: Perception) -> None:
    from f4x_ros.core.ask.tools import scene_graph
    from f4x_ros.core.base import atomic_write

    text = json.dumps(scene_graph(perception.tools.scene), allow_nan=False, indent=1)
    with atomic_write(Path(path).expanduser()) as file:
        file.write(f"{text}\n".encode())
    print(f"The scene graph is in {path}.", file=sys.stderr)


def _write_picture(path: str, perception: Perception, answer: Answer) -> None:
    from f4x_ros.core.ask.tools import MapScene
    from f4x_ros.viz.ask_picture import picture_of_result
    from f4x_ros.viz.png import save_png

    scene = perception.tools.scene
    assert isinstance(scene, MapScene)
    save_png(Path(path).expanduser(), picture_of_result(scene, answer.result, answer.text))
    print(f"\nThe picture is in {path}.", file=sys.stderr)
