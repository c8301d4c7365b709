# SPDX-License-Identifier: Apache-2.0
"""Random access to the messages of a ROS 2 bag without reading all of it.

`rosbags` opens the bag (checks it, knows its topics, unpacks what `ros2 bag` compressed as a file)
and parses messages. It hands messages out in the order of time and whole; to open a large bag in
seconds, this module reads where each message lies, and of images only their first bytes, which hold
the stamp.
"""

from __future__ import annotations

import struct
import sys
from collections import OrderedDict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import apsw
import numpy as np
from lz4.frame import LZ4FrameDecompressor  # type: ignore[import-untyped]
from numpy.typing import NDArray
from rosbags.rosbag2 import Reader, ReaderError
from rosbags.rosbag2.storage_mcap import ChunkInfo, McapReader
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from f4x_ros.core.base import LeftOut
from f4x_ros.core.errors import BadInputError, BadSampleError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_MCAP_CHUNK_HEAD = 9 + 40  # opcode and length, then the fields before the records
_MCAP_MESSAGE_HEAD = struct.Struct("<BQHIQQ")  # opcode, length, channel, sequence, log, publish
_OP_MESSAGE, _OP_MESSAGE_INDEX = 0x05, 0x07
_CACHED_CHUNKS = 4
_STAMP_BYTES = 12  # CDR head, seconds, nanoseconds

# What the libraries raise at bytes that are no message, or that cannot be read.
_DAMAGE = (
    SerdeError, KeyError, struct.error, IndexError, ValueError, AssertionError, OverflowError,
    MemoryError, RuntimeError, EOFError, apsw.Error, zstd.ZstdError,
)  # fmt: skip


@lru_cache(maxsize=1)
def typestore() -> Typestore:
    """The message types of ROS 2; those used here have been the same since Humble."""
    return get_typestore(Stores.ROS2_JAZZY)


class Entry(NamedTuple):
    """Where a message lies."""

    log_ns: int  # when it was recorded
    file: int  # number of the file in the bag
    position: Any  # place in that file


class _File(Protocol):
    def entries(self, topic: str) -> Iterator[tuple[int, Any]]:
        """Record time [ns] and position of each message of a topic."""
        ...

    def read(self, position: Any, limit: int | None) -> bytes:
        """The message at a position, or its first ``limit`` bytes."""
        ...


