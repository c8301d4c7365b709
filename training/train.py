# SPDX-License-Identifier: Apache-2.0
"""Train the embedded model: ``python -m training.train ROOMS... --out FOLDER --minutes 120``.

Its length, which the learning rate follows, is in minutes, or with --steps in steps: the same
number of them on every machine.

Progress is printed and kept in FOLDER/log.jsonl; FOLDER/checkpoint.pt is written again and again
and continued with --resume; FOLDER/embedded.safetensors is the result.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.features.embedded.network import EmbeddedNet, Layout, picked
from f4x_ros.core.features.embedded.text_space import TextSpace
from f4x_ros.core.features.embedded.weights import Calibration, EmbeddedModel, save_model
from training.augment import compressed, crops, photographed
from training.data import Pool, kinds_of, read_pool
from training.objective import Losses, Objective
from training.optimiser import Optimiser
from training.start import load_trunk, weights_file
from training.store import read_rooms
from training.texts import encoded, fitted_space
from training.vocabulary import FINAL, Split, Vocabulary, all_kinds

_CROP, _WHOLE = (96, 128), (240, 320)  # pixels: most of the time, and at the end
_SPAN, _WHOLE_SPAN = (0.22, 0.8), (0.6, 1.0)
_LARGER = 5  # a whole picture takes as long as so many crops
_WARM_UP = 100  # steps
_AVERAGED = 4  # every so many steps the weights join their average


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Attributes:
        minutes: of training, all runs together.
        steps: of training, all runs together, in place of the minutes; 0: the minutes count.
        batch: crops in a step.
        rate: highest learning rate.
        decay: weight decay.
        whole: share of the training, at the end, with crops as large as the pictures of use.
        average: of the weights over so many steps.
        jpeg: share of the crops that are compressed, which is done on the CPU.
        seed: of everything random.
    """

    minutes: float = 120.0
    steps: int = 0
    batch: int = 32
    rate: float = 2.5e-3
    decay: float = 0.03
    whole: float = 0.12
    average: int = 800
    jpeg: float = 0.2
    seed: int = 0


