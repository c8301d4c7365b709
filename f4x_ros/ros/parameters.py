# SPDX-License-Identifier: Apache-2.0
"""ROS parameters: those of the node, and all of `core.config.Config` under the same dotted names.

A value that does not fit never stops the process: the node keeps it in mind, configuring fails
with its name, and `ros2 param set` can repair it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from f4x_ros.core.ask import read_prompts
from f4x_ros.core.config import Config
from f4x_ros.core.errors import BadInputError

_MAX_INT = 2**63 - 1
_MAX_FLOAT = 1e300
# Parameters that others declare on the node.
_FOREIGN = ("qos_overrides.", "use_sim_time", "start_type_description_service")


class Option(NamedTuple):
    """A parameter of the node itself. The type of the default is the type of the value."""

    name: str
    default: bool | int | float | str | list[str] | list[float]
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


OPTIONS: tuple[Option, ...] = (
    Option("prompts", [""], "standing queries, in the order of their labels; '' is left out"),
    Option("prompts_file", "", "text file with one prompt per line, added after `prompts`"),
    Option("thresholds", [0.0], "one per prompt, 0..1; 0 or none = calibrated by the extractor"),
    Option("autostart", True, "executable only: configure and activate at start"),
    Option("map_frame", "map", "fixed frame of the map, the tracks and the cloud"),
    Option("camera_frame", "", "optical frame of the images; '' = frame_id of the image"),
    Option("pose_source", "tf", "where the camera's pose comes from", choices=("tf", "topic")),
    Option("image_rectified", False, "the images are rectified already: use P of camera_info"),
    Option("sync.slop_s", 0.02, "image and depth pair up to this far apart", low=0, high=1),
    Option("sync.queue_size", 30, "messages per topic that wait for their partners", low=1),
    Option(
        "frames",
        "newest",
        "newest: map the newest one whose pose is there, drop those before it; all: one after the "
        "other, for recordings of which nothing may be lost",
        choices=("newest", "all"),
    ),
    Option("queue_size", 10, "frames that wait for the map or for their pose", low=1),
    Option("transform_timeout_s", 0.5, "a frame waits so long for its pose", low=0, high=60),
    Option("time_jump_s", 1.0, "stamps going back by more than this are a jump", low=0),
    Option(
        "on_time_jump",
        "reset",
        "reset: start a new map; ignore_frames: drop frames until time has caught up",
        choices=("reset", "ignore_frames"),
    ),
    Option("masks.rate_hz", 0.0, "most ~/masks per second of stamps; 0 = every frame", low=0),
    Option("moving.rate_hz", 0.0, "most ~/moving per second of stamps; 0 = every frame", low=0),
    Option("overlay.rate_hz", 0.0, "most ~/overlay per second of stamps; 0 = every frame", low=0),
    Option("tracks.rate_hz", 0.0, "most ~/tracks per second of stamps; 0 = every frame", low=0),
    Option("markers.rate_hz", 0.0, "most ~/markers per second of stamps; 0 = every frame", low=0),
    Option("cloud.rate_hz", 0.0, "most ~/cloud per second of stamps; 0 = every frame", low=0),
    Option(
        "map_cloud.rate_hz", 0.5, "most ~/map_cloud per second of stamps; 0 = every frame", low=0
    ),
    Option("diagnostics.rate_hz", 1.0, "messages on /diagnostics per second", low=0.1, high=100),
    Option("report.dir", "", "on deactivation, leave here what `f4x run` leaves; '' = nothing"),
    Option("report.source", "", "what the report calls its input; '' = the node's name"),
    Option("report.holdout_every", 0, "every n-th frame only measures; 0 = all are mapped", low=0),
)


@dataclass(frozen=True)
class Settings:
    """The parameters of one configuration, checked."""

    config: Config
    prompts: tuple[str, ...]
    thresholds: tuple[float, ...]
    options: Mapping[str, Any]  # the other options of the node by name

    def __getitem__(self, name: str) -> Any:
        return self.options[name]


class NodeParameters:
    """Declares the parameters on a node and reads them when it is configured."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._problems: dict[str, str] = {}  # by parameter
        self._frozen = False
        self._core = Config.parameters()
        for option in OPTIONS:
            self._declare(option.name, option.default, descriptor_of(option))
        for p in self._core:
            option = Option(p.name, p.default, p.doc, p.low, p.high, p.choices)
            self._declare(p.name, p.default, descriptor_of(option))
        self._own = {option.name for option in OPTIONS} | {p.name for p in self._core}
        node.add_on_set_parameters_callback(self._on_set)
        for name in self.unknown():
            node.get_logger().warning(
                f"parameter '{name}' is unknown and has no effect (ros2 param list shows all)"
            )

    def unknown(self) -> list[str]:
        """Names that were given at the start and that nobody declares, most likely misspelt."""
        given = getattr(self._node, "_parameter_overrides", {})
        return sorted(n for n in given if n not in self._own and not n.startswith(_FOREIGN))

    def freeze(self, frozen: bool) -> None:
        """While frozen, changes are refused with the reason instead of having no effect."""
        self._frozen = frozen

    def read(self) -> Settings:
        """All values.

        Raises:
            ValueError: a value, or the file of prompts, is not as expected; names it.
        """
        if self._problems:
            raise BadInputError("; ".join(self._problems.values()))
        raw = {name: self._node.get_parameter(name).value for name in self._own}
        config = Config.from_dotted({p.name: raw[p.name] for p in self._core})
        options = {o.name: checked(o, raw[o.name]) for o in OPTIONS}
        prompts = [p for p in options.pop("prompts") if p]
        if path := options["prompts_file"]:
            try:
                prompts += read_prompts(path)
            except ValueError as error:
                raise BadInputError(
                    f"parameter 'prompts_file' is '{path}', expected a text file with one prompt "
                    f"per line ({error})"
                ) from error
        thresholds = options.pop("thresholds")
        if not any(thresholds):
            thresholds = []
        if thresholds and len(thresholds) != len(prompts):
            raise BadInputError(
                f"parameter 'thresholds' has {len(thresholds)} values, expected one for each of "
                f"{len(prompts)} prompts (or none)"
            )
        return Settings(config, tuple(prompts), tuple(thresholds), options)

    def _declare(self, name: str, default: Any, descriptor: ParameterDescriptor) -> None:
        try:
            self._node.declare_parameter(name, default, descriptor)
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            self._problems[name] = f"parameter '{name}': {error}"
            self._node.declare_parameter(name, default, descriptor, ignore_override=True)

    def _on_set(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        ours = [p.name for p in parameters if p.name in self._own]
        if self._frozen and ours:
            return SetParametersResult(
                successful=False,
                reason=f"'{ours[0]}' is read when the node is configured: clean up, set, "
                "configure (for prompts, ~/set_prompts works at any time)",
            )
        for name in ours:
            self._problems.pop(name, None)
        return SetParametersResult(successful=True)


def descriptor_of(option: Option) -> ParameterDescriptor:
    """Description and range for `ros2 param describe`."""
    text = option.doc
    if option.choices:
        text += f" ({', '.join(option.choices)})"
    descriptor = ParameterDescriptor(description=text)
    # A double may be written as 5, and a list may be empty: rclpy takes neither with a fixed type.
    # `checked` and `Config.from_dotted` look at both.
    descriptor.dynamic_typing = isinstance(option.default, (float, list))
    if option.low is None and option.high is None:
        return descriptor
    if isinstance(option.default, float):
        low = -_MAX_FLOAT if option.low is None else float(option.low)
        high = _MAX_FLOAT if option.high is None else float(option.high)
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    else:
        low_int = -_MAX_INT if option.low is None else int(option.low)
        high_int = _MAX_INT if option.high is None else int(option.high)
        descriptor.integer_range = [IntegerRange(from_value=low_int, to_value=high_int, step=1)]
    return descriptor


def checked(option: Option, value: Any) -> Any:
    """The value with the type of the default; ValueError with name, value and what was expected."""
    problem = f"parameter '{option.name}' is {value!r}, expected"
    if isinstance(option.default, list):
        kind = type(option.default[0])
        try:
            return [_element(kind, item) for item in value or []]
        except (TypeError, ValueError):
            raise BadInputError(f"{problem} a list of {kind.__name__}") from None
    if isinstance(option.default, float):
        try:
            value = _element(float, value)
        except (TypeError, ValueError):
            raise BadInputError(f"{problem} a number") from None
    if option.choices and value not in option.choices:
        raise BadInputError(f"{problem} one of {', '.join(option.choices)}")
    low, high = option.low, option.high
    if (low is not None and value < low) or (high is not None and value > high):
        raise BadInputError(f"{problem} at least {low}" + (f", at most {high}" if high else ""))
    return value


def _element(kind: type, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (kind, int)):
        raise TypeError
    if kind is str and not isinstance(value, str):
        raise TypeError
    converted = kind(value)
    if converted != converted:  # NaN
        raise ValueError
    return converted
