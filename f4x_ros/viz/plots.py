# SPDX-License-Identifier: Apache-2.0
"""Plots of an evaluation: over time, per phrase, from above, and of presence (matplotlib)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import UnsupportedError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 110
_INK, _PALE, _GOOD, _BAD, _OTHER = "#22252b", "#c8ccd2", "#0072b2", "#d55e00", "#009e73"


def plot_over_time(
    path: Path, times_s: NDArray[np.floating], series: Mapping[str, NDArray[np.floating]]
) -> None:
    """One strip per series above each other, with the mean of each written at its end.

    Args:
        path: PNG to write.
        times_s: ``[N]`` seconds.
        series: name with unit to ``[N]`` numbers; NaN leaves a gap; a strip without a number is
            left out.

    Raises:
        UnsupportedError: matplotlib is missing; says how to get it.
        OSError: the file cannot be written.
    """
    shown = {name: values for name, values in series.items() if np.isfinite(values).any()}
    if not shown:
        return
    figure = _figure(9, 1.5 * len(shown) + 0.6)
    axes = np.atleast_1d(figure.subplots(len(shown), 1, sharex=True))
    for axis, (name, values) in zip(axes, shown.items(), strict=True):
        finite = np.isfinite(values)
        axis.plot(times_s, values, color=_GOOD, lw=1.4)
        mean = float(np.mean(values[finite]))
        axis.axhline(mean, color=_BAD, lw=0.9, ls="--")
        axis.set_title(f"{name}   mean {mean:.3g}", loc="left", fontsize=9)
        top = float(values[finite].max())
        axis.set_ylim(0, 1.02 if "IoU" in name else max(top * 1.15, 1e-3))
        axis.margins(x=0.01)
    axes[-1].set_xlabel("seconds")
    _save(figure, path)


def plot_phrases(
    path: Path, iou: Mapping[str, float], other_words: Mapping[str, float] | None = None
) -> None:
    """IoU of each phrase as bars, the best on top; other words for the same in a second colour.

    Raises:
        UnsupportedError, OSError: as `plot_over_time`.
    """
    groups = [(iou, _GOOD, "own words"), (other_words or {}, _OTHER, "other words")]
    rows = [(text, value, color) for group, color, _ in groups for text, value in group.items()]
    if not rows:
        return
    rows.sort(key=lambda row: row[1])
    figure = _figure(7.5, 0.21 * len(rows) + 1.1)
    axis = figure.subplots()
    axis.barh(range(len(rows)), [row[1] for row in rows], color=[row[2] for row in rows])
    axis.set_yticks(range(len(rows)), [row[0] for row in rows], fontsize=7.5)
    axis.set_xlim(0, 1)
    axis.set_ylim(-0.7, len(rows) - 0.3)
    for group, color, name in groups:
        if group:
            mean = sum(group.values()) / len(group)
            axis.axvline(mean, color=color, ls="--", lw=1, label=f"{name}, mean {mean:.2f}")
    axis.set_xlabel("IoU")
    axis.legend(loc="lower right", fontsize=8, frameon=False)
    _save(figure, path)


def plot_from_above(
    path: Path,
    camera: tuple[NDArray[np.floating], NDArray[np.floating]],
    objects: Mapping[str, NDArray[np.floating]],
    tracks: Mapping[str, NDArray[np.floating]],
) -> None:
    """Paths of the camera and of things that move, x to the right and y up, true and found.

    Args:
        path: PNG to write.
        camera: true and estimated positions ``[N, 3]``; the latter may be empty.
        objects: name to true positions ``[N, 3]``.
        tracks: name to tracked positions ``[N, 3]``.

    Raises:
        UnsupportedError, OSError: as `plot_over_time`.
    """
    figure = _figure(7, 6.2)
    axis = figure.subplots()
    truth, estimated = camera
    axis.plot(truth[:, 0], truth[:, 1], color=_PALE, lw=4, label="camera, true")
    axis.plot(estimated[:, 0], estimated[:, 1], color=_INK, lw=1, label="camera, used")
    axis.plot(*truth[0, :2], "o", color=_INK, ms=5)
    for number, (name, places) in enumerate(objects.items()):
        label = "things that move, true" if number == 0 else None
        axis.plot(places[:, 0], places[:, 1], color="#9fd4c3", lw=4, label=label)
        axis.annotate(name, (places[-1, 0], places[-1, 1]), fontsize=7, color=_INK, xytext=(4, 4),
                      textcoords="offset points")  # fmt: skip
    for number, places in enumerate(tracks.values()):
        label = "tracks" if number == 0 else None
        axis.plot(places[:, 0], places[:, 1], color=_BAD, lw=1, marker=".", ms=2.5, label=label)
    axis.set_aspect("equal", adjustable="datalim")
    axis.set_xlabel("x [m]")
    axis.set_ylabel("y [m]")
    axis.legend(loc="best", fontsize=8, frameon=False)
    _save(figure, path)


def plot_presence(
    path: Path,
    precision: Sequence[float],
    recall: Sequence[float],
    decided: tuple[float | None, float | None],
    auroc: float,
) -> None:
    """Precision over recall of "is it there?", with the decisions taken as a point.

    Args:
        path: PNG to write.
        precision: ``[T]`` 0..1.
        recall: ``[T]`` 0..1.
        decided: precision and recall of the answers that were given.
        auroc: area under the ROC curve, 0..1.

    Raises:
        UnsupportedError, OSError: as `plot_over_time`.
    """
    figure = _figure(4.6, 4.2)
    axis = figure.subplots()
    axis.step(recall, precision, where="post", color=_GOOD, lw=1.6, label=f"AUROC {auroc:.3f}")
    for f1 in (0.5, 0.7, 0.85, 0.95):
        x = np.linspace(f1 / 2 + 1e-3, 1, 100)
        axis.plot(x, f1 * x / (2 * x - f1), color=_PALE, lw=0.8)
        axis.text(1.005, f1 / (2 - f1), f"F1 {f1:g}", fontsize=7, color="#888c94", va="center")
    if decided[0] is not None and decided[1] is not None:
        axis.plot(decided[1], decided[0], "o", color=_BAD, ms=8, label="answers given")
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1.03)
    axis.set_xlabel("recall")
    axis.set_ylabel("precision")
    axis.legend(loc="lower left", fontsize=8, frameon=False)
    _save(figure, path)


def _figure(width_in: float, height_in: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnsupportedError(
            f"plots need matplotlib ({error}): pip install matplotlib"
        ) from error
    return Figure(figsize=(width_in, min(height_in, 60)), layout="constrained", dpi=_DPI)


def _save(figure: Figure, path: Path) -> None:
    for axis in figure.axes:
        _quiet(axis)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without a date and a version in it, the same numbers give the same file.
    metadata: dict[str, Any] = {"Software": None}
    figure.savefig(path, metadata=metadata)


def _quiet(axis: Axes) -> None:
    """Ink only where it says something."""
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.tick_params(labelsize=8, color=_PALE)
    axis.grid(visible=True, color="#eef0f2", lw=0.8)
    axis.set_axisbelow(True)
