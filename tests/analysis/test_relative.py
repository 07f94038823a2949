"""E-REL-LIN: the reference values, fairness by exact enumeration, and what holds whatever the counts."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.analysis import elin, relative
from controller.analysis.relative import Block, Margin, Relative
from controller.domain.evidence import Tally
from tests.analysis.chances import binomial, paired, together

CANDIDATE = ((0, 10), (1, 9), (3, 12), (2, 10), (0, 0), (4, 11), (1, 8), (2, 10), (3, 10), (2, 9))
STABLE = ((8, 190), (7, 185), (9, 192), (6, 188), (0, 0), (8, 190), (7, 191), (9, 187), (8, 190), (7, 189))
LOG_E = (
    -0.212272129,
    -0.098704174,
    0.330125471,
    0.943750492,
    0.943750492,
    2.157591218,
    2.721252250,
    3.595762292,
    4.952985843,
    6.131758284,
)
POINTS = Margin(points=0.01)
MARGINS = (POINTS, Margin(ratio=1.25), Margin(ratio=1.25, points=-0.002), Margin())
counts = st.sampled_from([0.0, 1.0, 3.0, 250.0, 1e9])


@pytest.mark.parametrize(
    ("bet", "candidate", "stable", "margin", "guess", "m", "expected"),
    [
        (1.4, (2, 10), (9, 190), POINTS, 0.04, 1, 0.7349851635),
        (1.4, (2, 10), (9, 190), POINTS, 0.04, 2, 0.7257382294),
        (3.0, (2, 10), (0, 190), Margin(ratio=1.25), 0.0005, 1, 1.9457386715),
    ],
)
def test_factors_of_the_reference(
    bet: float,
    candidate: tuple[int, int],
    stable: tuple[int, int],
    margin: Margin,
    guess: float,
    m: int,
    expected: float,
) -> None:
    found = relative.log_factor(bet, Tally(*candidate), Tally(*stable), margin, guess, m)
    assert found == pytest.approx(expected, abs=1e-8)


def test_path_of_the_reference() -> None:
    state, found = relative.fresh(0.04), []
    for candidate, stable in zip(CANDIDATE, STABLE, strict=True):
        state = relative.advance(state, Tally(*candidate), Tally(*stable), POINTS, 360, 1, 5.0)
        found.append(relative.log_e(state))
    assert found == pytest.approx(LOG_E, abs=1e-8)


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("m", [1, 2])
def test_every_bet_is_fair_at_the_boundary_whatever_the_guess(margin: Margin, m: int) -> None:
    """Exact means over all outcomes: independent answers, and for m = 2 stable's answers in equal pairs too."""
    for rate, wrong, bet in product((0.005, 0.02, 0.05, 0.3), (1 / 15, 0.3, 1.0, 3.0, 15.0), elin.BETS):
        if margin.ratio * rate + margin.points < 0:
            continue
        for n_c, n_b in ((1, 4), (3, 20), (8, 12), (2, 60)):
            guess = min(1.0, rate * wrong)
            laws = [binomial(n_b, rate)] + ([paired(n_b, rate)] if m == 2 else [])
            for stable_law in laws:
                mean = _mean(bet, n_c, n_b, margin, guess, m, binomial(n_c, margin.limit(rate)), stable_law)
                assert mean <= 1 + 1e-11, (rate, wrong, bet, n_c, n_b)


def test_dependent_answers_of_the_candidate_are_fair_too() -> None:
    for bet, n in product(elin.BETS, (2, 10)):
        law = together(n, POINTS.limit(0.05))
        assert _mean(bet, n, 40, POINTS, 0.02, 1, law, binomial(40, 0.05)) <= 1 + 1e-11


def _mean(
    bet: float,
    n_c: int,
    n_b: int,
    margin: Margin,
    guess: float,
    m: int,
    candidate: dict[int, float],
    stable: dict[int, float],
) -> float:
    return math.fsum(
        p * q * math.exp(relative.log_factor(bet, Tally(k, n_c), Tally(j, n_b), margin, guess, m))
        for k, p in candidate.items()
        for j, q in stable.items()
    )


