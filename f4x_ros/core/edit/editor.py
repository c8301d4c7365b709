# SPDX-License-Identifier: Apache-2.0
"""`Editor`: edits in words or as values, done to the layer, undone, listed and saved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from f4x_ros.core.ask import Asker
from f4x_ros.core.ask.dialogue.request import Ref, When
from f4x_ros.core.ask.tools import TOOLS, MapScene, State, Toolbox
from f4x_ros.core.data import PinholeCamera, Pose, RenderedView
from f4x_ros.core.edit.change import RGB, about
from f4x_ros.core.edit.door import EditedDoor, LayeredDoor
from f4x_ros.core.edit.edit import DONE, NOT_UNDERSTOOD, Edit, EditResult
from f4x_ros.core.edit.inserted import read_ply, rows_of_map
from f4x_ros.core.edit.layer import Edited
from f4x_ros.core.edit.meant import Meant, NotMeantError, meant_by
from f4x_ros.core.edit.region import united
from f4x_ros.core.edit.selecting import Selected, Selecting
from f4x_ros.core.edit.shown import Shown
from f4x_ros.core.edit.stored import arrays_of, edits_of
from f4x_ros.core.edit.ways import shift_of, turn_about_z
from f4x_ros.core.edit.words import Wish, read_wish
from f4x_ros.core.errors import BadInputError, NotReadyError, NotUnderstoodError
from f4x_ros.core.field import NO_BODY, Snapshot, columns_of, some_of, to_picture
from f4x_ros.core.files import map_file
from f4x_ros.core.world import Memory


class Editor:
    """The edits of one map.

    Args:
        door: the map as it is asked, `core.perception.Perception`.
        memory: of it.
        asker: of it.
        backend: rasteriser, resolved.

    Attributes:
        shown: the layer: edited snapshots.
    """

    def __init__(self, door: LayeredDoor, memory: Memory, asker: Asker, backend: str) -> None:
        self._door, self._memory, self._backend = door, memory, backend
        self._asker = asker
        self.shown = Shown(memory, backend)
        self._selecting = Selecting(memory, asker, self.shown, backend)
        self._tools: Toolbox | None = None
        self._focus: Ref | None = None  # what "it" means

    # --- the list ------------------------------------------------------------------------------

    @property
    def edits(self) -> tuple[Edit, ...]:
        """In the order in which they hold."""
        return tuple(self.shown.edits)

    def add(self, edit: Edit) -> None:
        """One more, at the end; ValueError if there are too many."""
        self.shown.add(edit)
        self._tools = None

    def undo(self) -> Edit | None:
        """Take the last edit back; None where there is none."""
        if not self.shown.edits:
            return None
        last = self.shown.edits.pop()
        self._changed()
        return last

    def _changed(self) -> None:
        self.shown.changed()
        self._tools = None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The layer for a map file."""
        return arrays_of(self.shown.edits)

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the layer of a map file; ValueError if it is damaged."""
        self.shown.edits = edits_of(arrays)
        self._changed()

    @property
    def tools(self) -> Toolbox:
        """The tools of questions, over the map with edits."""
        if self._tools is None:
            self._tools = Toolbox(MapScene(EditedDoor(self._door, self.shown)), TOOLS)
        return self._tools

    # --- what is shown -------------------------------------------------------------------------

    def edited(self, stamp_ns: int = 0) -> Edited:
        """The whole map with edits at a stamp, with what was guessed; 0 = the last frame."""
        _, _, time_s = self._memory.viewpoint(None, stamp_ns)
        return self.shown.at(time_s if stamp_ns else None)

    @torch.no_grad()
    def rendered(
        self, edits: Sequence[Edit], camera: PinholeCamera, T_map_camera: Pose, stamp_ns: int = 0
    ) -> RenderedView:
        """The map with some edits, whatever those of the layer are, from anywhere."""
        _, pose, time_s = self._memory.viewpoint(T_map_camera, stamp_ns)
        then = time_s if stamp_ns else None
        snapshot = self.shown.over(self.measured(stamp_ns), then, edits).snapshot
        out = snapshot.render(snapshot.colors, camera, pose, self._backend)
        return to_picture(out, self._memory.cameras.main.exposures.at(time_s))

    @torch.no_grad()
    def guessed_in(
        self, camera: PinholeCamera, T_map_camera: Pose, stamp_ns: int = 0
    ) -> NDArray[np.float32]:
        """Share [H, W] of each pixel of the edited map that nobody saw but was guessed, 0..1."""
        made = self.edited(stamp_ns)
        out = made.snapshot.render(
            made.guessed.float()[:, None], camera, T_map_camera, self._backend
        )
        share: NDArray[np.float32] = (out.image[..., 0] / out.alpha.clamp(min=0.5)).cpu().numpy()
        return share

    def export_ply(self, path: Path) -> None:
        """Write the edited map at the last frame's time as Gaussians that splat viewers open."""
        map_file.export_ply(path, columns_of(self.edited().snapshot, 0.0))

    def measured(self, stamp_ns: int = 0) -> Snapshot:
        """The whole map as it was measured at a stamp; 0 = the last frame."""
        return self._memory.scene(stamp_ns, everything=True).snapshot

    # --- words ---------------------------------------------------------------------------------

    def edit(self, asked: str | Edit, *, files: bool = True) -> EditResult:
        """Do one edit; see `Perception.edit`."""
        if not len(self._memory.cameras):
            raise NotReadyError("there is nothing to edit: no frame has been processed yet")
        if isinstance(asked, Edit):
            self.add(asked)
            return EditResult(asked.text, DONE, f"done: {asked.about}", (asked,))
        try:
            wish = read_wish(asked)
            if wish.file and not files:
                raise NotUnderstoodError(asked, wish.file, "expected an edit without a file here")
            return self._carried_out(asked, wish)
        except NotMeantError as none:
            return EditResult(asked, none.outcome, none.text, ids=none.ids)
        except (NotUnderstoodError, BadInputError) as error:
            return EditResult(asked, NOT_UNDERSTOOD, str(error))

    def _carried_out(self, text: str, wish: Wish) -> EditResult:
        if wish.kind == "undo":
            last = self.undo()
            if last is None:
                return EditResult(text, DONE, "nothing was edited, so nothing is undone")
            return EditResult(text, DONE, f"undone: {last.about}")
        if wish.kind == "insert":
            return self._inserted(text, wish)
        assert wish.thing is not None
        ref = self._named(text, wish.thing)
        found = meant_by(self.tools, ref, wish.when)
        if not found:
            raise NotMeantError("not present", f"no {ref} then")
        span = self._span(wish.when)
        chosen = [self._selecting.of_meant(one, *span, anyway=wish.anyway) for one in found]
        checks = tuple(check for one in chosen for check in one.checks)
        ids = tuple(one.thing.id for one in found)
        self._focus = ref
        if wish.kind == "extract":
            count = self.extract(chosen, Path(wish.file).expanduser())
            message = f"{ref}: {count} Gaussians are in {wish.file}; the map is as it was"
            return EditResult(text, DONE, message, ids=ids, checks=checks)
        edit = self._edit_of(text, wish, chosen, found)
        self.add(edit)
        where = "; ".join("at ({:.2f}, {:.2f}, {:.2f})".format(*one.state.center) for one in found)
        message = f"{wish.kind}: {ref} {where}, {sum(len(one.region.inside) for one in chosen)} "
        return EditResult(text, DONE, f"{message}Gaussians", (edit,), ids, checks)

    def _named(self, text: str, ref: Ref) -> Ref:
        if not ref.pronoun:
            return ref
        if self._focus is None:
            raise NotUnderstoodError(text, "it", "expected a name, as nothing was edited before")
        return self._focus

    def _span(self, when: When) -> tuple[int, int]:
        """Stamps of the first and last moment that an edit holds."""
        first, last = self._door.span_ns
        since = first if when.since is None else self._stamp(when.since)
        until = last if when.until is None else self._stamp(when.until)
        if since >= until:
            raise BadInputError(
                f"the span is {when.since} to {when.until} s, expected an end after its begin"
            )
        return since, until

    def _stamp(self, seconds: float) -> int:
        first, last = self._door.span_ns
        stamp = (last if seconds < 0 else first) + round(seconds * 1e9)
        return min(max(stamp, first), last)

    def _edit_of(
        self, text: str, wish: Wish, chosen: Sequence[Selected], found: Sequence[Meant]
    ) -> Edit:
        region = united([one.region for one in chosen])
        kind = wish.kind if wish.kind in ("remove", "recolor", "copy") else "move"
        transform, foot = np.eye(4), found[0].foot
        if kind in ("move", "copy"):
            if len(chosen) > 1:
                raise BadInputError(
                    f"{len(chosen)} things are meant by '{wish.thing}', expected one to {wish.kind}"
                )
            transform = self._transform(wish, found[0])
        edit = Edit(
            kind,
            region,
            transform=transform,
            scale=wish.factor,
            color=RGB[wish.color] if kind == "recolor" else None,
            text=text,
            at_s=self._memory.seconds(found[0].stamp_ns),
            pivot=(float(foot[0]), float(foot[1]), float(foot[2])),
        )
        since, until = wish.when.since, wish.when.until
        if since is None and until is None:
            return edit
        begin = -math.inf if since is None else self._memory.seconds(self._stamp(since))
        end = math.inf if until is None else self._memory.seconds(self._stamp(until))
        return edit.during(begin, end)

    def _transform(self, wish: Wish, meant: Meant) -> NDArray[np.float64]:
        shift = np.zeros(3)
        if wish.way is not None:
            _, pose = self._door.viewpoint(None, meant.stamp_ns)
            shift = shift_of(wish.way, meant.state, pose, lambda ref: self._place(ref, wish.when))
        return about(meant.foot, turn_about_z(wish.degrees), wish.factor, shift)

    def _place(self, ref: Ref, when: When) -> State:
        """The box of the other thing of "on" and "next to"."""
        return meant_by(self.tools, replace(ref, plural=False), when)[0].state

    # --- splats --------------------------------------------------------------------------------

    def _inserted(self, text: str, wish: Wish) -> EditResult:
        assert wish.way is not None
        assert wish.way.place is not None
        rows = splat_of(wish.file)
        low, high = np.percentile(rows["means"], (1, 99), axis=0)
        shift = np.asarray(wish.way.place) - (low + high) / 2
        edit = Edit("insert", rows=rows, transform=about(np.zeros(3), np.eye(3), 1.0, shift),
                    text=text)  # fmt: skip
        self.add(edit)
        message = f"insert: {len(rows['means'])} Gaussians of {wish.file}, their middle at "
        return EditResult(
            text, DONE, message + "({:g}, {:g}, {:g})".format(*wish.way.place), (edit,)
        )

    def extract(self, chosen: Sequence[Selected], path: Path) -> int:
        """Write what was selected, as it is edited at that moment; returns how many Gaussians.

        Args:
            chosen: the selections.
            path: `.ply` for splat viewers; `.f4x` a map of its own, with features, and with the
                motion of what moves with a body and was not edited.

        Raises:
            BadInputError: the file is to be something else.
            OSError: it cannot be written.
        """
        kind = path.suffix.lower()
        if kind not in (".ply", ".f4x"):
            raise BadInputError(
                f"the file to extract to is {path}, expected one that ends in .ply or .f4x"
            )
        stamp_ns = chosen[0].stamp_ns
        made = self.edited(0 if stamp_ns >= self._memory.stamp_ns else stamp_ns)
        region = united([one.region for one in chosen])
        rows = region.rows_of(made.snapshot)
        part = some_of(made.snapshot, rows)
        if kind == ".ply":
            map_file.export_ply(path, columns_of(part, 0.0))
            return len(part)
        # (what an edit put elsewhere does not go the body's way)
        still = torch.where(made.touched[rows], NO_BODY, part.body_ids)
        part = replace(part, body_ids=still.to(part.body_ids.dtype))
        known = [] if self._door.misunderstood([region.name]) else [region.name]
        prompts = self._asker.standing_prompts(known)
        self._memory.save_part(path, prompts, part, self._memory.seconds(stamp_ns))
        return len(part)

    # --- other ways to select ------------------------------------------------------------------

    def select(
        self,
        *,
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        box: Sequence[float] | None = None,
        low: ArrayLike | None = None,
        high: ArrayLike | None = None,
        words: str = "",
        stamp_ns: int = 0,
        view: Pose | None = None,
        camera: PinholeCamera | None = None,
    ) -> Selected:
        """A selection to make an `Edit` of; see `Perception.select`."""
        given = [bool(words), points is not None or box is not None, low is not None]
        if sum(given) != 1 or (low is None) != (high is None):
            raise BadInputError(
                "expected one of words, clicks or a box in the picture, low and high"
            )
        if low is not None and high is not None:
            return self._selecting.boxed(low, high, stamp_ns)
        if not words:
            return self._selecting.clicked(points, labels, box, stamp_ns, view, camera)
        at = None
        if stamp_ns:
            at = (stamp_ns - self._door.span_ns[0]) / 1e9
        try:
            found = meant_by(self.tools, read_wish(f"remove {words}").thing or Ref(words), When(at))
            return self._selecting.of_meant(found[0], *self._door.span_ns)
        except NotMeantError as none:
            raise BadInputError(f"{words!r} means no one thing: {none.text}") from None


def splat_of(path: str | Path) -> dict[str, NDArray[Any]]:
    """The Gaussians of a PLY, or of a map: those that are there at its end."""
    if not str(path).endswith(".f4x"):
        return read_ply(path)
    stored = map_file.load(Path(path).expanduser())
    return rows_of_map(stored.groups["present"], str(path))
