# SPDX-License-Identifier: Apache-2.0
"""Means, tables, and the verdict against a baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from f4x_ros.eval.report.files import (
    full_report,
    markdown,
    read_baseline,
    write_baseline,
    write_json,
)
from f4x_ros.eval.report.scoreboard import (
    METRICS,
    compare,
    have_in_common,
    look_up,
    overall,
    score_rows,
)

SCENES: dict[str, Any] = {
    "a": {"query": {"miou": 0.6, "iou": {"red mug": 0.6}}, "cost": {"fps": 4.0, "map_bytes": 1e6}},
    "b": {"query": {"miou": 0.8}, "camera": {"ate_rmse_m": 0.02}},
}


def test_overall_is_the_mean_of_the_scenes_that_have_the_number() -> None:
    mean = overall(SCENES.values())
    assert look_up(mean, "query.miou") == pytest.approx(0.7)
    assert look_up(mean, "camera.ate_rmse_m") == 0.02
    assert look_up(mean, "motion.j") is None


def test_look_up_finds_numbers_only() -> None:
    numbers = {"a": {"b": True, "c": float("nan"), "d": {"e": 1}, "f": 2}}
    assert look_up(numbers, "a.f") == 2
    assert [look_up(numbers, key) for key in ("a.b", "a.c", "a.d", "a.x.y", "q")] == [None] * 5


def test_rows_have_a_column_for_each_scene_and_for_all_of_them() -> None:
    rows = {row[0]: row[1:] for row in score_rows(SCENES, overall(SCENES.values()))}
    assert rows["query mIoU"] == ("0.600", "0.800", "0.700")
    assert rows["camera ATE"] == ("-", "2.00 cm", "2.00 cm")
    assert "moving masks J" not in rows


@pytest.mark.parametrize(
    "key, before, now, verdict",
    [
        ("query.miou", 0.5, 0.6, "better"),
        ("query.miou", 0.6, 0.5, "worse"),
        ("camera.ate_rmse_m", 0.05, 0.02, "better"),
        ("camera.ate_rmse_m", 0.02, 0.05, "worse"),
        ("cost.fps", 4.0, 2.0, "worse (machine)"),
    ],
)
def test_each_change_is_judged_by_its_own_direction(
    key: str, before: float, now: float, verdict: str
) -> None:
    group, name = key.split(".")
    (change,) = compare({"a": {group: {name: now}}}, {"a": {group: {name: before}}})
    assert (change.metric.key, change.verdict) == (key, verdict)


def test_a_change_within_the_tolerance_is_none() -> None:
    assert compare({"a": {"query": {"miou": 0.603}}}, {"a": {"query": {"miou": 0.6}}}) == []


def test_a_number_that_is_gone_comes_first_then_what_is_worse() -> None:
    before = {"query": {"miou": 0.5, "macc": 0.5}, "tracks": {"hota": 0.5}}
    now = {"query": {"miou": 0.7, "macc": 0.3}}
    verdicts = [change.verdict for change in compare({"a": now}, {"a": before})]
    assert verdicts == ["gone", "worse", "better"]


def test_scenes_that_only_one_side_has_are_not_compared() -> None:
    assert compare({"a": SCENES["a"]}, {"b": SCENES["b"]}) == []


def test_a_baseline_keeps_scenes_that_a_later_run_has_not(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    write_baseline(file, {"a": SCENES["a"]})
    write_baseline(file, {"b": SCENES["b"]}, {"mapping.iterations": 8})
    kept = read_baseline(file)
    assert set(kept.scenes) == {"a", "b"}
    assert kept.config == {"a": {}, "b": {"mapping.iterations": 8}}
    assert compare(SCENES, kept.scenes) == []
    assert "iou" not in kept.scenes["a"]["query"]  # the metrics of the table only
    assert have_in_common(SCENES, kept.scenes) == ["a", "b"]
    assert have_in_common(SCENES, {"a": {"motion": {"j": 1.0}}, "b": {}}) == []


@pytest.mark.parametrize(
    "content", ["", "[]", '{"scenes": 3}', '{"scenes": {"a": 3}, "config": {}}', "{}", "\xff"]
)
def test_what_is_no_baseline_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "base.json"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"base\.json"):
        read_baseline(file)


def test_the_report_is_strict_json_whatever_the_numbers(tmp_path: Path) -> None:
    numbers = {"x": {"query": {"miou": float("nan"), "macc": 1 / 3}, "run": {"refused": ["mug"]}}}
    write_json(tmp_path / "report.json", full_report(numbers, {"y": "no depth"}, {}))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["scenes"]["x"]["query"] == {"miou": None, "macc": 0.3333333}
    assert report["failures"] == {"y": "no depth"}
    assert report["overall"]["query"]["macc"] == 0.3333333


def test_the_markdown_has_the_table_the_changes_the_failures_and_the_pictures() -> None:
    report = full_report(SCENES, {"dog": "frame has no depth"}, {"mapping.iterations": 8})
    changes = compare(SCENES, {"a": {"query": {"miou": 0.9}}})
    text = markdown(report, changes, {"a": ["a/masks.png"]})
    assert "| query mIoU | 0.600 | 0.800 | 0.700 |" in text
    assert "| a | query mIoU | 0.900 | 0.600 | worse |" in text
    assert "**dog** was not evaluated: frame has no depth" in text
    assert "![masks](a/masks.png)" in text
    assert "mapping.iterations=8" in text


def test_keys_are_unique_and_names_too() -> None:
    assert len({m.key for m in METRICS}) == len({m.name for m in METRICS}) == len(METRICS)
