# SPDX-License-Identifier: Apache-2.0
"""`f4x weights check` of the libraries' own models: with random weights they make no sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import open_clip
import pytest
import timm
import tiny
import tiny_sam2
import tiny_timm
import torch

from f4x_ros.cli.main import main
from f4x_ros.core.features.check import check
from f4x_ros.core.features.check.pictures import outlines
from f4x_ros.core.features.presence_file import calibration_of, read_presence
from f4x_ros.core.features.sam2 import Sam2Extractor


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_clip_of_published_size_with_random_weights_makes_no_sense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    file = tmp_path / "random.pt"
    torch.save(open_clip.create_model("ViT-B-32", pretrained=None).state_dict(), file)
    name = "ViT-B-32.laion2b_s34b_b79k"
    assert main(["weights", "check", name, "--file", str(file)]) == 1
    out = said(capsys)
    for trial in ("photographs", "drawn things", "colours", "words alone", "places found again"):
        assert trial in out
    assert "openclip makes no sense. Likely cause:" in out


@pytest.mark.parametrize("name", tiny_timm.NAMES)
def test_small_random_models_make_no_sense(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tiny_timm.add_model(tmp_path, name)
    given = f"model={name} pretrained='{file}'"
    assert main(["weights", "check", "openclip", "--options", given]) == 1
    assert "makes no sense" in said(capsys)


def test_sam2_with_random_weights_makes_no_sense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tiny_sam2.add_model(tmp_path)
    given = f"checkpoint='{file}' config='{file.with_suffix('.yaml')}'"
    assert main(["weights", "check", "sam2", "--options", given]) == 1
    out = said(capsys)
    assert "clicks: 0 of 8 right, 5 needed: too few" in out
    assert "boxes: 0 of 8 right, 6 needed: too few" in out
    assert "nothing that it says has to do with what it is shown" in out


def test_sam2_is_asked_with_its_fine_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder that answers with the true outlines passes, so clicks and boxes reach it whole."""
    sam = tiny_sam2.load(tiny_sam2.add_model(tmp_path))
    asked: list[dict[str, Any]] = []
    decode = sam.decode

    def right(embedding: torch.Tensor, high_res: Any = None, **prompts: Any) -> Any:
        asked.append({"high_res": high_res, **prompts})
        found = decode(embedding, high_res, **prompts)
        where = list(outlines().values())
        masks = []
        for row in range(len(found.masks)):
            if prompts["boxes"] is not None:
                x0, y0, x1, y1 = prompts["boxes"][row].tolist()
                x, y = int((x0 + x1) / 2), int((y0 + y1) / 2)
            else:
                x, y = (int(value) for value in prompts["points"][row, 0].tolist())
            masks.append(next((one for one in where if one[y, x]), torch.zeros_like(where[0])))
        return found._replace(masks=torch.stack(masks))

    monkeypatch.setattr(Sam2Extractor, "decode", lambda _, *args, **kwargs: right(*args, **kwargs))
    assert check(sam).trials[0].right == 8
    assert all(len(one["high_res"]) == 2 for one in asked)


@pytest.mark.parametrize("model", ["vit_small_patch14_dinov2", "naflexvit_base_patch16_radio_v3"])
def test_dino_and_radio_with_random_weights_make_no_sense(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    file = tmp_path / "random.pth"
    torch.save(timm.create_model(model, num_classes=0).state_dict(), file)
    given = f"model={model} checkpoint='{file}' size=224"
    assert main(["weights", "check", "dinov2", "--options", given]) == 1
    out = said(capsys)
    assert "places found again: 0 of 2 right, 2 needed: too few" in out
    assert "not trained at all" in out


def test_clip_keeps_a_calibration_beside_its_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a recording with marked words, as the page says; the weights are random."""
    folder = tmp_path / "kitchen"
    rng = np.random.default_rng(0)
    for name in ("images", "depth"):
        (folder / name).mkdir(parents=True)
    shown = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (80, 60))
    for index in range(3):
        cv2.imwrite(str(folder / f"images/{index}.png"), shown)
        cv2.imwrite(str(folder / f"depth/{index}.png"), np.full((60, 80), 1500, np.uint16))
    np.savetxt(folder / "K.txt", [[60, 0, 39.5], [0, 60, 29.5], [0, 0, 1]])
    np.savetxt(folder / "poses.txt", np.tile(np.eye(4).ravel(), (3, 1)))
    marks = {"kitchen": {"present": ["cup", "table"], "absent": ["bicycle", "bed"]}}
    (tmp_path / "words.json").write_text(json.dumps(marks))
    checkpoint = tiny.add_model(tmp_path, "f4x-calibrated")
    options = f"features.options=model=f4x-calibrated pretrained='{checkpoint}' size=64"
    command = ["calibrate", str(folder), "--words", str(tmp_path / "words.json"), "--write"]
    assert main([*command, "--set", "features.extractor=openclip", "--set", options]) == 0
    kept = tmp_path / "f4x-calibrated.pt.f4x.json"
    assert f"The calibration is in {kept}, where it is used from now on." in said(capsys)
    assert calibration_of(tiny.load(checkpoint)) == read_presence(kept)


def test_a_plain_tiny_clip_is_told_from_one_that_understands(tmp_path: Path) -> None:
    verdict = check(tiny.load(tiny.add_model(tmp_path, "f4x-check")))
    assert not verdict.sensible
    assert verdict.cause
