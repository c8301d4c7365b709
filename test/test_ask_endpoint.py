# SPDX-License-Identifier: Apache-2.0
"""A language model in place of the parser: a real HTTP server with scripted replies.

Whatever it replies, there is a bounded end, and nothing is said that no result of a tool bears out.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ask_scene import MadeUp, at, toolbox

from f4x_ros.core.ask.dialogue import Endpoint, EndpointDialogue, EndpointError
from f4x_ros.core.ask.dialogue import endpoint as endpoint_module
from f4x_ros.core.ask.dialogue.model_dialogue import MAX_CALLS, MAX_ROUNDS, unborne_numbers
from f4x_ros.core.ask.tools import Outcome, ToolResult
from f4x_ros.core.errors import BadInputError

TOOLS = toolbox(MadeUp(1, "red mug", at(3, 0, 1)), MadeUp(2, "green sofa", at(3, -2, 1)))


class Script:
    """A server on loopback whose replies are what a function makes of each request."""

    def __init__(self, reply: Callable[[int, dict[str, Any]], Any]) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/chat/completions"
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                script.asked.append(body)
                script.keys.append(self.headers["Authorization"])
                made = reply(len(script.asked), body)
                status, data = made if isinstance(made, tuple) else (200, made)
                text = data if isinstance(data, bytes) else json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                try:
                    self.wfile.write(text)
                except OSError:  # the client has given up
                    return

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"


@pytest.fixture
def serve() -> Iterator[Callable[..., Script]]:
    made: list[Script] = []

    def start(reply: Callable[[int, dict[str, Any]], Any]) -> Script:
        made.append(Script(reply))
        return made[-1]

    yield start
    for one in made:
        one.server.shutdown()
        one.server.server_close()


def says(text: str) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


def calls(*wanted: tuple[str, str]) -> dict[str, Any]:
    made = [
        {"id": f"c{k}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for k, (name, arguments) in enumerate(wanted)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": made}
    return {"choices": [{"message": message}]}


HOW_FAR = ("distance", '{"a": "red mug", "b": "green sofa"}')


def test_a_loop_of_tools_ends_in_an_answer_with_its_results(serve: Any) -> None:
    def reply(number: int, body: dict[str, Any]) -> Any:
        if number == 1:
            return calls(("find", '{"thing": "red mug"}'))
        if number == 2:
            assert body["messages"][-1]["role"] == "tool"
            assert json.loads(body["messages"][-1]["content"])["ids"] == [1]
            return calls(HOW_FAR)
        return says("The red mug is 2 m (2.00 m) from the sofa.")

    script = serve(reply)
    dialogue = EndpointDialogue(TOOLS, Endpoint(script.base, "some-model", "key"))
    answer = dialogue.ask("How far is the mug from the sofa?")
    assert answer.outcome == "value"
    assert answer.value == pytest.approx(2.0)
    assert [step.tool for step in answer.steps] == ["find", "distance"]
    assert script.keys == ["Bearer key"] * 3
    first = script.asked[0]
    assert first["model"] == "some-model"
    assert {tool["function"]["name"] for tool in first["tools"]} >= {"distance", "hidden_by"}


def test_the_conversation_is_told_again(serve: Any) -> None:
    script = serve(lambda n, body: calls(HOW_FAR) if n % 2 else says("2 m apart"))
    dialogue = EndpointDialogue(TOOLS, Endpoint(script.base, "m"))
    dialogue.ask("How far is the mug from the sofa?")
    dialogue.ask("And before?")
    said = [m["content"] for m in script.asked[2]["messages"]]
    assert said[1:] == ["How far is the mug from the sofa?", "2 m apart", "And before?"]


@pytest.mark.parametrize(
    "wrong, told",
    [
        (("fly", "{}"), "there is no tool 'fly'"),
        (("distance", "{nonsense"), "no JSON"),
        (("distance", "[1]"), "no JSON object"),
        (("distance", "{}"), "needs a"),
        (("distance", '{"a": "mug", "at": 99}'), "expected 0 to 5.00 s"),
        (("where", '{"thing": "nonsense"}'), "not understood"),
    ],
)
def test_wrong_calls_are_told_and_can_be_put_right(
    serve: Any, wrong: tuple[str, str], told: str
) -> None:
    def reply(number: int, body: dict[str, Any]) -> Any:
        if number == 1:
            return calls(wrong)
        if number == 2:
            assert told in body["messages"][-1]["content"]
            return calls(HOW_FAR)
        return says("They are 2.0 m apart.")

    answer = EndpointDialogue(TOOLS, Endpoint(serve(reply).base, "m")).ask("How far?")
    assert answer.outcome == "value"
    assert len(answer.steps) == 1


def test_arguments_may_come_as_an_object(serve: Any) -> None:
    reply = calls(HOW_FAR)
    function = reply["choices"][0]["message"]["tool_calls"][0]["function"]
    function["arguments"] = json.loads(function["arguments"])
    script = serve(lambda n, body: reply if n == 1 else says("2.0 m"))
    assert EndpointDialogue(TOOLS, Endpoint(script.base, "m")).ask("How far?").outcome == "value"


def test_endless_calls_have_an_end(serve: Any) -> None:
    script = serve(lambda n, body: calls(HOW_FAR))
    answer = EndpointDialogue(TOOLS, Endpoint(script.base, "m")).ask("How far?")
    assert answer.outcome == "unsure"
    assert "without end" in answer.text
    assert len(script.asked) == MAX_ROUNDS
    many = serve(lambda n, body: calls(*[HOW_FAR] * (MAX_CALLS + 5)))
    answer = EndpointDialogue(TOOLS, Endpoint(many.base, "m")).ask("How far?")
    assert len(answer.steps) == MAX_CALLS
    assert len(many.asked) == 1


@pytest.mark.parametrize(
    "said, unborne",
    [("It is 3.7 m away.", "3.7"), ("It is 2.00 m away and 14 years old.", "14")],
)
def test_numbers_that_no_result_has_are_no_answer(serve: Any, said: str, unborne: str) -> None:
    script = serve(lambda n, body: calls(HOW_FAR) if n == 1 else says(said))
    answer = EndpointDialogue(TOOLS, Endpoint(script.base, "m")).ask("How far?")
    assert answer.outcome == "unsure"
    assert answer.value is None
    assert unborne in answer.text


def test_an_answer_without_a_tool_is_none(serve: Any) -> None:
    script = serve(lambda n, body: says("The mug is on the table."))
    answer = EndpointDialogue(TOOLS, Endpoint(script.base, "m")).ask("Where is the mug?")
    assert answer.outcome == "unsure"
    assert "asked no tool" in answer.text


def test_what_a_tool_does_not_find_stays_not_present(serve: Any) -> None:
    script = serve(
        lambda n, body: calls(("where", '{"thing": "guitar"}')) if n == 1 else says("No guitar.")
    )
    answer = EndpointDialogue(TOOLS, Endpoint(script.base, "m")).ask("Where is the guitar?")
    assert answer.outcome == "not present"


@pytest.mark.parametrize(
    "reply, told",
    [
        (b"not json", "expected a chat completion"),
        ({"choices": []}, "expected a chat completion"),
        ({"choices": [{"message": None}]}, "expected a chat completion"),
        ({"choices": [{"message": {"tool_calls": [{"id": 1}]}}]}, "expected a chat completion"),
        ({"choices": [{"message": {"content": ["a"]}}]}, "expected text"),
        ((500, b"out of memory"), "answered 500: 'out of memory'"),
        ((401, b"no key"), "answered 401"),
    ],
)
def test_replies_that_are_none_are_errors(serve: Any, reply: Any, told: str) -> None:
    script = serve(lambda n, body: reply)
    with pytest.raises(EndpointError, match=told):
        EndpointDialogue(TOOLS, Endpoint(script.base, "m")).ask("How far?")


def test_a_server_that_is_too_slow_or_not_there_is_an_error(serve: Any) -> None:
    def late(number: int, body: dict[str, Any]) -> Any:
        time.sleep(3)
        return says("late")

    with pytest.raises(EndpointError, match=r"did not reply within 0\.2 s"):
        EndpointDialogue(TOOLS, Endpoint(serve(late).base, "m", timeout_s=0.2)).ask("How far?")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(EndpointError, match="cannot be asked"):
        EndpointDialogue(TOOLS, Endpoint(f"http://127.0.0.1:{port}/v1", "m")).ask("How far?")


def test_a_reply_without_end_is_cut_off(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "MAX_REPLY_BYTES", 1000)
    script = serve(lambda n, body: b"x" * 100_000)
    with pytest.raises(EndpointError, match="more than 1000 bytes"):
        EndpointDialogue(TOOLS, Endpoint(script.base, "m")).ask("How far?")


@pytest.mark.parametrize("base", ["", "localhost:11434", "ftp://host/v1", "http://"])
def test_an_address_that_is_none_is_refused(base: str) -> None:
    with pytest.raises(BadInputError, match="expected an address"):
        Endpoint(base, "m")


@pytest.mark.parametrize("text", ["", "  ", "x" * 501])
def test_questions_are_bounded(text: str) -> None:
    with pytest.raises(BadInputError, match="question"):
        EndpointDialogue(TOOLS, Endpoint("http://127.0.0.1:9/v1", "m")).ask(text)


def test_numbers_are_borne_out_by_those_with_more_digits() -> None:
    result = ToolResult("distance", Outcome.VALUE, 1.2345, "", ids=(1, 7), evidence=("4.5 m/s",))
    assert unborne_numbers("1.23 m, about 1 m, #7, 4.5, and 2 things", "", [result]) == []
    assert unborne_numbers("1.24 m", "", [result]) == ["1.24"]
    assert unborne_numbers("at 3 s", "where at 3 s?", [result]) == []
