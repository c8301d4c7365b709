# SPDX-License-Identifier: Apache-2.0
"""What is in a folder of pictures (RGB-D, TUM, DAVIS, pictures alone) or a video."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from f4x_ros.io.davis import DavisFolder
from f4x_ros.io.images import list_images
from f4x_ros.io.pictures import PictureFolder, folder_of
from f4x_ros.io.rgbd_folder import RgbdFolder
from f4x_ros.io.source import Source
from f4x_ros.io.survey import Survey, Table, say_timing, timing, try_frames
from f4x_ros.io.text_rows import read_rows
from f4x_ros.io.tum import TumFolder
from f4x_ros.io.tum_files import is_title
from f4x_ros.io.video import VideoFile

_LOOKED_AT = 50  # pictures of a folder, evenly spaced, whose size is read
_NAMED = 3  # files that a problem names


def survey_rgbd(path: Path) -> Survey:
    """Of a folder with images/, K.txt and perhaps depth/ and poses.txt."""
    survey = Survey("RGB-D folder (images/, depth/, K.txt, poses.txt)")
    files = Table("Files", ("what", "number", "size and type", "first", "last"))
    survey.tables.append(files)
    pictures: dict[str, list[Path]] = {"images": [], "depth": []}
    for name, found in pictures.items():

        def look(name: str = name, found: list[Path] = found) -> None:
            found += list_images(path / name) if (path / name).is_dir() else []
            files.rows.append(_picture_row(survey, f"{name}/", found))

        survey.attempt(look)
    images, depths = pictures["images"], pictures["depth"]
    if not depths:
        survey.problems.append(f"{path / 'depth'}: no depth pictures, without which nothing maps")
    else:
        _partners(survey, f"{path / 'depth'}", images, depths)
    survey.attempt(lambda: _numbers_row(survey, files, path / "K.txt", None))
    survey.attempt(lambda: _numbers_row(survey, files, path / "poses.txt", len(images)))
    survey.attempt(lambda: _open(survey, RgbdFolder(path)))
    return survey


def survey_davis(path: Path) -> Survey:
    """Of a folder with images/ and masks/."""
    survey = Survey("DAVIS folder (images/, masks/)")
    files = Table("Files", ("what", "number", "size and type", "first", "last"))
    survey.tables.append(files)
    for name in ("images", "masks"):
        survey.attempt(
            lambda name=name: files.rows.append(
                _picture_row(survey, f"{name}/", list_images(path / name))
            )
        )
    survey.attempt(lambda: _open(survey, DavisFolder(path), colour_alone=True))
    return survey


def survey_pictures(path: Path) -> Survey:
    """Of a folder of pictures and nothing else."""
    survey = Survey("pictures alone")
    files = Table("Files", ("what", "number", "size and type", "first", "last"))
    survey.tables.append(files)
    folder = folder_of(path)
    survey.attempt(
        lambda: files.rows.append(_picture_row(survey, f"{folder.name}/", list_images(folder)))
    )
    survey.attempt(lambda: _open(survey, PictureFolder(path), colour_alone=True))
    return survey


def survey_video(path: Path) -> Survey:
    """Of a video."""
    survey = Survey("video")
    survey.attempt(lambda: _open(survey, VideoFile(path), colour_alone=True))
    return survey


def survey_tum(path: Path) -> Survey:
    """Of a folder with rgb.txt, depth.txt and perhaps groundtruth.txt."""
    survey = Survey("TUM RGB-D sequence (rgb.txt, depth.txt, groundtruth.txt)")
    lists = Table("Lists", ("file", "rows", "rate", "first to last [s]", "pictures"))
    survey.tables.append(lists)
    for name in ("rgb.txt", "depth.txt", "groundtruth.txt"):
        if (path / name).is_file():
            survey.attempt(lambda name=name: _list_row(survey, lists, path / name))
        else:
            survey.problems.append(f"{path / name}: missing")
    survey.attempt(lambda: _open(survey, TumFolder(path)))
    return survey


def _open(survey: Survey, source: Source, *, colour_alone: bool = False) -> None:
    with source:
        try_frames(survey, source, colour_alone=colour_alone)


def _picture_row(survey: Survey, name: str, files: list[Path]) -> tuple[str, ...]:
    if not files:
        return name, "0", "-", "-", "-"
    every = max(1, len(files) // _LOOKED_AT)
    kinds: Counter[str] = Counter()
    unreadable = []
    for file in files[::every]:
        picture = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if picture is None:
            unreadable.append(file.name)
            continue
        channels = 1 if picture.ndim == 2 else picture.shape[2]
        kinds[f"{picture.shape[1]}x{picture.shape[0]} {picture.dtype} x{channels}"] += 1
    looked = len(files[::every])
    if unreadable:
        survey.problems.append(
            f"{name}: {len(unreadable)} of {looked} pictures looked at cannot be read: "
            f"{_some(unreadable)}"
        )
    if len(kinds) > 1:
        counted = ", ".join(f"{count} of {kind}" for kind, count in kinds.most_common())
        survey.problems.append(f"{name}: pictures of several sizes or types: {counted}")
    kind = kinds.most_common(1)[0][0] if kinds else "unreadable"
    return name, str(len(files)), kind, files[0].name, files[-1].name


def _partners(survey: Survey, name: str, images: list[Path], depths: list[Path]) -> None:
    of_images, of_depths = {p.stem for p in images}, {p.stem for p in depths}
    if without := sorted(of_images - of_depths):
        survey.problems.append(
            f"{name}: no depth for {len(without)} of {len(images)} images: {_some(without)}"
        )
    if alone := sorted(of_depths - of_images):
        survey.problems.append(f"{name}: {len(alone)} without an image: {_some(alone)}")


def _numbers_row(survey: Survey, files: Table, path: Path, expected: int | None) -> None:
    """The row of a file of numbers; `expected`: rows that it should have."""
    if not path.is_file():
        survey.problems.append(f"{path}: missing")
        return
    rows = [row.words for row in read_rows(path)]
    bad = [number for number, words in enumerate(rows, 1) if not _finite(words)]
    if bad:
        survey.problems.append(
            f"{path}: {len(bad)} of {len(rows)} rows have what is no finite number, the first is "
            f"row {bad[0]}"
        )
    if expected is not None and len(rows) != expected:
        survey.problems.append(f"{path}: {len(rows)} rows, expected {expected}, one per image")
    columns = ", ".join(sorted({str(len(words)) for words in rows}))
    files.rows.append((path.name, f"{len(rows)} rows", f"{columns} numbers each", "-", "-"))


def _list_row(survey: Survey, lists: Table, path: Path) -> None:
    """The row of a list with stamps, and what is wrong with it."""
    read = read_rows(path)
    rows = [row.words for row in (read[1:] if read and is_title(read[0]) else read)]
    stamps = [round(float(words[0]) * 1e9) for words in rows if _finite(words[:1])]
    if len(stamps) < len(rows):
        survey.problems.append(
            f"{path}: {len(rows) - len(stamps)} of {len(rows)} rows do not begin with a stamp"
        )
    if stamps and max(stamps) > 9e18:  # seconds beyond the year 2255
        survey.problems.append(f"{path}: stamps like {rows[0][0]}: are they in nanoseconds?")
        stamps = [stamp // 1_000_000_000 for stamp in stamps]
    times = timing(stamps)
    say_timing(survey, str(path), times)
    pictures = "-"
    if path.name != "groundtruth.txt":
        names = [parts[1] for parts in rows if len(parts) > 1]
        missing = [name for name in names if not (path.parent / name).is_file()]
        pictures = f"{len(names) - len(missing)} of {len(names)} there"
        if missing:
            survey.problems.append(
                f"{path}: {len(missing)} of {len(names)} files are missing: {_some(missing)}"
            )
    else:
        bad = [parts for parts in rows if len(parts) < 8 or not _finite(parts[1:8])]
        if bad:
            survey.problems.append(
                f"{path}: {len(bad)} of {len(rows)} rows have no pose of 7 finite numbers, the "
                f"first at {bad[0][0]}"
            )
    lists.rows.append(
        (path.name, str(len(rows)), f"{times.rate_hz:.1f} Hz", times.text(), pictures)
    )


def _finite(words: Sequence[str]) -> bool:
    """Whether all words are finite numbers."""
    try:
        return bool(np.isfinite([float(word) for word in words]).all())
    except ValueError:
        return False


def _some(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:_NAMED]) + (", ..." if len(known) > _NAMED else "")
