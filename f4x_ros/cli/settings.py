# SPDX-License-Identifier: Apache-2.0
"""`--config FILE` and `--set key=value`: the same dotted names as the node's parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.config import Config


def read_settings(file: str | None, assignments: Sequence[str]) -> tuple[Config, list[str] | None]:
    """The configuration and the prompts that `file` names; assignments win over the file.

    The prompts are None where it says nothing of them; an empty list asks for nothing.

    Args:
        file: YAML, either a ROS parameter file (`/**: ros__parameters: ...`; what only the node
            knows, such as topics' rates, is left out) or dotted or nested names.
        assignments: texts `key=value`.

    Raises:
        ValueError: the file, a name or a value is not as expected; says which.
    """
    from f4x_ros.core.config import Config

    values, prompts = _from_file(file) if file else ({}, None)
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals:
            raise BadInputError(f"--set is '{text}', expected key=value")
        values[name.strip()] = value.strip()
    return Config.from_dotted(values), prompts


def _from_file(file: str) -> tuple[dict[str, Any], list[str]]:
    import yaml

    from f4x_ros.core.config import Config

    expected = "expected YAML with parameter names and values"
    try:
        content = yaml.safe_load(Path(file).expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"--config '{file}': {error.strerror}, {expected}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise BadInputError(f"--config '{file}': {reason}, {expected}") from error
    if not isinstance(content, dict):
        raise BadInputError(f"--config '{file}' holds {type(content).__name__}, {expected}")
    of_ros = _ros_parameters(content)
    values = _flat(content if of_ros is None else of_ros)
    prompts = values.pop("prompts", None)
    if prompts is not None and not _are_texts(prompts):
        raise BadInputError(f"--config '{file}': prompts is {prompts!r}, expected a list of texts")
    if of_ros is not None:
        known = {parameter.name for parameter in Config.parameters()}
        values = {name: value for name, value in values.items() if name in known}
    return values, None if prompts is None else [prompt for prompt in prompts if prompt]


def _are_texts(prompts: Any) -> bool:
    return isinstance(prompts, list) and all(isinstance(one, str) for one in prompts)


def _ros_parameters(content: Mapping[Any, Any]) -> dict[str, Any] | None:
    """The parameters of all nodes of a ROS file in one dictionary; None if it is no such file."""
    found: dict[str, Any] | None = None
    for value in content.values():
        if isinstance(value, dict):
            inner = value.get("ros__parameters", _ros_parameters(value))
            if isinstance(inner, dict):
                found = {**(found or {}), **inner}
    return found


def _flat(content: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat
