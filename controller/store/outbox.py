"""Alerts on their way: what is due, and how a try ended."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Integer, bindparam, select, update

from controller.domain.record import Delivery, OutboxItem, Outcome
from controller.store.packing import ALERT
from controller.store.tables import OutboxRow

_DUE = (
    select(OutboxRow.__table__)
    .where(
        OutboxRow.settled_at.is_(None),
        OutboxRow.not_before <= bindparam("now"),
        OutboxRow.channel.in_(bindparam("channels", expanding=True)),
    )
    .order_by(OutboxRow.id)
    .limit(bindparam("most", type_=Integer))
)
"""Made once: it is asked every second, and to make it takes longer than to ask it."""


def due_items(connection: Connection, channels: tuple[str, ...], now: datetime, limit: int) -> Sequence[OutboxItem]:
    """Undelivered alerts of these channels whose time has come, oldest first."""
    rows = connection.execute(_DUE, {"now": now, "channels": channels, "most": limit})
    return tuple(
        OutboxItem(row.id, row.channel, ALERT.unpack(row.alert), row.attempts, row.not_before, row.created_at)
        for row in rows
    )


def settle_item(connection: Connection, item: OutboxItem, delivery: Delivery, not_before: datetime) -> None:
    """RETRY: try again from `not_before` on. Otherwise it is over, at `not_before`; the row stays, for the record."""
    over = delivery.outcome is not Outcome.RETRY
    connection.execute(
        update(OutboxRow)
        # Another process may have settled it meanwhile: what is over stays over.
        .where(OutboxRow.id == item.id, OutboxRow.settled_at.is_(None))
        .values(
            attempts=OutboxRow.attempts + 1,
            not_before=not_before,
            settled_at=not_before if over else None,
            outcome=delivery.outcome.value,
            detail=delivery.detail,
        )
    )
