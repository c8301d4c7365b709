# SPDX-License-Identifier: Apache-2.0
"""What the field says about a camera image, drawn onto it: masks, names, boxes of objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Percept, PinholeCamera, Pose, Track, TrackState
from f4x_ros.core.errors import BadInputError
from f4x_ros.viz.boxes import projected_edges
from f4x_ros.viz.marks import Chip, draw_chips, draw_legend
from f4x_ros.viz.palette import Rgb, color_of_label, prompt_colors
from f4x_ros.viz.text import Image8, line_height

_TINT = 0.42  # share of the prompt's colour in a mask of certainty 1
_MIN_NAMED_SHARE = 0.0015  # of the image: smaller pieces of a mask are tinted but not named
_MAX_NAMES = 12  # more hide the picture; confirmed objects without a name keep their box
_MAX_UNSURE = 4  # boxes of objects that are out of sight or not confirmed
_LEGEND_BACKGROUND: Rgb = (24, 26, 30)


def overlay(
    rgb: Image8,
    labels: NDArray[np.uint16] | None,
    prompts: Sequence[str],
    certainty: NDArray[np.float32] | None = None,
    tracks: Sequence[Track] = (),
    camera: PinholeCamera | None = None,
    T_map_camera: Pose | None = None,
    *,
    scale: int = 1,
    legend: bool = True,
) -> Image8:
    """Draw masks with contours and names, boxes of tracks, and a legend onto an image.

    Args:
        rgb: [H, W, 3] uint8, not changed.
        labels: [H, W] uint16, 0 background, q + 1 prompt q, 65535 unlabelled; None: no masks.
        prompts: names, in the order of the labels; colours follow this order.
        certainty: [H, W] probability of the label; where given, tints are as strong as it.
        tracks: objects whose boxes are drawn if `camera` and `T_map_camera` are given, too: solid
            lines for CONFIRMED, dashed for the largest few others, nothing for LOST.
        camera: intrinsics of `rgb`.
        T_map_camera: [4, 4] pose of the optical frame.
        scale: draws on an image so many times larger, so that names stay readable on small ones.
        legend: a line at the lower edge with each prompt's colour.

    Returns:
        [H * scale, W * scale, 3] uint8.

    Raises:
        ValueError: sizes that do not fit.
    """
    _check(rgb, labels, certainty, scale)
    size = (rgb.shape[1] * scale, rgb.shape[0] * scale)
    out = rgb.copy()
    if scale > 1:
        out = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    style = _Style.of(out)
    named: list[tuple[Track, Chip]] = []
    if labels is not None:
        _draw_masks(out, labels, prompts, certainty, style)
    if camera is not None and T_map_camera is not None:
        view = camera.scaled(scale) if scale > 1 else camera
        for track in _worth_drawing(tracks):
            chip = _draw_track(out, track, tuple(prompts), view, T_map_camera, style)
            if chip is not None:
                named.append((track, chip))
    chips = [chip for _, chip in named[:_MAX_NAMES]]
    boxed = {track.label for track, _ in named}
    if labels is not None:
        chips += _mask_names(labels, prompts, boxed, scale)
    below = style.legend_px if legend and prompts else 0
    draw_chips(out, chips, style.text_px, out.shape[0] - below)
    if below:
        _draw_legend(out, labels, prompts, style)
    return out


def overlay_percept(rgb: Image8, percept: Percept, *, scale: int = 1) -> Image8:
    """`overlay` with everything taken from the percept of that image."""
    return overlay(
        rgb,
        percept.labels,
        percept.prompts,
        percept.certainty,
        percept.tracks,
        percept.camera,
        percept.T_map_camera,
        scale=scale,
    )


def naming_order(track: Track) -> tuple[bool, bool, float]:
    """Sorts tracks by how much their names matter: confirmed, then moving, then large ones."""
    confirmed = track.state is TrackState.CONFIRMED
    return not confirmed, not track.moving, -float(np.prod(track.size))


def _worth_drawing(tracks: Sequence[Track]) -> list[Track]:
    """All confirmed tracks and the few unconfirmed ones that matter most, in naming order."""
    ordered = sorted((t for t in tracks if t.state is not TrackState.LOST), key=naming_order)
    sure = sum(t.state is TrackState.CONFIRMED for t in ordered)
    return ordered[: sure + _MAX_UNSURE]


def blend_labels(
    rgb: Image8,
    labels: NDArray[np.uint16],
    colors: Sequence[Rgb],
    certainty: NDArray[np.float32] | None = None,
    *,
    line_px: int = 1,
) -> None:
    """Tint label q + 1 with `colors[q]` in place and draw contours. Sizes of all inputs agree."""
    for q in _shown(labels, len(colors)):
        mask, rgb_of_label = labels == q + 1, colors[q]
        color = np.array(rgb_of_label, np.float32)
        share = _TINT * (certainty[mask, None] if certainty is not None else 1.0)
        rgb[mask] = np.round(rgb[mask] * (1 - share) + color * share)
        edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(rgb, edges, -1, rgb_of_label, line_px, cv2.LINE_AA)


def _shown(labels: NDArray[np.uint16], count: int) -> list[int]:
    """Those of so many prompts that any pixel is labelled with, from 0."""
    return [label - 1 for label in np.unique(labels).tolist() if 1 <= label <= count]


@dataclass(frozen=True)
class _Style:
    """Sizes in pixels that follow the size of the picture."""

    text_px: int
    line_px: int

    @classmethod
    def of(cls, image: Image8) -> _Style:
        text = int(np.clip(round(image.shape[0] / 32), 11, 28))
        return cls(text, max(1, round(image.shape[0] / 400)))

    @property
    def legend_px(self) -> int:
        return line_height(self.text_px) + 6


def _check(
    rgb: Image8,
    labels: NDArray[np.uint16] | None,
    certainty: NDArray[np.float32] | None,
    scale: int,
) -> None:
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise BadInputError(f"rgb is {rgb.shape} {rgb.dtype}, expected (H, W, 3) uint8")
    for name, picture in (("labels", labels), ("certainty", certainty)):
        if picture is not None and picture.shape != rgb.shape[:2]:
            raise BadInputError(f"{name} has shape {picture.shape}, expected {rgb.shape[:2]}")
    if scale < 1:
        raise BadInputError(f"scale is {scale}, expected a whole number from 1")


def _draw_masks(
    out: Image8,
    labels: NDArray[np.uint16],
    prompts: Sequence[str],
    certainty: NDArray[np.float32] | None,
    style: _Style,
) -> None:
    if out.shape[:2] != labels.shape:
        size = (out.shape[1], out.shape[0])
        labels = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), np.uint16)
        if certainty is not None:
            certainty = np.asarray(cv2.resize(certainty, size), np.float32)
    blend_labels(out, labels, prompt_colors(prompts), certainty, line_px=style.line_px)


def _mask_names(
    labels: NDArray[np.uint16], prompts: Sequence[str], boxed: set[str], scale: int
) -> list[Chip]:
    """Names at the largest piece of each mask, unless boxes carry that name already."""
    chips = []
    for q in _shown(labels, len(prompts)):
        prompt = prompts[q]
        if prompt in boxed:
            continue
        _, _, stats, centres = cv2.connectedComponentsWithStats((labels == q + 1).astype(np.uint8))
        best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
        if stats[best, cv2.CC_STAT_AREA] < _MIN_NAMED_SHARE * labels.size:
            continue
        x, y = centres[best] * scale
        chips.append(Chip(prompt, float(x), float(y), color_of_label(prompt, tuple(prompts))))
    return chips


def _draw_track(
    out: Image8,
    track: Track,
    prompts: tuple[str, ...],
    camera: PinholeCamera,
    T_map_camera: Pose,
    style: _Style,
) -> Chip | None:
    edges = projected_edges(track, camera, T_map_camera)
    color = color_of_label(track.label, prompts)
    dashed = track.state is not TrackState.CONFIRMED
    inside = False
    whole = np.clip(edges, -30000, 30000).round().astype(int).tolist()
    for a, b in whole:
        visible, p, q = cv2.clipLine((0, 0, camera.width, camera.height), a, b)
        if visible:
            inside = True
            for start, end in _dashes(p, q, 6 * style.line_px) if dashed else [(p, q)]:
                cv2.line(out, start, end, color, style.line_px, cv2.LINE_AA)
    if not inside:
        return None
    points = edges.reshape(-1, 2)
    left, right = np.clip([points[:, 0].min(), points[:, 0].max()], 0, camera.width)
    top = float(np.clip(points[:, 1].min(), 0, camera.height))
    return Chip(_track_text(track), float(left + right) / 2, top - 2, color, True)


def _track_text(track: Track) -> str:
    text = f"{track.label} #{track.id}"
    if track.state is not TrackState.CONFIRMED:
        text += f" {track.state.name.lower()}"
    if track.moving:
        text += f" {np.linalg.norm(track.velocity):.2f} m/s"
    return text


def _dashes(
    p: Sequence[int], q: Sequence[int], length_px: int
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    a, b = np.array(p, float), np.array(q, float)
    count = max(1, round(float(np.linalg.norm(b - a)) / length_px))
    stops = a + (b - a) * (np.arange(count + 1)[:, None] / count)
    ends = [(round(x), round(y)) for x, y in stops.tolist()]
    return [(ends[i], ends[i + 1]) for i in range(0, count, 2)]


def _draw_legend(
    out: Image8, labels: NDArray[np.uint16] | None, prompts: Sequence[str], style: _Style
) -> None:
    """One line: a patch and the name of each prompt; pale where it is not in view."""
    top = max(0, out.shape[0] - style.legend_px)
    strip = out[top:]
    strip[:] = np.round(strip * 0.25 + np.array(_LEGEND_BACKGROUND, np.float32) * 0.75)
    seen = set(np.unique(labels).tolist()) if labels is not None else set()
    entries = [
        (prompt, color, 1.0 if labels is None or q + 1 in seen else 0.45)
        for q, (prompt, color) in enumerate(zip(prompts, prompt_colors(prompts), strict=True))
    ]
    draw_legend(out, entries, (8, top + 3, out.shape[1] - 8), style.text_px, (255, 255, 255))
