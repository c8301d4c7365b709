# SPDX-License-Identifier: Apache-2.0
"""What somebody meets who starts it for the first time, starts it twice, or comes late."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ros_harness import CAMERA, PATIENCE_S, QUICK, Robot, eventually, running, stamps
from sensor_msgs.msg import PointCloud2

from f4x_ros.core.data import Frustum
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.node import PerceptionNode
from f4x_ros.ros.pointcloud import cloud_from_msg


def problems(node: PerceptionNode) -> dict[str, str]:
    node.diagnostics.publish()
    return dict(node.health.problems())


def test_a_second_node_of_the_same_name_is_noticed_until_it_is_gone(
    client: PerceptionClient,
) -> None:
    first = PerceptionNode(namespace="/shared")
    others = [PerceptionNode(namespace=name) for name in ("/shared", "/elsewhere")]
    try:
        assert "name" not in problems(others[1])
        eventually(lambda: "name" in problems(first) and "name" in problems(others[0]))
        assert "2 nodes are named '/shared/perception'" in problems(first)["name"]
        assert "name" not in problems(others[1])
    finally:
        while others:
            others.pop().destroy_node()
    try:
        eventually(lambda: "name" not in problems(first))
    finally:
        first.destroy_node()


def test_who_subscribes_after_the_last_frame_gets_the_clouds(
    client: PerceptionClient, robot: Robot
) -> None:
    with running(client) as run:
        client.start()
        robot.wait_until_heard()
        sent = [robot.send(i) for i in range(3)]
        run.counted("processed", 3)
        heard = run.hear(cloud=PointCloud2, map_cloud=PointCloud2)
        eventually(lambda: bool(heard["cloud"]) and bool(heard["map_cloud"]))
        assert stamps(heard["cloud"]) == stamps(heard["map_cloud"]) == [sent[-1]]
        assert heard["cloud"][0].header.frame_id == "map"
        seen, whole = (cloud_from_msg(heard[name][0]) for name in ("cloud", "map_cloud"))
        pose = np.eye(4)
        pose[0, 3] = 0.02  # of the last frame
        normals, offsets = Frustum(CAMERA, pose, 40.0).planes()
        assert len(seen) > 100
        assert (seen.xyz @ normals.T + offsets > -1e-6).all()
        assert len(seen) <= len(whole)
        assert set(np.unique(seen.label)) >= {0, 1}  # the wall and the red box
        run.client.values()  # (and nothing more is made for them)
        run.counted("processed", 3)
        assert len(heard["cloud"]) == 1


STUCK = "import time; time.sleep(600)"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_executable_can_be_stopped_while_it_imports(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "stuck.py").write_text(STUCK)
    code = "from f4x_ros.ros import start; start._run('thing', 'stuck')"
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.append({str(tmp_path)!r}); {code}"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "thing: starting\n"
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(PATIENCE_S) == 0
    assert rest == "thing: stopped while starting\n"


def test_the_command_can_be_stopped_while_it_imports() -> None:
    code = """
import sys
class Stuck:
    def find_spec(self, name, path=None, target=None):
        if name == "f4x_ros.cli.main":
            print("importing", flush=True)
            import time; time.sleep(600)
sys.meta_path.insert(0, Stuck())
from f4x_ros.cli.start import main
sys.exit(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "f4x: interrupted\n"
        assert process.wait(PATIENCE_S) == 130


def test_the_executables_say_that_they_start_before_they_import(root: Path) -> None:
    for name in ("camera", "perception"):
        (line,) = (
            line
            for line in (root / "scripts" / name).read_text().splitlines()
            if line.startswith(("import f4x", "from f4x"))
        )
        assert line == f"from f4x_ros.ros.start import {name}"
    code = (
        "import sys, f4x_ros.ros.start; print(*(m for m in ('numpy', 'rclpy') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_camera_needs_no_torch() -> None:
    code = """
import sys
from f4x_ros.ros import camera
from f4x_ros.ros.conversions import transform_msg
frame = camera.open_source("demo:32x24:2")[1]
transform_msg(frame.T_map_camera, frame.stamp_ns, "map", "camera")
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"


def test_the_node_imports_no_compiler() -> None:
    # (of torch; a third of the time until the node is there)
    code = "import sys, f4x_ros.ros.node; print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        (None, "prompts is 'auto': what is surely seen is named"),
        ([""], "no prompts: no masks and no objects until ~/set_prompts"),
    ],
)
def test_a_node_says_what_it_looks_for_where_nobody_has_told_it(
    client: PerceptionClient, capfd: pytest.CaptureFixture[str], prompts: object, said: str
) -> None:
    with running(client, **{**QUICK, "prompts": prompts}) as run:
        run.client.change_state("configure")
    assert said in capfd.readouterr().err
