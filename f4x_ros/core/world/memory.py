# SPDX-License-Identifier: Apache-2.0
"""Everything that grows from frames: the field and its mapper, tracks, exposures, the path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.ask import PromptSet, QueryScene, Wanted
from f4x_ros.core.base import StageClock
from f4x_ros.core.config import Config
from f4x_ros.core.data import Frame, Frustum, PinholeCamera, Pose, check_pose
from f4x_ros.core.errors import BadInputError, NotReadyError
from f4x_ros.core.features.base import FeatureExtractor
from f4x_ros.core.features.distil import Distiller
from f4x_ros.core.features.heads import Heads
from f4x_ros.core.field import GaussianField, Snapshot, take_snapshot
from f4x_ros.core.files import PageFolder, map_file
from f4x_ros.core.mapping import Followed, Mapper
from f4x_ros.core.motion import Pace, Trajectory, gone_beside, note_moving_things, rest_s
from f4x_ros.core.motion.bodies import Bodies
from f4x_ros.core.objects import GIVEN_UP, Grouper, Tracker, track_objects
from f4x_ros.core.observe import Exposure, ExposureTrack, View, make_view
from f4x_ros.core.world.camera_depth import TOLERANCE, CameraDepth
from f4x_ros.core.world.camera_pose import CameraPose
from f4x_ros.core.world.recall import Elsewhere, promising

_WHOLE_M = 3.0  # a larger thing (a floor) is not fetched as a whole because a part is in sight


class Memory:
    """What one map has taken in; a new map is a new `Memory`.

    Args:
        config: all options.
        extractor: the 2D model whose features the field carries, or several.
        backend: rasteriser, resolved.
        device: where the field lives.
        first_id: the lowest track id to give out.
    """

    def __init__(
        self,
        config: Config,
        extractor: FeatureExtractor | Heads,
        backend: str,
        device: torch.device,
        first_id: int = 1,
    ) -> None:
        self._config = config
        self._device = device
        heads = extractor if isinstance(extractor, Heads) else Heads([extractor])
        self.distiller = Distiller(
            heads,
            config.field.latent_dim,
            backend,
            close_looks=config.features.close_looks,
        )
        self._pages = PageFolder(Path(config.map.dir), device) if config.map.dir else None
        self.field = GaussianField(
            config.field.latent_dim,
            config.field.max_bytes,
            device,
            block_m=config.field.block_m,
            pages=self._pages,
        )
        if config.depth.source == "motion":
            coarse = max(config.mapping.depth_tolerance, TOLERANCE)
            self._mapping = replace(config.mapping, depth_tolerance=coarse)
        else:
            self._mapping = config.mapping
        self.mapper = Mapper(self.field, self._mapping, backend)
        self.bodies = Bodies(
            self.field.paths, self._mapping.depth_tolerance, backend, config.mapping.seed
        )
        self.exposures = ExposureTrack(device, learn=config.mapping.exposure)
        self.tracker = Tracker(config.tracks, first_id)
        self.trajectory = Trajectory()
        # Colours change within a thing: its mean is none of them.
        every = config.features.group_every if self.distiller.of_things else 0
        self.grouper = Grouper(every)
        self.last: Frame | map_file.LastView | None = None
        self._elsewhere = Elsewhere()
        self.mapped = 0  # frames that were not held out
        self._pace = Pace()
        self.camera_pose = CameraPose(config.pose, config.depth, config.mapping.seed)
        self.camera_depth = CameraDepth(config.depth, self.camera_pose.mono)

    # --- time ----------------------------------------------------------------------------------

    @property
    def stamp_ns(self) -> int:
        """Stamp of the last frame; 0 before the first."""
        return self.trajectory.span_ns[1] if len(self.trajectory) else 0

    def seconds(self, stamp_ns: int) -> float:
        """Seconds since the field's first frame."""
        return (stamp_ns - self.trajectory.origin_ns) / 1e9 if len(self.trajectory) else 0.0

    @property
    def recent_s(self) -> float:
        """What was born within so many seconds is being displaced."""
        return rest_s(self._pace.interval_s)

    def viewpoint(
        self, view: Pose | None, stamp_ns: int
    ) -> tuple[Frame | map_file.LastView, Pose, float]:
        """The last view, the pose to look from and the time in seconds of the field."""
        if self.last is None:
            raise NotReadyError("no frame has been processed yet")
        pose = self.trajectory.at(stamp_ns or self.stamp_ns)  # checks the stamp, too
        if view is not None:
            pose = check_pose("view", view)
        return self.last, pose, self.seconds(stamp_ns or self.stamp_ns)

    def scene(
        self,
        stamp_ns: int = 0,
        view: Pose | None = None,
        camera: PinholeCamera | None = None,
        *,
        wanted: Wanted | None = None,
        ids: Iterable[int] = (),
        everything: bool = False,
    ) -> QueryScene:
        """What a question at a stamp is about; see `Perception.query` for arguments and errors.

        Of what is at rest it has what the view shows, the Gaussians of some tracks, and the blocks
        that promise most of what is wanted; or all.
        """
        last, pose, time_s = self.viewpoint(view, stamp_ns)
        past, rest = stamp_ns != 0, self.field.rest
        seen = Frustum(camera or last.camera, pose, self._config.mapping.range_m)
        codes = {*rest.met_by([seen]), *rest.with_objects(ids)}
        if past:
            codes.update(self.went_on(time_s))
        if wanted is not None:
            min_weight = self._config.query.min_weight
            codes.update(promising(rest, self.distiller, wanted, min_weight))
        return QueryScene(
            snapshot=take_snapshot(
                self.field,
                time_s if past else None,
                blocks=None if everything else sorted(codes),
            ),
            tracks=self.tracker.tracks_at(stamp_ns) if past else self.tracker.tracks(),
            stamp_ns=stamp_ns or self.stamp_ns,
            time_s=time_s,
            camera=camera or last.camera,
            T_map_camera=pose,
            frame_id=last.frame_id,
            map_frame=last.map_frame,
            past=past,
            tracks_known=not past or self.tracker.remembers(stamp_ns),
        )

    def went_on(self, time_s: float) -> list[int]:
        """Codes of the blocks at rest with what was elsewhere at a time: it may be in view then."""
        return self.field.rest.with_bodies(self.field.paths.away(time_s))

    # --- frames --------------------------------------------------------------------------------

    def posed(self, frame: Frame) -> Frame:
        """The frame with the pose and the depth that the map takes; errors as there."""
        self._check(frame)
        frame = self.camera_pose.posed(frame, has_map=bool(len(self.trajectory)))
        return self.camera_depth.given_to(frame, self.camera_pose.estimate)

    def take_in(
        self, frame: Frame, clock: StageClock, between: Callable[[], None], *, hold_out: bool
    ) -> dict[str, int]:
        """Map a posed frame, or with `hold_out` only note what it shows; returns counts.

        `between` is called where the map is consistent; what is asked there is about the frame
        before.
        """
        assert frame.T_map_camera is not None
        if len(self.trajectory):
            self._pace.add((frame.stamp_ns - self.stamp_ns) / 1e9)
        time_s = self.seconds(frame.stamp_ns)
        counts: dict[str, int] = {}
        if not self.camera_pose.fits:
            counts = {"pose_only_predicted": 1}
        elif hold_out:
            self._note_seen(frame, time_s)
        else:
            counts = self._map(frame, time_s, clock, between)
        self.trajectory.append(frame.stamp_ns, frame.T_map_camera)
        self.last = frame
        return counts

    def _check(self, frame: Frame) -> None:
        if frame.depth is None and self._config.depth.source == "given":
            raise BadInputError(
                "frame has no depth, expected RGB-D: connect a registered depth image, or set "
                "depth.source=motion"
            )
        if len(self.trajectory) and frame.stamp_ns <= self.stamp_ns:
            raise BadInputError(
                f"stamp_ns is {frame.stamp_ns}, expected more than {self.stamp_ns} of the frame "
                "before it: reset() first if time has jumped back"
            )

    def _map(
        self, frame: Frame, time_s: float, clock: StageClock, between: Callable[[], None]
    ) -> dict[str, int]:
        interval_s = self._pace.interval_s
        with clock("prepare"):
            exposure = self.exposures.begin(time_s)
            view = make_view(frame, time_s, self._mapping, self._device, exposure)
        with clock("map"):
            counts = self.mapper.integrate(
                view, interval_s, self._in_sight(), between,
                self._follow_bodies if self._config.mapping.bodies else None,
            )  # fmt: skip
        between()
        if self.mapped % self._config.features.every == 0:
            with clock("features"):
                self.distiller.observe(self.field, view, frame.rgb, between)
        between()
        self.mapped += 1
        if self.grouper.due(self.mapped):
            with clock("group"):
                grouped = self._group(view, time_s, between)
            between()
            return asdict(counts) | {"grouped": grouped}
        return asdict(counts)

    def _follow_bodies(self, view: View) -> Followed:
        """Bodies to a view, with their Gaussians."""
        present = self.field.present
        labels = self.bodies.advance(view, present, self._pace.interval_s)
        followed, sure = (
            torch.tensor(ids, dtype=torch.int32, device=labels.device)
            for ids in ([one.id for one in self.bodies.active], self.bodies.moving)
        )
        return Followed(labels, followed, sure)

    def _in_sight(self) -> list[int]:
        """Ids of the tracks that the last frame saw, of things that are taken as a whole."""
        return [
            one.id
            for one in self.tracker.tracks()
            if one.last_seen_ns == self.stamp_ns and float(np.linalg.norm(one.size)) < _WHOLE_M
        ]

    def _group(self, view: View, time_s: float, between: Callable[[], None]) -> int:
        """Put Gaussians of one thing together, and note which things move."""
        present = self.field.present
        gone = gone_beside(present, self.mapper.take_gone())
        eye = view.T_map_camera[:3, 3]
        grouped = self.grouper.update(self.field, self.distiller, eye, between)
        note_moving_things(present, gone, time_s, self._pace.interval_s)
        return grouped

    def _note_seen(self, frame: Frame, time_s: float) -> None:
        """What a held-out frame shows is in sight, though nothing is learned from it."""
        exposure = Exposure.neutral(self._device, learn=False)
        view = make_view(frame, time_s, self._mapping, self._device, exposure)
        self.mapper.pass_by(view, self._pace.interval_s, self._in_sight(), self.bodies.pass_by)

    def best_at_rest(self, prompts: PromptSet) -> Tensor | None:
        """Relevancies [25, P] to standing prompts of the best that is at rest; None: nothing is."""
        field = self.field
        return self._elsewhere.best(
            field.rest, self.distiller, prompts, self._config.query.min_weight, field.edition
        )

    # --- objects -------------------------------------------------------------------------------

    def follow(
        self, snapshot: Snapshot, labels: Tensor, scores: Tensor, prompts: Sequence[str]
    ) -> None:
        """Advance the tracks to the last frame; `labels` and `scores` [N] are of the present."""
        ids = track_objects(
            self.tracker,
            snapshot,
            labels,
            scores,
            prompts,
            self._config.tracks,
            time_s=self.seconds(self.stamp_ns),
            stamp_ns=self.stamp_ns,
            recent_s=self.recent_s,
            elsewhere=self.field.rest.objects.keys(),
            bodies=self.bodies.motions(),
        )
        self.field.present["object_ids"].copy_(torch.from_numpy(ids))
        self.field.replace_ids(self.tracker.lost_ids, GIVEN_UP)

    def keep_labels(self, prompts: Sequence[str]) -> None:
        """Drop the tracks of prompts that are no longer asked; no present Gaussian keeps their ids.

        Those of the past do, as the tracks' history does: questions about then are asked of both.
        """
        self.field.replace_ids(self.tracker.keep_labels(prompts), 0)

    def counts(self) -> dict[str, int]:
        """Sizes of the map, and what it had to do without."""
        field, rest = self.field, self.field.rest
        return {
            "gaussians": sum(field.counts),
            "map_bytes": field.nbytes,
            "paged_out": rest.paged_out,
            "paged_in": rest.paged_in,
            "lost_with_pages": rest.lost,
            "states_forgotten": self.tracker.states_forgotten,
        }

    def close(self) -> None:
        """Remove the pages on disk; the memory is not to be used afterwards."""
        if self._pages is not None:
            self._pages.close()

    # --- files ---------------------------------------------------------------------------------

    def save(
        self, path: Path, prompts: PromptSet, edits: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        """Write the map (without keyframes) and its edits to one file, whole or not at all."""
        if self.last is None:
            raise NotReadyError("there is no map to save: no frame has been processed yet")
        map_file.save(
            path,
            config=self._config,
            prompts=prompts,
            last=self.last,
            field=self.field,
            codec=self.distiller.codec,
            exposures=self.exposures,
            trajectory=self.trajectory,
            tracker=self.tracker,
            fingerprints=self.distiller.heads.fingerprints,
            edits=edits or {},
        )

    def restore(self, stored: map_file.StoredMap) -> None:
        """Fill a fresh memory with what a file holds."""
        stored.restore(
            self.field, self.distiller.codec, self.exposures, self.trajectory, self.tracker
        )
        # Whatever a file says, an id without its track is nobody's (all is in the working set yet)
        ids = self.field.present["object_ids"]
        ids.copy_(torch.from_numpy(self.tracker.ids_now(ids.cpu().numpy())))
        self.last = stored.last
        self.mapped = len(self.trajectory)
        self.grouper.restore(self.field)
