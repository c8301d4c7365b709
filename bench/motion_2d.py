# SPDX-License-Identifier: Apache-2.0
"""Masks of what moves without a map or a network: what classical 2D vision can do.

    python bench/motion_2d.py [FOLDER ...] [--json FILE] [--pictures DIR]

For each DAVIS folder (default: all of ../shared/data/davis): J, F and J&F of the mask of each frame
against the annotated one, and the time of a frame. It is the baseline for masks of movers. Only
frames of the past are used; the first frame, which has none, is compared with the one after it.

The parts are OpenCV's: dense flow by DIS (Kroeger et al., ECCV 2016), background motion as a
homography by MAGSAC++ (Barath et al., CVPR 2020), and where the scene is no plane, the fundamental
matrix. What fits neither is the residual. It is spread along edges to where the flow disagrees with
its way back, and carried on to the next frame; Otsu's threshold with hysteresis makes it a mask,
and GrabCut moves the outline to where the colours change. After Irani and Anandan, "A
unified approach to moving object detection in 2D and 3D scenes", PAMI 1998.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from f4x_ros.eval.metrics.masks import MaskSequence  # noqa: E402
from f4x_ros.io.davis import DavisFolder  # noqa: E402

DAVIS = ROOT.parent / "shared" / "data" / "davis"

Field = NDArray[Any]  # [H, W] or [H, W, 2] float32
Image = NDArray[Any]  # [H, W] or [H, W, 3] uint8
Mask = NDArray[Any]  # [H, W] bool

WIDTH_PX = 427  # flow and residual are computed at this width
GAPS = (1, 4)  # frames back: 1 for what is fast, 4 for what is slow
GRID_PX = 6  # between the points that the background is fitted to
FIT_PX = 1.0  # inliers of the background's motion lie within
MEMORY = 0.6  # how much of the last frame's evidence is carried on
LOW = 0.5  # of the upper threshold: what touches a sure pixel and exceeds this belongs to it
QUIET_PX = 0.35  # a residual below this is noise of the flow
SLIP_PX = 1.0  # there and back by the flow: off by this much is trusted to 37 %
GUIDE_PX = 9  # window of the guided filter
GUIDE_SOFT = 0.003  # variance of gray below which it smooths
PARALLAX = 2.0  # weight of what no rigid scene explains
PARALLAX_SHARE = 0.5  # and of what only a plane does not
CUT_PX = 7  # GrabCut decides within this distance of the outline
SMALLEST = 0.15  # share of the largest part below which others are dropped


class FlowSegmenter:
    """Feed it pictures in order; each gives a mask of what moves against the background."""

    def __init__(self) -> None:
        """Start a sequence."""
        self._flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._past: deque[Image] = deque(maxlen=max(GAPS))
        self._evidence: Field | None = None

    def segment(self, rgb: Image, other: Image | None = None) -> Mask:
        """Mask ``[H, W]`` of the movers in ``rgb [H, W, 3]``.

        ``other`` is a picture to compare the first one with; without it the first mask is empty.
        """
        gray = _reduced(rgb)
        pasts = [self._past[-gap] for gap in GAPS if gap <= len(self._past)]
        gaps = [gap for gap in GAPS if gap <= len(self._past)]
        if not pasts and other is not None:
            pasts, gaps = [_reduced(other)], [1]
        evidence = np.zeros(gray.shape, np.float32)
        flows = [self._flow.calc(gray, past, None) for past in pasts]
        if flows:
            trusted = np.full(gray.shape, 1e-3, np.float32)
            for flow, past, gap in zip(flows, pasts, gaps, strict=True):
                trust = consistency(flow, self._flow.calc(past, gray, None))
                evidence += trust * residual_px(flow) / np.float32(gap**0.5)
                trusted += trust
            evidence = guided(evidence, trusted, gray)
            evidence = self._with_memory(evidence, flows[0])
        self._past.append(gray)
        mask = cut(cleaned(evidence), rgb)
        size = (rgb.shape[1], rgb.shape[0])
        return cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5

    def _with_memory(self, evidence: Field, flow: Field) -> Field:
        if self._evidence is not None:
            evidence = (1 - MEMORY) * evidence + MEMORY * fetched(self._evidence, flow)
        self._evidence = evidence
        return evidence


def fetched(field: Field, flow: Field) -> Field:
    """The field ``[H, W, ...]`` read where each pixel flows to; 0 outside."""
    v, u = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return cv2.remap(
        field, u + flow[..., 0], v + flow[..., 1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )  # fmt: skip


def consistency(there: Field, back: Field) -> Field:
    """Trust ``[H, W]`` 0..1 in a flow: going there and back must end at the start."""
    miss = np.linalg.norm(there + fetched(back, there), axis=-1)
    return np.asarray(np.exp(-((miss / SLIP_PX) ** 2)), np.float32)


def guided(evidence: Field, trust: Field, gray: Image) -> Field:
    """Evidence (already times trust) spread along the picture's edges to where trust is low.

    The guided filter (He, Sun, Tang, ECCV 2010) with weights.
    """
    size = (GUIDE_PX, GUIDE_PX)
    guide = gray.astype(np.float32) / 255

    def mean(field: Field) -> Field:
        return cv2.boxFilter(field, -1, size)

    weight = mean(trust)
    m_guide, m_value = mean(guide * trust) / weight, mean(evidence) / weight
    variance = mean(guide * guide * trust) / weight - m_guide**2
    slope = (mean(guide * evidence) / weight - m_guide * m_value) / (variance + GUIDE_SOFT)
    offset = m_value - slope * m_guide
    return np.asarray(np.maximum(mean(slope) * guide + mean(offset), 0))


def residual_px(flow: Field) -> Field:
    """How far ``[H, W]`` each pixel moves otherwise than the background [px], from its flow."""
    height, width = flow.shape[:2]
    v, u = np.mgrid[GRID_PX // 2 : height : GRID_PX, GRID_PX // 2 : width : GRID_PX]
    here = np.stack([u.ravel(), v.ravel()], 1).astype(np.float32)
    there = here + flow[v.ravel(), u.ravel()]
    inside = ((there > 0) & (there < (width, height))).all(1)
    H, _ = cv2.findHomography(here[inside], there[inside], cv2.USAC_MAGSAC, FIT_PX, maxIters=2000)
    if H is None:
        return np.zeros((height, width), np.float32)
    v, u = np.mgrid[:height, :width].astype(np.float32)
    every = np.stack([u, v], -1).reshape(-1, 1, 2)
    expected = cv2.perspectiveTransform(every, H).reshape(height, width, 2) - np.stack([u, v], -1)
    plane: Field = np.linalg.norm(flow - expected, axis=-1).astype(np.float32)
    F, _ = cv2.findFundamentalMat(
        here[inside], there[inside], cv2.USAC_MAGSAC, FIT_PX / 2, 0.999, 2000
    )
    if F is None or F.shape != (3, 3):
        return plane
    rigid = sampson_px(F, np.stack([u, v], -1), flow)
    return np.asarray(np.minimum(plane, PARALLAX * rigid + PARALLAX_SHARE * plane))


def sampson_px(F: NDArray[np.float64], here: Field, flow: Field) -> Field:
    """First-order distance ``[H, W]`` of each match to what a rigid scene allows [px]."""
    one = np.ones((*here.shape[:2], 1), np.float32)
    a, b = np.concatenate([here, one], -1), np.concatenate([here + flow, one], -1)
    Fa, Fb = a @ F.T.astype(np.float32), b @ F.astype(np.float32)
    error = np.abs(np.sum(b * Fa, -1))
    slope = np.sqrt((Fa[..., :2] ** 2).sum(-1) + (Fb[..., :2] ** 2).sum(-1))
    return np.asarray(error / np.maximum(slope, 1e-9))


def cleaned(evidence: Field) -> Mask:
    """A mask from a residual: Otsu's threshold, hysteresis, holes filled, small parts dropped."""
    top = max(float(np.percentile(evidence, 99.5)), 1e-6)
    scaled = np.minimum(evidence / top * 255, 255).astype(np.uint8)
    code, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    high = max(code / 255 * top, QUIET_PX)
    weak = (evidence > max(LOW * high, QUIET_PX)).astype(np.uint8)
    _, parts = cv2.connectedComponents(weak)
    sure = np.unique(parts[(evidence > high) & (parts > 0)])
    mask: Image = np.isin(parts, sure).astype(np.uint8)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, disk)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disk, iterations=2)
    return _large_parts(mask)


