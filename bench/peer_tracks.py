# SPDX-License-Identifier: Apache-2.0
"""Masks and tracks without a map: each frame is encoded anew, boxes are followed in the picture.

The 2D model, the prompts and the thresholds are those of our own pipeline. Connected pieces of a
prompt's mask are boxes for a 2D tracker of the package trackers (one tracker a prompt); what it
follows is lifted to 3D by the depth of the piece and the given pose.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from peer_subjects import Contestant, Seen, Stopwatch

from f4x_ros.core.ask.prompts import labels_of
from f4x_ros.core.config import Config
from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.data.poses import Pose
from f4x_ros.core.data.track import Track, TrackState
from f4x_ros.core.features.registry import language_of, make_extractor, parse_options
from f4x_ros.eval.subjects.subject import Answer
from f4x_ros.io.source import Source

_ID_STRIDE = 1_000_000  # ids of one prompt's tracker
_MIN_PX = 100  # of a piece at 320x240: fewer give more false tracks, more miss small things
_SPEED_WINDOW_S = 0.25  # over which a velocity is a difference of positions
_MOVING_WINDOW_S, _MOVING_MPS = 0.5, 0.3  # best for these tracks among 8 tried; ours takes 0.08 m/s
_DEPTH_GATE_M = 0.4  # what is farther from a piece's median depth shines through its holes
_PERCENTILES = (2.0, 98.0)  # of the points of a piece, as in our own boxes
_ELSEWHERE = 0.3  # norm of the difference of two poses beyond which they are two views
_EYE6 = np.eye(6)
_UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Piece:
    """A connected piece of a mask: box in pixels (x, y, x, y), mean relevancy, its pixels."""

    box: tuple[float, float, float, float]
    score: float
    pixels: NDArray[np.bool_]  # [H, W]


def least_px(image: NDArray[Any]) -> float:
    """Pixels of the smallest piece in an image [H, W]."""
    return _MIN_PX * image.size / (320 * 240)


def pieces_of(mask: NDArray[np.bool_], scores: NDArray[np.floating], min_px: float) -> list[Piece]:
    """8-connected pieces of a mask [H, W] with at least ``min_px`` pixels."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    pieces = []
    for number in range(1, count):
        x, y, width, height, area = (float(value) for value in stats[number])
        if area >= min_px:
            pixels = labels == number
            box = (x, y, x + width, y + height)
            pieces.append(Piece(box, float(scores[pixels].mean()), pixels))
    return pieces


