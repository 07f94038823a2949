"""E-PROM: is the rate of bad low enough to go on? Evidence against "at or above the objective".

A mixture of likelihood ratios on the totals, exact for independent answers. Statistics, section 4.
"""

import math

from controller.analysis.elin import log_sum

RATIOS = (0.1, 0.3, 0.55, 0.8)
MIN_SAMPLES = 100
SHORTCUT = 0.72
"""Without it the what-if number overestimates the median by 1.2 to 1.45 (statistics, section 5)."""


def log_proof(bad: float, total: float, p0: float, dispersion: float = 1.0) -> float:
    """log E-PROM for `bad` of `total` at objective `p0`; `dispersion` >= 1 is the design effect."""
    k, n = bad / dispersion, total / dispersion
    rest = max(0.0, n - k)
    terms = [k * math.log(r) + rest * (math.log1p(-r * p0) - math.log1p(-p0)) for r in RATIOS]
    return log_sum(terms) - math.log(len(RATIOS))


def answers_needed(bad: float, total: float, p0: float, alpha: float, assumed: float = 0.5) -> float:
    """What-if: judged answers still needed for proof (median) when the true rate is `assumed` x objective."""
    goal = math.log(len(RATIOS) / alpha)
    best = math.inf
    for r in RATIOS:
        clean = math.log1p(-r * p0) - math.log1p(-p0)
        gain = assumed * p0 * math.log(r) + (1 - assumed * p0) * clean
        have = bad * math.log(r) + max(0.0, total - bad) * clean
        if gain > 0:
            best = min(best, max(0.0, goal - have) / gain)
    return max(SHORTCUT * best, MIN_SAMPLES - total, 0.0)
