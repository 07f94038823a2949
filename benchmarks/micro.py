"""The hot parts alone, in this process: informative, to see where a pass spends its time."""

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from benchmarks.specs import fleet_member
from benchmarks.synthetic import METRIC, SCRAPE, series
from benchmarks.table import Row
from controller.analysis import streams
from controller.analysis.counting import Indexed
from controller.analysis.counting import measure as count
from controller.analysis.interval import interval
from controller.decision.tick import tick
from controller.domain.evidence import Evidence, Tally
from controller.domain.measure import FamilyReading, Measurement, Series, SeriesMemory, Snapshot
from controller.domain.names import RolloutKey, RunId
from controller.domain.observation import Observation, SpecSeen
from controller.domain.record import TickRecord
from controller.domain.rollout import ModelRollout, Provenance
from controller.domain.state import Phase, Position, Run, TrafficMark
from controller.domain.traffic import RequestCounts, RouteSeen, Split
from controller.spec.parse import parse_bytes
from controller.store.store import open_store

DEPLOYMENTS, BORN = 70, 1_800_000_000.0
START = datetime.fromtimestamp(BORN + 3600, UTC)
STEP = timedelta(seconds=SCRAPE)


def measure(quick: bool) -> list[Row]:
    """Medians of one call each."""
    times = 20 if quick else 100
    specs = [_spec(number) for number in range(DEPLOYMENTS)]
    first, second = _snapshot(specs, START), _snapshot(specs, START + STEP)
    memories = [_count(spec, Indexed(first), {}, START)[1] for _, spec in specs]
    shared = Indexed(second)
    measured, memory = _count(specs[0][1], shared, memories[0], START + STEP)
    key, spec = specs[0]
    position, evidence = _position(spec), streams.fresh(spec, spec.versions[1].digest)
    seen = _seen(spec, measured, memory)
    decided = tick(position, evidence, seen)
    learned = decided.evidence
    assert learned is not None
    numbers = itertools.count(1)
    everything = f"counting all of {sum(len(one.series) for one in second.families.values()):,} series, 70 rollouts"

    def count_all() -> None:
        index = Indexed(second)
        for (_, one), before in zip(specs, memories, strict=True):
            _count(one, index, before, START + STEP)

    return [
        _row(everything, _median(count_all, max(3, times // 20))),
        _row("counting for one rollout (shared index)", _median(
            lambda: _count(spec, shared, memories[0], START + STEP), times)),
        _row("tick (judge + decide), 24 streams, new counts", _median(
            lambda: tick(position, _aged(learned, next(numbers)), seen), times)),
        _row("tick, 24 streams, between two samples", _median(
            lambda: tick(position, learned, _seen(spec, (), {}, measured_now=False)), times)),
        _row("interval(bad, total), not remembered", _median(lambda: interval(3.0, 3000.0 + next(numbers)), times)),
        _commit(key, position, learned, measured, times),
    ]  # fmt: skip


def _commit(
    key: RolloutKey, position: Position, evidence: Evidence, measured: tuple[Measurement, ...], times: int
) -> Row:
    with (
        tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder,
        open_store(f"sqlite:///{folder}/tidegate.db") as store,
    ):
        numbers = itertools.count(1)

        def commit() -> None:
            store.commit(TickRecord(key, next(numbers), START, position, evidence, measured, (), (), "", "bench", None))

        return _row("commit of one tick (SQLite, position + evidence + measurements)", _median(commit, times))


def _aged(evidence: Evidence, number: int) -> Evidence:
    """Other counts each time, so that nothing is remembered from the call before."""

    def more(tally: Tally) -> Tally:
        return replace(tally, total=tally.total + number)

    slos = (
        replace(slo, streams=tuple(replace(one, all=more(one.all), proof=more(one.proof)) for one in slo.streams))
        for slo in evidence.slos
    )
    return replace(evidence, slos=tuple(slos))


def _spec(number: int) -> tuple[RolloutKey, ModelRollout]:
    parsed = parse_bytes(fleet_member(number).encode(), f"{number}.yaml")[0]
    assert parsed.key is not None, parsed.problems
    assert parsed.rollout is not None, parsed.problems
    return parsed.key, parsed.rollout


def _snapshot(specs: list[tuple[RolloutKey, ModelRollout]], at: datetime) -> Snapshot:
    now = at.timestamp()
    instants = [now - step * SCRAPE for step in (3, 2, 1, 0)]
    found = [
        Series(tuple(sorted(labels.items())), tuple((one, float(int(rate * (one - BORN)))) for one in instants))
        for key, _ in specs
        for labels, _, rate in series(key.name)
    ]
    return Snapshot(at, {METRIC: FamilyReading(tuple(found))}, {})


def _count(
    spec: ModelRollout, index: Indexed, memory: SeriesMemory, now: datetime
) -> tuple[tuple[Measurement, ...], SeriesMemory]:
    known = {slo.name: slo.scenarios.required if slo.scenarios else () for slo in spec.slos}
    return count(
        spec.slos, spec.versions, index, memory, now, spec.interval, spec.metrics.scrape_interval, known, START
    )


def _position(spec: ModelRollout) -> Position:
    stable, candidate = spec.versions
    run = Run(
        RunId("bench-1"), 1, stable.name, candidate.name, candidate.digest, spec, Provenance("bench.yaml"), START,
        stage_since=START,
    )  # fmt: skip
    split = Split(stable.name, candidate.name, weight=10)
    mark = TrafficMark(split, Split(stable.name), START, START, START, "e1")
    return Position(Phase.PROGRESSING, START, stable.name, run, traffic=mark, runs=1)


def _seen(
    spec: ModelRollout, measured: tuple[Measurement, ...], memory: SeriesMemory, *, measured_now: bool = True
) -> Observation:
    stable, candidate = (version.name for version in spec.versions)
    split = Split(stable, candidate, weight=10)
    counts = {stable: RequestCounts(900), candidate: RequestCounts(100)}
    return Observation(
        now=START + STEP,
        spec=SpecSeen(spec),
        route=RouteSeen(split.table(), True, "r1", "e1", counts),
        measurements=measured,
        series=memory,
        measured=measured_now,
        sampled_at=START + STEP,
    )


def _median(call: Callable[[], object], times: int) -> float:
    found = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def _row(what: str, seconds: float) -> Row:
    return Row("micro", what, f"{1000 * seconds:.2f} ms", values={"seconds": seconds})
