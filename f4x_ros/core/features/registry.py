# SPDX-License-Identifier: Apache-2.0
"""Extractors by name: the built-in ones, and those of other packages.

Another package offers one by an entry point of the group `f4x.extractors` that names a class
derived from `FeatureExtractor`; doc/features.md has an example.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

import torch

from f4x_ros.core.base import Value
from f4x_ros.core.errors import BadInputError, UnsupportedError
from f4x_ros.core.features.base import Clicks, Examples, FeatureExtractor, Words

ENTRY_POINTS = "f4x.extractors"

_BUILT_IN = {
    name: EntryPoint(name, f"f4x_ros.core.features.{where}", ENTRY_POINTS)
    for name, where in (
        ("embedded", "embedded.extractor:EmbeddedExtractor"),
        ("color", "color:ColorExtractor"),
        ("openclip", "openclip:OpenClipExtractor"),
        ("sam2", "sam2:Sam2Extractor"),
        ("dinov2", "dinov2:Dinov2Extractor"),
    )
}


class ExtractorStatus(NamedTuple):
    """One line of `f4x doctor`."""

    name: str
    available: bool
    message: str  # what it is, or why it is not available


def extractor_names() -> list[str]:
    """Names `make_extractor` knows, built-in ones first."""
    return [*_BUILT_IN, *(name for name in _entry_points() if name not in _BUILT_IN)]


def language_of(extractor: FeatureExtractor) -> Words:
    """The extractor itself, as one that understands words.

    Raises:
        UnsupportedError: it has no language; says what it does, and which of those built in have.
    """
    if isinstance(extractor, Words):
        return extractor
    does = ["answers clicks and boxes"] if isinstance(extractor, Clicks) else []
    if isinstance(extractor, Examples):
        does.append("finds what looks like an example (examples.similar)")
    instead = f", it {' and '.join(does)}" if does else ""
    speaking = [repr(name) for name in _BUILT_IN if issubclass(extractor_class(name), Words)]
    raise UnsupportedError(
        f"extractor {extractor.name!r} has no language{instead}; words are understood by "
        f"{', '.join(speaking)}"
    )


def extractor_class(name: str) -> type[FeatureExtractor]:
    """The class behind a name; imports its module, loads no weights.

    Raises:
        ValueError: the name is unknown (lists the known ones), or what another package offers does
            not load or is no extractor.
    """
    if name in _BUILT_IN:
        built_in: type[FeatureExtractor] = _BUILT_IN[name].load()
        return built_in
    point = _entry_points().get(name)
    if point is None:
        raise BadInputError(f"extractor {name!r} is unknown, expected one of {extractor_names()}")
    try:
        found = point.load()
    except ImportError as error:
        raise BadInputError(f"extractor {name!r} ({point.value}) does not load: {error}") from error
    if not (isinstance(found, type) and issubclass(found, FeatureExtractor)):
        raise BadInputError(
            f"extractor {name!r} ({point.value}) is {found!r}, expected a class that derives from "
            "f4x_ros.core.features.FeatureExtractor"
        )
    return found


def make_extractor(
    name: str,
    *,
    device: torch.device | str = "cpu",
    options: Mapping[str, Value] | None = None,
) -> FeatureExtractor:
    """Load an extractor.

    Args:
        name: see `extractor_names`; a built-in name is never replaced by another package's.
        device: where it computes.
        options: its own options, see its `Options`; text is accepted for numbers, too.

    Raises:
        ValueError: the name is unknown (lists the known ones), an option is wrong, a file or an
            extra of the installation is missing.
    """
    return extractor_class(name).load(options or {}, device=device)


def parse_options(text: str) -> dict[str, str]:
    """`"model=ViT-B-32 pretrained='/a path/w.pt'"` (features.options) to a dictionary.

    Raises:
        ValueError: a part is not name=value, or a quotation is not closed.
    """
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise BadInputError(f"features.options is {text!r}: {error}") from error
    options = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not (key and equals):
            raise BadInputError(f"features.options is {text!r}: {part!r}, expected name=value")
        options[key] = value
    return options


def describe() -> list[ExtractorStatus]:
    """Whether each known extractor could be loaded here; imports their libraries."""
    return [_status(name) for name in extractor_names()]


def _status(name: str) -> ExtractorStatus:
    try:
        found = extractor_class(name)
        found.check_installation()
    except Exception as error:  # another package's code may raise anything
        return ExtractorStatus(name, False, str(error) or type(error).__name__)
    summary = (found.__doc__ or "").strip().partition("\n")[0]
    return ExtractorStatus(name, True, summary or "available")


def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}
