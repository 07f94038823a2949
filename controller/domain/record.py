"""What is written down: one committed tick, journal lines, and alerts on their way out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.domain.decision import Fact, Notice
from controller.domain.evidence import Evidence
from controller.domain.measure import Measurement
from controller.domain.names import RolloutKey, RunId
from controller.domain.state import Position


@dataclass(frozen=True, slots=True)
class Unread:
    """What is stored of a rollout and does not read back: why, and the bytes as they are."""

    why: str
    position: bytes = b""
    evidence: bytes | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store knows of a rollout: position and evidence of the same committed sequence number.

    `unread`: some of it does not read back. The evidence is then None; a position without `stable` says nothing.
    """

    key: RolloutKey
    seq: int
    position: Position
    evidence: Evidence | None
    unread: Unread | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One message for one channel. `dedupe` is unique per (rollout, run, event): the outbox keeps it once.

    `title` is the first line ("**No action needed.** ..."), `body` the plain text that follows, `details` what
    `--verbose` adds. `facts` go to machine-readable channels.
    """

    dedupe: str
    severity: str
    title: str
    body: str
    details: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TickRecord:
    """Everything one pass wants to keep, in one transaction. `seq` is the number it gets; `seq - 1` must be stored.

    `engine` names the version of the decision engine; `commit`/`actor` are of the spec or the asker.
    """

    key: RolloutKey
    seq: int
    at: datetime
    position: Position
    evidence: Evidence | None
    measurements: tuple[Measurement, ...] = ()
    notices: tuple[Notice, ...] = ()
    alerts: tuple[Alert, ...] = ()
    verdicts: str = ""
    engine: str = ""
    run: RunId | None = None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line of a rollout's history."""

    key: RolloutKey
    seq: int
    at: datetime
    reason: str
    severity: str
    actor: str | None
    run: RunId | None
    commit: str | None
    facts: Mapping[str, Fact]
    verdicts: str = ""


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """An alert waiting for its channel; `attempts` and `not_before` belong to the back-off."""

    id: int
    channel: str
    alert: Alert
    attempts: int
    not_before: datetime
    created_at: datetime


class Outcome(StrEnum):
    """How a delivery ended."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The answer of an alert channel. `retry_after` in seconds when the receiver named one."""

    outcome: Outcome
    detail: str = ""
    retry_after: float | None = None


class StaleWriteError(Exception):
    """Somebody else committed this sequence number: read again before deciding."""


class StoreUnavailableError(Exception):
    """The database could not be read or written; says what, where and what to do."""


class StoreSettingsError(StoreUnavailableError):
    """The settings name no database that could ever be opened: trying again is of no use."""