def cut(mask: Mask, rgb: Image) -> Mask:
    """Move the outline to where the colours change (GrabCut, Rother et al., SIGGRAPH 2004)."""
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * CUT_PX + 1, 2 * CUT_PX + 1))
    inner = cv2.erode(mask.astype(np.uint8), disk, borderValue=1)
    outer = cv2.dilate(mask.astype(np.uint8), disk)
    if not inner.any() or outer.all():
        return mask
    labels = np.where(mask, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[inner > 0], labels[outer == 0] = cv2.GC_FGD, cv2.GC_BGD
    small = cv2.resize(rgb, mask.shape[::-1], interpolation=cv2.INTER_AREA)
    cv2.grabCut(
        small, labels, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_MASK
    )
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _large_parts(mask: Image) -> Mask:
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return mask.astype(bool)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return np.isin(parts, np.flatnonzero(areas >= SMALLEST * areas.max()))


def _reduced(rgb: Image) -> Image:
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    height = round(WIDTH_PX * rgb.shape[0] / rgb.shape[1])
    return cv2.resize(gray, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)


def score(folder: Path, pictures: Path | None) -> dict[str, float]:
    """J, F, J&F [0..1] and milliseconds a frame of one sequence."""
    source, segmenter, scores = DavisFolder(folder), FlowSegmenter(), MaskSequence()
    took = 0.0
    for index, frame in enumerate(source):
        other = source[1].rgb if index == 0 and len(source) > 1 else None
        started = time.perf_counter()
        mask = segmenter.segment(frame.rgb, other)
        took += time.perf_counter() - started
        truth = source.moving_mask(index)
        scores.add(mask, truth)
        if pictures is not None and index % 20 == 10:
            _picture(pictures / f"{source.name}_{index:03d}.jpg", frame.rgb, mask, truth)
    result = scores.result()
    assert result.j is not None
    assert result.f is not None
    return {
        "j": result.j,
        "f": result.f,
        "j_and_f": (result.j + result.f) / 2,
        "ms": 1000 * took / len(source),
    }


def _picture(path: Path, rgb: Image, mask: Mask, truth: Mask) -> None:
    """Found and true in green, found only in red, missed in blue."""
    out = rgb[..., ::-1] // 2
    out[mask & truth] += np.array([0, 110, 0], np.uint8)
    out[mask & ~truth] += np.array([0, 0, 110], np.uint8)
    out[~mask & truth] += np.array([110, 0, 0], np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), out)


def main() -> int:
    """Print the table; the exit code is 2 where there is no sequence."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, help="DAVIS folders")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--pictures", type=Path, help="write pictures of masks here")
    given = parser.parse_args()
    folders = given.folders or sorted(DAVIS.glob("*"))
    if not folders:
        print(f"motion_2d: no folders given, and none in {DAVIS}", file=sys.stderr)
        return 2
    cv2.setRNGSeed(0)
    rows = {folder.name: score(folder, given.pictures) for folder in folders}
    rows["mean"] = {
        k: float(np.mean([row[k] for row in rows.values()])) for k in rows[folders[0].name]
    }
    print(f"{'sequence':<16}{'J':>8}{'F':>8}{'J&F':>8}{'ms':>8}")
    for name, row in rows.items():
        print(f"{name:<16}{row['j']:8.3f}{row['f']:8.3f}{row['j_and_f']:8.3f}{row['ms']:8.1f}")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
