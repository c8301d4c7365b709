# SPDX-License-Identifier: Apache-2.0
"""Measures the latent: what it keeps of each model's features, what it costs, how long it takes.

    python bench/latent.py [--world random:8001:320x240:90] [--set features.extractor=color] ...

Maps a world, every 8th frame held out. At each held-out frame, in the frame's own view:

- codec: cosine of the 2D features with what the code keeps of them, decode(encode(f));
- field: cosine of the 2D features with those rendered from the finished field and decoded, at the
  stamp of the frame (also the mean over objects, each counting the same, where the world tells
  them apart; the floor is the cosine of two unrelated pixels of the frame);
- uncertainty: mean variance of the Gaussians, weighted by pixels.

Then times one update of a field of 20,000 Gaussians at 320x240 on 2 threads, by its parts: sampling
and learning, encoding, uplift with D + 1 channels, averaging; the encoders themselves not included
(`features.every` runs them on every n-th frame only). Prints a table and PASS or FAIL per bar; the
exit code is 1 if a bar failed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as f4x_ros does; before torch is imported

import numpy as np
import torch
from render_scene import room_scene
from torch import Tensor
from torch.nn.functional import cosine_similarity, interpolate

from f4x_ros.core.base.stages import StageClock
from f4x_ros.core.config import Config, FieldConfig
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.features.codec import LatentCodec
from f4x_ros.core.features.distil import Distiller, fold, latent_image, latent_shares, sample
from f4x_ros.core.features.heads import make_heads
from f4x_ros.core.features.looks import Look, Shot
from f4x_ros.core.field import GaussianField
from f4x_ros.core.field.gaussians import FEATURES
from f4x_ros.core.field.snapshot import Snapshot, take_snapshot
from f4x_ros.core.render import resolve_backend, uplift
from f4x_ros.core.render.device import choose_device
from f4x_ros.core.world.memory import Memory
from f4x_ros.sim import open_source

HOLDOUT_EVERY = 8
COSINE_BAR = 0.95
BYTES_BAR = 140
NUMBERS_BAR = 32


def mapped(config: Config, source: Any) -> tuple[Memory, list[int]]:
    """The field of a source, and the frames it was not given."""
    device = choose_device(config.render.device)
    heads = make_heads(config.features, device)
    backend = resolve_backend(config.render.backend, device)
    memory, held_out = Memory(config, heads, backend, device), []
    for index in range(len(source)):
        kept = index % HOLDOUT_EVERY == HOLDOUT_EVERY - 1
        memory.take_in(source[index], StageClock(), hold_out=kept)
        held_out += [index] * kept
    return memory, held_out


def seen_features(distiller: Distiller, frame: Frame) -> dict[str, Tensor]:
    """2D features [C, H, W] of each head at the size of the frame."""
    image = torch.from_numpy(np.array(frame.rgb)).permute(2, 0, 1).float() / 255
    size = (image.shape[2], image.shape[1])
    maps = distiller.heads.parts(Shot(image, image, Look(0, 0, *size, whole=True), size))
    size = image.shape[1:]
    return {
        name: interpolate(one[None], size, mode="bilinear", align_corners=False)[0].cpu()
        for name, one in zip(distiller.heads.names, maps, strict=True)
    }


@torch.no_grad()
def drawn_latents(memory: Memory, frame: Frame) -> tuple[Tensor, Tensor, Snapshot]:
    """Latents [H, W, D] of the field in the frame's view at its stamp, and alpha [H, W]."""
    snapshot = take_snapshot(memory.field, memory.seconds(frame.stamp_ns))
    assert frame.T_map_camera is not None
    backend = resolve_backend("auto", memory.field.device)
    out = snapshot.render(snapshot.latents, frame.camera, frame.T_map_camera, backend)
    return out.image.cpu(), out.alpha.cpu(), snapshot


@torch.no_grad()
def cosines_of_frame(
    memory: Memory, frame: Frame, instances: Tensor | None
) -> dict[str, dict[str, float]]:
    """By head: what the codec keeps, what the field shows, and the floor."""
    distiller = memory.distiller
    latents, alpha, _ = drawn_latents(memory, frame)
    drawn = alpha > 0.5
    features = seen_features(distiller, frame)
    joint = torch.cat([one.flatten(1).T for one in features.values()], 1)
    again = distiller.codec.encode(joint)
    rng = torch.Generator().manual_seed(frame.stamp_ns % 2**31)
    found = {}
    for name, one in features.items():
        truth = one.permute(1, 2, 0)
        kept = cosine_similarity(distiller.decode(again, name), truth.flatten(0, 1), dim=-1)
        shown = cosine_similarity(distiller.decode(latents, name), truth, dim=-1)
        other = truth.flatten(0, 1)[torch.randperm(len(joint), generator=rng)]
        floor = cosine_similarity(other, truth.flatten(0, 1), dim=-1)
        found[name] = {
            "codec": float(kept.mean()),
            "field": float(shown[drawn].mean()),
            "floor": float(floor.mean()),
        }
        if instances is not None:
            parts = [drawn & (instances == number) for number in set(instances.flatten().tolist())]
            found[name]["field, by object"] = statistics.fmean(
                float(shown[part].mean()) for part in parts if part.sum() >= 20
            )
    return found


