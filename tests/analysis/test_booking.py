"""What a tick does to the detectors: silence and gaps are no evidence."""

from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.analysis import change, dispersion, elin, streams
from controller.analysis.accumulate import Scope, accumulate
from controller.analysis.booking import scattered, unpacked
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


COUNTS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from([1, 1, 1, 3, 40])), min_size=1, max_size=40
)


@pytest.mark.parametrize("semantics", ["local", "average"])
@given(COUNTS)
def test_a_stream_is_booked_as_its_engines_say(
    semantics: Literal["local", "average"], counts: list[tuple[int, int, int]]
) -> None:
    """To the last bit: the purse by `elin`, the detector by `change`, what is too much carried on."""
    start = 1.0 if semantics == "average" else elin.START
    scope = replace(SCOPE, rollout=replace(ROLLOUT, semantics=semantics))
    name, evidence, purse, detector, due = ROLLOUT.slos[0].name, fresh(), elin.Purse(), change.Detector(), 0.0
    peak = 0.0
    for bad, total, covered in counts:
        measured = (Measurement(name, CANDIDATE, None, float(bad), float(total), ticks=covered),)
        evidence = accumulate(evidence, measured, {}, scope)
        mine = evidence.slos[0].streams[0]
        counted = min(due + bad, float(total))
        due = due + bad - counted
        purse = elin.advance(purse, counted, float(total), mine.p0, ROLLOUT.horizon, covered, start)
        detector = change.advance(detector, counted, float(total), mine.p0, min(covered, 10))
        peak = max(peak, elin.log_e(purse))
        assert (mine.log_s, mine.reserve, mine.ticks) == (purse.log_s, purse.reserve, purse.ticks)
        assert (mine.change, mine.surplus, mine.peak) == (detector.log_m, due, peak)
    whole = mine.all
    assert (whole.bad, whole.total) == (sum(one[0] for one in counts), sum(one[1] for one in counts))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40), st.integers(1, 9))
def test_scatter_as_stored_is_the_dispersion(counts: list[tuple[int, int]], window: int) -> None:
    stored: tuple[float, ...] = (0.0,) * 8
    state = dispersion.Dispersion()
    for bad, total in counts:
        stored = scattered(stored, float(bad), float(total), window)
        state = dispersion.advance(state, float(bad), float(total), window)
        assert unpacked(stored) == state
