"""The store: ports.Store and ports.Outbox over one SQL database."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy import ColumnElement, Connection, Row, delete, select, text

from controller.domain.evidence import Evidence
from controller.domain.measure import Measurement
from controller.domain.names import Digest, RolloutKey, RunId
from controller.domain.record import (
    Delivery,
    JournalEntry,
    OutboxItem,
    Stored,
    StoreUnavailableError,
    TickRecord,
    Unread,
)
from controller.domain.state import Phase, Position
from controller.store.database import Database
from controller.store.faults import DAMAGED
from controller.store.outbox import due_items, settle_item
from controller.store.packing import CODECS, EVIDENCE, FACTS, MEASUREMENTS, POSITION
from controller.store.schema import upgrade
from controller.store.tables import EvidenceRow, JournalRow, MeasurementRow, Rollout
from controller.store.writing import packed, write_record

_LONG = 10.0  # seconds, for what is done at start-up or at night
_BATCH = 500  # rows forgotten at once, so that a tick never waits long for its turn
_PAGE = 2000  # rows of measurements read at once
_VITAL = ("rollout", "evidence", "outbox")
_NOTHING = Position(Phase.IDLE, datetime(1970, 1, 1, tzinfo=UTC))
"""Stands for a position that does not read back."""


class SqlStore:
    """Implements ports.Store and ports.Outbox. Every call ends within half a second (`load`, `prune`: 10 s)."""

    def __init__(self, database: Database, channels: tuple[str, ...]) -> None:
        self._database = database
        self._channels = channels

    def load(self) -> Sequence[Stored]:
        """Everything known, by key; what does not read back says so. Raises StoreUnavailableError."""
        return self._database.read(_load, patience=_LONG)

    def commit(self, record: TickRecord) -> None:
        """All of a tick or nothing. Raises StaleWriteError, StoreUnavailableError (it may still have been written)."""
        parts = packed(record)
        self._database.write(lambda connection: write_record(connection, parts, self._channels))

    def evidence(self, key: RolloutKey, digest: Digest) -> Evidence | None:
        """The newest evidence of that digest, or None. Raises StoreUnavailableError."""
        query = select(EvidenceRow.packed).join(Rollout).where(_is(key), EvidenceRow.digest == digest)
        packed = self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        return None if packed is None else EVIDENCE.unpack(packed)

    def journal(self, key: RolloutKey, limit: int) -> Sequence[JournalEntry]:
        """Newest first. Raises StoreUnavailableError."""
        return self._database.read(lambda connection: _journal(connection, key, limit))

    def measurements(
        self, key: RolloutKey, since: datetime, until: datetime
    ) -> Iterator[tuple[datetime, tuple[Measurement, ...]]]:
        """What was measured from `since` to `until`, both included, in the order of its commits.

        Raises StoreUnavailableError, also while it is read.
        """
        seq = 0
        while rows := self._database.read(_measured(key, since, until, seq), patience=_LONG):
            yield from ((row.at, MEASUREMENTS.unpack(row.packed)) for row in rows)
            seq = rows[-1].seq

    def prune(self, before: datetime) -> int:
        """Forget measurements older than `before`, in small steps. Raises StoreUnavailableError."""
        total = 0
        while gone := self._database.write(lambda connection: _forget(connection, before), patience=_LONG):
            total += gone
        return total

    def due(self, now: datetime, limit: int) -> Sequence[OutboxItem]:
        """Undelivered alerts of our channels whose time has come, oldest first. Raises StoreUnavailableError."""
        return self._database.read(lambda connection: due_items(connection, self._channels, now, limit))

    def settle(self, item: OutboxItem, delivery: Delivery, not_before: datetime) -> None:
        """RETRY keeps the item until `not_before`; else it is over at `not_before`. Raises StoreUnavailableError."""
        self._database.write(lambda connection: settle_item(connection, item, delivery, not_before))

    def close(self) -> None:
        """Give the connections back; the store is not used afterwards."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


