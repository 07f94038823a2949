"""Laws of the engine: fair on average, monotone, finite whatever is counted; shares of the budget never grow."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.analysis import elin, streams
from controller.analysis.accumulate import Scope, accumulate
from controller.analysis.elin import Purse
from controller.analysis.interval import interval
from controller.analysis.judge import judge
from controller.analysis.ledger import Entry, merge
from controller.analysis.proof import answers_needed, log_proof
from controller.domain.evidence import SloEvidence
from controller.domain.measure import Measurement
from controller.domain.names import SloName
from controller.domain.rollout import StageKind
from controller.domain.slo import Margin, OnBreach, Slo
from controller.testing.builders import CANDIDATE, STABLE, a_rollout, a_slo
from controller.testing.clock import START

FEW = settings(max_examples=100, derandomize=True, database=None, deadline=None)
RATES = st.floats(1e-4, 0.5)
SLICES = (("harm", None), ("harm", "ssh"), ("tone", None))
COUNTS = st.sampled_from((0.0, 1.0, 3.0, 1e3, 1e9))


def binomial(n: int, k: int, p: float) -> float:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


@pytest.mark.parametrize("p0", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize("n", [1, 3, 6])
def test_fair_by_exact_enumeration(p0: float, share: float, n: int) -> None:
    """Mean of E over every outcome of three ticks is at most 1 when the true rate is at most the objective."""
    mean = 0.0
    for outcome in itertools.product(range(n + 1), repeat=3):
        purse = Purse()
        for bad in outcome:
            purse = elin.advance(purse, bad, n, p0, 12, 1)
        chance = math.prod(binomial(n, bad, share * p0) for bad in outcome)
        mean += chance * math.exp(elin.log_e(purse))
    assert mean <= 1 + 1e-12


@pytest.mark.parametrize("n", [2, 5, 10])
def test_fair_whatever_the_answers_of_a_tick_have_to_do_with_each_other(n: int) -> None:
    """All bad together or none: as dependent as can be, and the mean is still at most 1."""
    p0, mean = 0.1, 0.0
    for outcome in itertools.product((0, n), repeat=4):
        purse = Purse()
        for bad in outcome:
            purse = elin.advance(purse, bad, n, p0, 20, 1)
        mean += math.prod(p0 if bad else 1 - p0 for bad in outcome) * math.exp(elin.log_e(purse))
    assert mean <= 1 + 1e-12


@pytest.mark.parametrize("n", [5, 20, 60])
def test_proof_is_fair_at_the_objective(n: int) -> None:
    for p0 in (0.05, 0.2):
        mean = sum(binomial(n, k, p0) * math.exp(log_proof(k, n, p0)) for k in range(n + 1))
        assert mean <= 1 + 1e-9


@FEW
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12), RATES, st.data())
def test_more_bad_is_never_less_evidence(ticks: list[tuple[int, int]], p0: float, data: st.DataObject) -> None:
    worse_at = data.draw(st.integers(0, len(ticks) - 1))
    one = other = Purse()
    for place, (a, b) in enumerate(ticks):
        bad, total = min(a, b), max(a, b) + 1
        one = elin.advance(one, bad, total, p0, 24, 1)
        other = elin.advance(other, bad + (place == worse_at), total, p0, 24, 1)
    assert elin.log_e(other) >= elin.log_e(one) - 1e-12


@FEW
@given(st.lists(st.tuples(COUNTS, COUNTS, st.sampled_from((1, 7, 10**6))), max_size=10), RATES)
def test_finite_whatever_is_counted(ticks: list[tuple[float, float, int]], p0: float) -> None:
    purse = Purse()
    for a, b, covered in ticks:
        purse = elin.advance(purse, min(a, b), max(a, b), p0, 480, covered)
        assert math.isfinite(elin.log_e(purse))
        assert all(math.isfinite(money) for money in purse.log_s)
        assert 0 <= purse.reserve <= 1


@FEW
@given(COUNTS, COUNTS, RATES, st.sampled_from((1.0, 2.5)))
def test_what_people_see_is_finite_and_in_order(a: float, b: float, p0: float, dispersion: float) -> None:
    bad, total = min(a, b), max(a, b)
    lower, upper = interval(bad, total, 0.05, dispersion)
    assert 0 <= lower <= upper <= 1
    assert total == 0 or lower - 1e-9 <= bad / total <= upper + 1e-9
    assert math.isfinite(log_proof(bad, total, p0, dispersion))
    assert answers_needed(bad, total, p0, 0.05) >= 0


@FEW
@given(st.integers(1, 400), st.integers(0, 400))
def test_more_bad_moves_the_interval_up(total: int, bad: int) -> None:
    bad = min(bad, total - 1)
    low, high = interval(bad, total), interval(bad + 1, total)
    assert low[0] <= high[0] + 1e-12
    assert low[1] <= high[1] + 1e-12


@FEW
@given(st.integers(1, 500), st.integers(1, 500))
def test_the_stake_is_spread_over_the_horizon_and_never_more_than_there_is(horizon: int, covered: int) -> None:
    purse = elin.advance(Purse(), 0, 0, 0.05, horizon, covered)
    share = min(covered, horizon) / horizon
    assert purse.reserve == pytest.approx(0.5 * (1 - share))
    for _ in range(3):
        purse = elin.advance(purse, 0, 0, 0.05, horizon, horizon)
    assert purse.reserve == pytest.approx(0.0, abs=1e-12)
    assert elin.log_e(purse) == pytest.approx(0.0, abs=1e-9)


def test_a_verdict_counted_before_its_total_is_late_not_lost() -> None:
    """k > n is carried to the next tick: both orders end with the same counts, and nothing is clipped."""
    rollout = a_rollout(slos=(a_slo("harm", 0.05),))
    scope = Scope(rollout, STABLE, CANDIDATE, StageKind.CANARY, START, False, START)
    name = SloName("harm")
    evidence = streams.fresh(rollout, rollout.versions[1].digest)
    early = accumulate(evidence, (Measurement(name, CANDIDATE, None, bad=5, total=2),), {}, scope)
    assert early.slos[0].streams[0].surplus == 3
    late = accumulate(early, (Measurement(name, CANDIDATE, None, bad=0, total=10),), {}, scope)
    stream = late.slos[0].streams[0]
    assert (stream.surplus, stream.all.bad, stream.all.total) == (0, 5, 12)
    expected = elin.advance(Purse(), 2, 2, 0.05, rollout.horizon, 1)
    assert stream.log_s == elin.advance(expected, 3, 10, 0.05, rollout.horizon, 1).log_s


def weights(slo: SloEvidence) -> float:
    return slo.reserve_weight + sum(stream.weight for stream in slo.streams)


@FEW
@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=4), max_size=8),
    st.lists(st.sampled_from("abc"), max_size=3),
)
def test_new_scenarios_are_paid_from_the_reserve(batches: list[list[str]], required: list[str]) -> None:
    """Weights sum to what they were, and once something was counted nobody's weight changes."""
    slo = a_slo("harm", scenarios=sorted(set(required)))
    known = streams.born(slo, 0.6)
    for batch in batches:
        before = {s.scenario: s.weight for s in known.streams}
        counted = any(s.ticks for s in known.streams)
        known = streams.discover(known, slo, batch)
        assert weights(known) == pytest.approx(0.6)
        assert {s.scenario for s in known.streams} == {None, *before, *batch}
        if counted:
            assert all(s.weight == before[s.scenario] for s in known.streams if s.scenario in before)
        assert known.reserve_weight > 0
        known = replace(known, streams=tuple(replace(s, ticks=s.ticks + 1) for s in known.streams))


