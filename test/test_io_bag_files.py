# SPDX-License-Identifier: Apache-2.0
"""Files of bags that were cut, damaged or spoilt at random: read as far as they go, and said."""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bag_faults import COLOR, DEPTH, FRAMES, good, load, opened
from bag_messages import (
    HEIGHT,
    SECOND,
    START,
    WIDTH,
    Message,
    compressed,
    depth,
    image,
    info,
    png,
    rgb,
    stamp_of,
    write,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from f4x_ros.core.errors import BadInputError
from f4x_ros.io.bag_topics import CAMERA_INFO, COMPRESSED, IMAGE
from f4x_ros.io.bags import BagSource
from f4x_ros.io.open import open_source

# Files


@pytest.mark.parametrize("compression", [None, CompressionMode.STORAGE, CompressionMode.MESSAGE])
@pytest.mark.parametrize("part", [0.7, 0.98, 1.0])
def test_a_cut_mcap_file_is_read_as_far_as_it_goes(
    tmp_path: Path, part: float, compression: CompressionMode | None
) -> None:
    count = 300  # so that there is more than one chunk
    path = write(tmp_path / "bag", good(count), compression=compression)
    file = path / "bag.mcap"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * part) - 20])
    with BagSource(path) as source:
        frames = load(source)
    assert 0.4 * part * count < len(frames) <= count
    for k, frame in enumerate(frames):
        assert frame.stamp_ns == stamp_of(k)
        assert np.array_equal(frame.rgb, rgb(k))
        assert frame.depth == pytest.approx(depth(k) / 1000)
    assert any(str(file) in r and "mcap recover" in r for r in source.remarks)
    assert (len(frames) == count) == ("messages_lost_with_the_file" not in source.counts)


def test_a_cut_sqlite_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    count = 300
    path = write(tmp_path / "bag", good(count), StoragePlugin.SQLITE3)
    file = path / "bag.db3"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 6 // 10])
    with BagSource(path) as source:
        frames = load(source)
    assert 0.3 * count < len(frames) < count
    for frame in frames:
        k = round((frame.stamp_ns - START) / SECOND * 10)
        assert np.array_equal(frame.rgb, rgb(k))
    assert any(str(file) in r and "sqlite3" in r and ".recover" in r for r in source.remarks)
    assert source.counts["messages_lost_with_the_file"] > 0


def test_a_hole_in_an_sqlite_file_costs_what_lay_there(tmp_path: Path) -> None:
    big = [
        (t, k, a, image(m.header.stamp.sec * SECOND + m.header.stamp.nanosec, "16UC1",
                        np.full((HEIGHT, WIDTH), 1500, np.uint16)) if t == DEPTH else m)
        for t, k, a, m in good()
    ]  # fmt: skip
    wide = np.full((120, 160, 3), 77, np.uint8)
    notes = [("/other/image", IMAGE, stamp_of(k), image(stamp_of(k), "rgb8", wide, "elsewhere"))
             for k in range(FRAMES)]  # fmt: skip
    infos = [("/other/camera_info", CAMERA_INFO, stamp_of(k), info(stamp_of(k)))
             for k in range(FRAMES)]  # fmt: skip
    for _, _, _, message in infos:
        message.height, message.width = 120, 160
    file = write(tmp_path / "bag", big + notes + infos, StoragePlugin.SQLITE3) / "bag.db3"
    whole = file.read_bytes()
    pages = [whole[at + 4 : at + 4096].count(77) == 4092 for at in range(0, len(whole), 4096)]
    at = next(n for n in range(len(pages)) if all(pages[n : n + 10])) + 3  # within one picture
    file.write_bytes(whole[: at * 4096] + bytes(4 * 4096) + whole[(at + 4) * 4096 :])
    options = {"image": "/other/image", "depth": "", "pose": ""}
    with BagSource(file.parent, **options) as source:  # type: ignore[arg-type]
        frames = load(source)
    assert len(frames) == FRAMES - 1
    assert all((frame.rgb == 77).all() for frame in frames)
    assert source.counts["images_unreadable"] == 1


def test_a_folder_without_metadata_is_read(tmp_path: Path) -> None:
    messages = good()
    half = len(messages) // 2
    path = write(tmp_path / "bag", messages[:half])
    second = write(tmp_path / "second", messages[half:])
    (path / "metadata.yaml").unlink()
    (path / "bag.mcap").rename(path / "run_0.mcap")
    (second / "second.mcap").rename(path / "run_1.mcap")
    with open_source(path) as source:
        assert len(load(source)) == FRAMES
        assert any("one by one" in remark for remark in source.remarks)
    (path / "run_1.mcap").rename(path / "another_day.mcap")
    with pytest.raises(BadInputError, match=r"another_day\.mcap"):
        open_source(path)


