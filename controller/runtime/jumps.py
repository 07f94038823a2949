"""A wall clock that jumps: what was waited for goes on counting as before, neither done at once nor begun anew."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

import structlog

from controller.decision.clock import EVIDENCE, MARK, POSITION, RUN, SLO
from controller.domain.evidence import Evidence, SloEvidence
from controller.domain.state import Position, Run, TrafficMark
from controller.ports import Clock
from controller.runtime.book import Held

log = structlog.get_logger("clock")
TOLERATED = timedelta(seconds=1)
"""Between two passes a clock may be slewed by this much; more is a jump."""
T = TypeVar("T", Position, Run, TrafficMark, Evidence, SloEvidence)


def follow_clock(held: Held, clock: Clock) -> timedelta:
    """Move all that `held` remembers by as much as the wall clock jumped since the last pass; returns by how much."""
    wall, steady, before = clock.now(), clock.monotonic(), held.looked_at
    held.looked_at = (wall, steady)
    if before is None:
        return timedelta(0)
    jump = (wall - before[0]) - timedelta(seconds=steady - before[1])
    if abs(jump) <= TOLERATED:
        return timedelta(0)
    log.warning("clock_jumped", rollout=str(held.key), seconds=round(jump.total_seconds(), 1))
    held.position = moved(held.position, jump)
    held.evidence = moved_evidence(held.evidence, jump, _own_samples(held)) if held.evidence else None
    return jump


def moved(position: Position, by: timedelta) -> Position:
    """The position with every instant `by` later."""
    run = _moved(position.run, RUN, by) if position.run else None
    mark = _moved(position.traffic, MARK, by) if position.traffic else None
    return replace(_moved(position, POSITION, by), run=run, traffic=mark)


def moved_evidence(evidence: Evidence, by: timedelta, own_samples: bool) -> Evidence:
    """The same for evidence. `own_samples`: it is our clock that says when a series was read, so these move back too.

    Forwards they stay: the next sample is newer in any case.
    """
    slos = tuple(_moved(slo, SLO, by) for slo in evidence.slos)
    series = evidence.series
    if own_samples and by < timedelta(0):
        series = {key: (at + by.total_seconds(), value) for key, (at, value) in series.items()}
    return replace(_moved(evidence, EVIDENCE, by), slos=slos, series=series)


def _own_samples(held: Held) -> bool:
    run = held.position.run
    return run is not None and run.spec.metrics.provider == "scrape"


def _moved(value: T, names: tuple[str, ...], by: timedelta) -> T:
    instants: dict[str, datetime] = {name: at + by for name in names if (at := getattr(value, name)) is not None}
    return replace(value, **cast(dict[str, Any], instants)) if instants else value
