# SPDX-License-Identifier: Apache-2.0
"""The field's tensors move together and stay inside their budget."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from f4x_ros.core.field import (
    PARAMETER_WIDTHS,
    PARAMETERS,
    GaussianField,
    GaussianSet,
    present_columns,
)


def numbered(count: int, first: int = 0) -> dict[str, torch.Tensor]:
    """Rows whose every column tells which Gaussian they belong to."""
    columns = GaussianSet(present_columns(4), "cpu").columns
    tag = torch.arange(first, first + count, dtype=torch.float64)
    return {
        name: tag.view(-1, *(1,) * len(c.shape)).expand(count, *c.shape).to(c.dtype)
        for name, c in columns.items()
    }


def tags(gaussians: GaussianSet) -> list[list[float]]:
    """The tags each column carries."""
    return [
        t.double().flatten(1).mean(1).tolist() if t.dim() > 1 else t.double().tolist()
        for _, t in gaussians.items()
    ]


def filled(count: int, max_bytes: int = 10**9) -> GaussianField:
    field = GaussianField(4, max_bytes)
    field.present.append(numbered(count))
    return field


@given(st.lists(st.sampled_from(["append", "keep", "shuffle", "retire"]), max_size=8), st.data())
def test_every_column_is_permuted_together(steps: list[str], data: st.DataObject) -> None:
    field, added = filled(6), 6
    for step in steps:
        count = len(field.present)
        if step == "append":
            field.present.append(numbered(3, added))
            added += 3
        elif step == "shuffle":
            field.present.keep(torch.tensor(data.draw(st.permutations(range(count))), dtype=int))
        else:
            mask = torch.tensor(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
            mask = mask.bool()
            if step == "keep":
                field.present.keep(mask)
            else:
                field.retire(mask, 1e9)
        for part, skipped in ((field.present, ""), (field.past, "death_s")):
            named = [n for n, _ in part.items()]
            per_column = [t for n, t in zip(named, tags(part), strict=True) if n != skipped]
            assert all(t == per_column[0] for t in per_column)


def test_moments_have_a_place_for_every_parameter() -> None:
    gaussians = GaussianSet(present_columns(4), "cpu")
    widths = [math.prod(gaussians[name].shape[1:]) for name in PARAMETERS]
    assert tuple(widths) == PARAMETER_WIDTHS
    assert gaussians["adam_m"].shape[1] == gaussians["adam_v"].shape[1] == sum(widths)


def test_bytes_are_those_of_the_tensors() -> None:
    field = filled(7)
    assert field.nbytes == 7 * field.present.bytes_per_gaussian
    assert field.nbytes == sum(t.numel() * t.element_size() for _, t in field.present.items())


def test_retired_gaussians_are_valid_before_their_death_only() -> None:
    field = GaussianField(4, 10**9)
    rows = numbered(3)
    rows["birth_s"] = torch.tensor([-float("inf"), 2.0, 4.0], dtype=torch.float64)
    rows["death_s"] = torch.full((3,), float("inf"), dtype=torch.float64)
    field.present.append(rows)
    assert field.retire(torch.tensor([True, True, False]), 5.0) == 2
    assert field.past.valid_at(1.0).tolist() == [True, False]
    assert field.past.valid_at(3.0).tolist() == [True, True]
    assert field.past.valid_at(5.0).tolist() == [False, False]
    assert field.present.valid_at(3.0).tolist() == [False]


def test_a_budget_forgets_the_oldest_past_first_and_counts_it() -> None:
    field = filled(10)
    for index in range(4):
        field.retire(torch.arange(len(field.present)) == 0, float(index))
    field.max_bytes = field.nbytes - 2 * field.past.bytes_per_gaussian
    assert field.enforce_budget() == field.forgotten == 2
    assert field.past["death_s"].tolist() == [2.0, 3.0]
    assert len(field.present) == 6


def test_a_budget_that_the_past_cannot_meet_takes_what_was_seen_longest_ago() -> None:
    field = filled(10)
    field.max_bytes = 4 * field.present.bytes_per_gaussian
    field.enforce_budget(reserve=1)
    assert field.present["seen_s"].tolist() == [7.0, 8.0, 9.0]
    assert field.nbytes <= field.max_bytes


def test_writing_a_column_of_another_shape_is_refused() -> None:
    field = filled(3)
    with pytest.raises(ValueError, match=r"means is \(2, 3\).*expected \(3, 3\)"):
        field.present["means"] = torch.zeros(2, 3)
