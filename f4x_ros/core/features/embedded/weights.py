# SPDX-License-Identifier: Apache-2.0
"""The trained model as one file: network in half precision, text space, calibration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.features.embedded.network import EmbeddedNet, Layout
from f4x_ros.core.features.embedded.text_space import TextSpace
from f4x_ros.core.features.tensor_file import read_tensors, write_tensors

FORMAT = "f4x embedded model 1"

_NET = "net."  # prefix of the network's arrays


class Calibration(NamedTuple):
    """From the cosine of a pixel and a text to the probability that the text is true of it.

    The probability is sigmoid(scale * cosine + bias), as in SigLIP (Zhai et al. 2023).
    """

    scale: float
    bias: float

    def probability(self, cosine: Tensor) -> Tensor:
        """Of the same shape, 0..1."""
        return torch.sigmoid(self.scale * cosine + self.bias)


class EmbeddedModel(NamedTuple):
    """All that belongs together.

    Attributes:
        net: folded, in evaluation mode.
        space: of its features.
        calibration: of its answers.
        about: how it was trained; plain JSON.
    """

    net: EmbeddedNet
    space: TextSpace
    calibration: Calibration
    about: dict[str, Any]


def save_model(path: Path, model: EmbeddedModel) -> None:
    """Write the model; its network is expected to be folded (`EmbeddedNet.fused`).

    Raises:
        OSError: the file cannot be written.
    """
    arrays = {
        f"{_NET}{name}": value.detach().cpu().to(torch.float16).numpy()
        for name, value in model.net.state_dict().items()
    }
    arrays["space.mean"] = model.space.mean.cpu().numpy().astype(np.float32)
    arrays["space.basis"] = model.space.basis.cpu().numpy().astype(np.float32)
    arrays["space.anchors"] = model.space.anchors.cpu().numpy().astype(np.float16)
    metadata = {
        "format": FORMAT,
        "layout": json.dumps(model.net.layout.as_dict()),
        "calibration": json.dumps(model.calibration._asdict()),
        "about": json.dumps(model.about),
    }
    write_tensors(path, arrays, metadata)


def load_model(path: Path, device: torch.device | str = "cpu") -> EmbeddedModel:
    """Read what `save_model` wrote.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is something else, or its arrays do not fit its layout.
    """
    arrays, metadata = read_tensors(path)
    if metadata.get("format") != FORMAT:
        raise ValueError(f"format of {path} is {metadata.get('format')!r}, expected {FORMAT!r}")
    tensors = {name: torch.tensor(np.array(array)) for name, array in arrays.items()}
    net = EmbeddedNet(Layout.of(json.loads(metadata["layout"]))).fused()
    state = {k.removeprefix(_NET): v.float() for k, v in tensors.items() if k.startswith(_NET)}
    try:
        net.load_state_dict(state)
        parts = (tensors[f"space.{name}"].float().to(device) for name in TextSpace._fields)
        space = TextSpace(*parts)
        calibration = Calibration(**json.loads(metadata["calibration"]))
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"arrays of {path} do not fit its layout: {error}") from error
    net = net.to(device).requires_grad_(False)
    return EmbeddedModel(net, space, calibration, json.loads(metadata["about"]))
