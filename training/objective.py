# SPDX-License-Identifier: Apache-2.0
"""What is learned: every pixel against many texts, each true or false of it.

The main loss is SigLIP's (Zhai et al. 2023): a sigmoid per pixel and text with a learned scale and
bias, so that the probability is calibrated and "not there" can be said. Two softmax losses, over
the names of classes and over the colours of the true class, make it learn faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from f4x_ros.core.features.embedded.text_space import TextSpace
from f4x_ros.sim.language import ROOM_CLASSES
from f4x_ros.sim.materials import PALETTE
from f4x_ros.sim.shapes import CLASS_IDS, called
from training.data import NOTHING
from training.vocabulary import TRUE, UNKNOWN, Vocabulary


@dataclass(frozen=True)
class Weights:
    """Of the parts of the loss, and how much is asked at a time.

    Attributes:
        texts: of the sigmoid loss, which is a sum over some hundred texts.
        names: of the softmax over class names.
        colors: of the softmax over colours of the true class.
        pixels: of a batch that are used.
        true_texts: drawn for each kind in the batch.
        near_texts: false ones that differ from a true one in colour or in class, per kind.
        random_texts: drawn from the whole vocabulary.
        text_noise: length of random vectors added to those of texts, whose length is 1; it makes
            words near to trained ones count as well.
    """

    texts: float = 0.1
    names: float = 0.5
    colors: float = 0.3
    pixels: int = 2304
    true_texts: int = 5
    near_texts: int = 3
    random_texts: int = 192
    text_noise: float = 0.6


class Losses(NamedTuple):
    """Of one batch."""

    total: Tensor
    texts: Tensor
    names: Tensor
    colors: Tensor


class Objective(nn.Module):
    """The loss and its learned calibration.

    Args:
        vocabulary: what is true of which kind.
        space: of the network's features.
        vectors: [templates, texts, 384] of the texts.
        weights: of its parts.
    """

    texts: Tensor  # [templates, texts, D]
    truth: Tensor  # [kinds + 1, texts] int8; the last row is for pixels that show nothing
    usable: Tensor  # [kinds + 1] bool, kinds that may be learned from
    kind_class: Tensor  # [kinds + 1] place among the trained classes
    kind_color: Tensor  # [kinds + 1] place in the palette, -1 without
    class_text: Tensor  # [classes] number of the text that is the class's name
    color_text: Tensor  # [classes, palette] number of "<color> <class>", -1 if never trained on
    trainable: Tensor  # numbers of the texts that may be trained on

    def __init__(
        self,
        vocabulary: Vocabulary,
        space: TextSpace,
        vectors: Tensor,
        weights: Weights | None = None,
    ) -> None:
        super().__init__()
        self.weights = weights or Weights()
        self.scale = nn.Parameter(torch.tensor(np.log(20.0), dtype=torch.float32))
        self.bias = nn.Parameter(torch.tensor(-10.0))
        self.sharpness = nn.Parameter(torch.tensor(np.log(20.0), dtype=torch.float32))
        forms, count, _ = vectors.shape
        projected = space.project(vectors.reshape(forms * count, -1)).view(forms, count, -1)
        self.register_buffer("texts", projected)
        nothing = np.full((1, count), UNKNOWN, np.int8)
        self.register_buffer("truth", torch.from_numpy(np.r_[vocabulary.truth, nothing]))
        self.register_buffer("usable", torch.from_numpy(np.r_[~vocabulary.hidden, False]))
        self._tabulate(vocabulary)

    def _tabulate(self, vocabulary: Vocabulary) -> None:
        trainable = vocabulary.trainable()
        allowed = np.zeros(len(vocabulary.texts), bool)
        allowed[trainable] = True
        classes = [c for c in CLASS_IDS if c in vocabulary.number and allowed[vocabulary.number[c]]]
        palette = list(PALETTE)

        def text(words: str) -> int:
            place = vocabulary.number.get(words, -1)
            return place if place >= 0 and allowed[place] else -1

        of_class = {cls: place for place, cls in enumerate(classes)}
        rows = [of_class.get(kind.cls, 0) for kind in vocabulary.kinds]
        colors = [palette.index(k.color) if k.color in palette else -1 for k in vocabulary.kinds]
        self.register_buffer("kind_class", torch.tensor([*rows, 0]))
        self.register_buffer("kind_color", torch.tensor([*colors, -1]))
        self.register_buffer("class_text", torch.tensor([text(c) for c in classes]))
        table = [[text(called(color, c, c)) for color in palette] for c in classes]
        self.register_buffer("color_text", torch.tensor(table))
        self.register_buffer("trainable", torch.from_numpy(trainable))
        self._true = [np.intersect1d(np.flatnonzero(row == TRUE), trainable)
                      for row in vocabulary.truth]  # fmt: skip
        # Each group of texts is drawn alike, however many texts it has.
        group = [f"{text.group} {text.kind}" for text in vocabulary.texts]
        self._share = [_shares([group[k] for k in true]) for true in self._true]
        self._near = _near_misses(vocabulary, allowed)

    def choose(self, kinds: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Which pixels of [B, h, w] are learned from, small things more often than their size.

        Returns:
            Numbers [M] into the flat pixels, and what they show, [M] of `truth`'s rows.
        """
        flat = kinds.reshape(-1).masked_fill(kinds.reshape(-1) == NOTHING, len(self.usable) - 1)
        crop = torch.arange(len(kinds), device=kinds.device).repeat_interleave(kinds[0].numel())
        found, inverse = _unique(crop * len(self.usable) + flat)
        counts = torch.bincount(inverse, minlength=len(found))
        weight = counts[inverse].float().rsqrt() * self.usable[flat]
        chosen = torch.multinomial(weight, self.weights.pixels, True, generator=generator)
        return chosen, flat[chosen]

    def forward(
        self,
        pixels: Tensor,  # [M, D] unit
        shown: Tensor,  # [M] from `choose`
        generator: torch.Generator,
        rng: np.random.Generator,
    ) -> Losses:
        """The loss of some pixels."""
        texts = self._texts(shown, rng).to(pixels.device)
        # The truth of each kind in the batch, then of each pixel.
        present, inverse = _unique(shown)
        truth = self.truth[present][:, texts][inverse]
        logits = pixels @ self._vectors(texts, generator).T * self.scale.exp() + self.bias
        of_texts = _SigmoidLoss.apply(logits, truth) / len(pixels)  # type: ignore[no-untyped-call]
        of_names = self._names_loss(pixels, shown)
        of_colors = self._colors_loss(pixels, shown)
        total = (
            self.weights.texts * of_texts
            + self.weights.names * of_names
            + self.weights.colors * of_colors
        )
        return Losses(total, of_texts.detach(), of_names.detach(), of_colors.detach())

    def _texts(self, shown: Tensor, rng: np.random.Generator) -> Tensor:
        """Numbers of the texts that this batch is asked about."""
        found = [rng.choice(self.trainable.cpu().numpy(), self.weights.random_texts, False)]
        for kind in _unique(shown)[0].tolist():
            true, share, near = self._true[kind], self._share[kind], self._near[kind]
            found.append(rng.choice(true, min(self.weights.true_texts, len(true)), False, share))
            if len(near):
                found.append(rng.choice(near, min(self.weights.near_texts, len(near)), False))
        return torch.from_numpy(np.unique(np.concatenate(found)))

    def _vectors(self, texts: Tensor, generator: torch.Generator) -> Tensor:
        """Their vectors in random forms of asking, with some noise."""
        forms = len(self.texts)
        # The plain form is as frequent as all others together.
        form = torch.randint(-forms + 2, forms, (len(texts),), generator=generator,
                             device=texts.device).clamp_min(0)  # fmt: skip
        vectors = self.texts[form, texts]
        noise = torch.randn(vectors.shape, generator=generator, device=texts.device)
        noise *= self.weights.text_noise / vectors.shape[1] ** 0.5
        return functional.normalize(vectors + noise, dim=1)

    def _names_loss(self, pixels: Tensor, shown: Tensor) -> Tensor:
        names = self.texts[0, self.class_text]
        logits = pixels @ names.T * self.sharpness.exp()
        return functional.cross_entropy(logits, self.kind_class[shown], label_smoothing=0.02)

    def _colors_loss(self, pixels: Tensor, shown: Tensor) -> Tensor:
        color = self.kind_color[shown]
        texts = self.color_text[self.kind_class[shown]]  # [M, palette]
        known = (color >= 0) & (texts.gather(1, color.clamp_min(0)[:, None])[:, 0] >= 0)
        if not known.any():
            return pixels.sum() * 0
        texts, color = texts[known], color[known]
        # Each pixel has its own candidates: compare it with all of them that occur.
        used, place = _unique(texts.clamp_min(0))
        cosine = (pixels[known] @ self.texts[0, used].T).gather(1, place)
        logits = (cosine * self.sharpness.exp()).masked_fill(texts < 0, -1e4)
        return functional.cross_entropy(logits, color)


