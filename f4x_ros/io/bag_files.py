# SPDX-License-Identifier: Apache-2.0
"""Where each message lies in a file of a bag that is whole; see `bag_salvage` for others."""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from rosbags.rosbag2.storage_mcap import ChunkInfo, McapReader
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader

from f4x_ros.core.errors import BadInputError
from f4x_ros.io.bag_chunks import decompressed
from f4x_ros.io.bag_salvage import read_blob

_MCAP_CHUNK_HEAD = 9 + 40  # opcode and length, then the fields before the records
_MCAP_MESSAGE_HEAD = struct.Struct("<BQHIQQ")  # opcode, length, channel, sequence, log, publish
_OP_MESSAGE, _OP_MESSAGE_INDEX = 0x05, 0x07
_CACHED_CHUNKS = 4


class BagFile(Protocol):
    """A file of a bag."""

    path: Path

    def entries(self, topic: str) -> Iterator[tuple[int, Any]]:
        """Record time [ns] and position of each message of a topic."""
        ...

    def read(self, position: Any, limit: int | None) -> bytes:
        """The message at a position, or its first ``limit`` bytes."""
        ...


def open_file(storage: Any) -> BagFile:
    """Of a storage that rosbags has opened."""
    if isinstance(storage, McapReader):
        return McapFile(storage)
    assert isinstance(storage, Sqlite3Reader)
    return SqliteFile(storage)


class SqliteFile:
    """Messages are rows; their first bytes are read through SQLite's incremental blob access."""

    def __init__(self, storage: Sqlite3Reader) -> None:
        assert storage.dbconn is not None
        self.path = Path(str(storage.path))
        self._db = storage.dbconn
        self._ids = {connection.topic: connection.id for connection in storage.connections}

    def entries(self, topic: str) -> Iterator[tuple[int, int]]:
        query = "SELECT timestamp, id FROM messages WHERE topic_id = ? ORDER BY timestamp, id"
        for log_ns, number in self._db.execute(query, (self._ids.get(topic, -1),)):
            if not isinstance(log_ns, int) or not isinstance(number, int):
                raise BadInputError(f"{self.path}: damaged row {number!r} at {log_ns!r}")
            yield log_ns, number

    def read(self, position: int, limit: int | None) -> bytes:
        return read_blob(self._db, position, limit)


class McapFile:
    """Messages lie in chunks, which may be compressed, or (preset "fastwrite") bare in the file.

    A position is the number of the chunk (-1: none) and the offset in its uncompressed records.
    """

    def __init__(self, storage: McapReader) -> None:
        assert storage.bio is not None
        assert storage.statistics is not None
        self.path = Path(str(storage.path))
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
            known = decompressed(self._bio.read(chunk.compressed_size), chunk.compression, upto)
        self._cache[number] = known
        while len(self._cache) > _CACHED_CHUNKS:
            self._cache.popitem(last=False)
        return known