def quality(config: Config, source: Any) -> dict[str, dict[str, float]]:
    """The table of cosines by head, over the held-out frames."""
    memory, held_out = mapped(config, source)
    rows: dict[str, dict[str, list[float]]] = {}
    for index in held_out:
        told = source.truth(index) if hasattr(source, "truth") else None
        instances = None if told is None else torch.from_numpy(told.instances.astype(np.int64))
        for head, found in cosines_of_frame(memory, source[index], instances).items():
            for what, value in found.items():
                rows.setdefault(head, {}).setdefault(what, []).append(value)
    table = {h: {w: statistics.fmean(v) for w, v in found.items()} for h, found in rows.items()}
    for head, streamed in memory.distiller.cosines.items():
        table[head]["codec, streamed"] = streamed
    snapshot = take_snapshot(memory.field)
    weights = snapshot.latent_weights
    spread = float((snapshot.latent_vars * weights).sum() / weights.sum())
    print(f"{len(snapshot)} Gaussians, {len(held_out)} frames held out, mean variance {spread:.3f}")
    return table


def field_of_room(latent_dim: int) -> tuple[GaussianField, Any]:
    """The benchmark scene of 20,000 Gaussians as a field."""
    scene = room_scene(20_000, 320, 240)
    field = GaussianField(latent_dim, 10**9)
    field.present.append(
        {
            "means": scene.means,
            "quats": scene.quats,
            "log_scales": scene.scales.log(),
            "logit_opacities": torch.logit(scene.opacities.clamp(1e-4, 1 - 1e-4)),
            "colors": scene.colors,
        }
    )
    return field, scene


@torch.no_grad()
def timings(latent_dim: int, dims: list[int], repeats: int) -> dict[str, float]:
    """Milliseconds (minimum) of the parts of one update, for heads of these dimensions."""
    field, scene = field_of_room(latent_dim)
    present, size = field.present, (scene.height, scene.width)
    half = (size[0] // 2, size[1] // 2)
    maps = [torch.randn(dim, size[0] // 2, size[1] // 2) for dim in dims]
    codec = LatentCodec(dims, latent_dim)
    codec.observe(sample(maps, size, 0))
    codec.observe(sample(maps, size, 1))
    codec.observe(sample(maps, size, 2))  # the next fit is due at 4, 8, ...
    pixels = torch.randn(*half, latent_dim + 1)
    shape = (present["means"], present["quats"], present.scales, present.opacities)
    K = scene.K * scene.K.new_tensor([[0.5], [0.5], [1.0]])
    view = (scene.viewmat, K, half[1], half[0])
    total, weight = uplift(*shape, *view, pixels)
    rows = (weight > 0).nonzero()[:, 0]

    jobs: dict[str, Callable[[], object]] = {
        "sample and learn": lambda: codec.observe(sample(maps, size, 3)),
        "fit": codec._fit,
        "encode": lambda: latent_image(latent_shares(codec, maps), half),
        f"uplift, {latent_dim + 1} channels": lambda: uplift(*shape, *view, pixels),
        "uplift, 0 channels": lambda: uplift(*shape, *view, pixels[..., :0]),
        "average": lambda: fold(present, rows, total[rows], weight[rows], 5),
    }
    found = {}
    for name, job in jobs.items():
        took = []
        for _ in range(repeats):
            began = time.perf_counter()
            job()
            took.append((time.perf_counter() - began) * 1e3)
        found[name] = min(took)
    return found


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--world", default="random:8001:320x240:90", help="any source with poses")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="options")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=("quality", "speed"))
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    config = Config.from_dotted(dict(one.split("=", 1) for one in given.options))
    passed = True

    def judge(what: str, value: float, bar: float, *, least: bool) -> None:
        nonlocal passed
        good = value >= bar if least else value <= bar
        passed &= good
        bound = "at least" if least else "at most"
        print(f"{'PASS' if good else 'FAIL'}  {what}: {value:.4g}, {bound} {bar:g}")

    if given.only != "speed":
        table = quality(config, open_source(given.world))
        for head, found in table.items():
            print(f"{head}: " + ", ".join(f"{what} {v:.4f}" for what, v in found.items()))
            judge(f"decoded cosine of {head}", found["codec"], COSINE_BAR, least=True)
    if given.only != "quality":
        for dims in ([96], [96, 16], [96, 256]):
            found = timings(config.field.latent_dim, dims, given.repeats)
            print(f"heads of {dims}: " + ", ".join(f"{w} {ms:.1f} ms" for w, ms in found.items()))
    columns = GaussianField(config.field.latent_dim, FieldConfig().max_bytes).present.columns
    taken = sum(columns[name].nbytes for name in FEATURES)
    judge("latent numbers", config.field.latent_dim, NUMBERS_BAR, least=False)
    judge("bytes of a Gaussian's features", taken, BYTES_BAR, least=False)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