class _SigmoidLoss(torch.autograd.Function):
    """Binary cross entropy of logits, summed where the truth is known; one pass forth and back."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, truth: Tensor) -> Tensor:
        slope = logits.sigmoid().sub_((truth == TRUE).to(logits)).masked_fill_(truth == UNKNOWN, 0)
        ctx.save_for_backward(slope)
        # A wrong probability is |slope| from the truth.
        return slope.abs().neg_().clamp_(min=-1 + 1e-7).log1p_().sum().neg()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return slope * slopes[0], None


def _unique(values: Tensor) -> tuple[Tensor, Tensor]:
    """Distinct values, and the place of each value among them."""
    found, inverse = torch.unique(values, return_inverse=True)
    return found, inverse


def _shares(groups: list[str]) -> NDArray[np.float64]:
    """How often each text is drawn, so that every group is drawn alike; adds up to 1."""
    if not groups:
        return np.zeros(0)
    share = np.array([1.0 / groups.count(group) for group in groups])
    return np.asarray(share / share.sum())


def _near_misses(vocabulary: Vocabulary, allowed: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """For each kind: its class in other colours and materials, and other classes in its colour."""
    by_class: dict[str, set[int]] = {}
    by_color: dict[str, set[int]] = {}
    for kind in vocabulary.kinds:
        named = called(kind.color, kind.cls, kind.cls)
        for words in (named, f"{kind.material} {kind.cls}"):
            place = vocabulary.number.get(words, -1)
            if place >= 0 and allowed[place]:
                by_class.setdefault(kind.cls, set()).add(place)
                by_color.setdefault(kind.color, set()).add(place)
    found = []
    for row, kind in enumerate(vocabulary.kinds):
        if kind.cls in ROOM_CLASSES:
            found.append(np.zeros(0, np.intp))
            continue
        near = by_class.get(kind.cls, set()) | by_color.get(kind.color, set())
        numbers = np.array(sorted(near), np.intp)
        found.append(numbers[vocabulary.truth[row, numbers] == 0])
    return found
