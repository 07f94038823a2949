"""What the engine will be able to see: the reference's table, between its lines, and what a plan must never say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.analysis import elin, planning
from controller.analysis.planning import Quantile


def test_the_table_of_the_reference() -> None:
    assert planning.answers_to_breach(0.05, 2.0) == pytest.approx(10.2 / 0.05)
    assert planning.answers_to_breach(0.001, 3.0) == pytest.approx(3.7 / 0.001)
    assert planning.answers_to_breach(0.0005, 5.0, 0.005, Quantile.NINE_OF_TEN) == pytest.approx(4.0 / 0.0005)
    assert planning.answers_to_proof(0.005, 0.5, 0.01) == pytest.approx(32.5 / 0.005)
    assert planning.answers_to_proof(0.001, 0.0, 0.01) == pytest.approx(6.5 / 0.001)


def test_proof_needs_its_minimum_and_grows_with_dispersion() -> None:
    assert planning.answers_to_proof(0.3, 0.0) == 100
    clean, clumped = (planning.answers_to_proof(0.05, 0.3, dispersion=d) for d in (1.0, 2.0))
    assert clean is not None
    assert clumped == pytest.approx(2 * clean)


def test_too_near_to_tell_is_said() -> None:
    assert planning.answers_to_breach(0.05, 1.1) is None
    assert planning.answers_to_proof(0.05, 0.9) is None
    assert planning.outlook(0.05, 1.0, 10) is None
    assert planning.outlook(0.05, 3.0, 0) is None


@given(st.floats(1.3, 20), st.floats(1.0, 1.5), st.sampled_from([0.05, 0.02, 0.01, 0.005]), st.floats(1e-4, 0.2))
def test_a_worse_candidate_never_needs_more(ratio: float, worse: float, alpha: float, p0: float) -> None:
    """Up to the change of table lines, which differ by at most a fifth."""
    first, second = (planning.answers_to_breach(p0, r, alpha) for r in (ratio, ratio * worse))
    assert first is not None
    assert second is not None
    assert second <= first * 1.2


def test_outlook_of_coarse_ticks_is_what_was_measured() -> None:
    """Median minutes of the reference at an objective of 5 %: 100 answers a minute in ticks of 60 s and of 15 s."""
    measured = {2.0: (7, 2.5), 3.0: (4, 1.25), 5.0: (3, 1.0)}
    for ratio, (minute, quarter) in measured.items():
        coarse, fine = planning.outlook(0.05, ratio, 100), planning.outlook(0.05, ratio, 25)
        assert coarse is not None
        assert fine is not None
        assert coarse.ticks == pytest.approx(minute, abs=1)
        assert fine.ticks / 4 == pytest.approx(quarter, abs=0.5)


def test_bad_answers_served_count_those_that_nobody_judged() -> None:
    every, some = (planning.outlook(0.001, 3.0, 100, sampled=share) for share in (1.0, 0.1))
    assert every is not None
    assert some is not None
    assert every.bad_served == pytest.approx(3.7 * 3)
    assert some.bad_served == pytest.approx(37 * 3)


def test_what_if_falls_as_bad_answers_come_and_is_never_a_promise_for_a_good_rate() -> None:
    needed = [planning.breach_needed(bad, 1000, 0.05, 0.05, 2.0) for bad in (30, 60, 90, 120)]
    assert needed == sorted(needed, reverse=True)
    assert needed[-1] == 0.0
    assert planning.breach_needed(50, 1000, 0.05, 0.05, 1.0) == math.inf


def test_what_if_is_the_formula_of_the_reference() -> None:
    p0, assumed, alpha, bad, total = 0.05, 2.0, 0.05, 3, 40
    needed = []
    for r in (1 + c for c in elin.BETS):
        have = bad * math.log(r) + (total - bad) * (math.log1p(-r * p0) - math.log1p(-p0))
        gain = assumed * p0 * math.log(r) + (1 - assumed * p0) * (math.log1p(-r * p0) - math.log1p(-p0))
        needed += [max(0.0, math.log(6 / alpha) - have) / gain] if gain > 0 else []
    assert planning.breach_needed(bad, total, p0, alpha, assumed) == pytest.approx(0.72 * min(needed))


def test_e_bh_of_the_reference() -> None:
    assert planning.e_bh([120, 3, 60, 0.5, 35], 0.05) == {0, 2, 4}
    assert planning.e_bh([100, 3, 45, 0.5, 30], 0.05) == {0}
    assert planning.e_bh([], 0.05) == frozenset()


def test_p_from_the_peak() -> None:
    assert planning.always_valid_p(math.log(20)) == pytest.approx(0.05)
    assert planning.always_valid_p(-3.0) == 1.0
    assert planning.always_valid_p(-1e300) == 1.0
    assert planning.always_valid_p(5000.0) == 0.0