class BagStorage:
    """An open bag: its topics, and any message of them by number."""

    def __init__(self, path: Path) -> None:
        """Open a bag folder, ``.mcap`` or ``.db3`` file; raises ValueError if it is no bag."""
        self.path = path
        self.left_out = LeftOut()
        self.remarks: list[str] = []
        try:
            self._reader = Reader(path)
            self._reader.open()
        except (ReaderError, FileNotFoundError, KeyError) as error:
            raise BadInputError(f"{path}: expected a ROS 2 bag ({error})") from error
        self.topics: dict[str, str] = {c.topic: c.msgtype for c in self._reader.connections}
        self.counts: dict[str, int] = dict.fromkeys(self.topics, 0)
        for connection in self._reader.connections:
            self.counts[connection.topic] += connection.msgcount
        storage: Any = self._reader.storage
        self._files = [_open_file(part) for part in getattr(storage, "storages", [storage])]
        self._packed = storage.metadata.compression_mode == "message"

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def index(self, topic: str) -> list[Entry]:
        """All messages of a topic in the order they were recorded."""
        found = [
            Entry(log_ns, number, position)
            for number, file in enumerate(self._files)
            for log_ns, position in file.entries(topic)
        ]
        return sorted(found, key=lambda entry: entry.log_ns)

    def stamps(self, entries: list[Entry]) -> NDArray[np.int64]:
        """The stamps ``[N]`` int64 ns in the headers of messages that begin with one."""
        return np.array([_stamp(self._raw(entry, _STAMP_BYTES)) for entry in entries], np.int64)

    def stamped(
        self, topic: str, reason: str, left_out: LeftOut, remarks: list[str]
    ) -> tuple[list[Entry], NDArray[np.int64], bool]:
        """Messages of a topic that can be read at all, and their stamps ``[N]`` int64 ns.

        A stamp of zero is that of a driver without a clock: the time of recording takes its place,
        and a remark says so. The third value is true where that was done.

        Args:
            topic: of messages that begin with a header.
            reason: under which messages that cannot be read are counted.
            left_out: where they are counted.
            remarks: takes the remark.
        """
        entries, stamps, zeros = [], [], 0
        for entry in self.index(topic):
            try:
                stamp = _stamp(self._raw(entry, _STAMP_BYTES))
            except _DAMAGE:
                left_out.add(reason, 1, entry.log_ns)
                continue
            zeros += stamp == 0
            entries.append(entry)
            stamps.append(stamp or entry.log_ns)
        if zeros:
            remarks.append(
                f"topic {topic}: {zeros} of {len(entries)} messages have a stamp of zero, the time "
                "of recording is taken"
            )
        return entries, np.array(stamps, np.int64), zeros > 0

    def message(self, topic: str, entry: Entry) -> Any:
        """A message as an object with the fields of its type; BadSampleError if it is damaged."""
        try:
            return typestore().deserialize_cdr(self._raw(entry, None), self.topics[topic])
        except _DAMAGE as error:
            raise BadSampleError(
                "messages_unreadable",
                f"{self.path} topic {topic}: message recorded at {entry.log_ns} ns cannot be read "
                f"as {self.topics[topic]} ({error or type(error).__name__})",
            ) from error

    def _raw(self, entry: Entry, limit: int | None) -> bytes:
        file = self._files[entry.file]
        if not self._packed:
            return file.read(entry.position, limit)
        return zstd.decompress(file.read(entry.position, None))[:limit]


def _open_file(storage: Any) -> _File:
    if isinstance(storage, McapReader):
        return _McapFile(storage)
    assert isinstance(storage, Sqlite3Reader)
    return _SqliteFile(storage)


