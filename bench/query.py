# SPDX-License-Identifier: Apache-2.0
"""How long questions take, against encoding the rendered picture again.

Run: python bench/query.py [--map FILE | --scene SPEC] [--repeat N] [--threads N] [--json FILE]
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from f4x_ros.cli.settings import read_settings
from f4x_ros.cli.table import table
from f4x_ros.core.data.percept import Outputs
from f4x_ros.core.perception import Perception
from f4x_ros.sim import open_source

_NOTHING = Outputs(masks=False, cloud=False, tracks=False, moving=False)
_COLORS = ("red", "blue", "green", "yellow", "white", "black", "brown", "pink", "gray", "orange")
_THINGS = ("mug", "chair", "ball", "sofa", "book", "lamp", "window", "table", "robot", "picture")
_SIDES = ("", "small ", "large ", "shiny ", "old ")
_AT_ONCE = 8
_WARM_UP = 5


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--map", type=Path, help="a file map.f4x")
    parser.add_argument("--scene", default="random:8002:320x240:150", help="mapped without --map")
    parser.add_argument("--set", action="append", default=[], dest="assignments",
                        metavar="KEY=VALUE", help="an option of the map")  # fmt: skip
    parser.add_argument("--repeat", type=int, default=60, help="questions of each kind")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the numbers there")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    perception = Perception.load(options.map) if options.map else _mapped(options)
    numbers = measure(perception, options.repeat)
    print(f"{numbers['gaussians']} Gaussians, {numbers['size']}, features {numbers['encoder']}, "
          f"{options.threads} threads, {options.repeat} of each\n")  # fmt: skip
    rows = [(name, f"{t['p50_ms']:.1f}", f"{t['p95_ms']:.1f}") for name, t in numbers["ms"].items()]
    print(table(rows, ("", "p50 [ms]", "p95 [ms]")))
    print(f"\nA known text is {numbers['times_faster']:.1f} times faster than encoding again "
          f"(p50; {numbers['times_faster_p95']:.1f} at p95).")  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=1) + "\n")


def _mapped(options: argparse.Namespace) -> Perception:
    config, _ = read_settings(None, options.assignments)
    perception, source = Perception(config), open_source(options.scene)
    for index in range(len(source)):
        perception.process(source[index], _NOTHING)
    return perception


def measure(perception: Perception, repeat: int) -> dict[str, Any]:
    """Times of the kinds of questions, each asked in turn so that all meet the same machine."""
    texts = [f"{side}{color} {thing}"
             for side, thing, color in itertools.product(_SIDES, _THINGS, _COLORS)]  # fmt: skip
    known, new = texts[:_AT_ONCE], iter(texts[_AT_ONCE:])
    perception.query_all(known)
    again = Encoding(perception, known[0])

    def ask(*asked: str) -> None:
        perception.query_all(asked, want_cloud=False)

    kinds: dict[str, Callable[[], object]] = {
        "new text": lambda: ask(next(new)),
        "known text": lambda: ask(known[0]),
        "known text, with its points": lambda: perception.query(known[0]),
        f"{_AT_ONCE} known texts": lambda: ask(*known),
        "encoding the rendered picture": again,
        "its encoder alone": again.encode,
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(min(repeat, len(texts) - _AT_ONCE - _WARM_UP) + _WARM_UP):
        for name, run in kinds.items():
            began = time.perf_counter()
            run()
            if number >= _WARM_UP:
                times[name].append((time.perf_counter() - began) * 1e3)
    ms = {
        name: {f"p{p}_ms": float(np.percentile(taken, p)) for p in (50, 95)}
        for name, taken in times.items()
    }
    slow, fast = ms["encoding the rendered picture"], ms["known text"]
    width, height = again.camera.width, again.camera.height
    return {
        "gaussians": len(perception._memory.field.present),
        "size": f"{width}x{height}",
        "encoder": perception.encoder,
        "ms": ms,
        "times_faster": slow["p50_ms"] / fast["p50_ms"],
        "times_faster_p95": slow["p95_ms"] / fast["p95_ms"],
    }


class Encoding:
    """The other way to a mask: draw the picture, encode it, compare with the text, enlarge."""

    def __init__(self, perception: Perception, text: str) -> None:
        asked = perception.query(text)
        self._perception, self._words = perception, perception._heads.words
        self._vector = self._words.text([text])
        self.camera, self._pose = asked.camera, asked.T_map_camera
        self._image = self._drawn()

    def __call__(self) -> np.ndarray:
        self._image = self._drawn()
        with torch.no_grad():
            features = self.encode()
            scores = self._words.relevancy(features.flatten(1).T, self._vector)[:, 0]
            small = scores.view(1, 1, *features.shape[1:])
            size = (self.camera.height, self.camera.width)
            full = interpolate(small, size, mode="bilinear", align_corners=False)
        mask: np.ndarray = full[0, 0].numpy()
        return mask

    def encode(self) -> torch.Tensor:
        """Features [C, h, w] of the picture that was drawn last."""
        with torch.no_grad():
            return self._words.dense(self._image)[0]

    def _drawn(self) -> torch.Tensor:
        """[1, 3, H, W]."""
        picture = self._perception.render(self.camera, self._pose).color
        return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255


if __name__ == "__main__":
    main()
