"""Kayenta's NetflixACAJudge for one metric whose increase is bad: two-sided Mann-Whitney at 98 %, tolerance 0.25.

The verdict High asks whether the lower end of the shift's interval lies above 0.25 x |the Hodges-Lehmann shift|. The
rank statistic falls as the shift grows, so that its sign at that very shift answers without a root finder. (Kayenta's
own finder stops at 1e-4: where rates of few answers tie, its verdict hangs on rounding. Here the root is exact.)
"""

import math

import numpy as np

from benchmarks.decisions.peers import NEVER, Stops
from benchmarks.decisions.traces import Floats, Trace

TOLERANCE = 0.25
Z = 2.3263478740408408
"""The normal quantile of 0.99: two-sided 98 %."""


def is_high(experiment: Floats, control: Floats) -> bool:
    """Would the judge call this metric High? NaN points are removed; without points there is no verdict."""
    x, y = np.sort(experiment[~np.isnan(experiment)]), np.sort(control[~np.isnan(control)])
    if not len(x) or not len(y) or np.array_equal(x, y) or len(np.unique([*x, *y])) == 1:
        return False
    if x.mean() > 0 and y.mean() > 0 and x.mean() / y.mean() < 1.0:
        return False
    if _statistic(x, y, 0.0) <= Z:
        return False
    return _statistic(x, y, TOLERANCE * abs(float(np.median(np.subtract.outer(x, y))))) > Z


def _statistic(x: Floats, y: Floats, shift: float) -> float:
    """The standardised U of x - `shift` against y (both sorted), with continuity and tie corrections."""
    moved = x - shift
    below = np.searchsorted(y, moved, "left").sum() + np.searchsorted(y, moved, "right").sum()
    distance = float(below) / 2 - len(x) * len(y) / 2
    size = len(x) + len(y)
    _, ties = np.unique(np.concatenate([moved, y]), return_counts=True)
    unequal = size + 1 - float((ties.astype(np.float64) ** 3 - ties).sum()) / (size * (size - 1))
    variance = len(x) * len(y) / 12 * unequal
    return (distance - math.copysign(0.5, distance)) / math.sqrt(variance) if variance > 0 and distance else 0.0


def stops(candidate: Trace, stable: Trace, every: int = 60) -> Stops:
    """One point per tick, judged on all points so far every `every` ticks; a rollback on the first High."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ours, theirs = candidate.bad / candidate.total, stable.bad / stable.total
    ticks, runs = ours.shape
    found = np.full(runs, NEVER, dtype=np.int64)
    for run in range(runs):
        looks = range(every, ticks + 1, every)
        found[run] = next((t for t in looks if is_high(ours[:t, run], theirs[:t, run])), NEVER)
    return found
