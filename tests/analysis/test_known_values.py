"""Every deterministic value of the acceptance benchmark that belongs to the absolute engine, to 1e-8."""

import math

import pytest

from controller.analysis import elin, ledger
from controller.analysis.elin import Purse
from controller.analysis.interval import interval
from controller.analysis.ledger import Entry
from controller.analysis.proof import log_proof
from controller.domain.names import SloName

TICKS = ((0, 10), (1, 9), (3, 12), (2, 10), (0, 0), (4, 11), (1, 8), (2, 10), (3, 10), (2, 9))
LOG_E = (
    -0.205901520,
    -0.092876286,
    0.389156304,
    0.980613577,
    0.980613577,
    2.251032602,
    2.803046807,
    3.812060014,
    5.235535925,
    6.408108407,
)


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-8, rel=0)


@pytest.mark.parametrize(
    ("bet", "bad", "total", "p0", "expected"),
    [(1.4, 3, 10, 0.05, 1.1180303745), (7.0, 0, 200, 0.001, -0.8754687374)],
)
def test_one_factor(bet: float, bad: float, total: float, p0: float, expected: float) -> None:
    assert elin.log_factor(bet, bad, total, p0) == near(expected)


def test_ten_ticks_of_e_lin_r() -> None:
    purse = Purse()
    for (bad, total), expected in zip(TICKS, LOG_E, strict=True):
        purse = elin.advance(purse, bad, total, 0.05, 360, 1)
        assert elin.log_e(purse) == near(expected)


@pytest.mark.parametrize(
    ("bad", "total", "p0", "dispersion", "expected"),
    [
        (20, 1000, 0.05, 1.0, 10.5082336547),
        (20, 1000, 0.05, 2.0, 4.9361037262),
        (0, 4400, 0.001, 1.0, 3.0450045012),
        (1, 4400, 0.001, 1.0, 1.4876190877),
    ],
)
def test_proof(bad: float, total: float, p0: float, dispersion: float, expected: float) -> None:
    assert log_proof(bad, total, p0, dispersion) == near(expected)


@pytest.mark.parametrize(
    ("bad", "total", "dispersion", "lower", "upper"),
    [
        (7, 60, 1.0, 0.03064999, 0.26748355),
        (25, 10000, 1.0, 0.00128489, 0.00428090),
        (25, 10000, 2.0, 0.00094124, 0.00514934),
        (0, 3000, 1.0, 0.0, 0.00166333),
        (500, 10000, 1.0, 0.04354767, 0.05700779),
    ],
)
def test_confidence_sequence(bad: float, total: float, dispersion: float, lower: float, upper: float) -> None:
    assert interval(bad, total, 0.05, dispersion) == (near(lower), near(upper))


def test_merge() -> None:
    parts = ((0.5, 10.0), (0.3, 2.0), (0.2, 40.0))
    entries = [Entry(SloName(str(n)), None, weight, 1.0, math.log(e)) for n, (weight, e) in enumerate(parts)]
    assert ledger.merge(entries) == near(2.6100697927)
