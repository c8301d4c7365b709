# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for `launch` and `launch_ros`, which PyPI does not have, to execute a launch file with.

They know which names each module has and which keywords each action takes (launch 3.8 and
launch_ros 0.28, and what both have in common with ROS 2 Humble), so that a misspelt one fails. The
real packages are used where they can be imported.
"""

from __future__ import annotations

import runpy
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

EXECUTE_PROCESS = {
    *("name", "output", "respawn", "respawn_delay", "condition", "additional_env", "env", "cwd"),
    *("prefix", "shell", "emulate_tty", "sigterm_timeout", "sigkill_timeout", "on_exit"),
}
NODE = EXECUTE_PROCESS | {
    *("package", "executable", "namespace", "exec_name", "parameters", "remappings"),
    *("ros_arguments", "arguments"),
}
KEYWORDS = {
    "launch": {"LaunchContext": set(), "LaunchDescription": set()},
    "launch.actions": {
        "DeclareLaunchArgument": {"default_value", "description", "choices", "condition"},
        "GroupAction": {"scoped", "forwarding", "launch_configurations", "condition"},
        "LogInfo": {"msg", "condition"},
        "OpaqueFunction": {"function", "args", "kwargs", "condition"},
        "SetEnvironmentVariable": {"condition"},
    },
    "launch.conditions": {"IfCondition": set(), "UnlessCondition": set()},
    "launch.substitutions": {
        "LaunchConfiguration": {"default"},
        "PathJoinSubstitution": set(),
        "PythonExpression": set(),
    },
    "launch_ros": {},
    "launch_ros.actions": {"Node": NODE, "LifecycleNode": NODE},
    "launch_ros.parameter_descriptions": {"ParameterValue": {"value_type"}},
    "launch_ros.substitutions": {"FindPackageShare": set()},
}


class Entity:
    """Anything a launch file makes: remembers what it was made with."""

    allowed: frozenset[str] = frozenset()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        unknown = kwargs.keys() - self.allowed
        if unknown:
            raise TypeError(f"{type(self).__name__} has no keywords {sorted(unknown)}")
        self.args, self.kwargs = args, kwargs

    @property
    def kind(self) -> str:
        return type(self).__name__

    def perform(self, context: Context) -> str:
        return str(evaluate(self, context.launch_configurations))


class Context:
    """What a launch file looks into when it is carried out."""

    def __init__(self, arguments: dict[str, str]) -> None:
        self.launch_configurations = Seen(arguments)


class Seen(dict[str, str]):
    """Remembers what was asked for."""

    def __init__(self, arguments: dict[str, str]) -> None:
        super().__init__(arguments)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return super().__getitem__(name)


def install(monkeypatch: pytest.MonkeyPatch, packages: Sequence[str] = ("rviz2",)) -> None:
    """Let the stand-ins be imported until the end of the test; `packages` are installed."""
    try:
        import ament_index_python.packages as index
    except ImportError:  # an environment without ROS
        index = types.ModuleType("ament_index_python.packages")
        index.PackageNotFoundError = KeyError  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "ament_index_python", types.ModuleType("index"))
        monkeypatch.setitem(sys.modules, "ament_index_python.packages", index)

    def prefix(package: str) -> str:
        if package not in packages:
            raise index.PackageNotFoundError(package)
        return f"prefix:{package}"

    monkeypatch.setattr(index, "get_package_prefix", prefix, raising=False)
    for module_name, classes in KEYWORDS.items():
        module = types.ModuleType(module_name)
        for name, allowed in classes.items():
            setattr(module, name, type(name, (Entity,), {"allowed": frozenset(allowed)}))
        monkeypatch.setitem(sys.modules, module_name, module)


def describe(launch_file: Path) -> Any:
    """Execute a launch file and return its LaunchDescription."""
    return runpy.run_path(str(launch_file))["generate_launch_description"]()


def walk(thing: Any) -> Iterator[Entity]:
    """Yield every entity inside `thing`, however deep."""
    if isinstance(thing, Entity):
        yield thing
        thing = [*thing.args, *thing.kwargs.values()]
    elif isinstance(thing, dict):
        thing = [*thing.keys(), *thing.values()]
    if isinstance(thing, list | tuple):
        for part in thing:
            yield from walk(part)


def evaluate(thing: Any, arguments: dict[str, str]) -> Any:
    """Replace launch configurations by their values and carry out what is made of them."""
    if isinstance(thing, list | tuple):
        return [evaluate(part, arguments) for part in thing]
    if not isinstance(thing, Entity):
        return thing
    if thing.kind == "LaunchConfiguration":
        return arguments[thing.args[0]]
    if thing.kind == "ParameterValue":
        return thing.kwargs["value_type"](thing.args[0])
    if thing.kind == "IfCondition":
        return evaluate(thing.args[0], arguments).lower() in ("true", "1")
    if thing.kind == "PythonExpression":
        return str(eval("".join(evaluate(thing.args[0], arguments))))
    if thing.kind == "FindPackageShare":
        return f"share:{thing.args[0]}"
    if thing.kind == "PathJoinSubstitution":
        return "/".join(evaluate(thing.args[0], arguments))
    raise TypeError(f"cannot evaluate {thing.kind}")