@FEW
@given(st.lists(st.floats(-50, 300), min_size=1, max_size=8), st.integers(1, 4))
def test_a_new_scenario_never_raises_the_ledger(log_es: list[float], new: int) -> None:
    slo = a_slo("harm", scenarios=("ssh",))
    known = streams.born(slo, 1.0)
    known = replace(known, streams=tuple(replace(s, ticks=3, log_s=(log_es[0],) * 6) for s in known.streams))

    def merged(of: SloEvidence) -> float:
        entries = [
            Entry(of.name, s.scenario, s.weight, s.budget, elin.log_e(Purse(s.log_s, s.reserve, s.ticks)))
            for s in of.streams
        ]
        return merge(entries, of.reserve_weight)

    more = streams.discover(known, slo, [f"new{n}" for n in range(new)])
    assert merged(more) <= merged(known) + 1e-9


@FEW
@given(st.integers(1, 6))
def test_every_restart_halves_the_budget(times: int) -> None:
    rollout = a_rollout(slos=(a_slo("harm", scenarios=("ssh",)), a_slo("hallucination")))
    evidence = streams.fresh(rollout, rollout.versions[1].digest)
    for _ in range(times):
        evidence = streams.restart(evidence, rollout, [SloName("harm")])
    harm, other = evidence.slos
    assert {s.budget for s in harm.streams} == {0.5**times}
    assert {s.budget for s in other.streams} == {1.0}
    assert weights(harm) + weights(other) == pytest.approx(1.0)


