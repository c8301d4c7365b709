# SPDX-License-Identifier: Apache-2.0
"""Edits of a map against the same drawn world with the edit made in truth.

Things are chosen by their names, so what is measured is the whole way: the words, the selection,
what is put in the place, and what is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from f4x_ros.core.data import Presence
from f4x_ros.core.edit import EDITED, Edited, EditResult
from f4x_ros.core.field import Snapshot, some_of
from f4x_ros.core.perception import Perception
from f4x_ros.sim import World
from f4x_ros.sim.changed import Change, ChangedWorld, displaced, doubled, dyed, without
from f4x_ros.sim.scene import ObjectLabel

_ROOM = ("floor", "wall", "ceiling")
_THINGS = 5  # of each world
_MOMENTS = 3  # at which each edit is looked at
_LEAST_PX = 40  # of a thing in a picture that counts
_SEEN = 0.6  # share of its silhouette
_SHIFT_M = 0.25
_DRAWN = 0.5  # share of a pixel that is the thing, from which it is of its mask

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass
class EditScore:
    """What one edit of one thing is worth.

    Attributes:
        world: its name.
        thing: as it was called.
        kind: "remove", "move", "recolor" or "copy".
        outcome: of the edit; where it is not "done", the rest is empty.
        message: what was said.
        psnr_db: of the affected pixels, one a moment.
        iou: with the thing as the changed world shows it, one a moment.
        depth_cm: median error of the depth of what both show, one a moment.
        gone: of a removal: its name finds nothing where it was.
        is_there: of a removal: what is answered when asked for it afterwards.
        untouched: all that the edit is not about is what it was, to the bit.
        undone: after undoing, all is what it was, to the bit.
    """

    world: str
    thing: str
    kind: str
    outcome: str
    message: str = ""
    psnr_db: list[float] = field(default_factory=list)
    iou: list[float] = field(default_factory=list)
    depth_cm: list[float] = field(default_factory=list)
    gone: bool | None = None
    is_there: str = ""
    untouched: bool | None = None
    undone: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """As in edits.json."""
        return asdict(self)


Show = Callable[[str, list[tuple[Image, Image, Image]]], None]
"""Called with a name and rows of pictures: before, edited, truth."""


def edit_all(world: World, perception: Perception, show: Show) -> list[EditScore]:
    """Edit things of a world one by one, each undone before the next."""
    scores = []
    rng = np.random.default_rng(world.seed)
    for number in chosen_things(world, perception, rng):
        label = world.labels[number]
        way = ["left", "right", "up"][int(rng.integers(3))]
        shift = np.eye(4)
        shift[:3, 3] = _SHIFT_M * _direction(world, way)
        color = ["blue", "red", "green", "yellow"][int(rng.integers(4))]
        color = "purple" if color == label.color else color
        far = f"{100 * _SHIFT_M:g} cm"
        whither = "up" if way == "up" else f"to the {way}"
        wishes: list[tuple[str, str, Change]] = [
            ("remove", f"remove the {label.name}", without(number)),
            ("move", f"move the {label.name} {far} {whither}", displaced(number, shift)),
            ("recolor", f"make the {label.name} {color}", dyed(number, color)),
            ("copy", f"copy the {label.name} {far} {whither}", doubled(number, shift)),
        ]
        for kind, text, change in wishes:
            one = _Edited(world, perception, label, kind, show)
            scores.append(one.score(text, change))
    return scores


def chosen_things(world: World, perception: Perception, rng: np.random.Generator) -> list[int]:
    """Ids of things that are well in sight at some moments and whose names are understood."""
    names = {n: one for n, one in world.labels.items() if one.cls not in _ROOM}
    unknown = perception.misunderstood([one.name for one in names.values()])
    able = [n for n, one in names.items() if one.name not in unknown and _moments(world, n)]
    order = rng.permutation(len(able))
    return sorted(able[k] for k in order[:_THINGS])


def _moments(world: World, number: int) -> list[int]:
    """Frames at which a thing is well in sight, first and last among them."""
    frames = np.linspace(0, len(world) - 1, 13).astype(int).tolist()
    seen = []
    for index in frames:
        truth = world.truth(index)
        pixels = int((truth.instances == number).sum())
        if pixels >= _LEAST_PX and truth.visibility.get(number, 0) >= _SEEN:
            seen.append(index)
    if not seen:
        return []
    return [seen[k] for k in np.unique(np.linspace(0, len(seen) - 1, _MOMENTS).astype(int))]


def _direction(world: World, way: str) -> NDArray[np.float64]:
    """Left and right of the camera at the last frame, level."""
    if way == "up":
        return np.array([0.0, 0.0, 1.0])
    x = world.camera_pose(len(world) - 1)[:3, 0].astype(np.float64)
    flat = np.array([x[0], x[1], 0.0]) / np.hypot(x[0], x[1])
    return flat if way == "right" else -flat


class _Edited:
    """One edit of one thing."""

    def __init__(
        self, world: World, perception: Perception, label: ObjectLabel, kind: str, show: Show
    ) -> None:
        self._world, self._perception, self._label = world, perception, label
        self._kind, self._show = kind, show

    def score(self, text: str, change: Change) -> EditScore:
        result: EditResult = self._perception.edit(text)
        score = EditScore(
            self._world.name, self._label.name, self._kind, result.outcome, result.message
        )
        if not result.done:
            return score
        changed = ChangedWorld(self._world, change)
        moments = _moments(self._world, self._label.id)
        before = [self._snapshot(index) for index in moments]
        made = [self._layer(index) for index in moments]
        pictures = [self._looked(index, changed, one, score)
                    for index, one in zip(moments, made, strict=True)]  # fmt: skip
        self._show(f"{self._label.name} {self._kind}".replace(" ", "_"), pictures)
        score.untouched = all(_untouched(old, new) for old, new in zip(before, made, strict=True))
        if self._kind == "remove":
            thing = {"thing": self._label.name}
            score.is_there = self._perception.editor.tools.call("find", thing).outcome.value
            score.gone = self._gone(moments[-1])
        self._perception.undo()
        score.undone = all(
            _same(old, self._layer(index).snapshot)
            for old, index in zip(before, moments, strict=True)
        )
        return score

    def _gone(self, index: int) -> bool:
        """Whether the name finds nothing in the thing's place any more."""
        answer = self._perception.query(
            self._label.name, stamp_ns=self._then(index), want_cloud=False, layer=EDITED
        )
        if answer.presence is Presence.NOT_PRESENT:
            return True
        center = self._world.truth(index).T_map_center[self._label.id][:3, 3]
        reach = max(self._label.size) / 2
        return all(np.abs(one.position - center).max() > reach for one in answer.tracks)

    def _then(self, index: int) -> int:
        stamp = int(self._world.stamps_ns[index])
        return 0 if stamp >= self._perception.stamp_ns else stamp

    def _layer(self, index: int) -> Edited:
        return self._perception.editor.edited(self._then(index))

    def _snapshot(self, index: int) -> Snapshot:
        return self._perception.editor.measured(self._then(index))

    def _looked(
        self, index: int, changed: ChangedWorld, made: Edited, score: EditScore
    ) -> tuple[Image, Image, Image]:
        """One moment; numbers go to the score, pictures are returned."""
        world, perception = self._world, self._perception
        camera, pose = world.camera, world.camera_pose(index)
        stamp = self._then(index)
        drawn = changed.drawing(index)
        old = perception.render(camera, pose, stamp)
        new = perception.render(camera, pose, stamp, layer=EDITED)
        number = self._label.id
        if self._kind == "remove":
            affected = world.truth(index).instances == number
            score.psnr_db.append(psnr_db(new.color, drawn.rgb, affected))
            return old.color, new.color, drawn.rgb
        if self._kind == "copy":
            number = len(world.labels) + 1
        truth = drawn.instances == number
        if int(truth.sum()) < _LEAST_PX:  # moved out of sight
            return old.color, new.color, drawn.rgb
        own = (made.touched & ~made.guessed).float()[:, None]
        out = made.snapshot.render(own, camera, pose, perception.backend)
        mask = (out.image[..., 0] / out.alpha.clamp(min=_DRAWN) >= _DRAWN).cpu().numpy()
        both = mask & truth
        score.iou.append(float(both.sum() / (mask | truth).sum()))
        if both.any():
            off = np.abs(new.depth - drawn.depth)[both]
            score.depth_cm.append(100 * float(np.median(off)))
        score.psnr_db.append(psnr_db(new.color, drawn.rgb, truth))
        return old.color, new.color, drawn.rgb


