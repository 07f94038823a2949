"""What every metric provider promises: the same page gives the same counts, and faults are told, never raised."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.analysis.counting import measure
from controller.analysis.looking import said
from controller.domain.measure import (
    BlindCause,
    FamilyAsk,
    FamilyReading,
    Measurement,
    QueryAsk,
    SeriesMemory,
    Snapshot,
)
from controller.domain.names import Digest, SloName, VersionName
from controller.domain.rollout import Identity, Version
from controller.domain.route import BackendRef
from controller.domain.slo import Absent, Indicator, LatencyIndicator, Matcher, RatioIndicator, Scenarios, Selector, Slo
from controller.ports import MetricProvider

STRANGE = ('say "hi"', "back\\slash", "two\nlines", "a.b*c|d", "größe ✓", "{x=~'y'}", "$1^[0-9]+()?")
V11, V12 = VersionName("v11"), VersionName("v12")


@dataclass(frozen=True, slots=True)
class MetricRig:
    """`publish` makes a text page what the server reads, and returns once the provider can see it.

    `prefix` begins the names of this rig's metrics: a server may still hold the series of an earlier test.
    `broken` makes the server unable to answer, `mended` undoes it. `queries`: it can answer PromQL.
    """

    provider: MetricProvider
    prefix: str
    now: Callable[[], datetime]
    publish: Callable[[str], None]
    broken: Callable[[], None]
    mended: Callable[[], None]
    queries: bool = True
    scrape_interval: timedelta = timedelta(seconds=15)

    def look(self, *asks: FamilyAsk | QueryAsk) -> Snapshot:
        """What the provider says now."""
        return self.provider.fetch(asks, self.now())

    def family(self, ask: FamilyAsk) -> FamilyReading:
        """What the provider says of one family now."""
        return self.look(ask).families[ask.metric]

    @property
    def results(self) -> str:
        return f"{self.prefix}_results_total"


class Book:
    """Counts over several looks, as a rollout would."""

    def __init__(self, rig: MetricRig, indicator: Indicator, scenarios: Scenarios | None = None) -> None:
        self._rig = rig
        self._slo = Slo(SloName("harm"), indicator, "definition", 1.0, 0.01, scenarios=scenarios)
        self._memory: SeriesMemory = {}

    def look(self, asks: Sequence[FamilyAsk]) -> dict[tuple[str, str | None], Measurement]:
        """The new counts by version and scenario."""
        snapshot = self._rig.look(*asks)
        second, now = timedelta(seconds=1), self._rig.now()
        versions = [_version(V11), _version(V12)]
        step = self._rig.scrape_interval
        found, self._memory = measure([self._slo], versions, snapshot, self._memory, now, second, step, {})
        return {(one.version, one.scenario): one for one in found}


def gives_series_as_they_are(rig: MetricRig) -> None:
    """Sorted labels without the name, the newest value last, sampled in the recent past."""
    rig.publish(results(rig.results, {("v11", "ok"): 7, ("v11", "bad"): 1, ("v12", "ok"): 3.5}))
    reading = rig.family(FamilyAsk(rig.results))
    assert reading.problem is None
    assert newest(reading, "version", "verdict") == {("v11", "ok"): 7.0, ("v11", "bad"): 1.0, ("v12", "ok"): 3.5}
    for series in reading.series:
        assert list(series.labels) == sorted(series.labels)
        assert "__name__" not in dict(series.labels)
        times = [at for at, _ in series.samples]
        assert times == sorted(set(times))
        assert -60 <= times[-1] - rig.now().timestamp() <= 1


def gives_only_what_matches(rig: MetricRig) -> None:
    """Every matcher holds; a label that is not there has the empty value."""
    rig.publish(results(rig.results, {("v11", "ok"): 7, ("v11", "bad"): 1, ("v12", "ok"): 3}) + f"{rig.results} 9\n")
    both = FamilyAsk(rig.results, (Matcher("version", ("v11", "v12")), Matcher("verdict", ("ok",))))
    assert newest(rig.family(both), "version") == {("v11",): 7.0, ("v12",): 3.0}
    without = FamilyAsk(rig.results, (Matcher("version", ("", "v12")),))
    assert newest(rig.family(without), "version") == {("",): 9.0, ("v12",): 3.0}


def takes_strange_values_literally(rig: MetricRig) -> None:
    """Quotes, regex signs and line ends in label values are text."""
    counts = {(value, "ok"): float(number) for number, value in enumerate(STRANGE)}
    rig.publish(results(rig.results, {**counts, ("aXbbc", "ok"): 99.0}))
    all_of_them = newest(rig.family(FamilyAsk(rig.results, (Matcher("version", STRANGE),))), "version")
    assert all_of_them == {(value,): float(number) for number, value in enumerate(STRANGE)}
    for number, value in enumerate(STRANGE):
        alone = FamilyAsk(rig.results, (Matcher("version", (value,)),))
        assert newest(rig.family(alone), "version") == {(value,): float(number)}, said(Selector(*_parts(alone)))


def says_nothing_of_what_is_not_there(rig: MetricRig) -> None:
    """An unknown family is empty, and that is no problem of the server."""
    rig.publish(results(rig.results, {("v11", "ok"): 7}))
    assert rig.family(FamilyAsk(f"{rig.prefix}_misspelt_total")) == FamilyReading()


def counts_the_same(rig: MetricRig) -> None:
    """Baseline, growth, a birth and a restart, pooled and by scenario, to the last answer."""
    asks = [FamilyAsk(rig.results)]
    book = Book(rig, ratio(rig.results), Scenarios("hazard", "none"))
    rig.publish(hazards(rig.results, {"v11": (100, 5, 1), "v12": (10, 0, 2)}))
    assert _bad_of_total(book.look(asks), V12) == (0, 0)
    rig.publish(hazards(rig.results, {"v11": (140, 5, 1), "v12": (30, 1, 2)}))
    seen = book.look(asks)
    assert (_bad_of_total(seen, V11), _bad_of_total(seen, V12)) == ((0, 40), (1, 21))
    assert (seen[V12, "ssh"].bad, seen[V12, "ssh"].total) == (0, 21)
    rig.publish(hazards(rig.results, {"v11": (3, 0, 0), "v12": (30, 1, 2)}))
    seen = book.look(asks)
    assert (_bad_of_total(seen, V11), _bad_of_total(seen, V12)) == ((0, 3), (0, 0))
    rig.publish(hazards(rig.results, {"v11": (3, 0, 0), "v12": (30, 1, 4)}) + _birth(rig.results, "v12", 6))
    seen = book.look(asks)
    assert (_bad_of_total(seen, V11), _bad_of_total(seen, V12)) == ((0, 0), (8, 8))
    assert (seen[V12, "vcr"].bad, seen[V12, "vcr"].total) == (6, 6)


def counts_failures_from_the_first(rig: MetricRig) -> None:
    """The first failure creates its series: none before it is zero, and it is counted itself."""
    failed = f"{rig.prefix}_failed_total"
    asks = [FamilyAsk(rig.results), FamilyAsk(failed)]
    book = Book(rig, RatioIndicator(Selector(failed), Selector(rig.results), absent=Absent.ZERO))
    for count in (5, 7):
        rig.publish(results(rig.results, {(V11, "ok"): count, (V12, "ok"): count}))
        seen = book.look(asks)
    assert (_bad_of_total(seen, V11), _bad_of_total(seen, V12)) == ((0, 2), (0, 2))
    born = results(failed, {(V12, "timeout"): 1})
    rig.publish(results(rig.results, {(V11, "ok"): 9, (V12, "ok"): 9}) + born)
    seen = book.look(asks)
    assert (_bad_of_total(seen, V11), _bad_of_total(seen, V12)) == ((0, 2), (1, 2))


def counts_slow_requests(rig: MetricRig) -> None:
    """Over the bound is the count without the bucket, however `le` is written."""
    name = f"{rig.prefix}_seconds"
    asks = [FamilyAsk(f"{name}_bucket"), FamilyAsk(f"{name}_count")]
    book = Book(rig, LatencyIndicator(name, 5.0))
    for count, fast in ((10, 10), (30, 27)):
        rig.publish(histogram(name, "v11", "5", count, fast) + histogram(name, "v12", "5.0", count, count))
        seen = book.look(asks)
    assert _bad_of_total(seen, V11) == (3, 20)
    assert _bad_of_total(seen, V12) == (0, 20)


def never_raises_and_counts_on(rig: MetricRig) -> None:
    """A server that cannot answer is a problem of every ask; afterwards nothing was lost, nothing is counted twice."""
    asks = [FamilyAsk(rig.results)]
    book = Book(rig, ratio(rig.results))
    rig.publish(results(rig.results, {(v, k): 5 for v in (V11, V12) for k in ("ok", "bad")}))
    book.look(asks)
    rig.broken()
    snapshot = rig.look(*asks, QueryAsk("vector(1)"))
    assert snapshot.families[rig.results].problem
    assert not snapshot.families[rig.results].series
    assert snapshot.values["vector(1)"].problem
    blind = book.look(asks)[V12, None]
    assert blind.blind is not None
    assert (blind.blind.cause, blind.total, blind.ticks) == (BlindCause.QUERY_FAILED, 0, 0)
    rig.mended()
    rig.publish(results(rig.results, {(v, k): 7 for v in (V11, V12) for k in ("ok", "bad")}))
    assert _bad_of_total(book.look(asks), V12) == (2, 4)


def tells_nonsense(rig: MetricRig) -> None:
    """A counter that is not a number is not zero: the SLO is blind and says which series it was."""
    rig.publish(results(rig.results, {(v, k): float("nan") for v in (V11, V12) for k in ("ok", "bad")}))
    seen = Book(rig, ratio(rig.results)).look([FamilyAsk(rig.results)])[V12, None]
    assert seen.blind is not None
    assert seen.blind.cause is BlindCause.QUERY_FAILED
    assert rig.results in seen.blind.detail


def answers_queries_or_says_who_can(rig: MetricRig) -> None:
    """Exactly one value, or a problem that says what came instead."""
    value = rig.look(QueryAsk("vector(1)")).values["vector(1)"]
    if rig.queries:
        assert (value.value, value.problem) == (1.0, None)
    else:
        assert value.problem is not None
        assert "prometheus" in value.problem


PROMISES: Mapping[str, Callable[[MetricRig], None]] = {
    promise.__name__: promise
    for promise in (
        gives_series_as_they_are,
        gives_only_what_matches,
        takes_strange_values_literally,
        says_nothing_of_what_is_not_there,
        counts_the_same,
        counts_failures_from_the_first,
        counts_slow_requests,
        never_raises_and_counts_on,
        tells_nonsense,
        answers_queries_or_says_who_can,
    )
}


def ratio(metric: str) -> RatioIndicator:
    """Bad of ok and bad."""
    bad, total = Matcher("verdict", ("bad",)), Matcher("verdict", ("ok", "bad"))
    return RatioIndicator(Selector(metric, (bad,)), Selector(metric, (total,)))


def results(metric: str, counts: Mapping[tuple[str, str], float]) -> str:
    """A page with a counter per (version, verdict)."""
    lines = [
        f'{metric}{{version="{_escaped(version)}",verdict="{verdict}"}} {value}'
        for (version, verdict), value in counts.items()
    ]
    return f"# HELP {metric} Judged answers.\n# TYPE {metric} counter\n" + "\n".join(lines) + "\n"


def hazards(metric: str, counts: Mapping[str, tuple[float, float, float]]) -> str:
    """A page with, per version: good answers, bad ones without a hazard, and bad ones of the hazard ssh."""
    lines = []
    for version, (ok, bad, ssh) in counts.items():
        for verdict, hazard, value in (("ok", "none", ok), ("bad", "none", bad), ("bad", "ssh", ssh)):
            lines.append(f'{metric}{{version="{version}",verdict="{verdict}",hazard="{hazard}"}} {value}')
    return f"# TYPE {metric} counter\n" + "\n".join(lines) + "\n"


def histogram(metric: str, version: str, bound: str, count: float, within: float) -> str:
    """The lines of a histogram with one bound."""
    label = f'version="{version}"'
    return (
        f'{metric}_bucket{{{label},le="{bound}"}} {within}\n{metric}_bucket{{{label},le="+Inf"}} {count}\n'
        f"{metric}_sum{{{label}}} {count}\n{metric}_count{{{label}}} {count}\n"
    )


def newest(reading: FamilyReading, *labels: str) -> dict[tuple[str, ...], float]:
    """The last value of every series by some of its labels."""
    return {tuple(dict(one.labels).get(name, "") for name in labels): one.samples[-1][1] for one in reading.series}


def _birth(metric: str, version: str, bad: float) -> str:
    return f'{metric}{{version="{version}",verdict="bad",hazard="vcr"}} {bad}\n'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _version(name: VersionName) -> Version:
    return Version(name, BackendRef("Host", "127.0.0.1", 1), Digest(name), True, Identity("version", name))


def _bad_of_total(seen: Mapping[tuple[str, str | None], Measurement], version: VersionName) -> tuple[float, float]:
    found = seen[version, None]
    assert found.blind is None, found.blind
    return found.bad, found.total


def _parts(ask: FamilyAsk) -> tuple[str, tuple[Matcher, ...]]:
    return ask.metric, ask.match
