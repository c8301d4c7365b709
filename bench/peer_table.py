# SPDX-License-Identifier: Apache-2.0
"""Ours beside each peer: which numbers, which way is better, and their ratio."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from f4x_ros.eval.report.scoreboard import look_up

_ABSENT = {"missing": "not installed, see below", "failed": "failed, see below"}
HEADER = ("source", "peer", "what", "ours", "peer's", "ours / peer", "better")
_EVEN = 0.02  # ratios within 2 % of 1 are no difference


class Line(NamedTuple):
    """One number of ours and the matching one of a peer.

    Attributes:
        what: for people.
        key: place in a peer's result, e.g. "numbers.tracks.hota".
        our_key: place in ours, "" = the same; "given" = the pose is given, which is no contest.
        higher: whether more is better.
        unit, factor, digits: how it is shown.
        cannot: the peer has no way to do it; its score of nothing is not shown as one.
    """

    what: str
    key: str
    our_key: str = ""
    higher: bool = False
    unit: str = ""
    factor: float = 1.0
    digits: int = 3
    cannot: bool = False


GIVEN = "given"

_CAMERA = (
    Line("camera ATE, best rigid fit", "numbers.camera.ate_aligned_rmse_m", GIVEN, False, "cm",
         100, 2),
    Line("camera ATE, first pose given", "numbers.camera.ate_rmse_m", GIVEN, False, "cm", 100, 2),
    Line("camera RPE, translation", "numbers.camera.rpe_translation_rmse_m", GIVEN, False, "mm",
         1000, 2),
    Line("camera RPE, rotation", "numbers.camera.rpe_rotation_rmse_rad", GIVEN, False, "deg",
         180 / math.pi, 3),
    Line("frames lost", "cost.size.frames_lost", GIVEN, False, "", 1, 0),
    Line("rate", "cost.frame.hz", GIVEN, True, "Hz", 1, 1),
    Line("a frame, processor", "cost.frame.cpu_p50_ms", GIVEN, False, "ms", 1, 1),
)  # fmt: skip
_TRACKS = (
    Line("movers HOTA", "numbers.tracks.hota", higher=True),
    Line("movers MOTA", "numbers.tracks.mota", higher=True),
    Line("movers IDF1", "numbers.tracks.idf1", higher=True),
    Line("movers id switches", "numbers.tracks.id_switches", digits=0),
    Line("movers position", "numbers.tracks.position_median_m", unit="cm", factor=100, digits=1),
    Line("movers velocity", "numbers.tracks.velocity_median_mps", unit="m/s"),
    Line("all objects HOTA", "numbers.tracks_all.hota", higher=True),
    Line("all objects MOTA", "numbers.tracks_all.mota", higher=True),
    Line("all objects IDF1", "numbers.tracks_all.idf1", higher=True),
    Line("all objects id switches", "numbers.tracks_all.id_switches", digits=0),
    Line("all objects position", "numbers.tracks_all.position_median_m", unit="cm", factor=100,
         digits=1),
    Line("a frame, all of it, p50", "cost.frame.p50_ms", unit="ms", digits=1),
    Line("a frame, all of it, processor", "cost.frame.cpu_p50_ms", unit="ms", digits=1),
)  # fmt: skip
_MASKS = (
    Line("standing masks mIoU", "numbers.query.miou_live", higher=True),
    Line("a frame's masks p50", "cost.masks.p50_ms", "cost.masks.p50_ms", unit="ms", digits=1),
    Line("a frame's masks p95", "cost.masks.p95_ms", "cost.masks.p95_ms", unit="ms", digits=1),
    Line("a question: mIoU", "numbers.query.miou", higher=True),
    Line("a question: mIoU, other words", "numbers.query.miou_paraphrase", higher=True),
    Line("a question: mIoU, new views", "numbers.query.miou_aside", higher=True, cannot=True),
    Line("a question p50", "cost.ask.p50_ms", unit="ms", digits=1),
    Line("a question p95", "cost.ask.p95_ms", unit="ms", digits=1),
    Line("a question, processor", "cost.ask.cpu_p50_ms", unit="ms", digits=1),
)
_GEOMETRY = (
    Line("cloud accuracy", "numbers.geometry.accuracy_m", unit="cm", factor=100, digits=2),
    Line("cloud completeness", "numbers.geometry.completeness_m", unit="cm", factor=100, digits=2),
    Line("cloud F1 at 5 cm", "numbers.geometry.f1_5cm", higher=True),
    Line("depth L1", "numbers.geometry.depth_l1_m", unit="cm", factor=100, digits=2),
    Line("depth coverage", "numbers.geometry.depth_coverage", higher=True),
    Line("PSNR, past moments", "numbers.render.psnr_past_db", higher=True, unit="dB", digits=2),
    Line("PSNR, new views", "numbers.render.psnr_aside_db", higher=True, unit="dB", digits=2),
    Line("a frame's mapping p50", "cost.frame.p50_ms", "cost.size.stage_map_p50_ms", unit="ms",
         digits=1),
    Line("a frame, all of it, p50", "cost.frame.p50_ms", unit="ms", digits=1),
    Line("a frame, all of it, processor", "cost.frame.cpu_p50_ms", unit="ms", digits=1),
    Line("map", "cost.size.map_bytes", unit="MB", factor=1e-6, digits=1),
)  # fmt: skip

LINES: dict[str, tuple[Line, ...]] = {
    "open3d-slam": _CAMERA,
    "open3d-odometry": _CAMERA,
    "kiss-icp": _CAMERA,
    "bytetrack": _TRACKS,
    "sort": _TRACKS,
    "re-encoding": _MASKS,
    "open3d-tsdf": _GEOMETRY,
}
"""What each peer is compared in."""


def rows(source: str, results: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The table's rows of one source: a line a number, or one that says why there is none."""
    out: list[tuple[str, ...]] = []
    ours = results.get("ours", {})
    if ours.get("status") == "failed":
        out.append((source, "ours", "failed, see below", "-", "-", "-", ""))
    for peer, lines in LINES.items():
        result = results.get(peer)
        if result is None:
            continue
        if result["status"] != "ok":
            out.append((source, peer, _ABSENT[result["status"]], "-", "-", "-", ""))
            continue
        out += [(source, peer, *compared(line, ours, result)) for line in lines
                if look_up(result, line.key) is not None
                or look_up(ours, line.our_key or line.key) is not None]  # fmt: skip
    return out


