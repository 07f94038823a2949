"""Measurements into evidence: one tick's counts booked on every tally and stream they belong to."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.analysis import lateness, streams
from controller.analysis.booking import MOST_STARTED, booking, plus, scattered
from controller.analysis.change import freezes, moved
from controller.analysis.swift import changer
from controller.domain.evidence import Evidence, Finding, SloEvidence, Tally
from controller.domain.measure import Measurement, SeriesMemory
from controller.domain.names import SloName, VersionName
from controller.domain.rollout import ModelRollout, StageKind
from controller.domain.slo import Slo

SCATTER_WINDOW = timedelta(hours=24)
"""How far back stable's counts are looked at for their dispersion."""
Arms = Mapping[str | None, Measurement]
BySlo = Mapping[SloName, Sequence[Measurement]]

_with_slos = changer(Evidence, "slos", "series", "measured_at", "first_bad_at")
_with_tick = changer(
    SloEvidence,
    "streams", "findings", "gate", "scatter",
    "judge_now", "judge_before", "judge_turned", "candidate_judged_at", "stable_judged_at",
)  # fmt: skip
_with_value = changer(SloEvidence, "value", "strikes")
_with_stable_value = changer(SloEvidence, "stable_value")
Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where this tick's counts belong.

    `stage` is None before the first stage (nothing counts yet); `verified` whether its traffic was verified;
    `withdrawn` that the candidate gets no traffic on purpose (not yet, not now, no more), so that sight is judged on
    stable. `weight` is the candidate's percent of the traffic, live or mirrored.
    """

    rollout: ModelRollout
    stable: VersionName
    candidate: VersionName
    stage: StageKind | None
    since: datetime | None
    withdrawn: bool
    now: datetime
    sampled_at: datetime | None = None
    weight: int = 0

    @property
    def verified(self) -> bool:
        return self.since is not None

    @property
    def side_by_side(self) -> bool:
        """Do stable and candidate answer samples of the same requests? Then stable tells what to expect."""
        return self.stage in (StageKind.SHADOW, StageKind.CANARY)


def accumulate(
    evidence: Evidence,
    measurements: Sequence[Measurement],
    series: SeriesMemory,
    scope: Scope,
    told: BySlo | None = None,
) -> Evidence:
    """Evidence after one metric tick. `told` are the measurements by SLO, where they are at hand."""
    told = by_slo(measurements) if told is None else told
    slos = tuple(
        _slo(known, slo, told.get(slo.name, ()), scope)
        for slo in scope.rollout.slos
        if (known := evidence.of(slo.name)) is not None
    )
    first = evidence.first_bad_at
    if first is None and scope.stage and any(m.bad > 0 for m in measurements if m.version == scope.candidate):
        first = scope.now
    return _with_slos(evidence, slos, series, scope.sampled_at or scope.now, first)


def by_slo(measurements: Sequence[Measurement]) -> BySlo:
    """The measurements of each SLO, in their order."""
    found: defaultdict[SloName, list[Measurement]] = defaultdict(list)
    for one in measurements:
        found[one.slo].append(one)
    return found


def _slo(known: SloEvidence, slo: Slo, measurements: Sequence[Measurement], scope: Scope) -> SloEvidence:
    if slo.threshold is not None:
        return _threshold(known, slo, measurements, scope)
    seen, arms, beside = _sides(measurements, scope)
    known = streams.discover(known, slo, seen)
    gate, scatter = _stable_side(known, slo, beside.get(None), scope)
    frozen = scope.side_by_side and freezes(gate)
    how = booking(slo, scope.rollout, scope.stage, scope.verified, scope.weight, frozen)
    booked = tuple([how.book(one, arms.get(one.scenario), beside.get(one.scenario)) for one in known.streams])
    found = (*known.findings, *_found(slo, arms, scope))
    known = lateness.counted(known, slo, arms.get(None), scope.stage, scope.since, scope.sampled_at or scope.now)
    return _with_tick(known, booked, found, gate, scatter, *_judge(known, slo, measurements, scope))


def _sides(measurements: Sequence[Measurement], scope: Scope) -> tuple[list[str], Arms, Arms]:
    """The scenarios that were measured, and by scenario what was counted of the candidate and of stable."""
    seen: list[str] = []
    arms: dict[str | None, Measurement] = {}
    beside: dict[str | None, Measurement] = {}
    mine, theirs = scope.candidate, scope.stable
    for m in measurements:
        if m.scenario is not None and m.blind is None:
            seen.append(m.scenario)
        if m.version == mine:
            arms[m.scenario] = m
        if m.version == theirs:
            beside[m.scenario] = m
    return seen, arms, beside


def _stable_side(known: SloEvidence, slo: Slo, stable: Measurement | None, scope: Scope) -> tuple[Numbers, Numbers]:
    """What stable's own counts say: does the judge's alarm ring there too, and how much do counts scatter?"""
    if stable is None or stable.blind is not None or stable.ticks <= 0 or not scope.side_by_side:
        return known.gate, known.scatter
    bad = min(stable.bad, stable.total)
    # Silence starts no bets here: at so low a threshold a thousand quiet ticks would ring by themselves.
    started = min(stable.ticks, MOST_STARTED) if stable.total > 0 else 0
    gate = moved(known.gate, bad, stable.total, streams.limit(slo), started)
    window = max(2, round(SCATTER_WINDOW / scope.rollout.interval))
    return gate, scattered(known.scatter, bad, stable.total, window)


def _found(slo: Slo, arms: Arms, scope: Scope) -> Iterator[Finding]:
    """Bad answers where none is tolerated."""
    named = slo.scenarios.zero_tolerance if slo.scenarios and scope.stage is not None else ()
    for name in named:
        arm = arms.get(name)
        if arm is not None and arm.blind is None and arm.bad > 0:
            yield Finding(name, arm.bad, scope.now)


def _threshold(known: SloEvidence, slo: Slo, measurements: Sequence[Measurement], scope: Scope) -> SloEvidence:
    assert slo.threshold is not None
    candidate, stable = (_find(measurements, version, None) for version in (scope.candidate, scope.stable))
    known = _with_stable_value(known, stable.value if stable else None)
    if candidate is None or candidate.value is None or scope.withdrawn or scope.stage is None:
        return known
    low, high, value = slo.threshold.min, slo.threshold.max, candidate.value
    outside = (high is not None and value > high) or (low is not None and value < low)
    return _with_value(known, value, known.strikes + 1 if outside else 0)


def _find(measurements: Sequence[Measurement], version: VersionName, scenario: str | None) -> Measurement | None:
    return next((m for m in measurements if m.version == version and m.scenario == scenario), None)


def _judge(
    known: SloEvidence, slo: Slo, measurements: Sequence[Measurement], scope: Scope
) -> tuple[Tally, Tally, datetime, datetime | None, datetime | None]:
    """What the judge itself did: a sliding window of its errors, and when it last judged which role."""
    pooled = [m for m in measurements if m.scenario is None and m.blind is None]
    window, before, turned = known.judge_now, known.judge_before, known.judge_turned or scope.now
    if scope.now - turned >= slo.judge.max_age / 2:
        window, before, turned = Tally(), window, scope.now
    for m in pooled:
        window = plus(window, m)
    judged = {m.version for m in pooled if m.total > 0}
    return (
        window,
        before,
        turned,
        scope.now if scope.candidate in judged else known.candidate_judged_at,
        scope.now if scope.stable in judged else known.stable_judged_at,
    )