def test_messages_beside_an_sqlite_file_are_said(tmp_path: Path) -> None:
    path = write(tmp_path / "bag", good(), StoragePlugin.SQLITE3)
    (path / "bag.db3-wal").write_bytes(b"something")
    with BagSource(path) as source:
        assert any("bag.db3-wal" in r and "wal_checkpoint" in r for r in source.remarks)


def test_a_file_of_another_system_is_no_bag(tmp_path: Path) -> None:
    file = write(tmp_path / "bag", good()) / "bag.mcap"
    file.write_bytes(file.read_bytes().replace(b"ros2", b"ros1", 1))
    with pytest.raises(BadInputError, match=r"bag\.mcap: expected a ROS 2 bag \(Profile"):
        BagSource(file)


def test_of_compressed_copies_the_one_made_for_depth_is_read(tmp_path: Path) -> None:
    messages = [m for m in good() if m[0] != DEPTH]
    for k in range(FRAMES):
        at = stamp_of(k)
        lossy = cv2.imencode(".jpg", np.zeros((HEIGHT, WIDTH), np.uint8))[1].tobytes()
        lossless = bytes(12) + png(depth(k))
        messages += [
            (f"{DEPTH}/compressed", COMPRESSED, at, compressed(at, "16UC1; jpeg", lossy)),
            (f"{DEPTH}/compressedDepth", COMPRESSED, at,
             compressed(at, "16UC1; compressedDepth png", lossless)),
        ]  # fmt: skip
    frames, _ = opened(tmp_path, messages)
    assert frames[0].depth == pytest.approx(depth(0) / 1000)


def test_a_damaged_index_is_gone_without(tmp_path: Path) -> None:
    path = write(tmp_path / "bag", good())
    file = path / "bag.mcap"
    data = bytearray(file.read_bytes())
    at = 0
    while (at := data.find(b"\x07", at + 1)) >= 0:  # the records of the index of messages
        (length,) = struct.unpack_from("<Q", data, at + 1)
        if length == 6 + 16 * FRAMES:
            data[at] = 0x55
    file.write_bytes(data)
    with BagSource(path) as source:
        assert len(load(source)) == FRAMES
        assert any("index" in remark for remark in source.remarks)


# At random: nothing is lost without a word


@st.composite
def mutations(draw: st.DrawFn) -> tuple[int, list[Message]]:
    """A good bag with messages dropped, repeated, moved in time, cut, or with other fields."""
    messages = good(4)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(messages) - 1))
        topic, kind, when, message = messages[at]
        what = draw(st.sampled_from(["drop", "repeat", "shift", "swap", "cut", "field", "rename"]))
        if what == "drop":
            del messages[at]
        elif what == "repeat":
            messages.insert(at, messages[at])
        elif what == "shift":
            shift = draw(st.sampled_from([-1, 1, 50_000_000, -3 * SECOND, 10**15]))
            messages[at] = (topic, kind, max(0, when + shift), message)
        elif what == "swap":
            other = draw(st.integers(0, len(messages) - 1))
            messages[at], messages[other] = messages[other], messages[at]
        elif what == "cut" and hasattr(message, "data"):
            message.data = message.data[: draw(st.integers(0, 20))]
        elif what == "rename" and hasattr(message, "header"):
            message.header.frame_id = draw(st.sampled_from(["", "/", "camera_optical", "x"]))
        elif what == "field":
            name, value = draw(
                st.sampled_from(
                    [("encoding", "rgb8"), ("encoding", "nope"), ("width", 0), ("height", 9999),
                     ("step", 1), ("k", np.zeros(9)), ("d", np.full(5, np.nan)), ("width", 4)]
                )
            )  # fmt: skip
            if hasattr(message, name):
                setattr(message, name, value)
    images = sum(topic == COLOR for topic, *_ in messages)
    return images, messages


