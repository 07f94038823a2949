"""Decisions on their own, in a file, for when the database does not answer. Start-up reads it before anything acts.

One line per decision: checksum, space, the packed record in base64. A line that was cut off by a crash is recognised
by its checksum and passed over; it is never taken for a decision.
"""

import base64
import os
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from controller.domain.names import RolloutKey
from controller.domain.record import StoreUnavailableError, TickRecord
from controller.store.deadline import Deadline, TooLateError
from controller.store.packing import RECORD

_PATIENCE = 0.5  # seconds for a write: a hung disk must not hold up a rollback
_SLOTS = 8


class SpoolUnavailableError(Exception):
    """The spool could not be read or written; says what, where and what to do. A rollback goes on all the same."""


class Spool:
    """The file `decisions` in one folder, of one daemon. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        """Touches nothing yet: the folder is made by the first write."""
        RECORD.prepare()
        self._folder = folder
        self._file = folder / "decisions"
        self._lock = threading.Lock()
        self._deadline = Deadline(_SLOTS)

    def write(self, record: TickRecord) -> None:
        """Append a decision, without its measurements, and see it onto the disk. Raises SpoolUnavailableError."""
        with self._spoken("written"):
            line = _line(replace(record, measurements=()))
            self._deadline.call(_PATIENCE, lambda: self._append(line))

    def read(self) -> list[TickRecord]:
        """All whole decisions, oldest first. Raises SpoolUnavailableError, also for one that a newer version wrote."""
        with self._spoken("read"), self._lock:
            return [_record(line) for line in self._lines() if _is_whole(line)]

    def torn(self) -> int:
        """How many lines are not whole: writes that a crash or a full disk cut off. Raises SpoolUnavailableError."""
        with self._spoken("read"), self._lock:
            return sum(not _is_whole(line) for line in self._lines())

    def clear(self, upto: Mapping[RolloutKey, int]) -> None:
        """Forget decisions with a number up to the one given for their rollout. Raises SpoolUnavailableError.

        Lines that are not whole move to the file `decisions.torn`, for people to look at.
        """
        with self._spoken("cleared"), self._lock:
            lines = self._lines()
            torn = [line for line in lines if not _is_whole(line)]
            if torn:
                _append_synced(self._file.with_suffix(".torn"), torn)
            self._replace([line for line in lines if _is_whole(line) and not _covered(_record(line), upto)])

    def _append(self, line: bytes) -> None:
        with self._lock:
            if not self._folder.is_dir():
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _append_synced(self._file, [line])
            _sync_folder(self._folder)

    def _lines(self) -> list[bytes]:
        try:
            return [line for line in self._file.read_bytes().split(b"\n") if line]
        except FileNotFoundError:
            return []

    def _replace(self, lines: list[bytes]) -> None:
        if not lines:
            with suppress(FileNotFoundError):
                self._file.unlink()
                _sync_folder(self._folder)
            return
        fresh = self._file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        _append_synced(fresh, lines)
        fresh.replace(self._file)
        _sync_folder(self._folder)

    @contextmanager
    def _spoken(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (OSError, TooLateError, StoreUnavailableError) as fault:
            raise SpoolUnavailableError(
                f"the spool {self._file} cannot be {verb}: {fault}: see that the folder is on a working disk with room "
                "and belongs to the daemon's user; until then a decision lasts only if the database keeps it"
            ) from fault


def _line(record: TickRecord) -> bytes:
    body = base64.b64encode(RECORD.pack(record))
    return f"{zlib.crc32(body):08x} ".encode() + body


def _is_whole(line: bytes) -> bool:
    checksum, _, body = line.partition(b" ")
    return checksum == f"{zlib.crc32(body):08x}".encode()


def _record(line: bytes) -> TickRecord:
    return RECORD.unpack(base64.b64decode(line.partition(b" ")[2]))


def _covered(record: TickRecord, upto: Mapping[RolloutKey, int]) -> bool:
    return record.seq <= upto.get(record.key, 0)


def _append_synced(file: Path, lines: Iterable[bytes]) -> None:
    handle = os.open(file, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(handle).st_size
        # A line that was cut off must not swallow the next one.
        gap = b"\n" if size and os.pread(handle, 1, size - 1) != b"\n" else b""
        _write_all(handle, gap + b"".join(line + b"\n" for line in lines))
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
