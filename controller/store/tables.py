"""The tables. Nouns lie in them packed; only what is looked up by has a column of its own."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Dialect, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# SQLite numbers rows by itself only in a column that is called INTEGER.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


class Instant(TypeDecorator[datetime]):
    """An aware instant as whole microseconds since 1970: the same, and as easily compared, in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - as the base
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - as the base
        return None if value is None else _EPOCH + value * _MICROSECOND


class Table(DeclarativeBase):
    """What Alembic compares with the migrations."""


class Rollout(Table):
    """One row per rollout: its position, and the number of the commit that wrote it."""

    __tablename__ = "rollout"
    __table_args__ = (UniqueConstraint("namespace", "name", name="uq_rollout_key"),)

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    namespace: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    seq: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(Instant)
    position: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[str | None] = mapped_column(Text)


class EvidenceRow(Table):
    """The newest evidence of each digest that a rollout ever tried."""

    __tablename__ = "evidence"

    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollout.id", name="fk_evidence_rollout"), primary_key=True)
    digest: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    packed: Mapped[bytes] = mapped_column(LargeBinary)


class MeasurementRow(Table):
    """All measurements of one rollout at one tick: the only thing that is ever forgotten."""

    __tablename__ = "measurement"
    __table_args__ = (Index("ix_measurement_at", "at"),)

    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollout.id", name="fk_measurement_rollout"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    packed: Mapped[bytes] = mapped_column(LargeBinary)


class SpecSnapshot(Table):
    """Each spec that a decision was made under, once."""

    __tablename__ = "spec_snapshot"

    content_hash: Mapped[str] = mapped_column(Text, primary_key=True)
    packed: Mapped[bytes] = mapped_column(LargeBinary)


class JournalRow(Table):
    """One decision. Rows are only ever added."""

    __tablename__ = "journal"
    __table_args__ = (Index("ix_journal_rollout", "rollout_id", "id"),)

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollout.id", name="fk_journal_rollout"))
    seq: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(Instant)
    reason: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(Text)
    actor: Mapped[str | None] = mapped_column(Text)
    run: Mapped[str | None] = mapped_column(Text)
    commit_id: Mapped[str | None] = mapped_column(Text)
    digest: Mapped[str | None] = mapped_column(Text)
    spec: Mapped[str | None] = mapped_column(ForeignKey("spec_snapshot.content_hash", name="fk_journal_spec"))
    engine: Mapped[str] = mapped_column(Text)
    judge: Mapped[str | None] = mapped_column(Text)
    facts: Mapped[bytes] = mapped_column(LargeBinary)
    verdicts: Mapped[str] = mapped_column(Text)


class OutboxRow(Table):
    """One alert for one channel. Kept after delivery, so that the same alert is never told twice."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("channel", "dedupe", name="uq_outbox_dedupe"),
        Index("ix_outbox_waiting", "settled_at", "not_before"),
    )

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    channel: Mapped[str] = mapped_column(Text)
    dedupe: Mapped[str] = mapped_column(Text)
    alert: Mapped[bytes] = mapped_column(LargeBinary)
    attempts: Mapped[int] = mapped_column(Integer)
    not_before: Mapped[datetime] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    outcome: Mapped[str | None] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