def _stamp(head: bytes) -> int:
    """Nanoseconds from the start of a CDR message whose first field is a Header."""
    if len(head) < _STAMP_BYTES:
        raise BadInputError(f"message of {len(head)} bytes, expected a header with a stamp")
    order = "<" if head[1] & 1 else ">"
    seconds, nanoseconds = struct.unpack_from(f"{order}iI", head, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


class _SqliteFile:
    """Messages are rows; their first bytes are read through SQLite's incremental blob access."""

    def __init__(self, storage: Sqlite3Reader) -> None:
        assert storage.dbconn is not None
        self._db = storage.dbconn
        self._ids = {connection.topic: connection.id for connection in storage.connections}

    def entries(self, topic: str) -> Iterator[tuple[int, int]]:
        query = "SELECT timestamp, id FROM messages WHERE topic_id = ? ORDER BY timestamp, id"
        yield from self._db.execute(query, (self._ids.get(topic, -1),))

    def read(self, position: int, limit: int | None) -> bytes:
        blob = self._db.blob_open("main", "messages", "data", position, False)
        try:
            return blob.read(-1 if limit is None else min(limit, blob.length()))
        finally:
            blob.close()


class _McapFile:
    """Messages lie in chunks, which may be compressed, or (preset "fastwrite") bare in the file.

    A position is the number of the chunk (-1: none) and the offset in its uncompressed records.
    """

    def __init__(self, storage: McapReader) -> None:
        assert storage.bio is not None
        assert storage.statistics is not None
        self._storage, self._bio = storage, storage.bio
        self._counts = storage.statistics.channel_message_counts
        self._cache: OrderedDict[int, bytes] = OrderedDict()

    def entries(self, topic: str) -> Iterator[tuple[int, tuple[int, int]]]:
        channels = {c.id for c in self._storage.connections if c.topic == topic}
        found = list(self._indexed(channels) if self._storage.chunks else self._scanned(channels))
        expected = sum(self._counts.get(channel, 0) for channel in channels)
        if len(found) != expected:
            raise BadInputError(
                f"{self._storage.path}: the index lists {len(found)} of {expected} messages of "
                f"{topic}, expected all ('mcap recover' rebuilds an index)"
            )
        yield from found

    def _indexed(self, channels: set[int]) -> Iterator[tuple[int, tuple[int, int]]]:
        for number, chunk in enumerate(self._storage.chunks):
            for channel in sorted(channels & chunk.message_index_offsets.keys()):
                self._bio.seek(chunk.message_index_offsets[channel])
                opcode, _, _, size = struct.unpack("<BQHI", self._bio.read(15))
                if opcode != _OP_MESSAGE_INDEX:
                    raise BadInputError(f"{self._storage.path}: damaged message index")
                for log_ns, offset in struct.iter_unpack("<QQ", self._bio.read(size)):
                    yield log_ns, (number, offset)

    def _scanned(self, channels: set[int]) -> Iterator[tuple[int, tuple[int, int]]]:
        """Go from record to record, skipping what they hold."""
        position = self._storage.data_start
        while position < self._storage.data_end:
            self._bio.seek(position)
            head = self._bio.read(_MCAP_MESSAGE_HEAD.size)
            opcode, length = struct.unpack_from("<BQ", head)
            if opcode == _OP_MESSAGE:
                _, _, channel, _, log_ns, _ = _MCAP_MESSAGE_HEAD.unpack(head)
                if channel in channels:
                    yield log_ns, (-1, position)
            position += 9 + length

    def read(self, position: tuple[int, int], limit: int | None) -> bytes:
        number, offset = position
        head = self._records(number, offset, _MCAP_MESSAGE_HEAD.size)
        size = _MCAP_MESSAGE_HEAD.unpack(head)[1] - (_MCAP_MESSAGE_HEAD.size - 9)
        wanted = size if limit is None else min(limit, size)
        data = self._records(number, offset + _MCAP_MESSAGE_HEAD.size, wanted)
        if len(data) != wanted:
            raise BadInputError(f"{self._storage.path}: ends within a message")
        return data

    def _records(self, number: int, offset: int, size: int) -> bytes:
        """Bytes of a chunk's records, or of the file itself."""
        chunk = self._storage.chunks[number] if number >= 0 else None
        if chunk is not None and chunk.compression:
            return self._unpacked(number, chunk, offset + size)[offset : offset + size]
        start = 0 if chunk is None else chunk.chunk_start_offset + _MCAP_CHUNK_HEAD
        self._bio.seek(start + offset)
        return self._bio.read(size)

    def _unpacked(self, number: int, chunk: ChunkInfo, upto: int) -> bytes:
        """The first ``upto`` bytes, or more, of a compressed chunk."""
        known = self._cache.pop(number, b"")
        if len(known) < upto:
            self._bio.seek(chunk.chunk_start_offset + _MCAP_CHUNK_HEAD + len(chunk.compression))
            known = _decompress(self._bio.read(chunk.compressed_size), chunk.compression, upto)
        self._cache[number] = known
        while len(self._cache) > _CACHED_CHUNKS:
            self._cache.popitem(last=False)
        return known


def _decompress(data: bytes, compression: str, upto: int) -> bytes:
    """Decompress no more than needed for the first ``upto`` bytes."""
    if compression not in ("zstd", "lz4"):
        raise BadInputError(f"chunk compression {compression!r}, expected zstd or lz4")
    engine = zstd.ZstdDecompressor() if compression == "zstd" else LZ4FrameDecompressor()
    out = bytearray(engine.decompress(data, max_length=upto))
    while len(out) < upto and not engine.eof and not engine.needs_input:
        out += engine.decompress(b"", max_length=upto - len(out))
    return bytes(out)
