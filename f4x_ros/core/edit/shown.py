# SPDX-License-Identifier: Apache-2.0
"""The layer over a map that may go on growing: edited snapshots, made when they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.ask import QueryScene
from f4x_ros.core.base.limits import MAX_EDITS
from f4x_ros.core.data import PinholeCamera, Pose, inverse
from f4x_ros.core.edit.change import joined
from f4x_ros.core.edit.edit import Edit
from f4x_ros.core.edit.fill import guessed
from f4x_ros.core.edit.inpaint import inpainted
from f4x_ros.core.edit.layer import Edited, apply
from f4x_ros.core.edit.views import looks_at
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.field import Snapshot, some_of, take_snapshot
from f4x_ros.core.world import Memory

MEASURED, EDITED = "measured", "edited"
LAYERS = (MEASURED, EDITED)
"""What can be drawn and asked: what was measured (the default everywhere), or that with edits."""

_KEPT = 4  # edited snapshots
_CANDIDATES = 64  # poses along the camera's way, of which ...
_LOOKS = 8  # ... so many that show the thing tell what it hid
_LOOK_PX = 320  # wide at most
_SEEN_PX, _SHOWN = 8, 0.5  # pixels that are mostly a thing, for a picture to show it


def check_layer(layer: str) -> None:
    """ValueError unless it is one of `LAYERS`."""
    if layer not in LAYERS:
        raise BadInputError(f"layer is {layer!r}, expected one of {', '.join(LAYERS)}")


class Shown:
    """Edits over the memory of one map.

    Attributes:
        edits: in the order in which they hold.
    """

    def __init__(self, memory: Memory, backend: str) -> None:
        self._memory, self._backend = memory, backend
        self.edits: list[Edit] = []
        self._made: OrderedDict[tuple[float | None, int, int], Edited] = OrderedDict()

    def changed(self) -> None:
        """Forget what was made of other edits."""
        self._made.clear()

    def add(self, edit: Edit) -> None:
        """One more edit, at the end; what was made of those before it is the beginning of it.

        Raises:
            ValueError: there are as many as there may be.
        """
        if len(self.edits) >= MAX_EDITS:
            raise BadInputError(
                f"there are {len(self.edits)} edits, expected at most {MAX_EDITS}: undo some"
            )
        self.edits.append(edit)
        memory = self._memory
        now = (memory.stamp_ns, memory.mapped)
        for key in list(self._made):
            if key[1:] != now:  # of a map that has gone on
                del self._made[key]
                continue
            self._made[key] = self._applied([edit], self._made[key], key[0])

    @torch.no_grad()
    def at(self, time_s: float | None) -> Edited:
        """The whole map with edits, at a time (seconds of the field); None: the last frame's."""
        memory = self._memory
        key = (time_s, memory.stamp_ns, memory.mapped)
        if key not in self._made:
            made = self.over(take_snapshot(memory.field, time_s), time_s)
            self._made[key] = made
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return self._made[key]

    @torch.no_grad()
    def over(
        self, snapshot: Snapshot, time_s: float | None, edits: Sequence[Edit] | None = None
    ) -> Edited:
        """A snapshot with edits, those of the layer unless given."""
        chosen = self.edits if edits is None else edits
        return self._applied(chosen, Edited.of(snapshot), time_s)

    @torch.no_grad()
    def _applied(self, edits: Sequence[Edit], before: Edited, time_s: float | None) -> Edited:
        memory = self._memory
        then = memory.seconds(memory.stamp_ns) if time_s is None else time_s
        return apply(edits, before, then, self._behind, self._way)

    def scene(self, scene: QueryScene, layer: str) -> QueryScene:
        """What a question is about, in a layer.

        Raises:
            ValueError: no such layer.
        """
        check_layer(layer)
        if layer == MEASURED or not self.edits:
            return scene
        return replace(scene, snapshot=self.at(scene.time_s if scene.past else None).snapshot)

    def _way(self, edit: Edit, time_s: float) -> NDArray[np.float64]:
        """How far [3] m the thing of an edit has gone since it was asked for, with its body.

        Of a track without a body it is what its middle went.
        """
        region, nowhere = edit.region, np.zeros(3)
        if region is None:
            return nowhere
        paths = self._memory.field.paths
        body = next((one for one in region.bodies if one in paths), None)
        if body is not None:
            then, now = paths.at(body, edit.at_s), paths.at(body, time_s)
            pivot = np.array([*edit.pivot, 1.0])
            return np.asarray((now @ inverse(then) @ pivot - pivot)[:3])
        for life in self._memory.tracker.lives:
            if life.id in region.tracks:
                then, now = (
                    life.position_at(self._memory.stamp_at(one)) for one in (edit.at_s, time_s)
                )
                return now - then
        return nowhere

    @torch.no_grad()
    def is_seen(self, snapshot: Snapshot, rows: Tensor) -> bool:
        """Whether a view along the camera's way shows some rows (mask [N]) of a snapshot."""
        camera = self._look_camera()
        for pose in self._poses(some_of(snapshot, rows)):
            (look,) = looks_at(snapshot, rows, camera, [pose], self._backend)
            if int((look.thing >= _SHOWN).sum()) >= _SEEN_PX:
                return True
        return False

    def _look_camera(self) -> PinholeCamera:
        last = self._memory.viewpoint(None, 0)[0]
        return last.camera.scaled(min(1.0, _LOOK_PX / last.camera.width))

    def _behind(self, snapshot: Snapshot, rows: Tensor) -> Snapshot:
        """What is guessed to be behind some rows of a snapshot."""
        removed = some_of(snapshot, rows)
        looks = looks_at(snapshot, rows, self._look_camera(), self._poses(removed), self._backend)
        kept = some_of(snapshot, ~rows)
        planes = guessed(kept, removed, looks)
        rest = inpainted(joined([kept, planes]), looks, self._backend)
        return joined([planes, rest])

    def _poses(self, removed: Snapshot) -> list[Pose]:
        """Poses of the camera's way that look at the thing, spread over it."""
        memory = self._memory
        main = memory.cameras.main
        last = memory.viewpoint(None, 0)[0]
        stamps = main.path.arrays()["stamps_ns"]
        chosen = stamps[np.linspace(0, len(stamps) - 1, min(_CANDIDATES, len(stamps))).astype(int)]
        middle = removed.means.double().mean(0).cpu().numpy()
        seeing = []
        for stamp in chosen.tolist():
            pose = main.path.at(int(stamp))
            T = inverse(np.asarray(pose, np.float64))
            point = (T[:3, :3] @ middle + T[:3, 3])[None]
            if point[0, 2] > 0.05:
                x, y = last.camera.project(point)[0]
                if 0 <= x < last.camera.width and 0 <= y < last.camera.height:
                    seeing.append(pose)
        if not seeing:
            return []
        return [seeing[k] for k in np.unique(np.linspace(0, len(seeing) - 1, _LOOKS).astype(int))]
