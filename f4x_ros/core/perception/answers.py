# SPDX-License-Identifier: Apache-2.0
"""What a map is asked in words and by clicks, about any moment it has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from f4x_ros.core.ask import (
    Evidence,
    Operator,
    PosedImage,
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
from f4x_ros.core.data import (
    HistoryResult,
    PinholeCamera,
    Pose,
    Prediction,
    QueryResult,
)
from f4x_ros.core.edit import MEASURED
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.objects import AHEAD_S, predictions
from f4x_ros.core.perception.pictures import Pictures


class Answers(Pictures):
    """A map that is asked."""

    _tools: Toolbox | None

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
        camera_name: str = "",
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
            camera_name: whose last frame and pose are meant; "" = the first of `cameras`.
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
        meant = partial(self._memory.scene, stamp_ns, view, camera, camera_name=camera_name)
        near = shown.scene(meant(ids=ids), layer)
        wanted = self._asker.wanted(distiller, near, text, example, like_object, threshold)
        scene = shown.scene(meant(ids=ids, wanted=wanted), layer)
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
        camera_name: str = "",
        want_cloud: bool = True,
        max_results: int = 0,
        layer: str = MEASURED,
    ) -> list[QueryResult]:
        """Answer several questions at once, with one encoding of the words and one render.

        Arguments and errors are those of `query`; a text may not be given twice.
        """
        wanted = self._asker.prompts(texts, [threshold] * len(texts))
        scene = self._memory.scene(stamp_ns, view, camera, camera_name=camera_name, wanted=wanted)
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
        camera_name: str = "",
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
            camera_name: whose last frame and pose are meant; "" = the first of `cameras`.
            want_cloud: whether to return the object's points.

        Returns:
            The answer, with an empty `prompt`; nothing is present where the clicks are on nothing.

        Raises:
            ValueError: no click on the object and no box, one of them outside of the image, labels
                that are not 0 or 1 or not one a point, and as `query` for the others.
        """
        return segment(
            self._memory.distiller,
            self._memory.scene(stamp_ns, view, camera, camera_name=camera_name),
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
        exposure = self._memory.cameras.main.exposures.at(scene.time_s)
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
                scene.snapshot, scene.camera, self._memory.cameras.main.path, self.backend
            )
        lifted = lift(scene.snapshot, operator, views, self.backend, quantity=quantity)
        return lifted.render(scene.camera, scene.T_map_camera)