def edits() -> st.SearchStrategy[tuple[Slo, ...]]:
    names = st.sampled_from(
        (("harm",), ("harm", "hallucination"), ("harm", "hallucination", "tone"), ("tone",), ("hallucination", "harm"))
    )
    return names.flatmap(
        lambda chosen: st.tuples(
            *(
                st.builds(a_slo, st.just(name), st.sampled_from((0.05, 0.04)), weight=st.sampled_from((1.0, 3.0)))
                for name in chosen
            )
        )
    )


@FEW
@given(st.lists(edits(), min_size=2, max_size=6))
def test_weights_never_exceed_one_however_often_the_spec_is_edited(specs: list[tuple[Slo, ...]]) -> None:
    first = a_rollout(slos=specs[0])
    evidence = streams.fresh(first, first.versions[1].digest)
    for slos in specs[1:]:
        rollout = a_rollout(slos=slos)
        evidence = streams.adapt(evidence, rollout)
        assert sum(weights(slo) for slo in evidence.slos) <= 1 + 1e-9
        assert all(weights(slo) > 0 for slo in evidence.slos), "an SLO without weight never acts"


def test_a_ledger_is_breached_at_its_limit_and_no_bound_hides_it() -> None:
    """What acts was found with bounds or without: it is always what the ledgers say when they are read in full."""
    harm = a_slo("harm", 0.05, ("ssh",), versus_stable=Margin(points=0.02))
    rollout = a_rollout(slos=(harm, a_slo("tone", 0.02, on_breach=OnBreach.HOLD)))
    told = set()
    for rate in (0, 1, 2, 3):
        evidence = streams.fresh(rollout, rollout.versions[1].digest)
        for tick in range(60):
            now = START + tick * rollout.interval
            scope = Scope(rollout, STABLE, CANDIDATE, StageKind.CANARY, START, False, now)
            counts = [(SloName(name), CANDIDATE, s, float(rate * (tick % 2)), 10.0) for name, s in SLICES]
            beside = [(SloName(name), STABLE, s, 0.0, 10.0) for name, s in SLICES]
            measured = tuple(Measurement(*one) for one in (*counts, *beside))
            evidence, found = judge(evidence, measured, {}, scope)
            assert all(one.breached == (one.log_e >= one.log_limit) for one in found.ledgers)
            assert found.breaches == tuple(one for one in found.ledgers if one.breached)
            told.add(bool(found.breaches))
    assert told == {False, True}
