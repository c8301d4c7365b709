# SPDX-License-Identifier: Apache-2.0
"""What NanoDet's published graph finds in a computed picture; the file beside this one holds it.

    python test/nanodet_reference.py PATH/nanodet.json      # writes it again

The graph: see training/convert_nanodet.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.features.photo.nanodet import Detections, NanoDet

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `training` is not installed

from drawn_things import drawn_things

from training.convert_nanodet import original
from training.tfjs import Graph

REFERENCE = Path(__file__).with_suffix(".npz")
_HEIGHT, _WIDTH = 128, 160


def prepared() -> Tensor:
    """The picture [1, 3, 128, 160] as the network wants it."""
    net = NanoDet()
    return (drawn_things(_HEIGHT, _WIDTH) - net.mean) / net.spread


def of_graph(path: Path) -> Detections:
    """What the graph finds in it, calculated here."""
    return original(Graph(path), prepared())


def stored() -> Detections:
    """The same from the file."""
    with np.load(REFERENCE) as file:
        return Detections(*(torch.from_numpy(file[k]).float()[None] for k in Detections._fields))


if __name__ == "__main__":
    arrays = of_graph(Path(sys.argv[1]))._asdict()
    np.savez_compressed(REFERENCE, **{k: v[0].half().numpy() for k, v in arrays.items()})
    print(f"{REFERENCE.name}: {REFERENCE.stat().st_size} bytes")
