# SPDX-License-Identifier: Apache-2.0
"""Which numbers matter, which way is better, and what became better or worse."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """One number of the report.

    Attributes:
        key: dotted place in a scene's numbers, e.g. "query.miou".
        name: for people.
        higher: whether more is better.
        unit: shown after the number.
        digits: decimals shown.
        factor: from the report's unit to the one shown.
        tolerance: change, in the report's unit, below which two runs count as the same.
        noisy: depends on the machine, so it is compared but never called worse.
    """

    key: str
    name: str
    higher: bool
    unit: str = ""
    digits: int = 3
    factor: float = 1.0
    tolerance: float = 0.005
    noisy: bool = False

    def text(self, value: float | None) -> str:
        """The number as people read it; "-" for None and NaN."""
        if value is None or math.isnan(value):
            return "-"
        return f"{value * self.factor:,.{self.digits}f} {self.unit}".rstrip()


METRICS: tuple[Metric, ...] = (
    Metric("query.miou", "query mIoU", True),
    Metric("query.macc", "query mAcc", True),
    Metric("query.miou_all", "query mIoU, refused = 0", True),
    Metric("query.miou_paraphrase", "query mIoU, other words", True),
    Metric("query.miou_at_the_time", "query mIoU, the same while it was the present", True),
    Metric("query.miou_aside", "query mIoU, new views", True),
    Metric("query.miou_aside_seen", "query mIoU, new views, surfaces once in sight", True),
    Metric("query.miou_beside", "query mIoU, the same moments from the camera", True),
    Metric("query.aside_fall", "query IoU lost in new views, the same phrases", False),
    Metric("query.miou_live", "published masks mIoU", True),
    Metric("query.understood", "phrases understood", True, digits=2),
    Metric("query.miou_movers", "mIoU of movers, live", True),
    Metric("query.miou_static", "mIoU of what never moves, live", True),
    Metric("query.click_iou_1", "one click, IoU", True),
    Metric("query.click_iou_3", "three clicks, IoU", True),
    Metric("query.click_iou_3_aside", "three clicks, IoU, new views", True),
    Metric("query.presence_auroc", "presence AUROC", True),
    Metric("query.presence_f1", "presence F1", True),
    Metric("motion.j", "moving masks J", True),
    Metric("motion.f", "moving masks F", True),
    Metric("motion.j_and_f", "moving masks J&F", True),
    Metric("motion.false_share", "pixels moving, where nothing does", False, "%", 2, 100, 0.005),
    Metric("tracks.hota", "movers HOTA", True),
    Metric("tracks.mota", "movers MOTA", True),
    Metric("tracks.idf1", "movers IDF1", True),
    Metric("tracks.id_switches", "movers id switches", False, digits=1, tolerance=0.5),
    Metric("tracks.position_median_m", "movers position", False, "cm", 1, 100, 0.002),
    Metric("tracks.orientation_median_rad", "movers orientation", False, "deg", 1,
           180 / math.pi, 0.01),
    Metric("tracks.velocity_median_mps", "movers velocity", False, "m/s", 3, 1, 0.01),
    Metric("tracks.time_to_confirmation_median_s", "movers confirmed after", False, "s", 2, 1,
           0.05),
    Metric("tracks.rigid.position_median_m", "rigid movers, position", False, "cm", 1, 100, 0.005),
    Metric("tracks.rigid.velocity_median_mps", "rigid movers, velocity", False, "m/s", 3, 1, 0.02),
    Metric("tracks.rigid.motion_median_m", "rigid movers, way since found", False, "cm", 1, 100,
           0.005),
    Metric("tracks.rigid.orientation_median_rad", "rigid movers, turn since found", False, "deg",
           1, 180 / math.pi, 0.03),
    Metric("tracks.persons.position_median_m", "persons, position", False, "cm", 1, 100, 0.01),
    Metric("tracks.persons.velocity_median_mps", "persons, velocity", False, "m/s", 3, 1, 0.03),
    Metric("tracks.balls.position_median_m", "balls, position", False, "cm", 1, 100, 0.01),
    Metric("tracks.balls.velocity_median_mps", "balls, velocity", False, "m/s", 3, 1, 0.05),
    Metric("tracks.nees_pose", "movers, pose errors as said", True, digits=2, tolerance=0.05),
    Metric("tracks.nees_twist", "movers, twist errors as said", True, digits=2, tolerance=0.05),
    Metric("points.within_5cm", "points within 5 cm after 100 frames", True, digits=2,
           tolerance=0.05),
    Metric("points.movers_within_5cm", "the same on movers", True, digits=2, tolerance=0.1),
    Metric("tracks_all.hota", "all objects HOTA", True),
    Metric("tracks_all.idf1", "all objects IDF1", True),
    Metric("predictions.position_median_500ms_m", "movers in 0.5 s, position", False, "cm", 1, 100,
           0.01),
    Metric("predictions.position_median_1000ms_m", "movers in 1 s, position", False, "cm", 1, 100,
           0.02),
    Metric("predictions.position_median_2000ms_m", "movers in 2 s, position", False, "cm", 1, 100,
           0.04),
    Metric("predictions.nees_500ms", "movers in 0.5 s, errors as said", True, digits=2),
    Metric("predictions.nees_1000ms", "movers in 1 s, errors as said", True, digits=2),
    Metric("predictions.nees_2000ms", "movers in 2 s, errors as said", True, digits=2),
    Metric("history.found", "what was moved is named", True, digits=2, tolerance=0.05),
    Metric("history.right", "named moves that are right", True, digits=2, tolerance=0.05),
    Metric("history.from_5cm", "moved from where, within 5 cm", True, digits=2, tolerance=0.05),
    Metric("history.to_5cm", "moved to where, within 5 cm", True, digits=2, tolerance=0.05),
    Metric("camera.ate_rmse_m", "camera ATE", False, "cm", 2, 100, 0.001),
    Metric("camera.rpe_translation_rmse_m", "camera RPE", False, "mm", 2, 1000, 0.0005),
    Metric("geometry.depth_l1_m", "depth L1", False, "cm", 2, 100, 0.001),
    Metric("geometry.depth_coverage", "depth coverage", True),
    Metric("geometry.accuracy_m", "cloud accuracy", False, "cm", 2, 100, 0.001),
    Metric("geometry.completeness_m", "cloud completeness", False, "cm", 2, 100, 0.001),
    Metric("geometry.f1_5cm", "cloud F1 at 5 cm", True),
    Metric("render.psnr_db", "PSNR, unmapped frames", True, "dB", 2, 1, 0.1),
    Metric("render.ssim", "SSIM, unmapped frames", True),
    Metric("render.psnr_past_db", "PSNR, past moments", True, "dB", 2, 1, 0.1),
    Metric("render.psnr_movers_db", "PSNR of movers, past moments", True, "dB", 2, 1, 0.5),
    Metric("render.psnr_static_db", "PSNR beside movers, past moments", True, "dB", 2, 1, 0.2),
    Metric("render.psnr_aside_db", "PSNR, new views", True, "dB", 2, 1, 0.1),
    Metric("cost.fps", "speed", True, "frames/s", 2, 1, 0.1, noisy=True),
    Metric("cost.latency_p95_ms", "latency p95", False, "ms", 0, 1, 20, noisy=True),
    Metric("cost.peak_rss_bytes", "memory, peak", False, "MB", 0, 1e-6, 5e7, noisy=True),
    Metric("cost.map_bytes", "map", False, "MB", 2, 1e-6, 2e5),
    Metric("cost.growth_bytes_per_min", "map growth", False, "MB/min", 2, 1e-6, 5e5),
)  # fmt: skip
"""In the order of the table."""


def look_up(numbers: Mapping[str, Any], key: str) -> float | None:
    """The number at a dotted place, None where there is none."""
    value: Any = numbers
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def overall(scenes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean of each metric over the scenes that have it, nested like theirs."""
    all_of = list(scenes)
    out: dict[str, Any] = {}
    for metric in METRICS:
        values = [v for scene in all_of if (v := look_up(scene, metric.key)) is not None]
        group, _, name = metric.key.partition(".")
        mean = sum(values) / len(values) if values else None
        out.setdefault(group, {})[name] = mean
    return out


