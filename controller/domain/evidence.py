"""Evidence: what has been learned about a candidate. Belongs to (rollout, digest, SLO definition), not to a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

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


ZERO = Tally()
"""One for all: what starts as the same tally stays the same one as long as the same is counted in it."""

Against = Literal["objective", "stable", "change"]
"""What a stream holds the candidate against: its limit, the concurrent stable, or its own past."""


@dataclass(frozen=True, slots=True)
class StreamEvidence:
    """One stream of an SLO, pooled (`scenario` None) or one slice: E-LIN-R, or E-REL-LIN `against` stable.

    `weight` is its share of the ledger; `budget` what is left of that share after restarts (1, 1/2, 1/4...).
    `log_s`, `reserve`, `ticks` are the engine's state; `surplus` is k > n carried to the next tick; `peak` the
    greatest log E so far. `all` is everything on the candidate, `proof` what counts for promotion, `cohort` stands
    apart, `live` is what users saw (no mirrored answers), `stage` since this stage was verified, `stable` the
    concurrent stable.

    `block_*` are counts that wait until their block is full; `prior` and `memory` are E-REL-LIN's guess of stable's
    rate. `change` is the e-SR-LIN detector's state on the same counts (log M per bet).
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
    all: Tally = ZERO
    proof: Tally = ZERO
    cohort: Tally = ZERO
    live: Tally = ZERO
    stage: Tally = ZERO
    stable: Tally = ZERO
    against: Against = "objective"
    block: Tally = ZERO
    block_stable: Tally = ZERO
    block_ticks: int = 0
    block_weight: int | None = None
    prior: float = 0.0
    memory: Tally = ZERO
    change: tuple[float, ...] = (NO_MONEY,) * 6


@dataclass(frozen=True, slots=True)
class Finding:
    """Bad answers in a `zero_tolerance` slice that no person has reviewed yet."""

    scenario: str
    bad: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Eligible:
    """Answers of the candidate that were sampled for judging, counted when they were produced, and how many are judged.

    `total` so far, `judged` and `failed` (judge errors) since the same moment. `marks`: what `total` was at which
    instant (unix seconds), oldest first, for as long as the judge may take. `stage_from`: `total` when the present
    stage was verified, at `stage_since`. `known`: could they be counted at the last tick?
    """

    total: float = 0.0
    judged: float = 0.0
    failed: float = 0.0
    marks: tuple[tuple[float, float], ...] = ()
    stage_since: datetime | None = None
    stage_from: float = 0.0
    known: bool = False


NOT_COUNTED = Eligible()


@dataclass(frozen=True, slots=True)
class SloEvidence:
    """Everything known about one SLO. `streams[0]` is the pooled one; a `threshold` SLO has none.

    `judge_now`/`judge_before` are two halves of a sliding window of judge results, turned over at `judge_turned`.
    `judged_at` is when the newest judged answer was seen, per role. `reserve_weight` is kept for scenarios that
    appear during a run. `strikes` counts consecutive bad values of a `threshold`. `gate` is the freeze gate's detector
    on stable, `scatter` the dispersion of stable's counts per tick (two halves of a window, four sums each).
    """

    name: SloName
    definition: str
    streams: tuple[StreamEvidence, ...] = ()
    reserve_weight: float = 0.0
    judge_now: Tally = ZERO
    judge_before: Tally = ZERO
    judge_turned: datetime | None = None
    candidate_judged_at: datetime | None = None
    stable_judged_at: datetime | None = None
    strikes: int = 0
    value: float | None = None
    stable_value: float | None = None
    blind: Blindness | None = None
    blind_since: datetime | None = None
    gate: tuple[float, ...] = (NO_MONEY,) * 6
    scatter: tuple[float, ...] = (0.0,) * 8
    findings: tuple[Finding, ...] = ()
    eligible: Eligible = NOT_COUNTED


@dataclass(frozen=True, slots=True)
class Evidence:
    """All streams of one candidate digest, the counters' memory, and when the first bad answer was counted.

    `trusted`: an A/A run has shown the comparison with stable calm on this traffic, so that it may roll back.
    """

    digest: Digest
    slos: tuple[SloEvidence, ...] = ()
    series: SeriesMemory = field(default_factory=dict)
    measured_at: datetime | None = None
    first_bad_at: datetime | None = None
    trusted: bool = False

    def of(self, name: SloName) -> SloEvidence | None:
        """Evidence of one SLO, or None."""
        for slo in self.slos:
            if slo.name == name:
                return slo
        return None


EvidenceByDigest = Mapping[Digest, Evidence]
