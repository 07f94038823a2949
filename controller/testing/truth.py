"""What is true of each version, judged answer by answer, and what a metric server would have counted of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from controller.domain.evidence import Evidence
from controller.domain.measure import BlindCause, Blindness, Measurement, SeriesMemory
from controller.domain.names import SloName, VersionName
from controller.domain.rollout import ModelRollout
from controller.domain.slo import RatioIndicator, Slo

Place = tuple[SloName, VersionName, str | None]
MANY = 60
"""Above this a binomial is drawn from the normal distribution: fast, and good enough for a world."""


def binomial(rng: Random, n: int, p: float) -> int:
    """How many of `n` are bad when each is bad with probability `p`."""
    if n <= 0 or p <= 0:
        return 0
    if n <= MANY:
        return sum(rng.random() < p for _ in range(n))
    return min(n, max(0, round(rng.gauss(n * p, (n * p * (1 - p)) ** 0.5))))


@dataclass(slots=True)
class Truth:
    """True rates of bad per (SLO, version[, scenario]), and the counters that grew from them.

    `silent`: versions whose answers are not judged now; `judge_errors`: share of answers the judge fails on;
    `dark`: why an SLO (None: all) of a version (None: both) cannot be measured; `values` of `threshold` SLOs.
    `unjudged`: share of a version's answers that the judge has not come to yet, and that `queued` counts per SLO;
    `uncounted`: versions whose eligible answers cannot be counted now.
    """

    rng: Random
    rates: dict[tuple[str, str] | tuple[str, str, str], float] = field(default_factory=dict)
    values: dict[tuple[str, str], float] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    judge_errors: float = 0.0
    dark: dict[tuple[str | None, str | None], BlindCause] = field(default_factory=dict)
    counters: dict[Place, tuple[int, int, int]] = field(default_factory=dict)
    unjudged: dict[str, float] = field(default_factory=dict)
    queued: dict[tuple[SloName, VersionName], int] = field(default_factory=dict)
    eligible: dict[tuple[SloName, VersionName], int] = field(default_factory=dict)
    uncounted: set[str] = field(default_factory=set)

    def answer(self, rollout: ModelRollout, answered: Mapping[VersionName, int]) -> None:
        """So many answers of each version exist and are judged."""
        for version, n in answered.items():
            for slo in rollout.slos if version not in self.silent and n else ():
                self._judge(slo, version, n)

    def _judge(self, slo: Slo, version: VersionName, n: int) -> None:
        if slo.threshold is not None:
            return
        self.eligible[slo.name, version] = self.eligible.get((slo.name, version), 0) + n
        waiting = round(n * self.unjudged.get(version, 0.0))
        self.queued[slo.name, version] = self.queued.get((slo.name, version), 0) + waiting
        self._verdicts(slo, version, n - waiting)

    def catch_up(self, slo: Slo, version: VersionName) -> None:
        """The judge comes to everything that waits."""
        self._verdicts(slo, version, self.queued.pop((slo.name, version), 0))

    def _verdicts(self, slo: Slo, version: VersionName, n: int) -> None:
        errors = binomial(self.rng, n, self.judge_errors)
        judged = n - errors
        names = self.scenarios(slo)
        bad = {name: binomial(self.rng, judged, self.rates.get((slo.name, version, name), 0.0)) for name in names}
        pooled = sum(bad.values()) if names else binomial(self.rng, judged, self.rates.get((slo.name, version), 0.0))
        pooled = min(pooled, judged)
        self._count((slo.name, version, None), pooled, judged, errors)
        for name in names:
            found = min(bad[name], judged)
            self._count((slo.name, version, name), found, judged - pooled + found, 0)

    def scenarios(self, slo: Slo) -> tuple[str, ...]:
        """Required scenarios and those that some version has a rate for."""
        if slo.scenarios is None:
            return ()
        told = (key[2] for key in self.rates if len(key) == 3 and key[0] == slo.name)
        return tuple(sorted({*slo.scenarios.required, *told}))

    def _count(self, place: Place, bad: int, total: int, errors: int) -> None:
        before = self.counters.get(place, (0, 0, 0))
        self.counters[place] = (before[0] + bad, before[1] + total, before[2] + errors)

    def measure(
        self, rollout: ModelRollout, versions: tuple[VersionName, ...], evidence: Evidence, now: datetime
    ) -> tuple[tuple[Measurement, ...], SeriesMemory]:
        """Exact new counts since what `evidence` remembers, and the memory for the next time."""
        memory = dict(evidence.series)
        since = evidence.measured_at
        ticks = max(1, round((now - since) / rollout.interval)) if since else 1
        found = [
            m
            for slo in rollout.slos
            for version in versions
            for m in self._measured(slo, version, memory, now.timestamp(), ticks)
        ]
        return tuple(found), memory

    def _measured(
        self, slo: Slo, version: VersionName, memory: dict[str, tuple[float, float]], at: float, ticks: int
    ) -> list[Measurement]:
        blind = self._blindness(slo, version)
        if blind is not None:
            return [Measurement(slo.name, version, None, ticks=0, blind=blind)]
        if slo.threshold is not None:
            return [Measurement(slo.name, version, None, value=self.values.get((slo.name, version), 0.0))]
        places: list[Place] = [(slo.name, version, name) for name in (None, *self.scenarios(slo))]
        found = [self._delta(place, memory, at, ticks) for place in places]
        if isinstance(slo.indicator, RatioIndicator) and slo.indicator.eligible is not None:
            found[0] = replace(found[0], eligible=self._arrived(slo, version, memory, at))
        return found

    def _arrived(
        self, slo: Slo, version: VersionName, memory: dict[str, tuple[float, float]], at: float
    ) -> float | None:
        if version in self.uncounted:
            return None
        key, value = f"{slo.name}|{version}|eligible", float(self.eligible.get((slo.name, version), 0))
        before = memory.get(key, (at, value))[1]
        memory[key] = (at, value)
        return value - before

    def _delta(self, place: Place, memory: dict[str, tuple[float, float]], at: float, ticks: int) -> Measurement:
        slo, version, scenario = place
        deltas, born = [], False
        for part, value in zip(("bad", "total", "errors"), self.counters.get(place, (0, 0, 0)), strict=True):
            key = f"{slo}|{version}|{scenario or ''}|{part}"
            born = born or key not in memory
            deltas.append(value - memory.get(key, (at, float(value)))[1])
            memory[key] = (at, float(value))
        bad, total, errors = deltas
        return Measurement(slo, version, scenario, bad, total, errors, ticks=0 if born else ticks)

    def _blindness(self, slo: Slo, version: VersionName) -> Blindness | None:
        asked = ((slo.name, version), (slo.name, None), (None, version), (None, None))
        cause = next((self.dark[key] for key in asked if key in self.dark), None)
        if cause is None:
            return None
        what = "ratio" if isinstance(slo.indicator, RatioIndicator) else slo.indicator.kind
        return Blindness(cause, f"the {what} of {version} cannot be read ({cause.value})")


def minutes(count: float) -> timedelta:
    """So many minutes: `minutes(5)`."""
    return timedelta(minutes=count)
