"""What-if numbers are held against the engine itself: with so many fewer, or more, it really would have flipped."""

import math
from collections.abc import Sequence

import pytest

from controller.analysis import elin, proof
from controller.runtime import flips

HORIZON = 480


def log_e(bad: Sequence[float], total: float, p0: float) -> float:
    purse = elin.Purse()
    for k in bad:
        purse = elin.advance(purse, k, total, p0, HORIZON, 1)
    return elin.log_e(purse)


def spread(bad: int, ticks: int) -> list[float]:
    """Evenly over the ticks."""
    return [float((at + 1) * bad // ticks - at * bad // ticks) for at in range(ticks)]


@pytest.mark.parametrize(("bad", "ticks", "total", "p0"), [(14, 40, 10, 0.01), (60, 60, 20, 0.02), (90, 30, 40, 0.03)])
def test_fewer_bad_answers_would_have_kept_it_from_acting(bad: int, ticks: int, total: float, p0: float) -> None:
    needed = math.log(20)
    found = log_e(spread(bad, ticks), total, p0)
    assert found >= needed, "the case must be a breach"
    told = flips.fewer_bad(found, needed, bad, total * ticks, p0, ticks)
    true = next(x for x in range(1, bad + 1) if log_e(spread(bad - x, ticks), total, p0) < needed)
    assert told is not None
    assert true / 2 - 1 <= told <= 2 * true + 1


@pytest.mark.parametrize(("bad", "ticks", "total", "p0"), [(14, 40, 10, 0.01), (60, 60, 20, 0.02)])
def test_more_good_answers_would_have_kept_it_from_acting(bad: int, ticks: int, total: float, p0: float) -> None:
    needed, counts = math.log(20), spread(bad, ticks)
    found = log_e(counts, total, p0)
    told = flips.more_good(found, needed, bad, total * ticks, p0, ticks)
    true = next(x for x in range(1, 5000) if log_e([*counts, *[0.0] * x], total, p0) < needed)
    assert told is not None
    assert true * total / 2 - total <= told <= 2 * true * total + total


def test_more_bad_answers_would_have_been_a_breach() -> None:
    ticks, total, p0, needed = 60, 10.0, 0.02, math.log(20)
    found = log_e(spread(4, ticks), total, p0)
    told = flips.more_bad(found, needed, 4, total * ticks, p0, ticks)
    true = next(x for x in range(1, 200) if log_e(spread(4 + x, ticks), total, p0) >= needed)
    assert told is not None
    assert true / 2 - 1 <= told <= 2 * true + 1


def test_a_proof_is_lost_at_the_very_answer() -> None:
    found, needed = proof.log_proof(3, 600, 0.02), math.log(20)
    told = flips.more_bad_without_proof(found, needed, 3, 600, 0.02)
    assert told is not None
    assert proof.log_proof(3 + told, 600, 0.02) < needed <= proof.log_proof(3 + told - 1, 600, 0.02)
    assert flips.more_bad_without_proof(1.0, needed, 3, 600, 0.02) is None


@pytest.mark.parametrize(("bad", "total", "ticks"), [(0, 0, 0), (0, 10, 0), (5, 5, 1), (1e9, 1e9, 10), (0.5, 3, 2)])
def test_corners(bad: float, total: float, ticks: float) -> None:
    for one in (flips.fewer_bad, flips.more_good, flips.more_bad):
        told = one(5.0, 3.0, bad, total, 0.001, ticks)
        assert told is None or told >= 1


def test_bursts_are_known_for_what_they_are() -> None:
    even, late = spread(60, 60), [*[0.0] * 57, 20.0, 20.0, 20.0]
    assert flips.unevenness(log_e(even, 20, 0.02), 60, 1200, 0.02, 60) < 2.5
    assert flips.unevenness(log_e(late, 20, 0.02), 60, 1200, 0.02, 60) > 2.5
