"""What is measured and the objectives it is held to: indicators, scenarios, judges, SLOs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from controller.domain.names import SloName


@dataclass(frozen=True, slots=True)
class Matcher:
    """A label and the values that count."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selector:
    """Counter series of one metric family."""

    metric: str
    match: tuple[Matcher, ...] = ()


@dataclass(frozen=True, slots=True)
class SamplingWeights:
    """Stratified judging: an answer whose `label` has one of `values` stands for that many. Others stand for 1."""

    label: str
    values: tuple[tuple[str, float], ...]


ASIDE: Mapping[str, bool] = MappingProxyType({"aside": True})
"""Of fields that say how to wait for counts, not what the counts mean: evidence does not depend on them."""


class Absent(StrEnum):
    """What it means that there is no series of what goes wrong, bad answers or judge errors, while total has some."""

    BLIND = "blind"
    """Unknown: it may be called otherwise, or not be read."""
    ZERO = "zero"
    """None was counted yet: the first one creates it."""


@dataclass(frozen=True, slots=True)
class RatioIndicator:
    """Bad of total, both counters.

    `once_per` is a label (a user, a conversation): at most one bad per value of it counts in a block. `eligible` counts
    the answers that were sampled for judging, when they were produced. `absent` is about bad and errors.
    """

    bad: Selector
    total: Selector
    errors: Selector | None = None
    weights: SamplingWeights | None = None
    once_per: str | None = None
    kind: Literal["ratio"] = "ratio"
    eligible: Selector | None = field(default=None, repr=False, metadata=ASIDE)
    absent: Absent = field(default=Absent.BLIND, repr=False, metadata=ASIDE)


@dataclass(frozen=True, slots=True)
class LatencyIndicator:
    """Requests of a histogram that took longer than `under` seconds, of all; `under` must be a bucket bound."""

    histogram: str
    under: float
    match: tuple[Matcher, ...] = ()
    kind: Literal["latency"] = "latency"


@dataclass(frozen=True, slots=True)
class PromqlIndicator:
    """A value. `query` still holds `{{version}}`, filled in as an escaped string for each version."""

    query: str
    kind: Literal["promql"] = "promql"


Indicator = RatioIndicator | LatencyIndicator | PromqlIndicator


@dataclass(frozen=True, slots=True)
class Scenarios:
    """Slices of an SLI by a label. The total of slice s counts the label values s and `baseline`.

    The first bad answer in a `zero_tolerance` slice withdraws the candidate and pages, until a person reviews it.
    """

    label: str
    baseline: str
    required: tuple[str, ...] = ()
    zero_tolerance: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Margin:
    """The most the candidate may have beside the concurrent stable: `ratio` x its rate + `points` (a rate)."""

    ratio: float = 1.0
    points: float = 0.0

    def limit(self, rate: float) -> float:
        """The greatest allowed rate of the candidate where stable's is `rate`."""
        return max(0.0, self.ratio * rate + self.points)


@dataclass(frozen=True, slots=True)
class JudgePolicy:
    """When the judge itself is not to be trusted: share of errors (0..1), age of the newest judged answer.

    `sensitivity` and `specificity` (0..1, lower and upper bound) are how often it recognises bad and good answers.
    `latency` is how long it takes for 99 of 100 answers, from the answer to its verdict.
    """

    max_errors: float
    max_age: timedelta
    sensitivity: tuple[float, float] = (1.0, 1.0)
    specificity: tuple[float, float] = (1.0, 1.0)
    latency: timedelta = field(default=timedelta(minutes=2), repr=False, metadata=ASIDE)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Bounds for a value; acts after `consecutive` values in a row outside of them."""

    max: float | None
    min: float | None
    consecutive: int


class OnBreach(StrEnum):
    """What a breach of an SLO leads to."""

    ROLLBACK = "rollback"
    HOLD = "hold"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Slo:
    """An SLI and the objective it is held to.

    `max_bad` is the objective as a rate of bad (0..1), None for a `threshold`. `weight` is the share of its
    ledger's budget (they sum to 1 per action). `definition` hashes what evidence depends on: indicator, objective,
    scenarios, judge.
    """

    name: SloName
    indicator: Indicator
    definition: str
    weight: float
    max_bad: float | None = None
    threshold: Threshold | None = None
    scenarios: Scenarios | None = None
    judge: JudgePolicy = field(default_factory=lambda: JudgePolicy(0.05, timedelta(minutes=10)))
    on_breach: OnBreach = OnBreach.ROLLBACK
    max_false_promotion: float = 0.05
    versus_stable: Margin | None = None
