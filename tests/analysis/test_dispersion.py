"""Pearson's dispersion online: the batch formula, at least 1, and old traffic forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.analysis.dispersion import Dispersion, advance, dispersion

FOREVER = 10**9
ticks = st.lists(st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), max_size=40)


def after(counts: list[tuple[int, int]], window: int = FOREVER) -> Dispersion:
    state = Dispersion()
    for bad, total in counts:
        state = advance(state, bad, total, window)
    return state


def batch(counts: list[tuple[int, int]]) -> float:
    seen = [(bad, total) for bad, total in counts if total > 0]
    bad, total = sum(k for k, _ in seen), sum(n for _, n in seen)
    if not 0 < bad < total:
        return 1.0
    p = bad / total
    return max(1.0, sum((k - n * p) ** 2 / (n * p * (1 - p)) for k, n in seen) / len(seen))


@given(ticks)
def test_equals_the_batch_formula(counts: list[tuple[int, int]]) -> None:
    assert dispersion(after(counts)) == pytest.approx(batch(counts), rel=1e-8)


def test_bursts_scatter_more() -> None:
    assert dispersion(after([(0, 100), (20, 100)] * 50)) == pytest.approx(100 / 9)


def test_nothing_known_is_1() -> None:
    assert dispersion(Dispersion()) == 1.0
    assert dispersion(after([(0, 10)] * 5)) == 1.0
    assert dispersion(after([(10, 10)] * 5)) == 1.0


def test_old_traffic_is_forgotten() -> None:
    state = after([(0, 100), (20, 100)] * 50 + [(10, 100)] * 100, window=100)
    assert dispersion(state) == 1.0


def test_huge_counts_keep_their_precision() -> None:
    noise = [(5 * 10**7 + step, 10**9) for step in (-7000, 7000, -6000, 6000)]
    assert dispersion(after(noise)) == pytest.approx(batch(noise), rel=1e-3)
