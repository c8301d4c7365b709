# SPDX-License-Identifier: Apache-2.0
"""Good recordings made bad, by hypothesis: what cables, drivers, disks and people do to them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bag_messages import SECOND, recording, with_tf
from hypothesis import strategies as st
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from f4x_ros.io.bag_storage import typestore
from f4x_ros.io.bag_topics import CAMERA_INFO, IMAGE, TF

FRAMES = 5


@dataclass
class Sample:
    """A message of a bag, and what becomes of its bytes."""

    topic: str
    kind: str
    log_ns: int
    message: Any
    cut: int | None = None  # only so many bytes are there
    noise: int | None = None  # seed of what is written over some of them

    def content(self) -> bytes:
        data = bytearray(typestore().serialize_cdr(self.message, self.kind))
        if self.noise is not None:
            random = np.random.default_rng(self.noise)
            for place in random.integers(4, len(data), 6).tolist():
                data[place] = int(random.integers(256))
        return bytes(data[: self.cut])


class Bag(NamedTuple):
    """A recording that may be bad."""

    samples: list[Sample]
    storage: StoragePlugin
    compression: CompressionMode | None
    file_damage: tuple[str, float, int] | None  # what, where (0..1), seed
    done: list[str]  # to it

    def written(self, topic: str) -> int:
        """Messages on a topic."""
        return sum(sample.topic == topic for sample in self.samples)

    def write(self, path: Path) -> Path:
        writer = Writer(path, version=8, storage_plugin=self.storage)
        if self.compression is not None:
            writer.set_compression(self.compression, CompressionFormat.ZSTD)
        with writer:
            connections: dict[tuple[str, str], Any] = {}
            for sample in self.samples:
                key = (sample.topic, sample.kind)
                if key not in connections:
                    connections[key] = writer.add_connection(*key, typestore=typestore())
                writer.write(connections[key], sample.log_ns, sample.content())
        if self.file_damage is not None:
            self._damage(next(p for p in path.iterdir() if p.suffix != ".yaml"))
        return path

    def _damage(self, file: Path) -> None:
        assert self.file_damage is not None
        what, where, seed = self.file_damage
        content = file.read_bytes()
        place = int(where * len(content))
        if what == "cut":
            file.write_bytes(content[:place])
            return
        size = min(400, len(content) - place)
        noise = np.random.default_rng(seed).integers(0, 256, size, np.uint8).tobytes()
        hole = bytes(size) if what == "hole" else noise
        file.write_bytes(content[:place] + hole + content[place + size :])


# --- what is done to messages --------------------------------------------------------------------

_BAD_NUMBERS = [0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf"), 3.7]
_SHIFTS_NS = [
    *(1, -1, SECOND // 100, -SECOND // 100, SECOND // 20, -SECOND // 10, SECOND, -5 * SECOND),
    *(3600 * SECOND, -(10**18)),
]
_ENCODINGS = [
    *(
        "rgb8",
        "bgr8",
        "mono8",
        "mono16",
        "16UC1",
        "32FC1",
        "64FC1",
        "8UC3",
        "yuv422",
        "bayer_rggb8",
    ),
    *("", "nonsense"),
]
_FRAMES = ["", "/camera_optical", "nowhere", "map", "base", "camera optical \u00e4"]
_MODELS = ["", "plumb_bob", "rational_polynomial", "equidistant", "nonsense"]


def _stamps(message: Any) -> list[Any]:
    heads = [t.header for t in message.transforms] if hasattr(message, "transforms") else []
    return [head.stamp for head in heads or [message.header]]


def _shift(sample: Sample, by_ns: int) -> None:
    for stamp in _stamps(sample.message):
        ns = max(0, stamp.sec * SECOND + stamp.nanosec + by_ns)
        stamp.sec, stamp.nanosec = min(ns // SECOND, 2**31 - 1), ns % SECOND


def _zero_stamp(sample: Sample) -> None:
    for stamp in _stamps(sample.message):
        stamp.sec, stamp.nanosec = 0, 0


def _set_frame(sample: Sample, name: str) -> None:
    if sample.kind == TF:
        sample.message.transforms[0].child_frame_id = name
    else:
        sample.message.header.frame_id = name


def _set_parent(sample: Sample, name: str) -> None:
    if sample.kind == TF:
        sample.message.transforms[0].header.frame_id = name


def _set_size(sample: Sample, width: int, height: int, step: int) -> None:
    if sample.kind in (IMAGE, CAMERA_INFO):
        sample.message.width, sample.message.height = width, height
    if sample.kind == IMAGE:
        sample.message.step = step


def _set_encoding(sample: Sample, encoding: str, big: int) -> None:
    if sample.kind == IMAGE:
        sample.message.encoding, sample.message.is_bigendian = encoding, big


def _shorten_data(sample: Sample, share: float) -> None:
    if sample.kind == IMAGE:
        sample.message.data = sample.message.data[: int(share * len(sample.message.data))]


def _set_pose(sample: Sample, index: int, value: float) -> None:
    if sample.kind == TF:
        transform = sample.message.transforms[0].transform
        name = "xyzwxyz"[index]
        setattr(transform.rotation if index < 4 else transform.translation, name, value)


def _no_rotation(sample: Sample) -> None:
    if sample.kind == TF:
        for name in "xyzw":
            setattr(sample.message.transforms[0].transform.rotation, name, 0.0)


def _set_calibration(sample: Sample, name: str, index: int, value: float) -> None:
    if sample.kind == CAMERA_INFO:
        numbers = np.array(getattr(sample.message, name), float)
        if numbers.size:
            numbers[index % numbers.size] = value
        setattr(sample.message, name, numbers)


def _set_lens(sample: Sample, model: str, numbers: int, value: float) -> None:
    if sample.kind == CAMERA_INFO:
        sample.message.distortion_model = model
        sample.message.d = np.full(numbers, value)


def _cut(sample: Sample, size: int) -> None:
    sample.cut = size


def _noise(sample: Sample, seed: int) -> None:
    sample.noise = seed


def _log_time(sample: Sample, by_ns: int) -> None:
    sample.log_ns = max(0, sample.log_ns + by_ns)


_Change = Callable[[Sample], None]


@st.composite
def _changes(draw: st.DrawFn) -> tuple[str, _Change]:
    """Something that is done to one message, with its name."""
    number, shift = st.sampled_from(_BAD_NUMBERS), st.sampled_from(_SHIFTS_NS)
    arguments: dict[Callable[..., None], tuple[st.SearchStrategy[Any], ...]] = {
        _shift: (shift,),
        _log_time: (shift,),
        _zero_stamp: (),
        _set_frame: (st.sampled_from(_FRAMES),),
        _set_parent: (st.sampled_from(_FRAMES),),
        _set_size: (st.integers(0, 20), st.integers(0, 20), st.integers(0, 80)),
        _set_encoding: (st.sampled_from(_ENCODINGS), st.integers(0, 1)),
        _shorten_data: (st.floats(0, 1),),
        _set_pose: (st.integers(0, 6), number),
        _no_rotation: (),
        _set_calibration: (st.sampled_from(["k", "p", "d", "r"]), st.integers(0, 11), number),
        _set_lens: (st.sampled_from(_MODELS), st.integers(0, 14), number),
        _cut: (st.integers(0, 200),),
        _noise: (st.integers(0, 99),),
    }
    change = draw(st.sampled_from(list(arguments)))
    given_values = [draw(strategy) for strategy in arguments[change]]
    return f"{change.__name__}{tuple(given_values)}", lambda sample: change(sample, *given_values)


def _happens(draw: st.DrawFn, samples: list[Sample], done: list[str]) -> list[Sample]:
    """The samples after something has happened to one of them, or to its whole topic."""
    index = draw(st.integers(0, len(samples) - 1))
    what = draw(st.sampled_from(["one", "one", "topic", "drop", "drop_topic", "twice", "swap"]))
    chosen = samples[index]
    done.append(f"{what} {index} {chosen.topic}")
    if what == "drop":
        return [sample for sample in samples if sample is not chosen]
    if what == "drop_topic":
        return [sample for sample in samples if sample.topic != chosen.topic]
    if what == "twice":
        return [*samples, copy.deepcopy(chosen)]
    if what == "swap":
        other = samples[draw(st.integers(0, len(samples) - 1))]
        chosen.log_ns, other.log_ns = other.log_ns, chosen.log_ns
        return samples
    name, change = draw(_changes())
    done.append(name)
    for sample in samples:
        if sample is chosen or (what == "topic" and sample.topic == chosen.topic):
            change(sample)
    return samples


@st.composite
def bags(draw: st.DrawFn, *, damage: bool = True) -> Bag:
    """A good recording to which up to five things happened; `damage`: perhaps to its file, too."""
    good = with_tf(recording(FRAMES), FRAMES)
    samples = [Sample(*copy.deepcopy(message)) for message in good]
    done: list[str] = []
    for _ in range(draw(st.integers(0, 5))):
        if samples:
            samples = _happens(draw, samples, done)
    samples.sort(key=lambda sample: sample.log_ns)
    storage = draw(st.sampled_from([StoragePlugin.MCAP, StoragePlugin.SQLITE3]))
    compression = draw(st.sampled_from([None, None, CompressionMode.MESSAGE]))
    if storage == StoragePlugin.MCAP and draw(st.booleans()):
        compression = CompressionMode.STORAGE
    hurt = None
    if damage and draw(st.integers(0, 3)) == 3:
        kinds, where = st.sampled_from(["cut", "hole", "noise"]), st.floats(0, 1)
        hurt = (draw(kinds), draw(where), draw(st.integers(0, 9)))
    return Bag(samples, storage, compression, hurt, done)