def reasons(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Why contestants of one source have no numbers, a line each."""
    return [f"{name}: {result['reason']}" for name, result in results.items()
            if result["status"] != "ok"]  # fmt: skip


def compared(
    line: Line, ours: Mapping[str, Any], peer: Mapping[str, Any]
) -> tuple[str, str, str, str, str]:
    """What, ours, the peer's, ratio and who is better ("" where it is no contest)."""
    theirs = look_up(peer, line.key)
    if line.our_key == GIVEN:
        own = look_up(ours, line.key) if line.key.startswith("numbers.camera") else None
        text = "pose given" if own is None else f"given: {_text(line, own)}"
        return (line.what, text, _text(line, theirs), "-", "")
    own = look_up(ours, line.our_key or line.key)
    if line.cannot:
        return (line.what, _text(line, own), "cannot", "-", "" if own is None else "ours")
    quotient = ratio(own, theirs)
    shown = "-" if quotient is None else f"{quotient:.2f}"
    better = verdict(own, theirs, higher=line.higher)
    return (line.what, _text(line, own), _text(line, theirs), shown, better)


def ratio(ours: float | None, peer: float | None) -> float | None:
    """Ours over the peer's; None where there is none, or it would mean nothing."""
    if ours is None or peer is None or peer <= 0 or ours < 0:
        return None
    return ours / peer


def verdict(ours: float | None, peer: float | None, *, higher: bool) -> str:
    """Who is better: "ours", "peer", "even", or "" where one of them has no number."""
    if ours is None or peer is None:
        return ""
    if abs(ours - peer) <= _EVEN * max(abs(ours), abs(peer)):
        return "even"
    return "ours" if (ours > peer) == higher else "peer"


def _text(line: Line, value: float | None) -> str:
    return "-" if value is None else f"{value * line.factor:,.{line.digits}f} {line.unit}".rstrip()
