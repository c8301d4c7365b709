# SPDX-License-Identifier: Apache-2.0
"""One vocabulary of dotted names for files, the command line (`--set`) and ROS parameters.

Each option is a dataclass field made by `option`, which carries its range and its one-line
description; `Config.parameters` lists them all, so nothing else repeats a default.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from f4x_ros.core.errors import BadInputError

Value = bool | int | float | str


def option(
    default: Value,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A configuration field: its default, range (inclusive) or choices, and one line of text."""
    meta = {"doc": doc, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata=meta)


class Parameter(NamedTuple):
    """One option as the outside sees it."""

    name: str  # dotted
    default: Value
    low: float | None  # inclusive
    high: float | None  # inclusive
    choices: tuple[str, ...]  # empty: any text
    doc: str


@dataclass(frozen=True)
class FieldConfig:
    """The Gaussians and what they may cost."""

    max_bytes: int = option(
        256_000_000,
        "bytes all per-Gaussian tensors together may take; the oldest past goes first",
        low=100_000,
    )
    latent_dim: int = option(
        32, "numbers of the compact feature of a Gaussian, all extractors together", low=1, high=64
    )
    block_m: float = option(
        1.0, "edge of the cubes that come into memory and go out of it together", low=0.1, high=100
    )


@dataclass(frozen=True)
class MappingConfig:
    """How frames become Gaussians."""

    iterations: int = option(4, "optimisation steps per frame", low=0, high=1000)
    keyframe_iterations: int = option(
        27, "optimisation steps more for each keyframe, over some frames", low=0, high=1000
    )
    resolution: int = option(
        320, "width in pixels the map is optimised at; larger images are reduced to it", low=32
    )
    fine_px: int = option(2, "spacing of new Gaussians where the image has texture", low=1, high=32)
    coarse_px: int = option(6, "spacing of new Gaussians where it has none", low=1, high=64)
    min_alpha: float = option(0.6, "below this the field does not explain a pixel", low=0, high=1)
    depth_tolerance: float = option(
        0.025, "difference from measured depth that is a contradiction, share of the depth", low=0
    )
    max_depth_m: float = option(20.0, "farther readings are not used", low=0.1)
    range_m: float = option(
        40.0, "what is mapped farther from the camera than this takes no part in a frame", low=1
    )
    free_space_views: int = option(
        1, "frames in a row that must see through a Gaussian before it belongs to the past", low=1
    )
    unseen_mover_s: float = option(
        0.1,
        "seconds out of sight, 2.5 frames at least, after which what moved is no longer there",
        low=0,
    )
    keyframes: int = option(160, "keyframes kept for optimisation", low=1)
    keyframe_distance_m: float = option(0.05, "camera motion that makes a keyframe", low=0)
    keyframe_angle_rad: float = option(0.05, "camera turn that makes a keyframe", low=0)
    exposure: bool = option(True, "estimate gain and offset of each keyframe's colours")
    seed: int = option(0, "seed of the choice of keyframes", low=0)


@dataclass(frozen=True)
class FeaturesConfig:
    """Which 2D models are distilled into the field."""

    extractor: str = option(
        "embedded",
        "registered feature extractor (embedded, color, openclip, ...) or several: 'one,another'",
    )
    options: str = option(
        "", "options of the extractor: 'name=value name=value'; of several: 'one.name=value'"
    )
    every: int = option(1, "extract features from every n-th frame", low=1)
    close_looks: int = option(
        1, "magnified parts of each frame whose features are extracted, too: finds smaller things "
        "for as much time again; used by 'embedded'", low=0, high=16,
    )  # fmt: skip
    group_every: int = option(
        5, "put Gaussians of one thing together every n-th frame, and see whether it moves as a "
        "whole; 0 = each is asked, and judged, alone", low=0,
    )  # fmt: skip


@dataclass(frozen=True)
class QueryConfig:
    """Words to answers."""

    threshold: float = option(0.0, "relevancy that selects; 0 = the extractor's own", low=0, high=1)
    min_weight: float = option(
        0.05,
        "rendered weight a Gaussian needs before its feature counts: pixels, less at silhouettes",
        low=0,
    )


