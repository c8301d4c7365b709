# SPDX-License-Identifier: Apache-2.0
"""One file over the network, whole and as published, or not at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.request import HTTPRedirectHandler, Request, build_opener

from f4x_ros.core.base import atomic_write
from f4x_ros.core.errors import BadInputError

SHA256 = re.compile(r"[0-9a-f]{64}")

_CHUNK = 1 << 20  # bytes
_TIMEOUT_S = 30.0


class _Redirects(HTTPRedirectHandler):
    """Follows redirects, keeping the SHA-256 that the hub sends along with the first."""

    published = ""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Urllib's own, listened to."""
        tag = str(headers.get("X-Linked-ETag", "")).strip('"')
        if SHA256.fullmatch(tag):
            self.published = tag
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(
    url: str,
    file: Path,
    sha256: str = "",
    progress: Callable[[int], object] = lambda _: None,
) -> Path:
    """Fetch `url` into `file`, whole or not at all.

    Compared with `sha256`, or else with what the server says the SHA-256 is, if it does.

    Raises:
        ValueError: it cannot be fetched, is cut short, or has another SHA-256.
    """
    redirects = _Redirects()
    digest = hashlib.sha256()
    count = 0
    try:
        with build_opener(redirects).open(url, timeout=_TIMEOUT_S) as source:
            file.parent.mkdir(parents=True, exist_ok=True)
            expected = source.headers.get("Content-Length")
            with atomic_write(file) as target:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
                    digest.update(chunk)
                    count += len(chunk)
                    progress(count)
                if expected is not None and count != int(expected):
                    raise BadInputError(f"{url}: {count} bytes came, expected {expected}")
                _compare(url, digest.hexdigest(), sha256 or redirects.published)
    except (OSError, HTTPException) as error:
        raise BadInputError(f"{url} cannot be fetched: {one_line(error)}") from error
    return file


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _compare(what: str, found: str, expected: str) -> None:
    if expected and found != expected:
        raise BadInputError(f"{what} has SHA-256 {found}, expected {expected}")


def one_line(error: Exception) -> str:
    """An error of a library, short."""
    return " ".join(str(error).split())[:300] or type(error).__name__
