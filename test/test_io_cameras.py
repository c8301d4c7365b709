# SPDX-License-Identifier: Apache-2.0
"""Several cameras as one source, of bags, folders and drawn worlds."""

from __future__ import annotations

import shutil
from pathlib import Path

import bag_messages as bag
import numpy as np
import pytest

from f4x_ros.core.data import Frame, PinholeCamera
from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io import open_source, write_bag
from f4x_ros.io.bag_topics import CAMERA_INFO, IMAGE, TF
from f4x_ros.io.cameras import CamerasSource, check_names, of_camera
from f4x_ros.io.extrinsics import read_extrinsic
from f4x_ros.io.source import Source

_CAMERA = PinholeCamera(8, 6, 10.0, 10.0, 4.0, 3.0)


class Numbers(Source):
    """Frames whose grey is their number; those of `bad` cannot be read."""

    def __init__(self, stamps: list[int], bad: tuple[int, ...] = ()) -> None:
        super().__init__("numbers", np.array(stamps))
        self._bad = bad
        self.left_out.add("images_without_depth", 2, 5)

    def load(self, index: int) -> Frame:
        if index in self._bad:
            self.left_out.add("calibrations_unusable", 1, int(self.stamps_ns[index]))
            raise BadSampleError("images_unreadable", f"frame {index} is torn")
        rgb = np.full((6, 8, 3), index, np.uint8)
        return Frame(int(self.stamps_ns[index]), rgb, _CAMERA, np.ones((6, 8), np.float32))


def test_frames_come_in_the_order_of_time_each_with_its_cameras_name() -> None:
    source = CamerasSource(
        "rig", {"front": Numbers([10, 20, 30, 40]), "left": Numbers([9, 30]), "rear": Numbers([5])}
    )
    read = [(frame.stamp_ns, frame.camera_name, int(frame.rgb[0, 0, 0])) for frame in source]
    assert read == [
        *((5, "rear", 0), (9, "left", 0), (10, "front", 0), (20, "front", 1)),
        *((30, "front", 2), (30, "left", 1), (40, "front", 3)),  # of one stamp: in their order
    ]
    assert [source.camera_of(i) for i in range(7)] == [name for _, name, _ in read]
    assert source.stamps_ns.tolist() == [stamp for stamp, _, _ in read]


def test_what_a_camera_lacks_is_counted_for_it_alone() -> None:
    source = CamerasSource("rig", {"front": Numbers([1, 2]), "left": Numbers([1, 2], bad=(1,))})
    assert source.counts == {
        "images_without_depth_of_front": 2,
        "images_without_depth_of_left": 2,
    }
    assert source.frames_there == 8
    with pytest.raises(BadSampleError, match="torn"):
        source[3]
    assert source.counts["calibrations_unusable_of_left"] == 1
    assert "calibrations_unusable_of_front" not in source.counts
    assert source.left_out.first_ns["calibrations_unusable_of_left"] == 2


@pytest.mark.parametrize(
    "names, said",
    [
        ((), "has 0 names"),
        (("front", "front"), "each name once"),
        (("front left",), "'front left', expected letters"),
        (("2nd",), "expected letters"),
        (("",), "expected letters"),
    ],
)
def test_names_that_can_be_no_part_of_a_topic_are_refused(
    names: tuple[str, ...], said: str
) -> None:
    with pytest.raises(BadInputError, match=said):
        check_names(names)


def rig_messages(left_depth: bool = True) -> list[bag.Message]:
    """Two cameras: front at 10 Hz, left at 5 Hz, 5 ms later and 30 cm to the side."""
    messages: list[bag.Message] = []
    for k in range(6):
        at = bag.stamp_of(k)
        messages.append(("/tf", TF, at, bag.transform(at, "map", "base", 0.1 * k)))
        for name, every, late, x in (("front", 1, 0, 0.0), ("left", 2, 5_000_000, 0.3)):
            if k % every:
                continue
            ns, eye = at + late, f"{name}_eye"
            messages.append(("/tf_static", TF, ns, bag.transform(ns, "base", eye, x)))
            info = bag.info(ns)
            info.header.frame_id = eye
            messages.append((f"/{name}/color/camera_info", CAMERA_INFO, ns, info))
            picture = bag.image(ns, "rgb8", bag.rgb(k + (100 if name == "left" else 0)), eye)
            messages.append((f"/{name}/color/image_raw", IMAGE, ns, picture))
            if name == "front" or left_depth or k:
                depth = bag.image(ns, "16UC1", bag.depth(k), eye)
                messages.append((f"/{name}/depth/image_raw", IMAGE, ns, depth))
    return messages


def test_a_bag_has_a_camera_for_each_name_with_rates_and_places_of_their_own(
    tmp_path: Path,
) -> None:
    path = bag.write(tmp_path / "rig", rig_messages())
    with open_source(path, cameras=("front", "left")) as source:
        frames = list(source)
    names = [frame.camera_name for frame in frames]
    # (the last pose is that of the last front image: the left one of frame 4 is before it)
    assert names.count("front") == 6
    assert names.count("left") == 3
    for frame in frames:
        assert frame.frame_id == f"{frame.camera_name}_eye"
        assert frame.T_map_camera is not None
        beside = 0.3 if frame.camera_name == "left" else 0.0
        x = (frame.stamp_ns - bag.START) / 1e9 + beside
        assert frame.T_map_camera[0, 3] == pytest.approx(x, abs=1e-6)


