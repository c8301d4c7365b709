# SPDX-License-Identifier: Apache-2.0
"""A source written to a bag and read back is the same source."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import Reader

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.data.poses import from_quaternion
from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io import Source, write_bag
from f4x_ros.io.source import stamps_at_rate
from f4x_ros.sim import open_source

HOLOLENS = Path(__file__).resolve().parents[2] / "shared" / "data" / "hololens"


class Made(Source):
    """Frames from nothing, with depth in whole millimetres or not."""

    def __init__(self, frames: int = 4, *, millimetres: bool = False) -> None:
        super().__init__("made", stamps_at_rate(frames, 7.0) + 123_456_789)
        self._millimetres = millimetres

    def load(self, index: int) -> Frame:
        rng = np.random.default_rng(index)
        depth = rng.integers(0, 5000, (30, 40)).astype(np.float32) / np.float32(1000)
        if not self._millimetres:
            depth = rng.uniform(0.1, 70, (30, 40)).astype(np.float32)
            depth[3:6, 3:9] = 0
        return Frame(
            stamp_ns=int(self.stamps_ns[index]),
            rgb=rng.integers(0, 256, (30, 40, 3), np.uint8),
            camera=PinholeCamera(40, 30, 33.3, 34.4, 19.9, 15.1),
            depth=depth,
            T_map_camera=from_quaternion(rng.normal(size=3) * 10, rng.normal(size=4)),
            frame_id="left_optical",
            map_frame="world",
        )


def assert_same(before: Source, after: Source, indices: list[int] | None = None) -> None:
    assert before.stamps_ns.tolist() == after.stamps_ns.tolist()
    for index in indices or range(len(before)):
        a, b = before[index], after[index]
        assert a.stamp_ns == b.stamp_ns
        assert np.array_equal(a.rgb, b.rgb)
        assert np.array_equal(a.depth, b.depth)  # type: ignore[arg-type]
        assert np.abs(a.T_map_camera - b.T_map_camera).max() < 1e-9  # type: ignore[operator]
        assert np.abs(a.camera.K - b.camera.K).max() < 1e-9
        assert (a.frame_id, a.map_frame) == (b.frame_id, b.map_frame)


@pytest.mark.parametrize("name, storage", [("bag", "mcap"), ("bag", "sqlite3"), ("x.mcap", None)])
@pytest.mark.parametrize("millimetres", [False, True])
def test_round_trip_gives_the_same_frames(
    tmp_path: Path, name: str, storage: str | None, millimetres: bool
) -> None:
    source = Made(millimetres=millimetres)
    path = write_bag(source, tmp_path / name, storage).path
    with open_source(path) as back:
        assert_same(source, back)
        assert not any(back.counts.values())
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_single_sqlite_file_holds_all(tmp_path: Path) -> None:
    write_bag(Made(), tmp_path / "deep" / "x.db3")
    with open_source(tmp_path / "deep" / "x.db3") as back:
        assert_same(Made(), back)


def test_demo_world_survives_the_round_trip(tmp_path: Path) -> None:
    world = open_source("demo:64x48:3", cache=tmp_path / "worlds")
    with open_source(write_bag(world, tmp_path / "bag").path) as back:
        assert_same(world, back)


@pytest.mark.skipif(not HOLOLENS.is_dir(), reason=f"needs the recording {HOLOLENS}")
def test_hololens_recording_survives_the_round_trip(tmp_path: Path) -> None:
    source = open_source(HOLOLENS)
    with open_source(write_bag(source, tmp_path / "bag").path) as back:
        assert_same(source, back, [0, 57, 159])


@pytest.mark.parametrize("millimetres, encoding", [(True, "16UC1"), (False, "32FC1")])
def test_topics_types_and_encodings_are_those_of_a_ros_camera(
    tmp_path: Path, millimetres: bool, encoding: str
) -> None:
    from f4x_ros.io.bag_storage import typestore

    path = write_bag(Made(2, millimetres=millimetres), tmp_path / "bag").path
    with Reader(path) as reader:
        assert {c.topic: c.msgtype for c in reader.connections} == {
            "/camera/image_raw": "sensor_msgs/msg/Image",
            "/camera/camera_info": "sensor_msgs/msg/CameraInfo",
            "/camera/depth/image_rect_raw": "sensor_msgs/msg/Image",
            "/tf": "tf2_msgs/msg/TFMessage",
        }
        first = {
            c.topic: typestore().deserialize_cdr(raw, c.msgtype)
            for c, _, raw in reversed(list(reader.messages()))
        }
    assert first["/camera/image_raw"].encoding == "rgb8"
    assert first["/camera/image_raw"].header.frame_id == "left_optical"
    assert first["/camera/depth/image_rect_raw"].encoding == encoding
    # camera_info has pixel centres at integers, our camera at +0.5.
    assert first["/camera/camera_info"].k[2] == pytest.approx(19.4)
    transform = first["/tf"].transforms[0]
    assert (transform.header.frame_id, transform.child_frame_id) == ("world", "left_optical")


def test_progress_counts_the_frames(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_bag(Made(3), tmp_path / "bag", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    "name, storage, message",
    [
        ("bag", "tape", "storage is 'tape', expected one of"),
        ("x.db3", "mcap", "storage is 'mcap', expected 'sqlite3' for a file x.db3"),
        ("there", None, "there exists already"),
    ],
)
def test_an_option_that_does_not_fit_is_named(
    tmp_path: Path, name: str, storage: str | None, message: str
) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match=message):
        write_bag(Made(), tmp_path / name, storage)


def test_an_empty_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'made' has no frames"):
        write_bag(Made(0), tmp_path / "bag")


class Torn(Made):
    """Some of its frames cannot be read."""

    def __init__(self, error: Exception, *torn: int) -> None:
        super().__init__()
        self._error, self._torn = error, torn

    def load(self, index: int) -> Frame:
        if index in self._torn:
            raise self._error
        return super().load(index)


@pytest.mark.parametrize(
    "error, reason",
    [
        (BadSampleError("images_unreadable", "2.png is torn"), "images_unreadable"),
        (BadInputError("2.png is torn"), "frames_unreadable"),
        (OSError(5, "2.png is torn"), "frames_unreadable"),
    ],
)
def test_a_frame_that_cannot_be_read_costs_itself(
    tmp_path: Path, error: Exception, reason: str
) -> None:
    seen: list[int] = []
    source = Torn(error, 2)
    done = write_bag(source, tmp_path / "bag", progress=lambda done, total: seen.append(done))
    assert done.frames == 3
    assert list(done.lost) == [(reason, 1, int(source.stamps_ns[2]))]
    assert "2.png is torn" in done.why[reason]
    assert seen == [1, 2, 3, 4]
    with open_source(done.path) as back:
        assert back.stamps_ns.tolist() == np.delete(source.stamps_ns, 2).tolist()


@pytest.mark.parametrize(
    "source, message",
    [
        (Torn(OSError(5, "torn"), 0, 1, 2, 3), "none of 4 frames can be read .the first: .*torn"),
        (Torn(ArithmeticError("a defect"), 2), "a defect"),
    ],
)
def test_nothing_is_left_of_a_bag_that_could_not_be_written(
    tmp_path: Path, source: Torn, message: str
) -> None:
    with pytest.raises((ValueError, ArithmeticError), match=message):
        write_bag(source, tmp_path / "bag")
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, sys
from test_io_bag_writer import Made
from f4x_ros.io import write_bag
source = Made(300)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))  # no file may grow beyond
try:
    write_bag(source, sys.argv[1], sys.argv[2])
except OSError as error:
    print("OSError", error)
"""


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_full_disk_is_an_oserror_naming_the_bag_and_leaves_nothing(
    tmp_path: Path, storage: str
) -> None:
    """A limit on the size of files stands for the disk: writing fails in the middle for real."""
    here = Path(__file__).resolve().parent
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "bag"), storage],
        env={"PYTHONPATH": f"{here}:{here.parent}", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "OSError" in done.stdout
    assert "cannot write the bag" in done.stdout
    assert str(tmp_path / "bag") in done.stdout
    assert list(tmp_path.iterdir()) == []
