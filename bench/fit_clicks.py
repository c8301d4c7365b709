# SPDX-License-Identifier: Apache-2.0
"""Fit the two regressions that clicks rest on, on drawn worlds; prints their constants.

Run: python bench/fit_clicks.py random:8001 random:8002 --maps DIR [--frames N] [--set KEY=VALUE]

For `_BIAS` and `_WEIGHTS` in core/query/segment_graph.py (are two neighbours of one object?) and
segment_looks.py (is a Gaussian of the thing that was clicked?). Maps are those of bench/clicks.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from clicks import drawn_world, map_of
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from f4x_ros.cli.settings import read_settings
from f4x_ros.core.ask.scene import QueryScene
from f4x_ros.core.ask.segment_clicks import carried_back, check_clicks
from f4x_ros.core.ask.segment_field import find_seeds
from f4x_ros.core.ask.segment_looks import look_cues, looks_of
from f4x_ros.core.objects.graph import edge_cues
from f4x_ros.core.perception import Perception
from f4x_ros.eval.metrics.clicks import next_click
from f4x_ros.eval.protocol.click_questions import visible_things
from f4x_ros.eval.protocol.questions import past_indices
from f4x_ros.sim import World, WorldTruth

_SURE = 0.8  # share of one thing in the pixels of a Gaussian, for it to be of that thing
_SEEN_PX = 0.05
_NEAR_M = 2.0  # Gaussians farther from a click teach nothing
_PER_CLICK = 3000
_STEPS = 50


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenes", nargs="+")
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--maps", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="assignments",
                        metavar="KEY=VALUE", help="an option of the map")  # fmt: skip
    options = parser.parse_args()
    config, _ = read_settings(None, options.assignments)
    edges, looks = _Samples(), _Samples()
    for spec in options.scenes:
        world = drawn_world(spec, options.frames)
        perception = map_of(world, config, options.maps)
        for index in past_indices(len(world)):
            _gather(perception, world, index, edges, looks)
    print("segment_graph.py\n" + edges.fitted(balanced=False))
    print("segment_looks.py\n" + looks.fitted(balanced=True))


class _Samples:
    """Cues with their truth, and the regression on them."""

    def __init__(self) -> None:
        self._cues: dict[str, list[Tensor]] = {}
        self._same: list[Tensor] = []

    def add(self, cues: Mapping[str, Tensor], same: Tensor) -> None:
        for name, values in cues.items():
            self._cues.setdefault(name, []).append(values)
        self._same.append(same.float())

    def fitted(self, *, balanced: bool) -> str:
        """Constants as lines of code; `balanced` weighs both answers the same."""
        values = torch.stack([torch.cat(parts) for parts in self._cues.values()], 1)
        same = torch.cat(self._same)
        mean, spread = values.mean(0), values.std(0) + 1e-6
        inputs = (values - mean) / spread
        weight = torch.ones_like(same)
        if balanced:
            weight[same > 0] = (len(same) - same.sum()) / same.sum()
        model = torch.zeros(inputs.shape[1] + 1, requires_grad=True)
        optimiser = torch.optim.LBFGS([model], max_iter=_STEPS)

        def closure() -> Tensor:
            optimiser.zero_grad()
            logits = inputs @ model[:-1] + model[-1]
            loss = binary_cross_entropy_with_logits(logits, same, weight)
            loss = loss + 1e-4 * (model**2).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimiser.step(closure)  # type: ignore[no-untyped-call]
        slopes = model.detach()[:-1] / spread
        bias = float(model.detach()[-1] - (slopes * mean).sum())
        lines = [f"_BIAS = {bias:.2f}"]
        lines += [
            f'    "{name}": {float(slope):.2f},'
            for name, slope in zip(self._cues, slopes, strict=True)
        ]
        return "\n".join(lines) + "\n"


@torch.no_grad()
def _gather(
    perception: Perception, world: World, index: int, edges: _Samples, looks: _Samples
) -> None:
    truth = world.truth(index)
    memory = perception._memory
    scene = memory.scene(int(world.stamps_ns[index]), truth.T_map_camera)
    features = memory.distiller.decode(scene.snapshot.latents)
    owner = _owners(scene, truth, perception.backend)
    eye = torch.from_numpy(truth.T_map_camera[:3, 3].astype(np.float32))
    first, second, cues = edge_cues(scene.snapshot, features, eye)
    one, other = owner[torch.from_numpy(first)], owner[torch.from_numpy(second)]
    known = (one >= 0) & (other >= 0)
    edges.add({name: cue[known] for name, cue in cues.items()}, (one == other)[known])
    shown = looks_of(scene.snapshot, features)
    for number in visible_things(world, truth):
        mask = truth.mask({number})
        click = next_click(mask, np.zeros_like(mask))
        assert click is not None  # the mask is not empty
        clicks = check_clicks([(click.x, click.y)], None, None, scene.camera)
        seeds = find_seeds(scene, clicks, perception.backend)
        if not len(seeds.inside):
            continue
        difference = look_cues(shown, shown.at(seeds.shares))
        near = (owner >= 0) & (difference["distance"][:, 0] < _NEAR_M)
        rows = near.nonzero()[:, 0]
        rows = rows[:: max(1, len(rows) // _PER_CLICK)]
        looks.add({name: cue[rows, 0] for name, cue in difference.items()}, owner[rows] == number)


def _owners(scene: QueryScene, truth: WorldTruth, backend: str) -> Tensor:
    """The instance [N] that each Gaussian shows in a view, -1 where that is not clear."""
    instances = torch.from_numpy(truth.instances.astype(np.int64))
    ids, where = torch.unique(instances, return_inverse=True)
    view = (scene.snapshot, scene.camera, scene.T_map_camera)
    pictures = one_hot(where, len(ids)).float()
    parts = [carried_back(*view, pictures[..., i], backend) for i in range(len(ids))]
    best = torch.stack([share for share, _ in parts], 1).max(1)
    clear = (best.values > _SURE) & (parts[0][1] >= _SEEN_PX)
    return torch.where(clear, ids[best.indices], -1)


if __name__ == "__main__":
    main()
