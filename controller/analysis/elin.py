"""E-LIN-R: is the rate of bad above its objective? One stream of evidence, valid at every look.

Each tick multiplies six bets by (1 + c k) / (1 + c n p0), which is linear in k: it stays a fair bet however the
answers inside a tick depend on each other. Half of the money is staked at the start, the other half is spread over
the planned horizon, so that a late breach is seen too. Theorem and proof: statistics, section 1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from controller.domain.evidence import NO_MONEY

BETS = (0.1, 0.3, 0.7, 1.4, 3.0, 7.0)
CAP = math.log(10.0)
START = 0.5
LOG_BETS = math.log(len(BETS))


@dataclass(frozen=True, slots=True)
class Purse:
    """The engine's state: log money on each bet, money in reserve, ticks so far."""

    log_s: tuple[float, ...] = (NO_MONEY,) * len(BETS)
    reserve: float = 1.0
    ticks: int = 0


def log_add(a: float, b: float) -> float:
    """log(exp a + exp b) without overflow."""
    high, low = (a, b) if a >= b else (b, a)
    return high + math.log1p(math.exp(low - high)) if high > NO_MONEY else NO_MONEY


def log_sum(values: Sequence[float]) -> float:
    """log of the sum of exp(values) without overflow."""
    high = max(values)
    return high + math.log(math.fsum([math.exp(value - high) for value in values])) if high > NO_MONEY else NO_MONEY


def log_factor(bet: float, bad: float, total: float, p0: float) -> float:
    """log of one bet's factor for `bad` of `total` at objective `p0` (a rate, 0..1), before the cap."""
    return math.log1p(bet * bad) - math.log1p(bet * total * p0)


@lru_cache(maxsize=65536)
def factors(bad: float, total: float, p0: float) -> tuple[float, ...]:
    """log of every bet's factor, capped. Remembered: small counts come again and again, and two engines ask."""
    return tuple([min(log_factor(bet, bad, total, p0), CAP) for bet in BETS])


def grown(log_money: Sequence[float], log_added: float, log_factors: Sequence[float]) -> tuple[float, ...]:
    """Every bet's money with some added, then multiplied by its factor; all in logarithms.

    `log_add` written out: this runs twice for every stream of every rollout at every tick.
    """
    exp, log1p, found = math.exp, math.log1p, []
    for money, factor in zip(log_money, log_factors, strict=True):
        high, low = (money, log_added) if money >= log_added else (log_added, money)
        found.append(factor + (high + log1p(exp(low - high))))
    return tuple(found)


def advance(purse: Purse, bad: float, total: float, p0: float, horizon: int, ticks: int, start: float = START) -> Purse:
    """The purse after one measurement that covers `ticks` nominal ticks of a planned `horizon` (in ticks).

    `start` is the part of the money staked at once: 1 judges the average since the start, not every block by itself.
    """
    stake = _stake(purse, horizon, ticks, start)
    log_stake = math.log(stake) if stake > 0 else NO_MONEY
    log_s = grown(purse.log_s, log_stake, factors(bad, total, p0))
    return Purse(log_s, purse.reserve - stake, purse.ticks + ticks)


def _stake(purse: Purse, horizon: int, ticks: int, start: float) -> float:
    left = max(0, min(ticks, horizon - purse.ticks))
    wanted = (1 - start) / horizon * left + (start if purse.ticks == 0 else 0.0)
    return min(wanted, purse.reserve)


@lru_cache(maxsize=8192)
def log_e(purse: Purse) -> float:
    """log E of the stream: the mean of the bets plus the reserve. Remembered: every tick asks four times per stream."""
    bets = log_sum(purse.log_s) - LOG_BETS
    return log_add(bets, math.log(purse.reserve)) if purse.reserve > 0 else bets
