"""Confidence sequence: between which rates does the truth lie, valid at every look?

The interval describes, the e-value decides: at the margin they may differ. Statistics, section 5.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from controller.analysis.elin import log_sum
from controller.domain.evidence import NO_MONEY

UP = (1.05, 1.1, 1.2, 1.4, 1.8, 2.5, 4.0, 8.0)
DOWN = tuple(1 / ratio for ratio in UP)
UP_LOG, DOWN_LOG = (tuple((ratio, math.log(ratio)) for ratio in ratios) for ratios in (UP, DOWN))
LOG_RATIOS = math.log(len(UP))
ROUNDING = 1e-6
STEPS = 100
REACH = 1.7


@dataclass(frozen=True, slots=True)
class Interval:
    """The interval of some counts, worked out when it is read."""

    bad: float
    total: float
    dispersion: float = 1.0

    @property
    def lower(self) -> float:
        """The lower end (0..1)."""
        return interval(self.bad, self.total, dispersion=self.dispersion)[0]

    @property
    def upper(self) -> float:
        """The upper end (0..1)."""
        return interval(self.bad, self.total, dispersion=self.dispersion)[1]


def lies_below(bound: float, bad: float, total: float, dispersion: float = 1.0, alpha: float = 0.05) -> bool:
    """Is the upper end at most `bound` (a rate)? One step instead of the search for the end."""
    if bound >= 1 or total <= 0 or bad >= bound * total:
        return bound >= 1
    k, n = bad / dispersion, total / dispersion
    rest, limit = n - k, math.log(1 / alpha)
    most = max([k * log_r + rest * fall for log_r, fall in _falls(bound)])
    # The mixture lies between its largest term and that divided by their number. Nearly always this settles it.
    if most < limit - ROUNDING:
        return False
    return most - LOG_RATIOS >= limit + ROUNDING or _log_mix(DOWN_LOG, k, n, bound) >= limit


@lru_cache(maxsize=4096)
def interval(bad: float, total: float, alpha: float = 0.05, dispersion: float = 1.0) -> tuple[float, float]:
    """[lower, upper] of the rate for `bad` of `total`; (0, 1) without answers. `dispersion` is the design effect."""
    if total <= 0:
        return 0.0, 1.0
    k, n = min(bad, total) / dispersion, total / dispersion
    limit = math.log(1 / alpha)
    # The ends lie about this far from the rate: starting from there takes half of the steps.
    far = (math.sqrt(2 * REACH * limit * max(k, 1.0)) + REACH * limit) / n
    lower = 0.0 if k <= 0 else _crossing(lambda p: _log_mix(UP_LOG, k, n, p) - limit, k / n, k / n - far, 1e-15)
    upper = 1.0 if k >= n else _crossing(lambda p: _log_mix(DOWN_LOG, k, n, p) - limit, k / n, k / n + far, 1 - 1e-15)
    return lower, upper


@lru_cache(maxsize=1024)
def _falls(p: float) -> tuple[tuple[float, float], ...]:
    """For each ratio below 1 what a bad and a good answer add at the rate `p`: the same few limits are asked for."""
    return tuple((log_r, math.log1p(-r * p) - math.log1p(-p)) for r, log_r in DOWN_LOG)


def _log_mix(ratios: Sequence[tuple[float, float]], k: float, n: float, p: float) -> float:
    null = math.log1p(-p) if p < 1 else 0.0
    terms = [k * log_r + (n - k) * (math.log1p(-r * p) - null) if r * p < 1 else NO_MONEY for r, log_r in ratios]
    return log_sum(terms) - math.log(len(ratios))


def _crossing(excess: Callable[[float], float], inside: float, guess: float, outside: float) -> float:
    """Where `excess` changes sign between `inside` (negative) and `outside`; `outside` when it never does.

    A `guess` between the two that lies beyond the crossing shortens the way.

    The Illinois variant of false position: the same root as bisection in a tenth of the steps.
    """
    f_in, f_out = excess(inside), -1.0
    if min(inside, outside) < guess < max(inside, outside):
        f_out = excess(guess)
    if f_out >= 0:
        outside = guess
    else:
        f_out = excess(outside)
    if f_out < 0:
        return float(round(outside))
    side = 0
    for _ in range(STEPS):
        middle = (inside * f_out - outside * f_in) / (f_out - f_in)
        if not min(inside, outside) < middle < max(inside, outside):
            middle = (inside + outside) / 2
        value = excess(middle)
        if value >= 0:
            f_in = f_in / 2 if side == 1 else f_in
            outside, f_out, side = middle, value, 1
        else:
            f_out = f_out / 2 if side == -1 else f_out
            inside, f_in, side = middle, value, -1
        if abs(outside - inside) < 1e-13 * max(abs(middle), 1e-6) or value == 0:
            break
    return outside
