"""What `decide` answers: the next position, the split to hold, and what is worth telling."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from controller.domain.evidence import Evidence
from controller.domain.state import Position
from controller.domain.traffic import Split
from controller.domain.verdict import Judgement

Fact = str | int | float | None
UNSAID = "waiting"
"""A position's message while nobody reads it; the words are `Decision.waits_for`."""


class Reason(StrEnum):
    """The closed list of whys: log event = journal entry = row in the docs."""

    ADOPTED = "adopted"
    RUN_STARTED = "run_started"
    LOADING = "loading"
    LOADED = "loaded"
    PREFLIGHT_FAILED = "preflight_failed"
    STAGE_ENTERED = "stage_entered"
    STAGE_VERIFIED = "stage_verified"
    STAGE_COMPLETED = "stage_completed"
    SHARE_REJECTED = "share_rejected"
    BREACHED = "breached"
    WOULD_ROLL_BACK = "would_roll_back"
    ROLLBACK_STARTED = "rollback_started"
    ROLLBACK_VERIFIED = "rollback_verified"
    NOT_VERIFIED = "not_verified"
    PROMOTED = "promoted"
    RETURNED = "returned"
    HELD = "held"
    RESUMED = "resumed"
    WITHDRAWN = "withdrawn"
    SIGHT_BACK = "sight_back"
    BLIND = "blind"
    PAUSED = "paused"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    ABORTED = "aborted"
    RETRIED = "retried"
    REFUSED = "refused"
    STALLED = "stalled"
    SPEC_BROKEN = "spec_broken"
    SPEC_EDITED = "spec_edited"
    EXTERNAL_CHANGE = "external_change"
    DRIFT_CORRECTED = "drift_corrected"
    ALERT_SLO = "alert_slo"
    MIRROR_LIMIT = "mirror_limit"
    EVIDENCE_LOST = "evidence_lost"
    EVIDENCE_REBUILT = "evidence_rebuilt"
    FOUND = "found"
    REVIEWED = "reviewed"
    ALARM = "alarm"
    WINDOW_CLOSED = "window_closed"
    TRUSTED = "trusted"
    TRUST_REVOKED = "trust_revoked"
    STATE_LOST = "state_lost"


class Severity(StrEnum):
    """Who should hear of it: nobody (journal only), the channel, or the person on call."""

    QUIET = "quiet"
    INFO = "info"
    WARN = "warn"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing worth recording, and perhaps telling. `facts` are names and numbers, never text of an answer."""

    reason: Reason
    at: datetime
    severity: Severity = Severity.QUIET
    facts: Mapping[str, Fact] = field(default_factory=dict)
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of one tick. `apply` is the split to write now; None: it is held already, or may not be written.

    `settled` are ids of requests that were answered. `revisit_after` is when to look again without a metric tick.
    `waits_for` gives the message that was left `UNSAID` in this very pass.
    """

    position: Position
    evidence: Evidence | None
    judgement: Judgement
    apply: Split | None
    notices: tuple[Notice, ...]
    settled: tuple[str, ...]
    revisit_after: timedelta
    waits_for: Callable[[], str] | None = field(default=None, compare=False, repr=False)
