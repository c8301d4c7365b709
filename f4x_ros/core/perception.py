# SPDX-License-Identifier: Apache-2.0
"""`Perception`: the one door. The command line, the tests and the ROS node all go through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from f4x_ros.core.ask import (
    Asker,
    Evidence,
    Operator,
    PosedImage,
    PromptSet,
    Quantity,
    TransferResult,
    drawn_images,
    images_of,
    lift,
    segment,
    transfer_marks,
)
from f4x_ros.core.ask.dialogue import Answer as SpokenAnswer
from f4x_ros.core.ask.dialogue import Dialogue, Session
from f4x_ros.core.ask.tools import TOOLS, MapScene, Toolbox, history
from f4x_ros.core.base import StageClock
from f4x_ros.core.config import Config
from f4x_ros.core.data import (
    Cloud,
    Frame,
    Frustum,
    HistoryResult,
    Outputs,
    Percept,
    PinholeCamera,
    PointTracks,
    Pose,
    Prediction,
    QueryResult,
    RenderedView,
    ShownView,
)
from f4x_ros.core.edit import EDITED, MEASURED, Edit, Editor, EditResult, check_layer
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.heads import make_heads
from f4x_ros.core.field import Snapshot, brought_here, take_snapshot, to_picture
from f4x_ros.core.files import map_file
from f4x_ros.core.motion.odometry import PoseEstimate
from f4x_ros.core.objects import AHEAD_S, Life, predictions
from f4x_ros.core.observe import apply
from f4x_ros.core.render import resolve_backend
from f4x_ros.core.render.device import choose_device, drawable_here
from f4x_ros.core.world import (
    MapCloud,
    Memory,
    cloud_of,
    followed,
    moments,
    percept_of,
    shown,
    surface_points,
)


def nothing() -> None:
    """What is done between two steps of a frame unless something else is asked for."""


class Perception:
    """Frames in; masks, tracks and a semantic cloud of the same stamp out; questions answered.

    Args:
        config: all options.
        prompts: standing text queries; see `set_prompts`.
        first_track_id: the lowest track id to give out, to go on from another `Perception`.

    Raises:
        ValueError: an option, a backend or a prompt that cannot be used; the message says why.
    """

    def __init__(
        self,
        config: Config | None = None,
        prompts: Sequence[str] = (),
        *,
        first_track_id: int = 1,
    ) -> None:
        self.config = config or Config()
        self.device = choose_device(self.config.render.device)
        self.backend = resolve_backend(self.config.render.backend, self.device)
        self._heads = make_heads(self.config.features, self.device)
        self._asker = Asker(self._heads.words, self.config, self.backend)
        self._prompts: PromptSet
        self._memory = self._new_memory(first_track_id)
        self._map_cloud = MapCloud()
        self._editor = self._new_editor()
        self._tools: Toolbox | None = None
        self._busy = False
        self.set_prompts(prompts)

    # --- state ---------------------------------------------------------------------------------

    def _new_memory(self, first_id: int) -> Memory:
        return Memory(self.config, self._heads, self.backend, self.device, first_id)

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

    def set_prompts(
        self,
        prompts: Sequence[str],
        thresholds: Sequence[float] = (),
        *,
        keep_unknown: bool = False,
    ) -> None:
        """Replace the standing prompts; a threshold of 0, or none given, means calibrated.

        Args:
            prompts: see `core.ask.language`; limits are in `core.base.limits`.
            thresholds: one for each, or none.
            keep_unknown: a prompt that is not understood keeps its place and its label, selects
                nothing, and stands in `not_understood`; else it is refused.

        Raises:
            ValueError: names the prompt that is blank, repeated, too long or not understood, or
                the threshold that is outside 0..1. The prompts in force stay as they were.
        """
        made = self._asker.standing_prompts(prompts, thresholds)
        if made.not_understood and not keep_unknown:
            raise next(iter(made.not_understood.values()))
        self._prompts = made
        if not self._busy:  # (else when the frame, which has the prompts of before, is done)
            self._memory.keep_labels(self._prompts.texts)

    @property
    def prompts(self) -> tuple[str, ...]:
        """The standing prompts."""
        return self._prompts.texts

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
    def stamp_ns(self) -> int:
        """Stamp of the last frame; 0 before the first."""
        return self._memory.stamp_ns

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
        return memory.camera_pose.follow(frame, has_map=bool(len(memory.trajectory)))

    def begin_camera_at(self, T_map_camera: Pose) -> None:
        """Say where the camera is in the first frame, if that does not say; later of no effect."""
        self._memory.camera_pose.start = T_map_camera

    @property
    def span_ns(self) -> tuple[int, int]:
        """Stamps of the first and the last frame; NotReadyError before the first."""
        return self._memory.trajectory.span_ns

    @property
    def map_frame(self) -> str:
        """Fixed frame of all positions; NotReadyError before the first frame."""
        return self._memory.viewpoint(None, 0)[0].map_frame

    @property
    def lives(self) -> tuple[Life, ...]:
        """The histories of all tracks, also of those that are no more; not to be changed."""
        return self._memory.tracker.lives

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
                if `depth.source` is motion; stamps must grow from call to call.
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
        percept = percept_of(self._memory, self._asker, prompts, frame, outputs, clock)
        if self._prompts is not prompts:
            self._memory.keep_labels(self._prompts.texts)
        percept.counts = counts | self._memory.counts()
        percept.timings_ms = clock.finish()
        return percept

    # --- questions -----------------------------------------------------------------------------

    def query(
        self,
        text: str = "",
        *,
        example: NDArray[np.uint8] | None = None,
        like_object: int = 0,
        threshold: float = 0.0,
        stamp_ns: int = 0,
        view: Pose | None = None,
        camera: PinholeCamera | None = None,
        want_cloud: bool = True,
        max_results: int = 0,
        layer: str = MEASURED,
    ) -> QueryResult:
        """Answer one question, now or at a past time, from the camera or from elsewhere.

        What to look for is given in one of three ways: `text`, `example` or `like_object`.

        Args:
            text: words; what follows a minus sign is excluded: "mug -red".
            example: [h, w, 3] uint8 RGB, a picture cut to what is wanted, 8 to 4096 pixels a side;
                of a larger one than 640 only as much is looked at.
            like_object: id of a track; what resembles it is wanted, itself included.
            threshold: relevancy 0..1 that selects; 0 = calibrated.
            stamp_ns: time of the answer; 0 = that of the last frame.
            view: `T_map_camera` [4, 4] of the answer's mask; None = where the camera was then.
            camera: intrinsics of the mask; None = those of the last frame.
            want_cloud: whether to return the selected points.
            max_results: objects to return, best first; 0 = all.
            layer: "measured", which planners must go by, or "edited".

        Raises:
            NotUnderstoodError: the extractor does not understand a part of the text; says which.
            ValueError: nothing, or more than one thing, to look for; a picture that is none, an
                object that is not there; a threshold outside 0..1, a stamp outside of what was
                recorded, a view that is no pose, or no frame yet.
        """
        distiller, ids = self._memory.distiller, [like_object] if like_object else []
        shown = self._editor.shown
        near = shown.scene(self._memory.scene(stamp_ns, view, camera, ids=ids), layer)
        wanted = self._asker.wanted(distiller, near, text, example, like_object, threshold)
        scene = self._memory.scene(stamp_ns, view, camera, ids=ids, wanted=wanted)
        scene = shown.scene(scene, layer)
        return self._asker.ask(
            distiller, scene, wanted, want_cloud=want_cloud, max_results=max_results
        )[0]

    def misunderstood(self, texts: Sequence[str]) -> dict[str, str]:
        """Those texts, without blanks around them, that are not understood: why, with the part.

        Raises:
            ValueError: a text is blank, too long or given twice, or there are too many.
        """
        return {text: str(error) for text, error in self._asker.misunderstood(texts).items()}

    def query_all(
        self,
        texts: Sequence[str],
        *,
        threshold: float = 0.0,
        stamp_ns: int = 0,
        view: Pose | None = None,
        camera: PinholeCamera | None = None,
        want_cloud: bool = True,
        max_results: int = 0,
        layer: str = MEASURED,
    ) -> list[QueryResult]:
        """Answer several questions at once, with one encoding of the words and one render.

        Arguments and errors are those of `query`; a text may not be given twice.
        """
        wanted = self._asker.prompts(texts, [threshold] * len(texts))
        scene = self._memory.scene(stamp_ns, view, camera, wanted=wanted)
        scene = self._editor.shown.scene(scene, layer)
        return self._asker.ask(
            self._memory.distiller, scene, wanted, want_cloud=want_cloud, max_results=max_results
        )

    def segment(
        self,
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        box: Sequence[float] | None = None,
        *,
        stamp_ns: int = 0,
        view: Pose | None = None,
        camera: PinholeCamera | None = None,
        want_cloud: bool = True,
    ) -> QueryResult:
        """Select one object by clicks or a box, now or at a past time, from any view.

        Args:
            points: clicks [K, 2], x and y in pixels of the view, centres at +0.5.
            labels: [K] 1 = on the object, 0 = not on it; None = all 1.
            box: x0, y0, x1, y1 around the object, pixels.
            stamp_ns: time of the answer; 0 = that of the last frame.
            view: `T_map_camera` [4, 4] of clicks and mask; None = where the camera was then.
            camera: intrinsics of both; None = those of the last frame.
            want_cloud: whether to return the object's points.

        Returns:
            The answer, with an empty `prompt`; nothing is present where the clicks are on nothing.

        Raises:
            ValueError: no click on the object and no box, one of them outside of the image, labels
                that are not 0 or 1 or not one a point, and as `query` for the others.
        """
        return segment(
            self._memory.distiller,
            self._memory.scene(stamp_ns, view, camera),
            self.backend,
            points=points,
            labels=labels,
            box=box,
            want_cloud=want_cloud,
        )

    @property
    def tools(self) -> Toolbox:
        """Typed tools over what the map knows; see `core.ask.tools` and doc/ask.md."""
        if self._tools is None:
            self._tools = Toolbox(MapScene(self), TOOLS)
        return self._tools

    def history(
        self,
        thing: str = "",
        since_ns: int = 0,
        until_ns: int = 0,
        *,
        step_s: float = 0.0,
        max_states: int = 0,
        want_states: bool = True,
        want_events: bool = True,
    ) -> HistoryResult:
        """Where things were over a span, and what moved, appeared or left; see doc/time.md.

        Arguments and errors are those of `core.ask.tools.history`: `thing` is words, `#id`, or ""
        for all that is followed; `since_ns` 0 the first frame, `until_ns` 0 the last.

        Raises:
            NotReadyError: no frame yet.
        """
        self._memory.viewpoint(None, 0)
        return history(
            self.tools.scene, thing=thing, since_ns=since_ns, until_ns=until_ns, step_s=step_s,
            max_states=max_states, want_states=want_states, want_events=want_events,
        )  # fmt: skip

    def predictions(self, ahead_s: Sequence[float] = AHEAD_S) -> tuple[Prediction, ...]:
        """Where the tracks are going to be so many seconds after the last frame, ascending id."""
        tracker = self._memory.tracker
        return predictions(tracker.tracks(), tracker.lives, self.stamp_ns, ahead_s)

    def ask(self, text: str, session: Session | None = None) -> SpokenAnswer:
        """Answer a question about space and time in words, from what the map knows.

        Args:
            text: such as "How far is the mug from the sofa?"; doc/ask.md has the kinds.
            session: what was said before, and takes in this question; None: nothing was.

        Returns:
            A value with its uncertainty and what it rests on, or "not present", "unsure" or "not
            understood", each with the reason.

        Raises:
            NotReadyError: no frame yet.
        """
        self._memory.viewpoint(None, 0)
        return Dialogue(self.tools, session).ask(text)

    def evidence(self, texts: Sequence[str]) -> list[list[Evidence]]:
        """What speaks for each text being there now; `f4x calibrate` learns from it."""
        scene = self._memory.scene(wanted=self._asker.prompts(texts))
        return self._asker.evidence(self._memory.distiller, scene, texts)

    def cloud(self, layer: str = MEASURED) -> Cloud:
        """The semantic cloud of the whole map in memory at the last frame's time.

        That of a frame (`Percept.cloud`) has what is in view. What has not changed since the last
        call is not worked out again, but in the layer "edited".

        Raises:
            NotReadyError: no frame yet.
            ValueError: no such layer.
        """
        self._memory.viewpoint(None, 0)
        check_layer(layer)
        if layer == EDITED and self.edits:
            snapshot = self._editor.shown.at(None).snapshot
            return cloud_of(self._memory, self._asker, self._prompts, snapshot)
        return self._map_cloud.cloud(self._memory, self._asker, self._prompts)

    def viewpoint(self, view: Pose | None = None, stamp_ns: int = 0) -> tuple[PinholeCamera, Pose]:
        """Camera and `T_map_camera` that questions take unless told: those of the last frame, then.

        Raises:
            ValueError: no frame yet, a stamp outside of what was recorded, a view that is no pose.
        """
        last, pose, _ = self._memory.viewpoint(view, stamp_ns)
        return last.camera, pose

    @torch.no_grad()
    def render(
        self,
        camera: PinholeCamera,
        T_map_camera: Pose,
        stamp_ns: int = 0,
        *,
        layer: str = MEASURED,
    ) -> RenderedView:
        """The field seen from anywhere, at the last frame's time or at a past one, in a layer."""
        check_layer(layer)
        _, pose, time_s = self._memory.viewpoint(T_map_camera, stamp_ns)
        then = time_s if stamp_ns else None
        if layer == EDITED and self.edits:
            snapshot = self._editor.shown.at(then).snapshot
        else:
            field = self._memory.field
            seen = {*field.rest.met_by([Frustum(camera, pose, self.config.mapping.range_m)])}
            if then is not None:
                seen.update(self._memory.went_on(then))
            snapshot = take_snapshot(field, then, blocks=sorted(seen))
        out = snapshot.render(snapshot.colors, camera, pose, self.backend)
        return to_picture(out, self._memory.exposures.at(time_s))

    def show(
        self,
        stamp_ns: int = 0,
        view: Pose | None = None,
        camera: PinholeCamera | None = None,
        *,
        orbit_rad: float = 0.0,
        width: int = 0,
        prompts: Sequence[str] | None = None,
        want_labels: bool = True,
        want_velocity: bool = False,
    ) -> ShownView:
        """The map seen from anywhere at any moment, with the labels that `~/masks` would have.

        Args:
            stamp_ns: the moment; 0 = that of the last frame.
            view: `T_map_camera` [4, 4] to look from; None = where the camera was then.
            camera: intrinsics; None = those of the last frame.
            orbit_rad: turn of the view about what is in its middle, around the map's z axis;
                positive: the camera goes to the right.
            width: columns of the pictures; 0 = those of the camera. Rows follow.
            prompts: what the labels mean; None = the standing prompts.
            want_labels: whether to make them.
            want_velocity: whether to say how fast the surface of each pixel goes (scene flow).

        Raises:
            NotUnderstoodError: a prompt is not understood.
            ValueError: a moment that was not recorded or has not been yet, a view that is no pose,
                an orbit or a size that is not as expected, or no frame yet.
        """
        asked = self._prompts if prompts is None else self._asker.prompts(prompts)
        return shown(
            self._memory, self._asker, asked if want_labels else None,
            stamp_ns=stamp_ns, view=view, camera=camera, orbit_rad=orbit_rad, width=width,
            want_velocity=want_velocity,
        )  # fmt: skip

    def follow_points(
        self,
        pixels: ArrayLike | None = None,
        *,
        points: ArrayLike | None = None,
        stamp_ns: int = 0,
        stamps_ns: Sequence[int],
        view: Pose | None = None,
        camera: PinholeCamera | None = None,
        want_visible: bool = True,
    ) -> PointTracks:
        """Where points of a surface were at other moments, in sight or not (point tracks).

        Args:
            pixels: [N, 2] columns and rows of the view, N up to 1000; or
            points: [N, 3] positions on a surface, map frame.
            stamp_ns: the moment they are picked at; 0 = that of the last frame.
            stamps_ns: [T] the moments they are wanted at, before or after, up to 1000; up to 200
                with `want_visible`, and up to 100,000 / N.
            view: `T_map_camera` [4, 4] the pixels are of; None = where the camera was then.
            camera: its intrinsics; None = those of the last frame.
            want_visible: whether to say in which the camera saw them: a picture each.

        Raises:
            NotReadyError: no frame yet.
            ValueError: none or both of pixels and points, more than that many, a pixel that shows
                nothing, a stamp outside of what was recorded.
        """
        last, pose, _ = self._memory.viewpoint(view, stamp_ns)
        if (pixels is None) == (points is None):
            raise BadInputError("expected one of pixels and points")
        if pixels is not None:
            looked = camera or last.camera
            picture = self.render(looked, pose, stamp_ns)
            points = surface_points(pixels, picture.depth, looked, pose)
        assert points is not None
        return followed(
            self._memory, points, stamp_ns, stamps_ns, self.backend, want_visible=want_visible
        )

    def moments(self, since_ns: int = 0, until_ns: int = 0, step_s: float = 0.0) -> list[int]:
        """Stamps of a span, for `follow_points`; see `core.world.points.moments`."""
        self._memory.viewpoint(None, 0)
        return moments(self._memory, since_ns, until_ns, step_s)

    @torch.no_grad()
    def snapshot(self, stamp_ns: int = 0) -> Snapshot:
        """All Gaussians in memory as they are at the last frame's time, or were at a past one.

        Args:
            stamp_ns: the moment; 0 = that of the last frame.

        Returns:
            On the CPU, with the colours that the camera's exposure gave them then.

        Raises:
            NotReadyError: no frame yet.
            ValueError: a stamp outside of what was recorded.
        """
        _, _, time_s = self._memory.viewpoint(None, stamp_ns)
        taken = take_snapshot(self._memory.field, time_s if stamp_ns else None)
        opaque = torch.ones_like(taken.opacities)
        seen = apply(self._memory.exposures.at(time_s), taken.colors, opaque)
        return brought_here(replace(taken, colors=seen))

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

    @torch.no_grad()
    def transfer(
        self,
        target: str = "",
        *,
        objects: ArrayLike = (),
        points: Mapping[str, ArrayLike] | None = None,
        parts: Mapping[str, ArrayLike] | None = None,
        source: str = "",
        threshold: float = 0.0,
        stamp_ns: int = 0,
        view: Pose | None = None,
        camera: PinholeCamera | None = None,
    ) -> TransferResult:
        """Find points and parts that are marked on one object on all others of a name.

        Args:
            target: words for the objects; the marked one may be among them.
            objects: instead of words, [K, 2] pixels of the view: a click on each object, the marked
                one included.
            points: name to a pixel (x, y) of the view, or to a position (x, y, z) of the map.
            parts: name to some pixels [S, 2] or positions [S, 3] on that part.
            source: words for the marked object; "" = the one of `target` the marks are on.
            threshold: relevancy 0..1 that selects; 0 = calibrated.
            stamp_ns: time of the answer; 0 = that of the last frame.
            view: `T_map_camera` [4, 4] the pixels are of; None = where the camera was then.
            camera: intrinsics of that view; None = those of the last frame.

        Raises:
            ValueError: no mark, one that is on nothing or not on the object; nothing answers to the
                words; and what `query` raises.
        """
        self._memory.viewpoint(view, stamp_ns)  # checks both
        if bool(target.strip()) == bool(np.size(objects)):
            raise BadInputError("expected one of target (words) and objects (clicks)")
        texts = list(dict.fromkeys([source.strip() or target.strip(), target.strip()]))
        wanted = self._asker.prompts(texts, [threshold] * len(texts)) if texts[-1] else None
        scene = self._memory.scene(stamp_ns, view, camera, wanted=wanted)
        exposure = self._memory.exposures.at(scene.time_s)
        return transfer_marks(
            self._memory.distiller, scene, wanted, self.config, self.backend, exposure,
            objects=objects, points=points or {}, parts=parts or {},
        )  # fmt: skip

    def lift(
        self,
        operator: Operator,
        views: Sequence[PosedImage] | None = None,
        target_view: Pose | None = None,
        *,
        quantity: Quantity = "value",
        stamp_ns: int = 0,
        camera: PinholeCamera | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What a per-pixel operator says of a view, consistent with what it says of all others.

        Args:
            operator: an image [3, H, W] in 0..1 to any [C, h, w].
            views: pictures to run it on; None = the keyframes, or, of a loaded map, pictures of the
                field along the camera's path.
            target_view: `T_map_camera` [4, 4] to answer for; None = where the camera was then.
            quantity: "value" or "depth", see `core.ask.lift.lift`.
            stamp_ns: time of the field; 0 = that of the last frame.
            camera: intrinsics of the answer; None = those of the last frame.

        Returns:
            Values [C, H, W], and how much of each pixel is known [H, W], 0..1.

        Raises:
            ValueError: what `core.ask.lift.lift` raises; a stamp, view or camera that cannot
                be used.
        """
        scene = self._memory.scene(stamp_ns, target_view, camera, everything=True)
        if views is None:
            views = images_of(self._memory.mapper.keyframes.views) or drawn_images(
                scene.snapshot, scene.camera, self._memory.trajectory, self.backend
            )
        lifted = lift(scene.snapshot, operator, views, self.backend, quantity=quantity)
        return lifted.render(scene.camera, scene.T_map_camera)

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
