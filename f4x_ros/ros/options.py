# SPDX-License-Identifier: Apache-2.0
"""ROS parameters of our executables as data: declared on a node, described, and checked.

What does not fit is said in one way: its name, its value, and what was expected.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from f4x_ros.core.errors import BadInputError

_MAX_INT = 2**63 - 1
_MAX_FLOAT = 1e300
_LONGEST = 200  # letters of a value that a message repeats
# Parameters that others declare on a node.
_FOREIGN = ("qos_overrides.", "use_sim_time", "start_type_description_service")


class Option(NamedTuple):
    """A parameter. The type of the default is the type of the value; ranges are inclusive."""

    name: str
    default: bool | int | float | str | list[str] | list[float]
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


def declare(node: Node, option: Option) -> str:
    """Declare it; what is wrong with the value given at the start, '' if nothing is.

    A value that does not fit leaves the default.
    """
    descriptor = descriptor_of(option)
    try:
        node.declare_parameter(option.name, option.default, descriptor)
    except (InvalidParameterTypeException, InvalidParameterValueException):
        node.declare_parameter(option.name, option.default, descriptor, ignore_override=True)
        return misfit(option, given(node)[option.name])
    return ""


def given(node: Node) -> dict[str, Any]:
    """Values by name as they were given at the start, declared or not."""
    overrides = getattr(node, "_parameter_overrides", {})  # (rclpy has no public way)
    return {name: one.value for name, one in overrides.items()}


def unknown(node: Node, known: Iterable[str]) -> list[str]:
    """One sentence for each name that was given at the start and that nobody declares."""
    names = set(known)
    said = []
    for name in sorted(given(node)):
        if name in names or name.startswith(_FOREIGN):
            continue
        near = difflib.get_close_matches(name, names, 1)
        hint = f" (is it '{near[0]}'?)" if near else ""
        said.append(f"parameter '{name}' is unknown{hint}")
    return said


def descriptor_of(option: Option) -> ParameterDescriptor:
    """Description and range for `ros2 param describe`."""
    text = option.doc
    if option.choices:
        text += f" ({', '.join(option.choices)})"
    descriptor = ParameterDescriptor(description=text)
    # A double may be written as 5, and a list may be empty: rclpy takes neither with a fixed type.
    # `checked` looks at both.
    descriptor.dynamic_typing = isinstance(option.default, (float, list))
    if option.low is None and option.high is None:
        return descriptor
    if isinstance(option.default, float):
        low = -_MAX_FLOAT if option.low is None else float(option.low)
        high = _MAX_FLOAT if option.high is None else float(option.high)
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif isinstance(option.default, int):
        low_int = -_MAX_INT if option.low is None else int(option.low)
        high_int = _MAX_INT if option.high is None else int(option.high)
        descriptor.integer_range = [IntegerRange(from_value=low_int, to_value=high_int, step=1)]
    return descriptor


def listed(given: Any) -> Any:
    """Texts given as one, with commas in between, as a list; anything else as it is."""
    if not isinstance(given, str):
        return given
    return [part.strip() for part in given.split(",") if part.strip()]


def misfit(option: Option, value: Any) -> str:
    """The sentence about a value that does not fit."""
    return f"parameter '{option.name}' is {shown(value)}, expected {expected(option)}"


def shown(value: Any) -> str:
    """A value as a message repeats it, however long it is."""
    return shortened(repr(value))


def shortened(text: str) -> str:
    """A text as a message repeats it."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} letters)"


def expected(option: Option) -> str:
    """What a value has to be, in words."""
    if option.choices:
        return f"one of {', '.join(option.choices)}"
    first = option.default[0] if isinstance(option.default, list) else option.default
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    kind = words[type(first)]
    if isinstance(option.default, list):
        kind = "a list of texts" if isinstance(first, str) else "a list of numbers"
    low, high = option.low, option.high
    if low is not None and high is not None:
        return f"{kind} from {_short(low)} to {_short(high)}"
    if low is not None:
        return f"{kind} of at least {_short(low)}"
    return kind if high is None else f"{kind} of at most {_short(high)}"


def _short(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


def checked(option: Option, value: Any) -> Any:
    """The value with the type of the default.

    Raises:
        BadInputError: it does not fit; has the name, the value and what was expected.
    """
    try:
        typed = _typed(option, value)
    except (TypeError, ValueError):
        raise BadInputError(misfit(option, value)) from None
    within = typed if isinstance(typed, list) else [typed]
    low, high = option.low, option.high
    if option.choices and not all(one in option.choices for one in within):
        raise BadInputError(misfit(option, value))
    if any((low is not None and v < low) or (high is not None and v > high) for v in within):
        raise BadInputError(misfit(option, value))
    return typed


def _typed(option: Option, value: Any) -> Any:
    if not isinstance(option.default, list):
        return _element(type(option.default), value)
    if isinstance(value, (str, bytes)) or not hasattr(value or [], "__iter__"):
        raise TypeError  # (text would be taken for a list of letters)
    return [_element(type(option.default[0]), item) for item in value or []]


def _element(kind: type, value: Any) -> Any:
    """One value; a whole number is taken for a float, and nothing else for something else."""
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError
        return float(value)
    if type(value) is not kind:
        raise TypeError
    return value
