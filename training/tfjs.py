# SPDX-License-Identifier: Apache-2.0
"""Graph models of TensorFlow.js: their arrays, and the few operations that NanoDet's graph has.

Only for converting and for checking what was converted.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_LAST = {"s": base64.b64encode(b"NHWC").decode()}
_KINDS = {"float16": "<f2", "float32": "<f4", "int32": "<i4"}


class Graph:
    """A graph and its arrays, run node by node by torch.

    Args:
        path: the .json; the files of the arrays that it names lie beside it.

    Raises:
        OSError: a file cannot be read.
        ValueError: it is no such graph, or the arrays are of another length than it says.
    """

    def __init__(self, path: Path) -> None:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.get("format") != "graph-model":
            raise ValueError(f"{path} is no graph model of TensorFlow.js")
        self.nodes: dict[str, Any] = {n["name"]: n for n in content["modelTopology"]["node"]}
        self.arrays: dict[str, Tensor] = {}
        for group in content["weightsManifest"]:
            raw, at = b"".join(path.with_name(name).read_bytes() for name in group["paths"]), 0
            for entry in group["weights"]:
                kind = entry.get("quantization", entry)["dtype"]
                count = int(np.prod(entry["shape"], dtype=np.int64))
                array = np.frombuffer(raw, _KINDS[kind], count, at)
                at += array.nbytes
                wide = np.int64 if kind == "int32" else np.float32
                self.arrays[entry["name"]] = torch.from_numpy(
                    array.astype(wide).reshape(entry["shape"])
                )
            if at != len(raw):
                raise ValueError(f"arrays of {path} have {len(raw)} bytes, expected {at}")

    def convolutions(self) -> list[tuple[str, str]]:
        """Names of the arrays (kernel, bias) of all convolutions, in the order of their numbers."""
        added = {n["input"][0]: n["input"][1] for n in self.nodes.values() if n["op"] == "Add"}
        found = [n for n in self.nodes.values() if n["op"] == "Conv2D"]
        found.sort(key=lambda node: int("0" + node["name"].rpartition("convolution")[2].strip("_")))
        return [(node["input"][1], added[node["name"]]) for node in found]

    @torch.no_grad()
    def run(
        self,
        picture: Tensor,  # [1, 3, H, W], H and W multiples of 32
        wanted: list[str],
    ) -> list[Tensor]:
        """Values of the nodes with these names.

        Raises:
            ValueError: a node is of a kind that is not known here.
        """
        (entry,) = (n for n in self.nodes.values() if n["op"] == "Placeholder")
        made_for = [int(d["size"]) for d in entry["attr"]["shape"]["shape"]["dim"][2:]]
        shares = [n / m for n, m in zip(picture.shape[2:], made_for, strict=True)]
        done = {entry["name"]: picture}
        return [self._value(name, done, shares) for name in wanted]

    def _value(self, name: str, done: dict[str, Tensor], shares: list[float]) -> Tensor:
        name, _, part = name.partition(":")
        node = self.nodes[name]
        if name not in done:
            of = [self._value(i, done, shares) for i in node.get("input", [])]
            if node["op"] == "SplitV":
                pieces = torch.split(of[0], of[1].tolist(), int(of[2]))
                done |= {f"{name}#{k}": piece for k, piece in enumerate(pieces)}
            elif node["op"] == "Const":
                done[name] = self.arrays[name]
            elif node["op"] == "ResizeBilinear":
                size = [round(int(n) * s) for n, s in zip(of[1], shares, strict=True)]
                done[name] = _resized(node["attr"], of[0], size)
            else:
                done[name] = _operation(node, of)
        return done[f"{name}#{int(part or 0)}" if node["op"] == "SplitV" else name]


def _convolved(node: dict[str, Any], of: list[Tensor]) -> Tensor:
    x, kernel = of[0].permute(0, 3, 1, 2), of[1].permute(3, 2, 0, 1)
    return functional.conv2d(x, kernel, None, _strides(node)).permute(0, 2, 3, 1)


def _largest(node: dict[str, Any], of: list[Tensor]) -> Tensor:
    side = [int(n) for n in node["attr"]["ksize"]["list"]["i"]][1:3]
    x = functional.max_pool2d(of[0].permute(0, 3, 1, 2), side, _strides(node))
    return x.permute(0, 2, 3, 1)


def _padded(node: dict[str, Any], of: list[Tensor]) -> Tensor:
    around = of[1].flip(0).flatten().tolist()
    return functional.pad(of[0], around, value=float(of[2]) if len(of) > 2 else 0.0)


def _dense(node: dict[str, Any], of: list[Tensor]) -> Tensor:
    if of[0].numel():
        raise ValueError(f"{node['name']} has entries, expected none")
    return of[3].expand(of[1].tolist())


_OPERATIONS: dict[str, Callable[[dict[str, Any], list[Tensor]], Tensor]] = {
    "Identity": lambda node, of: of[0],
    "Add": lambda node, of: of[0] + of[1],
    "AddV2": lambda node, of: of[0] + of[1],
    "Sigmoid": lambda node, of: of[0].sigmoid(),
    "LeakyRelu": lambda node, of: functional.leaky_relu(of[0], node["attr"]["alpha"]["f"]),
    "ConcatV2": lambda node, of: torch.cat(of[:-1], int(of[-1])),
    "Reshape": lambda node, of: of[0].reshape(of[1].tolist()),
    "Transpose": lambda node, of: of[0].permute(of[1].tolist()),
    "Pad": _padded,
    "PadV2": _padded,
    "SparseToDense": _dense,
    "Conv2D": _convolved,
    "MaxPool": _largest,
}
"""What a node does with its inputs; pictures are [B, H, W, C] where channels matter."""


def _operation(node: dict[str, Any], of: list[Tensor]) -> Tensor:
    if node["op"] not in _OPERATIONS:
        raise ValueError(f"operation {node['op']} of {node['name']} is not known here")
    return _OPERATIONS[node["op"]](node, of)


def _strides(node: dict[str, Any]) -> list[int]:
    padding = base64.b64decode(node["attr"]["padding"]["s"]).decode()
    if padding != "VALID" or node["attr"].get("data_format", _LAST) != _LAST:
        raise ValueError(f"{node['name']} pads {padding}, expected VALID, channels last")
    return [int(n) for n in node["attr"]["strides"]["list"]["i"]][1:3]


def _resized(attributes: dict[str, Any], x: Tensor, size: list[int]) -> Tensor:
    if not attributes["half_pixel_centers"]["b"] or attributes["align_corners"]["b"]:
        raise ValueError("only resizing with half-pixel centers is known here")
    x = functional.interpolate(x.permute(0, 3, 1, 2), size, mode="bilinear", align_corners=False)
    return x.permute(0, 2, 3, 1)
