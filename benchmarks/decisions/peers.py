"""The peers' rules as their sources state them, on exact counts: kinder to them than `rate()`, which extrapolates.

Every rule gives, per run, the tick after which it rolls back, or `NEVER`.
"""

import math

import numpy as np
import numpy.typing as npt

from benchmarks.decisions.traces import Floats, Trace

NEVER = 2**31 - 1
Stops = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def first(hit: Bools) -> Stops:
    """The first tick (from 1) with a hit, per run."""
    return np.where(hit.any(0), hit.argmax(0) + 1, NEVER).astype(np.int64)


def windowed(trace: Trace, window: int) -> Floats:
    """bad / total over the last `window` ticks, from the first full window on; NaN without answers, like PromQL."""
    bad, total = (_rolling(part, window) for part in (trace.bad, trace.total))
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = bad / total
    rate[: window - 1] = -1.0
    return np.asarray(rate)


def _rolling(counts: Floats, window: int) -> Floats:
    whole = counts.cumsum(0)
    whole[window:] = whole[window:] - whole[:-window].copy()
    return whole


def argo(trace: Trace, p0: float, failure_limit: int, window: int = 5, fail_open: bool = False) -> Stops:
    """Argo Rollouts: a measurement every tick of a rate over `window`; failed > failureLimit aborts, in total.

    `successCondition: result[0] <= p0`: NaN fails. With `fail_open`, `failureCondition: result[0] > p0`: NaN passes.
    """
    rate = windowed(trace, window)
    failed = rate > p0
    if not fail_open:
        failed |= np.isnan(rate)
    return first(failed.cumsum(0) > failure_limit)


def flagger(trace: Trace, p0: float, threshold: int = 5, window: int = 5) -> Stops:
    """Flagger: failed checks add up, no data is a failed check, and the rollback comes one tick after the last."""
    rate = windowed(trace, window)
    enough = ((rate > p0) | np.isnan(rate)).cumsum(0) >= threshold
    stops = first(enough)
    late = stops + 1
    return np.where(late > trace.bad.shape[0], NEVER, late)


def tuned(trace: Trace, window: int, false_rollback: float = 0.05) -> float:
    """The threshold an oracle picks: fires on this share of runs at exactly the objective."""
    return float(np.quantile(np.nanmax(windowed(trace, window), axis=0), 1 - false_rollback, method="higher"))


def window_rule(trace: Trace, window: int, threshold: float) -> Stops:
    """Rolls back when the rate over the window is above the threshold."""
    with np.errstate(invalid="ignore"):
        return first(windowed(trace, window) > threshold)


def sprt(trace: Trace, p0: float, p1: float, alpha: float = 0.05) -> Stops:
    """Wald's test that knows the true rate `p1`: nobody does. The fastest honest rule for independent answers."""
    bad, good = trace.bad.cumsum(0), (trace.total - trace.bad).cumsum(0)
    log_ratio = bad * math.log(p1 / p0) + good * (math.log1p(-p1) - math.log1p(-p0))
    return first(log_ratio >= math.log(1 / alpha))


def pooled_z(candidate: Trace, stable: Trace, limit: float = 1.645) -> Stops:
    """The textbook two-proportion z on all counts so far, looked at every tick."""
    kc, nc, kb, nb = (part.cumsum(0) for part in (candidate.bad, candidate.total, stable.bad, stable.total))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = (kc + kb) / (nc + nb)
        z = (kc / nc - kb / nb) / np.sqrt(p * (1 - p) * (1 / nc + 1 / nb))
    return first(z > limit)


def side_by_side(candidate: Trace, stable: Trace, failure_limit: int, window: int = 5) -> Stops:
    """Argo's way to compare: the candidate's rate over the window is above stable's."""
    ours, theirs = windowed(candidate, window), windowed(stable, window)
    failed = (ours > theirs) | np.isnan(ours)
    failed[: window - 1] = False
    return first(failed.cumsum(0) > failure_limit)


BURN_RULES = ((60, 5, 14.4), (360, 30, 6.0), (1440, 120, 3.0), (4320, 360, 1.0))
"""The SRE workbook's pairs in minutes, and the burn rate both windows must exceed: two pages, two tickets."""


def burn(trace: Trace, p0: float, rules: tuple[tuple[int, int, float], ...] = BURN_RULES) -> Bools:
    """Multi-window multi-burn-rate alerts: is any of them on at each tick (of a minute)?"""
    on = np.zeros(trace.bad.shape, dtype=bool)
    for long, short, times in rules:
        with np.errstate(invalid="ignore"):
            on |= (windowed(trace, long) > times * p0) & (windowed(trace, short) > times * p0)
    return on
