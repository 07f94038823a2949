"""A metric server in memory that can be broken: for tests of everything that reads metrics."""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from controller.domain.measure import FamilyAsk, FamilyReading, Labels, QueryAsk, Series, Snapshot, ValueReading
from controller.metrics.exposition import read_samples


class MetricFault(StrEnum):
    """How the server misbehaves.

    `down`: nothing is answered. `partial`: some came, with a warning. `empty`: answers without any series. `frozen`:
    nothing is sampled any more, the last samples are given. `nan`: every value is not a number.
    """

    DOWN = "down"
    PARTIAL = "partial"
    EMPTY = "empty"
    FROZEN = "frozen"
    NAN = "nan"


class MemoryMetrics:
    """Implements ports.MetricProvider. Counters are set by hand; set `fault` to break it; safe for several threads.

    `values` answers queries. `fetches` counts calls of `fetch`, `asked` holds what the last one asked for.
    """

    def __init__(self) -> None:
        self.fault: MetricFault | None = None
        self.values: dict[str, float] = {}
        self.fetches = 0
        self.asked: tuple[FamilyAsk | QueryAsk, ...] = ()
        self._counters: dict[str, dict[Labels, float]] = {}
        self._sampled: float | None = None
        self._lock = threading.Lock()

    def set(self, metric: str, value: float, **labels: str) -> None:
        """Give a series this value; it is born if it was not there."""
        with self._lock:
            self._counters.setdefault(metric, {})[_sorted(labels)] = value

    def add(self, metric: str, by: float = 1.0, **labels: str) -> None:
        """Count `by` more; a series that was not there starts at 0."""
        with self._lock:
            series = self._counters.setdefault(metric, {})
            series[_sorted(labels)] = series.get(_sorted(labels), 0.0) + by

    def restart(self, **labels: str) -> None:
        """The processes with these labels start again: their counters are 0."""
        with self._lock:
            for series in self._counters.values():
                series.update({one: 0.0 for one in series if set(labels.items()) <= set(one)})

    def forget(self, **labels: str) -> None:
        """The series with these labels are gone."""
        with self._lock:
            for metric, series in self._counters.items():
                self._counters[metric] = {
                    one: value for one, value in series.items() if not set(labels.items()) <= set(one)
                }

    def load(self, page: str) -> None:
        """Have exactly the series of a page in the text format 0.0.4."""
        counters: dict[str, dict[Labels, float]] = {}
        for name, labels, value in read_samples(page):
            counters.setdefault(name, {})[labels] = value
        with self._lock:
            self._counters = counters

    def fetch(self, asks: Sequence[FamilyAsk | QueryAsk], at: datetime) -> Snapshot:
        """Answers for all asks, sampled now unless the fault says otherwise."""
        with self._lock:
            self.fetches += 1
            self.asked = tuple(asks)
            if self.fault is not MetricFault.FROZEN or self._sampled is None:
                self._sampled = at.timestamp()
            families = {ask.metric: self._family(ask) for ask in asks if isinstance(ask, FamilyAsk)}
            values = {ask.query: self._value(ask) for ask in asks if isinstance(ask, QueryAsk)}
        return Snapshot(at, families, values)

    def _family(self, ask: FamilyAsk) -> FamilyReading:
        problem = self._problem()
        if problem is not None or self.fault is MetricFault.EMPTY:
            return FamilyReading(problem=problem)
        broken = self.fault is MetricFault.NAN
        at = self._sampled or 0.0
        found = self._counters.get(ask.metric, {})
        return FamilyReading(
            tuple(
                Series(labels, ((at, float("nan") if broken else value),))
                for labels, value in found.items()
                if _matches(dict(labels), ask)
            )
        )

    def _value(self, ask: QueryAsk) -> ValueReading:
        problem = self._problem()
        if problem is not None:
            return ValueReading(problem=problem)
        if ask.query not in self.values or self.fault is MetricFault.EMPTY:
            return ValueReading(problem="no series came back; exactly one is needed")
        return ValueReading(float("nan") if self.fault is MetricFault.NAN else self.values[ask.query])

    def _problem(self) -> str | None:
        if self.fault is MetricFault.DOWN:
            return "the metric server in memory cannot be reached: the test broke it"
        if self.fault is MetricFault.PARTIAL:
            return "partial: the test left some out"
        return None


def _sorted(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _matches(labels: Mapping[str, str], ask: FamilyAsk) -> bool:
    return all(labels.get(one.label, "") in one.values for one in ask.match)
