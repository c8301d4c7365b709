# SPDX-License-Identifier: Apache-2.0
"""The classifier of photographs as one file; `training/convert_classifier.py` made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from f4x_ros.core.base.tensor_file import Array, write_tensors
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.eight_bits import digest, packed, read_unpacked
from f4x_ros.core.features.photo.classifier import PlaceClassifier

FORMAT = "f4x place classifier 1"

SHIPPED = Path(__file__).with_name("classifier.safetensors")
"""The weights that come with the package."""

_NET = "net."
_PARTS = ("owners", "names")


class Classifier(NamedTuple):
    """All that belongs together.

    Attributes:
        net: the network.
        owners: [K] the concept (a row of `concepts.txt`) that each score is of, -1 for none.
        names: [N, T] unit vectors of all names of all concepts in the space of the text model, in
            the order of the table.
    """

    net: PlaceClassifier
    owners: Tensor
    names: Tensor


def save_classifier(path: Path, made: Classifier, about: dict[str, Any]) -> None:
    """Write it in eight bits; `about` (plain JSON) says where it comes from.

    Raises:
        OSError: the file cannot be written.
    """
    tensors = {f"{_NET}{name}": value for name, value in made.net.state_dict().items()}
    tensors |= {name: getattr(made, name).float() for name in _PARTS}
    arrays: dict[str, Array] = packed(tensors)
    metadata = {"format": FORMAT, "about": json.dumps(about), "sha256": digest(arrays)}
    write_tensors(path, arrays, metadata)


def load_classifier(device: torch.device | str = "cpu", path: Path | None = None) -> Classifier:
    """Read what `save_classifier` wrote; None = the file of the package.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is something else or damaged, or the package's is missing.
    """
    path = shipped_classifier() if path is None else path
    tensors = read_unpacked(path, FORMAT)
    try:
        owners, names = (tensors.pop(name).to(device) for name in _PARTS)
        net = PlaceClassifier(len(owners))
        net.load_state_dict({name.removeprefix(_NET): own for name, own in tensors.items()})
    except (KeyError, RuntimeError) as error:
        raise BadInputError(f"arrays of {path} are not those of a classifier: {error}") from error
    net = net.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Classifier(net, owners.long(), names)


def shipped_classifier() -> Path:
    """The weights of this installation; ValueError says how they come back if they are gone."""
    if not SHIPPED.is_file():
        raise BadInputError(
            f"the weights {SHIPPED} (4 MB) are missing, which come with f4x-ros: pip install "
            f"--force-reinstall --no-deps f4x-ros (in a checkout: git checkout -- {SHIPPED})"
        )
    return SHIPPED
