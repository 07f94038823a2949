"""A judge that errs moves the objective: the algebra, the bounds, and which side is safe."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.analysis import judge_error
from controller.analysis.judge_error import Calibration, known
from controller.analysis.relative import Margin
from tests.analysis.chances import binomial

LABELS = Calibration(found=92, bad=100, flagged=4, good=2000)


def test_the_objective_as_the_reference_states_it() -> None:
    """Specificity 99 % turns three times the harm of 0.1 % into a rate that is seen 1.16 to 1.18 times as high."""
    limit = judge_error.for_rollback(0.001, known(0.9, 0.99))
    assert limit == pytest.approx(0.001 * 0.9 + 0.999 * 0.01)
    assert judge_error.seen(0.003, 0.9, 0.99) / limit == pytest.approx(1.16, abs=0.02)


def test_a_perfect_judge_moves_nothing() -> None:
    perfect = known(1.0, 1.0)
    assert judge_error.for_rollback(0.05, perfect) == judge_error.for_promotion(0.05, perfect) == 0.05
    assert judge_error.margin(Margin(1.25, 0.01), perfect) == Margin(1.25, 0.01)


@given(
    st.floats(0.0, 0.4),
    st.sampled_from([0.5, 1.0, 1.25, 2.0]),
    st.floats(-0.02, 0.1),
    st.floats(0.6, 1.0),
    st.floats(0.6, 1.0),
)
def test_the_margin_is_the_same_statement_in_the_judges_counts(
    stable: float, ratio: float, points: float, sensitivity: float, specificity: float
) -> None:
    truth = ratio * stable + points
    moved = judge_error.margin(Margin(ratio, points), known(sensitivity, specificity))
    seen = moved.ratio * judge_error.seen(stable, sensitivity, specificity) + moved.points
    assert seen == pytest.approx(judge_error.seen(truth, sensitivity, specificity), abs=1e-9)


def test_bounds_lie_around_the_point_and_the_safe_side_is_outside() -> None:
    error = judge_error.calibrated(LABELS, 0.01)
    exact = known(0.92, 1 - 4 / 2000)
    assert error.sensitivity[0] < 0.92 < error.sensitivity[1]
    assert error.specificity[0] < 0.998 < error.specificity[1]
    assert judge_error.for_promotion(0.01, error) < judge_error.for_promotion(0.01, exact)
    assert judge_error.for_rollback(0.01, error) > judge_error.for_rollback(0.01, exact)
    for margin in (Margin(points=0.01), Margin(ratio=1.25), Margin(points=-0.001), Margin(ratio=0.8)):
        assert judge_error.margin(margin, error).points > judge_error.margin(margin, exact).points


@pytest.mark.parametrize(("hits", "trials"), [(0, 30), (1, 30), (7, 60), (29, 30), (30, 30), (3, 200)])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_bounds_are_clopper_and_pearsons(hits: int, trials: int, alpha: float) -> None:
    low, high = judge_error.bounds(hits, trials, alpha)
    if hits < trials:
        assert sum(p for k, p in binomial(trials, high).items() if k <= hits) == pytest.approx(alpha, rel=1e-6)
    if hits > 0:
        assert sum(p for k, p in binomial(trials, low).items() if k >= hits) == pytest.approx(alpha, rel=1e-6)
    assert 0 <= low <= hits / trials <= high <= 1


def test_bounds_cover_by_enumeration() -> None:
    for rate in (0.01, 0.2, 0.5, 0.97):
        missed = [0.0, 0.0]
        for k, p in binomial(40, rate).items():
            low, high = judge_error.bounds(k, 40, 0.05)
            missed[0] += p * (low > rate)
            missed[1] += p * (high < rate)
        assert max(missed) <= 0.05 + 1e-12


def test_bounds_of_huge_and_of_no_labels() -> None:
    assert judge_error.bounds(0, 0, 0.05) == (0.0, 1.0)
    low, high = judge_error.bounds(10**4, 10**7, 0.01)
    assert low < 0.001 < high
    assert math.isclose(high - low, 2 * 2.326 * math.sqrt(0.001 / 1e7), rel_tol=0.02)


def test_a_judge_like_a_coin_is_refused() -> None:
    with pytest.raises(ValueError, match="the judge tells nothing"):
        known(0.5, 0.5)
    with pytest.raises(ValueError, match="label more answers"):
        judge_error.calibrated(Calibration(2, 4, 1, 3), 0.01)