def score_rows(
    scenes: Mapping[str, Mapping[str, Any]], mean: Mapping[str, Any]
) -> list[tuple[str, ...]]:
    """One row a metric that any scene has: name, each scene, all."""
    rows = []
    for metric in METRICS:
        values = [look_up(numbers, metric.key) for numbers in scenes.values()]
        if any(value is not None for value in values):
            last = look_up(mean, metric.key)
            rows.append((metric.name, *(metric.text(v) for v in values), metric.text(last)))
    return rows


@dataclass(frozen=True)
class Change:
    """A metric of one scene against the baseline; ``verdict`` is better, worse or other."""

    scene: str
    metric: Metric
    before: float
    now: float
    verdict: str

    def row(self) -> tuple[str, ...]:
        """Scene, metric, before, now, verdict."""
        texts = (self.metric.text(self.before), self.metric.text(self.now))
        return (self.scene, self.metric.name, *texts, self.verdict)


def compare(
    scenes: Mapping[str, Mapping[str, Any]], baseline: Mapping[str, Mapping[str, Any]]
) -> list[Change]:
    """What changed by more than its tolerance in the scenes that both have, the worst first.

    A number that the baseline has and this run has not is worse, too.
    """
    changes = []
    for scene in scenes.keys() & baseline.keys():
        for metric in METRICS:
            before = look_up(baseline[scene], metric.key)
            now = look_up(scenes[scene], metric.key)
            if before is None:
                continue
            if now is None:
                changes.append(Change(scene, metric, before, math.nan, "gone"))
            elif abs(now - before) > metric.tolerance:
                better = (now > before) == metric.higher
                verdict = "better" if better else "worse"
                verdict = f"{verdict} (machine)" if metric.noisy else verdict
                changes.append(Change(scene, metric, before, now, verdict))
    order = ("gone", "worse", "better")
    return sorted(changes, key=lambda c: (_rank(c.verdict, order), c.scene, c.metric.key))


def have_in_common(scenes: Mapping[str, Any], baseline: Mapping[str, Any]) -> list[str]:
    """Names of the scenes of which both have at least one number in common."""

    def numbers(of: Any) -> set[str]:
        return {metric.key for metric in METRICS if look_up(of, metric.key) is not None}

    return [
        name
        for name in scenes
        if name in baseline and numbers(scenes[name]) & numbers(baseline[name])
    ]


def _rank(verdict: str, order: Sequence[str]) -> int:
    return order.index(verdict) if verdict in order else len(order)


def comparable(scenes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a baseline keeps of a report: the metrics of each scene, nested."""
    return {name: overall([numbers]) for name, numbers in scenes.items()}
