"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Everything, from nothing."""
    _rollout()
    _evidence()
    _measurement()
    _journal()
    _outbox()


def _rollout() -> None:
    op.create_table(
        "rollout",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text()),
        sa.UniqueConstraint("namespace", "name", name="uq_rollout_key"),
    )


def _evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("rollout_id", _NUMBER, sa.ForeignKey("rollout.id", name="fk_evidence_rollout"), primary_key=True),
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
    )


def _measurement() -> None:
    op.create_table(
        "measurement",
        sa.Column("rollout_id", _NUMBER, sa.ForeignKey("rollout.id", name="fk_measurement_rollout"), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_measurement_at", "measurement", ["at"])


def _journal() -> None:
    op.create_table(
        "spec_snapshot",
        sa.Column("content_hash", sa.Text(), primary_key=True),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "journal",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("rollout_id", _NUMBER, sa.ForeignKey("rollout.id", name="fk_journal_rollout"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text()),
        sa.Column("run", sa.Text()),
        sa.Column("commit_id", sa.Text()),
        sa.Column("digest", sa.Text()),
        sa.Column("spec", sa.Text(), sa.ForeignKey("spec_snapshot.content_hash", name="fk_journal_spec")),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("judge", sa.Text()),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("verdicts", sa.Text(), nullable=False),
    )
    op.create_index("ix_journal_rollout", "journal", ["rollout_id", "id"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("dedupe", sa.Text(), nullable=False),
        sa.Column("alert", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger()),
        sa.Column("outcome", sa.Text()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.UniqueConstraint("channel", "dedupe", name="uq_outbox_dedupe"),
    )
    op.create_index("ix_outbox_waiting", "outbox", ["settled_at", "not_before"])
