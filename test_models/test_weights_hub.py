# SPDX-License-Identifier: Apache-2.0
"""`f4x weights` with the real huggingface_hub, against a server that answers as the hub does."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from f4x_ros.core.features.weights import TOKENIZER, cached, checkpoint, published_sha256

WEIGHTS = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
NAME = "sam2.1-hiera-tiny"
WORDED = "ViT-B-32-SigLIP2-256.webli"


class Hub(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        served = [
            f"/{known.repository}/resolve/main/{file}"
            for known in map(checkpoint, (NAME, WORDED))
            for file in (known.file, *known.companions)
        ]
        if self.path not in served:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(WEIGHTS)))
        self.send_header("ETag", f'"{SHA256}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(WEIGHTS)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def f4x(hub: str, cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "f4x_ros.cli.main", "weights", *arguments]
    return subprocess.run(
        [*command, "--cache", str(cache)],
        env={**os.environ, "HF_ENDPOINT": hub, "HF_HUB_DISABLE_XET": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )


def test_what_is_fetched_is_found_and_verified(hub: str, tmp_path: Path) -> None:
    done = f4x(hub, tmp_path, "fetch", NAME)
    assert done.returncode == 0, done.stderr
    assert SHA256 in done.stdout
    assert f'features.options="model={NAME}"' in done.stdout
    file = cached(checkpoint(NAME), tmp_path)
    assert file is not None
    assert file.read_bytes() == WEIGHTS
    assert published_sha256(file) == SHA256

    assert f4x(hub, tmp_path, "verify", NAME).returncode == 0
    file.resolve().write_bytes(WEIGHTS[:-1] + b"?")
    done = f4x(hub, tmp_path, "verify", NAME)
    assert done.returncode == 1
    assert "differs" in done.stdout


def test_a_tokenizer_comes_along_and_lies_beside_the_weights(hub: str, tmp_path: Path) -> None:
    done = f4x(hub, tmp_path, "fetch", WORDED)
    assert done.returncode == 0, done.stderr
    assert 'features.options="model=ViT-B-32-SigLIP2-256 pretrained=webli"' in done.stdout
    file = cached(checkpoint(WORDED), tmp_path)
    assert file is not None
    assert all((file.parent / name).is_file() for name in TOKENIZER)
