# SPDX-License-Identifier: Apache-2.0
"""How consistent per-pixel operators are between views: on single pictures, and lifted.

    python bench/lift.py [WORLD ...] [--json FILE] [--picture PNG]

A picture and one `--apart` frames later (5) are compared where both show the same surface: the true
depth says where a pixel of the first lies in the second, and what is hidden in one of them is left
out. `before` is the mean difference of the operator's outputs for the two pictures, `after` that of
the lifted ones, both divided by the spread of the output, so that making everything grey gains
nothing by itself; `kept` is the correlation of the lifted output with the operator's own, which it
would lose. Operators: a histogram stretched over the whole picture, OpenCV's stylisation, class
scores of the map's extractor, and the same with noise of every picture's own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from torch import Tensor  # noqa: E402

from f4x_ros.cli.table import table  # noqa: E402
from f4x_ros.core.ask.lift import Operator, images_of, lift  # noqa: E402
from f4x_ros.core.config import Config  # noqa: E402
from f4x_ros.core.data.percept import Outputs  # noqa: E402
from f4x_ros.core.data.poses import inverse  # noqa: E402
from f4x_ros.core.features.color import ColorExtractor  # noqa: E402
from f4x_ros.core.field.snapshot import take_snapshot  # noqa: E402
from f4x_ros.core.perception import Perception  # noqa: E402
from f4x_ros.sim import World, open_source  # noqa: E402
from f4x_ros.viz.png import save_png  # noqa: E402
from f4x_ros.viz.text import draw_text  # noqa: E402

_WORLDS = ("random:8003:320x240:60", "random:8004:320x240:60")
_HIDDEN = 0.02  # difference of depths, as a share, from which a surface is another one


def main(arguments: list[str] | None = None) -> int:
    options = _options().parse_args(arguments)
    results: dict[str, list[dict[str, float]]] = {}
    rows: list[NDArray[np.uint8]] = []
    for name in options.worlds or _WORLDS:
        world = open_source(name)
        if not isinstance(world, World):
            raise ValueError(f"{name} is no world, expected one with true depth")
        for operator, scores, pictures in _measured(world, options):
            results.setdefault(operator, []).append(scores)
            rows.append(pictures)
            print(name, operator, {k: round(v, 4) for k, v in scores.items()}, flush=True)
    means = {
        operator: {key: float(np.mean([one[key] for one in of])) for key in of[0]}
        for operator, of in results.items()
    }
    print(
        table(
            [
                (operator, *(f"{of[key]:.4f}" for key in ("before", "after", "kept")),
                 f"{of['before'] / of['after']:.1f} times")
                for operator, of in means.items()
            ],
            ("operator", "before", "after", "kept", "more consistent"),
        )
    )  # fmt: skip
    if options.json:
        Path(options.json).write_text(json.dumps({"bench": "lift", "operators": means}, indent=1))
    if options.picture:
        save_png(options.picture, np.concatenate(rows[: len(means)]))
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("worlds", nargs="*", help=f"default: {' '.join(_WORLDS)}")
    parser.add_argument("--apart", type=int, default=5, help="frames between two compared views")
    parser.add_argument("--step", type=int, default=10, help="frames between two comparisons")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--picture", metavar="PNG", help="two views and their difference, each way")
    return parser


def _operators() -> dict[str, Operator]:
    extractor = ColorExtractor()
    noise = torch.Generator().manual_seed(0)

    def segments(image: Tensor) -> Tensor:
        return extractor.dense(image[None])[0]

    def noisy(image: Tensor) -> Tensor:
        out = segments(image)
        return out + 0.3 * torch.randn(out.shape, generator=noise)

    return {
        "histogram": _by_cv2(_equalised),
        "stylisation": _by_cv2(lambda rgb: cv2.stylization(rgb, sigma_s=40, sigma_r=0.45)),
        "segments": segments,
        "noisy segments": noisy,
    }


def _by_cv2(change: Callable[[NDArray[np.uint8]], Any]) -> Operator:
    def operator(image: Tensor) -> Tensor:
        rgb = (image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        return torch.from_numpy(np.asarray(change(rgb), np.float32) / 255).permute(2, 0, 1)

    return operator


def _equalised(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.equalizeHist(np.ascontiguousarray(lab[..., 0]))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def _measured(
    world: World, options: argparse.Namespace
) -> list[tuple[str, dict[str, float], NDArray[np.uint8]]]:
    perception = Perception(Config.from_dotted({"features.extractor": "color"}))
    nothing = Outputs(masks=False, cloud=False, tracks=False, moving=False)
    for index in range(len(world)):
        perception.process(world[index], nothing)
    pairs = [(k, k + options.apart) for k in range(0, len(world) - options.apart, options.step)]
    return [(name, *_one(world, perception, op, pairs)) for name, op in _operators().items()]


def _one(
    world: World, perception: Perception, operator: Operator, pairs: list[tuple[int, int]]
) -> tuple[dict[str, float], NDArray[np.uint8]]:
    own, lifted = {}, {}
    for index in sorted({k for pair in pairs for k in pair}):
        rgb = torch.from_numpy(world[index].rgb.astype(np.float32) / 255).permute(2, 0, 1)
        own[index] = operator(rgb)
    memory = perception._memory  # as `Perception.lift` does it, once for all targets
    field = lift(
        take_snapshot(memory.field),
        operator,
        images_of(memory.mapper.keyframes.views),
        perception.backend,
    )
    for index in own:
        lifted[index], _ = field.render(world.camera, world.camera_pose(index))
    spread = float(torch.stack(list(own.values())).std(dim=(0, 2, 3)).mean())
    before, after = (
        float(np.mean([_difference(world, images, *pair) for pair in pairs])) / spread
        for images in (own, lifted)
    )
    kept = np.corrcoef(*(torch.stack(list(one.values())).numpy().ravel() for one in (own, lifted)))[
        0, 1
    ]
    picture = _picture(world, own, lifted, pairs[len(pairs) // 2])
    return {"before": before, "after": after, "kept": float(kept)}, picture


def _difference(world: World, images: dict[int, Tensor], i: int, j: int) -> float:
    moved, seen = _warped(world, images[j], i, j)
    return float((moved - images[i]).abs()[:, seen].mean())


def _warped(world: World, image: Tensor, i: int, j: int) -> tuple[Tensor, Tensor]:
    """What view j says of the pixels of view i, and where both see the same still surface."""
    first, second, camera = world.truth(i), world.truth(j), world.camera
    points = camera.pixel_rays() * first.depth[..., None]
    T_j_i = inverse(second.T_map_camera) @ first.T_map_camera
    local = points @ T_j_i[:3, :3].T + T_j_i[:3, 3]
    z = np.maximum(local[..., 2], 1e-6)
    x = (camera.fx * local[..., 0] / z + camera.cx - 0.5).astype(np.float32)
    y = (camera.fy * local[..., 1] / z + camera.cy - 0.5).astype(np.float32)
    there = cv2.remap(second.depth, x, y, cv2.INTER_NEAREST)
    seen = (there > 0) & (first.depth > 0) & (np.abs(there - z) < _HIDDEN * z)
    seen &= ~(first.moving_mask | (cv2.remap(
        second.moving_mask.astype(np.uint8), x, y, cv2.INTER_NEAREST) > 0))  # fmt: skip
    planes = [cv2.remap(plane.numpy(), x, y, cv2.INTER_LINEAR) for plane in image]
    return torch.from_numpy(np.stack(planes)), torch.from_numpy(seen)


def _picture(
    world: World, own: dict[int, Tensor], lifted: dict[int, Tensor], pair: tuple[int, int]
) -> NDArray[np.uint8]:
    """Operator on one view, lifted on it, and for each the change to the other view, amplified."""
    i, j = pair
    cells = []
    for title, images in (("operator", own), ("lifted", lifted)):
        moved, seen = _warped(world, images[j], i, j)
        change = (moved - images[i]).abs().mean(0) * seen
        cells.append((title, _shown(images[i], own[i])))
        cells.append((f"{title}: change x 4", np.repeat(_grey(change * 4), 3, -1)))
    out = []
    for title, cell in (cells[0], cells[2], cells[1], cells[3]):
        image = cell.copy()
        draw_text(image, title, 6, 4, 15, (255, 255, 255), bold=True)
        out.append(image)
    return np.concatenate(out, 1)


def _shown(image: Tensor, like: Tensor) -> NDArray[np.uint8]:
    """Colours as they are; of class scores the best class."""
    if len(image) == 3:
        return np.asarray((image.clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy())
    shades = np.random.default_rng(3).integers(40, 230, (len(like), 3))
    return shades[image.argmax(0).numpy()].astype(np.uint8)


def _grey(image: Tensor) -> NDArray[np.uint8]:
    return np.asarray((image.clamp(0, 1) * 255).byte()[..., None].numpy())


if __name__ == "__main__":
    sys.exit(main())
