"""The position of a rollout: the one thing that is persisted before anything moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.domain.names import Digest, RunId, VersionName
from controller.domain.rollout import ModelRollout, Provenance, Stage, Version
from controller.domain.traffic import RequestCounts, Split


class Phase(StrEnum):
    """Where a rollout is in its life."""

    IDLE = "Idle"
    PENDING = "Pending"
    PROGRESSING = "Progressing"
    HELD = "Held"
    PAUSED = "Paused"
    AWAITING_APPROVAL = "AwaitingApproval"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    COMPLETED = "Completed"
    STALLED = "Stalled"


LIVE = frozenset(
    {Phase.PROGRESSING, Phase.HELD, Phase.PAUSED, Phase.AWAITING_APPROVAL, Phase.ROLLING_BACK, Phase.STALLED}
)
"""Phases in which a run's candidate may get traffic: the guard is on in each of them."""


class HeldCause(StrEnum):
    """Why a run is held. `blind` ends by itself; the others need `resume`."""

    BLIND = "blind"
    DEADLINE = "deadline"
    BREACH = "breach"
    EXTERNAL = "external"
    FROZEN = "frozen"
    REVIEW = "review"


class Cause(StrEnum):
    """Why a run is being, or was, rolled back."""

    BREACH = "breach"
    BLIND = "blind"
    ABORTED = "aborted"
    REVERTED = "reverted"
    SUPERSEDED = "superseded"
    EDITED = "edited"
    INCONCLUSIVE = "inconclusive"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class TrafficMark:
    """A split on its way to being verified.

    `before` is what was routed until now. `quiet_since`/`counts`: candidate counters at the last moment they moved.
    `accepted_at`: the data plane reports our configuration. `overdue`: the alarm for an unverified split was given.
    """

    split: Split
    before: Split | None
    applied_at: datetime
    accepted_at: datetime | None = None
    verified_at: datetime | None = None
    epoch: str = ""
    start_counts: Mapping[VersionName, RequestCounts] = field(default_factory=dict)
    quiet_counts: int = 0
    quiet_since: datetime | None = None
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to move from stable to candidate, pinned to the spec as it was when the run began.

    `stage` indexes `spec.stages`; `stage_since` is when this stage's traffic was verified. `exposed_requests` are live
    requests the candidate answered so far; `counted_*` are the raw counters up to which that is true.
    `withdrawn`: at verified zero, kept, can return to its stage. `blind_told`: people know that it has long been blind.
    `stable_endpoints` were ready when the run began; None: they could not be counted.
    """

    id: RunId
    number: int
    stable: VersionName
    candidate: VersionName
    digest: Digest
    spec: ModelRollout
    provenance: Provenance
    started_at: datetime
    stage: int = 0
    stage_since: datetime | None = None
    approved_by: tuple[str, ...] = ()
    withdrawn: bool = False
    blind_told: bool = False
    loaded_at: datetime | None = None
    ready: bool = False
    exposed_requests: int = 0
    mirrored_requests: int = 0
    counted_epoch: str = ""
    counted_live: int = 0
    counted_mirrored: int = 0
    stable_endpoints: int | None = None

    @property
    def current(self) -> Stage:
        """The stage the run stands on."""
        return self.spec.stages[self.stage]


@dataclass(frozen=True, slots=True)
class Breach:
    """Why a run was rolled back, kept for the alert and for `explain`: plain numbers, no text of any answer.

    `live_bad` of `live_total` judged answers went to users; `exposed` is how many requests the candidate answered.
    `measured_at` is the instant of the counts that made the tick breach.
    """

    cause: Cause
    slo: str | None = None
    scenario: str | None = None
    bad: float = 0.0
    total: float = 0.0
    objective: float | None = None
    value: float | None = None
    stable_bad: float = 0.0
    stable_total: float = 0.0
    first_bad_at: datetime | None = None
    live_bad: float = 0.0
    live_total: float = 0.0
    exposed: int = 0
    measured_at: datetime | None = None
    decided_at: datetime | None = None
    verified_at: datetime | None = None
    actor: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Spare:
    """A version with a `scale` that served or was tried, and cannot be returned to: in use by nobody since then."""

    version: Version
    since: datetime


@dataclass(frozen=True, slots=True)
class Position:
    """Where a rollout stands. `run` is the present one; in RolledBack and Completed it is the last one.

    `resume_phase` is where a pause or hold returns to. `rejected` are digests that breached: not tried again without
    `retry`. `runs` counts the runs ever begun. `message` says in one sentence what it waits for or what is wrong.
    `trusted`: an A/A run has shown the comparison with stable calm on this traffic; `trusted_as`: for these SLOs, by
    name and definition. `spare` are versions that may be scaled down.
    """

    phase: Phase
    since: datetime
    stable: VersionName | None = None
    run: Run | None = None
    held: HeldCause | None = None
    breach: Breach | None = None
    traffic: TrafficMark | None = None
    former: VersionName | None = None
    promoted_at: datetime | None = None
    rejected: tuple[Digest, ...] = ()
    runs: int = 0
    resume_phase: Phase | None = None
    message: str = ""
    trusted: bool = False
    trusted_as: tuple[tuple[str, str], ...] = ()
    spare: tuple[Spare, ...] = ()

    @property
    def under_way(self) -> bool:
        """Is there a run that is loading, or whose candidate may get traffic? A stall looks at where it came from."""
        phase = self.resume_phase if self.phase is Phase.STALLED else self.phase
        return self.run is not None and (phase is Phase.PENDING or (phase in LIVE and phase is not Phase.STALLED))

    @property
    def guarded(self) -> bool:
        """Is the candidate judged: while a run is under way, and inside `rollbackWindow` after its promotion?"""
        promoted = self.phase is Phase.COMPLETED and self.run is not None and self.run.candidate == self.stable
        return self.under_way or promoted

    def split(self) -> Split | None:
        """The split this position wants, or None when nothing is known to serve."""
        return self.traffic.split if self.traffic else None