def test_an_image_without_depth_is_counted_for_its_own_camera(tmp_path: Path) -> None:
    path = bag.write(tmp_path / "rig", rig_messages(left_depth=False))
    with open_source(path, cameras=("front", "left")) as source:
        assert source.counts == {"images_without_depth_of_left": 1}


def test_a_camera_that_is_not_in_the_bag_is_named_with_the_topics_there(tmp_path: Path) -> None:
    path = bag.write(tmp_path / "rig", rig_messages())
    with pytest.raises(BadInputError, match=r"camera rear: .*no topic of pictures .*'rear'.*/left"):
        open_source(path, cameras=("front", "rear"))


def test_a_bag_written_of_several_cameras_is_read_as_such(tmp_path: Path) -> None:
    first = bag.write(tmp_path / "rig", rig_messages())
    with open_source(first, cameras=("front", "left")) as source:
        write_bag(source, tmp_path / "again.mcap")
        with open_source(tmp_path / "again.mcap", cameras=("front", "left")) as again:
            assert len(again) == len(source)
            for before, after in zip(source, again, strict=True):
                assert (after.camera_name, after.frame_id) == (before.camera_name, before.frame_id)
                assert after.stamp_ns == before.stamp_ns
                np.testing.assert_array_equal(after.rgb, before.rgb)
                np.testing.assert_allclose(after.T_map_camera, before.T_map_camera, atol=1e-9)


def test_a_folder_with_a_recording_of_each_camera(tmp_path: Path) -> None:
    from ros_harness import write_recording  # (the small world as an RGB-D folder)

    (tmp_path / "rig" / "front").mkdir(parents=True)
    write_recording(tmp_path / "rig" / "front", 3)
    shutil.copytree(tmp_path / "rig" / "front", tmp_path / "rig" / "left")
    with open_source(tmp_path / "rig", cameras=("front", "left")) as source:
        assert [frame.camera_name for frame in source] == ["front", "left"] * 3
    with pytest.raises(BadInputError, match="camera rear: "):
        open_source(tmp_path / "rig", cameras=("front", "rear"))


def test_fixed_frames_that_differ_are_refused() -> None:
    one, other = Numbers([1]), Numbers([2])
    one.map_frame, other.map_frame = "map", "odom"  # type: ignore[attr-defined]
    with pytest.raises(BadInputError, match="expected one fixed frame"):
        CamerasSource("rig", {"front": one, "left": other})


def test_reasons_of_cameras_read_as_words() -> None:
    from f4x_ros.eval.subjects.report import in_words

    assert in_words(of_camera("images_without_depth", "front"), 2) == (
        "2 images without depth of front"
    )
    assert of_camera("late", "") == "late"


def test_the_feed_counts_frames_for_their_camera() -> None:
    from f4x_ros.eval.subjects.feed import Feed

    source = CamerasSource("rig", {"front": Numbers([1, 2]), "left": Numbers([1, 2], bad=(0,))})
    used: list[str] = []

    def refuse_one(frame: Frame) -> None:
        if (frame.camera_name, frame.stamp_ns) == ("front", 2):
            raise BadSampleError("frames_unusable", "too dark")
        used.append(frame.camera_name)

    feed = Feed(source, needs_pose=False)
    feed.run(refuse_one)
    assert used == ["front", "left"]
    assert feed.lost.counts == {"images_unreadable_of_left": 1, "frames_unusable_of_front": 1}


def test_where_a_camera_is_mounted_may_be_told(tmp_path: Path) -> None:
    messages = [one for one in rig_messages() if one[0] != "/tf_static"]
    path = bag.write(tmp_path / "rig", messages)
    told = ["base front_eye 0 0 0 0 0 0 1", "/base left_eye 0.3, 0, 0, 0, 0, 0, 1"]
    with open_source(path, cameras=("front", "left"), extrinsics=told) as source:
        for frame in source:
            assert frame.T_map_camera is not None
            beside = 0.3 if frame.camera_name == "left" else 0.0
            x = (frame.stamp_ns - bag.START) / 1e9 + beside
            assert frame.T_map_camera[0, 3] == pytest.approx(x, abs=1e-6)


@pytest.mark.parametrize(
    "text, said",
    [
        ("base eye 1 2 3", "5 words, expected 'PARENT CHILD X Y Z QX QY QZ QW'"),
        ("base base 0 0 0 0 0 0 1", "two different names"),
        ("base eye 0 0 0 0 0 0 0", "quaternion"),
        ("base eye 0 0 x 0 0 0 1", "could not convert"),
        ("base eye 0 0 nan 0 0 0 1", "not finite"),
    ],
)
def test_transforms_that_are_none_are_named(text: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        read_extrinsic(text)
