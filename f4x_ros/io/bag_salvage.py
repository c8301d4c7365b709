# SPDX-License-Identifier: Apache-2.0
"""What is left of a bag file that was not closed, cut off or damaged: read as far as it goes.

An MCAP file without its index is gone through from the front; of an SQLite file the rows are asked
for one by one. Both have the two methods that `bag_storage` asks of a file, and know their topics.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import apsw

from f4x_ros.io.bag_chunks import decompressed

_MAGIC = b"\x89MCAP0\r\n"
_OP_SCHEMA, _OP_CHANNEL, _OP_MESSAGE, _OP_CHUNK = 0x03, 0x04, 0x05, 0x06
_RECORD = struct.Struct("<BQ")  # opcode, length
_MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
_CHUNK = struct.Struct("<QQQII")  # start, end, size unpacked, checksum, length of the next
_LONGEST_PROFILE = 64  # bytes read of the first record, which names it
_CACHED_CHUNKS = 4
#: So many rows in a row that cannot be read are the end of an SQLite file.
_ROWS_LOST_AT_END = 10_000


class SalvagedMcap:
    """Messages of an MCAP file, found by going from record to record up to where it breaks off.

    A position is the place of the chunk in the file (-1: none) and the offset in its records.
    """

    def __init__(self, path: Path) -> None:
        """Go through the file; raises ValueError if it does not begin like one."""
        self.path = path
        self._bio = path.open("rb")
        try:
            if self._bio.read(len(_MAGIC)) != _MAGIC:
                raise ValueError("it does not begin like an MCAP file")
            self._size = path.stat().st_size
            self._schemas: dict[int, str] = {}
            self._channels: dict[int, tuple[str, str]] = {}  # topic and type
            self._found: dict[str, list[tuple[int, Any]]] = {}
            self._cache: OrderedDict[int, bytes] = OrderedDict()
            self._check_profile()
            self._scan()
        except BaseException:
            self._bio.close()
            raise
        self.topics = dict(self._channels.values())

    def close(self) -> None:
        """Close the file."""
        self._bio.close()

    def entries(self, topic: str) -> Iterator[tuple[int, Any]]:
        """Record time [ns] and position of each message of a topic."""
        yield from self._found.get(topic, ())

    def read(self, position: tuple[int, int], limit: int | None) -> bytes:
        """The message at a position, or its first ``limit`` bytes."""
        chunk, offset = position
        if chunk < 0:
            self._bio.seek(offset)
            head = self._bio.read(_RECORD.size)
            body = self._bio.read(_RECORD.unpack(head)[1])
        else:
            records = self._chunk(chunk)
            start = offset + _RECORD.size
            body = records[start : start + _RECORD.unpack_from(records, offset)[1]]
        data = body[_MESSAGE.size :]
        return data if limit is None else data[:limit]

    def _check_profile(self) -> None:
        """Raise ValueError at messages of other systems, which are no ROS 2 messages."""
        head = BytesIO(self._bio.read(_LONGEST_PROFILE)[_RECORD.size :])
        profile = _text(head)
        if profile not in ("ros2", ""):
            raise ValueError(f"its profile is {profile!r}, expected 'ros2'")

    def _scan(self) -> None:
        position = len(_MAGIC)
        while position + _RECORD.size <= self._size:
            self._bio.seek(position)
            opcode, length = _RECORD.unpack(self._bio.read(_RECORD.size))
            end = position + _RECORD.size + length
            if opcode == 0 or (end > self._size and opcode != _OP_CHUNK):
                return  # never written, or cut within
            if opcode == _OP_CHUNK:
                self._take_records(self._chunk(position), position)
            elif opcode == _OP_MESSAGE:
                self._take(opcode, self._bio.read(_MESSAGE.size), (-1, position))
            elif opcode in (_OP_SCHEMA, _OP_CHANNEL):
                self._take(opcode, self._bio.read(length), (-1, position))
            position = end

    def _take_records(self, records: bytes, chunk: int) -> None:
        offset = 0
        while offset + _RECORD.size <= len(records):
            opcode, length = _RECORD.unpack_from(records, offset)
            end = offset + _RECORD.size + length
            if end > len(records):
                return
            self._take(opcode, records[offset + _RECORD.size : end], (chunk, offset))
            offset = end

    def _take(self, opcode: int, body: bytes, position: tuple[int, int]) -> None:
        if opcode == _OP_SCHEMA:
            (number,) = struct.unpack_from("<H", body)
            self._schemas[number] = _text(BytesIO(body[2:]))
        elif opcode == _OP_CHANNEL:
            number, schema = struct.unpack_from("<HH", body)
            self._channels[number] = (_text(BytesIO(body[4:])), self._schemas.get(schema, ""))
        elif opcode == _OP_MESSAGE:
            channel, _, log_ns, _ = _MESSAGE.unpack_from(body)
            if channel in self._channels:
                self._found.setdefault(self._channels[channel][0], []).append((log_ns, position))

    def _chunk(self, position: int) -> bytes:
        """The records of a chunk, as many as can be unpacked."""
        known = self._cache.pop(position, None)
        if known is None:
            self._bio.seek(position + _RECORD.size)
            head = self._bio.read(_CHUNK.size)
            if len(head) < _CHUNK.size:
                return b""
            *_, size, _, named = _CHUNK.unpack(head)
            tail = self._bio.read(named + 8)
            if len(tail) < named + 8:
                return b""
            (packed,) = struct.unpack_from("<Q", tail, named)
            data = self._bio.read(min(packed, self._size))
            known = decompressed(data, tail[:named].decode(), size, whole=False)
        self._cache[position] = known
        while len(self._cache) > _CACHED_CHUNKS:
            self._cache.popitem(last=False)
        return known


class SalvagedSqlite:
    """Rows of an SQLite file that SQLite itself refuses, asked for one by one by their number."""

    def __init__(self, path: Path) -> None:
        """Find the rows; raises apsw.Error if not even the topics can be read."""
        self.path = path
        self._db = apsw.Connection(
            f"file:{path}?immutable=1",
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
            vfs=_padding().vfs_name,
        )
        try:
            rows: Any = self._db.execute("SELECT id, name, type FROM topics").fetchall()
            # (a row of a page that was never written holds anything)
            rows = [row for row in rows if isinstance(row[1], str) and isinstance(row[2], str)]
            names: dict[int, str] = {number: name for number, name, _ in rows}
            self.topics: dict[str, str] = {name: kind for _, name, kind in rows}
            self._found: dict[str, list[tuple[int, int]]] = {}
            for number, topic, log_ns in self._rows():
                if topic in names:
                    self._found.setdefault(names[topic], []).append((log_ns, number))
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def entries(self, topic: str) -> Iterator[tuple[int, int]]:
        """Record time [ns] and position of each message of a topic."""
        yield from self._found.get(topic, ())

    def read(self, position: int, limit: int | None) -> bytes:
        """The message at a position, or its first ``limit`` bytes."""
        return read_blob(self._db, position, limit)

    def _rows(self) -> Iterator[tuple[int, int, int]]:
        """Number, topic and time of each row; the picture in it is not read."""
        number = lost = 0
        while lost < _ROWS_LOST_AT_END:
            number += 1
            try:
                row = self._db.execute(
                    "SELECT topic_id, timestamp FROM messages WHERE id = ?", (number,)
                ).fetchone()
            except apsw.Error:
                row = None
            if row is None or not isinstance(row[1], int):
                lost += 1
            else:
                lost = 0
                yield number, row[0], row[1]


def read_blob(db: apsw.Connection, row: int, limit: int | None) -> bytes:
    """The bytes of a message, or the first of them, by SQLite's incremental access."""
    blob = db.blob_open("main", "messages", "data", row, False)
    try:
        return blob.read(-1 if limit is None else min(limit, blob.length()))
    finally:
        blob.close()


class _Padded(apsw.VFSFile):
    """A file that is as long as its header says; SQLite would refuse to open a shorter one."""

    def xFileSize(self) -> int:
        there = int(super().xFileSize())
        if there < _SQLITE_HEAD:
            return there
        head = super().xRead(_SQLITE_HEAD, 0)
        (page,) = struct.unpack_from(">H", head, 16)
        (pages,) = struct.unpack_from(">I", head, 28)
        return max(there, int(65536 if page == 1 else page) * int(pages))

    def xRead(self, amount: int, offset: int) -> bytes:
        if offset + amount > super().xFileSize():
            raise apsw.IOError("cut off before here")
        return super().xRead(amount, offset)


_SQLITE_HEAD = 100


class _PaddingVfs(apsw.VFS):
    vfs_name = "f4x-padding"

    def __init__(self) -> None:
        super().__init__(self.vfs_name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _Padded:
        return _Padded("", name, flags)


@lru_cache(maxsize=1)
def _padding() -> _PaddingVfs:
    return _PaddingVfs()


def _text(bio: BytesIO) -> str:
    (length,) = struct.unpack("<I", bio.read(4))
    return bio.read(length).decode()
