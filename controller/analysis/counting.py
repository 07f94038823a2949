"""From raw counter samples to exact new counts per SLO, version and scenario. Pure; nothing is counted twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from math import inf, isfinite

from controller.analysis.asking import asks, fill, merge
from controller.analysis.growing import Grown, History, eligible, histogram, ratio
from controller.analysis.index import Indexed
from controller.analysis.once import EARLY, Once, without_old
from controller.analysis.remembering import owner, remembered
from controller.analysis.slicing import slices
from controller.domain.measure import BlindCause, Blindness, Measurement, SeriesMemory, Snapshot
from controller.domain.names import SloName
from controller.domain.rollout import Version
from controller.domain.slo import Indicator, LatencyIndicator, PromqlIndicator, RatioIndicator, Slo

__all__ = ["Indexed", "asks", "measure", "merge"]


@dataclass(frozen=True, slots=True)
class _Tick:
    index: Indexed
    memory: SeriesMemory
    now: float
    interval: float
    patience: float
    since: float
    block: float
    last: float


def measure(
    slos: Sequence[Slo],
    versions: Sequence[Version],
    snapshot: Snapshot | Indexed,
    memory: SeriesMemory,
    now: datetime,
    interval: timedelta,
    scrape_interval: timedelta,
    known_scenarios: Mapping[SloName, tuple[str, ...]],
    since: datetime | None = None,
    block: timedelta | None = None,
) -> tuple[tuple[Measurement, ...], SeriesMemory]:
    """New counts since `memory`, and the memory for the next tick. In each `block` a user has one bad answer at most.

    The first tick of an SLO and version sets the baseline and counts nothing (`ticks` 0). A series seen later for the
    first time counts from 0, but for what it counted up to `since`. A blind measurement leaves its memory as it was.
    Give an `Indexed` when several rollouts share a snapshot: it is then sorted once.
    """
    index = snapshot if isinstance(snapshot, Indexed) else Indexed(snapshot)
    start = since.timestamp() if since else -inf
    patience = 3 * scrape_interval.total_seconds()
    span = (block - EARLY * interval).total_seconds() if block is not None and block > interval else 0.0
    last = max([at for at, _ in memory.values()], default=-inf)
    tick = _Tick(index, memory, now.timestamp(), interval.total_seconds(), patience, start, span, last)
    found: list[Measurement] = []
    learned: dict[str, tuple[float, float]] = {}
    asked, sighted = set[str](), set[str]()
    for slo in slos:
        for version in versions:
            if isinstance(slo.indicator, PromqlIndicator):
                found.append(_value(slo, slo.indicator, version, index))
                continue
            measured, update = _counts(slo, version, tick, known_scenarios.get(slo.name, ()))
            found += measured
            learned.update(update)
            asked.add(owner(slo.name, version.name))
            if update:
                sighted.add(owner(slo.name, version.name))
    return tuple(found), remembered(without_old(memory, tick.now, span), learned, sighted, asked, tick.now)


def _counts(
    slo: Slo, version: Version, tick: _Tick, known: Sequence[str]
) -> tuple[Sequence[Measurement], SeriesMemory]:
    mark, who = _mark(slo, version), owner(slo.name, version.name)
    began = tick.memory.get(mark)
    history = History(tick.memory, who, began is not None, tick.since, tick.now, tick.patience, tick.last)
    grown = _grown(slo, version, tick.index, history)
    if isinstance(grown, Blindness):
        return _all_blind(slo, version, grown, known), {}
    ticks = _ticks(grown, began, tick.interval)
    once = _once(slo, who, tick)
    measured = slices(slo, version.name, grown.parts, ticks, known, tick.now - tick.patience, once)
    newest = max(grown.newest, began[0]) if began else grown.newest
    learned = {**grown.memory, mark: (newest, 0.0), **(once.learned if once else {})}
    if not isinstance(slo.indicator, RatioIndicator) or slo.indicator.eligible is None:
        return measured, learned
    arrived = eligible(slo.indicator, version.identity, tick.index, history)
    return (replace(measured[0], eligible=arrived.counted), *measured[1:]), {**learned, **arrived.memory}


def _once(slo: Slo, who: str, tick: _Tick) -> Once | None:
    label = slo.indicator.once_per if isinstance(slo.indicator, RatioIndicator) else None
    return Once(label, who, tick.memory, tick.now, tick.block) if label is not None else None


def _grown(slo: Slo, version: Version, index: Indexed, history: History) -> Grown | Blindness:
    indicator = slo.indicator
    assert not isinstance(indicator, PromqlIndicator)
    if isinstance(indicator, LatencyIndicator):
        return histogram(indicator, version.identity, index, history)
    return ratio(indicator, version.identity, index, history)


def _mark(slo: Slo, version: Version) -> str:
    """Under this key the memory keeps how far an SLO was tracked for a version; another selector starts anew."""
    return f"{owner(slo.name, version.name)}: {version.identity.label}={version.identity.value}: {_text(slo.indicator)}"


@lru_cache(maxsize=4096)
def _text(indicator: Indicator) -> str:
    """Kept: to write it down takes longer than to count what it names."""
    return repr(indicator)


def _ticks(grown: Grown, began: tuple[float, float] | None, interval: float) -> int:
    """Nominal ticks since the last measurement: a longer one is one larger block. 0: the baseline, or no new sample."""
    if began is None or grown.newest <= began[0]:
        return 1 if began is not None and grown.fresh else 0
    return max(1, round((grown.newest - began[0]) / interval))


def _all_blind(slo: Slo, version: Version, why: Blindness, known: Sequence[str]) -> list[Measurement]:
    required = slo.scenarios.required if slo.scenarios else ()
    names = dict.fromkeys((*required, *known)) if slo.scenarios else ()
    return [Measurement(slo.name, version.name, name, ticks=0, blind=why) for name in (None, *names)]


def _value(slo: Slo, indicator: PromqlIndicator, version: Version, index: Indexed) -> Measurement:
    query = fill(indicator.query, version.name)
    reading = index.value(query)
    blind = None
    if reading is None:
        blind = Blindness(BlindCause.QUERY_FAILED, f"{query} was not asked for in this tick")
    elif reading.problem is not None:
        cause = BlindCause.ABSENT if reading.problem.startswith("no series") else BlindCause.QUERY_FAILED
        blind = Blindness(cause, f"{query}: {reading.problem}")
    elif reading.value is None:
        blind = Blindness(BlindCause.ABSENT, f"{query} gave nothing")
    elif not isfinite(reading.value):
        blind = Blindness(BlindCause.QUERY_FAILED, f"{query} is {reading.value}: not a number to compare")
    if blind is not None:
        return Measurement(slo.name, version.name, ticks=0, blind=blind)
    return Measurement(slo.name, version.name, value=reading.value if reading else None)
