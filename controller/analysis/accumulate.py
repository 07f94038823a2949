"""Measurements into evidence: one tick's counts booked on every tally and stream they belong to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from controller.analysis import elin, streams
from controller.domain.evidence import Evidence, SloEvidence, StreamEvidence, Tally
from controller.domain.measure import Measurement, SeriesMemory
from controller.domain.names import VersionName
from controller.domain.rollout import ModelRollout, Slo, StageKind


@dataclass(frozen=True, slots=True)
class Scope:
    """Where this tick's counts belong.

    `stage` is None before the first stage (nothing counts yet); `verified` whether its traffic was verified;
    `withdrawn` that the candidate gets no traffic on purpose (not yet, not now, no more), so that sight is judged on
    stable.
    """

    rollout: ModelRollout
    stable: VersionName
    candidate: VersionName
    stage: StageKind | None
    since: datetime | None
    withdrawn: bool
    now: datetime
    sampled_at: datetime | None = None

    @property
    def verified(self) -> bool:
        return self.since is not None


def accumulate(evidence: Evidence, measurements: Sequence[Measurement], series: SeriesMemory, scope: Scope) -> Evidence:
    """Evidence after one metric tick."""
    slos = tuple(
        _slo(known, slo, [m for m in measurements if m.slo == slo.name], scope)
        for slo in scope.rollout.slos
        if (known := evidence.of(slo.name)) is not None
    )
    bad_now = any(m.bad > 0 for m in measurements if m.version == scope.candidate)
    first = scope.now if evidence.first_bad_at is None and bad_now and scope.stage else evidence.first_bad_at
    return replace(evidence, slos=slos, series=series, measured_at=scope.sampled_at or scope.now, first_bad_at=first)


def _slo(known: SloEvidence, slo: Slo, measurements: Sequence[Measurement], scope: Scope) -> SloEvidence:
    if slo.threshold is not None:
        return _threshold(known, slo, measurements, scope)
    seen = [m.scenario for m in measurements if m.scenario is not None and m.blind is None]
    known = streams.discover(known, slo, seen)
    booked = tuple(_stream(stream, measurements, scope) for stream in known.streams)
    return _judge(replace(known, streams=booked), slo, measurements, scope)


def _threshold(known: SloEvidence, slo: Slo, measurements: Sequence[Measurement], scope: Scope) -> SloEvidence:
    assert slo.threshold is not None
    candidate, stable = (_find(measurements, version, None) for version in (scope.candidate, scope.stable))
    known = replace(known, stable_value=stable.value if stable else None)
    if candidate is None or candidate.value is None or scope.withdrawn or scope.stage is None:
        return known
    low, high, value = slo.threshold.min, slo.threshold.max, candidate.value
    outside = (high is not None and value > high) or (low is not None and value < low)
    return replace(known, value=value, strikes=known.strikes + 1 if outside else 0)


def _find(measurements: Sequence[Measurement], version: VersionName, scenario: str | None) -> Measurement | None:
    return next((m for m in measurements if m.version == version and m.scenario == scenario), None)


def _stream(stream: StreamEvidence, measurements: Sequence[Measurement], scope: Scope) -> StreamEvidence:
    """All that changes in one copy: this runs for every stream of every rollout at every tick."""
    changes: dict[str, Any] = {}
    stable = _find(measurements, scope.stable, stream.scenario)
    if stable is not None and stable.blind is None:
        changes["stable"] = _plus(stream.stable, stable)
    candidate = _find(measurements, scope.candidate, stream.scenario)
    if candidate is not None and candidate.blind is None and scope.stage is not None and candidate.ticks > 0:
        changes |= _bet(stream, candidate, scope)
        changes |= {name: _plus(getattr(stream, name), candidate) for name in _tallies(scope)}
    return replace(stream, **changes) if changes else stream


def _bet(stream: StreamEvidence, measured: Measurement, scope: Scope) -> dict[str, Any]:
    """k > n is carried to the next tick: a verdict counted before its total is late, not lost."""
    due = stream.surplus + measured.bad
    bad = min(due, measured.total)
    purse = elin.Purse(stream.log_s, stream.reserve, stream.ticks)
    purse = elin.advance(purse, bad, measured.total, stream.p0, scope.rollout.horizon, measured.ticks)
    return {
        "log_s": purse.log_s,
        "reserve": purse.reserve,
        "ticks": purse.ticks,
        "surplus": due - bad,
        "peak": max(stream.peak, elin.log_e(purse)),
    }


def _tallies(scope: Scope) -> Iterator[str]:
    """Names of the tallies that this tick's counts of the candidate belong to."""
    yield "all"
    yield "cohort" if scope.stage is StageKind.COHORT else "proof"
    if scope.stage is not StageKind.SHADOW:
        yield "live"
    if scope.verified:
        yield "stage"


def _plus(tally: Tally, measured: Measurement) -> Tally:
    return Tally(tally.bad + measured.bad, tally.total + measured.total, tally.errors + measured.errors)


def _judge(known: SloEvidence, slo: Slo, measurements: Sequence[Measurement], scope: Scope) -> SloEvidence:
    """What the judge itself did: a sliding window of its errors, and when it last judged which role."""
    pooled = [m for m in measurements if m.scenario is None and m.blind is None]
    turned = known.judge_turned or scope.now
    if scope.now - turned >= slo.judge.max_age / 2:
        known = replace(known, judge_before=known.judge_now, judge_now=Tally())
        turned = scope.now
    window = known.judge_now
    for m in pooled:
        window = _plus(window, m)
    judged = {m.version for m in pooled if m.total > 0}
    return replace(
        known,
        judge_now=window,
        judge_turned=turned,
        candidate_judged_at=scope.now if scope.candidate in judged else known.candidate_judged_at,
        stable_judged_at=scope.now if scope.stable in judged else known.stable_judged_at,
    )
