"""The acceptance benchmark in small: few paths, fixed seeds, bands wide enough for their number."""

import math
from random import Random

import pytest

from controller.analysis import elin
from controller.analysis.elin import Purse
from controller.analysis.proof import MIN_SAMPLES, log_proof

LIMIT = math.log(20)


def poisson(rng: Random, mean: float) -> int:
    """Knuth's method below 30, the normal approximation above."""
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count, product = count + 1, product * rng.random()
    return count


def breached_at(rng: Random, p0: float, rate: float, per_tick: float, ticks: int) -> int | None:
    """The tick of the breach, or None. Bad and good answers are independent Poisson counts."""
    purse = Purse()
    for tick in range(1, ticks + 1):
        bad, good = poisson(rng, per_tick * rate), poisson(rng, per_tick * (1 - rate))
        purse = elin.advance(purse, bad, bad + good, p0, ticks, 1)
        if elin.log_e(purse) >= LIMIT:
            return tick
    return None


@pytest.mark.parametrize(
    ("p0", "per_tick", "expected"), [(0.05, 1, 0.017), (0.05, 10, 0.026), (0.05, 100, 0.034), (0.001, 100, 0.020)]
)
def test_a_candidate_at_its_objective_is_rarely_rolled_back(p0: float, per_tick: float, expected: float) -> None:
    """Over a whole run of 360 ticks at exactly the objective: within the benchmark's value by 3 standard errors."""
    paths, rng = 300, Random(20)
    false = sum(breached_at(rng, p0, p0, per_tick, 360) is not None for _ in range(paths)) / paths
    assert false <= min(0.05, expected + 0.012) + 3 * math.sqrt(expected * (1 - expected) / paths)


def test_a_candidate_below_its_objective_hardly_ever() -> None:
    rng = Random(21)
    assert sum(breached_at(rng, 0.05, 0.045, 10, 360) is not None for _ in range(300)) <= 6


@pytest.mark.parametrize(("factor", "expected"), [(2, 21), (3, 8), (5, 4)])
def test_a_breach_is_found_as_fast_as_promised(factor: int, expected: int) -> None:
    """Median delay in ticks at 10 answers a tick, 5 %."""
    rng = Random(22)
    delays = sorted(breached_at(rng, 0.05, 0.05 * factor, 10, 360) or 361 for _ in range(201))
    assert abs(delays[100] - expected) <= max(1, 0.25 * expected)


def test_a_candidate_at_its_objective_is_rarely_proven() -> None:
    rng, proven = Random(23), 0
    for _ in range(300):
        bad = total = 0
        for _ in range(360):
            tick = poisson(rng, 0.5)
            bad, total = bad + tick, total + tick + poisson(rng, 9.5)
            if total >= MIN_SAMPLES and log_proof(bad, total, 0.05) >= LIMIT:
                proven += 1
                break
    assert proven <= 0.05 * 300 + 3 * math.sqrt(0.05 * 0.95 * 300)