def test_a_block_waits_for_the_arm_without_answers() -> None:
    state = relative.fresh(0.05)
    waiting = relative.advance(state, Tally(1, 4), Tally(), POINTS, 100, 1, 5.0)
    assert waiting.purse == state.purse
    assert waiting.block == Block(Tally(1, 4), Tally(), 1, 5.0)
    closed = relative.advance(waiting, Tally(1, 6), Tally(2, 50), POINTS, 100, 1, 5.0)
    at_once = relative.advance(state, Tally(2, 10), Tally(2, 50), POINTS, 100, 2, 5.0)
    assert closed == at_once


def test_a_change_of_weight_closes_the_block_without_evidence() -> None:
    state = relative.advance(relative.fresh(0.05), Tally(3, 3), Tally(), POINTS, 100, 1, 5.0)
    moved = relative.advance(state, Tally(), Tally(1, 20), POINTS, 100, 1, 25.0)
    assert moved.block == Block(Tally(), Tally(1, 20), 1, 25.0)
    assert relative.log_e(moved) == pytest.approx(0.0, abs=1e-12)
    assert moved.purse.ticks == 1


def test_more_bad_than_answers_is_carried_also_across_a_change_of_weight() -> None:
    state = relative.advance(relative.fresh(0.05), Tally(5, 3), Tally(1, 20), POINTS, 100, 1, 5.0)
    assert state.block == Block(Tally(2, 0), Tally())
    later = relative.advance(state, Tally(0, 4), Tally(1, 20), POINTS, 100, 1, 25.0)
    told = relative.advance(_without_block(state), Tally(2, 4), Tally(1, 20), POINTS, 100, 1, 25.0)
    assert relative.log_e(later) == relative.log_e(told)


def _without_block(state: Relative) -> Relative:
    return Relative(state.prior, state.stable, state.purse)


def test_the_guess_uses_past_blocks_only_and_forgets() -> None:
    state = relative.fresh(0.04)
    assert state.guess == pytest.approx(0.04)
    state = relative.advance(state, Tally(0, 10), Tally(19, 190), POINTS, 100, 1)
    assert state.stable.bad == pytest.approx(0.97 * 4 + 19 + 0.03 * 4)
    assert state.stable.total == pytest.approx(0.97 * 100 + 190 + 0.03 * 100)
    for _ in range(400):
        state = relative.advance(state, Tally(0, 10), Tally(2, 200), POINTS, 500, 1)
    assert state.guess == pytest.approx(2.12 / 203, rel=1e-3)


def test_too_steep_a_slope_is_no_evidence() -> None:
    assert relative.log_factor(7.0, Tally(50, 1000), Tally(0, 5), POINTS, 0.0) == 0.0


def test_clusters_of_two_above_a_fifth_of_the_traffic() -> None:
    assert [relative.cluster(share) for share in (0.01, 0.2, 0.21, 0.5)] == [1, 1, 2, 2]


@given(st.lists(st.tuples(counts, counts, counts, counts), min_size=1, max_size=8), st.sampled_from(MARGINS))
def test_never_a_number_that_is_none(ticks: list[tuple[float, float, float, float]], margin: Margin) -> None:
    state = relative.fresh(0.001)
    for bad_c, n_c, bad_b, n_b in ticks:
        state = relative.advance(state, Tally(bad_c, n_c), Tally(bad_b, n_b), margin, 100, 1, 5.0, 2)
        assert math.isfinite(relative.log_e(state))
        assert all(math.isfinite(value) for value in (*state.purse.log_s, state.guess))
        assert 0.0 <= state.purse.reserve <= 1.0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1), st.integers(0, 20)), min_size=1, max_size=10))
def test_more_bad_answers_never_lower_the_evidence(ticks: list[tuple[int, int, int]]) -> None:
    better, worse = relative.fresh(0.05), relative.fresh(0.05)
    for bad, more, stable_bad in ticks:
        better = relative.advance(better, Tally(bad, 10), Tally(stable_bad, 190), POINTS, 100, 1)
        worse = relative.advance(worse, Tally(bad + more, 10), Tally(stable_bad, 190), POINTS, 100, 1)
        assert relative.log_e(worse) >= relative.log_e(better) - 1e-12


def test_no_answer_at_all_is_no_evidence() -> None:
    state = relative.fresh(0.05)
    for _ in range(10):
        state = relative.advance(state, Tally(), Tally(), POINTS, 100, 1)
    assert relative.log_e(state) == 0.0
