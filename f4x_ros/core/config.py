# SPDX-License-Identifier: Apache-2.0
"""One vocabulary of dotted names for files, the command line (`--set`) and ROS parameters.

Each option is a dataclass field made by `option`, which carries its range and its one-line
description; `Config.parameters` lists them all, so nothing else repeats a default. Options of
extractors are declared and checked by the same means (`core.base.options`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from f4x_ros.core.base import Parameter, Value, checked_values, option, parameters_of


@dataclass(frozen=True)
class FieldConfig:
    """The Gaussians and what they may cost."""

    max_bytes: int = option(
        256_000_000,
        "bytes all per-Gaussian tensors together may take; the oldest past goes first",
        low=100_000, high=1 << 44,
    )  # fmt: skip
    latent_dim: int = option(
        32, "numbers of the compact feature of a Gaussian, all extractors together", low=1, high=64
    )
    block_m: float = option(
        1.0, "edge of the cubes that come into memory and go out of it together", low=0.1, high=100
    )


@dataclass(frozen=True)
class MapConfig:
    """Where the map goes when memory is full."""

    dir: str = option(
        "", "folder for parts of the map that are out of sight and over field.max_bytes; they come "
        "back when they are seen or asked about; empty: they are forgotten",
    )  # fmt: skip


@dataclass(frozen=True)
class PoseConfig:
    """Who knows where the camera is."""

    source: str = option(
        "given", "given: each frame brings its pose; odometry: it is estimated from the pictures "
        "and their depth; of a recording the first pose, if there is one, says where the map lies",
        choices=("given", "odometry"),
    )  # fmt: skip
    keyframes: int = option(
        200, "places kept to align to and to be recognised, if the pose is estimated", low=10,
        high=100_000,
    )  # fmt: skip


@dataclass(frozen=True)
class DepthConfig:
    """Who knows how deep a picture is."""

    source: str = option(
        "given", "given: each frame brings its depth image; motion: it is measured by the camera's "
        "own motion, and depth images are ignored",
        choices=("given", "motion"),
    )  # fmt: skip
    scene_m: float = option(
        2.0, "if depth and pose both come from pictures: median distance of what is seen first, "
        "which gives everything its size; only poses of the first frames know better",
        low=0.01, high=1000,
    )  # fmt: skip
    still_s: float = option(
        3.0, "seconds without parallax, if depth and pose both come from pictures, after which "
        "the camera is said to be nearly still, and everything taken to be depth.scene_m away",
        low=0, high=1e6,
    )  # fmt: skip


@dataclass(frozen=True)
class MappingConfig:
    """How frames become Gaussians."""

    iterations: int = option(4, "optimisation steps per frame", low=0, high=1000)
    keyframe_iterations: int = option(
        27, "optimisation steps more for each keyframe, over some frames", low=0, high=1000
    )
    resolution: int = option(
        320,
        "width in pixels the map is optimised at; larger images are reduced to it",
        low=32,
        high=16384,
    )
    fine_px: int = option(2, "spacing of new Gaussians where the image has texture", low=1, high=32)
    coarse_px: int = option(6, "spacing of new Gaussians where it has none", low=1, high=64)
    min_alpha: float = option(0.6, "below this the field does not explain a pixel", low=0, high=1)
    depth_tolerance: float = option(
        0.025, "difference from measured depth that is a contradiction, share of the depth", low=0
    )
    max_depth_m: float = option(20.0, "farther readings are not used", low=0.1, high=1e6)
    range_m: float = option(
        40.0, "what is mapped farther from the camera than this takes no part in a frame", low=1,
        high=1e6,
    )  # fmt: skip
    free_space_views: int = option(
        1, "frames in a row that must see through a Gaussian before it belongs to the past", low=1,
        high=1000,
    )  # fmt: skip
    unseen_mover_s: float = option(
        0.1,
        "seconds out of sight, 2.5 frames at least, after which what moved is no longer there",
        low=0,
    )
    bodies: bool = option(
        True,
        "follow what moves as rigid bodies, and carry its Gaussians instead of mapping it anew",
    )
    keyframes: int = option(160, "keyframes kept for optimisation", low=1, high=1_000_000)
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
        1, "frames of which a magnified part is shown to the extractor, to each one that is shown "
        "whole: finds smaller things; used by 'embedded'", low=0, high=16,
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
    map: MapConfig = MapConfig()
    pose: PoseConfig = PoseConfig()
    depth: DepthConfig = DepthConfig()
    mapping: MappingConfig = MappingConfig()
    features: FeaturesConfig = FeaturesConfig()
    query: QueryConfig = QueryConfig()
    tracks: TracksConfig = TracksConfig()
    render: RenderConfig = RenderConfig()

    @classmethod
    def parameters(cls) -> list[Parameter]:
        """Every option with its dotted name, in the order of declaration."""
        return [
            parameter
            for group in dataclasses.fields(cls)
            for parameter in parameters_of(type(group.default), f"{group.name}.")
        ]

    @classmethod
    def from_dotted(cls, values: Mapping[str, Value]) -> Config:
        """From `{"field.max_bytes": 1000000, ...}`; what is not named keeps its default.

        Text is accepted for numbers and booleans, because command lines only have text.
        """
        groups: dict[str, dict[str, Any]] = {}
        for name, value in checked_values(cls.parameters(), values).items():
            group, key = name.split(".")
            groups.setdefault(group, {})[key] = value
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
