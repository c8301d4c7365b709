# SPDX-License-Identifier: Apache-2.0
"""Random access to the messages of a ROS 2 bag without reading all of it.

`rosbags` opens the bag (checks it, knows its topics, unpacks what `ros2 bag` compressed as a file)
and parses messages. It hands messages out in the order of time and whole; to open a large bag in
seconds, this module reads where each message lies, and of images only their first bytes, which hold
the stamp.
"""

from __future__ import annotations

import errno
import os
import struct
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import numpy as np
import yaml
from numpy.typing import NDArray
from rosbags.rosbag2 import Reader, ReaderError
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from f4x_ros.core.base import LeftOut
from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io.bag_chunks import UNPACKING_ERRORS, ZSTD_MAGIC, unpacked_message
from f4x_ros.io.bag_files import BagFile, open_file
from f4x_ros.io.bag_salvage import SalvagedMcap, SalvagedSqlite

_STAMP_BYTES = 12  # CDR head, seconds, nanoseconds
_LEAST_TO_REPAIR = 1024  # bytes; in less there is nothing

# What the libraries raise at bytes that are no message, or that cannot be read.
_DAMAGE = (
    SerdeError, KeyError, struct.error, IndexError, ValueError, AssertionError, OverflowError,
    MemoryError, OSError, apsw.Error, *UNPACKING_ERRORS,
)  # fmt: skip
# What they raise at a file that is no whole bag.
_NO_BAG = (ReaderError, TypeError, *_DAMAGE)
_SALVAGED: dict[str, type[SalvagedMcap] | type[SalvagedSqlite]]
_SALVAGED = {".mcap": SalvagedMcap, ".db3": SalvagedSqlite}
_REPAIR = {
    ".mcap": "'mcap recover FILE -o NEW' may repair it",
    ".db3": "'sqlite3 FILE .recover | sqlite3 NEW' may repair it",
}


@lru_cache(maxsize=1)
def typestore() -> Typestore:
    """The message types of ROS 2; those used here have been the same since Humble."""
    return get_typestore(Stores.ROS2_JAZZY)


class Entry(NamedTuple):
    """Where a message lies."""

    log_ns: int  # when it was recorded
    file: int  # number of the file in the bag
    position: Any  # place in that file


