# SPDX-License-Identifier: Apache-2.0
"""Maps on disk: they answer and go on as before, and what is wrong with a file is named."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from box_world import BoxWorld

from f4x_ros.core.config import Config
from f4x_ros.core.data.percept import Percept
from f4x_ros.core.features.base import Traits
from f4x_ros.core.features.color import ColorExtractor
from f4x_ros.core.perception import Perception

QUICK = Config.from_dotted(
    {
        "features.extractor": "color",
        "mapping.iterations": 2,
        "mapping.keyframe_iterations": 4,
    }
)


@pytest.fixture(scope="module")
def static() -> tuple[Perception, list[Percept]]:
    perception = Perception(QUICK, ("red thing", "blue thing"))
    return perception, [perception.process(BoxWorld()(i)) for i in range(8)]


@pytest.fixture(scope="module")
def whole(static, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("maps") / "whole.f4x"
    static[0].save(path)
    return path


def edited(whole: Path, out: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of a map file with entries changed, or left out (None), by name."""
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.namelist():
            data = change(entry, old.read(entry))
            if data is not None:
                new.writestr(entry, data)
    return out


def as_npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_a_saved_map_answers_the_same(static, tmp_path: Path) -> None:
    perception = static[0]
    path = tmp_path / "map.f4x"
    perception.save(path)
    loaded = Perception.load(path)
    for text in ("red thing", "green thing"):
        ours, theirs = perception.query(text), loaded.query(text)
        assert (ours.present, ours.score) == (theirs.present, theirs.score)
        assert np.array_equal(ours.mask, theirs.mask)
    assert loaded.prompts == perception.prompts
    stamp = static[1][3].stamp_ns
    assert np.array_equal(
        loaded.query("red thing", stamp_ns=stamp).mask,
        perception.query("red thing", stamp_ns=stamp).mask,
    )
    loaded.process(BoxWorld()(8))


def test_a_full_disk_at_save_leaves_nothing(static, tmp_path: Path, monkeypatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"No space left on device.*bytes are free"):
        static[0].save(tmp_path / "map.f4x")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_map_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.f4x"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="is not a map file"):
        Perception.load(path)


def entries(whole: Path) -> list[str]:
    with zipfile.ZipFile(whole) as bundle:
        return bundle.namelist()


def test_a_map_without_one_of_its_parts_is_refused_and_the_part_named(whole, tmp_path) -> None:
    names = entries(whole)
    assert len(names) > 40
    for missing in names:
        part = edited(whole, tmp_path / "part.f4x", lambda n, d, m=missing: None if n == m else d)
        expected = "header" if missing == "header.json" else missing.removesuffix(".npy")
        with pytest.raises(ValueError, match=rf"part\.f4x is not a .*map file.*'{expected}'"):
            Perception.load(part)


def test_a_map_without_one_of_its_tables_is_refused(whole, tmp_path: Path) -> None:
    def without(name: str, data: bytes) -> bytes | None:
        return None if name.startswith("past/") else data

    with pytest.raises(ValueError, match="it has no 'past'"):
        Perception.load(edited(whole, tmp_path / "part.f4x", without))


def test_arrays_of_the_wrong_shape_or_type_are_refused_and_named(whole, tmp_path: Path) -> None:
    for name in entries(whole):
        if not name.endswith(".npy"):
            continue
        for bad in (np.zeros((3, 7, 2)), np.array(["text"]), np.array([1 + 2j])):
            if name == "tracks/label.npy" and bad.dtype.kind == "U":
                continue
            data = as_npy(bad)
            part = edited(
                whole, tmp_path / "part.f4x", lambda n, d, m=name, b=data: b if n == m else d
            )
            with pytest.raises(ValueError, match=rf"part\.f4x .*'{name.removesuffix('.npy')}'"):
                Perception.load(part)


