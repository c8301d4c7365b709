# SPDX-License-Identifier: Apache-2.0
"""`Perception`: frames in, prompts, edits and files; what it is asked is in `answers`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from f4x_ros.core.ask import (
    AUTO,
    Asker,
    PromptSet,
)
from f4x_ros.core.ask.tools import Toolbox
from f4x_ros.core.base import StageClock
from f4x_ros.core.config import Config
from f4x_ros.core.data import (
    Frame,
    Outputs,
    Percept,
    Pose,
)
from f4x_ros.core.edit import Edit, Editor, EditResult
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.heads import make_heads
from f4x_ros.core.files import map_file
from f4x_ros.core.motion.odometry import PoseEstimate
from f4x_ros.core.perception.answers import Answers
from f4x_ros.core.render import resolve_backend
from f4x_ros.core.render.device import choose_device, drawable_here
from f4x_ros.core.world import (
    MapCloud,
    Memory,
    StandingNames,
    percept_of,
)


def nothing() -> None:
    """What is done between two steps of a frame unless something else is asked for."""


class Perception(Answers):
    """Frames in; masks, tracks and a semantic cloud of the same stamp out; questions answered.

    Args:
        config: all options.
        prompts: standing text queries, or `AUTO`; see `set_prompts`.
        first_track_id: the lowest track id to give out, to go on from another `Perception`.
        cameras: names of several cameras by precedence, see `Frame.camera_name`: questions that
            name none are asked from the first of them that had a frame. Others are known when they
            come.

    Raises:
        ValueError: an option, a backend or a prompt that cannot be used; the message says why.
    """

    def __init__(
        self,
        config: Config | None = None,
        prompts: Sequence[str] = (),
        *,
        first_track_id: int = 1,
        cameras: Sequence[str] = (),
    ) -> None:
        self.config = config or Config()
        self.device = choose_device(self.config.render.device)
        self.backend = resolve_backend(self.config.render.backend, self.device)
        self._heads = make_heads(self.config.features, self.device)
        self._asker = Asker(self._heads.words, self.config, self.backend)
        self._prompts: PromptSet
        self._names: StandingNames | None = None
        self._order = tuple(cameras)
        self._memory = self._new_memory(first_track_id)
        self._map_cloud = MapCloud()
        self._editor = self._new_editor()
        self._tools: Toolbox | None = None
        self._busy = False
        self.set_prompts(prompts)

    # --- state ---------------------------------------------------------------------------------

    def _new_memory(self, first_id: int) -> Memory:
        return Memory(self.config, self._heads, self.backend, self.device, first_id, self._order)

    def _new_editor(self) -> Editor:
        return Editor(self, self._memory, self._asker, self.backend)

    def reset(self) -> None:
        """Forget the map, its edits, the tracks and the time; keep the models and the prompts.

        Track ids are not given out again.
        """
        if self._busy:
            raise RuntimeError("reset was called from inside of process")
        memory, self._memory = self._memory, self._new_memory(self.next_track_id)
        memory.close()
        self._map_cloud = MapCloud()
        self._editor = self._new_editor()
        self._tools = None
        if self._names is not None:
            self._names.restart()
            self._prompts = self._asker.standing_prompts(())

    def set_prompts(
        self,
        prompts: Sequence[str],
        thresholds: Sequence[float] = (),
        *,
        keep_unknown: bool = False,
    ) -> None:
        """Replace the standing prompts; a threshold of 0, or none given, means calibrated.

        Args:
            prompts: see `core.ask.language`; limits are in `core.base.limits`. `AUTO` (the one word
                "auto"): the map gives itself the words of what it is sure of (none, with an
                extractor that is never sure), see `core.world.names`. Empty: none.
            thresholds: one for each, or none; of none with `AUTO`.
            keep_unknown: a prompt that is not understood keeps its place and its label, selects
                nothing, and stands in `not_understood`; else it is refused.

        Raises:
            ValueError: names the prompt that is blank, repeated, too long or not understood, or
                the threshold that is outside 0..1. The prompts in force stay as they were.
        """
        auto = tuple(prompts) == AUTO
        if auto and len(thresholds):
            raise BadInputError(
                f"there are {len(thresholds)} thresholds for prompts that the map gives itself, "
                "expected none"
            )
        namer = self._asker.namer() if auto else None
        made = self._asker.standing_prompts(() if auto else prompts, thresholds)
        if made.not_understood and not keep_unknown:
            raise next(iter(made.not_understood.values()))
        self._prompts, self._names = made, StandingNames(namer) if namer else None
        if not self._busy:  # (else when the frame, which has the prompts of before, is done)
            self._memory.keep_labels(self._prompts.texts)

    @property
    def prompts(self) -> tuple[str, ...]:
        """The standing prompts."""
        return self._prompts.texts

    @property
    def names_itself(self) -> bool:
        """Whether the standing prompts are the words that the map finds for what it is sure of."""
        return self._names is not None

    @property
    def not_understood(self) -> dict[str, str]:
        """The standing prompts that select nothing as they are not understood, and why."""
        return {text: str(error) for text, error in self._prompts.not_understood.items()}

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The threshold in force for each standing prompt."""
        return self._prompts.thresholds

    @property
    def encoder(self) -> str:
        """Name of the feature extractor that is asked in words."""
        return self._heads.words.name

    @property
    def latent_cosines(self) -> dict[str, float]:
        """By extractor: how well a latent keeps its features, see `Distiller.cosines`."""
        return self._memory.distiller.cosines

    @property
    def gaussians(self) -> int:
        """Gaussians of the field, present and past."""
        return sum(self._memory.field.counts)

    @property
    def map_bytes(self) -> int:
        """Bytes of all per-Gaussian tensors in memory; never above `field.max_bytes`."""
        return self._memory.field.nbytes

    @property
    def next_track_id(self) -> int:
        """The lowest track id that was never given out, by this map or those it reset."""
        return self._memory.tracker.next_id

    @property
    def needs_pose(self) -> bool:
        """Whether frames must come with a pose."""
        return self.config.pose.source != "odometry"

    @property
    def needs_depth(self) -> bool:
        """Whether frames must come with depth."""
        return self.config.depth.source == "given"

    @property
    def remarks(self) -> list[str]:
        """What was taken for granted of the frames so far, in sentences."""
        return self._memory.camera_depth.remarks

    @property
    def scale_given(self) -> bool:
        """Whether lengths of the map are metres, and not chosen for want of any known length."""
        mono = self._memory.camera_pose.mono
        return mono is None or mono.scale_given

    @property
    def camera_pose(self) -> PoseEstimate | None:
        """What is known of the last frame's pose; None before it, and where poses are given."""
        return self._memory.camera_pose.estimate

    def follow(self, frame: Frame) -> PoseEstimate:
        """Estimate the camera's pose and do not map the frame, with `pose.source` odometry.

        It may be called from `between` of another frame. What is followed need not be processed;
        what is processed need not have been followed, but stamps grow over both.

        Raises:
            ValueError: no depth, or a stamp before that of the last one; poses are given.
        """
        if self.needs_pose or (frame.depth is None and self.needs_depth):
            raise BadInputError(
                "a frame can be followed if it has depth and pose.source is 'odometry', expected "
                "both"
            )
        memory = self._memory
        return memory.camera_pose.follow(frame, has_map=bool(len(memory.cameras)))

    def begin_camera_at(self, T_map_camera: Pose) -> None:
        """Say where the camera is in the first frame, if that does not say; later of no effect."""
        self._memory.camera_pose.start = T_map_camera

    # --- frames --------------------------------------------------------------------------------

    def process(
        self,
        frame: Frame,
        outputs: Outputs | None = None,
        *,
        hold_out: bool = False,
        between: Callable[[], None] = nothing,
    ) -> Percept:
        """Take in one frame and describe it from the field.

        Args:
            frame: RGB-D with a pose, or without one if `pose.source` is odometry, or without depth
                if `depth.source` is motion; stamps must grow from call to call. Of several cameras,
                those of each must grow, and none may lie before the last one of another.
            outputs: what to compute; everything if not given.
            hold_out: do not map the frame, only describe it (for measuring the map).
            between: called between two small steps of the frame (an optimiser step, a pass of an
                encoder), with a consistent map: whoever waits can be answered there. What is asked
                in it is about the last frame that was finished. It may not call `process` or
                `reset`; what it raises ends the frame.

        Raises:
            ValueError: no depth, no pose, or a stamp that does not follow the last one.
            BadSampleError: with `pose.source` odometry, the camera is lost; with `depth.source`
                motion, it has not moved yet; nothing was mapped.
        """
        if self._busy:
            raise RuntimeError("process was called from inside of process")
        self._busy = True
        try:
            return self._process(frame, outputs or Outputs(), between, hold_out=hold_out)
        finally:
            self._busy = False

    def _process(
        self, frame: Frame, outputs: Outputs, between: Callable[[], None], *, hold_out: bool
    ) -> Percept:
        clock = StageClock()
        prompts = self._prompts  # others may be set before the frame is done
        with clock("pose"):
            frame = self._memory.posed(frame)
        counts = self._memory.take_in(frame, clock, between, hold_out=hold_out)
        if self._prompts is prompts and self._names is not None:
            with clock("names"):
                prompts = self._named(self._names, prompts)
            between()
        percept = percept_of(self._memory, self._asker, prompts, frame, outputs, clock)
        if self._prompts is not prompts:
            self._memory.keep_labels(self._prompts.texts)
        percept.counts = counts | self._memory.counts()
        percept.timings_ms = clock.finish()
        return percept

    def _named(self, names: StandingNames, prompts: PromptSet) -> PromptSet:
        """The standing prompts of a frame where the map finds them, and from then on."""
        if names.look(self._memory, prompts):
            prompts = self._prompts = self._asker.standing_prompts(names.words)
            self._memory.keep_labels(prompts.texts)
        return prompts

    # --- edits ---------------------------------------------------------------------------------

    def edit(self, asked: str | Edit, *, files: bool = True) -> EditResult:
        """Change the layer of edits; what was measured stays as it is. See doc/edit.md.

        Args:
            asked: such as "remove the red mug" or "undo", or an edit of what `editor.select` found.
            files: whether words may read and write files ("extract the mug to mug.ply").

        Returns:
            What was done, or why not: several things fit, it is not there, unsure, not understood.

        Raises:
            NotReadyError: no frame yet.
            CorruptError: a file to insert is none of Gaussians.
            OSError: it cannot be read.
        """
        return self._editor.edit(asked, files=files)

    def undo(self) -> Edit | None:
        """Take the last edit back, to the bit; None where there is none."""
        return self._editor.undo()

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The edits of the layer in the order in which they hold."""
        return self._editor.edits

    @property
    def editor(self) -> Editor:
        """The layer of edits: selections by clicks and boxes, extraction, what was guessed."""
        return self._editor

    # --- files ---------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the map (without keyframes) to one file, whole or not at all."""
        self._memory.save(Path(path), self._prompts, self._editor.arrays())

    @classmethod
    def load(cls, path: str | Path) -> Perception:
        """Read a map back; it answers as before and can be extended by new frames.

        A map that was made with a device or backend that is not here is drawn with what `auto`
        means here; a logged warning names both.

        Raises:
            ValueError: the file is not a map of this version, or a part of it is missing, damaged
                or does not fit; names the file and the part.
            OSError: it cannot be read.
        """
        stored = map_file.load(Path(path))
        render = drawable_here(stored.config.render, path)
        with map_file.reading(stored.path, "config"):
            self = cls(replace(stored.config, render=render))
        self._heads.check_fingerprints(stored.path, stored.fingerprints)
        with map_file.reading(stored.path, "prompts"):
            self.set_prompts(stored.prompts, stored.thresholds, keep_unknown=True)
        self._memory.restore(stored)
        with map_file.reading(stored.path, "edits"):
            self._editor.restore(stored.edits)
        return self

    def export_ply(self, path: str | Path) -> None:
        """Write the present Gaussians as a PLY that standard splat viewers open."""
        map_file.export_ply(Path(path), self._memory.field.whole()[0])
