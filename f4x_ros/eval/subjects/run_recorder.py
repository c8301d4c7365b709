# SPDX-License-Identifier: Apache-2.0
"""Feeds frames to a `Perception`, measures, and leaves a folder that tells how it went."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from array import array
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from f4x_ros import __version__
from f4x_ros.core.base import atomic_write
from f4x_ros.core.data import Frame, Outputs, Percept
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.perception import Perception, nothing
from f4x_ros.eval.metrics.common import percentile_or_none
from f4x_ros.eval.metrics.memory import PeakMemory
from f4x_ros.eval.subjects.held_out import HeldOut, Quality
from f4x_ros.eval.subjects.history import BestFrame, Paths, TrackTable
from f4x_ros.eval.subjects.report import Report, report_rows, write_report
from f4x_ros.viz.birdseye import up_axis
from f4x_ros.viz.overlay import overlay_percept
from f4x_ros.viz.png import save_png
from f4x_ros.viz.story import Story, draw_story
from f4x_ros.viz.video import VideoWriter

FILES = ("overlay.mp4", "story.png", "map.ply", "map.f4x", "tracks.csv", "report.json")
"""What `RunRecorder.finish` leaves."""

_VIDEO_HEIGHT_PX = 480  # smaller pictures are enlarged for the video, so that names stay readable
_VIDEO_FPS = 10.0


class RunRecorder:
    """Processes frames and keeps what the report needs, in bounded memory.

    All outputs are computed for every frame whoever asks, so that frame rates compare. Use it in a
    `with` statement or call `finish` or `close`: the files grow in a hidden folder inside of
    `out_dir`; `finish` moves them to their places when all of them are whole, `close` removes them.

    Args:
        perception: the map.
        out_dir: folder of the results, made if missing; a report of an earlier run is removed from
            it, so a `report.json` always belongs to the other files.
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
        self._holdout_every, self._video_fps = holdout_every, video_fps
        self.out_dir = Path(out_dir).expanduser()
        self.out_dir.mkdir(parents=True, exist_ok=True)
        self.path("report.json").unlink(missing_ok=True)
        self._unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=self.out_dir))
        self._open = ExitStack()  # of the files that grow
        try:
            table = self._open.enter_context(atomic_write(self._unfinished / "tracks.csv"))
            self._tracks = TrackTable(table)
        except BaseException:
            self.close()
            raise
        self._video: VideoWriter | None = None
        self._video_scale = 1
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

    # --- frames --------------------------------------------------------------------------------

    def process(self, frame: Frame, *, between: Callable[[], None] = nothing) -> Percept:
        """`Perception.process` for the next frame, with everything on, measured and recorded.

        Args:
            frame: as for `Perception.process`.
            between: as there; its time is part of the frame's latency.

        Raises:
            ValueError: as `Perception.process`.
            OSError: the table of tracks cannot be written; names it.
        """
        every = self._holdout_every
        hold_out = every > 0 and self.frames % every == every - 1
        began = time.perf_counter()
        percept = self._perception.process(frame, Outputs(), hold_out=hold_out, between=between)
        self._latencies_ms.append((time.perf_counter() - began) * 1e3)
        self._prompts = percept.prompts
        if hold_out:
            self._held_out.add(frame)
            self._frames_heldout += 1
        else:
            self._best.offer(frame, percept)
        self._write_tracks(percept)
        self._paths.add(percept.T_map_camera, percept.tracks)
        self._write_video(frame, percept)
        return percept

    def _write_tracks(self, percept: Percept) -> None:
        try:
            self._tracks.add(percept.stamp_ns, percept.tracks)
        except OSError as error:
            reason = error.strerror or str(error)
            raise OSError(error.errno, reason, str(self.path("tracks.csv"))) from error

    def _write_video(self, frame: Frame, percept: Percept) -> None:
        height, width = frame.rgb.shape[:2]
        if self._video is None:
            self._video_scale = max(1, round(_VIDEO_HEIGHT_PX / height))
            size = (width * self._video_scale, height * self._video_scale)
            self._video = self._open.enter_context(
                VideoWriter(self._unfinished / "overlay.mp4", size, self._video_fps)
            )
        picture = overlay_percept(frame.rgb, percept, scale=self._video_scale)
        if picture.shape[1::-1] != self._video.size:  # the camera has changed
            picture = np.asarray(cv2.resize(picture, self._video.size), np.uint8)
        self._video.write(picture)

    # --- the end -------------------------------------------------------------------------------

    def finish(self, left_out: Mapping[str, int] | None = None, *, dropped: int = 0) -> Report:
        """Measure the map with the held-out frames, write `FILES` and return the report.

        Each held-out frame is compared with the finished map drawn at its pose and at its own
        stamp. `fps` is frames / wall time spent inside `Perception.process`: mapping, features,
        masks, tracks and cloud, but neither reading frames nor drawing the video; latencies are
        those of the same calls. Either all files appear, `report.json` last, or none.

        Args:
            left_out: what was found and never came here, reason to count; zeros are not reported.
            dropped: how many of that were frames of a stream that goes on without waiting.

        Raises:
            ValueError: no frame has been processed.
            OSError: a file cannot be written; names it and the free space.
        """
        if self._best.best is None:
            self.close()
            raise BadInputError("there is nothing to report: no frame has been processed")
        try:
            quality = self._held_out.evaluate(self._perception)
            report = self._report(quality, left_out or {}, dropped)
            self._write_files(report)
            for name in FILES:
                os.replace(self._unfinished / name, self.path(name))
        except OSError as error:
            raise self._named(error) from error
        finally:
            self.close()
        return report

    def close(self) -> None:
        """Remove what is not finished."""
        try:
            self._open.__exit__(_Abandoned, _Abandoned(), None)
        finally:
            shutil.rmtree(self._unfinished, ignore_errors=True)

    def _write_files(self, report: Report) -> None:
        self._perception.save(self._unfinished / "map.f4x")
        self._perception.export_ply(self._unfinished / "map.ply")
        self._write_story(report)
        self._tracks.detach()
        self._open.close()  # the files that grew are whole, or say why not
        write_report(self._unfinished / "report.json", report)

    def _named(self, error: OSError) -> OSError:
        """The error with the names that the files were to have."""
        hidden, shown = str(self._unfinished), str(self.out_dir)
        parts = [
            part.replace(hidden, shown) if isinstance(part, str) else part for part in error.args
        ]
        if error.filename is not None:
            parts.append(str(error.filename).replace(hidden, shown))
        return OSError(*parts)

    def _report(self, quality: Quality, left_out: Mapping[str, int], dropped: int) -> Report:
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
            "left_out": {reason: count for reason, count in left_out.items() if count},
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
            "seconds": time.perf_counter() - self._began,
        }

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


class _Abandoned(Exception):  # noqa: N818 - never seen outside
    """Tells files under construction to vanish."""
