# SPDX-License-Identifier: Apache-2.0
"""The trunk of the embedded model computes what EfficientNet-Lite0 does."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from f4x_ros.core.features.embedded.network import Layout
from f4x_ros.core.features.embedded.trunk import Trunk

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `training` is not installed

from training.start import load_trunk

_SHIFT = 31  # pixels, see training/start.py


def as_published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names of timm's arrays as those of the published checkpoint."""
    first = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
    other = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1",
             "conv_pwl": "_project_conv", "bn3": "_bn2"}  # fmt: skip
    stages = sorted({tuple(map(int, m.groups())) for name in state
                     if (m := re.match(r"blocks\.(\d)\.(\d)", name))})  # fmt: skip
    number = {stage: k for k, stage in enumerate(stages)}
    out = {}
    for name, value in state.items():
        if match := re.match(r"blocks\.(\d)\.(\d)\.(\w+)\.(\w+)", name):
            stage, block, part, end = match.groups()
            names = first if stage == "0" else other
            out[f"_blocks.{number[int(stage), int(block)]}.{names[part]}.{end}"] = value
        elif name.startswith(("conv_stem", "bn1")):
            out[name.replace("conv_stem", "_conv_stem").replace("bn1", "_bn0")] = value
    return out


def test_it_is_efficientnet_lite0_of_timm(tmp_path: Path) -> None:
    """timm pads as TensorFlow does; ours sees the picture 31 pixels further to a corner."""
    torch.manual_seed(0)
    reference = timm.create_model("tf_efficientnet_lite0", pretrained=False, features_only=True)
    for module in reference.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    reference.eval()
    torch.save(as_published(reference.state_dict()), tmp_path / "w.pth")
    trunk = Trunk(Layout().widths, Layout().depths)
    load_trunk(trunk, tmp_path / "w.pth")
    image = torch.rand(1, 3, 800, 800) * 2 - 1
    moved = image.roll((-_SHIFT, -_SHIFT), (2, 3))
    with torch.inference_mode():
        expected = reference(image)[1:4]  # at 1/4, 1/8, 1/16
        found = trunk(moved)[:3]
    for level, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        # Up to a level the picture needs to move by less than at the end: the rest is whole steps.
        step = 4 << level
        rest = (_SHIFT - (step - 1)) // step
        middle = slice(ours.shape[2] * 2 // 5, ours.shape[2] * 3 // 5)
        ours = ours.roll((rest, rest), (2, 3))[..., middle, middle]
        theirs = theirs[..., middle, middle]
        torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=2e-3)
