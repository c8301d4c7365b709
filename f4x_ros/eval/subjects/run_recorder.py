# SPDX-License-Identifier: Apache-2.0
"""Feeds frames to a `Perception`, measures, and leaves a folder that tells how it went."""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from f4x_ros import __version__
from f4x_ros.core.base import LeftOut, atomic_write
from f4x_ros.core.data import Frame, Outputs, Percept
from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.core.motion.odometry import TrackingState
from f4x_ros.core.perception import Perception, nothing
from f4x_ros.eval.metrics.common import percentile_or_none
from f4x_ros.eval.metrics.memory import PeakMemory
from f4x_ros.eval.subjects.camera_path import CameraPath
from f4x_ros.eval.subjects.held_out import HeldOut, Quality
from f4x_ros.eval.subjects.history import BestFrame, Paths, TrackTable
from f4x_ros.eval.subjects.overlay_video import OverlayVideo
from f4x_ros.eval.subjects.report import Report, report_rows, write_report
from f4x_ros.eval.subjects.unfinished import UnfinishedFolder
from f4x_ros.viz.birdseye import up_axis
from f4x_ros.viz.paths import draw_paths
from f4x_ros.viz.png import save_png
from f4x_ros.viz.story import Story, draw_story

FILES = ("overlay.mp4", "story.png", "map.ply", "map.f4x", "tracks.csv", "report.json")
"""What `RunRecorder.finish` leaves."""

TRAJECTORY = "trajectory.png"
"""What it leaves in addition where the camera's pose was estimated: its path, beside the given."""

RESCUED = "rescued"
"""Folder of what could be written where not all of it could."""

_VIDEO_FPS = 10.0
# (a mask of each prompt is more than anybody sees, and with a thousand prompts 1.2 GB)
_EVERYTHING = Outputs(masks=False, labels=True)


