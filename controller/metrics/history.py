"""A time of the past as the snapshots that the sampler would have taken in it. Read in pieces, from raw samples."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.analysis.asking import Ask
from controller.domain.measure import FamilyReading, Series, Snapshot, ValueReading
from controller.domain.rollout import MetricServer
from controller.metrics.http import AskFailedError
from controller.metrics.prometheus import SHORTEST_WINDOW, Prometheus, Stretch

PIECE = timedelta(hours=1)
"""Time that is asked for at once."""
MOST_SAMPLES = 10_000
"""Of one series in one answer: servers refuse, or are slow with, more than about so many."""


def snapshots(
    server: MetricServer, asks: Sequence[Ask], since: datetime, until: datetime, step: timedelta
) -> Iterator[Snapshot]:
    """One snapshot per `step` from `since` to `until`, both included. Raises AskFailedError.

    A server that cannot be asked now says nothing about what could be seen then: that ends it, and is not blindness.
    """
    provider = Prometheus(server)
    window = max(4 * server.scrape_interval, SHORTEST_WINDOW)
    piece = min(PIECE, MOST_SAMPLES * min(step, server.scrape_interval))
    at = since
    while at <= until:
        last = min(at + max(piece, step) - step, until)
        instants = [at + n * step for n in range((last - at) // step + 1)]
        stretch = provider.stretch(asks, instants[-1], instants[-1] - at + window, step)
        _refuse_problems(stretch)
        yield from _cut(stretch, instants, window, step)
        at = instants[-1] + step


def _refuse_problems(stretch: Stretch) -> None:
    for what, reading in {**stretch.families, **stretch.values}.items():
        if reading.problem is not None:
            raise AskFailedError(f"{what}: {reading.problem}")


@dataclass(frozen=True, slots=True)
class _Line:
    """A series with the times of its samples beside it, to look up in."""

    series: Series
    times: tuple[float, ...]

    def between(self, after: float, until: float) -> Series:
        first, end = bisect_right(self.times, after), bisect_right(self.times, until)
        return Series(self.series.labels, self.series.samples[first:end])


def _cut(stretch: Stretch, instants: Sequence[datetime], window: timedelta, step: timedelta) -> Iterator[Snapshot]:
    families, values = _lines(stretch.families), _lines(stretch.values)
    for at in instants:
        now = at.timestamp()
        seen = {metric: _family(lines, now - window.total_seconds(), now) for metric, lines in families.items()}
        told = {query: _value(lines, now - step.total_seconds(), now) for query, lines in values.items()}
        yield Snapshot(at, seen, told)


def _lines(readings: Mapping[str, FamilyReading]) -> dict[str, list[_Line]]:
    return {
        name: [_Line(one, tuple([at for at, _ in one.samples])) for one in reading.series]
        for name, reading in readings.items()
    }


def _family(lines: Sequence[_Line], after: float, until: float) -> FamilyReading:
    return FamilyReading(tuple(one for line in lines if (one := line.between(after, until)).samples))


def _value(lines: Sequence[_Line], after: float, until: float) -> ValueReading:
    found = [one.samples[-1][1] for line in lines if (one := line.between(after, until)).samples]
    if len(found) == 1:
        return ValueReading(found[0])
    return ValueReading(problem=f"{len(found) or 'no'} series came back; exactly one is needed")
