# SPDX-License-Identifier: Apache-2.0
"""The trained model as one file: network in eight bits, text space, calibration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.base.tensor_file import read_tensors, write_tensors
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.calibrated import PresenceCalibration
from f4x_ros.core.features.eight_bits import digest, packed, unpacked
from f4x_ros.core.features.embedded.network import EmbeddedNet, Layout
from f4x_ros.core.features.embedded.text_space import TextSpace

FORMAT = "f4x embedded model 3"  # 2: weights in eight bits, 3: another network

SHIPPED = Path(__file__).with_name("embedded.safetensors")
"""The weights that come with the package."""

_NET = "net."  # prefix of the network's arrays
_MOMENT = "codec.moment"


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
        moment: [D, D] mean outer product of its features over worlds, if it was measured.
        presence: how evidence becomes "it is there", if that was calibrated.
    """

    net: EmbeddedNet
    space: TextSpace
    calibration: Calibration
    about: dict[str, Any]
    moment: Tensor | None = None
    presence: PresenceCalibration | None = None


def save_model(path: Path, model: EmbeddedModel) -> None:
    """Write the model; its network is expected to be folded (`EmbeddedNet.fused`).

    Raises:
        OSError: the file cannot be written.
    """
    tensors = {f"{_NET}{name}": value for name, value in model.net.state_dict().items()}
    arrays = packed(tensors | {"space.anchors": model.space.anchors})
    arrays["space.mean"] = model.space.mean.cpu().numpy().astype(np.float32)
    arrays["space.basis"] = model.space.basis.cpu().numpy().astype(np.float32)
    if model.moment is not None:
        arrays[_MOMENT] = model.moment.cpu().numpy().astype(np.float32)
    metadata = {
        "format": FORMAT,
        "layout": json.dumps(model.net.layout.as_dict()),
        "calibration": json.dumps(model.calibration._asdict()),
        "about": json.dumps(model.about),
        "sha256": digest(arrays),
    }
    if model.presence is not None:
        metadata["presence"] = json.dumps(model.presence.as_dict())
    write_tensors(path, arrays, metadata)


def load_model(path: Path, device: torch.device | str = "cpu") -> EmbeddedModel:
    """Read what `save_model` wrote.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is something else, or its arrays do not fit its layout.
    """
    arrays, metadata = read_tensors(path)
    if metadata.get("format") != FORMAT:
        raise BadInputError(f"format of {path} is {metadata.get('format')!r}, expected {FORMAT!r}")
    net = EmbeddedNet(Layout.of(json.loads(metadata["layout"]))).fused()
    try:
        tensors = unpacked(arrays)
        net.load_state_dict(
            {k.removeprefix(_NET): v for k, v in tensors.items() if k.startswith(_NET)}
        )
        parts = (tensors[f"space.{name}"].to(device) for name in TextSpace._fields)
        space = TextSpace(*parts)
        calibration = Calibration(**json.loads(metadata["calibration"]))
        about = json.loads(metadata["about"])
        stored = metadata.get("presence")
        presence = PresenceCalibration.of(json.loads(stored)) if stored else None
        moment = tensors.get(_MOMENT)
        if moment is not None and moment.shape != (net.layout.dim, net.layout.dim):
            raise BadInputError(f"{_MOMENT} has the shape {tuple(moment.shape)}")
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadInputError(f"arrays of {path} do not fit its layout: {error}") from error
    net = net.to(device).requires_grad_(False)
    moment = None if moment is None else moment.to(device)
    return EmbeddedModel(net, space, calibration, about, moment, presence)


def shipped_file() -> Path:
    """The weights of this installation; ValueError says how they come back if they are gone."""
    if not SHIPPED.is_file():
        raise BadInputError(
            f"the weights {SHIPPED} (4 MB) are missing, which come with f4x-ros: pip install "
            f"--force-reinstall --no-deps f4x-ros (in a checkout: git checkout -- {SHIPPED})"
        )
    return SHIPPED


def stated_sha256(path: Path) -> str:
    """What the file says the SHA-256 of its arrays is; empty if it says none."""
    return read_tensors(path)[1].get("sha256", "")


def arrays_sha256(path: Path) -> str:
    """SHA-256 of the arrays of a file, with their names, shapes and kinds of numbers.

    Raises:
        OSError, ValueError: as `read_tensors`.
    """
    return digest(read_tensors(path)[0])
