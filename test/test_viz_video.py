# SPDX-License-Identifier: Apache-2.0
"""Videos decode to what was written, and failures leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from f4x_ros.viz.video import VideoWriter


def picture(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    out = np.zeros((height, width, 3), np.uint8)
    out[..., 0] = 20 * index  # red tells the frames apart
    out[..., 2] = 40
    return out


def write(path: Path, frames: list[np.ndarray], *, stop: bool = False) -> None:
    with VideoWriter(path, (64, 48), 10.0) as video:
        for frame in frames:
            video.write(frame)
        if stop:
            raise RuntimeError("stop")


def decoded(path: Path) -> list[np.ndarray]:
    reader, frames = cv2.VideoCapture(str(path)), []
    while True:
        found, bgr = reader.read()
        if not found:
            return frames
        frames.append(bgr[..., ::-1])


@pytest.mark.parametrize("size", [(64, 48), (65, 49)])
def test_video_decodes_to_the_frames_that_were_written(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(path, size, 10.0) as video:
        for index in range(10):
            video.write(picture(index, *size))
        assert not path.exists()  # only when it is whole
    frames = decoded(path)
    assert [f.shape for f in frames] == [(48, 64, 3)] * 10
    reds = [float(f[..., 0].mean()) for f in frames]
    assert np.allclose(reds, 20 * np.arange(10), atol=8)
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == pytest.approx(10.0)
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_an_error_keeps_the_older_video_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"older")
    with pytest.raises(RuntimeError, match="stop"):
        write(path, [picture(0)], stop=True)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_video_without_frames_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"out\.mp4.*no frames"):
        write(tmp_path / "out.mp4", [])
    assert not list(tmp_path.iterdir())


def test_a_frame_of_another_size_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"frame 1 of video .*out\.mp4"):
        write(tmp_path / "out.mp4", [picture(0), picture(1, 32, 48)])
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_an_error_that_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"nowhere/out\.mp4"):
        VideoWriter(tmp_path / "nowhere" / "out.mp4", (64, 48), 10.0).__enter__()


def test_a_codec_that_is_not_there_is_an_error_that_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("f4x_ros.viz.video._CODEC", "zzzz")
    with pytest.raises(OSError, match=r"out\.mp4"):
        VideoWriter(tmp_path / "out.mp4", (64, 48), 10.0).__enter__()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes writes fail as a full disk does, in a process of its own."""
    program = f"""
import resource, signal
import numpy as np
from f4x_ros.viz.video import VideoWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
rng = np.random.default_rng(0)
try:
    with VideoWriter({str(tmp_path / "out.mp4")!r}, (64, 48), 10.0) as video:
        for _ in range(60):
            video.write(rng.integers(0, 255, (48, 64, 3), np.uint8))
except OSError as error:
    print("OSError:", error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "OSError: video" in done.stdout
    assert "out.mp4" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "size, fps, name", [((1, 48), 10.0, "size"), ((64, 48), 0.0, "fps"), ((64, 48), np.nan, "fps")]
)
def test_impossible_sizes_and_rates_are_named(
    tmp_path: Path, size: tuple[int, int], fps: float, name: str
) -> None:
    with pytest.raises(ValueError, match=name):
        VideoWriter(tmp_path / "out.mp4", size, fps)
