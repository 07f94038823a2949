"""Exact growth of counters, from raw samples: resets, births and gaps. Nothing is ever extrapolated."""

from collections.abc import Mapping, Sequence
from math import inf

from controller.analysis.index import Sample

Point = tuple[float, float, float]
"""A timestamp and two counters read at it, the second a part of the first."""


class NotACounterError(ValueError):
    """A sample that no counter can have: negative, infinite or not a number."""


def growth(samples: Sequence[Sample], before: Sample | None, since: float) -> tuple[float, Sample]:
    """How much one counter grew after `before`, and what the next growth starts from.

    With None it was born after tracking began, and counts from 0; what it counted up to `since` (unix seconds) is
    history. It fell, so it began again, when a sample is less than the one before it *in this answer*: two replicas of
    a server disagree by a scrape, and that is no restart. Raises NotACounterError.
    """
    floor, counted = (since, 0.0) if before is None else before
    last: float | None = None
    grown = 0.0
    for at, value in samples:
        if not 0.0 <= value < inf:
            raise NotACounterError(f"{value:g} at {at:.3f}")
        if at > floor:
            if value < (counted if last is None else last):
                grown, counted = grown + value, value
            elif value > counted:
                grown, counted = grown + value - counted, value
        elif before is None:
            counted = value
        last = value
    newest = samples[-1][0]
    return grown, (newest if newest > floor else floor, counted)


def growth_of_pair(points: Sequence[Point], before: Point | None, since: float) -> tuple[float, float, Point]:
    """Like `growth`, for two counters of one process: it began again when either of them fell."""
    floor, counted, part_counted = (since, 0.0, 0.0) if before is None else before
    last: tuple[float, float] | None = None
    grown = part_grown = 0.0
    for at, value, part in points:
        if not (0.0 <= value < inf and 0.0 <= part < inf):
            raise NotACounterError(f"{value:g}, {part:g} at {at:.3f}")
        if at > floor:
            of_last, of_last_part = last or (counted, part_counted)
            if value < of_last or part < of_last_part:
                counted = part_counted = 0.0
            grown += max(0.0, value - counted)
            part_grown += max(0.0, part - part_counted)
            counted, part_counted = max(counted, value), max(part_counted, part)
        elif before is None:
            counted, part_counted = value, part
        last = value, part
    return grown, part_grown, (max(floor, points[-1][0]), counted, part_counted)


def paired(whole: Sequence[Sample], part: Sequence[Sample]) -> tuple[Point, ...]:
    """The instants at which both counters were read: the two queries may straddle a scrape."""
    of_part: Mapping[float, float] = dict(part)
    return tuple((at, value, of_part[at]) for at, value in whole if at in of_part)