def psnr_db(one: Image, other: Image, mask: Mask) -> float:
    """Peak signal to noise ratio of the pixels of a mask [H, W], at most 60 dB."""
    difference = one[mask].astype(np.float64) - other[mask].astype(np.float64)
    return float(min(60.0, 10 * np.log10(255**2 / max(float((difference**2).mean()), 1e-9))))


def _same(one: Snapshot, other: Snapshot) -> bool:
    """Whether two snapshots are the same to the bit, in the same order."""
    return all(torch.equal(a, b) for a, b in zip(_columns(one), _columns(other), strict=True))


def _columns(one: Snapshot) -> list[torch.Tensor]:
    return list(vars(one).values())


def _untouched(before: Snapshot, made: Edited) -> bool:
    """Whether what no edit touched are Gaussians that were there, to the bit and in their order."""
    rest = some_of(made.snapshot, ~made.touched)
    keys = {row.tobytes(): k for k, row in enumerate(_bytes(before))}
    found = [keys.get(row.tobytes(), -1) for row in _bytes(rest)]
    return bool(all(k >= 0 for k in found) and (np.diff(found) > 0).all())


def _bytes(one: Snapshot) -> NDArray[np.uint8]:
    """All numbers of each Gaussian [N, B]."""
    parts = [c.detach().cpu().contiguous().numpy().reshape(len(one), -1) for c in _columns(one)]
    return np.concatenate([np.ascontiguousarray(p).view(np.uint8) for p in parts], 1)


