"""Late verdicts: a proof waits for the judge, takes what is missing for bad, and a rollback waits for nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.analysis import streams
from controller.analysis.accumulate import Scope
from controller.analysis.judge import judge
from controller.analysis.lateness import ENOUGH, PARTS
from controller.domain.evidence import Evidence
from controller.domain.measure import FamilyReading, Measurement, Snapshot
from controller.domain.rollout import ModelRollout, StageKind
from controller.domain.slo import JudgePolicy, RatioIndicator, Selector
from controller.domain.verdict import StreamVerdict
from controller.testing.builders import CANDIDATE, STABLE, a_rollout, a_slo
from controller.testing.clock import START
from tests.analysis.counters import HARM, JUDGED, an_slo, series, snapshot
from tests.analysis.test_counting import Book, judged

TICK = timedelta(seconds=15)
LATENCY = timedelta(minutes=1)


def an_awaiting(latency: timedelta = LATENCY) -> ModelRollout:
    indicator = RatioIndicator(Selector("bad"), Selector("all"), eligible=Selector("sampled"))
    policy = JudgePolicy(0.05, timedelta(minutes=10), latency=latency)
    return a_rollout(slos=(a_slo(indicator=indicator, judge=policy),))


class Told:
    """Ticks of an SLO of v12, in a canary stage that was verified at the start."""

    def __init__(self, rollout: ModelRollout | None = None) -> None:
        self.rollout = rollout or an_awaiting()
        target = self.rollout.find(CANDIDATE)
        assert target is not None
        self.evidence: Evidence = streams.fresh(self.rollout, target.digest)
        self.now = START
        self.since = START
        self.stage = StageKind.CANARY

    def tick(self, total: float, bad: float = 0.0, eligible: float | None = None, errors: float = 0.0) -> StreamVerdict:
        """`eligible` answers were produced, `total` verdicts arrived."""
        self.now += TICK
        name = self.rollout.slos[0].name
        arm = Measurement(name, CANDIDATE, None, bad, total, errors, eligible=eligible)
        beside = Measurement(name, STABLE, None, 0, 100)
        scope = Scope(self.rollout, STABLE, CANDIDATE, self.stage, self.since, False, self.now, self.now, 10)
        self.evidence, found = judge(self.evidence, (arm, beside), {}, scope)
        return found.streams[0]


def test_a_judge_that_keeps_up_changes_nothing() -> None:
    plain, told = Told(a_rollout(slos=(a_slo(),))), Told()
    for _ in range(30):
        one, other = plain.tick(50), told.tick(50, eligible=50)
    assert one.proven
    assert other.coverage is not None
    assert other.coverage.enough
    assert replace(other, coverage=None, between=one.between, stage_total=one.stage_total) == replace(
        one, slo=other.slo
    )
    assert other.stage_total == 50 * 26


def test_nothing_is_proven_while_the_judge_is_behind() -> None:
    told = Told()
    for _ in range(90):
        found = told.tick(43, eligible=50)
    assert found.coverage is not None
    assert found.coverage.judged < ENOUGH * found.coverage.eligible
    assert not found.proven
    assert found.verdict == "inconclusive"
    for _ in range(90):
        found = told.tick(58, eligible=50)
    assert found.proven


def test_before_an_answer_is_old_enough_nothing_is_proven() -> None:
    told = Told(an_awaiting(latency=timedelta(minutes=20)))
    for _ in range(60):
        found = told.tick(100, eligible=100)
    assert found.coverage is not None
    assert (found.coverage.eligible, found.proven, found.stage_total) == (0, False, 0)


def test_what_is_missing_counts_as_bad() -> None:
    told, plain = Told(), Told()
    for _ in range(40):
        told.tick(50, eligible=50)
        plain.tick(50, eligible=50)
    missing = [told.tick(0, eligible=50) for _ in range(12)][-1]
    judged = [plain.tick(50, eligible=50) for _ in range(12)][-1]
    assert missing.coverage is not None
    assert missing.coverage.missing > 0
    assert missing.log_proof < judged.log_proof
    assert not missing.proven


def test_judge_errors_are_no_delay() -> None:
    told = Told()
    for _ in range(80):
        found = told.tick(49, errors=1, eligible=50)
    assert found.coverage is not None
    assert (found.coverage.missing, found.proven) == (0, True)


def test_eligible_answers_that_cannot_be_counted_prove_nothing() -> None:
    told = Told()
    for _ in range(30):
        found = told.tick(50, eligible=50)
    assert found.proven
    found = told.tick(50, eligible=None)
    assert found.coverage is not None
    assert (found.coverage.known, found.proven) == (False, False)
    assert told.tick(50, eligible=100).proven


def test_a_new_stage_counts_its_own_answers() -> None:
    told = Told()
    for _ in range(20):
        told.tick(50, eligible=50)
    told.since, told.evidence = told.now, streams.new_stage(told.evidence)
    totals = [told.tick(50, eligible=50).stage_total for _ in range(8)]
    assert totals[:4] == [0, 0, 0, 0]  # verdicts of these ticks may be about answers of the stage before
    assert totals[4:] == [50, 100, 150, 200]


def test_a_clock_that_went_back_is_no_coverage() -> None:
    told = Told()
    for _ in range(30):
        told.tick(50, eligible=50)
    told.now -= timedelta(hours=1)
    found = told.tick(50, eligible=50)
    assert found.coverage is not None
    assert (found.coverage.eligible, found.proven) == (0, False)


def test_a_slow_judge_needs_no_more_memory() -> None:
    told = Told(an_awaiting(latency=timedelta(hours=24)))
    for _ in range(2000):
        told.tick(1, eligible=1)
    assert len(told.evidence.slos[0].eligible.marks) <= PARTS + 2


def test_a_cohort_stands_apart() -> None:
    told = Told()
    told.stage = StageKind.COHORT
    told.tick(50, eligible=50)
    assert told.evidence.slos[0].eligible.total == 0


counts = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 10)), min_size=1, max_size=40)


@given(counts)
def test_waiting_never_helps_the_candidate_and_never_delays_a_rollback(ticks: list[tuple[int, int, int]]) -> None:
    """Whatever the judge has left undone: no more proof, exactly the same evidence of a breach."""
    plain, told = Told(a_rollout(slos=(a_slo(),))), Told()
    for eligible, total, bad in ticks:
        one = plain.tick(total, min(bad, total))
        other = told.tick(total, min(bad, total), eligible=eligible)
        assert other.log_e == one.log_e
        assert other.guilty == one.guilty
        assert other.log_proof <= one.log_proof + 1e-12
        assert one.proven or not other.proven
        assert other.stage_total <= one.stage_total
        covered = other.coverage
        assert covered is not None
        if other.proven:
            assert covered.judged >= ENOUGH * covered.eligible > 0


@given(counts, st.integers(1, 50))
def test_more_that_waits_never_proves_more(ticks: list[tuple[int, int, int]], more: int) -> None:
    few, many = Told(), Told()
    for eligible, total, bad in ticks:
        one = few.tick(total, min(bad, total), eligible=eligible)
        other = many.tick(total, min(bad, total), eligible=eligible + more)
        assert other.log_proof <= one.log_proof + 1e-12
        assert one.coverage is not None
        assert other.coverage is not None
        assert other.coverage.missing >= one.coverage.missing


AWAITING = RatioIndicator(HARM, JUDGED, eligible=Selector("sampled"))


def sampled(shot: Snapshot, *values: tuple[float, float]) -> Snapshot:
    return replace(shot, families={**shot.families, "sampled": FamilyReading((series(values, version="v12"),))})


def test_eligible_answers_are_counted_exactly() -> None:
    book = Book(an_slo(AWAITING))
    book.pooled(sampled(snapshot(1, *judged([(1, 10)], [(1, 0)])), (1, 30)))
    found = book.pooled(sampled(snapshot(2, *judged([(1, 10), (2, 14)], [(1, 0), (2, 1)])), (1, 30), (2, 42)))
    assert (found.total, found.eligible) == (5, 12)
    found = book.pooled(sampled(snapshot(3, *judged([(2, 14), (3, 20)], [(2, 1), (3, 1)])), (2, 42), (3, 5)))
    assert (found.total, found.eligible) == (6, 5)


def test_without_eligible_series_the_rest_is_seen() -> None:
    """Nothing of it blinds the guard."""
    book = Book(an_slo(AWAITING))
    book.pooled(snapshot(1, *judged([(1, 10)], [(1, 0)])))
    found = book.pooled(snapshot(2, *judged([(1, 10), (2, 14)], [(1, 0), (2, 1)])))
    assert (found.blind, found.total, found.bad, found.eligible) == (None, 5, 1, None)


@pytest.mark.parametrize("late", [2, 5])
def test_eligible_may_be_counted_later_in_a_run(late: int) -> None:
    """From its first sight on: what was eligible before is history."""
    book = Book(an_slo())
    for step in range(1, late + 1):
        book.pooled(snapshot(step, *judged([(step, 10 * step)], [(step, 0)])))
    book.slo = an_slo(AWAITING)
    first = book.pooled(sampled(snapshot(late + 1, *judged([(late + 1, 90)], [(late + 1, 0)])), (late + 1, 500)))
    assert (first.total, first.eligible) == (90 - 10 * late, None)
    then = book.pooled(sampled(snapshot(late + 2, *judged([(late + 2, 95)], [(late + 2, 0)])), (late + 2, 506)))
    assert (then.total, then.eligible) == (5, 6)
