# SPDX-License-Identifier: Apache-2.0
"""Gradient steps on the Gaussians in view, one view at a time."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from f4x_ros.core.data import PinholeCamera
from f4x_ros.core.field import GaussianField, GaussianSet, Moved
from f4x_ros.core.field.paths import joined as all_moved
from f4x_ros.core.mapping.adam import Drawn, adam_step, native_adam_step
from f4x_ros.core.mapping.loss import loss_gradients, view_loss
from f4x_ros.core.observe import View
from f4x_ros.core.render import RenderOutput, cpu, native, render

_NEAR_M = 0.01  # of the rasteriser
_RIM_PX = 2.5  # what the rasteriser's blur of a third of a pixel adds to a Gaussian's reach
_SIGMAS = 4.0  # a Gaussian's reach beyond its mean; it may still grow while it is refined
_LEAST_PX = 0.4  # standard deviation of a Gaussian that a view can resolve and so refine


Pair = tuple[Tensor, Tensor]


class InView(NamedTuple):
    """Rows of the working set that a view may show at its time."""

    present: Tensor  # [K] indices of those that are refined
    fixed: Tensor  # [F] indices of present ones that are too small for this
    past: Tensor  # [L] indices
    shown: Tensor  # [K + F] indices of present and fixed
    moved: Moved | None = None  # of shown, then past: those that are elsewhere at its time
    absent: Tensor | None = (
        None  # [H, W] mask of pixels that show nothing, or what is not in memory
    )


def refine(
    field: GaussianField,
    views: Sequence[View],
    backend: str,
    between: Callable[[], None],
    absent: Mapping[View, Tensor] | None = None,
) -> None:
    """One step against each of the views, in their order; `between` is called after each.

    A step moves the present Gaussians that are valid at the view's time and in sight of it, and the
    exposure of the view. What has died since takes part as a constant, so that a thing that moved
    away still explains the view it was seen in; so does what is too small for the view, because
    a look from afar would blur what a closer one has resolved. Pixels that show nothing,
    or what is not in memory (masks [H, W] in `absent`), teach nothing: Gaussians would be stretched
    to fill the gap.
    """
    different = list(dict.fromkeys(views))
    chosen = dict(zip(different, in_view(field, different, backend), strict=True))
    if absent:
        chosen |= {one: chosen[one]._replace(absent=mask) for one, mask in absent.items()}
    for view in views:
        step(field, view, chosen[view], backend)
        between()


@torch.no_grad()
def in_view(field: GaussianField, views: Sequence[View], backend: str) -> list[InView]:
    """For each view what it may show; asks the device twice for each of the two tables."""
    rows = _native_rows_in_view if backend == "cpu" else _rows_in_view
    times = [view.time_s for view in views]
    moved = [field.paths.motion(part["body_ids"], part["placed_s"], times) for part in field.parts]
    present, past = (
        rows(part, views, there) for part, there in zip(field.parts, moved, strict=True)
    )
    return [
        InView(
            fine, small, torch.cat(gone), torch.cat([fine, small]),
            _moved(field, here, there, torch.cat([fine, small]), torch.cat(gone)),
        )
        for (fine, small), gone, here, there in zip(present, past, *moved, strict=True)
    ]  # fmt: skip


def _moved(
    field: GaussianField, present: Moved | None, past: Moved | None, shown: Tensor, gone: Tensor
) -> Moved | None:
    """What is elsewhere, as rows of those that are drawn: `shown`, then `gone`."""
    of_past = None if past is None else past.among(gone, len(field.past))
    return all_moved(
        [
            None if present is None else present.among(shown, len(field.present)),
            None if of_past is None else of_past.after(len(shown)),
        ]
    )


def _rows_in_view(
    gaussians: GaussianSet, views: Sequence[View], moved: Sequence[Moved | None]
) -> list[Pair]:
    """For each view the rows that it may show: those that it resolves, and the others."""
    means, birth_s, death_s = gaussians["means"], gaussians["birth_s"], gaussians["death_s"]
    if not len(gaussians):
        nothing = torch.zeros(0, dtype=torch.long, device=means.device)
        return [(nothing, nothing)] * len(views)
    largest = gaussians["log_scales"].amax(-1).exp_()
    reach = _SIGMAS * largest
    shown = []
    for view, there in zip(views, moved, strict=True):
        at = means if there is None else there.means(means)
        p = at @ view.viewmat[:3, :3].T + view.viewmat[:3, 3]
        x, y, z = p.unbind(-1)
        (left, right, top, bottom), (across, down) = _pyramid(view.camera)
        inside = (
            (z > _NEAR_M) & (x > -(z * left + reach * across)) & (x < z * right + reach * across)
        )
        inside &= (y > -(z * top + reach * down)) & (y < z * bottom + reach * down)
        inside &= (z > _NEAR_M) & (birth_s < view.time_s) & (view.time_s < death_s)
        small = largest < _LEAST_PX / view.camera.fx * z
        shown += [inside & ~small, inside & small]
    each = torch.stack(shown)
    rows = each.nonzero()[:, 1]
    parts = torch.split(rows, each.sum(1).tolist())
    return list(zip(parts[::2], parts[1::2], strict=True))


def _native_rows_in_view(
    gaussians: GaussianSet, views: Sequence[View], moved: Sequence[Moved | None]
) -> list[Pair]:
    """The same in one compiled pass for each view."""
    columns = ("log_scales", "birth_s", "death_s")
    pointers = [gaussians[name].data_ptr() for name in columns]
    means = gaussians["means"]
    shown = torch.empty(len(gaussians), dtype=torch.uint8)
    found = []
    for view, there in zip(views, moved, strict=True):
        at = means if there is None else there.means(means)
        sides, stretch = _pyramid(view.camera)
        given = native.InView(
            len(gaussians),
            at.data_ptr(),
            *pointers,
            view.viewmat.data_ptr(),
            (ctypes.c_float * 4)(*sides),
            (ctypes.c_float * 2)(*stretch),
            _NEAR_M,
            _SIGMAS,
            _LEAST_PX / view.camera.fx,
            view.time_s,
            torch.get_num_threads(),
        )
        where = ctypes.c_void_p(shown.data_ptr())
        native.library().call("f4x_in_view_f32", ctypes.byref(given), where)
        found.append(((shown == 2).nonzero()[:, 0], (shown == 1).nonzero()[:, 0]))
    return found


def _pyramid(c: PinholeCamera) -> tuple[tuple[float, ...], tuple[float, float]]:
    """Tangents of the left, right, top and bottom side of what a camera sees, positive outwards.

    And how much longer a Gaussian's reach is across and down: towards the rim of the image it is
    drawn out sideways.
    """
    left, right = (c.cx + _RIM_PX) / c.fx, (c.width - c.cx + _RIM_PX) / c.fx
    top, bottom = (c.cy + _RIM_PX) / c.fy, (c.height - c.cy + _RIM_PX) / c.fy
    across = math.hypot(1, max(c.cx, c.width - c.cx) / c.fx)
    down = math.hypot(1, max(c.cy, c.height - c.cy) / c.fy)
    return (left, right, top, bottom), (across, down)


def step(field: GaussianField, view: View, chosen: InView, backend: str) -> Tensor:
    """One step against a view; returns the loss before it, on the field's device."""
    if backend == "cpu":
        return _native_step(field, view, chosen)
    return _torch_step(field, view, chosen, backend)