def numbers_of(scores: list[EditScore]) -> dict[str, Any]:
    """The edits' part of the report; bars are in doc/edit.md."""
    done = [one for one in scores if one.outcome == "done"]

    def middle(kind: str, name: str) -> float | None:
        values = [x for one in done if one.kind == kind for x in getattr(one, name)]
        return float(np.median(values)) if values else None

    def reached(kind: str, name: str, least: float) -> float | None:
        values = [x for one in done if one.kind == kind for x in getattr(one, name)]
        return float(np.mean([x >= least for x in values])) if values else None

    removed = [one for one in done if one.kind == "remove"]
    return {
        "asked": len(scores),
        "done": len(done),
        "removed_psnr_db": middle("remove", "psnr_db"),
        "removed_at_20_db": reached("remove", "psnr_db", 20),
        "removed_gone": float(np.mean([one.gone for one in removed])) if removed else None,
        "removed_still_said_there": sum(one.is_there == "value" for one in removed),
        **{f"{name}_iou": middle(kind, "iou") for kind, name in _PAST.items()},
        **{f"{name}_iou_at_0.75": reached(kind, "iou", 0.75) for kind, name in _PAST.items()},
        **{f"{name}_depth_cm": middle(kind, "depth_cm") for kind, name in _PAST.items()},
        "untouched": float(np.mean([one.untouched for one in done])) if done else None,
        "undone": float(np.mean([one.undone for one in done])) if done else None,
    }


_PAST = {"move": "moved", "recolor": "recolored", "copy": "copied"}

__all__ = ["EditScore", "edit_all", "numbers_of", "psnr_db"]