class RunRecorder:
    """Processes frames and keeps what the report needs, in bounded memory.

    All outputs are computed for every frame whoever asks, so that frame rates compare. Use it in a
    `with` statement or call `finish` or `close`: the files grow in a hidden folder inside of
    `out_dir`; `finish` moves them to their places when all of them are whole, `close` removes them.
    What an earlier run left there stays until then; hidden folders of runs that were killed go.

    Args:
        perception: the map.
        out_dir: folder of the results, made if missing. A `report.json` in it always belongs to
            the other files.
        holdout_every: every n-th frame (the n-th, the 2n-th, ...) is not mapped but measures the
            map at the end; 0 = every frame is mapped.
        source: name for the report.
        video_fps: frames per second of the video.

    Attributes:
        out_dir: the folder.

    Raises:
        ValueError: `holdout_every` is negative or 1 (nothing would be mapped).
        OSError: the folder cannot be made or written.
    """

    def __init__(
        self,
        perception: Perception,
        out_dir: str | Path,
        *,
        holdout_every: int = 8,
        source: str = "",
        video_fps: float = _VIDEO_FPS,
    ) -> None:
        if holdout_every < 0 or holdout_every == 1:
            raise BadInputError(
                f"holdout is {holdout_every}, expected 0 (map every frame) or at least 2"
            )
        self._perception, self._source = perception, source
        self._holdout_every = holdout_every
        self.out_dir = Path(out_dir).expanduser()
        self.out_dir.mkdir(parents=True, exist_ok=True)
        self._folder = UnfinishedFolder(self.out_dir)
        self._unfinished = self._folder.path
        self._open = ExitStack()  # of the files that grow
        try:
            table = self._open.enter_context(atomic_write(self._unfinished / "tracks.csv"))
            self._tracks = TrackTable(table)
        except BaseException:
            self.close()
            raise
        self._video_fps = video_fps
        self._videos: dict[str, OverlayVideo] = {}  # by camera
        self._frames_of: dict[str, int] = {}
        self._memory = PeakMemory()
        self._began = time.perf_counter()
        self._latencies_ms = array("d")
        self._frames_heldout = 0
        self._prompts: tuple[str, ...] = ()
        self.restart()

    def __enter__(self) -> RunRecorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def path(self, name: str) -> Path:
        """Where one of `FILES` lies."""
        return self.out_dir / name

    @property
    def frames(self) -> int:
        """Frames processed."""
        return len(self._latencies_ms)

    @property
    def fps(self) -> float:
        """Frames per second of time spent inside `Perception.process`."""
        total = sum(self._latencies_ms)
        return 1000 * self.frames / total if total else 0.0

    def restart(self) -> None:
        """The map has been reset: forget what belongs to the old one, keep counts and times."""
        self._held_out = HeldOut()
        self._paths = Paths()
        self._best = BestFrame()
        self._camera = CameraPath()

    # --- frames --------------------------------------------------------------------------------

    def process(self, frame: Frame, *, between: Callable[[], None] = nothing) -> Percept:
        """`Perception.process` for the next frame, with everything on, measured and recorded.

        Args:
            frame: as for `Perception.process`.
            between: as there; its time is part of the frame's latency.

        Raises:
            ValueError: as `Perception.process`; a frame of a camera that is lost is counted.
            OSError: the table of tracks cannot be written; names it.
        """
        every = self._holdout_every
        count = self._frames_of.get(frame.camera_name, 0)
        hold_out = every > 0 and count % every == every - 1
        began = time.perf_counter()
        try:
            percept = self._perception.process(
                frame, _EVERYTHING, hold_out=hold_out, between=between
            )
        except BadSampleError:
            self._camera.lost += self._state() is TrackingState.LOST
            raise
        latency_ms = (time.perf_counter() - began) * 1e3
        self._write_tracks(percept)
        self._video_of(frame.camera_name).write(frame, percept)
        self._frames_of[frame.camera_name] = count + 1
        self._latencies_ms.append(latency_ms)  # a frame counts once all of it is written
        self._prompts = percept.prompts
        if hold_out:
            self._held_out.add(replace(frame, T_map_camera=percept.T_map_camera))
            self._frames_heldout += 1
        else:
            self._best.offer(frame, percept)
        first = next(iter(self._frames_of)) == frame.camera_name
        self._paths.add(percept.T_map_camera if first else None, percept.tracks)
        self._camera.add(percept.T_map_camera, frame.T_map_camera)
        self._camera.weak += self._state() is TrackingState.WEAK
        self._camera.still += self._state() is TrackingState.STILL
        return percept

    def _state(self) -> TrackingState:
        """How it stands with the pose of the last frame."""
        estimate = self._perception.camera_pose
        return TrackingState.GIVEN if estimate is None else estimate.state

    def _video_of(self, camera_name: str) -> OverlayVideo:
        """That of a camera; of several, each has its own file, see `video_name`."""
        if camera_name not in self._videos:
            path = self._unfinished / video_name(camera_name)
            self._videos[camera_name] = OverlayVideo(path, self._video_fps, self._open)
        return self._videos[camera_name]

    def _write_tracks(self, percept: Percept) -> None:
        try:
            self._tracks.add(percept.stamp_ns, percept.tracks)
        except OSError as error:
            reason = error.strerror or str(error)
            raise OSError(error.errno, reason, str(self.path("tracks.csv"))) from error

    # --- the end -------------------------------------------------------------------------------

    def finish(
        self,
        left_out: LeftOut | Mapping[str, int] | None = None,
        *,
        dropped: int = 0,
        frames_there: int | None = None,
        remarks: Sequence[str] = (),
        ended_early: str = "",
    ) -> Report:
        """Measure the map with the held-out frames, write `FILES` and return the report.

        Each held-out frame is compared with the finished map drawn at its pose and at its own
        stamp. `fps` is frames / wall time spent inside `Perception.process`: mapping, features,
        masks, tracks and cloud, but neither reading frames nor drawing the video; latencies are
        those of the same calls. Either all files appear, `report.json` last, or none; if the map
        could be written and another file could not, what is whole goes to a folder `RESCUED`.

        Args:
            left_out: what was found and never came here, reason to count; zeros are not reported.
            dropped: how many of that were frames of a stream that goes on without waiting.
            frames_there: frames that there were, used or not; None = not known.
            remarks: how the source was read, in sentences.
            ended_early: why the run did not come to its end; "" = it did.

        Raises:
            ValueError: no frame has been processed.
            OSError: a file cannot be written; names it, the free space, and what was rescued.
        """
        if self._best.best is None:
            self.close()
            raise BadInputError("there is nothing to report: no frame has been processed")
        not_used = left_out if isinstance(left_out, LeftOut) else LeftOut(left_out)
        try:
            quality = self._held_out.evaluate(self._perception)
            report = self._report(quality, not_used, dropped) | {
                "frames_there": frames_there,
                "remarks": [*remarks, *self._perception.remarks],
                "ended_early": ended_early or None,
            }
            self._write_files(report)
            self.path("report.json").unlink(missing_ok=True)  # of an earlier run, of other files
            self.path(TRAJECTORY).unlink(missing_ok=True)
            for name in (*self._more_files(), *FILES):
                if name == "overlay.mp4" and "" not in self._videos:
                    self.path(name).unlink(missing_ok=True)  # each camera has one of its own
                    continue
                os.replace(self._unfinished / name, self.path(name))
        except OSError as error:
            raise self._named(error, self._rescued()) from error
        finally:
            self.close()
        return report

    def _more_files(self) -> tuple[str, ...]:
        """What there is beside `FILES`."""
        videos = tuple(video_name(name) for name in self._videos if name)
        return videos if self._pose_source == "given" else (*videos, TRAJECTORY)

    @property
    def _pose_source(self) -> str:
        return self._perception.config.pose.source

    def finish_empty(
        self,
        why: str,
        left_out: LeftOut,
        *,
        dropped: int = 0,
        frames_there: int | None = None,
        remarks: Sequence[str] = (),
    ) -> bool:
        """Leave a `report.json` of no frames that says why there are none, and nothing else.

        What an earlier run left in the folder stays as it is: then nothing is written. Arguments
        are those of `finish`.

        Returns:
            True if the report is there.

        Raises:
            OSError: it cannot be written.
        """
        try:
            if any(self.path(name).exists() for name in FILES):
                return False
            report = self._report(Quality(None, None, 0), left_out, dropped) | {
                "frames_there": frames_there,
                "remarks": list(remarks),
                "ended_early": why,
            }
            write_report(self.path("report.json"), report)
        finally:
            self.close()
        return True

    def _rescued(self) -> Path | None:
        """Where the files lie that were whole when another could not be written; None if none."""
        if not (self._unfinished / "map.f4x").exists():
            return None
        try:
            self._open.__exit__(_Abandoned, _Abandoned(), None)
            return self._folder.keep(RESCUED)
        except OSError:
            return None

    def close(self) -> None:
        """Remove what is not finished."""
        try:
            self._open.__exit__(_Abandoned, _Abandoned(), None)
        finally:
            self._folder.remove()

    def _write_files(self, report: Report) -> None:
        self._perception.save(self._unfinished / "map.f4x")
        self._perception.export_ply(self._unfinished / "map.ply")
        self._write_story(report)
        if self._pose_source != "given":
            self._write_paths()
        self._tracks.detach()
        self._open.close()  # the files that grew are whole, or say why not
        write_report(self._unfinished / "report.json", report)

    def _named(self, error: OSError, rescued: Path | None) -> OSError:
        """The error with the names that the files were to have, and where the others are."""
        hidden, shown = str(self._unfinished), str(self.out_dir)
        parts = [
            part.replace(hidden, shown) if isinstance(part, str) else part for part in error.args
        ]
        if rescued is not None and len(parts) > 1:
            parts[1] = f"{parts[1]} (the map and what else was whole is in {rescued})"
        if error.filename is not None:
            parts.append(str(error.filename).replace(hidden, shown))
        return OSError(*parts)

    def _report(self, quality: Quality, left_out: LeftOut, dropped: int) -> Report:
        return {
            "source": self._source,
            "version": __version__,
            "features": self._perception.encoder,
            **{f"latent_cosine_{k}": v for k, v in self._perception.latent_cosines.items()},
            "render_backend": self._perception.backend,
            "device": str(self._perception.device),
            "prompts": ", ".join(self._prompts),
            "frames": self.frames,
            "frames_mapped": self.frames - self._frames_heldout,
            "frames_heldout": self._frames_heldout,
            "frames_compared": quality.frames,
            "frames_dropped": dropped,
            "left_out": left_out.counts,
            "left_out_first_ns": left_out.first_ns,
            "fps": self.fps,
            "latency_p50_ms": percentile_or_none(self._latencies_ms, 50),
            "latency_p95_ms": percentile_or_none(self._latencies_ms, 95),
            "psnr_heldout_db": quality.psnr_db,
            "depth_median_error_m": quality.depth_median_error_m,
            "gaussians": self._perception.gaussians,
            "map_bytes": self._perception.map_bytes,
            "peak_rss_bytes": self._memory.rss_bytes(),
            "peak_gpu_bytes": self._memory.gpu_bytes(),
            "tracks": len(self._tracks.confirmed),
            **self._of_cameras(quality),
            **self._of_camera(),
            **self._of_depth(quality),
            "seconds": time.perf_counter() - self._began,
        }

    def _of_cameras(self, quality: Quality) -> Report:
        """Where there are several: what belongs to each, by name."""
        if not any(self._frames_of):
            return {}
        return {
            "frames_of": {name: count for name, count in self._frames_of.items() if name},
            "psnr_heldout_db_of": dict(quality.psnr_of),
        }

    def _of_camera(self) -> Report:
        """Where poses are estimated: how they compare with those that were given."""
        if self._pose_source == "given":
            return {"pose_source": "given"}
        return {
            "pose_source": self._pose_source,
            **self._camera.errors()._asdict(),
            "lost_frames": self._camera.lost,
            "weak_frames": self._camera.weak,
        }

    def _of_depth(self, quality: Quality) -> Report:
        """Where depth is measured by motion: how large, and how good after the right scale."""
        if self._perception.needs_depth:
            return {}
        after, scale = self._camera.scaled()
        return {
            "depth_source": self._perception.config.depth.source,
            "scale_known": self._pose_source == "given" or self._perception.scale_given,
            "ate_scaled_rmse_m": after,
            "path_scale": scale,
            "depth_scale": quality.depth_scale,
            "depth_relative_error": quality.depth_relative_error,
            "still_frames": self._camera.still,
        }

    def _write_paths(self) -> None:
        estimated, given = self._camera.positions()
        errors = self._camera.errors()
        said = f"camera of {self._source or 'a run'}"
        if errors.ate_rmse_m is not None and errors.path_m is not None:
            said += f": {errors.ate_rmse_m * 100:.1f} cm RMSE over {errors.path_m:.1f} m"
        up = up_axis(self._paths.camera_poses())
        picture = draw_paths(given, estimated, up, said)
        save_png(self._unfinished / TRAJECTORY, picture)

    def _write_story(self, report: Report) -> None:
        assert self._best.best is not None  # checked in `finish`
        frame, percept = self._best.best
        poses = self._paths.camera_poses()
        story = Story(
            title=f"f4x: {self._source}" if self._source else "f4x",
            rgb=frame.rgb,
            percept=percept,
            cloud=self._perception.cloud(),
            camera_path=poses[:, :3, 3],
            trails=self._paths.trails(),
            rows=report_rows(report),
            up=up_axis(poses),
        )
        save_png(self._unfinished / "story.png", draw_story(story))


def video_name(camera_name: str) -> str:
    """The file of a camera's video."""
    return f"overlay_{camera_name}.mp4" if camera_name else "overlay.mp4"


class _Abandoned(Exception):  # noqa: N818 - never seen outside
    """Tells files under construction to vanish."""
