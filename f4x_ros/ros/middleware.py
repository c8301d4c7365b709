# SPDX-License-Identifier: Apache-2.0
"""Starting and ending a process that talks ROS."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import rclpy
from ament_index_python import get_package_share_directory, has_resource
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.executors import ExternalShutdownException

from f4x_ros.core.errors import BadInputError

_PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
_USER_CONFIGURED = (*_PROFILE_VARIABLES, "FASTDDS_BUILTIN_TRANSPORTS")


def use_large_shared_memory() -> None:
    """Make room for whole images in the shared memory of Fast DDS (default: 512 KB).

    Must run before rclpy.init(). Does nothing if the user has configured Fast DDS, and nothing to
    other middlewares. Only the sender's segment counts; processes with default settings still
    match.
    """
    if any(name in os.environ for name in _USER_CONFIGURED):
        return
    profile = Path(get_package_share_directory("f4x_ros"), "config", "fastdds_shm.xml")
    if profile.exists():
        # Fast DDS 3 (Kilted and later, which have rmw_security_common) reads the first variable,
        # Fast DDS 2 (Jazzy) the second.
        kilted = bool(has_resource("packages", "rmw_security_common"))
        os.environ[_PROFILE_VARIABLES[0 if kilted else 1]] = str(profile)


@contextlib.contextmanager
def ros(args: Sequence[str] | None = None) -> Iterator[None]:
    """rclpy from init to the end of the process; for the main functions of executables.

    Raises:
        BadInputError: an argument behind --ros-args that ROS does not understand.
    """
    use_large_shared_memory()
    try:
        rclpy.init(args=None if args is None else list(args))
    except Exception as error:  # RCLError, UnknownROSArgsError: rclpy keeps its classes to itself
        reason = str(error).removeprefix("failed to initialize rcl: ").split(", at /")[0]
        raise BadInputError(f"arguments of ROS (--ros-args): {reason}") from error
    try:
        yield
    finally:
        rclpy.try_shutdown()
        ignore_interrupts()  # (rclpy has put the handler of before back)


@contextlib.contextmanager
def until_interrupted() -> Iterator[None]:
    """Run until Ctrl-C, SIGTERM or a shutdown from outside, which are no errors.

    What a callback raises because its context has just been taken away is none, either.

    Raises:
        BadInputError: a parameter of rclpy's own has the wrong type (use_sim_time).
    """
    try:
        yield
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except InvalidParameterTypeException as error:
        raise BadInputError(str(error)) from error
    except Exception:
        if rclpy.ok():
            raise


def refused(name: str, error: ValueError) -> int:
    """Say in one line why an executable ends; its exit code."""
    print(f"{name}: {error}", file=sys.stderr)
    return 2


def ignore_interrupts() -> None:
    """Let cleaning up come to its end.

    `ros2 launch` sends one SIGINT to the process group and another to each process. It lasts to the
    very end: Python takes its own handler away before all libraries are unloaded.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
