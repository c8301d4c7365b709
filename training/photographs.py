# SPDX-License-Identifier: Apache-2.0
"""Photograph or drawn? The line that `f4x_ros.core.features.embedded.familiar` has.

    python -m training.photographs ../shared/data/davis ../shared/data/bedroom ../shared/data/photos

Folders are searched for .jpg pictures. Drawn are frames of the worlds (seeds below 9000). Both are
changed as a camera might (`training.augment`), so that noise and compression tell nothing. Prints
the line, and how well it does where a folder, or a third of the worlds, is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from f4x_ros.core.features.embedded.familiar import signs
from f4x_ros.core.features.embedded.weights import EmbeddedModel, load_model, shipped_file
from f4x_ros.sim.open import open_source
from f4x_ros.sim.scenes import SCENES
from training.augment import compressed, photographed

_SIZE = (320, 240)  # width, height
_OF_A_FOLDER = 48  # pictures of a folder with pictures, evenly spread
_FOLDS = 3
_PENALTY = 1e-7  # on squared weights; the two kinds hardly overlap


class Samples(NamedTuple):
    """Pictures of one kind.

    Attributes:
        features: [N, 2], see `signs`.
        groups: [N] number of the folder or fold that each is from.
    """

    features: Tensor
    groups: Tensor


def photographs(folders: Sequence[Path]) -> list[list[Tensor]]:
    """Pictures [3, H, W] in 0..1 of each folder that has some; of single ones, parts as well."""
    found: dict[Path, list[Path]] = {}
    for path in sorted(path for folder in folders for path in folder.rglob("*.jpg")):
        found.setdefault(path.parent, []).append(path)
    return [_pictures(paths) for paths in found.values()]


def _pictures(paths: Sequence[Path]) -> list[Tensor]:
    rng, step = np.random.default_rng(0), max(1, len(paths) // _OF_A_FOLDER)
    pictures = []
    for path in paths[::step]:
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        for _ in range(max(1, _OF_A_FOLDER // 2 // len(paths))):
            share = rng.uniform(0.4, 1.0)
            size = [int(side * share) for side in image.shape[:2]]
            y, x = (int(rng.uniform(0, n - k)) for n, k in zip(image.shape[:2], size, strict=True))
            part = image[y : y + size[0], x : x + size[1]]
            part = cv2.resize(part, _SIZE, interpolation=cv2.INTER_AREA)
            pictures.append(torch.from_numpy(part).permute(2, 0, 1).float() / 255)
    return pictures


def drawings(worlds: int) -> list[list[Tensor]]:
    """Frames of the named worlds and of some random ones, in `_FOLDS` groups."""
    groups: list[list[Tensor]] = [[] for _ in range(_FOLDS)]
    names = [name for name in SCENES if name != "random"]
    for k, name in enumerate([*names, *(f"random:{seed}" for seed in range(8000, 8000 + worlds))]):
        world = open_source(f"{name}:320x240")
        for index in np.linspace(0, len(world) - 1, 4).astype(int).tolist():
            rgb = torch.from_numpy(np.array(world.load(index).rgb))
            groups[k % _FOLDS].append(rgb.permute(2, 0, 1).float() / 255)
    return groups


@torch.no_grad()
def samples(groups: Sequence[Sequence[Tensor]], model: EmbeddedModel) -> Samples:
    """Signs of all pictures, each as it is and changed."""
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    features, owners = [], []
    for number, pictures in enumerate(groups):
        for picture in pictures:
            changed = compressed(photographed(picture[None], generator), 0.3, rng)
            both = torch.cat([picture[None], changed])
            features.append(signs(model.net.maps(both).coarse, model.space.anchors))
            owners += [number] * len(both)
    return Samples(torch.cat(features), torch.tensor(owners))


def fitted(photos: Samples, drawn: Samples) -> Tensor:
    """[3] weights and bias of log odds: logistic regression, both kinds counting the same."""
    x = torch.cat([photos.features, drawn.features]).double()
    y = torch.cat([torch.ones(len(photos.features)), torch.zeros(len(drawn.features))]).double()
    counts = torch.where(y > 0, y.sum(), len(y) - y.sum())
    line = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([line], max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        odds = _odds(line, x)
        total = binary_cross_entropy_with_logits(odds, y, weight=0.5 / counts, reduction="sum")
        total = total + _PENALTY * line[:-1].square().sum()
        total.backward()
        return total

    solver.step(loss)
    return line.detach().float()


def _odds(line: Tensor, features: Tensor) -> Tensor:
    return features @ line[:-1] + line[-1]


def main() -> None:
    """Fit, and say how good it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--worlds", type=int, default=60)
    chosen = parser.parse_args()
    model = load_model(shipped_file())
    photos = samples(photographs(chosen.folders), model)
    drawn = samples(drawings(chosen.worlds), model)
    for own, other, is_photo in ((photos, drawn, True), (drawn, photos, False)):
        for group in own.groups.unique().tolist():
            out = own.groups == group
            kept = Samples(own.features[~out], own.groups[~out])
            line = fitted(kept, other) if is_photo else fitted(other, kept)
            odds = _odds(line, own.features[out]) * (1 if is_photo else -1)
            print(
                f"{'photographs' if is_photo else 'drawn'} {group} left out: "
                f"{(odds > 0).float().mean():.3f} right, least log odds {odds.min():.1f}"
            )
    line = fitted(photos, drawn)
    print("line:", *(f"{value:.1f}" for value in line.tolist()))


if __name__ == "__main__":
    main()
