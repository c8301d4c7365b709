# SPDX-License-Identifier: Apache-2.0
"""Videos and pictures alone as sources: frames, lenses, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io import open_source
from f4x_ros.io.lens import GUESSED_FOV_DEG, Lens
from f4x_ros.io.pictures import PictureFolder
from f4x_ros.io.video import VideoFile
from f4x_ros.viz.video import VideoWriter

SIZE = (64, 48)


def picture(index: int) -> np.ndarray:
    """A grey that tells the number of the picture."""
    return np.full((SIZE[1], SIZE[0], 3), 20 + 10 * index, np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    with VideoWriter(path, SIZE, 15.0) as writer:
        for index in range(12):
            writer.write(picture(index))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f"frame{index}.png"), picture(index))
    return tmp_path


def shade(frame_rgb: np.ndarray) -> int:
    return round((float(frame_rgb.mean()) - 20) / 10)


def test_a_video_gives_its_frames_at_its_rate(clip: Path) -> None:
    with open_source(clip) as source:
        assert isinstance(source, VideoFile)
        assert (source.name, len(source)) == ("clip", 12)
        assert np.allclose(np.diff(source.stamps_ns) / 1e9, 1 / 15, atol=1e-6)
        assert [shade(frame.rgb) for frame in source] == list(range(12))
        frame = source[0]
        assert frame.depth is None
        assert frame.T_map_camera is None


def test_frames_of_a_video_come_in_any_order(clip: Path) -> None:
    with open_source(clip) as source:
        assert [shade(source[i].rgb) for i in (7, 3, 3, 11, 0, 5)] == [7, 3, 3, 11, 0, 5]


def test_a_guessed_lens_is_said_and_a_known_one_is_used(clip: Path) -> None:
    guessed, known = open_source(clip), open_source(clip, fov=90.0)
    assert any("60 degrees is guessed" in one for one in guessed.remarks)
    assert not known.remarks
    assert known[0].camera.fx == pytest.approx(32.0)
    assert guessed[0].camera.fx == pytest.approx(32 / np.tan(np.radians(GUESSED_FOV_DEG / 2)))


@pytest.mark.parametrize("fov", [0.5, 171.0, -60.0, float("nan")])
def test_an_angle_that_no_camera_has_is_refused(clip: Path, fov: float) -> None:
    with pytest.raises(BadInputError, match=r"fov is .*, expected 1 to 170 degrees"):
        open_source(clip, fov=fov)


def test_two_answers_about_one_lens_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"fov is 60 and calibration 'K\.txt', expected one"):
        Lens(*SIZE, 60.0, "K.txt")


def test_a_calibration_is_read_and_undone(clip: Path, tmp_path: Path) -> None:
    matrix = tmp_path / "K.txt"
    np.savetxt(matrix, [[50, 0, 31.5], [0, 50, 23.5], [0, 0, 1]])
    camera = open_source(clip, calibration=str(matrix))[0].camera
    assert (camera.fx, camera.cx, camera.cy) == (50, 32, 24)
    said = tmp_path / "ost.yaml"
    said.write_text(
        "image_width: 64\nimage_height: 48\ndistortion_model: plumb_bob\n"
        "camera_matrix: {rows: 3, cols: 3, data: [50, 0, 31.5, 0, 50, 23.5, 0, 0, 1]}\n"
        "distortion_coefficients: {rows: 1, cols: 5, data: [0.3, 0, 0, 0, 0]}\n"
    )
    frame = open_source(clip, calibration=str(said))[0]
    assert frame.camera.fx == 50
    assert frame.observed is not None
    assert not frame.observed[0, 0]
    assert frame.observed[24, 32]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_width: 640\nimage_height: 48\ncamera_matrix: {data: [50,0,31,0,50,23,0,0,1]}",
         "it is of 640x48 pixels, the pictures have 64x48"),
        ("image_width: 64", "KeyError 'image_height', expected image_width"),
        ("image_width: 64\nimage_height: 48\ncamera_matrix: {data: [1, 2]}", "2 numbers instead"),
        ("[", "expected image_width"),
    ],
)  # fmt: skip
def test_a_calibration_that_does_not_fit_is_named(
    clip: Path, tmp_path: Path, text: str, message: str
) -> None:
    said = tmp_path / "ost.yaml"
    said.write_text(text)
    with pytest.raises(BadInputError, match=message) as caught:
        open_source(clip, calibration=str(said))
    assert "ost.yaml" in str(caught.value)


def test_a_calibration_that_is_not_there_is_named(clip: Path) -> None:
    with pytest.raises(BadInputError, match=r"calibration 'nowhere\.txt': no such file"):
        open_source(clip, calibration="nowhere.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "an empty file"), (b"no video at all" * 100, "it cannot be opened")],
)
def test_a_file_that_is_no_video_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=f"{message}.*expected one that OpenCV"):
        open_source(path)


def test_a_cut_video_is_refused_or_loses_its_end_alone(clip: Path, tmp_path: Path) -> None:
    """The index of an AVI is at its end, too, but its frames are found without it."""
    whole, cut = tmp_path / "whole.avi", tmp_path / "cut.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"MJPG"), 10, SIZE)
    for index in range(12):
        writer.write(np.random.default_rng(index).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8))
    writer.release()
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    source = VideoFile(cut)
    read, lost = 0, []
    for index in range(len(source)):
        try:
            source[index]
            read += 1
        except BadSampleError as error:
            lost.append(error.reason)
    assert 3 <= read < 12
    assert set(lost) <= {"frames_undecodable"}
    mp4 = tmp_path / "cut.mp4"
    mp4.write_bytes(clip.read_bytes()[:400])
    with pytest.raises(BadInputError, match=r"cut\.mp4"):
        open_source(mp4)


def test_a_folder_of_pictures_is_read_in_its_natural_order(folder: Path) -> None:
    source = open_source(folder)
    assert isinstance(source, PictureFolder)
    assert [shade(frame.rgb) for frame in source] == [1, 2, 10]
    assert source[0].depth is None
    assert any("guessed" in one for one in source.remarks)


def test_pictures_may_lie_in_images(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for index in (1, 2):
        cv2.imwrite(str(tmp_path / "images" / f"{index}.jpg"), picture(index))
    assert len(open_source(tmp_path, rate_hz=5.0)) == 2


def test_one_picture_is_no_recording(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "only.png"), picture(1))
    with pytest.raises(BadInputError, match="expected an RGB-D folder"):
        open_source(tmp_path)


def test_a_picture_of_another_size_costs_itself(folder: Path) -> None:
    cv2.imwrite(str(folder / "frame3.png"), picture(3)[:20])
    source = open_source(folder)
    with pytest.raises(BadSampleError) as caught:
        source[2]
    assert caught.value.reason == "images_of_other_size"
    assert shade(source[3].rgb) == 10