class Trainer:
    """Network, loss and optimiser, and where they are on their way.

    Args:
        pool: images.
        objective: the loss.
        recipe: how.
        layout: of the network.
        device: where.
        start: file with the first weights of the network's trunk; None: from nothing.
    """

    def __init__(
        self,
        pool: Pool,
        objective: Objective,
        recipe: Recipe,
        layout: Layout,
        device: torch.device,
        start: Path | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.pool, self.recipe, self.device = pool, recipe, device
        self.objective = objective.to(device)
        self.net = EmbeddedNet(layout).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if start is not None:
            load_trunk(self.net.trunk, start)
            self.net.trunk.freeze()
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        learned = "" if start is None else "trunk."
        self.optimiser = Optimiser(
            self.net, self.objective.parameters(), recipe.rate, recipe.decay, learned
        )
        self.generator = torch.Generator(device).manual_seed(recipe.seed)
        self.rng = np.random.default_rng(recipe.seed)
        self.steps, self.images, self.seconds = 0, 0, 0.0
        self._begun = 0  # the schedule's first step: those of a run before it do not count
        self._order, self._place = np.zeros(0, np.int64), 0

    @property
    def progress(self) -> float:
        """0 at the start, 1 at the end."""
        if self.recipe.steps:
            return min(1.0, (self.steps - self._begun) / self.recipe.steps)
        return min(1.0, self.seconds / (60 * self.recipe.minutes))

    def step(self) -> Losses:
        """One batch."""
        start = time.monotonic()
        whole = self.progress > 1 - self.recipe.whole
        count = max(2, self.recipe.batch // _LARGER) if whole else self.recipe.batch
        size, span = (_WHOLE, _WHOLE_SPAN) if whole else (_CROP, _SPAN)
        batch = crops(self.pool, self._rows(count), size, span, self.generator)
        images = compressed(photographed(batch.images, self.generator), self.recipe.jpeg, self.rng)
        self.net.train()
        with torch.autocast(self.device.type, torch.bfloat16):
            maps = self.net.maps(images)
        chosen, shown = self.objective.choose(batch.kinds, self.generator)
        height, width = batch.kinds.shape[1:]
        column, row = chosen % width, chosen // width % height
        pixels = picked(maps, chosen // (height * width), row, column)
        losses: Losses = self.objective(pixels, shown, self.generator, self.rng)
        self.optimiser.zero_grad()
        losses.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 2.0)
        self.optimiser.step(self.rate())
        self._update_average()
        self.steps += 1
        self.images += count
        self.seconds += time.monotonic() - start
        return losses

    def rate(self) -> float:
        """Learning rate of the next step: a short warm-up, then half a cosine."""
        warm = min(1.0, (self.steps + 1) / _WARM_UP)
        cosine = (1 + math.cos(math.pi * self.progress)) / 2
        return self.recipe.rate * warm * (0.02 + 0.98 * cosine)

    def _rows(self, count: int) -> Tensor:
        """The next images of a random order."""
        if self._place + count > len(self._order):
            self._order, self._place = self.rng.permutation(len(self.pool)), 0
            if len(self._order) < count:
                self._order = np.resize(self._order, count)
        rows = self._order[self._place : self._place + count]
        self._place += count
        return torch.from_numpy(rows).to(self.device)

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.steps % _AVERAGED:
            return
        keep = min(1 - 1 / self.recipe.average, (self.steps + 1) / (self.steps + 10))
        new = self.net.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(new[name], 1 - keep**_AVERAGED)
            else:
                value.copy_(new[name])

    def model(self, space: TextSpace, about: dict[str, Any]) -> EmbeddedModel:
        """What has been learned so far."""
        net = copy.deepcopy(self.average).cpu().fused()
        scale, bias = self.objective.scale.exp().item(), self.objective.bias.item()
        return EmbeddedModel(net, space, Calibration(scale, bias), about)

    def save(self, path: Path, space: TextSpace) -> None:
        """All that is needed to go on."""
        state = {
            "space": list(space),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "objective": {k: v.detach() for k, v in self.objective.named_parameters()},
            "optimiser": self.optimiser.state_dict(),
            "progress": [self.steps, self.images, self.seconds, self._begun],
        }
        temporary = path.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(path)

    def resume(self, path: Path, *, anew: bool = False) -> None:
        """Go on from what `save` wrote; random numbers start anew, and with `anew` the schedule."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.objective.load_state_dict(state["objective"], strict=False)
        self.optimiser.load_state_dict(state["optimiser"])
        # Checkpoints of schedules in minutes once did without the fourth number.
        steps, images, seconds, begun = (*state["progress"], 0)[:4]
        self.steps = self._begun = int(steps)
        if not anew:
            self.images, self.seconds, self._begun = int(images), float(seconds), int(begun)
        self.generator.manual_seed(self.recipe.seed + self.steps)
        self.rng = np.random.default_rng([self.recipe.seed, self.steps])


def main() -> None:
    """See the module."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    rooms = read_rooms(arguments.rooms)
    kinds = kinds_of(rooms, all_kinds())
    vocabulary = Vocabulary(kinds, FINAL if arguments.final else Split())
    vectors = encoded(vocabulary, arguments.cache)
    layout = Layout(dim=arguments.dim)
    checkpoint = out / "checkpoint.pt"
    resumed = arguments.resume and checkpoint.is_file()
    before = checkpoint if resumed else arguments.after
    # More images may bring more texts; the network has learned its directions already.
    space = stored_space(before) if before else fitted_space(vocabulary, vectors, layout.dim)
    pool = read_pool(rooms, kinds, arguments.cache).to(device)
    recipe = Recipe(arguments.minutes, arguments.steps, arguments.batch, arguments.rate,
                    seed=arguments.seed,
                    jpeg=0.2 if device.type == "cpu" else 0.05)  # fmt: skip
    trainer = Trainer(pool, Objective(vocabulary, space, vectors), recipe, layout, device,
                      start=None if arguments.from_nothing else weights_file())  # fmt: skip
    if before:
        trainer.resume(before, anew=not resumed)
    parameters = sum(p.numel() for p in trainer.net.parameters())
    print(f"{len(pool)} images of {len(rooms)} rooms, {len(vocabulary.texts)} texts, "
          f"{len(kinds)} kinds, {parameters / 1e6:.2f} M parameters", flush=True)  # fmt: skip
    about = {"recipe": asdict(recipe), "split": asdict(vocabulary.split), "images": len(pool)}
    until_s = trainer.seconds + 60 * (arguments.stop_minutes or math.inf)
    until_step = trainer.steps + (arguments.stop_steps or math.inf)
    _run(trainer, space, out, arguments.save_minutes, until_s, until_step)
    trainer.save(checkpoint, space)
    about |= {"steps": trainer.steps, "seconds": round(trainer.seconds)}
    save_model(out / "embedded.safetensors", trainer.model(space, about))


def stored_space(checkpoint: Path) -> TextSpace:
    """The space that a checkpoint's network was trained in."""
    return TextSpace(*torch.load(checkpoint, map_location="cpu", weights_only=True)["space"])


def _run(
    trainer: Trainer,
    space: TextSpace,
    out: Path,
    save_minutes: float,
    until_s: float,
    until_step: float,
) -> None:
    """Steps until one of the limits is reached; a line every hundred."""
    recent: list[list[float]] = []
    saved = trainer.seconds
    while trainer.progress < 1 and trainer.seconds < until_s and trainer.steps < until_step:
        losses = trainer.step()
        recent.append([loss.item() for loss in losses])
        if trainer.steps % 100 == 0:
            _report(trainer, np.mean(recent, 0).tolist(), out)
            recent = []
        if trainer.seconds - saved > 60 * save_minutes:
            trainer.save(out / "checkpoint.pt", space)
            saved = trainer.seconds
    if recent:
        _report(trainer, np.mean(recent, 0).tolist(), out)


def _report(trainer: Trainer, losses: list[float], out: Path) -> None:
    line = dict(zip(Losses._fields, (round(loss, 4) for loss in losses), strict=True))
    rate = trainer.images / trainer.seconds
    line |= {
        "step": trainer.steps, "seconds": round(trainer.seconds, 1),
        "images_per_s": round(rate, 1), "scale": round(trainer.objective.scale.exp().item(), 2),
        "bias": round(trainer.objective.bias.item(), 2),
    }  # fmt: skip
    print(json.dumps(line), flush=True)
    with (out / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.train")
    parser.add_argument("rooms", type=Path, nargs="+", help="folders of training.generate")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, default=120.0, help="of training")
    length.add_argument("--steps", type=int, default=0, help="of training, in place of the minutes")
    parser.add_argument(
        "--stop-minutes", type=float, default=0.0, help="of this run; 0: to the end"
    )
    parser.add_argument("--stop-steps", type=int, default=0, help="of this run; 0: to the end")
    parser.add_argument("--batch", type=int, default=32, help="crops in a step")
    parser.add_argument("--rate", type=float, default=2.5e-3, help="highest learning rate")
    parser.add_argument("--dim", type=int, default=96, help="numbers of a feature")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="of torch on the CPU")
    parser.add_argument("--seed", type=int, default=0, help="of everything random")
    parser.add_argument("--final", action="store_true", help="hold out nothing but synonyms")
    parser.add_argument(
        "--from-nothing", action="store_true", help="do without the weights of photographs"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument(
        "--after", type=Path, help="checkpoint of a run that ended, to begin from in place of that"
    )
    parser.add_argument("--save-minutes", type=float, default=5.0, help="between checkpoints")
    parser.add_argument("--cache", type=Path, help="folder for encoded texts and packed images")
    arguments = parser.parse_args()
    for name in ("steps", "stop_steps"):
        if getattr(arguments, name) < 0:
            value = getattr(arguments, name)
            parser.error(f"--{name.replace('_', '-')} is {value}, expected a number of steps")
    if arguments.after and not arguments.after.is_file():
        parser.error(f"--after: {arguments.after} is no file, expected the checkpoint.pt of a run")
    return arguments


if __name__ == "__main__":
    main()
