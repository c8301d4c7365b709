# SPDX-License-Identifier: Apache-2.0
"""What was left out, and since when."""

from __future__ import annotations

from f4x_ros.core.base import LeftOut


def test_counts_and_first_stamps_by_reason() -> None:
    left_out = LeftOut({"late": 2, "never": 0})
    left_out.add("bad", stamp_ns=30)
    left_out.add("bad", 3, stamp_ns=20)
    left_out.add("bad", stamp_ns=40)
    left_out.add("late", 0, stamp_ns=1)
    assert list(left_out) == [("late", 2, None), ("bad", 5, 20)]
    assert left_out.counts == {"late": 2, "bad": 5}
    assert left_out.first_ns == {"bad": 20}
    assert left_out["bad"] == 5
    assert left_out["never"] == 0


def test_all_of_another_is_added() -> None:
    left_out, other = LeftOut({"late": 1}), LeftOut()
    assert not other
    other.add("late", 2, stamp_ns=5)
    left_out.extend(other)
    assert list(left_out) == [("late", 3, 5)]
