# SPDX-License-Identifier: Apache-2.0
"""The node and a camera as processes of ours, on a ROS domain that nobody else uses."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f4x_ros.cli.errors import CommandError
from f4x_ros.cli.processes import Child, free_domain_id
from f4x_ros.core.errors import UnsupportedError

if TYPE_CHECKING:
    from f4x_ros.ros.client import PerceptionClient

START_S = 120.0  # importing torch on a slow disk
SILENCE_S = 60.0  # between two frames
REPORT_S = 600.0
_ENV = {"PYTHONUNBUFFERED": "1"}


def own_domain(command: str) -> int:
    """Choose a free ROS domain of this machine for this process and its children.

    Raises:
        UnsupportedError: ROS 2 or the package's messages are missing; names the command.
        CommandError: no domain is free.
    """
    domain = free_domain_id()
    os.environ["ROS_DOMAIN_ID"] = str(domain)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    try:
        import f4x_ros.ros.client  # noqa: F401
    except ImportError as error:
        raise UnsupportedError(
            f"{command} needs ROS 2 and the package's messages ({error}): make setup, or source a "
            "workspace; `f4x run demo` works without"
        ) from error
    return domain


def start_node(work: Path, log: Path, parameters: Mapping[str, Any]) -> Child:
    """Start the perception node with these parameters, given in a file in `work`."""
    import yaml

    # Our camera sends the pose of every frame: one that is late, on a busy machine, will come.
    given = {"transform_timeout_s": SILENCE_S, **parameters}
    file = work / "node.yaml"
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": given}}))
    return Child("f4x_ros.ros.node", ["--ros-args", "--params-file", str(file)], log, _ENV)


def start_camera(source: str, log: Path, *, count: int = 0, rate_hz: float = 0.0) -> Child:
    """Start a camera that publishes a source once somebody listens.

    Args:
        source: as `f4x_ros.io.open_source` takes it.
        log: its output.
        count: frames; 0 = all.
        rate_hz: frames per second; 0 = send a frame when the one before has been processed.
    """
    parameters: dict[str, Any] = {
        "source": source,
        "rate_hz": rate_hz,
        "count": count,
        "wait_for_subscribers": 1,
    }
    if rate_hz == 0:
        parameters |= {"pace_topic": "/perception/tracks", "pace_timeout_s": SILENCE_S}
    words = [w for name, value in parameters.items() for w in ("-p", f"{name}:={value}")]
    return Child("f4x_ros.ros.camera", ["--ros-args", *words], log, _ENV)


def wait_until_active(client: PerceptionClient, node: Child) -> None:
    """Until the node is active.

    Raises:
        CommandError: it ended, cannot be configured, or is not active in time; has its log's end.
    """
    end = time.monotonic() + START_S
    while True:
        node.check()
        try:
            state = client.state(2.0)
        except TimeoutError:
            state = "not there yet"
        if state == "active":
            return
        if client.status is not None and state == "unconfigured" and client.status.level != b"\0":
            raise CommandError(f"the node cannot be configured: {client.status.message}", 2)
        if time.monotonic() > end:
            raise node.failure(f"is '{state}' after {START_S:g} s, expected 'active'")
        time.sleep(0.1)