@dataclass(frozen=True)
class TracksConfig:
    """Objects of the standing prompts, followed over time."""

    link_distance_m: float = option(0.06, "Gaussians nearer than this are one object", low=0.001)
    min_gaussians: int = option(25, "an object has at least so many Gaussians", low=1)
    max_objects: int = option(64, "objects kept per prompt, largest first", low=1)
    confirm_frames: int = option(3, "frames an object must be seen before it is CONFIRMED", low=1)
    lost_after_s: float = option(5.0, "seconds without support before a track is LOST", low=0)
    moving_speed_mps: float = option(0.08, "speed above which an object counts as moving", low=0)


@dataclass(frozen=True)
class RenderConfig:
    """How the field is drawn."""

    backend: str = option(
        "auto",
        "rasteriser: auto takes gsplat on CUDA and the compiled one on CPUs",
        choices=("auto", "cuda", "cpu", "padded", "reference"),
    )
    device: str = option(
        "auto", "auto takes the GPU where torch finds one", choices=("auto", "cpu", "cuda")
    )


@dataclass(frozen=True)
class Config:
    """All options of `Perception`.

    Raises:
        ValueError: `from_dotted` met an unknown name, a wrong type or a value out of range; the
            message has the name, the value and what was expected.
    """

    field: FieldConfig = FieldConfig()
    mapping: MappingConfig = MappingConfig()
    features: FeaturesConfig = FeaturesConfig()
    query: QueryConfig = QueryConfig()
    tracks: TracksConfig = TracksConfig()
    render: RenderConfig = RenderConfig()

    @classmethod
    def parameters(cls) -> list[Parameter]:
        """Every option with its dotted name, in the order of declaration."""
        default = cls()
        return [
            Parameter(
                f"{group.name}.{f.name}",
                getattr(getattr(default, group.name), f.name),
                f.metadata["low"],
                f.metadata["high"],
                f.metadata["choices"],
                f.metadata["doc"],
            )
            for group in dataclasses.fields(cls)
            for f in dataclasses.fields(getattr(default, group.name))
        ]

    @classmethod
    def from_dotted(cls, values: Mapping[str, Value]) -> Config:
        """From `{"field.max_bytes": 1000000, ...}`; what is not named keeps its default.

        Text is accepted for numbers and booleans, because command lines only have text.
        """
        known = {p.name: p for p in cls.parameters()}
        groups: dict[str, dict[str, Value]] = {}
        for name, value in values.items():
            if name not in known:
                raise BadInputError(f"parameter '{name}' is unknown; known: {', '.join(known)}")
            group, key = name.split(".")
            groups.setdefault(group, {})[key] = _checked(known[name], value)
        default = cls()
        parts: dict[str, Any] = {
            name: dataclasses.replace(getattr(default, name), **given)
            for name, given in groups.items()
        }
        return dataclasses.replace(default, **parts)

    def to_dotted(self) -> dict[str, Value]:
        """The inverse of `from_dotted`, complete."""
        return {
            f"{group}.{key}": value
            for group, part in dataclasses.asdict(self).items()
            for key, value in part.items()
        }


def _checked(parameter: Parameter, value: Value) -> Value:
    typed = _typed(parameter, value)
    low, high = parameter.low, parameter.high
    if isinstance(typed, (int, float)) and not isinstance(typed, bool):
        if (low is not None and not typed >= low) or (high is not None and not typed <= high):
            raise BadInputError(
                f"parameter '{parameter.name}' is {value}, expected {_range_text(low, high)}"
            )
    elif parameter.choices and typed not in parameter.choices:
        raise BadInputError(
            f"parameter '{parameter.name}' is '{value}', "
            f"expected one of {', '.join(parameter.choices)}"
        )
    return typed


def _range_text(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}"


def _typed(parameter: Parameter, value: Value) -> Value:
    kind = type(parameter.default)
    if kind is bool:
        text = str(value).lower()
        if text in ("true", "false"):
            return text == "true"
    elif kind is str:
        return str(value)
    elif not isinstance(value, bool):
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if kind is float and number == number:  # not NaN
            return number
        if kind is int and number.is_integer():
            return int(number)
    raise BadInputError(
        f"parameter '{parameter.name}' is '{value}', expected a value of type {kind.__name__}"
    )
