# SPDX-License-Identifier: Apache-2.0
"""Settings for every test: a quiet corner of the ROS network, and no clock in hypothesis."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from checkout import known_to_git
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from ros_harness import Robot, Running

    from f4x_ros.ros.client import PerceptionClient

# Two test runs on one machine, or a robot on the same network, must not hear each other. (101 is
# the highest domain whose ports are free on every operating system.)
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 101)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ.setdefault("ROS_LOG_DIR", tempfile.mkdtemp(prefix="f4x-test-log-"))

# A shell that starts the tests in the background (as some CI does) has Ctrl-C ignored in them and
# in all that they start; the tests of Ctrl-C need it as at a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The machines that run this are shared: a slow example is no failure.
settings.register_profile(
    "f4x",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("f4x")


_TALKERS = ("test_ros_", "test_launch", "test_cli_demo", "test_cli_doctor_topics", "test_readme")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Several processes (`-n 2 --dist loadgroup`) share the tests by files.

    Those that start nodes stay in one: two of them at a time would wait for each other's processor.
    """
    if not config.pluginmanager.has_plugin("xdist"):
        return
    for item in items:
        talks = item.path.name.startswith(_TALKERS)
        item.add_marker(pytest.mark.xdist_group("talkers" if talks else item.path.name))


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the source checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def tracked(root: Path) -> list[Path]:
    """All files that git knows, relative to the root."""
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    return known_to_git(root)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small maps go to rest, too."""
    monkeypatch.setattr("f4x_ros.core.field.field._SPARE", 10)
    monkeypatch.setattr("f4x_ros.core.field.field._SLACK", 1.5)


# --- ROS (imported only where a test asks for it) -------------------------------------------------


@pytest.fixture(scope="module")
def client() -> Iterator[PerceptionClient]:
    """Talks to the nodes of a module as another process would."""
    from ros_harness import ros_client

    with ros_client() as made:
        yield made


@pytest.fixture
def robot(client: PerceptionClient) -> Iterator[Robot]:
    """A camera with its topics."""
    from ros_harness import Robot

    made = Robot()
    yield made
    made.close()


@pytest.fixture
def active(client: PerceptionClient, robot: Robot) -> Iterator[Running]:
    """A node with its robot connected, ready for frames."""
    from ros_harness import running

    with running(client) as run:
        run.client.start()
        robot.wait_until_heard()
        yield run
