# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f4x_ros.ros.sync import StampPairing

MS = 1_000_000


def pairing(**options: Any) -> StampPairing:
    return StampPairing("image", ["depth"], ["info"], **options)


def play(sync: StampPairing, messages: list[tuple[str, int]]) -> list[tuple[int, int, int]]:
    """Stamps in ms in, (image, depth, info) stamps in ms of the sets that came out."""
    found = []
    for topic, ms in messages:
        for s in sync.add(topic, ms * MS, ms):
            found.append((s["image"], s["depth"], s["info"]))
    return found


@given(st.permutations(["image", "depth", "info"]), st.integers(1, 5))
def test_equal_stamps_pair_at_once_in_any_order(order: list[str], frames: int) -> None:
    messages = [(topic, 100 * i) for i in range(frames) for topic in order]
    found = play(pairing(), messages)
    # The first calibration may come after its image; each later image has one.
    assert [(i, d) for i, d, _ in found] == [(100 * i, 100 * i) for i in range(frames)]


def test_the_nearest_within_the_slop_is_taken_even_if_it_comes_later() -> None:
    messages = [("info", 0), ("depth", 85), ("image", 100), ("depth", 105), ("depth", 140)]
    assert play(pairing(), messages) == [(100, 105, 0)]


def test_an_image_whose_depth_is_too_far_away_is_counted_and_says_how_far() -> None:
    sync = pairing(slop_s=0.01)
    messages = [("info", 0), ("image", 100), ("depth", 130), ("image", 131), ("depth", 160)]
    assert play(sync, messages) == [(131, 130, 0)]
    assert sync.unpaired["image"] == 1
    assert sync.nearest_miss_s == pytest.approx(0.030)


def test_depth_without_image_is_counted() -> None:
    sync = pairing()
    messages = [("info", 0), *(("depth", 33 * i) for i in range(4)), ("image", 99)]
    assert play(sync, messages) == [(99, 99, 0)]
    assert sync.unpaired["depth"] == 3


def test_one_calibration_serves_all_images() -> None:
    found = play(
        pairing(), [("info", 0)] + [(t, 100 * i) for i in range(50) for t in ("image", "depth")]
    )
    assert [i for _, _, i in found] == [0] * 50


def test_the_calibration_nearest_in_time_is_taken() -> None:
    messages = [("info", 0), ("info", 100), ("image", 100), ("depth", 100), ("info", 200)]
    assert play(pairing(), messages) == [(100, 100, 100)]


def test_without_calibration_images_wait_and_then_are_dropped_and_counted() -> None:
    sync = pairing(queue_size=3)
    assert play(sync, [(t, 100 * i) for i in range(5) for t in ("image", "depth")]) == []
    assert sync.unpaired == {"image": 2, "depth": 2}
    assert play(sync, [("info", 400)]) == [(i, i, 400) for i in (200, 300, 400)]


def test_without_depth_the_queue_stays_bounded() -> None:
    sync = pairing(queue_size=4)
    play(sync, [("info", 0)] + [("image", 10 * i) for i in range(100)])
    assert sync.unpaired["image"] == 96


def test_a_jump_back_starts_anew_and_mixes_nothing() -> None:
    sync = pairing()
    old = [("info", 9000), ("image", 9000), ("depth", 9000), ("image", 9100)]
    new = [("info", 100), ("image", 100), ("depth", 100), ("image", 200), ("depth", 200)]
    assert play(sync, old + new) == [(9000, 9000, 9000), (100, 100, 100), (200, 200, 100)]
    assert sync.jumps == 1
    assert sync.unpaired["image"] == 1


@pytest.mark.parametrize("wrong", [900_000, -900_000])
@pytest.mark.parametrize("spoilt", ["image", "depth"])
def test_one_stamp_that_leaps_costs_its_own_message(spoilt: str, wrong: int) -> None:
    lost: list[tuple[str, int, str]] = []
    sync = pairing(on_lost=lambda topic, ns, cause: lost.append((topic, ns // MS, cause)))
    start = 1_000_000
    messages = [("info", start)]
    for i in range(6):
        for topic in ("image", "depth"):
            leap = wrong if (topic, i) == (spoilt, 3) else 0
            messages.append((topic, start + 100 * i + leap))
    found = play(sync, messages)
    assert [i for i, _, _ in found] == [start + 100 * i for i in (0, 1, 2, 4, 5)]
    sync.give_up()
    other = "depth" if spoilt == "image" else "image"
    expected = [(spoilt, start + 300 + wrong, "unpaired"), (other, start + 300, "unpaired")]
    assert sorted(lost) == sorted(expected)
    assert sync.jumps == 0


def test_an_optional_topic_is_waited_for_only_while_it_is_expected() -> None:
    sync = pairing(optional=["depth_info"])
    messages = [("info", 0), ("image", 0), ("depth", 0)]
    assert play(sync, messages) == [(0, 0, 0)]
    sync.expect("depth_info", True)
    assert play(sync, [("image", 100), ("depth", 100)]) == []
    (found,) = sync.add("depth_info", 100 * MS, 7)
    assert (found["image"], found["depth_info"]) == (100, 7)
    sync = pairing(optional=["depth_info"])
    sync.expect("depth_info", True)
    assert play(sync, messages) == []
    sync.expect("depth_info", False)
    assert len(play(sync, [("image", 100), ("depth", 100)])) == 2


def test_what_waits_at_the_end_is_unpaired() -> None:
    sync = pairing()
    play(sync, [("info", 0), ("image", 100), ("depth", 200), ("depth", 201)])
    sync.give_up()
    assert sync.unpaired == {"image": 1, "depth": 2}
    sync.give_up()
    assert sync.unpaired == {"image": 1, "depth": 2}


@pytest.mark.parametrize("late", [("image", "depth"), ("depth", "image")])
def test_a_late_set_is_paired_too_in_either_order(late: tuple[str, str]) -> None:
    in_order = [("info", 0), ("image", 100), ("depth", 100), ("image", 200), ("depth", 200)]
    messages = [*in_order, *((topic, 150) for topic in late), ("image", 300), ("depth", 300)]
    assert [i for i, _, _ in play(pairing(), messages)] == [100, 200, 150, 300]


def test_a_repeated_stamp_is_counted() -> None:
    sync = pairing()
    play(sync, [("image", 5), ("image", 5)])
    assert sync.duplicates == 1


@pytest.mark.parametrize(
    ("options", "word"),
    [({"slop_s": -1.0}, "slop_s is -1"), ({"queue_size": 0}, "queue_size is 0")],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        pairing(**options)


@given(st.lists(st.tuples(st.sampled_from(["image", "depth", "info"]), st.integers(0, 400))))
def test_every_message_is_paired_waiting_or_counted(messages: list[tuple[str, int]]) -> None:
    sync = pairing(queue_size=5)
    found = play(sync, messages)
    for topic in ("image", "depth"):
        sent = sum(name == topic for name, _ in messages)
        waiting = len(sync._pending[topic].stamps)
        assert waiting <= 5
        replaced = sent - waiting - sync.unpaired[topic] - len(found)
        assert 0 <= replaced <= sync.duplicates
    assert all(abs(image - depth) <= 20 for image, depth, _ in found)
