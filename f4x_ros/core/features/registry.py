# SPDX-License-Identifier: Apache-2.0
"""Extractors by name: the built-in ones, and those of other packages.

Another package offers one by an entry point of the group `f4x.extractors` whose object is called
as `factory(device=..., options=...)` and returns a `FeatureExtractor`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple, cast

import torch

from f4x_ros.core.errors import BadInputError, UnsupportedError
from f4x_ros.core.features.base import FeatureExtractor, has_text

ENTRY_POINTS = "f4x.extractors"

_BUILT_IN = {
    "embedded": "f4x_ros.core.features.embedded.extractor:EmbeddedExtractor",
    "color": "f4x_ros.core.features.color:ColorExtractor",
    "openclip": "f4x_ros.core.features.openclip:OpenClipExtractor",
    "sam2": "f4x_ros.core.features.sam2:Sam2Extractor",
    "dinov2": "f4x_ros.core.features.dinov2:Dinov2Extractor",
}

Factory = Callable[..., FeatureExtractor]


class ExtractorStatus(NamedTuple):
    """One line of `f4x doctor`."""

    name: str
    available: bool
    message: str  # what it is, or why it is not available


def extractor_names() -> list[str]:
    """Names `make_extractor` knows, built-in ones first."""
    return [*_BUILT_IN, *(name for name in _entry_points() if name not in _BUILT_IN)]


def no_language(name: str, instead: str) -> UnsupportedError:
    """What `text` of an extractor without words raises; names those built in that have some."""
    speaking = [repr(known) for known in _BUILT_IN if has_text(_factory(known))]
    return UnsupportedError(
        f"extractor {name!r} has no language, it {instead}; words are understood by "
        f"{', '.join(speaking)}"
    )


def make_extractor(
    name: str,
    *,
    device: torch.device | str = "cpu",
    options: Mapping[str, str] | None = None,
) -> FeatureExtractor:
    """Load an extractor.

    Args:
        name: see `extractor_names`; a built-in name is never replaced by another package's.
        device: where it computes.
        options: its own options, see its documentation.

    Raises:
        ValueError: the name is unknown (lists the known ones), an option is wrong, a file or an
            extra of the installation is missing.
    """
    return _factory(name)(device=device, options=dict(options or {}))


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
        factory = _factory(name)
        check = getattr(factory, "check_installation", None)
        if check is not None:
            check()
    except Exception as error:  # another package's code may raise anything
        return ExtractorStatus(name, False, str(error) or type(error).__name__)
    summary = (factory.__doc__ or "").strip().partition("\n")[0]
    return ExtractorStatus(name, True, summary or "available")


def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _factory(name: str) -> Factory:
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        return cast(Factory, getattr(import_module(module), attribute))
    point = _entry_points().get(name)
    if point is None:
        raise BadInputError(f"extractor {name!r} is unknown, expected one of {extractor_names()}")
    try:
        return cast(Factory, point.load())
    except ImportError as error:
        raise BadInputError(f"extractor {name!r} ({point.value}) does not load: {error}") from error
