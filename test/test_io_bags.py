# SPDX-License-Identifier: Apache-2.0
"""ROS 2 bags become frames, whatever wrote them, and what does not fit is named."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bag_faults import check_frames
from bag_messages import (
    SECOND,
    START,
    Message,
    depth,
    image,
    make,
    pose,
    recording,
    rgb,
    stamp_of,
    transform,
    with_tf,
    write,
)
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from f4x_ros.io import bag_files
from f4x_ros.io.bag_storage import BagStorage
from f4x_ros.io.bag_topics import IMAGE, POSE_STAMPED, TF
from f4x_ros.io.bags import BagSource
from f4x_ros.sim import open_source


@pytest.mark.parametrize(
    "storage, compression",
    [
        (StoragePlugin.MCAP, None),
        (StoragePlugin.MCAP, CompressionMode.STORAGE),
        (StoragePlugin.MCAP, CompressionMode.MESSAGE),
        (StoragePlugin.MCAP, CompressionMode.FILE),
        (StoragePlugin.SQLITE3, None),
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
        (StoragePlugin.SQLITE3, CompressionMode.FILE),
    ],
)
def test_every_storage_and_compression_gives_the_same_frames(
    tmp_path: Path, storage: StoragePlugin, compression: CompressionMode | None
) -> None:
    path = write(tmp_path / "bag", with_tf(recording()), storage, compression)
    with open_source(path) as source:
        assert isinstance(source, BagSource)
        check_frames(source)


@pytest.mark.parametrize("suffix", [".mcap", ".db3"])
def test_a_single_file_is_a_bag_too(tmp_path: Path, suffix: str) -> None:
    storage = StoragePlugin.MCAP if suffix == ".mcap" else StoragePlugin.SQLITE3
    path = write(tmp_path / "bag", with_tf(recording()), storage)
    with open_source(path / f"bag{suffix}") as source:
        check_frames(source)


def test_a_split_bag_is_read_across_its_files(tmp_path: Path) -> None:
    import yaml

    messages = with_tf(recording())
    first = write(tmp_path / "bag", messages[:8])
    second = write(tmp_path / "second", messages[8:])
    (second / "second.mcap").rename(first / "second.mcap")
    about = yaml.safe_load((first / "metadata.yaml").read_text())
    inner = about["rosbag2_bagfile_information"]
    inner["relative_file_paths"].append("second.mcap")
    (first / "metadata.yaml").write_text(yaml.safe_dump(about))
    with open_source(first) as source:
        check_frames(source)


def test_chunkless_mcap_is_read_without_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the preset "fastwrite" of rosbag2 writes it: the records lie bare in the file."""
    from rosbags.rosbag2 import storage_mcap

    def bare(self: Any) -> None:
        self.bio.write(self.chunk.bio.getvalue())
        self.chunk = storage_mcap.PendingChunk(
            2**63 - 1, 0, storage_mcap.BytesIO(), storage_mcap.defaultdict(list)
        )

    monkeypatch.setattr(storage_mcap.McapWriter, "close_chunk", bare)
    path = write(tmp_path / "bag", with_tf(recording()))
    with open_source(path / "bag.mcap") as source:
        check_frames(source)


def test_index_and_stamps_agree_with_a_full_read_by_rosbags(tmp_path: Path) -> None:
    from rosbags.rosbag2 import Reader

    path = write(tmp_path / "bag", with_tf(recording(5), 5))
    bag = BagStorage(path)
    with Reader(path) as reader:
        for topic in bag.topics:
            connections = [c for c in reader.connections if c.topic == topic]
            expected = [(t, bytes(raw)) for _, t, raw in reader.messages(connections)]
            entries = bag.index(topic)
            assert [e.log_ns for e in entries] == [t for t, _ in expected]
            assert [bag._raw(e, None) for e in entries] == [raw for _, raw in expected]
    images = bag.index("/cam/color/image_raw")
    assert bag.stamps(images).tolist() == [stamp_of(k) for k in range(5)]
    bag.close()


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_opening_reads_only_the_first_bytes_of_images(
    tmp_path: Path, storage: StoragePlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "bag", with_tf(recording(20), 20), storage)
    read = {"bytes": 0}
    for kind in (bag_files.McapFile, bag_files.SqliteFile):
        original = kind.read

        def counted(
            self: Any, position: Any, limit: int | None, original: Callable[..., bytes] = original
        ) -> bytes:
            data = original(self, position, limit)
            if limit is not None:
                assert len(data) <= limit
            read["bytes"] += len(data)
            return data

        monkeypatch.setattr(kind, "read", counted)
    with open_source(path):
        # 60 heads of 12 bytes, 21 transforms, and the first messages of three topics.
        assert read["bytes"] < 60 * 12 + 22 * 200 + 3 * 400


def test_messages_are_paired_by_header_stamp_not_by_arrival(tmp_path: Path) -> None:
    messages = with_tf(recording())
    # The depth image of the last frame never came; one depth image belongs to no frame.
    messages = messages[:-1]
    late = stamp_of(1) + 45_000_000
    messages.append(("/cam/depth/image_rect_raw", IMAGE, late, image(late, "16UC1", depth(9))))
    with open_source(write(tmp_path / "bag", messages)) as source:
        assert len(source) == 2
        assert source.counts["images_without_depth"] == 1
        assert source.counts["depth_without_image"] == 1


