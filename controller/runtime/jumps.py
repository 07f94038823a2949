"""A wall clock that jumps, and time without passes: what was waited for goes on counting as it was.

Neither is a wait done at once, nor is it begun anew.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from math import inf
from typing import Any, TypeVar, cast

import structlog

from controller.decision.clock import EVIDENCE, MARK, POSITION, RUN, SLO, taken_up
from controller.domain.evidence import Evidence, SloEvidence
from controller.domain.measure import SeriesMemory
from controller.domain.state import Position, Run, TrafficMark
from controller.ports import Clock
from controller.runtime.book import Held

log = structlog.get_logger("clock")
TOLERATED = timedelta(seconds=1)
"""Between two passes a clock may be slewed by this much; more is a jump."""
LATE, SLEPT = 8, 60.0
"""So many intervals, and at least so many seconds, after the last pass nobody looks any more: the process sleeps."""
T = TypeVar("T", Position, Run, TrafficMark, Evidence, SloEvidence)


def follow_clock(held: Held, clock: Clock) -> timedelta:
    """Move all that `held` remembers by as much as the wall clock jumped since the last pass; returns by how much.

    Where there was no pass for long, or none yet, a jump cannot be told from the time that went by: returns zero then.
    """
    wall, steady, before = clock.now(), clock.monotonic(), held.looked_at
    held.looked_at = (wall, steady)
    if before is None or steady - before[1] > _patience(held):
        _take_up(held, wall)
        return timedelta(0)
    jump = (wall - before[0]) - timedelta(seconds=steady - before[1])
    if abs(jump) <= TOLERATED:
        return timedelta(0)
    log.warning("clock_jumped", rollout=str(held.key), seconds=round(jump.total_seconds(), 1))
    held.position = moved(held.position, jump)
    held.evidence = moved_evidence(held.evidence, jump, _own_samples(held)) if held.evidence else None
    return jump


def _patience(held: Held) -> float:
    run = held.position.run
    return max(SLEPT, LATE * run.spec.interval.total_seconds()) if run is not None else inf


def _take_up(held: Held, now: datetime) -> None:
    """Nobody looked since the last tick that was kept, and who knows what became of the clock meanwhile."""
    ticked = held.evidence.measured_at if held.evidence else None
    held.position, held.evidence = taken_up(held.position, held.evidence, now)
    if ticked is None or held.evidence is None or not held.position.guarded:
        return
    log.info("taken_up", rollout=str(held.key), unwatched_seconds=round((now - ticked).total_seconds(), 1))
    if ticked > now and _own_samples(held):
        held.evidence = replace(held.evidence, series=_series_moved(held.evidence, now - ticked))


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
        series = _series_moved(evidence, by)
    return replace(_moved(evidence, EVIDENCE, by), slos=slos, series=series)


def _series_moved(evidence: Evidence, by: timedelta) -> SeriesMemory:
    return {key: (at + by.total_seconds(), value) for key, (at, value) in evidence.series.items()}


def _own_samples(held: Held) -> bool:
    run = held.position.run
    return run is not None and run.spec.metrics.provider == "scrape"


def _moved(value: T, names: tuple[str, ...], by: timedelta) -> T:
    instants: dict[str, datetime] = {name: at + by for name in names if (at := getattr(value, name)) is not None}
    return replace(value, **cast(dict[str, Any], instants)) if instants else value
