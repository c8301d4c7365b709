# SPDX-License-Identifier: Apache-2.0
"""Who may open the page: this machine's own programs, or whoever has the token."""

from __future__ import annotations

import hmac
from urllib.parse import SplitResult, parse_qs, urlsplit

from f4x_ros.core.errors import BadInputError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach it."""
    return host in _LOOPBACK


def check_address(host: str, port: int, token: str) -> None:
    """BadInputError for a port that is none, or if others could reach the page without a token."""
    if not 0 <= port <= 65535:
        raise BadInputError(f"port is {port}, expected 0 to 65535")
    if not is_loopback(host) and not token:
        raise BadInputError(
            f"host is {host!r}, which other machines reach, and there is no token: expected "
            "127.0.0.1, or a token"
        )


def refusal(path: str, host: str | None, origin: str | None, token: str) -> str:
    """Why a request is refused, '' if it is not.

    Without a token a page of another site could talk to this machine through the browser that has
    it open: by a connection of its own (another `Origin`), or by a name of its own that it lets
    point here (another `Host`, "DNS rebinding").

    Args:
        path: of the request, with its query.
        host: header `Host`.
        origin: header `Origin`, None where there is none.
        token: "" = none is needed.
    """
    address = split(f"//{host or ''}")
    if token:
        given = parse_qs(split(path).query).get("token", [""])[0]
        if not hmac.compare_digest(given.encode(), token.encode()):
            return "the address lacks its token: open it as f4x printed it"
    elif not is_loopback(address.hostname or ""):
        return (
            f"the page was opened as {host!r:.80}, expected localhost or 127.0.0.1 (over ssh: "
            "ssh -L PORT:127.0.0.1:PORT, then http://localhost:PORT)"
        )
    if origin is not None and split(origin).netloc != address.netloc:
        return f"a page of {origin!r:.80} may not talk to this one"
    return ""


def split(url: str) -> SplitResult:
    """`urlsplit`; of what is no address, nothing."""
    try:
        made = urlsplit(url)
        made.hostname  # noqa: B018 (brackets are looked at here)
        return made
    except ValueError:
        return urlsplit("")