def test_what_is_not_used_is_counted(tmp_path: Path) -> None:
    messages = with_tf(recording())
    # No transform covers this frame; the next repeats a stamp; nobody asked for the last topic.
    for stamp in (START + 20 * SECOND, stamp_of(0)):
        messages += [
            ("/cam/color/image_raw", IMAGE, stamp, image(stamp, "rgb8", rgb(0))),
            ("/cam/depth/image_rect_raw", IMAGE, stamp, image(stamp, "16UC1", depth(0))),
        ]
    note = make("std_msgs/msg/String", data="hello")
    messages.append(("/chatter", "std_msgs/msg/String", START, note))
    with open_source(write(tmp_path / "bag", messages)) as source:
        assert len(source) == 3
        assert source.counts == {
            "images_with_repeated_stamp": 1,
            "depth_with_repeated_stamp": 1,
            "images_without_pose": 1,
            "messages_on_other_topics": 1,
        }
        assert source.remarks == [
            "1 of 4 images have no pose, the first at 1600000020.000 s: transform 'map' -> 'base' "
            "has 4 samples from 1599999999.950 to 1600000000.250 s"
        ]
        assert source.left_out.first_ns == {
            "images_with_repeated_stamp": stamp_of(0),
            "depth_with_repeated_stamp": stamp_of(0),
            "images_without_pose": START + 20 * SECOND,
        }


def test_images_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    messages = with_tf([m for k in (2, 0, 1) for m in recording()[3 * k : 3 * k + 3]])
    with open_source(write(tmp_path / "bag", messages)) as source:
        check_frames(source)


def test_poses_come_from_a_pose_topic_where_there_is_no_tf(tmp_path: Path) -> None:
    poses = [("/pose", POSE_STAMPED, stamp_of(k), pose(stamp_of(k), k, "world")) for k in range(3)]
    with open_source(write(tmp_path / "bag", recording() + poses)) as source:
        assert [f.T_map_camera[0, 3] for f in source] == [0, 1, 2]  # type: ignore[index]
        assert source[0].map_frame == "world"


def test_a_named_pose_topic_is_preferred_to_tf(tmp_path: Path) -> None:
    poses = [("/pose", POSE_STAMPED, stamp_of(k), pose(stamp_of(k), 10 + k)) for k in range(3)]
    path = write(tmp_path / "bag", with_tf(recording()) + poses)
    with open_source(path, pose="/pose") as source:
        assert source[1].T_map_camera[0, 3] == 11  # type: ignore[index]


def test_depth_and_pose_can_be_forgone(tmp_path: Path) -> None:
    path = write(tmp_path / "bag", with_tf(recording()))
    with open_source(path, depth="", pose="") as source:
        assert source[0].depth is None
        assert source[0].T_map_camera is None
        assert source.counts["frames_without_pose"] == 3


def test_a_bag_without_depth_or_pose_gives_frames_without(tmp_path: Path) -> None:
    messages = [m for m in recording() if "depth" not in m[0]]
    with open_source(write(tmp_path / "bag", messages)) as source:
        assert len(source) == 3
        assert source[0].depth is None


@pytest.mark.parametrize(
    "options, message",
    [
        ({"image": "/nope"}, r"image '/nope'.*topics there: .*/cam/color/image_raw"),
        ({"depth": "/nope"}, r"depth '/nope'.*topics there: "),
        ({"depth": "/cam/color/camera_info"}, "depth '/cam/color/camera_info'"),
        ({"camera_info": "/nope"}, "camera_info '/nope'"),
        ({"pose": "/nope"}, "pose '/nope'"),
        ({"map_frame": "moon"}, r"from 'camera_optical' to 'moon'; frames there: \['base'"),
        ({"slop_s": -1.0}, "slop_s is -1.0"),
        ({"image": ""}, "no topic for image"),
    ],
)
def test_a_topic_that_is_not_there_is_named_with_those_that_are(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    path = write(tmp_path / "bag", with_tf(recording()))
    with pytest.raises(ValueError, match=message):
        open_source(path, **options)


def without(part: str) -> list[Message]:
    return [m for m in with_tf(recording()) if part not in m[0]]


@pytest.mark.parametrize(
    "messages, message",
    [
        (without("image_raw"), "no topic for image, expected sensor_msgs"),
        (without("camera_info"), r"no topic for camera_info of /cam/color/image_raw"),
        (without("/tf_static"), "no transform from 'camera_optical' to 'map' or 'odom' or 'world'"),
        (
            [
                m
                if m[1] != TF
                else (*m[:3], transform(START - 9 * SECOND, "map", "camera_optical", 0))
                for m in with_tf(recording())
                if m[0] != "/tf_static"
            ],
            r"none of 3 images has a pose \(tf\)",
        ),
    ],
)
def test_a_bag_that_lacks_something_says_what(
    tmp_path: Path, messages: list[Message], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        open_source(write(tmp_path / "bag", messages))


def test_several_cameras_ask_for_a_name(tmp_path: Path) -> None:
    other = [(t.replace("/cam/", "/rear/"), k, a, m) for t, k, a, m in recording()]
    path = write(tmp_path / "bag", with_tf(recording()) + other)
    with pytest.raises(ValueError, match=r"2 topics could be the image: .*/rear/color/image_raw"):
        open_source(path)
    options = {"image": "/rear/color/image_raw", "depth": "/rear/depth/image_rect_raw"}
    with open_source(path, **options) as source:
        assert source.topics.camera_info == "/rear/color/camera_info"
        check_frames(source)


@pytest.mark.parametrize(
    "name, data", [("x.mcap", b"no bag"), ("x.mcap", b""), ("x.db3", b"no bag" * 100)]
)
def test_a_file_that_is_no_bag_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=f"{name}: expected a ROS 2 bag"):
        open_source(tmp_path / name)


def test_files_are_closed_when_opening_fails(tmp_path: Path) -> None:
    path = write(tmp_path / "bag", without("camera_info"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ValueError, match="camera_info"):
        open_source(path)
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