class BagStorage:
    """An open bag: its topics, and any message of them by number.

    Files that are damaged or were not closed are read as far as they go.

    Attributes:
        topics: type by topic.
        counts: how many messages of each topic there are.
        left_out: what could not be read, as far as that is known.
        remarks: what is wrong with the bag, in sentences.
    """

    def __init__(self, path: Path) -> None:
        """Open a bag folder, ``.mcap`` or ``.db3`` file; raises ValueError if it is no bag."""
        self.path = path
        self.left_out = LeftOut()
        self.remarks: list[str] = []
        self.topics: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self._files: list[BagFile] = []
        self._indexed: dict[str, list[Entry]] = {}
        self._instead: dict[int, int] = {}  # what is read in place of a file with a damaged index
        self._closing = ExitStack()
        try:
            try:
                self._open(Reader(path))
            except _NO_BAG as error:
                if isinstance(error, PermissionError):
                    raise
                self._salvage(error)
            self._note_wal()
            self._whole = len(self._files)
        except BaseException:
            self._closing.close()
            raise

    def close(self) -> None:
        """Close the files."""
        self._closing.close()

    def _open(self, reader: Reader) -> None:
        """Add the files of a bag, or of one of its files, that is whole."""
        reader.open()
        self._closing.callback(reader.close)
        for connection in reader.connections:
            named = (connection.topic, connection.msgtype)
            if not all(isinstance(name, str) for name in named):  # a row that was never written
                raise ReaderError(f"topic {named[0]!r} of type {named[1]!r}, expected names")
        for connection in reader.connections:
            topic = connection.topic
            self.topics.setdefault(topic, connection.msgtype)
            self.counts[topic] = self.counts.get(topic, 0) + connection.msgcount
        storage: Any = reader.storage
        self._files += [open_file(part) for part in getattr(storage, "storages", [storage])]

    def _salvage(self, error: Exception) -> None:
        """Read what is there of each file; raises ValueError where nothing is."""
        parts = [self.path]
        if self.path.is_dir():
            parts = sorted(p for p in self.path.iterdir() if p.suffix in _SALVAGED)
        for part in parts:
            if part.is_file() and not os.access(part, os.R_OK):  # nothing that could be repaired
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(part))
        notes = [part for part in parts if not self._salvage_file(part)]
        if not self.topics:
            hint = "".join(
                f"; {_REPAIR[p.suffix].replace('FILE', str(p))}"
                for p in parts
                if p.suffix in _SALVAGED and p.is_file() and p.stat().st_size > _LEAST_TO_REPAIR
            )
            why = error if isinstance(error, ReaderError) else "it is cut off or damaged"
            raise BadInputError(f"{self.path}: expected a ROS 2 bag ({why}){hint}") from error
        self.remarks += [f"{part} cannot be read at all and is left out" for part in notes]
        if self.path.is_dir():
            if not self.remarks:
                said = " ".join(str(error).split())  # YAML's own takes five lines
                self.remarks.append(f"{self.path}: its files were read one by one ({said})")
            self._count_lost()

    def _salvage_file(self, path: Path) -> bool:
        """Add a file, whole or not; False if nothing is in it."""
        try:
            self._open(Reader(path))
            return True
        except _NO_BAG as whole:
            if isinstance(whole, PermissionError):
                raise
            error = whole
        try:
            file = _SALVAGED[path.suffix](path)
        except _NO_BAG:
            return False
        self._closing.callback(file.close)
        found = {topic: sum(1 for _ in file.entries(topic)) for topic in file.topics}
        if not any(found.values()):
            return False
        self._files.append(file)
        for topic, kind in file.topics.items():
            self.topics.setdefault(topic, kind)
            self.counts[topic] = self.counts.get(topic, 0) + found[topic]
        self.remarks.append(
            f"{path} is damaged or was not closed ({error}): {sum(found.values())} messages of it "
            f"are there, what follows is lost; {_REPAIR[path.suffix].replace('FILE', str(path))}"
        )
        return True

    def _count_lost(self) -> None:
        """Messages that ``metadata.yaml`` knows of and the files no more."""
        try:
            about = yaml.safe_load((self.path / "metadata.yaml").read_text())
            written = int(about["rosbag2_bagfile_information"]["message_count"])
        except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError):
            return  # written when a recording ends well: mostly it is not there
        self.left_out.add("messages_lost_with_the_file", written - sum(self.counts.values()))

    def _note_wal(self) -> None:
        """Say that messages lie beside an SQLite file that was not closed."""
        folder = self.path if self.path.is_dir() else self.path.parent
        for wal in sorted(folder.glob("*.db3-wal")):
            base = wal.with_name(wal.name.removesuffix("-wal"))
            if wal.stat().st_size and base in (self.path, self.path / base.name):
                self.remarks.append(
                    f"{wal} holds messages that are not read; \"sqlite3 {base} 'PRAGMA "
                    "wal_checkpoint'\" moves them into the bag"
                )

    def index(self, topic: str) -> list[Entry]:
        """All messages of a topic in the order they were recorded."""
        if topic not in self._indexed:
            found = [
                Entry(log_ns, at, position)
                for number in range(self._whole)
                for at, log_ns, position in self._entries(number, topic)
            ]
            self._indexed[topic] = sorted(found, key=lambda entry: entry.log_ns)
            lost = self.counts.get(topic, 0) - len(found)
            self.left_out.add("messages_lost_with_the_file", lost)
        return self._indexed[topic]

    def _entries(self, number: int, topic: str) -> list[tuple[int, int, Any]]:
        """File, record time and position; where the index of a file is damaged, without it."""
        if number not in self._instead:
            try:
                return [(number, *entry) for entry in self._files[number].entries(topic)]
            except _DAMAGE as error:
                path = self._files[number].path
                file = _SALVAGED[path.suffix](path)
                self._closing.callback(file.close)
                self._instead[number] = len(self._files)
                self._files.append(file)
                self.remarks.append(f"{path}: read without its index, which is damaged ({error})")
        at = self._instead[number]
        return [(at, *entry) for entry in self._files[at].entries(topic)]

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
        data = file.read(entry.position, limit)
        if not data.startswith(ZSTD_MAGIC):  # a CDR message begins with 0
            return data
        return unpacked_message(file.read(entry.position, None))[:limit]


def _stamp(head: bytes) -> int:
    """Nanoseconds from the start of a CDR message whose first field is a Header."""
    if len(head) < _STAMP_BYTES:
        raise BadInputError(f"message of {len(head)} bytes, expected a header with a stamp")
    order = "<" if head[1] & 1 else ">"
    seconds, nanoseconds = struct.unpack_from(f"{order}iI", head, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)
