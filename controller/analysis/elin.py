"""E-LIN-R: is the rate of bad above its objective? One stream of evidence, valid at every look.

Each tick multiplies six bets by (1 + c k) / (1 + c n p0), which is linear in k: it stays a fair bet however the
answers inside a tick depend on each other. Half of the money is staked at the start, the other half is spread over
the planned horizon, so that a late breach is seen too. Theorem and proof: statistics, section 1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from controller.analysis.swift import maker
from controller.domain.evidence import NO_MONEY

BETS = (0.1, 0.3, 0.7, 1.4, 3.0, 7.0)
CAP = math.log(10.0)
START = 0.5
MOST = 700.0
"""exp of more than this is too large for a number."""
SURELY = 1 - 1e-9
"""A bound must be below by this factor: more than roundings can make of it."""
LOG_BETS = math.log(len(BETS))


@dataclass(frozen=True, slots=True)
class Purse:
    """The engine's state: log money on each bet, money in reserve, ticks so far."""

    log_s: tuple[float, ...] = (NO_MONEY,) * len(BETS)
    reserve: float = 1.0
    ticks: int = 0


a_purse = maker(Purse)


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


def grown(log_money: tuple[float, ...], log_added: float, log_factors: tuple[float, ...]) -> tuple[float, ...]:
    """Every bet's money with some added, then multiplied by its factor; all in logarithms.

    `log_add` written out, and the six bets too: this runs twice for every stream of every rollout at every tick, and
    takes 0.4 of the time that it took as a loop.
    """
    a, b, c, d, e, f = log_money
    fa, fb, fc, fd, fe, ff = log_factors
    if log_added <= NO_MONEY:
        return a + fa, b + fb, c + fc, d + fd, e + fe, f + ff
    more, exp, log1p = log_added, math.exp, math.log1p
    return (
        fa + (a + log1p(exp(more - a)) if a >= more else more + log1p(exp(a - more))),
        fb + (b + log1p(exp(more - b)) if b >= more else more + log1p(exp(b - more))),
        fc + (c + log1p(exp(more - c)) if c >= more else more + log1p(exp(c - more))),
        fd + (d + log1p(exp(more - d)) if d >= more else more + log1p(exp(d - more))),
        fe + (e + log1p(exp(more - e)) if e >= more else more + log1p(exp(e - more))),
        ff + (f + log1p(exp(more - f)) if f >= more else more + log1p(exp(f - more))),
    )


def log_mean(log_bets: tuple[float, ...]) -> float:
    """log of the mean of the bets; written out like `grown`, in 0.7 of the time of `log_sum`."""
    high, exp = max(log_bets), math.exp
    if high <= NO_MONEY:
        return NO_MONEY - LOG_BETS
    a, b, c, d, e, f = log_bets
    parts = (exp(a - high), exp(b - high), exp(c - high), exp(d - high), exp(e - high), exp(f - high))
    return high + math.log(math.fsum(parts)) - LOG_BETS


class Staked(Protocol):
    """What holds a purse: a `Purse`, or the stream of evidence itself."""

    @property
    def log_s(self) -> tuple[float, ...]: ...
    @property
    def reserve(self) -> float: ...
    @property
    def ticks(self) -> int: ...


def advance(
    purse: Staked, bad: float, total: float, p0: float, horizon: int, ticks: int, start: float = START
) -> Purse:
    """The purse after one measurement that covers `ticks` nominal ticks of a planned `horizon` (in ticks).

    `start` is the part of the money staked at once: 1 judges the average since the start, not every block by itself.
    """
    stake, log_stake = staked(purse.reserve, purse.ticks, horizon, ticks, start)
    log_s = grown(purse.log_s, log_stake, factors(bad, total, p0))
    return a_purse(log_s, purse.reserve - stake, purse.ticks + ticks)


@lru_cache(maxsize=1024)
def staked(reserve: float, before: int, horizon: int, ticks: int, start: float) -> tuple[float, float]:
    """What goes on the bets now, and its logarithm: known before the answers are read. `before`: ticks so far.

    Remembered: the streams of a run began together and stake the same.
    """
    left = horizon - before
    left = ticks if ticks < left else left if left > 0 else 0
    wanted = (1 - start) / horizon * left + (start if before == 0 else 0.0)
    stake = wanted if wanted < reserve else reserve
    return stake, math.log(stake) if stake > 0 else NO_MONEY


def log_e(purse: Purse) -> float:
    """log E of the stream: the mean of the bets plus the reserve."""
    return log_worth(purse.log_s, purse.reserve)


def worth_at_most(log_s: tuple[float, ...], reserve: float) -> float:
    """A bound of E that costs a tenth of it: the mean of the bets is at most the largest of them."""
    high = max(log_s)
    return (math.exp(high) if high < MOST else math.inf) + reserve


@lru_cache(maxsize=8192)
def log_worth(log_s: tuple[float, ...], reserve: float) -> float:
    """log E of a purse of `log_s` and `reserve`. Remembered: a tick asks several times per stream."""
    bets = log_mean(log_s)
    return log_add(bets, math.log(reserve)) if reserve > 0 else bets
