# SPDX-License-Identifier: Apache-2.0
"""Stamps find their partners, and recorded poses are answered at any time they cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from f4x_ros.core.data.poses import from_quaternion, inverse
from f4x_ros.io.pairing import nearest_stamps, pair_stamps
from f4x_ros.io.transforms import PoseTrack, TransformTree

STAMPS = st.lists(st.integers(0, 1000), min_size=1, max_size=20)
IDENTITY = [0.0, 0.0, 0.0, 1.0]
QUARTER_TURN = [0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)]
SECOND = 1_000_000_000


@given(STAMPS, STAMPS)
def test_nearest_is_as_near_as_any(wanted: list[int], offered: list[int]) -> None:
    index = nearest_stamps(wanted, offered)
    for want, found in zip(wanted, index, strict=True):
        assert abs(offered[found] - want) == min(abs(o - want) for o in offered)


@given(STAMPS, STAMPS, st.integers(0, 50))
def test_pairs_stay_within_slop_and_share_nothing(
    wanted: list[int], offered: list[int], slop: int
) -> None:
    index = pair_stamps(wanted, offered, slop)
    used = index[index >= 0].tolist()
    assert len(used) == len(set(used))
    for want, found in zip(wanted, index, strict=True):
        assert found < 0 or abs(offered[found] - want) <= slop


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20, unique=True))
def test_equal_stamps_always_pair(stamps: list[int]) -> None:
    assert pair_stamps(stamps, stamps, 0).tolist() == list(range(len(stamps)))


def test_nothing_offered_pairs_with_nothing() -> None:
    assert nearest_stamps([1, 2], []).tolist() == [-1, -1]
    assert pair_stamps([1, 2], [], 10).tolist() == [-1, -1]


def test_of_two_that_want_the_same_the_nearer_wins() -> None:
    assert pair_stamps([10, 14], [13], 5).tolist() == [-1, 0]


def track(stamps: list[int], x: list[float], **options: int) -> PoseTrack:
    return PoseTrack(stamps, [[v, 0, 0] for v in x], [IDENTITY] * len(x), **options)


def test_track_gives_samples_exactly_and_interpolates_between_them() -> None:
    made = PoseTrack([0, 100], [[0, 0, 0], [2, 0, 0]], [IDENTITY, QUARTER_TURN])
    assert np.array_equal(made.at(0), np.eye(4))
    middle = made.at(50)
    assert middle is not None
    assert middle[:3, 3] == pytest.approx([1, 0, 0])
    assert np.arctan2(middle[1, 0], middle[0, 0]) == pytest.approx(np.pi / 4)


def test_track_takes_samples_in_any_order() -> None:
    assert track([100, 0], [2, 0]).at(50)[0, 3] == pytest.approx(1)  # type: ignore[index]


def test_track_holds_the_end_within_slop_and_no_longer() -> None:
    made = track([0, 100], [0, 2], slop_ns=20)
    assert made.at(120)[0, 3] == 2  # type: ignore[index]
    assert made.at(121) is None
    assert not made.covers(-21)


def test_track_does_not_bridge_a_long_gap() -> None:
    made = track([0, 1000], [0, 2], slop_ns=20, max_gap_ns=500)
    assert made.at(500) is None
    assert made.at(15)[0, 3] == 0  # type: ignore[index]
    assert made.at(990)[0, 3] == 2  # type: ignore[index]


def test_empty_track_covers_nothing() -> None:
    assert not track([], []).covers(0)


def test_tree_chains_moving_and_static_transforms() -> None:
    T_base_camera = from_quaternion([0, 0, 1], QUARTER_TURN)
    tree = TransformTree(
        {("map", "odom"): track([0, SECOND // 4], [0, 4]), ("odom", "base"): track([0], [1])},
        {("base", "camera"): T_base_camera},
    )
    pose = tree.lookup("map", "camera", 0)
    assert pose is not None
    assert pose[:3, 3] == pytest.approx([1, 0, 1])
    assert pose[:3, :3] == pytest.approx(T_base_camera[:3, :3])
    assert tree.lookup("camera", "map", 0) == pytest.approx(inverse(pose))
    assert tree.frames() == ["base", "camera", "map", "odom"]


def test_tree_joins_siblings_without_asking_their_common_parent() -> None:
    tree = TransformTree(
        {("map", "base"): track([], [])},  # never known
        {
            ("base", "left"): from_quaternion([0, 1, 0], IDENTITY),
            ("base", "right"): from_quaternion([0, -1, 0], IDENTITY),
        },
    )
    assert tree.lookup("left", "right", 0)[:3, 3] == pytest.approx([0, -2, 0])  # type: ignore[index]
    assert tree.lookup("map", "left", 0) is None


def test_tree_knows_what_is_not_connected() -> None:
    tree = TransformTree({}, {("map", "a"): np.eye(4), ("world", "b"): np.eye(4)})
    assert not tree.connected("map", "b")
    assert tree.lookup("map", "b", 0) is None


def test_tree_that_bites_its_tail_comes_to_an_end() -> None:
    tree = TransformTree({}, {("a", "b"): np.eye(4), ("b", "a"): np.eye(4)})
    assert tree.connected("a", "b")
    assert not tree.connected("a", "map")


def test_a_slow_correction_is_bridged_and_held_until_its_next_sample_is_due() -> None:
    slow = track([k * SECOND for k in range(3)], [0, 1, 2])
    assert slow.at(SECOND // 2)[0, 3] == pytest.approx(0.5)  # type: ignore[index]
    assert slow.at(2 * SECOND + 9 * SECOND // 10)[0, 3] == 2  # type: ignore[index]
    assert slow.at(-9 * SECOND // 10)[0, 3] == 0  # type: ignore[index]
    assert slow.at(2 * SECOND + 13 * SECOND // 10) is None
    lost = track([0, SECOND, 2 * SECOND, 6 * SECOND], [0, 1, 2, 6])
    assert lost.at(4 * SECOND) is None
    # What moves the camera is not held: it would be somewhere else.
    fast = track([k * SECOND // 10 for k in range(4)], [0, 1, 2, 3])
    assert fast.at(3 * SECOND // 10 + 30_000_000) is None


def test_samples_that_are_no_pose_are_left_out() -> None:
    nan, zero = [0, 0, 0, np.nan], [0.0] * 4
    made = PoseTrack(
        [0, 100, 200, 300, 400],
        [[0, 0, 0], [9, 0, 0], [9, 0, 0], [np.inf, 0, 0], [4, 0, 0]],
        [IDENTITY, nan, zero, IDENTITY, IDENTITY],
    )
    assert made.rejected_ns.tolist() == [100, 200, 300]
    assert len(made) == 2
    assert made.at(100)[0, 3] == pytest.approx(1)  # type: ignore[index]


def test_leading_slashes_mean_nothing() -> None:
    tree = TransformTree({("/map", "base"): track([0], [1])}, {("/base", "/camera"): np.eye(4)})
    assert tree.frames() == ["base", "camera", "map"]
    for target, source in (("map", "/camera"), ("/map", "camera")):
        assert tree.lookup(target, source, 0)[0, 3] == 1  # type: ignore[index]


def edges(*pairs: tuple[str, str, float]) -> dict[tuple[str, str], PoseTrack]:
    return {(p, c): track([0, 100], [x, x]) for p, c, x in pairs}


@pytest.mark.parametrize("turn", [1, -1])
def test_of_two_parents_the_one_nearer_to_the_fixed_frame_is_used_and_said(turn: int) -> None:
    moving = dict([*edges(("map", "camera", 1.0), ("odom", "camera", 2.0)).items()][::turn])
    tree = TransformTree(moving, {("map", "odom"): np.eye(4)})
    assert tree.lookup("map", "camera", 0)[0, 3] == 1  # type: ignore[index]
    (remark,) = tree.remarks("map", "camera")
    for word in ("'camera'", "2 parents", "'map' (2 samples)", "'odom' (2 samples)", "'map' is"):
        assert word in remark
    assert not tree.remarks("map", "odom")


def test_of_two_parents_the_one_that_leads_to_a_fixed_frame_is_used() -> None:
    tree = TransformTree(edges(("a_rig", "camera", 1.0), ("odom", "camera", 2.0)), {})
    assert tree.lookup("odom", "camera", 0)[0, 3] == 2  # type: ignore[index]
    wanted = TransformTree(
        edges(("a_rig", "camera", 1.0), ("odom", "camera", 2.0)), {}, fixed=("a_rig",)
    )
    assert wanted.lookup("a_rig", "camera", 0)[0, 3] == 1  # type: ignore[index]


def test_a_parent_of_a_few_samples_is_not_preferred() -> None:
    moving = {
        ("map", "camera"): track([0], [1]),
        ("odom", "camera"): track(list(range(100)), [2] * 100),
    }
    tree = TransformTree(moving, {("map", "odom"): np.eye(4)})
    assert tree.lookup("map", "camera", 50)[0, 3] == 2  # type: ignore[index]


def test_where_a_transform_is_static_and_moving_the_moving_one_counts() -> None:
    tree = TransformTree(edges(("map", "camera", 3.0)), {("map", "camera"): np.eye(4)})
    assert tree.lookup("map", "camera", 0)[0, 3] == 3  # type: ignore[index]
    assert "both static and moving" in tree.remarks("map", "camera")[0]
    once = TransformTree({("map", "camera"): track([0], [3])}, {("map", "camera"): np.eye(4)})
    assert once.lookup("map", "camera", SECOND)[0, 3] == 0  # type: ignore[index]
