# SPDX-License-Identifier: Apache-2.0
"""`Perception`: the one door. The command line, the tests and the ROS node all go through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from f4x_ros.core import map_file
from f4x_ros.core.camera import PinholeCamera
from f4x_ros.core.config import Config
from f4x_ros.core.describe import StageClock, label_masks, semantic_cloud
from f4x_ros.core.distil import Distiller
from f4x_ros.core.features.codec import LatentCodec
from f4x_ros.core.features.registry import make_extractor, parse_options
from f4x_ros.core.frame import (
    Frame,
    Outputs,
    Percept,
    QueryResult,
    RenderedView,
)
from f4x_ros.core.gaussians import GaussianField
from f4x_ros.core.mapping import Mapper
from f4x_ros.core.mapping.exposure import Exposure, ExposureTrack
from f4x_ros.core.mapping.views import make_view
from f4x_ros.core.motion.objects import track_objects
from f4x_ros.core.motion.tracker import Tracker
from f4x_ros.core.poses import Pose, check_pose
from f4x_ros.core.query.answer import answer
from f4x_ros.core.query.prompts import (
    PromptSet,
    check_threshold,
    labels_of,
    make_prompts,
    relevancy,
)
from f4x_ros.core.render import resolve_backend
from f4x_ros.core.snapshot import Snapshot, take_snapshot, to_picture
from f4x_ros.core.trajectory import Trajectory


class Perception:
    """Frames in; masks, tracks and a semantic cloud of the same stamp out; questions answered.

    Args:
        config: all options.
        prompts: standing text queries; see `set_prompts`.

    Raises:
        ValueError: an option, a backend or a prompt that cannot be used; the message says why.
    """

    def __init__(self, config: Config | None = None, prompts: Sequence[str] = ()) -> None:
        self.config = config or Config()
        self.device = _device(self.config.render.device)
        self.backend = resolve_backend(self.config.render.backend, self.device)
        features = self.config.features
        self._extractor = make_extractor(
            features.extractor, device=str(self.device), options=parse_options(features.options)
        )
        self._prompts: PromptSet
        self.reset()
        self.set_prompts(prompts)

    # --- state ---------------------------------------------------------------------------------

    def reset(self) -> None:
        """Forget the map, the tracks and the time; keep the models and the prompts."""
        config = self.config
        codec = LatentCodec(self._extractor.dim, config.field.latent_dim)
        self._distiller = Distiller(self._extractor, codec, self.backend)
        self._field = GaussianField(config.field.latent_dim, config.field.max_bytes, self.device)
        self._mapper = Mapper(self._field, config.mapping, self.backend)
        self._exposures = ExposureTrack(self.device, learn=config.mapping.exposure)
        self._tracker = Tracker(config.tracks)
        self._trajectory = Trajectory()
        self._last: Frame | map_file.LastView | None = None
        self._frames = 0

    def set_prompts(self, prompts: Sequence[str], thresholds: Sequence[float] = ()) -> None:
        """Replace the standing prompts; a threshold of 0, or none given, means calibrated.

        Raises:
            ValueError: names the prompt that is blank, repeated or not understood, or the
                threshold that is outside 0..1. The prompts in force stay as they were.
        """
        default = self.config.query.threshold or self._extractor.threshold
        self._prompts = make_prompts(self._distiller, prompts, thresholds, default)
        self._tracker.keep_labels(self._prompts.texts)

    @property
    def prompts(self) -> tuple[str, ...]:
        """The standing prompts."""
        return self._prompts.texts

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The threshold in force for each standing prompt."""
        return self._prompts.thresholds

    @property
    def encoder(self) -> str:
        """Name of the feature extractor."""
        return self._extractor.name

    @property
    def gaussians(self) -> int:
        """Gaussians of the field, present and past."""
        return len(self._field.present) + len(self._field.past)

    @property
    def map_bytes(self) -> int:
        """Bytes of all per-Gaussian tensors; never above `field.max_bytes`."""
        return self._field.nbytes

    @property
    def stamp_ns(self) -> int:
        """Stamp of the last frame; 0 before the first."""
        return self._trajectory.span_ns[1] if len(self._trajectory) else 0

    # --- frames --------------------------------------------------------------------------------

    def process(
        self, frame: Frame, outputs: Outputs | None = None, *, hold_out: bool = False
    ) -> Percept:
        """Take in one frame and describe it from the field.

        Args:
            frame: RGB-D with a pose; stamps must grow from call to call.
            outputs: what to compute; everything if not given.
            hold_out: do not map the frame, only describe it (for measuring the map).

        Raises:
            ValueError: no depth, no pose, or a stamp that does not follow the last one.
        """
        outputs = outputs or Outputs()
        self._check(frame)
        assert frame.T_map_camera is not None
        clock = StageClock()
        counts: dict[str, int] = {}
        self._trajectory.append(frame.stamp_ns, frame.T_map_camera)
        time_s = self._seconds(frame.stamp_ns)
        if hold_out:
            self._note_seen(frame, time_s)
        else:
            counts = self._map(frame, time_s, clock)
        self._last = frame
        self._frames += 1
        percept = self._describe(frame, time_s, outputs, clock)
        percept.counts = counts | {"gaussians": self.gaussians, "map_bytes": self.map_bytes}
        percept.timings_ms = clock.finish()
        return percept

    def _check(self, frame: Frame) -> None:
        if frame.depth is None:
            raise ValueError("frame has no depth, expected RGB-D: connect a registered depth image")
        if frame.T_map_camera is None:
            raise ValueError("frame has no pose T_map_camera, expected one from TF or a pose topic")
        if len(self._trajectory) and frame.stamp_ns <= self.stamp_ns:
            raise ValueError(
                f"stamp_ns is {frame.stamp_ns}, expected more than {self.stamp_ns} of the frame "
                "before it: reset() first if time has jumped back"
            )

    def _map(self, frame: Frame, time_s: float, clock: StageClock) -> dict[str, int]:
        with clock("prepare"):
            exposure = self._exposures.begin(time_s)
            view = make_view(frame, time_s, self.config.mapping, self.device, exposure)
        with clock("map"):
            counts = self._mapper.integrate(view)
        with clock("features"):
            extract = self._frames % self.config.features.every == 0
            self._distiller.observe(self._field.present, view, extract=extract)
        return asdict(counts)

    def _note_seen(self, frame: Frame, time_s: float) -> None:
        """What a held-out frame shows is in sight, though nothing is learned from it."""
        exposure = Exposure.neutral(self.device, learn=False)
        view = make_view(frame, time_s, self.config.mapping, self.device, exposure)
        self._distiller.observe(self._field.present, view, extract=False)

    @torch.no_grad()
    def _describe(
        self, frame: Frame, time_s: float, outputs: Outputs, clock: StageClock
    ) -> Percept:
        assert frame.T_map_camera is not None
        snapshot = take_snapshot(self._field)
        min_weight = self.config.query.min_weight
        with clock("query"):
            scores = self._relevancy(snapshot, self._prompts.vectors)
            labels, best = labels_of(scores, self._prompts.thresholds)
        if outputs.tracks or outputs.cloud:
            with clock("track"):
                self._track(snapshot, labels, best, time_s, frame.stamp_ns)
        with clock("render"):
            channels = torch.cat([snapshot.colors, scores], 1) if outputs.masks else snapshot.colors
            out = snapshot.render(channels, frame.camera, frame.T_map_camera, self.backend)
            picture = to_picture(out, self._exposures.at(time_s))
            masks, label_image = (
                label_masks(out.image[..., 3:], out.alpha, self._prompts.thresholds)
                if outputs.masks
                else (None, None)
            )
        with clock("cloud"):
            cloud = (
                semantic_cloud(snapshot, labels, best, time_s, min_weight)
                if outputs.cloud
                else None
            )
        return Percept(
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
            map_frame=frame.map_frame,
            camera=frame.camera,
            T_map_camera=frame.T_map_camera,
            prompts=self.prompts,
            thresholds=self.thresholds,
            encoder=self.encoder,
            masks=masks,
            labels=label_image,
            tracks=self._tracker.tracks() if outputs.tracks else (),
            cloud=cloud,
            color=picture.color,
            depth=picture.depth,
            alpha=picture.alpha,
        )

    def _relevancy(self, snapshot: Snapshot, vectors: Tensor) -> Tensor:
        return relevancy(snapshot, self._distiller, vectors, self.config.query.min_weight)

    def _track(
        self, snapshot: Snapshot, labels: Tensor, best: Tensor, time_s: float, stamp_ns: int
    ) -> None:
        config = self.config.tracks
        ids = track_objects(
            self._tracker, snapshot, labels, best, self.prompts, config, time_s, stamp_ns
        )
        self._field.present["object_ids"].copy_(torch.from_numpy(ids))

    # --- questions -----------------------------------------------------------------------------

    @torch.no_grad()
    def query(
        self,
        text: str,
        *,
        threshold: float = 0.0,
        stamp_ns: int = 0,
        view: Pose | None = None,
        camera: PinholeCamera | None = None,
        want_cloud: bool = True,
        max_results: int = 0,
    ) -> QueryResult:
        """Answer one question in words, now or at a past time, from the camera or from elsewhere.

        Args:
            text: what to look for.
            threshold: relevancy 0..1 that selects; 0 = calibrated.
            stamp_ns: time of the answer; 0 = that of the last frame.
            view: `T_map_camera` [4, 4] of the answer's mask; None = where the camera was then.
            camera: intrinsics of the mask; None = those of the last frame.
            want_cloud: whether to return the selected points.
            max_results: objects to return, best first; 0 = all.

        Raises:
            ValueError: a prompt the extractor does not understand, a threshold outside 0..1, a
                stamp outside of what was recorded, a view that is no pose, or no frame yet.
        """
        check_threshold(threshold)
        if max_results < 0:
            raise ValueError(f"max_results is {max_results}, expected >= 0 (0 = all)")
        last, pose, time_s = self._viewpoint(view, stamp_ns)
        min_weight = self.config.query.min_weight
        default = self.config.query.threshold or self._extractor.threshold
        prompt = make_prompts(self._distiller, [text], [threshold], default)
        snapshot = take_snapshot(self._field, time_s if stamp_ns else None)
        found = answer(
            snapshot,
            self._relevancy(snapshot, prompt.vectors)[:, 0],
            prompt,
            camera or last.camera,
            pose,
            self.config.tracks,
            self._tracker.tracks(),
            self.backend,
            stamp_ns=stamp_ns or self.stamp_ns,
            max_results=max_results,
        )
        return QueryResult(
            prompt=text,
            present=found.present,
            score=found.score,
            threshold=prompt.thresholds[0],
            encoder=self.encoder,
            message=found.message,
            stamp_ns=stamp_ns or self.stamp_ns,
            frame_id=last.frame_id,
            map_frame=last.map_frame,
            camera=camera or last.camera,
            T_map_camera=pose,
            mask=found.mask,
            cloud=(
                semantic_cloud(
                    snapshot, found.selected.long(), found.scores, time_s, min_weight
                ).where(1)
                if want_cloud
                else None
            ),
            tracks=found.tracks,
        )

    @torch.no_grad()
    def render(self, camera: PinholeCamera, T_map_camera: Pose, stamp_ns: int = 0) -> RenderedView:
        """The field seen from anywhere, at the last frame's time or at a past one."""
        _, pose, time_s = self._viewpoint(T_map_camera, stamp_ns)
        snapshot = take_snapshot(self._field, time_s if stamp_ns else None)
        out = snapshot.render(snapshot.colors, camera, pose, self.backend)
        return to_picture(out, self._exposures.at(time_s))

    def _viewpoint(
        self, view: Pose | None, stamp_ns: int
    ) -> tuple[Frame | map_file.LastView, Pose, float]:
        """The last view, the pose to look from and the time in seconds of the field."""
        if self._last is None:
            raise ValueError("no frame has been processed yet")
        pose = self._trajectory.at(stamp_ns or self.stamp_ns)  # checks the stamp, too
        if view is not None:
            pose = check_pose("view", view)
        return self._last, pose, self._seconds(stamp_ns or self.stamp_ns)

    def _seconds(self, stamp_ns: int) -> float:
        """Seconds since the field's first frame."""
        return (stamp_ns - self._origin_ns) / 1e9

    @property
    def _origin_ns(self) -> int:
        return self._trajectory.origin_ns

    # --- files ---------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the map (without keyframes) to one file, whole or not at all."""
        if self._last is None:
            raise ValueError("there is no map to save: no frame has been processed yet")
        map_file.save(
            Path(path),
            config=self.config,
            prompts=self._prompts,
            last=self._last,
            field=self._field,
            codec=self._distiller.codec,
            exposures=self._exposures,
            trajectory=self._trajectory,
        )

    @classmethod
    def load(cls, path: str | Path) -> Perception:
        """Read a map back; it answers as before and can be extended by new frames.

        Raises:
            ValueError: the file is not a map of this version.
            OSError: it cannot be read.
        """
        stored = map_file.load(Path(path))
        self = cls(stored.config)
        self.set_prompts(stored.prompts, stored.thresholds)
        stored.restore(self._field, self._distiller.codec, self._exposures, self._trajectory)
        self._last = stored.last
        ids = [int(part["object_ids"].max()) for part in self._field.parts if len(part)]
        self._tracker.reserve_ids(max(ids, default=0))
        self._frames = len(self._trajectory)
        return self

    def export_ply(self, path: str | Path) -> None:
        """Write the present Gaussians as a PLY that standard splat viewers open."""
        map_file.export_ply(Path(path), self._field.present)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("parameter 'render.device' is 'cuda', but torch sees no CUDA device")
    return torch.device(name)
