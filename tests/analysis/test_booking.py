"""What a tick does to the detectors: silence and gaps are no evidence."""

from datetime import timedelta

from controller.analysis import change, streams
from controller.analysis.accumulate import Scope, accumulate
from controller.domain.evidence import Evidence
from controller.domain.measure import Measurement
from controller.domain.rollout import StageKind
from controller.testing.builders import CANDIDATE, STABLE, a_rollout, digest_of
from controller.testing.clock import START

ROLLOUT = a_rollout()
SCOPE = Scope(ROLLOUT, STABLE, CANDIDATE, StageKind.CANARY, START, False, START, weight=10)


def ticks(evidence: Evidence, count: int, each: int = 1, bad: float = 0.0, total: float = 0.0) -> Evidence:
    slo = ROLLOUT.slos[0].name
    both = tuple(Measurement(slo, version, None, bad, total, ticks=each) for version in (STABLE, CANDIDATE))
    for _ in range(count):
        evidence = accumulate(evidence, both, {}, SCOPE)
    return evidence


def fresh() -> Evidence:
    return streams.fresh(ROLLOUT, digest_of(CANDIDATE))


def test_silence_never_freezes() -> None:
    assert not change.is_frozen(change.Detector(ticks(fresh(), 3_000).slos[0].gate))


def test_a_gap_of_a_year_rings_nothing() -> None:
    year = round(timedelta(days=365) / ROLLOUT.interval)
    slo = ticks(fresh(), 1, year, 0.0, 20.0).slos[0]
    assert not change.is_frozen(change.Detector(slo.gate))
    limit = change.threshold(timedelta(days=30) / ROLLOUT.interval, ROLLOUT.max_false_rollback)
    assert not change.rings(change.Detector(slo.streams[0].change), limit)


def test_a_judge_that_turns_on_both_freezes() -> None:
    assert change.is_frozen(change.Detector(ticks(fresh(), 10, 1, 15.0, 20.0).slos[0].gate))
