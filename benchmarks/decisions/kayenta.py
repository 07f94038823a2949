"""Kayenta's NetflixACAJudge for one metric whose increase is bad: two-sided Mann-Whitney at 98 %, tolerance 0.25.

The verdict High asks whether the lower end of the shift's interval lies above 0.25 x |the Hodges-Lehmann shift|. The
rank statistic falls as the shift grows, so that this is the sign of the statistic at that very shift: no root needed.
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
    x, y = experiment[~np.isnan(experiment)], control[~np.isnan(control)]
    if not len(x) or not len(y) or np.array_equal(np.sort(x), np.sort(y)) or len(np.unique([*x, *y])) == 1:
        return False
    if x.mean() > 0 and y.mean() > 0 and x.mean() / y.mean() < 1.0:
        return False
    shifts = np.subtract.outer(x, y).ravel()
    least = TOLERANCE * abs(float(np.median(shifts)))
    return _statistic(shifts, x, y, least) > Z


def _statistic(shifts: Floats, x: Floats, y: Floats, at: float) -> float:
    """The standardised U of x - `at` against y, with continuity and tie corrections."""
    above = float((shifts > at).sum()) + 0.5 * float((shifts == at).sum())
    distance = above - len(x) * len(y) / 2
    size = len(x) + len(y)
    _, ties = np.unique(np.concatenate([x - at, y]), return_counts=True)
    unequal = size + 1 - float((ties**3 - ties).sum()) / (size * (size - 1))
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
