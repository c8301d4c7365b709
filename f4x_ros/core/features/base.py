# SPDX-License-Identifier: Apache-2.0
"""What a 2D model offers to the field, declared by what its class derives from.

Every one is a `FeatureExtractor`; beyond that it may understand `Words`, answer `Clicks` and find
`Examples`. Who needs such an ability asks by `isinstance` and has its type.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import interpolate

from f4x_ros.core.base import Value, checked_values, parameters_of
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.calibrated import Calibrated, PresenceCalibration
from f4x_ros.core.features.looks import Shot

Own = TypeVar("Own", bound="FeatureExtractor")


@dataclass(frozen=True, eq=False)
class Traits:
    """What the field has to know about features, apart from their numbers.

    Attributes:
        of_things: False if they change inside of things, too, as colours do; then only edges of
            depth are taken for silhouettes.
        looks_closer: whether small things are found better in magnified parts of a picture.
        moment: [C, C] mean outer product of the features of many pictures, of which a codec can
            take its first directions; None: not known.
        fingerprint: text that is another for other weights: a map whose features come from others
            is refused. Empty: not known.
    """

    of_things: bool = True
    looks_closer: bool = False
    moment: Tensor | None = None
    fingerprint: str = ""


@dataclass(frozen=True)
class NoOptions:
    """The table of an extractor that has no options."""


class FeatureExtractor(ABC):
    """A 2D model whose features are distilled into the field.

    Features are averaged over pixels and views, so they must stay meaningful under averaging.

    Args:
        device: where it computes.
        options: an instance of `Options`; None: the defaults.

    Attributes:
        Options: dataclass of its options, with fields made by `option`; what `features.options`
            says is checked against it before anything is loaded.
        name: name in the registry, e.g. "color".
        dim: C, numbers per feature.
        licence: of the code, and of the weights where there are any; SPDX or words.
        traits: of the features.
    """

    Options: ClassVar[type[Any]] = NoOptions
    name: str
    dim: int
    licence: str
    traits: Traits = Traits()

    def __init__(self, *, device: torch.device | str = "cpu", options: Any = None) -> None:
        self.device = torch.device(device)

    @classmethod
    def load(
        cls: type[Own], options: Mapping[str, Value], *, device: torch.device | str = "cpu"
    ) -> Own:
        """The extractor with options as they come from outside; those not given keep their default.

        Raises:
            ValueError: an option is unknown or wrong, or the extractor cannot be made with it.
        """
        owner = f" of extractor '{cls.name}'"
        typed = checked_values(parameters_of(cls.Options), options, kind="option", owner=owner)
        return cls(device=device, options=cls.Options(**typed))

    @classmethod
    def check_installation(cls) -> None:
        """Raise an exception that says what is missing, if something is; loads no weights."""
        return

    @abstractmethod
    def dense(
        self,
        images: Tensor,  # [B, 3, H, W] float, RGB in 0..1
    ) -> Tensor:
        """Features [B, C, h, w] float32; h, w may be smaller than H, W but cover the same view."""

    def dense_parts(
        self,
        images: Tensor,  # [B, 3, H, W] float, RGB in 0..1
    ) -> list[Tensor]:
        """The same in parts [B, c, h, w] with some of the C numbers each, in their order.

        Each part has its own resolution: what is coarse need not be enlarged.
        """
        return [self.dense(images)]

    def shot_parts(self, shot: Shot) -> list[Tensor]:
        """Parts [c, h, w] of the features of what is looked at.

        Of models that gain by it (`Traits.looks_closer`) those of the part magnified, of the others
        those of the whole, cut out.
        """
        if self.traits.looks_closer or shot.look.whole:
            return [part[0] for part in self.dense_parts(shot.image[None])]
        size = (shot.view[1], shot.view[0])
        whole = interpolate(shot.whole[None], size, mode="bilinear", antialias=True)
        return [shot.look.of_map(part[0], shot.view) for part in self.dense_parts(whole)]

    def rare_places(
        self,
        parts: Sequence[Tensor],  # [c, h, w] of `shot_parts`
    ) -> Tensor:
        """Places [K, 2] x, y in 0..1 with features that few pixels have, and a code has to keep.

        None of most models.
        """
        return torch.zeros(0, 2, device=parts[0].device)


class Words(FeatureExtractor):
    """A model that understands words.

    Attributes:
        threshold: relevancy above which something counts as selected, 0..1.
        calibrated: what more was learned about its answers.
    """

    threshold: float
    calibrated: Calibrated = Calibrated()

    @abstractmethod
    def text(self, prompts: Sequence[str]) -> Tensor:
        """Text vectors [P, C]; ValueError names a prompt that is not understood, and what is."""

    def check_understood(self, prompt: str) -> None:
        """Raise NotUnderstoodError, with the part, for a prompt that `text` would refuse.

        A model need not override it: it costs an encoding, then, to find out which is refused.
        """
        return

    @abstractmethod
    def relevancy(
        self,
        features: Tensor,  # [N, C]
        text: Tensor,  # [P, C]
    ) -> Tensor:
        """How much each feature is what each prompt asks for, [N, P] in 0..1."""

    def keep_presence(self, learned: PresenceCalibration) -> Path | None:
        """Store a calibration of presence in the weights, and return their file.

        None: they have no room for one. It is then kept beside `calibrated.checkpoint`.

        Raises:
            OSError: it cannot be written.
        """
        return None


class CosineWords(Words):
    """Words whose relevancy follows from a cosine: a map is asked without decoding its latents."""

    @property
    def language_dim(self) -> int:
        """How many numbers of a feature, the first, live in the space of the words."""
        return self.dim

    @abstractmethod
    def of_cosine(
        self,
        cosine: Tensor,  # [..., P] of features with unit vectors of text
        lengths: Tensor,  # [..., 1] of the features; 0: never observed
    ) -> Tensor:
        """Relevancy [..., P] in 0..1."""

    def relevancy(self, features: Tensor, text: Tensor) -> Tensor:
        """That of the cosines, [N, P] in 0..1."""
        lengths = torch.linalg.vector_norm(features, dim=-1, keepdim=True)
        return self.of_cosine(functional.normalize(features, dim=-1) @ text.to(features).T, lengths)


class EvidenceWords(CosineWords):
    """Words whose features hold evidence as well, behind the numbers in the space of the words.

    Text vectors [P, T] begin with a vector in the space of the words; what else is in them is the
    model's own.

    Attributes:
        evident_names: a word for each thing that there may be evidence for.
        shown: [E] bool, of which of them the last picture that `shot_parts` was given left no
            doubt; None before it.
    """

    evident_names: tuple[str, ...] = ()
    shown: Tensor | None = None

    @abstractmethod
    def of_evidence(
        self,
        spoken: Tensor,  # [..., language_dim] a feature's numbers in the space of the words
        evidence: Tensor,  # [..., C - language_dim] its other numbers
        text: Tensor,  # [P, T]
    ) -> Tensor:
        """Relevancy [..., P] in 0..1."""

    @abstractmethod
    def standing_out(
        self,
        evidence: Tensor,  # [N, C - language_dim]
        text: Tensor,  # [P, T]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """By how much more evidence there is for each text than for anything else, [N, P].

        Then how far what is seen comes from pictures that give evidence, [N, 1] in 0..1, and
        whether each text is known from such pictures, [P] 0 or 1.
        """

    def relevancy(self, features: Tensor, text: Tensor) -> Tensor:
        """Of both parts, [N, P] in 0..1."""
        own = self.language_dim
        return self.of_evidence(features[..., :own], features[..., own:], text.to(features))


class Examples(FeatureExtractor):
    """A model that is asked by example: the cosine of two features says how alike things are."""

    def likeness(
        self,
        features: Tensor,  # [N, C]
        examples: Tensor,  # [P, C]
    ) -> Tensor:
        """Cosine [N, P], negative ones as 0; that with a feature that is all zeros is 0."""
        unit: Tensor = functional.normalize(features, dim=1)
        return (unit @ functional.normalize(examples.to(unit), dim=1).T).clamp(0, 1)


class Masks(NamedTuple):
    """Answers to N prompts about one image."""

    masks: Tensor  # [N, H, W] bool
    iou: Tensor  # [N] the model's own guess of how good each mask is, 0..1
    logits: Tensor  # [N, H, W] float; masks are where they are above 0


class Clicks(FeatureExtractor):
    """A model that answers clicks and boxes with masks."""

    @abstractmethod
    def decode(
        self,
        embedding: Tensor,  # [C, h, w] of `dense`, or drawn from the field
        *,
        size: tuple[int, int],  # height, width of the image that prompts and masks are in
        points: Tensor | None = None,  # [N, K, 2] x, y in pixels: N prompts of K clicks
        labels: Tensor | None = None,  # [N, K] 1: is part of it, 0: is not, -1: no click
        boxes: Tensor | None = None,  # [N, 4] x0, y0, x1, y1 in pixels
    ) -> Masks:
        """One mask per prompt of clicks, a box or both, from features instead of an image."""


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