def lifted(
    pixels: NDArray[np.bool_], depth: NDArray[np.float32], camera: PinholeCamera, pose: Pose
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Centre and size [3] in the map frame of the box of some pixels; None without depth."""
    use = pixels & (depth > 0)
    if not use.any():
        return None
    middle = float(np.median(depth[use]))
    use &= np.abs(depth - middle) < _DEPTH_GATE_M
    points = camera.unproject(depth)[use] @ pose[:3, :3].T + pose[:3, 3]
    low, high = np.percentile(points, _PERCENTILES, axis=0)
    return (low + high) / 2, high - low


class Speedometer:
    """Velocity of each id as the difference of positions over a short window."""

    def __init__(self, window_s: float = _SPEED_WINDOW_S) -> None:
        """Nothing seen yet."""
        self._window_ns = window_s * 1e9
        self._past: dict[int, deque[tuple[int, NDArray[np.float64]]]] = {}

    def __call__(
        self, number: int, stamp_ns: int, position: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Velocity [3] m/s; 0 at the first sight."""
        past = self._past.setdefault(number, deque())
        past.append((stamp_ns, position))
        while len(past) > 2 and stamp_ns - past[1][0] >= self._window_ns:
            past.popleft()
        start_ns, start = past[0]
        span_ns = stamp_ns - start_ns
        return (position - start) / (span_ns * 1e-9) if span_ns else np.zeros(3)

    def settled(self, number: int) -> bool:
        """Whether the id has been seen for as long as the window."""
        past = self._past[number]
        return past[-1][0] - past[0][0] >= 0.9 * self._window_ns


class PerFrameMasks(Contestant):
    """Encodes each picture and compares each pixel with the words; there is no memory.

    A question about a moment of the past needs that moment's picture: it is read again (not
    timed), encoded and compared (timed). From where no camera was there is no answer.
    """

    def __init__(self, config: Config, source: Source) -> None:
        """Load the 2D model."""
        super().__init__()
        features = config.features
        options = parse_options(features.options)
        self._extractor = language_of(make_extractor(features.extractor, options=options))
        self._threshold = config.query.threshold or self._extractor.threshold
        self.encoder = self._extractor.name
        self.settings = {"encoder": self.encoder, "threshold": self._threshold}
        self._stamps_ns = source.stamps_ns
        self._index = {int(stamp): i for i, stamp in enumerate(source.stamps_ns)}
        self._prompts: tuple[str, ...] = ()
        self._last_ns = 0
        self._mask_time = Stopwatch()
        self._frame = lru_cache(maxsize=2)(source.__getitem__)

    def understood(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that the 2D model accepts."""
        return [text for text in texts if self._accepts(text)]

    def _accepts(self, text: str) -> bool:
        try:
            self._extractor.text([text])
        except ValueError:
            return False
        return True

    def begin(self, prompts: Sequence[str]) -> None:
        """Encode the standing prompts once."""
        self._prompts = tuple(prompts)
        self._vectors = self._extractor.text(self._prompts)

    @torch.no_grad()
    def relevancy(self, rgb: NDArray[np.uint8], vectors: torch.Tensor) -> torch.Tensor:
        """Relevancy [H, W, P] of every pixel."""
        image = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
        dense = self._extractor.dense(image)[0]
        channels, rows, columns = dense.shape
        scores = self._extractor.relevancy(dense.reshape(channels, -1).T, vectors)
        scores = scores.reshape(rows, columns, -1)
        if (rows, columns) == rgb.shape[:2]:
            return scores
        larger = torch.nn.functional.interpolate(
            scores.permute(2, 0, 1)[None], rgb.shape[:2], mode="bilinear", align_corners=False
        )
        return larger[0].permute(1, 2, 0)

    def masks(self, frame: Frame) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
        """Labels and their relevancy, both [H, W]."""

        def label() -> tuple[torch.Tensor, torch.Tensor]:
            scores = self.relevancy(frame.rgb, self._vectors)
            return labels_of(scores, (self._threshold,) * len(self._prompts))

        labels, best = self._mask_time(label)
        self._last_ns = frame.stamp_ns
        return labels.numpy().astype(np.uint16), best.numpy()

    def step(self, frame: Frame) -> Seen:
        """Masks of the standing prompts."""
        return Seen(frame.stamp_ns, _pose(frame), self._prompts, self.masks(frame)[0])

    def ask(self, text: str, stamp_ns: int = 0, view: Pose | None = None) -> Answer:
        """One question about the picture of a moment."""
        frame = self._frame(self._index[stamp_ns or self._last_ns])
        if view is not None and np.linalg.norm(view - _pose(frame)) > _ELSEWHERE:
            return Answer(False, 0.0, np.zeros(frame.rgb.shape[:2], bool))

        def score() -> NDArray[np.float32]:
            return self.relevancy(frame.rgb, self._extractor.text([text]))[..., 0].numpy()

        scores = score() if view is None else self.ask_time(score)
        mask = scores >= self._threshold
        found = pieces_of(mask, scores, least_px(mask))
        best = max((piece.score for piece in found), default=float(np.quantile(scores, 0.999)))
        return Answer(bool(found), best, mask)

    def cost(self) -> dict[str, dict[str, float | None]]:
        """Times of frames, questions and of the masks of all standing prompts."""
        return {**super().cost(), "masks": self._mask_time.numbers(skip=3)}


class LiftedTracks(PerFrameMasks):
    """A 2D tracker on the pieces of the masks, lifted by depth.

    Args:
        config: of our pipeline, for the 2D model.
        source: the frames.
        tracker: "ByteTrackTracker" or "SORTTracker" of the package trackers.
    """

    def __init__(self, config: Config, source: Source, tracker: str) -> None:
        """Load the tracker."""
        super().__init__(config, source)
        self._sv: Any = import_module("supervision")
        self._make: Any = getattr(import_module("trackers"), tracker)
        self.settings |= {
            "tracker": f"trackers.{tracker}",
            "confidence": "all boxes sure",
            "min_px": _MIN_PX,
            "moving_mps": _MOVING_MPS,
            "moving_window_s": _MOVING_WINDOW_S,
        }
        self._trackers: list[Any] = []
        self._speed, self._first_ns = Speedometer(), dict[int, int]()
        self._slow_speed = Speedometer(_MOVING_WINDOW_S)

    def begin(self, prompts: Sequence[str]) -> None:
        """One tracker a prompt."""
        super().begin(prompts)
        gaps_s = np.diff(self._stamps_ns) * 1e-9
        rate_hz = 1 / float(np.median(gaps_s)) if len(gaps_s) else 30.0
        self._trackers = [self._make(frame_rate=rate_hz) for _ in prompts]

    def step(self, frame: Frame) -> Seen:
        """Masks, boxes, 2D tracks, 3D tracks."""
        self._shape = frame.rgb.shape[:2]
        labels, best = self.masks(frame)
        tracks = [
            track
            for number in range(len(self._prompts))
            for track in self._follow(number, frame, labels == number + 1, best)
        ]
        return Seen(frame.stamp_ns, _pose(frame), self._prompts, labels, tracks=tuple(tracks))

    def ask(self, text: str, stamp_ns: int = 0, view: Pose | None = None) -> Answer:
        """Not compared here, so not computed: `PerFrameMasks` by itself is."""
        return Answer(False, 0.0, np.zeros(self._shape, bool))

    def _follow(
        self, number: int, frame: Frame, mask: NDArray[np.bool_], best: NDArray[np.float32]
    ) -> list[Track]:
        pieces = pieces_of(mask, best, least_px(mask))
        boxes = np.array([piece.box for piece in pieces], np.float32).reshape(-1, 4)
        detections = self._sv.Detections(xyxy=boxes, data={"piece": np.arange(len(pieces))})
        followed = self._trackers[number].update(detections)
        if not len(followed):
            return []
        named = zip(followed.tracker_id.tolist(), followed.data["piece"].tolist(), strict=True)
        tracks = [
            self._track(number, number * _ID_STRIDE + own, frame, pieces[piece])
            for own, piece in named
            if own >= 0
        ]
        return [track for track in tracks if track is not None]

    def _track(self, number: int, identity: int, frame: Frame, piece: Piece) -> Track | None:
        if frame.depth is None:
            raise ValueError("a frame has no depth, expected RGB-D")
        box = lifted(piece.pixels, frame.depth, frame.camera, _pose(frame))
        if box is None:
            return None
        velocity = self._speed(identity, frame.stamp_ns, box[0])
        slow = self._slow_speed(identity, frame.stamp_ns, box[0])
        return Track(
            id=identity,
            label=self._prompts[number],
            score=piece.score,
            state=TrackState.CONFIRMED,
            moving=bool(np.linalg.norm(slow) > _MOVING_MPS) and self._slow_speed.settled(identity),
            position=box[0],
            orientation=_UPRIGHT,
            pose_covariance=_EYE6,
            velocity=velocity,
            angular_velocity=np.zeros(3),
            twist_covariance=_EYE6,
            size=box[1],
            first_seen_ns=self._first_ns.setdefault(identity, frame.stamp_ns),
            last_seen_ns=frame.stamp_ns,
        )


def _pose(frame: Frame) -> Pose:
    if frame.T_map_camera is None:
        raise ValueError("a frame has no pose, expected one")
    return frame.T_map_camera
