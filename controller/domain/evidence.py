"""Evidence: what has been learned about a candidate. Belongs to (rollout, digest, SLO definition), not to a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.domain.measure import Blindness, SeriesMemory
from controller.domain.names import Digest, SloName

NO_MONEY = -1e300
"""Logarithm of an empty purse: finite, so that evidence survives every text format."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Bad of total, and judge errors beside them."""

    bad: float = 0.0
    total: float = 0.0
    errors: float = 0.0


@dataclass(frozen=True, slots=True)
class StreamEvidence:
    """One E-LIN-R stream: an SLO, pooled (`scenario` None) or one slice. statistics: section 1.

    `weight` is its share of the ledger; `budget` what is left of that share after restarts (1, 1/2, 1/4...).
    `log_s`, `reserve`, `ticks` are the engine's state; `surplus` is k > n carried to the next tick; `peak` the
    greatest log E so far. `all` is everything on the candidate, `proof` what counts for promotion, `cohort` stands
    apart, `live` is what users saw (no mirrored answers), `stage` since this stage was verified, `stable` the
    concurrent stable.
    """

    scenario: str | None
    weight: float
    p0: float
    budget: float = 1.0
    log_s: tuple[float, ...] = (NO_MONEY,) * 6
    reserve: float = 1.0
    ticks: int = 0
    surplus: float = 0.0
    peak: float = 0.0
    all: Tally = Tally()
    proof: Tally = Tally()
    cohort: Tally = Tally()
    live: Tally = Tally()
    stage: Tally = Tally()
    stable: Tally = Tally()


@dataclass(frozen=True, slots=True)
class SloEvidence:
    """Everything known about one SLO. `streams[0]` is the pooled one; a `threshold` SLO has none.

    `judge_now`/`judge_before` are two halves of a sliding window of judge results, turned over at `judge_turned`.
    `judged_at` is when the newest judged answer was seen, per role. `reserve_weight` is kept for scenarios that
    appear during a run. `strikes` counts consecutive bad values of a `threshold`.
    """

    name: SloName
    definition: str
    streams: tuple[StreamEvidence, ...] = ()
    reserve_weight: float = 0.0
    judge_now: Tally = Tally()
    judge_before: Tally = Tally()
    judge_turned: datetime | None = None
    candidate_judged_at: datetime | None = None
    stable_judged_at: datetime | None = None
    strikes: int = 0
    value: float | None = None
    stable_value: float | None = None
    blind: Blindness | None = None
    blind_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All streams of one candidate digest, the counters' memory, and when the first bad answer was counted."""

    digest: Digest
    slos: tuple[SloEvidence, ...] = ()
    series: SeriesMemory = field(default_factory=dict)
    measured_at: datetime | None = None
    first_bad_at: datetime | None = None

    def of(self, name: SloName) -> SloEvidence | None:
        """Evidence of one SLO, or None."""
        return next((slo for slo in self.slos if slo.name == name), None)


EvidenceByDigest = Mapping[Digest, Evidence]
