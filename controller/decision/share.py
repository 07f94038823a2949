"""Does the share of requests that was counted fit the weight that was set? Pure."""

import math

from controller.domain.names import VersionName
from controller.domain.state import TrafficMark
from controller.domain.traffic import RequestCounts, RouteSeen

FLOOR = 1e-3
"""Shares this close are the same: requests of the split before may still be under way."""
LOG_REJECT = math.log(2 / 1e-6)
CLUSTERED = 20.0
"""With sticky conversations requests come in clusters: the share test counts this many requests as one."""

NOTHING = RequestCounts()


def share_rejected(mark: TrafficMark, route: RouteSeen, sticky: bool) -> bool:
    """Is the measured share incompatible with the weight at p < 1e-6? (Chernoff bound, valid at any count.)"""
    if mark.epoch != route.epoch or mark.split.candidate is None:
        return False
    candidate = counted_since(mark, route, mark.split.candidate)
    whole = candidate + counted_since(mark, route, mark.split.stable)
    if whole <= 0 or mark.split.cohort:
        return False
    units = whole / (CLUSTERED if sticky else 1.0)
    return units * _divergence(candidate / whole, mark.split.weight / 100) > LOG_REJECT


def counted_since(mark: TrafficMark, route: RouteSeen, version: VersionName) -> int:
    """Live requests of a version since the split was accepted."""
    return route.counts.get(version, NOTHING).live - mark.start_counts.get(version, NOTHING).live


def _divergence(seen: float, wanted: float) -> float:
    """Kullback-Leibler divergence of two Bernoulli rates, in nats; within FLOOR there is none."""
    if abs(seen - wanted) <= FLOOR:
        return 0.0
    wanted = min(max(wanted, FLOOR), 1 - FLOOR)
    terms = ((seen, wanted), (1 - seen, 1 - wanted))
    return math.fsum(s * math.log(s / w) for s, w in terms if s > 0)
