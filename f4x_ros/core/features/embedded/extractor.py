# SPDX-License-Identifier: Apache-2.0
"""Words and pixels without a download: a small network of our own, and eyes for photographs.

A feature is a unit vector in the space of the words (the network's, which learned from drawn
rooms), then evidence for each concept of `PhotoEyes`, then how far the picture was a photograph.
Which of the two answers is decided where a feature is asked: of drawn pictures the network, of
photographs the eyes where they know the words, and the network for what they do not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from f4x_ros.core.base import option
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.base import (
    EvidenceWords,
    Examples,
    Traits,
    check_images,
    check_prompts,
)
from f4x_ros.core.features.calibrated import Calibrated, PeakLine, PeakLines, PresenceCalibration
from f4x_ros.core.features.embedded.familiar import photograph
from f4x_ros.core.features.embedded.mixture import Mixture
from f4x_ros.core.features.embedded.network import enlarged
from f4x_ros.core.features.embedded.weights import (
    arrays_sha256,
    load_model,
    save_model,
    shipped_file,
    stated_sha256,
)
from f4x_ros.core.features.looks import Shot
from f4x_ros.core.features.minilm import MiniLm, installed_folder
from f4x_ros.core.features.options import existing_file, folder
from f4x_ros.core.features.photo.eyes import PhotoEyes, likely
from f4x_ros.core.features.phrases import described

_PEAK_LINES = PeakLines(  # best on six drawn worlds for tuning, see training/README.md
    attribute=PeakLine(-1.0, 0.5), kind=PeakLine(-1.0, 0.75), both=PeakLine(-1.0, 0.8)
)
_PRESENCE = PresenceCalibration({"pooled": 1.2, "ahead": 2.0}, 0.5, 0.02, 0.38)
_DRAWN = 0.02  # probability of a photograph below which the eyes are not asked


@dataclass(frozen=True)
class EmbeddedOptions:
    """Which files are read."""

    weights: str = option("", "file of `training.train`; empty: the one in the package")
    text_model: str = option("", "folder of all-MiniLM-L6-v2; empty: that of the installed package")
    photographs: bool = option(True, "also eyes for photographs; without them: for drawn worlds")


class EmbeddedExtractor(EvidenceWords, Examples):
    """Any words, for drawn rooms and photographs; needs no download.

    Features of each 2x2 pixels: in the space of all-MiniLM-L6-v2's words, and evidence (`Mixture`).

    Args:
        device: where it computes.
        options: which files are read.

    Raises:
        ValueError: the weights are missing or damaged, or the text model is not installed; says
            which.
    """

    Options = EmbeddedOptions
    name = "embedded"
    licence = "Apache-2.0 for code and weights; the text model is Apache-2.0 as well"
    threshold = 0.5  # the probability is calibrated so that here the masks are best

    def __init__(
        self, *, device: torch.device | str = "cpu", options: EmbeddedOptions | None = None
    ) -> None:
        super().__init__(device=device)
        chosen = options or EmbeddedOptions()
        given = chosen.weights
        self._file = existing_file("weights", given) if given else shipped_file()
        model = load_model(self._file, self.device)
        self.net, self._space, self.calibration, self.about = model[:4]
        self._eyes = PhotoEyes(self.net.near, self.device) if chosen.photographs else None
        concepts = self._eyes.count if self._eyes else 0
        if self._eyes:
            self.evident_names = tuple(one.name for one in self._eyes.concepts)
        self._mix = Mixture(self.net.layout.dim, concepts, self.calibration)
        self.dim = self._mix.dim
        self.traits = Traits(
            looks_closer=True,
            moment=None if model.moment is None else self._mix.moment(model.moment),
            fingerprint=self._fingerprint(),
        )
        self.calibrated = Calibrated(_PEAK_LINES, self._judged(model.presence), self._file)
        self._words = MiniLm(folder(chosen.text_model), device=self.device)
        if self._words.dim != len(self._space.mean):
            raise BadInputError(
                f"text model has {self._words.dim} numbers, the weights expect "
                f"{len(self._space.mean)}"
            )
        if self._eyes and self._eyes.words.dim != self._words.dim:
            raise BadInputError(
                f"text model has {self._words.dim} numbers, the eyes for photographs expect "
                f"{self._eyes.words.dim}: use all-MiniLM-L6-v2, or photographs=false"
            )

    @classmethod
    def check_installation(cls) -> None:
        """Raise ValueError saying what is missing, if a file is."""
        shipped_file()
        installed_folder()

    def keep_presence(self, learned: PresenceCalibration) -> Path:
        """Store a calibration of presence in the weights, and return their file.

        Raises:
            OSError: it cannot be written.
        """
        self.calibrated = replace(self.calibrated, presence=self._judged(learned))
        save_model(self._file, load_model(self._file)._replace(presence=learned))
        return self._file

    def _fingerprint(self) -> str:
        """Of all weights that make a feature."""
        own = stated_sha256(self._file) or arrays_sha256(self._file)
        if self._eyes is None:
            return own
        return hashlib.sha256(f"{own} {self._eyes.fingerprint}".encode()).hexdigest()

    def _judged(self, drawn: PresenceCalibration | None) -> PresenceCalibration | None:
        """A calibration for drawn worlds, with that for photographs beside it."""
        return drawn and drawn._replace(photographs=_PRESENCE if self._eyes else None)

    @property
    def language_dim(self) -> int:
        """How many numbers of a feature are the network's."""
        return self._mix.spoken

    @torch.no_grad()
    def dense(self, images: Tensor) -> Tensor:
        """Features [B, dim, ceil(H / 2), ceil(W / 2)] of `images` [B, 3, H, W] in 0..1."""
        spoken, *evidence = self.dense_parts(images)
        size = spoken.shape[-2:]
        fine = [interpolate(one, size, mode="bilinear", align_corners=False) for one in evidence]
        return torch.cat([spoken, *fine], 1)

    @torch.no_grad()
    def dense_parts(self, images: Tensor) -> list[Tensor]:
        """Unit features of each 2x2 pixels, and evidence of each 4x4."""
        check_images(images)
        images = images.to(self.device, torch.float32)
        return self._parts(images, lambda eyes, grid: eyes.boxes(eyes.detect(images), grid))

    @torch.no_grad()
    def shot_parts(self, shot: Shot) -> list[Tensor]:
        """The same of what is looked at; the detector is shown the whole, as it cuts no thing."""
        whole = shot.whole[None].to(self.device, torch.float32)
        shown = torch.zeros(len(self.evident_names), dtype=torch.bool)

        def boxes(eyes: PhotoEyes, grid: tuple[int, int]) -> Tensor:
            detections = eyes.detect(whole)
            shown[[one.concept for one in eyes.sure(whole[0], detections)]] = True
            found = eyes.boxes(detections, grid)
            if shot.look.whole:
                return found
            part = shot.look.of_map(found[0], shot.view)[None]
            return interpolate(part, grid, mode="bilinear", align_corners=False)

        images = shot.image[None].to(self.device, torch.float32)
        parts = [part[0] for part in self._parts(images, boxes)]
        self.shown = shown
        return parts

    def _parts(
        self, images: Tensor, boxes: Callable[[PhotoEyes, tuple[int, int]], Tensor]
    ) -> list[Tensor]:
        """Both parts; `boxes` gives what the detector finds, at the cells of a grid."""
        height, width = images.shape[-2:]
        maps = self.net.maps(images)
        spoken = enlarged(maps, (height, width))
        if self._eyes is None:
            return [spoken]
        share = photograph(maps.coarse, self._space.anchors)
        if bool((share < _DRAWN).all()):
            return [spoken, self._mix.nothing(images)]
        grid = (-(-height // 4), -(-width // 4))
        places = self._eyes.places(maps.near, (height, width), grid)
        return [spoken, self._mix.evidence(likely(places + boxes(self._eyes, grid)), share)]

    def rare_places(self, parts: Sequence[Tensor]) -> Tensor:
        """Where each concept that is seen is seen best."""
        return self._mix.rare_places(parts[1]) if self._eyes else super().rare_places(parts)

    def text(self, prompts: Sequence[str]) -> Tensor:
        """Text vectors [P, T], see `Mixture.text`; English words are understood."""
        check_prompts(prompts)
        for prompt in prompts:
            self.check_understood(prompt)
        if self._eyes is None:
            return self._space.query(self._words.encode(prompts))
        about = [described(prompt) for prompt in prompts]
        kinds = [one.kind or prompt for one, prompt in zip(about, prompts, strict=True)]
        looks = [" ".join((*one.attributes, "thing")) for one in about]
        every = list(dict.fromkeys([*prompts, *kinds, *looks]))
        found = self._words.encode(every)
        whole, kind, look = (
            found[[every.index(text) for text in texts]] for texts in (prompts, kinds, looks)
        )
        plain = torch.tensor([not one.attributes for one in about], device=found.device)
        meant = self._eyes.words.meant(kind)
        attribute = torch.where(plain[:, None], 0, self._space.query(look))
        return self._mix.text(self._space.query(whole), meant, attribute)

    def check_understood(self, prompt: str) -> None:
        """NotUnderstoodError for a prompt with a part that the text model has no words for."""
        self._words.check_understood(prompt)

    def of_cosine(self, cosine: Tensor, lengths: Tensor) -> Tensor:
        """Calibrated probability [..., P] that each text is true of each feature.

        From their cosines [..., P]. A feature of length [..., 1] 0 (never observed) has 0.
        """
        return self._mix.of_cosine(cosine, lengths)

    def of_evidence(self, spoken: Tensor, evidence: Tensor, text: Tensor) -> Tensor:
        """Probability [..., P], see `Mixture.relevancy`."""
        return self._mix.relevancy(spoken, evidence, text)

    def standing_out(self, evidence: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `EvidenceWords.standing_out`."""
        return self._mix.standing_out(evidence, text)
