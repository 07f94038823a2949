"""How much each series of one SLI and version grew since it was last read, or why that cannot be known. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from controller.analysis.deltas import NotACounterError, Point, growth, growth_of_pair, paired
from controller.analysis.index import Indexed, Row, series_key
from controller.analysis.looking import below, find, histogram_of, no_bucket, said, stale, unborn
from controller.analysis.swift import maker
from controller.domain.measure import BlindCause, Blindness, SeriesMemory
from controller.domain.rollout import Identity
from controller.domain.slo import LatencyIndicator, RatioIndicator, Selector


@dataclass(frozen=True, slots=True)
class History:
    """What was known before this tick. `tracked`: the SLI and version were measured before; times in unix seconds.

    Every SLO and version remembers its series under its own name (`owner`): one that is blind must not lose what
    another counted. `last` is not before anything that is remembered.
    """

    memory: SeriesMemory
    owner: str
    tracked: bool
    since: float
    now: float
    patience: float
    last: float = inf

    def key(self, row: Row) -> str:
        return f"{self.owner}: {row.key}"

    def key_of(self, name: str) -> str:
        return f"{self.owner}: {name}"


@dataclass(frozen=True, slots=True)
class Part:
    """What one series adds, weighed. `newest` is when it was last sampled; `is_bad` that it counts bad answers.

    `weight` is how many answers each judged one stands for.
    """

    labels: dict[str, str]
    newest: float
    is_bad: bool
    bad: float = 0.0
    total: float = 0.0
    errors: float = 0.0
    weight: float = 1.0


_part = maker(Part)


@dataclass(frozen=True, slots=True)
class Grown:
    """All parts, and what to remember. `fresh`: some series has a sample that was not counted before."""

    parts: Sequence[Part]
    memory: dict[str, tuple[float, float]]
    newest: float
    fresh: bool


@dataclass(frozen=True, slots=True)
class Arrived:
    """New answers that are to be judged, and what to remember. `counted` is None while they cannot be counted."""

    counted: float | None
    memory: dict[str, tuple[float, float]]


def eligible(indicator: RatioIndicator, identity: Identity, index: Indexed, history: History) -> Arrived:
    """Growth of the answers that were sampled for judging. That it cannot be counted blinds nobody: it proves nothing.

    Tracked by itself, so that it may begin in the middle of a run: what was counted before is history then.
    """
    assert indicator.eligible is not None
    rows = _visible(indicator.eligible, identity, index, history)
    if isinstance(rows, Blindness):
        return Arrived(None, {})
    mark = history.key_of(f"eligible: {said(indicator.eligible, identity)}")
    began = history.memory.get(mark)
    weigh, whole = _weigher(indicator), 0.0
    memory = {mark: (history.now, 0.0)}
    for row in rows:
        key = history.key_of(f"eligible: {row.key}")
        try:
            grown, memory[key] = growth(
                row.samples, row.samples[-1] if began is None else history.memory.get(key), history.since
            )
        except NotACounterError:
            return Arrived(None, {})
        whole += weigh(row) * grown
    return Arrived(None if began is None else whole, memory)


def ratio(indicator: RatioIndicator, identity: Identity, index: Indexed, history: History) -> Grown | Blindness:
    """Growth of every series that is bad, total or error; each is read once, so that they agree."""
    roles: list[dict[str, Row]] = []
    for selector in (indicator.bad, indicator.total, *((indicator.errors,) if indicator.errors else ())):
        rows = _visible(selector, identity, index, history)
        if isinstance(rows, Blindness):
            if not unborn(indicator, selector, rows):
                return rows
            rows = ()
        roles.append({row.key: row for row in rows})
    bad, total, errors = roles[0], roles[1], roles[2] if len(roles) > 2 else {}
    parts, memory, fresh = [], dict[str, tuple[float, float]](), False
    weigh, known, tracked = _weigher(indicator), history.memory, history.tracked
    for key, row in {**total, **bad, **errors}.items():
        name, newest = history.key(row), row.samples[-1]
        before = known.get(name) if tracked else newest
        try:
            grown, memory[name] = growth(row.samples, before, history.since)
        except NotACounterError as error:
            return _not_a_counter(row, error)
        fresh = fresh or before is None or newest[0] > before[0]
        weight = weigh(row)
        new, is_bad = weight * grown, key in bad
        of_bad, of_total, of_errors = new * is_bad, new * (key in total), new * (key in errors)
        parts.append(_part(row.labels, newest[0], is_bad, of_bad, of_total, of_errors, weight))
    return Grown(parts, memory, max([part.newest for part in parts]), fresh)


def _weigher(indicator: RatioIndicator) -> Callable[[Row], float]:
    """How many answers each judged one of a series stands for."""
    weights = indicator.weights
    if weights is None:
        return lambda _: 1.0
    label, known = weights.label, dict(weights.values)
    return lambda row: known.get(row.labels.get(label, ""), 1.0)


def histogram(indicator: LatencyIndicator, identity: Identity, index: Indexed, history: History) -> Grown | Blindness:
    """Bad are the requests over the bound: the count without the bucket that ends there."""
    buckets = _visible(Selector(f"{indicator.histogram}_bucket", indicator.match), identity, index, history)
    counts = _visible(Selector(f"{indicator.histogram}_count", indicator.match), identity, index, history)
    if isinstance(buckets, Blindness):
        return buckets
    if isinstance(counts, Blindness):
        return counts
    within, known = below(buckets, indicator.under), {histogram_of(row) for row in buckets}
    matched = [(row, within[same]) for row in counts if (same := histogram_of(row)) in within]
    if not within or any((same := histogram_of(row)) in known and same not in within for row in counts):
        return no_bucket(indicator.histogram, indicator.under, buckets)
    grown = _pairs(matched, indicator.under, history)
    if isinstance(grown, Grown) and not grown.parts:
        return Blindness(BlindCause.STALE, f"{indicator.histogram}: no bucket and count were read at one instant")
    return grown


def _pairs(matched: Sequence[tuple[Row, list[Row]]], bound: float, history: History) -> Grown | Blindness:
    parts: list[Part] = []
    memory, fresh, newest = dict[str, tuple[float, float]](), False, 0.0
    for count, buckets in matched:
        # Two spellings of one bound follow each other when a server or client is upgraded.
        below_bound = sorted(sample for bucket in buckets for sample in bucket.samples)
        points = paired(count.samples, below_bound)
        if not points:
            continue
        keys = history.key(count), f"{history.owner}: {series_key(count.key, (('le', f'{bound:g}'),))}"
        before = _remembered(keys, history) if history.tracked else points[-1]
        try:
            total, good, (at, *values) = growth_of_pair(points, before, history.since)
        except NotACounterError as error:
            return _not_a_counter(count, error)
        memory.update({key: (at, value) for key, value in zip(keys, values, strict=True)})
        fresh = fresh or before is None or points[-1][0] > before[0]
        newest = max(newest, points[-1][0])
        parts.append(Part(count.labels, points[-1][0], True, max(0.0, total - good), total))
    return Grown(parts, memory, newest, fresh)


def _visible(selector: Selector, identity: Identity, index: Indexed, history: History) -> Sequence[Row] | Blindness:
    rows = find(index, selector, identity)
    if isinstance(rows, Blindness):
        return rows
    old = stale(rows, lambda: said(selector, identity), history.now, history.patience)
    return old or _from_the_future(rows, selector, identity, history) or rows


def _from_the_future(rows: Sequence[Row], selector: Selector, identity: Identity, history: History) -> Blindness | None:
    """After the clock went back by more than staleness, nothing would be newer than the memory, and look quiet."""
    if history.last - history.now <= history.patience:
        return None
    last = max((seen[0] for row in rows if (seen := history.memory.get(history.key(row)))), default=history.now)
    ahead = last - history.now
    if ahead <= history.patience:
        return None
    what = said(selector, identity)
    detail = f"{what} was already read at a time that is {ahead:.0f} s ahead of the clock: the clock went back"
    return Blindness(BlindCause.STALE, f"{detail}; set it right, or wait until it has caught up")


def _remembered(keys: tuple[str, str], history: History) -> Point | None:
    count, part = (history.memory.get(key) for key in keys)
    return None if count is None or part is None else (*count, part[1])


def _not_a_counter(row: Row, error: NotACounterError) -> Blindness:
    detail = f"{row.key} has the value {error}, which no counter can have; look at what exports it"
    return Blindness(BlindCause.QUERY_FAILED, detail)