def _torch_step(field: GaussianField, view: View, chosen: InView, backend: str) -> Tensor:
    """By autograd: on GPUs, without a compiler, and as the specification in tests."""
    drawn = Drawn.of(field.present, chosen.present)
    parts = ((field.present, chosen.fixed), (field.past, chosen.past))
    others = [Drawn.of(part, rows) for part, rows in parts if len(rows)]
    leaves = Drawn(*(t.detach().requires_grad_() for t in drawn))
    exposure = view.exposure.values.detach().requires_grad_(view.exposure.learn)
    out = _draw(_at_the_time(_joined(leaves, others), chosen.moved), view, backend)
    loss = view_loss(out.image, out.depth, out.alpha, view, exposure, chosen.absent)
    learned = [exposure] if view.exposure.learn else []
    gradients = torch.autograd.grad(loss, [*leaves, *learned])
    adam_step(field.present, chosen.present, drawn, Drawn(*gradients[:5]))
    if learned:
        view.exposure.step(gradients[-1])
    return loss.detach()


@torch.no_grad()
def _native_step(field: GaussianField, view: View, chosen: InView) -> Tensor:
    """The same in a few compiled passes; those that are refined are the first rows of all."""
    drawn = Drawn.of(field.present, chosen.shown, compiled=True)
    past = [Drawn.of(field.past, chosen.past, compiled=True)] if len(chosen.past) else []
    whole = _at_the_time(_joined(drawn, past), chosen.moved)
    exposure = view.exposure.values
    shape = (view.viewmat, view.K, *view.size)
    out, backward = cpu.render_for_gradients(*whole, *shape)
    g = loss_gradients(out.image, out.depth, out.alpha, view, exposure, chosen.absent)
    gradients = Drawn(*backward(g.color, g.depth, g.alpha))
    if chosen.moved is not None:
        means, quats = chosen.moved.gradients(gradients.means, gradients.quats)
        gradients = gradients._replace(means=means, quats=quats)
    native_adam_step(field.present, chosen.present, drawn, gradients)
    if view.exposure.learn:
        view.exposure.step(g.exposure)
    return torch.tensor(g.loss)


def _joined(drawn: Drawn, others: Sequence[Drawn]) -> Drawn:
    """Those that are refined first."""
    if not others:
        return drawn
    return Drawn(*(torch.cat(parts) for parts in zip(drawn, *others, strict=True)))


def _at_the_time(drawn: Drawn, moved: Moved | None) -> Drawn:
    """What is drawn, where it was at the time of the view."""
    if moved is None:
        return drawn
    return drawn._replace(means=moved.means(drawn.means), quats=moved.turned(drawn.quats))


def _draw(drawn: Drawn, view: View, backend: str) -> RenderOutput:
    width, height = view.size
    return render(*drawn, view.viewmat, view.K, width, height, backend=backend)
