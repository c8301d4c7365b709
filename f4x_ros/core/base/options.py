# SPDX-License-Identifier: Apache-2.0
"""Options: fields of dataclasses, each with its range and one line of text, and their one checker.

`core.config` is the table of the map, and every extractor may have one of its own. What comes from
outside, often as text, is checked here against such a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from typing import Any, NamedTuple

from f4x_ros.core.errors import BadInputError

Value = bool | int | float | str
Default = Value | tuple[int, ...]

_KEY = "option"  # of a field's metadata


class Parameter(NamedTuple):
    """One option as the outside sees it."""

    name: str  # dotted where the table is a part of another
    default: Default
    low: float | None  # inclusive
    high: float | None  # inclusive
    choices: tuple[str, ...]  # empty: any text
    doc: str


def option(
    default: Default,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of a dataclass: its default, range (inclusive) or choices, and one line of text.

    The type of the default is that of the values. A tuple is given as text, whole numbers with
    commas in between, each within the range; `core.config` has none, as ROS parameters know no
    tuples.
    """
    said = Parameter("", default, low, high, choices, doc)
    return field(default=default, metadata={_KEY: said})


def parameters_of(table: type[Any], prefix: str = "") -> list[Parameter]:
    """The options of a dataclass in the order of declaration, names beginning with `prefix`."""
    return [one.metadata[_KEY]._replace(name=f"{prefix}{one.name}") for one in fields(table)]


def checked_values(
    known: Sequence[Parameter],
    given: Mapping[str, Value],
    *,
    kind: str = "parameter",
    owner: str = "",
) -> dict[str, Any]:
    """What is given, with the types of the defaults.

    Text is accepted for numbers and booleans, because command lines only have text.

    Args:
        known: what may be given.
        given: values by name.
        kind: what messages call one of them.
        owner: what messages add behind its name, such as " of extractor 'sam2'".

    Raises:
        BadInputError: a name is unknown, a type is wrong or a value is out of range; the message
            has the name, the value and what was expected.
    """
    by_name = {one.name: one for one in known}
    typed = {}
    for name, value in given.items():
        called = f"{kind} '{name}'{owner}"
        if name not in by_name:
            raise BadInputError(f"{called} is unknown; known: {', '.join(by_name) or 'none'}")
        typed[name] = _checked(by_name[name], value, called)
    return typed


def _checked(parameter: Parameter, value: Value, called: str) -> Any:
    if isinstance(parameter.default, tuple):
        of_one = parameter._replace(default=parameter.default[0])
        return tuple(_checked(of_one, part, called) for part in str(value).split(","))
    typed = _typed(type(parameter.default), value, called)
    low, high = parameter.low, parameter.high
    if isinstance(typed, (int, float)) and not isinstance(typed, bool):
        if (low is not None and not typed >= low) or (high is not None and not typed <= high):
            raise BadInputError(f"{called} is {value}, expected {_range_text(low, high)}")
    elif parameter.choices and typed not in parameter.choices:
        raise BadInputError(
            f"{called} is '{value}', expected one of {', '.join(parameter.choices)}"
        )
    return typed


def _range_text(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}"


def _typed(kind: type, value: Value, called: str) -> Value:
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
    raise BadInputError(f"{called} is '{value}', expected a value of type {kind.__name__}")