@pytest.mark.parametrize(
    "key, value, words",
    [
        ("camera", {"width": 96}, "'camera'"),
        ("camera", [1, 2], "'camera'"),
        ("camera", {"width": 0, "height": 1, "fx": 1, "fy": 1, "cx": 0, "cy": 0}, "'camera'"),
        ("config", {"field.latent_dim": 8}, "'present/latents'"),
        ("config", {"field.latent_dim": "many"}, "'config'"),
        ("config", {"no.such": 1}, "'config'"),
        ("config", {"features.extractor": "no-such"}, "'config'"),
        ("prompts", ["red mug"], "'prompts'"),
        ("prompts", 5, "'header'"),
        ("thresholds", ["high"], "'header'"),
        ("format", "f4x-map-5", "has format 'f4x-map-5', expected f4x-map-6"),
    ],
)
def test_a_header_that_does_not_fit_is_refused_and_the_part_named(
    whole, tmp_path: Path, key, value, words
) -> None:
    def change(name: str, data: bytes) -> bytes:
        if name != "header.json":
            return data
        return json.dumps(json.loads(data) | {key: value}).encode()

    with pytest.raises(ValueError, match=rf"part\.f4x .*{words}"):
        Perception.load(edited(whole, tmp_path / "part.f4x", change))


def test_damaged_bytes_are_refused(whole, tmp_path: Path) -> None:
    data = bytearray(whole.read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "part.f4x").write_bytes(data)
    with pytest.raises(ValueError, match=r"part\.f4x is not a map file"):
        Perception.load(tmp_path / "part.f4x")


def test_tracks_go_on_after_loading(static, whole, tmp_path: Path) -> None:
    before = static[1][-1].tracks
    loaded = Perception.load(whole)
    assert [t.id for t in loaded.query("red thing").tracks] == [before[0].id]
    for ours, theirs in zip(before, loaded.process(BoxWorld()(8)).tracks, strict=True):
        assert (ours.id, ours.label, ours.state) == (theirs.id, theirs.label, theirs.state)
        assert ours.first_seen_ns == theirs.first_seen_ns
        assert np.allclose(ours.position, theirs.position, atol=0.02)
    again = tmp_path / "again.f4x"
    loaded.set_prompts(["green thing"])
    loaded.save(again)
    reloaded = Perception.load(again)
    reloaded.set_prompts(["red thing"])
    (new,) = reloaded.process(BoxWorld()(9)).tracks
    assert new.id > max(t.id for t in before)


def test_a_map_without_tracks_is_saved_and_loaded(tmp_path: Path) -> None:
    perception = Perception(QUICK)
    perception.process(BoxWorld()(0))
    perception.save(tmp_path / "map.f4x")
    assert Perception.load(tmp_path / "map.f4x").process(BoxWorld()(1)).tracks == ()


@pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has what it must not have")
def test_a_map_from_a_gpu_is_answered_on_a_cpu_with_a_warning(
    static, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    perception, path = static[0], tmp_path / "gpu.f4x"
    ours = perception.config
    memory_config = replace(ours, render=replace(ours.render, device="cuda", backend="cuda"))
    perception._memory._config = memory_config
    try:
        perception.save(path)
    finally:
        perception._memory._config = ours
    with caplog.at_level(logging.WARNING):
        loaded = Perception.load(path)
    assert loaded.query("red thing").present
    assert loaded.config.render.device == loaded.config.render.backend == "auto"
    device, backend = caplog.messages
    assert "gpu.f4x" in device
    assert "render.device 'cuda'" in device
    assert "using 'cpu'" in device
    assert "render.backend 'cuda'" in backend


def test_a_map_of_other_weights_is_refused_and_both_are_named(
    static, tmp_path: Path, monkeypatch
) -> None:
    perception, _ = static
    first, second = (Traits(False, fingerprint=f"{nth}-weights") for nth in ("first", "second"))
    monkeypatch.setattr(ColorExtractor, "traits", first)
    perception.save(tmp_path / "map")
    assert Perception.load(tmp_path / "map").gaussians == perception.gaussians
    monkeypatch.setattr(ColorExtractor, "traits", second)
    with pytest.raises(ValueError, match="weights first-weight, here are second-wei"):
        Perception.load(tmp_path / "map")