def open_store(url: str, channels: tuple[str, ...] = ()) -> SqlStore:
    """Open `sqlite:///FILE` or `postgresql+psycopg://...`, made or brought up to date when needed.

    `channels` are the alert channels: each alert is kept once for each. Raises StoreUnavailableError, also for a
    damaged file: nothing is moved or made anew by itself (see `set_aside`).
    """
    for codec in CODECS:
        codec.prepare()
    database = Database(url)
    try:
        upgrade(database)
        if database.is_sqlite:
            database.read(_check, patience=_LONG)
    except BaseException:
        database.close()
        raise
    return SqlStore(database, channels)


def _check(connection: Connection) -> None:
    """The tables that decisions need, page by page: a file that was cut off still opens."""
    for table in _VITAL:
        said = connection.execute(text(f"PRAGMA quick_check('{table}')")).scalars().all()
        if said != ["ok"]:
            raise StoreUnavailableError(f"table {table} does not read back ({said[0]}): {DAMAGED}")


def _is(key: RolloutKey) -> ColumnElement[bool]:
    return (Rollout.namespace == key.namespace) & (Rollout.name == key.name)


def _load(connection: Connection) -> Sequence[Stored]:
    mine = (EvidenceRow.rollout_id == Rollout.id) & (EvidenceRow.digest == Rollout.digest)
    columns = (Rollout.namespace, Rollout.name, Rollout.seq, Rollout.position, Rollout.digest, EvidenceRow.packed)
    rows = connection.execute(select(*columns).outerjoin(EvidenceRow, mine).order_by(Rollout.namespace, Rollout.name))
    return tuple(_unpacked(RolloutKey(row.namespace, row.name), row.seq, row.position, row.packed) for row in rows)


def _unpacked(key: RolloutKey, seq: int, position: bytes, evidence: bytes | None) -> Stored:
    """One row that does not read back is told as such: it takes no other rollout with it."""
    whole, why = _NOTHING, []
    learned: Evidence | None = None
    try:
        whole = POSITION.unpack(position)
    except StoreUnavailableError as refused:
        why.append(str(refused))
    try:
        learned = None if evidence is None else EVIDENCE.unpack(evidence)
    except StoreUnavailableError as refused:
        why.append(str(refused))
    unread = Unread(f"{key}: {'; '.join(why)}", position, evidence) if why else None
    return Stored(key, seq, whole, learned, unread)


def _journal(connection: Connection, key: RolloutKey, limit: int) -> Sequence[JournalEntry]:
    query = select(JournalRow.__table__).join(Rollout).where(_is(key)).order_by(JournalRow.id.desc()).limit(limit)
    return tuple(
        JournalEntry(
            key=key,
            seq=row.seq,
            at=row.at,
            reason=row.reason,
            severity=row.severity,
            actor=row.actor,
            run=None if row.run is None else RunId(row.run),
            commit=row.commit_id,
            facts=FACTS.unpack(row.facts),
            verdicts=row.verdicts,
        )
        for row in connection.execute(query)
    )


def _measured(
    key: RolloutKey, since: datetime, until: datetime, after: int
) -> Callable[[Connection], Sequence[Row[int, datetime, bytes]]]:
    """One page, of the commits after the number `after`."""
    mine = (MeasurementRow.at >= since) & (MeasurementRow.at <= until) & (MeasurementRow.seq > after)
    columns = (MeasurementRow.seq, MeasurementRow.at, MeasurementRow.packed)
    query = select(*columns).join(Rollout).where(_is(key), mine).order_by(MeasurementRow.seq).limit(_PAGE)
    return lambda connection: connection.execute(query).all()


def _forget(connection: Connection, before: datetime) -> int:
    old = select(MeasurementRow.rollout_id, MeasurementRow.seq).where(MeasurementRow.at < before).limit(_BATCH)
    rows = connection.execute(old).all()
    for row in rows:
        gone = (MeasurementRow.rollout_id == row.rollout_id) & (MeasurementRow.seq == row.seq)
        connection.execute(delete(MeasurementRow).where(gone))
    return len(rows)
