# SPDX-License-Identifier: Apache-2.0
"""What every 2D model offers to the field: dense features, and words in the same space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from f4x_ros.core.errors import BadInputError


@runtime_checkable
class FeatureExtractor(Protocol):
    """A 2D model whose features are distilled into the field.

    Features are averaged over pixels and views, so they must stay meaningful under averaging.

    Attributes:
        name: name in the registry, e.g. "color".
        dim: C, numbers per feature.
        licence: of the code, and of the weights where there are any; SPDX or words.
        threshold: relevancy above which something counts as selected, calibrated, 0..1.

    Optional attributes, so that extractors of other packages need not name what they lack; read
    them with `has_text` and `has_points`:
        has_text: False if `text` knows no words and always raises. Default True.
        has_points: True if it is a `PromptedExtractor`. Default False.
        presence: `PresenceCalibration`; None, the default, where none was learned.
        checkpoint: file of the weights, beside which a calibration of presence may lie.
        of_things: False if features change inside of things, too, as colours do; then only edges
            of depth are taken for silhouettes. Default True.
        looks_closer: True if small things are found better in magnified parts of a picture. Default
            False.
        fingerprint: text that is another for other weights; a map whose features come from others
            is refused. None, the default: not known.
        peak_lines: `PeakLines`, if a Gaussian is selected from a limit on that follows the best
            relevancy in the scene, where the thing is present and no threshold was given. None,
            the default: from the threshold on.
        of_cosine: a function of the cosine of features and unit vectors of text [..., P] and of the
            length of the features [..., 1], which gives the same as `relevancy`. Where there is
            one, a map is asked without decoding its latents.
    """

    name: str
    dim: int
    licence: str
    threshold: float

    def dense(
        self,
        images: Tensor,  # [B, 3, H, W] float, RGB in 0..1
    ) -> Tensor:
        """Features [B, C, h, w] float32; h, w may be smaller than H, W but cover the same view."""
        ...

    def text(self, prompts: Sequence[str]) -> Tensor:
        """Text vectors [P, C]; ValueError names a prompt that is not understood, and what is."""
        ...

    def relevancy(
        self,
        features: Tensor,  # [N, C]
        text: Tensor,  # [P, C]
    ) -> Tensor:
        """How much each feature is what each prompt asks for, [N, P] in 0..1."""
        ...


class PeakLine(NamedTuple):
    """From the best relevancy in a scene to the limit that selects, both as log odds.

    The limit is offset + slope * best: with a slope below 1 it falls less than what is sought.
    """

    offset: float
    slope: float


class PeakLines(NamedTuple):
    """Lines for phrases that say more or less.

    The less a phrase says the more different things may be it, and the less the best of them tells
    about the others: a mug and a sofa are both "red thing", but hardly both the "red mug".

    Attributes:
        attribute: for "red thing".
        kind: for "mug".
        both: for "red mug" and "wooden table".
    """

    attribute: PeakLine
    kind: PeakLine
    both: PeakLine


class PresenceCalibration(NamedTuple):
    """From the evidence that something is there to a probability, and what that decides.

    The probability is sigmoid(bias + sum of weight * evidence): logistic regression (as Platt
    1999), learned by `f4x calibrate` and stored beside the weights.

    Attributes:
        weights: of each piece of evidence, by its name in `core.ask.presence.Evidence`.
        bias: of the sum.
        no: a probability below it means "not present".
        yes: a probability from it on means "present"; between the two, "unsure".
    """

    weights: Mapping[str, float]
    bias: float
    no: float
    yes: float

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON; `of` reads it."""
        return {**self._asdict(), "weights": dict(self.weights)}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> PresenceCalibration:
        """The inverse of `as_dict`.

        Raises:
            ValueError: something is missing or no number, or not 0 <= no <= yes <= 1.
        """
        try:
            weights = {str(name): float(value) for name, value in stored["weights"].items()}
            made = cls(weights, *(float(stored[name]) for name in ("bias", "no", "yes")))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadInputError(
                f"presence calibration is {stored}, expected weights, bias, no, yes"
            ) from error
        numbers = [*weights.values(), made.bias]
        if not (all(map(math.isfinite, numbers)) and 0 <= made.no <= made.yes <= 1):
            raise BadInputError(
                f"presence calibration is {stored}, expected finite numbers and 0 <= no <= yes <= 1"
            )
        return made


class Masks(NamedTuple):
    """Answers to N prompts about one image."""

    masks: Tensor  # [N, H, W] bool
    iou: Tensor  # [N] the model's own guess of how good each mask is, 0..1
    logits: Tensor  # [N, H, W] float; masks are where they are above 0


@runtime_checkable
class PromptedExtractor(FeatureExtractor, Protocol):
    """A model that also answers clicks and boxes (`has_points`) with masks."""

    def points(
        self,
        image: Tensor,  # [3, H, W] float, RGB in 0..1
        points: Tensor,  # [N, K, 2] x, y in pixels: N prompts of K clicks
        labels: Tensor,  # [N, K] 1: is part of it, 0: is not, -1: no click, to fill up
    ) -> Masks:
        """One mask per prompt."""
        ...

    def boxes(
        self,
        image: Tensor,  # [3, H, W]
        boxes: Tensor,  # [N, 4] x0, y0, x1, y1 in pixels
    ) -> Masks:
        """One mask per box."""
        ...

    def decode(
        self,
        embedding: Tensor,  # [C, h, w] of `dense`, or drawn from the field
        *,
        size: tuple[int, int],  # height, width of the image that prompts and masks are in
        points: Tensor | None = None,  # [N, K, 2]
        labels: Tensor | None = None,  # [N, K]
        boxes: Tensor | None = None,  # [N, 4]
    ) -> Masks:
        """One mask per prompt of clicks, a box or both, from features instead of an image."""
        ...


def has_text(extractor: object) -> bool:
    """Whether an extractor, or its class, understands words."""
    return bool(getattr(extractor, "has_text", True))


def has_points(extractor: object) -> bool:
    """Whether an extractor, or its class, answers clicks and boxes."""
    return bool(getattr(extractor, "has_points", False))


def check_images(images: Tensor) -> None:
    """Raise ValueError unless `images` is a float tensor [B, 3, H, W] that is not empty."""
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise BadInputError(f"images has shape {tuple(images.shape)}, expected [B, 3, H, W]")
    if not images.is_floating_point():
        raise BadInputError(f"images is {images.dtype}, expected floating point in 0..1")


def check_prompts(prompts: Sequence[str]) -> None:
    """Raise ValueError unless `prompts` is a list of texts, none of them blank."""
    if isinstance(prompts, str):
        raise BadInputError(f"prompts is the text {prompts!r}, expected a list of texts")
    for prompt in prompts:
        if not prompt.strip():
            raise BadInputError(f"prompt {prompt!r} is blank, expected words")
