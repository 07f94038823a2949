"""Finding the series of one version, or saying in one sentence what was looked for and what is there instead. Pure."""

from collections.abc import Callable, Iterable, Sequence
from math import isclose

from controller.analysis.index import Indexed, Row
from controller.domain.measure import BlindCause, Blindness
from controller.domain.rollout import Identity
from controller.domain.slo import Absent, Matcher, RatioIndicator, Selector

SHOWN = 10
"""Values named in a message before it says how many more there are."""
ROUNDED = 5e-7
"""Seconds by which a bound may be off: a spec tells it to the microsecond, and some servers compute theirs."""


def find(index: Indexed, selector: Selector, identity: Identity) -> Sequence[Row] | Blindness:
    """The series of a selector that belong to one version, or why there are none."""
    reading = index.reading(selector.metric)
    if reading is None:
        return Blindness(BlindCause.QUERY_FAILED, f"{selector.metric} was not asked for in this tick")
    if reading.problem is not None:
        return Blindness(BlindCause.QUERY_FAILED, f"{selector.metric}: {reading.problem}")
    rows = index.rows(selector.metric, (*selector.match, Matcher(identity.label, (identity.value,))))
    return rows or _absence(index, selector, identity)


def unborn(indicator: RatioIndicator, selector: Selector, why: Blindness) -> bool:
    """Is it no unknown that there are none: does the first thing that goes wrong create its series?"""
    return indicator.absent is Absent.ZERO and why.cause is BlindCause.ABSENT and selector != indicator.total


def stale(rows: Iterable[Row], what: Callable[[], str], now: float, limit: float) -> Blindness | None:
    """Blindness when the newest of these samples is more than `limit` seconds old. `now` in unix seconds."""
    age = now - max([row.samples[-1][0] for row in rows])
    if age <= limit:
        return None
    detail = f"the newest sample of {what()} is {age:.0f} s old; allowed: {limit:.0f} s (three scrapes)"
    hint = "check that its target is scraped, that scrapeInterval is right, and that the clocks agree"
    return Blindness(BlindCause.STALE, f"{detail}; {hint}")


def said(selector: Selector, identity: Identity | None = None) -> str:
    """The selector as people write it."""
    match = (*selector.match, *((Matcher(identity.label, (identity.value,)),) if identity else ()))
    return f"{selector.metric}{{{', '.join(_condition(one) for one in match)}}}"


def listed(values: Sequence[str]) -> str:
    """The first values of many."""
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return ", ".join(value or '""' for value in values[:SHOWN]) + more


def below(rows: Sequence[Row], bound: float) -> dict[frozenset[tuple[str, str]], list[Row]]:
    """The buckets that end at `bound`, by the series of the histogram; `le` is compared as a number."""
    found: dict[frozenset[tuple[str, str]], list[Row]] = {}
    for row in rows:
        if _is_bound(row.labels.get("le", ""), bound):
            found.setdefault(histogram_of(row), []).append(row)
    return found


def histogram_of(row: Row) -> frozenset[tuple[str, str]]:
    """What a bucket and the count of the same histogram have in common."""
    return frozenset(item for item in row.labels.items() if item[0] != "le")


def no_bucket(metric: str, bound: float, rows: Sequence[Row]) -> Blindness:
    """The bound is not measured: which ones are?"""
    ends = sorted({end for row in rows if (end := _number(row.labels.get("le", ""))) is not None})
    buckets = ", ".join(f"{round(end, 6):.12g}" for end in ends)
    return Blindness(
        BlindCause.ABSENT, f"{bound:g} is no bucket bound of {metric}; the buckets are {buckets or 'none'}"
    )


def _is_bound(text: str, bound: float) -> bool:
    number = _number(text)
    return number is not None and isclose(number, bound, rel_tol=1e-9, abs_tol=ROUNDED)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _absence(index: Indexed, selector: Selector, identity: Identity) -> Blindness:
    metric, label = selector.metric, identity.label
    if not index.family(metric):
        detail = f"there is no series of {said(selector, identity)}"
        hint = "check the metric's name, and that its target is scraped and up"
        return Blindness(BlindCause.ABSENT, f"{detail}; {hint}")
    others = index.rows(metric, selector.match)
    if not others:
        return Blindness(BlindCause.ABSENT, f"there is no series of {said(selector)}; {_what_differs(index, selector)}")
    values = sorted({row.labels.get(label, "") for row in others})
    if values == [""]:
        names = sorted({name for row in others for name in row.labels})
        detail = f"no series of {said(selector)} has the label `{label}`; its labels are {listed(names)}"
        return Blindness(BlindCause.IDENTITY_LOST, detail)
    there = listed([value for value in values if value])
    what = f'no series of {said(selector)} has {label}="{identity.value}"'
    return Blindness(BlindCause.ABSENT, f"{what}; the label `{label}` has the values {there}")


def _what_differs(index: Indexed, selector: Selector) -> str:
    for one in selector.match:
        values = index.values(selector.metric, one.label)
        if not set(values) & set(one.values):
            there = listed([value for value in values if value])
            return f"the label `{one.label}` has the values {there}" if there else f"there is no label `{one.label}`"
    return "each of these values exists, but no series has all of them"


def _condition(one: Matcher) -> str:
    if len(one.values) == 1:
        return f'{one.label}="{one.values[0]}"'
    return f"{one.label} in {'|'.join(one.values)}"
