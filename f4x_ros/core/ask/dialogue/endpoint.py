# SPDX-License-Identifier: Apache-2.0
"""A language model behind an OpenAI-compatible server (Ollama, llama.cpp, vLLM, ...).

One request and one reply of `POST {base}/chat/completions`, checked; nothing is kept.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from f4x_ros.core.errors import BadInputError, F4xError, shown

MAX_REPLY_BYTES = 4 * 2**20
"""Of one reply; a longer one is an error."""


class EndpointError(F4xError):
    """The server cannot be reached, is too slow, or says what no such server says."""


@dataclass(frozen=True)
class ToolCall:
    """A call that the model wants.

    Attributes:
        id: to be given back with the result.
        name: of the tool, as the model wrote it.
        arguments: JSON text, as the model wrote it.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Reply:
    """What the model says.

    Attributes:
        text: "" where it only calls tools.
        calls: tools it wants to be called, in order.
        message: as it came, to be sent back with the results.
    """

    text: str
    calls: tuple[ToolCall, ...]
    message: dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """One server and one model of it.

    Args:
        base: address before "/chat/completions", http or https.
        model: name of the model.
        key: sent as bearer token; "" sends none.
        timeout_s: of one reply, from sending the request to its last byte.

    Raises:
        BadInputError: no address of that kind.
    """

    base: str
    model: str
    key: str = ""
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInputError(
                f"endpoint is {shown(self.base)}, expected an address such as "
                "http://localhost:11434/v1"
            )

    def complete(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Reply:
        """One reply of the model.

        Raises:
            EndpointError: says what went wrong.
        """
        body = {"model": self.model, "messages": messages, "tools": tools, "temperature": 0}
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(
            f"{self.base.rstrip('/')}/chat/completions", json.dumps(body).encode(), headers
        )
        return _reply(self._read(request))

    def _read(self, request: urllib.request.Request) -> bytes:
        """The body of the answer, within the time and size it may take."""
        deadline = time.monotonic() + self.timeout_s
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:
                return self._body(answer, deadline)
        except urllib.error.HTTPError as error:
            said = error.read(300).decode("utf-8", "replace")
            raise EndpointError(f"{self.base} answered {error.code}: {shown(said)}") from None
        except TimeoutError:
            raise self._too_slow() from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise self._too_slow() from None
            raise EndpointError(f"{self.base} cannot be asked: {reason}") from None

    def _body(self, answer: http.client.HTTPResponse, deadline: float) -> bytes:
        got = b""
        while part := answer.read1(65536):
            got += part
            if len(got) > MAX_REPLY_BYTES:
                raise EndpointError(
                    f"{self.base} sent more than {MAX_REPLY_BYTES} bytes, expected one reply"
                )
            if time.monotonic() > deadline:
                raise self._too_slow()
        return got

    def _too_slow(self) -> EndpointError:
        return EndpointError(f"{self.base} did not reply within {self.timeout_s:g} s")


def _reply(body: bytes) -> Reply:
    """A reply out of JSON; EndpointError for what is none."""
    try:
        message = json.loads(body)["choices"][0]["message"]
        calls = tuple(
            ToolCall(
                str(call.get("id", number)),
                str(call["function"]["name"]),
                _text_of(call["function"].get("arguments", "{}")),
            )
            for number, call in enumerate(message.get("tool_calls") or ())
        )
        text = message.get("content") or ""
    except (ValueError, LookupError, TypeError, AttributeError):
        said = shown(body[:200].decode("utf-8", "replace"))
        raise EndpointError(f"the endpoint replied {said}, expected a chat completion") from None
    if not isinstance(text, str):
        raise EndpointError(f"the reply's content is {shown(str(text))}, expected text")
    return Reply(text.strip(), calls, message)


def _text_of(arguments: object) -> str:
    """Arguments as JSON text: some servers send them as an object."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments)
