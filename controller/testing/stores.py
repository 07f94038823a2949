"""A store in memory with its outbox. It can be told to fail, and keeps the promises of the real ones.

Two `MemoryStore`s over one `MemoryShelf` are like two processes on one database.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Self

from controller.domain.evidence import Evidence
from controller.domain.measure import Measurement
from controller.domain.names import Digest, RolloutKey
from controller.domain.record import (
    Delivery,
    JournalEntry,
    OutboxItem,
    Outcome,
    StaleWriteError,
    Stored,
    StoreUnavailableError,
    TickRecord,
)
from controller.store.entries import journal_of


class Fault(StrEnum):
    """How the database misbehaves.

    `unavailable`: nothing can be read or written. `read_only`: reads work (a full disk). `lost_answer`: a commit is
    kept, but the caller is told that it failed.
    """

    UNAVAILABLE = "unavailable"
    READ_ONLY = "read_only"
    LOST_ANSWER = "lost_answer"


@dataclass(slots=True)
class MemoryShelf:
    """What survives when a store is opened again. Tests may look at it."""

    stored: dict[RolloutKey, Stored] = field(default_factory=dict)
    evidence: dict[tuple[RolloutKey, Digest], Evidence] = field(default_factory=dict)
    journal: list[JournalEntry] = field(default_factory=list)
    measurements: list[tuple[RolloutKey, datetime, tuple[Measurement, ...]]] = field(default_factory=list)
    outbox: dict[int, OutboxItem] = field(default_factory=dict)
    known: set[tuple[str, str]] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)


class MemoryStore:
    """Implements ports.Store and ports.Outbox. `fault` is what is wrong now; None: nothing."""

    def __init__(self, channels: Sequence[str] = (), shelf: MemoryShelf | None = None) -> None:
        self.shelf = shelf or MemoryShelf()
        self.channels = tuple(channels)
        self.fault: Fault | None = None
        self.commits = 0

    def load(self) -> Sequence[Stored]:
        """Everything known, by key."""
        with self._reading() as shelf:
            return tuple(shelf.stored[key] for key in sorted(shelf.stored))

    def commit(self, record: TickRecord) -> None:
        """All or nothing. Raises StaleWriteError unless `seq - 1` is stored."""
        with self._writing() as shelf:
            self._check(shelf, record)
            self._keep(shelf, record)
            self.commits += 1
            if self.fault is Fault.LOST_ANSWER:
                raise StoreUnavailableError("memory store: the connection broke during the commit; outcome unknown")

    def evidence(self, key: RolloutKey, digest: Digest) -> Evidence | None:
        """The newest evidence of that digest, or None."""
        with self._reading() as shelf:
            return shelf.evidence.get((key, digest))

    def journal(self, key: RolloutKey, limit: int) -> Sequence[JournalEntry]:
        """Newest first."""
        with self._reading() as shelf:
            return tuple(entry for entry in reversed(shelf.journal) if entry.key == key)[:limit]

    def measurements(
        self, key: RolloutKey, since: datetime, until: datetime
    ) -> Iterator[tuple[datetime, tuple[Measurement, ...]]]:
        """What was measured from `since` to `until`, both included, in the order of its commits."""
        with self._reading() as shelf:
            found = [
                (at, measured) for mine, at, measured in shelf.measurements if mine == key and since <= at <= until
            ]
        yield from found

    def prune(self, before: datetime) -> int:
        """Forget measurements older than `before`."""
        with self._writing() as shelf:
            kept = [row for row in shelf.measurements if row[1] >= before]
            gone = len(shelf.measurements) - len(kept)
            shelf.measurements[:] = kept
            return gone

    def due(self, now: datetime, limit: int) -> Sequence[OutboxItem]:
        """Undelivered alerts of our channels whose time has come, oldest first."""
        with self._reading() as shelf:
            items = (item for _, item in sorted(shelf.outbox.items()))
            return tuple(item for item in items if item.channel in self.channels and item.not_before <= now)[:limit]

    def settle(self, item: OutboxItem, delivery: Delivery, not_before: datetime) -> None:
        """RETRY keeps the item until `not_before`; anything else ends it."""
        with self._writing() as shelf:
            pending = shelf.outbox.pop(item.id, None)
            if pending is not None and delivery.outcome is Outcome.RETRY:
                shelf.outbox[item.id] = replace(pending, attempts=pending.attempts + 1, not_before=not_before)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Nothing to give back: the shelf stays."""

    def _check(self, shelf: MemoryShelf, record: TickRecord) -> None:
        stored = shelf.stored.get(record.key)
        if record.seq != (stored.seq if stored else 0) + 1:
            raise StaleWriteError(
                f"{record.key}: cannot write number {record.seq}, stored is {stored.seq if stored else 'nothing'}: "
                "somebody else wrote; load again before deciding"
            )

    def _keep(self, shelf: MemoryShelf, record: TickRecord) -> None:
        shelf.stored[record.key] = Stored(record.key, record.seq, record.position, record.evidence)
        if record.evidence is not None:
            shelf.evidence[record.key, record.evidence.digest] = record.evidence
        if record.measurements:
            shelf.measurements.append((record.key, record.at, record.measurements))
        shelf.journal.extend(journal_of(record))
        for alert in record.alerts:
            for channel in self.channels:
                if (channel, alert.dedupe) not in shelf.known:
                    shelf.known.add((channel, alert.dedupe))
                    number = len(shelf.known)
                    shelf.outbox[number] = OutboxItem(number, channel, alert, 0, record.at, record.at)

    @contextmanager
    def _reading(self) -> Iterator[MemoryShelf]:
        if self.fault is Fault.UNAVAILABLE:
            raise StoreUnavailableError("memory store: told to be unavailable; clear its fault")
        with self.shelf.lock:
            yield self.shelf

    @contextmanager
    def _writing(self) -> Iterator[MemoryShelf]:
        if self.fault is Fault.READ_ONLY:
            raise StoreUnavailableError("memory store: told to be full; clear its fault")
        with self._reading() as shelf:
            yield shelf
