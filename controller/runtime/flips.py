"""What would have flipped a decision: how many fewer bad, more bad or more good answers. Pure.

Worked out from the counts that were kept, as if bad answers had come one by one or, where there are more of them than
ticks, evenly: so every number here is an "about". The evidence itself is never recomputed, only shifted.
"""

import math
from collections.abc import Callable

from controller.analysis import proof
from controller.analysis.elin import BETS, log_sum

MOST = 1_000_000


def fewer_bad(log_e: float, needed: float, bad: float, total: float, p0: float, ticks: float) -> int | None:
    """How many of the bad answers would have had to be good for log E below `needed`; None: that is not enough."""
    before = _model(bad, total, p0, ticks)
    return _least(lambda x: log_e + _model(bad - x, total, p0, ticks) - before < needed, math.floor(bad))


def more_good(log_e: float, needed: float, bad: float, total: float, p0: float, ticks: float) -> int | None:
    """How many more good answers, and no bad one, would bring log E below `needed`; None beyond a million."""
    if total <= 0:
        return None
    before, per_answer = _model(bad, total, p0, ticks), max(ticks, 1.0) / total

    def enough(x: int) -> bool:
        return log_e + _model(bad, total + x, p0, max(ticks, 1.0) + x * per_answer) - before < needed

    return _least(enough, MOST)


def more_bad(log_e: float, needed: float, bad: float, total: float, p0: float, ticks: float) -> int | None:
    """How many more bad answers among as many would bring log E to `needed`; None when there are not so many."""
    before = _model(bad, total, p0, ticks)
    return _least(lambda x: log_e + _model(bad + x, total, p0, ticks) - before >= needed, math.floor(total - bad))


def more_bad_without_proof(log_proof: float, needed: float, bad: float, total: float, p0: float) -> int | None:
    """How many more bad answers among as many would take the proof away; None when it is not there anyway."""
    if log_proof < needed:
        return None
    before = proof.log_proof(bad, total, p0)
    shift = log_proof - before
    return _least(lambda x: shift + proof.log_proof(bad + x, total, p0) < needed, math.floor(total - bad))


def unevenness(log_e: float, bad: float, total: float, p0: float, ticks: float) -> float:
    """How far (in nats) the evidence is from what evenly spread answers give: 0 is even; bursts and late turns are not.

    In a dozen simulated runs the numbers above were within a factor of two below 2.5, and off by up to five beyond it.
    """
    return abs(log_e - _model(bad, total, p0, ticks))


def _model(bad: float, total: float, p0: float, ticks: float) -> float:
    """log of the mean of the bets, if bad answers came one by one, or evenly over all ticks where they are more."""
    ticks = max(ticks, 1.0)
    spread = min(ticks, max(bad, 0.0))
    gains = (spread * math.log1p(bet * bad / spread) if spread > 0 else 0.0 for bet in BETS)
    prices = (ticks * math.log1p(bet * total / ticks * p0) for bet in BETS)
    return log_sum([gain - price for gain, price in zip(gains, prices, strict=True)]) - math.log(len(BETS))


def _least(enough: Callable[[int], bool], most: int) -> int | None:
    """The least number from 1 to `most` that is enough, by bisection; None when `most` is not."""
    if most < 1 or not enough(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