_LOSSES = (
    "images_with_repeated_stamp", "images_without_depth", "images_without_pose",
    "images_unreadable", "images_of_other_size", "depth_of_other_size", "depth_unreadable",
    "depth_not_registered", "frames_unusable", "images_without_calibration",
    "depth_without_calibration",
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(made=mutations())
def test_frames_used_and_left_out_are_all_there_are(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[int, list[Message]]
) -> None:
    images, messages = made
    path = tmp_path_factory.mktemp("mutated")
    refused = ""
    try:
        frames, source = opened(path, messages)
    except BadInputError as error:
        refused = str(error)
    if refused:
        assert str(path) in refused
        return
    lost = sum(source.counts.get(reason, 0) for reason in _LOSSES)
    # Depth read badly before it was paired costs its image too, which then has none.
    assert images <= len(frames) + lost
    assert len(frames) <= images


@settings(
    max_examples=40, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    storage=st.sampled_from(
        [(StoragePlugin.MCAP, None), (StoragePlugin.MCAP, CompressionMode.STORAGE),
         (StoragePlugin.SQLITE3, None), (StoragePlugin.SQLITE3, CompressionMode.MESSAGE)]
    ),
    spoilt=st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from(["cut", "zero", "flip", "insert"])),
        min_size=1, max_size=3,
    ),
)  # fmt: skip
def test_files_spoilt_anywhere_are_read_or_refused_and_nothing_is_lost_silently(
    tmp_path_factory: pytest.TempPathFactory, storage: Any, spoilt: list[tuple[float, str]]
) -> None:
    path = write(tmp_path_factory.mktemp("spoilt") / "bag", good(), *storage)
    file = next(file for file in path.iterdir() if file.suffix != ".yaml")
    data = bytearray(file.read_bytes())
    for part, what in spoilt:
        at = int(part * (len(data) - 1))
        if what == "cut":
            del data[max(at, 100) :]
        elif what == "zero":
            data[at : at + 2000] = bytes(len(data[at : at + 2000]))
        elif what == "flip":
            data[at] ^= 0x5A
        else:
            data[at:at] = bytes(7)
    file.write_bytes(data)
    refused = ""
    try:
        with BagSource(path) as source:
            frames = load(source)
    except BadInputError as error:
        refused = str(error)
    if refused:
        assert str(path) in refused
    else:
        assert len(frames) == FRAMES or source.left_out or source.remarks


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_a_bag_none_of_whose_images_can_be_read_says_so(
    tmp_path: Path, storage: StoragePlugin
) -> None:
    path = write(
        tmp_path / "bag", good(), storage,
        change=lambda topic, _, data: data[:9] if topic == COLOR else data,
    )  # fmt: skip
    with pytest.raises(BadInputError, match=f"without a message that can be read: {COLOR}"):
        BagSource(path)


@pytest.mark.parametrize(
    ("table", "change", "lost"),
    [
        ("topics", f"SET type = NULL WHERE name = '{DEPTH}'", 0),  # metadata.yaml has it, too
        ("topics", f"SET name = NULL WHERE name = '{DEPTH}'", FRAMES),
        ("topics", f"SET id = NULL WHERE name = '{DEPTH}'", FRAMES),
        ("messages", "SET timestamp = NULL WHERE id = 4", 1),
        ("messages", "SET timestamp = 'noon' WHERE id = 4", 1),
        ("messages", "SET topic_id = x'ff' WHERE id = 4", 1),
    ],
)
def test_rows_of_an_sqlite_bag_that_hold_anything_are_left_out(
    tmp_path: Path, table: str, change: str, lost: int
) -> None:
    """A page that was never written comes back as rows of nothing."""
    path = write(tmp_path / "bag", good(), storage=StoragePlugin.SQLITE3)
    with sqlite3.connect(next(path.glob("*.db3"))) as bag:
        bag.execute(f"CREATE TABLE copied AS SELECT * FROM {table}")  # without its constraints
        bag.execute(f"DROP TABLE {table}")
        if table == "messages":
            columns = "id INTEGER PRIMARY KEY, topic_id, timestamp, data"
            bag.execute(f"CREATE TABLE messages ({columns})")
            bag.execute("INSERT INTO messages SELECT * FROM copied")
        else:
            bag.execute("ALTER TABLE copied RENAME TO topics")
        bag.execute(f"UPDATE {table} {change}")
    bag.close()
    with BagSource(path) as source:
        frames = load(source)
        assert source.left_out["messages_lost_with_the_file"] == lost, list(source.left_out)
    assert len(frames) >= FRAMES - 1


def test_a_topic_without_a_type_is_left_out_of_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "bag", good(), storage=StoragePlugin.SQLITE3)
    file = next(path.glob("*.db3"))
    with sqlite3.connect(file) as bag:
        bag.execute("CREATE TABLE copied AS SELECT * FROM topics")
        bag.execute("DROP TABLE topics")
        bag.execute("ALTER TABLE copied RENAME TO topics")
        bag.execute(f"UPDATE topics SET type = NULL WHERE name = '{DEPTH}'")
    bag.close()
    with BagSource(file) as source:
        assert all(frame.depth is None for frame in load(source))
        assert f"topic '{DEPTH}' of type None, expected names" in source.remarks[0]
