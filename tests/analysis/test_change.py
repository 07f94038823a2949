"""e-SR-LIN: the reference values, the theorem by exact enumeration, and what holds whatever the counts."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.analysis import change, elin
from controller.analysis.change import Detector
from tests.analysis.chances import binomial, together

TICKS = ((0, 10), (1, 9), (3, 12), (2, 10), (0, 0), (4, 11), (1, 8), (2, 10), (3, 10), (2, 9))
LOG_M = (
    -0.463850750,
    0.812739915,
    2.152086070,
    3.141736307,
    3.184036611,
    4.720507900,
    5.342961100,
    6.419609167,
    7.894865336,
    9.101227920,
)


def after(ticks: list[tuple[float, float]], p0: float = 0.05) -> Detector:
    detector = Detector()
    for bad, total in ticks:
        detector = change.advance(detector, bad, total, p0, 1)
    return detector


def test_path_of_the_reference() -> None:
    found = [change.log_m(after(list(TICKS[: n + 1]))) for n in range(len(TICKS))]
    assert found == pytest.approx(LOG_M, abs=1e-8)


@pytest.mark.parametrize(("p0", "n"), [(0.05, 1), (0.05, 12), (0.001, 3), (0.3, 40)])
def test_m_grows_by_one_a_tick_on_average_at_the_limit(p0: float, n: int) -> None:
    """E[M after two ticks] <= 2 and E[M after one] <= 1, exactly; so is E[E] <= 1 for the absolute bets."""
    for law in (binomial(n, p0), together(n, p0)):
        one = math.fsum(p * math.exp(change.log_m(after([(k, n)], p0))) for k, p in law.items())
        assert one <= 1 + 1e-11
        pairs = product(law.items(), law.items())
        two = math.fsum(p * q * math.exp(change.log_m(after([(k, n), (j, n)], p0))) for (k, p), (j, q) in pairs)
        assert two <= 2 + 1e-11


@pytest.mark.parametrize("horizon", [2, 360])
def test_the_absolute_bets_are_fair_by_enumeration(horizon: int) -> None:
    for p0, n, rate in product((0.001, 0.05, 0.3), (1, 4, 12), (0.5, 1.0)):
        for law in (binomial(n, p0 * rate), together(n, p0 * rate)):
            mean = math.fsum(
                p * q * math.exp(elin.log_e(_two_ticks(k, j, n, p0, horizon)))
                for (k, p), (j, q) in product(law.items(), law.items())
            )
            assert mean <= 1 + 1e-11


def _two_ticks(first: int, second: int, n: int, p0: float, horizon: int) -> elin.Purse:
    purse = elin.advance(elin.Purse(), first, n, p0, horizon, 1)
    return elin.advance(purse, second, n, p0, horizon, 1)


def test_a_gap_starts_as_many_bets_as_it_has_ticks() -> None:
    assert change.log_m(change.advance(Detector(), 0, 0, 0.05, 5)) == pytest.approx(math.log(5))


def test_no_tick_is_no_bet() -> None:
    assert change.advance(Detector(), 0, 0, 0.05, 0) == Detector()
    assert not change.rings(Detector(), 1e-9)


def test_thresholds_of_the_reference() -> None:
    assert change.threshold(43_200, 1) == 43_200
    assert change.threshold(43_200, 0.05) == pytest.approx(864_000)


def test_a_breach_after_good_days_is_found_as_soon_as_at_the_start() -> None:
    """The evidence that a run collects for good days does not dull the detector."""
    good, bad = [(0.0, 10.0)] * 3000, [(2.0, 10.0)] * 40
    late = next(n for n in range(1, 41) if change.rings(after(good + bad[:n]), 43_200))
    soon = next(n for n in range(1, 41) if change.rings(after(bad[:n]), 43_200))
    assert late <= soon + 2


def test_the_freeze_gate_closes_on_a_glitch_of_stable_and_opens_again() -> None:
    calm, glitch = [(95.0, 1900.0)] * 60, [(285.0, 1900.0)] * 10
    assert not change.is_frozen(after(calm))
    assert change.is_frozen(after(calm + glitch))
    assert not change.is_frozen(after(calm + glitch + [(60.0, 1900.0)] * 200))


@given(
    st.lists(st.tuples(*(st.sampled_from([0.0, 1.0, 7.0, 1e9]),) * 2), min_size=1, max_size=12),
    st.sampled_from([1e-6, 0.001, 0.05, 0.5]),
)
def test_never_a_number_that_is_none(ticks: list[tuple[float, float]], p0: float) -> None:
    detector = Detector()
    for bad, total in ticks:
        detector = change.advance(detector, bad, total, p0, 1)
        assert all(math.isfinite(value) for value in detector.log_m)
        assert math.isfinite(change.log_m(detector))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), min_size=1, max_size=12))
def test_more_bad_answers_never_lower_the_evidence(ticks: list[tuple[int, int]]) -> None:
    better = after([(float(bad), 10.0) for bad, _ in ticks])
    worse = after([(float(bad + more), 10.0) for bad, more in ticks])
    assert change.log_m(worse) >= change.log_m(better) - 1e-12
