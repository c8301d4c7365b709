# SPDX-License-Identifier: Apache-2.0
"""Several 2D models in one field: each is a head of the joint feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from f4x_ros.core.config import FeaturesConfig
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.base import Clicks, Examples, FeatureExtractor, Traits, Words
from f4x_ros.core.features.looks import Shot
from f4x_ros.core.features.registry import make_extractor, parse_options


class Part(NamedTuple):
    """Some numbers of the joint feature, over an image.

    Attributes:
        features: [c, h, w].
        start: the first of them in the joint feature.
        of_things: see `Traits`.
        rare: [K, 2] places that the code has to keep, see `FeatureExtractor.rare_places`.
    """

    features: Tensor
    start: int
    of_things: bool
    rare: Tensor


class Heads:
    """Extractors side by side; the joint feature is theirs one after the other.

    Args:
        extractors: at least one, each with a name of its own.

    Attributes:
        extractors: by name, in the order given.
        words: the one that is asked: the first that understands words. If none does, the first
            that is asked by example, or else the first.
        prompted: the one that answers clicks and boxes: the first that does, or None.
        dims: C of each.

    Raises:
        ValueError: there is none, or two have the same name.
    """

    def __init__(self, extractors: Sequence[FeatureExtractor]) -> None:
        if not extractors:
            raise BadInputError("there are no extractors, expected at least one")
        names = [one.name for one in extractors]
        check_names(names)
        self.extractors = dict(zip(names, extractors, strict=True))
        speaking = [one for one in extractors if isinstance(one, Words)]
        likening = [one for one in extractors if isinstance(one, Examples)]
        self.words: FeatureExtractor = [*speaking, *likening, *extractors][0]
        self.prompted = next((one for one in extractors if isinstance(one, Clicks)), None)
        self.dims = tuple(one.dim for one in extractors)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the extractors, in the order of the joint feature."""
        return tuple(self.extractors)

    @property
    def name(self) -> str:
        """All names, as `features.extractor` takes them."""
        return ",".join(self.extractors)

    @property
    def traits(self) -> tuple[Traits, ...]:
        """Of the features of each."""
        return tuple(one.traits for one in self.extractors.values())

    @property
    def fingerprints(self) -> dict[str, str]:
        """What the weights of each extractor are known by, of those that say so."""
        known = zip(self.names, self.traits, strict=True)
        return {name: own.fingerprint for name, own in known if own.fingerprint}

    def check_fingerprints(self, path: Path, stored: Mapping[str, str]) -> None:
        """ValueError if a file's features were made with other weights than those loaded here."""
        here = self.fingerprints
        for name, made_with in stored.items():
            if here.get(name, made_with) != made_with:
                raise BadInputError(
                    f"{path} has features of {name!r} with the weights {made_with[:12]}, here are "
                    f"{here[name][:12]}: words would not fit its features. Map again, or load it "
                    "where the extractor has those weights"
                )

    def index(self, head: str | None) -> int:
        """The place of a head by the name of its extractor; None = that of `words`.

        Raises:
            ValueError: there is no such head.
        """
        name = self.words.name if head is None else head
        if name not in self.extractors:
            raise BadInputError(f"head is {name!r}, expected one of {', '.join(self.extractors)}")
        return self.names.index(name)

    def parts(self, shot: Shot) -> list[Part]:
        """Features of each extractor; each part covers what is looked at in its own resolution."""
        made, start = [], 0
        for one in self.extractors.values():
            own = one.shot_parts(shot)
            rare = one.rare_places(own)
            for k, part in enumerate(own):
                things = one.traits.of_things and not k  # evidence has the edges of boxes
                made.append(Part(part, start, things, rare if not k else rare[:0]))
                start += len(part)
        return made


def make_heads(config: FeaturesConfig, device: torch.device | str = "cpu") -> Heads:
    """Load the extractors that the configuration names.

    Args:
        config: `extractor` is one name, or several with commas between them; `options` are
            "name=value" of one, "extractor.name=value" of several.
        device: where they compute.

    Raises:
        ValueError: a name is unknown, blank or given twice; an option is wrong, or belongs to no
            extractor that is named; a file or an extra of the installation is missing.
    """
    names = [name.strip() for name in config.extractor.split(",")]
    check_names(names)
    options = split_options(names, parse_options(config.options))
    made = [make_extractor(name, device=str(device), options=options[name]) for name in names]
    return Heads(made)


def check_names(names: Sequence[str]) -> None:
    """ValueError if a name of an extractor is blank or given twice."""
    for position, name in enumerate(names):
        if not name:
            raise BadInputError(
                f"features.extractor is {','.join(names)!r}, expected names with commas between"
            )
        if name in names[:position]:
            raise BadInputError(f"extractor {name!r} is given twice, expected each once")


def split_options(names: Sequence[str], options: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Options by extractor; of one extractor alone they need not name it.

    Raises:
        ValueError: an option names no extractor, or one that is not among `names`.
    """
    split: dict[str, dict[str, str]] = {name: {} for name in names}
    for key, value in options.items():
        owner, dot, rest = key.partition(".")
        if dot and owner in split and rest:
            split[owner][rest] = value
        elif len(names) == 1:
            split[names[0]][key] = value
        else:
            raise BadInputError(
                f"features.options has {key!r}, expected the extractor before the option: "
                f"{' or '.join(f'{name}.{key}' for name in names)}"
                if not dot
                else f"features.options has {key!r}, expected one of the extractors before the "
                f"dot: {', '.join(names)}"
            )
    return split
