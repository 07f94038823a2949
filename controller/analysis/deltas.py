"""Exact growth of counters, from raw samples: resets, births and gaps. Nothing is ever extrapolated."""

from collections.abc import Mapping, Sequence
from math import inf

from controller.analysis.index import Sample

Point = tuple[float, float, float]
"""A timestamp and two counters read at it, the second a part of the first."""


class NotACounterError(ValueError):
    """A sample that no counter can have: negative, infinite or not a number."""


def growth(samples: Sequence[Sample], before: Sample | None, since: float) -> float:
    """How much one counter grew after `before`; with None it was born after tracking began, and counts from 0.

    What a newborn series counted up to `since` (unix seconds) is history. Raises NotACounterError.
    """
    grown, floor = 0.0, since
    last = 0.0
    if before is not None:
        floor, last = before
    for at, value in samples:
        if not 0.0 <= value < inf:
            raise NotACounterError(f"{value:g} at {at:.3f}")
        if at > floor:
            grown += value - last if value >= last else value
        if at > floor or before is None:
            last = value
    return grown


def growth_of_pair(points: Sequence[Point], before: Point | None, since: float) -> tuple[float, float]:
    """Like `growth`, for two counters of one process: a restart is seen when either of them falls."""
    grown = part_grown = last = last_part = 0.0
    floor = since
    if before is not None:
        floor, last, last_part = before
    for at, value, part in points:
        if not (0.0 <= value < inf and 0.0 <= part < inf):
            raise NotACounterError(f"{value:g}, {part:g} at {at:.3f}")
        if at > floor:
            same = value >= last and part >= last_part
            grown += value - last if same else value
            part_grown += part - last_part if same else part
        if at > floor or before is None:
            last, last_part = value, part
    return grown, part_grown


def paired(whole: Sequence[Sample], part: Sequence[Sample]) -> tuple[Point, ...]:
    """The instants at which both counters were read: the two queries may straddle a scrape."""
    of_part: Mapping[float, float] = dict(part)
    return tuple((at, value, of_part[at]) for at, value in whole if at in of_part)
