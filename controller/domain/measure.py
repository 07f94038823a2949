"""What a metric server answered, and what it means as counts of one SLI, version and scenario."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.domain.names import SloName, VersionName
from controller.domain.slo import Matcher

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FamilyAsk:
    """All series of one metric family whose labels match: what several rollouts share."""

    metric: str
    match: tuple[Matcher, ...] = ()


@dataclass(frozen=True, slots=True)
class QueryAsk:
    """One PromQL expression, already filled in."""

    query: str


@dataclass(frozen=True, slots=True)
class Series:
    """One series: sorted labels (without __name__) and raw samples (unix seconds, value), oldest first."""

    labels: Labels
    samples: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class FamilyReading:
    """A family's series, or why they are not to be trusted (`problem`: failed, partial, warnings)."""

    series: tuple[Series, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ValueReading:
    """A PromQL value (exactly one sample), or why there is none."""

    value: float | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything one metric server was asked at one instant. `age` counts from `at`."""

    at: datetime
    families: Mapping[str, FamilyReading] = field(default_factory=dict)
    values: Mapping[str, ValueReading] = field(default_factory=dict)


class BlindCause(StrEnum):
    """Why an SLO cannot be measured."""

    QUERY_FAILED = "query_failed"
    ABSENT = "absent"
    STALE = "stale"
    IDENTITY_LOST = "identity_lost"
    JUDGE_ERRORS = "judge_errors"
    JUDGE_SILENT = "judge_silent"
    SCENARIO_MISSING = "scenario_missing"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class Blindness:
    """A cause and one sentence that says what was looked for and what is there."""

    cause: BlindCause
    detail: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """Exact new counts of one SLI, version and scenario at one tick (None: the pooled stream), or a value.

    `ticks` is how many nominal ticks the delta covers (0: nothing new was measured). `blind` says why the numbers
    are missing; counts are then zero. `eligible`, of the pooled stream only: new answers that wait to be judged or were
    judged since; None when that is not counted, or cannot be.
    """

    slo: SloName
    version: VersionName
    scenario: str | None = None
    bad: float = 0.0
    total: float = 0.0
    errors: float = 0.0
    ticks: int = 1
    value: float | None = None
    blind: Blindness | None = None
    eligible: float | None = None


SeriesMemory = Mapping[str, tuple[float, float]]
"""Last (timestamp, value) per series, keyed by SLO, version, metric and labels: what the next delta starts from."""
