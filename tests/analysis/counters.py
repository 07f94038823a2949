"""Pods that count, scrapes that miss, windows that are cut: and the true number of events that could be seen."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from controller.domain.measure import FamilyReading, Labels, Series, Snapshot
from controller.domain.names import Digest, SloName, VersionName
from controller.domain.rollout import Identity, Version
from controller.domain.route import BackendRef
from controller.domain.slo import Indicator, LatencyIndicator, Matcher, RatioIndicator, Scenarios, Selector, Slo

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
STEP = timedelta(seconds=15)
METRIC = "llm_eval_results_total"
KINDS = (("ok", "none"), ("bad", "none"), ("bad", "ssh"))
HARM = Selector(METRIC, (Matcher("verdict", ("bad",)),))
JUDGED = Selector(METRIC, (Matcher("verdict", ("ok", "bad")),))
FAILED = Selector(METRIC, (Matcher("verdict", ("error",)),))
V11, V12 = VersionName("v11"), VersionName("v12")


def a_version(name: str, label: str = "version") -> Version:
    return Version(VersionName(name), BackendRef("Host", "h", 1), Digest(name), True, Identity(label, name))


def an_slo(indicator: Indicator | None = None, scenarios: Scenarios | None = None, name: str = "harm") -> Slo:
    return Slo(SloName(name), indicator or RatioIndicator(HARM, JUDGED), "definition", 1.0, 0.01, scenarios=scenarios)


def by_hazard(*required: str) -> Slo:
    return an_slo(scenarios=Scenarios("hazard", "none", required))


def latency(under: float = 5.0) -> Slo:
    return an_slo(LatencyIndicator("seconds", under), name="latency")


def at(step: float) -> datetime:
    return START + step * STEP


def series(samples: Sequence[tuple[float, float]], **labels: str) -> Series:
    """Samples as (step, value)."""
    return Series(tuple(sorted(labels.items())), tuple((at(step).timestamp(), value) for step, value in samples))


def snapshot(step: float, *found: Series, metric: str = METRIC, problem: str | None = None) -> Snapshot:
    return Snapshot(at(step), {metric: FamilyReading(found, problem)})


@dataclass
class Pod:
    """One process. `seen` holds per series what the last scrape saw; `visible` all that scrapes could ever tell."""

    name: str
    version: str
    values: dict[tuple[str, str], int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    seen: dict[tuple[str, str], int] = field(default_factory=dict)
    restarted: bool = False
    alive: bool = True

    def count(self, kind: tuple[str, str], events: int) -> None:
        """After a restart nobody could tell from outside, fewer events come than were there before."""
        room = self.seen.get(kind, 0) - 1 - self.values[kind] if self.restarted else events
        self.values[kind] += max(0, min(events, room))

    def restart(self) -> None:
        self.restarted = True
        self.values = dict.fromkeys(KINDS, 0)

    def scrape(self) -> dict[tuple[str, str], int]:
        """How much each series grew, as far as scrapes can tell."""
        grown = {k: v - self.seen.get(k, 0) if v >= self.seen.get(k, 0) else v for k, v in self.values.items()}
        self.seen, self.restarted = dict(self.values), False
        return grown

    def labels(self, kind: tuple[str, str]) -> Labels:
        verdict, hazard = kind
        return (("hazard", hazard), ("pod", self.name), ("verdict", verdict), ("version", self.version))


@dataclass
class Cluster:
    """All pods and everything ever scraped of them."""

    pods: list[Pod] = field(default_factory=list)
    scraped: dict[Labels, list[tuple[float, float]]] = field(default_factory=dict)
    truth: dict[tuple[str, str], int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    step: int = 0

    def scrape(self, pod: Pod) -> None:
        grown = pod.scrape()
        for kind in KINDS:
            self.truth[kind] += grown[kind]
            samples = self.scraped.setdefault(pod.labels(kind), [])
            samples.append((at(self.step).timestamp(), float(pod.values[kind])))

    def window(self, first: int) -> list[Series]:
        """What a range selector gives that begins with step `first`."""
        start = at(first).timestamp()
        cut = {labels: tuple(one for one in samples if one[0] >= start) for labels, samples in self.scraped.items()}
        return [Series(labels, samples) for labels, samples in cut.items() if samples]
