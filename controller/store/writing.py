"""One record into the tables, inside a transaction that the caller opened."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from controller.domain.names import Digest
from controller.domain.record import StaleWriteError, TickRecord
from controller.store.entries import digest_of, journal_of, run_of
from controller.store.packing import ALERT, EVIDENCE, FACTS, MEASUREMENTS, POSITION, SPEC
from controller.store.tables import EvidenceRow, JournalRow, MeasurementRow, OutboxRow, Rollout, SpecSnapshot, Table

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Packed:
    """A record and its long parts as bytes: made before the transaction, so that nobody waits for it with a lock."""

    record: TickRecord
    position: bytes
    evidence: bytes | None
    measurements: bytes | None


def packed(record: TickRecord) -> Packed:
    """Raises StoreUnavailableError when a field holds what its type does not allow."""
    return Packed(
        record,
        POSITION.pack(record.position),
        EVIDENCE.pack(record.evidence) if record.evidence is not None else None,
        MEASUREMENTS.pack(record.measurements) if record.measurements else None,
    )


# Made once: building a statement costs more than running it. `b_` names are what is looked up by.
_MINE = (Rollout.namespace == bindparam("b_namespace")) & (Rollout.name == bindparam("b_name"))
_FIND = select(Rollout.id, Rollout.seq).where(_MINE)
_ADVANCE = update(Rollout).where(_MINE, Rollout.seq == bindparam("b_before"))
_LEARN = update(EvidenceRow).where(
    EvidenceRow.rollout_id == bindparam("b_rollout_id"), EvidenceRow.digest == bindparam("b_digest")
)
_LEARN_ANEW, _MEASURED, _JOURNALED = insert(EvidenceRow), insert(MeasurementRow), insert(JournalRow)


def write_record(connection: Connection, parts: Packed, channels: tuple[str, ...]) -> None:
    """Everything of one tick. Raises StaleWriteError unless `seq - 1` is stored."""
    record = parts.record
    rollout_id = _write_position(connection, record, parts.position)
    if record.evidence is not None and parts.evidence is not None:
        _write_evidence(connection, rollout_id, record.evidence.digest, {"seq": record.seq, "packed": parts.evidence})
    if parts.measurements is not None:
        tick: Row = {"rollout_id": rollout_id, "seq": record.seq, "at": record.at, "packed": parts.measurements}
        connection.execute(_MEASURED, tick)
    if record.notices:
        _write_journal(connection, rollout_id, record)
    for row in _outbox_rows(record, channels):
        insert_new(connection, OutboxRow, row)


def insert_new(connection: Connection, table: type[Table], row: Row) -> bool:
    """Insert a row unless one with the same unique key is there; returns whether it was inserted."""
    insert_into = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    ours = insert_into(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return connection.execute(ours, row).rowcount == 1


def _write_position(connection: Connection, record: TickRecord, position: bytes) -> int:
    key = {"b_namespace": record.key.namespace, "b_name": record.key.name}
    values: Row = {
        "seq": record.seq,
        "at": record.at,
        "position": position,
        "digest": record.evidence.digest if record.evidence else None,
    }
    if record.seq == 1:
        written = insert_new(connection, Rollout, {"namespace": key["b_namespace"], "name": key["b_name"], **values})
    else:
        written = connection.execute(_ADVANCE, {**values, **key, "b_before": record.seq - 1}).rowcount == 1
    stored = connection.execute(_FIND, key).one_or_none()
    if stored is None or not written:
        raise StaleWriteError(
            f"{record.key}: cannot write number {record.seq}, stored is {stored.seq if stored else 'nothing'}: "
            "somebody else wrote; load again before deciding"
        )
    return int(stored.id)


def _write_evidence(connection: Connection, rollout_id: int, digest: Digest, values: Row) -> None:
    mine = {"b_rollout_id": rollout_id, "b_digest": digest}
    if connection.execute(_LEARN, {**values, **mine}).rowcount == 0:
        connection.execute(_LEARN_ANEW, {"rollout_id": rollout_id, "digest": digest, **values})


def _write_journal(connection: Connection, rollout_id: int, record: TickRecord) -> None:
    run = run_of(record)
    spec = run.spec if run else None
    if spec is not None:
        insert_new(connection, SpecSnapshot, {"content_hash": spec.content_hash, "packed": SPEC.pack(spec)})
    common: Row = {
        "rollout_id": rollout_id,
        "seq": record.seq,
        "digest": digest_of(record),
        "spec": spec.content_hash if spec else None,
        "engine": record.engine,
        "judge": None,
    }
    connection.execute(_JOURNALED, [{**common, **line} for line in _lines(record)])


def _lines(record: TickRecord) -> list[Row]:
    return [
        {
            "at": entry.at,
            "reason": entry.reason,
            "severity": entry.severity,
            "actor": entry.actor,
            "run": entry.run,
            "commit_id": entry.commit,
            "facts": FACTS.pack(entry.facts),
            "verdicts": entry.verdicts,
        }
        for entry in journal_of(record)
    ]


def _outbox_rows(record: TickRecord, channels: tuple[str, ...]) -> list[Row]:
    return [
        {
            "channel": channel,
            "dedupe": alert.dedupe,
            "alert": ALERT.pack(alert),
            "attempts": 0,
            "not_before": record.at,
            "created_at": record.at,
            "detail": "",
        }
        for alert in record.alerts
        for channel in channels
    ]
