# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from f4x_ros.core.features.download import download, sha256_of
from f4x_ros.core.features.weights import (
    CHECKPOINTS,
    TOKENIZER,
    Checkpoint,
    cache_folder,
    cached,
    checkpoint,
    fetch,
    locate,
    published_sha256,
)

WEIGHTS = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does: a redirect that names the SHA-256, then the file."""

    def do_GET(self) -> None:
        if self.path.startswith("/resolve"):
            said = "0" * 64 if "wrong" in self.path else SHA256
            self.send_response(302)
            self.send_header("X-Linked-ETag", f'"{said}"')
            self.send_header("Location", "/short" if "short" in self.path else "/data")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path not in ("/data", "/short"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(WEIGHTS)))
        self.end_headers()
        self.wfile.write(WEIGHTS[: len(WEIGHTS) // (2 if self.path == "/short" else 1)])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def in_cache(cache: Path, known: Checkpoint, data: bytes = WEIGHTS, revision: str = "abc") -> Path:
    """Lay a file out as huggingface_hub does."""
    repository = cache / f"models--{known.repository.replace('/', '--')}"
    blob = repository / "blobs" / hashlib.sha256(data).hexdigest()
    file = repository / "snapshots" / revision / known.file
    file.parent.mkdir(parents=True)
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(data)
    file.symlink_to(Path("../../blobs") / blob.name)
    return file


def test_names_are_unique_and_no_hash_is_half_a_hash() -> None:
    names = [known.name for known in CHECKPOINTS]
    assert len({*names}) == len(names)
    assert all(len(known.sha256) in (0, 64) for known in CHECKPOINTS)
    assert len({known.file_name for known in CHECKPOINTS}) == len(names)
    assert checkpoint("sam2.1-hiera-base-plus").file == "sam2.1_hiera_base_plus.pt"
    with pytest.raises(ValueError, match=r"'sam9' is unknown, expected one of sam2\.1-hiera-tiny"):
        checkpoint("sam9")


@pytest.mark.parametrize(
    "variables,expected",
    [
        ({}, "HOME/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x", "HF_HOME": "/y"}, "/y/hub"),
        ({"HF_HOME": "/y", "HF_HUB_CACHE": "/z"}, "/z"),
    ],
)
def test_the_cache_is_the_hub_s(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected.replace("HOME", str(tmp_path)))


def test_a_file_is_found_in_the_cache_and_main_goes_first(tmp_path: Path) -> None:
    known = checkpoint("sam2.1-hiera-tiny")
    assert cached(known, tmp_path) is None
    old = in_cache(tmp_path, known, b"old", "000")
    new = in_cache(tmp_path, known, b"new", "111")
    assert cached(known, tmp_path) == old
    refs = new.parents[2] / "refs"
    refs.mkdir()
    (refs / "main").write_text("111")
    assert locate(known, cache=tmp_path) == new
    assert cached(checkpoint("sam2.1-hiera-small"), tmp_path) is None


def test_what_is_missing_is_told_with_file_size_and_command(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not in") as caught:
        locate(checkpoint("sam2.1-hiera-tiny"), cache=tmp_path)
    message = str(caught.value)
    for part in (
        "sam2.1_hiera_tiny.pt (156 MB)",
        str(tmp_path / "models--facebook--sam2.1-hiera-tiny"),
        "f4x weights fetch sam2.1-hiera-tiny --to .",
        "facebook/sam2.1-hiera-tiny/resolve/main/sam2.1_hiera_tiny.pt",
        "checkpoint=PATH",
        "allow_download=true",
    ):
        assert part in message


def test_without_the_hub_s_library_the_cache_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r"huggingface_hub, which is not installed.*--to"):
        fetch(checkpoint("sam2.1-hiera-tiny"), cache=tmp_path)


def test_a_download_arrives_whole(hub: str, tmp_path: Path) -> None:
    counts: list[int] = []
    file = download(f"{hub}/resolve/w.pt", tmp_path / "new" / "w.pt", progress=counts.append)
    assert file.read_bytes() == WEIGHTS
    assert sha256_of(file) == SHA256
    assert counts[-1] == len(WEIGHTS)
    assert counts == sorted(counts)


@pytest.mark.parametrize(
    "path,reason",
    [
        ("resolve/short", f"640000 bytes came, expected {len(WEIGHTS)}|IncompleteRead"),
        ("resolve/wrong", f"has SHA-256 {SHA256}, expected {'0' * 64}"),
        ("nothing", "cannot be fetched: HTTP Error 404"),
    ],
)
def test_what_is_not_as_published_leaves_no_file(
    hub: str, tmp_path: Path, path: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        download(f"{hub}/{path}", tmp_path / "w.pt")
    assert list(tmp_path.iterdir()) == []


def test_what_needs_companions_is_carried_in_a_folder_of_its_own(
    hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = checkpoint("ViT-B-16-SigLIP2-256.webli")
    monkeypatch.setattr(Checkpoint, "url_of", lambda _, file: f"{hub}/resolve/{file}")
    file = fetch(known, to=tmp_path)
    assert file == tmp_path / known.name / "open_clip_model.safetensors"
    assert {one.name for one in file.parent.iterdir()} == {file.name, *TOKENIZER}
    assert file.read_bytes() == WEIGHTS
    alone = fetch(checkpoint("sam2.1-hiera-tiny"), to=tmp_path)
    assert alone == tmp_path / "sam2.1-hiera-tiny.pt"


def test_a_checkpoint_is_chosen_by_its_tag_or_by_a_file(tmp_path: Path) -> None:
    known = checkpoint("ViT-B-16.laion2b_s34b_b88k")
    assert known.chosen() == {"model": "ViT-B-16", "pretrained": "laion2b_s34b_b88k"}
    file = tmp_path / "w.pt"
    assert known.chosen(file) == {"model": "ViT-B-16", "pretrained": str(file)}
    sam = checkpoint("sam2.1-hiera-tiny")
    assert sam.chosen(file) == {"model": "sam2.1-hiera-tiny", "checkpoint": str(file)}


def test_a_known_hash_goes_before_the_server_s(hub: str, tmp_path: Path) -> None:
    download(f"{hub}/resolve/wrong", tmp_path / "w.pt", SHA256)
    with pytest.raises(ValueError, match="has SHA-256"):
        download(f"{hub}/resolve/w.pt", tmp_path / "v.pt", "1" * 64)


def test_no_network_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:9/w\.pt cannot be fetched: .*refused"):
        download("http://127.0.0.1:9/w.pt", tmp_path / "w.pt")


def test_the_cache_knows_what_was_published(tmp_path: Path) -> None:
    file = in_cache(tmp_path, checkpoint("sam2.1-hiera-tiny"))
    assert published_sha256(file) == SHA256 == sha256_of(file)
    plain = tmp_path / "w.pt"
    plain.write_bytes(WEIGHTS)
    assert published_sha256(plain) == ""
