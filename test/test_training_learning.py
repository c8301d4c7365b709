# SPDX-License-Identifier: Apache-2.0
"""Crops keep their truth, the loss knows right from wrong, and a small network learns."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from test_training_start import published
from torch import Tensor

from f4x_ros.core.features.embedded.network import Layout
from f4x_ros.core.features.embedded.text_space import TextSpace
from f4x_ros.core.features.embedded.trunk import Trunk
from f4x_ros.core.features.embedded.weights import load_model, save_model
from f4x_ros.sim import World
from f4x_ros.sim.materials import PALETTE

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `training` is not installed

from training import data, evaluate, generate, train
from training.augment import compressed, crops, photographed
from training.data import NOTHING, Pool, kinds_of, read_pool
from training.objective import Objective, Weights
from training.store import read_rooms
from training.train import Recipe, Trainer, stored_space
from training.views import HEIGHT, WIDTH
from training.vocabulary import Kind, Split, Vocabulary, all_kinds

KINDS = (
    Kind("floor", "", ""),
    Kind("mug", "red", "ceramic"),
    Kind("mug", "blue", "ceramic"),
    Kind("chair", "red", "wooden"),
    Kind("chair", "green", ""),
)
LOOKS = np.array([[90, 90, 90], [200, 30, 30], [30, 40, 200], [140, 20, 60], [30, 150, 40]])
TINY = Layout(
    dim=12, widths=(8, 8, 8, 16, 16, 16, 16), depths=(1,) * 5, attention=1, neck=(16,) * 4
)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(KINDS, Split(synonyms=True, combinations=False, classes=()))


@pytest.fixture(scope="module")
def vectors(vocabulary: Vocabulary) -> Tensor:
    """Texts as the sum of random vectors of their words, in three forms alike."""
    words: dict[str, Tensor] = {}
    generator = torch.Generator().manual_seed(0)

    def vector(word: str) -> Tensor:
        return words.setdefault(word, torch.randn(24, generator=generator))

    plain = torch.stack([sum((vector(w) for w in text.text.split()), torch.zeros(24))
                         for text in vocabulary.texts])  # fmt: skip
    return torch.nn.functional.normalize(plain, dim=1).expand(3, -1, -1).clone()


def make_pool(count: int = 6) -> Pool:
    """Rectangles in the colours of the kinds."""
    rng = np.random.default_rng(0)
    kinds = np.zeros((count, HEIGHT, WIDTH), np.int32)
    foci = np.zeros((count, 4, 2), np.int64)
    for image in kinds:
        for _ in range(8):
            row, column = rng.integers(0, HEIGHT - 60), rng.integers(0, WIDTH - 60)
            image[row : row + 60, column : column + 60] = rng.integers(1, len(KINDS))
    for image, places in zip(kinds, foci, strict=True):
        found = np.argwhere(image > 0)
        places[:] = found[rng.integers(len(found), size=4)]
    rgb = LOOKS[kinds].astype(np.uint8)
    return Pool(torch.from_numpy(rgb), torch.from_numpy(kinds), torch.from_numpy(foci))


def objective_of(vocabulary: Vocabulary, vectors: Tensor) -> Objective:
    space = TextSpace.fit(vectors[0], TINY.dim)
    return Objective(vocabulary, space, vectors, Weights(pixels=512, random_texts=20))


# --- crops ---------------------------------------------------------------------------------------


def test_a_crop_keeps_every_pixels_truth() -> None:
    pool, generator = make_pool(), torch.Generator().manual_seed(3)
    rows = torch.arange(6).repeat(4)
    batch = crops(pool, rows, (144, 192), (0.3, 1.0), generator)
    assert batch.images.shape == (24, 3, 144, 192)
    assert batch.kinds.shape == (24, 72, 96)
    middle = torch.nn.functional.avg_pool2d(batch.images, 2) * 255
    known = batch.kinds != NOTHING
    looks = torch.from_numpy(LOOKS).float()[batch.kinds.masked_fill(~known, 0)]
    error = (middle.permute(0, 2, 3, 1) - looks).abs().amax(-1)
    assert (error[known] < 12).float().mean() > 0.93  # the rest lies on edges
    assert known.float().mean() > 0.9
    assert not torch.equal(batch.kinds[0], batch.kinds[6])  # another crop of the same image


def test_crops_look_at_things_of_all_sizes() -> None:
    """A crop is as wide as asked for: the share of the image that it shows varies."""
    pool, generator = make_pool(), torch.Generator().manual_seed(3)
    ramp = torch.linspace(0, 255, WIDTH).to(torch.uint8)
    pool = Pool(ramp[None, None, :, None].expand(6, HEIGHT, WIDTH, 3), pool.kinds, pool.foci)
    batch = crops(pool, torch.arange(6).repeat(6), (144, 192), (0.3, 1.0), generator)
    spread = batch.images[:, 0, 72].amax(1) - batch.images[:, 0, 72].amin(1)
    assert 0.2 < spread.min() < 0.45
    assert 0.75 < spread.max() <= 1.01


def test_photographs_keep_the_order_of_their_channels() -> None:
    """Red stays red: colour words stay true of what a camera makes of a picture."""
    colors = torch.tensor([PALETTE[name] for name in ("red", "green", "blue", "yellow", "orange")])
    images = colors[:, :, None, None].expand(-1, -1, 16, 16).repeat(40, 1, 1, 1)
    seen = photographed(images, torch.Generator().manual_seed(0)).mean((2, 3))
    assert seen.min() >= 0
    assert seen.max() <= 1
    assert not torch.allclose(seen[:5], seen[5:10], atol=0.02)
    first = images[:, :, 0, 0].argmax(1)
    saturated = seen.max(1).values > 0.98  # two channels at the limit
    assert (seen.argmax(1) == first)[~saturated].float().mean() > 0.97


def test_some_images_are_compressed_and_all_stay_alike() -> None:
    images = torch.rand(30, 3, 8, 8).repeat_interleave(4, 2).repeat_interleave(4, 3)
    out = compressed(images, 0.5, np.random.default_rng(0))
    changed = (out - images).abs().amax((1, 2, 3)) > 0
    assert 5 < changed.sum() < 25
    assert (out - images).abs().mean() < 0.1


# --- the loss ------------------------------------------------------------------------------------


def test_right_features_cost_less_than_wrong_ones(vocabulary: Vocabulary, vectors: Tensor) -> None:
    objective = objective_of(vocabulary, vectors)
    own = [vocabulary.number[t] for t in ("floor", "red mug", "blue mug", "red chair",
                                          "green chair")]  # fmt: skip
    right = objective.texts[0, own]
    shown = torch.arange(5).repeat(10)

    def cost(table: Tensor) -> list[float]:
        generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
        return [loss.item() for loss in objective(table[shown], shown, generator, rng)]

    for good, bad in zip(cost(right), cost(right.roll(1, 0)), strict=True):
        assert good < bad


def test_pixels_of_hidden_kinds_and_of_nothing_are_never_chosen(vectors: Tensor) -> None:
    vocabulary = Vocabulary(KINDS, Split(combinations=False, classes=("chair",)))
    objective = Objective(vocabulary, TextSpace.fit(vectors[0], TINY.dim),
                          vectors[:, : len(vocabulary.texts)], Weights(pixels=256, random_texts=9)
                          )  # fmt: skip
    kinds = torch.tensor([0, 1, 3, 4, NOTHING]).repeat(1, 10, 1)
    chosen, shown = objective.choose(kinds, torch.Generator().manual_seed(0))
    assert set(shown.tolist()) == {0, 1}
    assert torch.equal(kinds.flatten()[chosen], shown)


def test_small_things_are_learned_from_more_often_than_their_size(
    vocabulary: Vocabulary, vectors: Tensor
) -> None:
    kinds = torch.zeros(1, 40, 40, dtype=torch.long)
    kinds[0, :4, :4] = 1  # 1 % of the picture
    _, shown = objective_of(vocabulary, vectors).choose(kinds, torch.Generator().manual_seed(0))
    assert 0.05 < (shown == 1).float().mean() < 0.15


# --- training ------------------------------------------------------------------------------------


def make_trainer(vocabulary: Vocabulary, vectors: Tensor) -> Trainer:
    recipe = Recipe(steps=1000, batch=4, rate=4e-3, average=20)
    objective = objective_of(vocabulary, vectors)
    return Trainer(make_pool(), objective, recipe, TINY, torch.device("cpu"))


def test_a_small_network_learns_and_its_model_finds_the_words(
    vocabulary: Vocabulary, vectors: Tensor, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    trainer = make_trainer(vocabulary, vectors)
    # (between 75 and 130 steps the words come to it, sooner or later as the processor rounds)
    losses = [trainer.step() for _ in range(180)]
    first, last = (sum(x.total.item() for x in part) for part in (losses[:8], losses[-8:]))
    assert last < 0.6 * first
    space = TextSpace.fit(vectors[0], TINY.dim)
    save_model(tmp_path / "m", trainer.model(space, {"steps": trainer.steps}))
    model = load_model(tmp_path / "m")
    pool = make_pool()
    features = model.net(pool.rgb.permute(0, 3, 1, 2).float() / 255)
    names = ("floor", "red mug", "blue mug", "red chair", "green chair")
    own = torch.tensor([vocabulary.number[name] for name in names])
    best = torch.einsum("bdhw,pd->bphw", features, space.project(vectors[0, own])).argmax(1)
    right = best == pool.kinds[:, 1::2, 1::2]
    assert right.float().mean() > 0.8


def test_training_goes_on_where_it_was(
    vocabulary: Vocabulary, vectors: Tensor, tmp_path: Path
) -> None:
    trainer = make_trainer(vocabulary, vectors)
    for _ in range(3):
        trainer.step()
    space = TextSpace.fit(vectors[0], TINY.dim)
    trainer.save(tmp_path / "checkpoint.pt", space)
    again = make_trainer(vocabulary, vectors)
    again.resume(tmp_path / "checkpoint.pt")
    assert (again.steps, again.seconds) == (trainer.steps, trainer.seconds)
    for (name, first), second in zip(
        trainer.net.state_dict().items(), again.net.state_dict().values(), strict=True
    ):
        assert torch.equal(first, second), name
    assert again.objective.bias.item() == trainer.objective.bias.item()
    assert again.rate() == trainer.rate()
    again.step()
    for kept, was in zip(stored_space(tmp_path / "checkpoint.pt"), space, strict=True):
        assert torch.equal(kept, was)
    assert again.steps == 4


def test_a_schedule_in_steps_takes_no_notice_of_the_clock(
    vocabulary: Vocabulary, vectors: Tensor, tmp_path: Path
) -> None:
    trainer = make_trainer(vocabulary, vectors)
    rates = []
    for done in range(0, 1001, 250):
        trainer.steps, trainer.seconds = done, 1e9 * (done % 500)
        assert trainer.progress == done / 1000
        rates.append(trainer.rate())
    assert rates[1] > rates[2] > rates[3] > rates[4] > 0  # rates[0] is of the warm-up
    trainer.save(tmp_path / "checkpoint.pt", TextSpace.fit(vectors[0], TINY.dim))
    for anew, progress in ((False, 1.0), (True, 0.0)):
        again = make_trainer(vocabulary, vectors)
        again.resume(tmp_path / "checkpoint.pt", anew=anew)
        assert (again.steps, again.progress) == (1000, progress)


@pytest.mark.parametrize("options", [["--steps", "-1"], ["--steps", "3", "--minutes", "2"]])
def test_a_length_in_steps_is_a_number_and_the_only_one(
    options: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["train", "rooms", "--out", str(tmp_path / "o"), *options])
    with pytest.raises(SystemExit) as stopped:
        train.main()
    assert stopped.value.code == 2


def test_a_run_leaves_a_model_and_a_log_and_can_be_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(generate.draw_rooms([generate.Job(tmp_path / "rooms", "room", 2, 2)], 1))

    def random_vectors(vocabulary: Vocabulary, cache: Path | None) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.randn(3, len(vocabulary.texts), 384, generator=generator)

    monkeypatch.setattr(train, "encoded", random_vectors)  # the text model may not be installed
    out = tmp_path / "out"
    command = ["train", str(tmp_path / "rooms"), "--out", str(out), "--steps", "4",
               "--batch", "2", "--stop-steps", "3", "--from-nothing"]  # fmt: skip
    for options in ([], ["--resume"]):
        monkeypatch.setattr(sys, "argv", [*command, *options])
        train.main()
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 4]  # stopped early, then to the end
    assert lines[1]["seconds"] >= lines[0]["seconds"]  # of both runs together
    model = load_model(out / "embedded.safetensors")
    assert model.about["steps"] == 4
    assert Split(**{**model.about["split"], "classes": tuple(model.about["split"]["classes"])})
    assert len(model.space.anchors) == len(Vocabulary(all_kinds()).trainable())
    assert model.net(torch.rand(1, 3, 64, 64)).shape == (1, 96, 32, 32)

    after, checkpoint = (
        [*command, "--out", str(tmp_path / "after"), "--after"],
        out / "checkpoint.pt",
    )
    monkeypatch.setattr(sys, "argv", [*after, str(checkpoint)])
    train.main()
    log = (tmp_path / "after" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [4 + 3]  # they go on, the schedule is new
    monkeypatch.setattr(sys, "argv", [*after, str(tmp_path / "nowhere.pt")])
    with pytest.raises(SystemExit):
        train.main()


def test_what_has_learned_keeps_its_first_layers_and_moves_slowly(
    vocabulary: Vocabulary, vectors: Tensor, tmp_path: Path
) -> None:
    torch.save(published(Trunk(TINY.widths, TINY.depths)), tmp_path / "w.pth")
    recipe = Recipe(steps=100, batch=4, rate=4e-3, average=20)
    objective = objective_of(vocabulary, vectors)
    trainer = Trainer(make_pool(), objective, recipe, TINY, torch.device("cpu"), tmp_path / "w.pth")
    before = {k: v.clone() for k, v in trainer.net.state_dict().items()}
    for _ in range(3):
        trainer.step()
    after = trainer.net.state_dict()
    assert torch.equal(
        after["trunk.groups.0.0.depth.weight"], before["trunk.groups.0.0.depth.weight"]
    )
    moved = after["trunk.groups.1.0.depth.weight"] - before["trunk.groups.1.0.depth.weight"]
    assert 0 < moved.norm() < 0.05 * before["trunk.groups.1.0.depth.weight"].norm()
    assert not torch.equal(after["head.weight"], before["head.weight"])


# --- data and evaluation -------------------------------------------------------------------------


def test_a_pool_holds_what_the_rooms_show(tmp_path: Path) -> None:
    list(generate.draw_rooms([generate.Job(tmp_path, "room", 2, 2)], 1))
    rooms = read_rooms([tmp_path])
    kinds = kinds_of(rooms, KINDS)
    assert kinds[: len(KINDS)] == KINDS
    pool = read_pool(rooms, kinds)
    ids, labels = rooms[0].instances(1), rooms[0].labels
    for number in np.unique(ids[ids > 0]):
        label = labels[int(number)]
        of = set(pool.kinds[1].numpy()[ids == number].tolist())
        assert [kinds[k].cls for k in of] == [label.cls]
    for row, column in pool.foci[1].tolist():
        assert ids[row, column] > 3
    cached = [read_pool(rooms, kinds, tmp_path / "cache") for _ in range(2)]
    for again in cached:
        assert torch.equal(again.rgb, pool.rgb)
        assert torch.equal(again.kinds, pool.kinds)
    assert data.NOTHING not in pool.kinds


class Oracle:
    """Answers from the truth of the world whose picture it is shown."""

    about: dict[str, object] = {}  # noqa: RUF012

    def __init__(self, world: World, blind_to: str = "") -> None:
        self._world, self._blind = world, blind_to
        self._truths = {
            world[k].rgb.tobytes(): world.truth(k) for k in evaluate.past_indices(len(world))
        }
        self._instances = {p.text: p.instances for p in (*world.phrases, *world.paraphrases)}
        self._texts: list[str] = []
        self.calibration = evaluate.Calibration(20.0, -10.0)

    def text(self, texts: list[str]) -> Tensor:
        self._texts = texts
        return torch.eye(len(texts))

    def dense(self, image: Tensor) -> Tensor:
        rgb = (image[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        truth = self._truths[np.ascontiguousarray(rgb).tobytes()]
        masks = [
            truth.mask(set() if text == self._blind else self._instances.get(text, set()))
            for text in self._texts
        ]
        return torch.from_numpy(np.stack(masks)).float()[None]


def test_an_oracle_scores_full_marks_and_each_error_costs_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(evaluate, "_FRAMES", 3)
    world = World(frames=3, seed=8000, scene="random")
    monkeypatch.setattr(evaluate, "World", lambda **_: world)
    perfect = evaluate.evaluate(Oracle(world), [8000], Split())  # type: ignore[arg-type]
    numbers = evaluate.summary(perfect)
    assert numbers["miou"]["phrases"] == 1
    assert numbers["miou"]["paraphrases"] == 1
    assert numbers["presence"]["auroc"] == 1
    assert numbers["presence"]["f1"] == 1
    assert numbers["presence_against_strange_words"]["auroc"] == 1
    assert numbers["presence_against_strange_words"]["absent"] > 40
    assert evaluate.best_offset(perfect) in evaluate.OFFSETS
    assert perfect.pictures
    assert all((x.predicted == x.truth).all() for x in perfect.pictures)

    named = list(perfect.per_text("phrases: class"))
    blind = evaluate.evaluate(Oracle(world, named[0]), [8000], Split())  # type: ignore[arg-type]
    again = evaluate.summary(blind)
    assert 0.9 < again["miou"]["phrases"] < 1
    assert blind.per_text("phrases: class")[named[0]] == 0
    assert again["miou"]["paraphrases"] == 1


@pytest.mark.parametrize("options", [["9000:9001"], ["100:101"], ["9000:9001", "--calibrate"]])
def test_only_tuning_worlds_are_used_for_tuning(
    options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["evaluate", "nothing", "--worlds", *options])
    with pytest.raises(SystemExit) as stopped:
        evaluate.main()
    assert stopped.value.code == 2
