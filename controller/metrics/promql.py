"""PromQL text: checking and filling templates, and writing the selector of one family. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from controller.analysis.asking import fill, quote, regex
from controller.domain.measure import FamilyAsk
from controller.domain.slo import Matcher
from controller.spec.promql_text import template_problem

__all__ = ["chunks", "fill", "selector", "validate_template"]

LONGEST = 8192
"""Bytes of label values in one query that every server takes; more may have to be asked for in several."""

_PLAIN_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_PLAIN_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def validate_template(query: str) -> str | None:
    """What is wrong with a query that holds `{{version}}`, and what to do; None when it is safe to fill in."""
    found = template_problem(query)
    if found is None:
        return None
    problem, hint = found
    return f"{problem}: {hint}" if hint else problem


def selector(ask: FamilyAsk) -> str:
    """The ask as a PromQL vector selector."""
    conditions = [_condition(one) for one in ask.match]
    if _PLAIN_METRIC.fullmatch(ask.metric):
        return f"{ask.metric}{{{','.join(conditions)}}}"
    return f'{{__name__="{quote(ask.metric)}"{"".join("," + one for one in conditions)}}}'


def chunks(ask: FamilyAsk, longest: int = LONGEST) -> Iterator[FamilyAsk]:
    """The ask in parts that are disjoint, together the same, and each short enough for one query."""
    if not ask.match:
        yield ask
        return
    widest = max(ask.match, key=lambda one: _size(one.values))
    others = sum(_size(one.values) for one in ask.match if one is not widest)
    for values in _packed(widest.values, max(longest - others, longest // 4)):
        match = tuple(replace(one, values=values) if one is widest else one for one in ask.match)
        yield replace(ask, match=match)


def _condition(one: Matcher) -> str:
    label = one.label if _PLAIN_LABEL.fullmatch(one.label) else f'"{quote(one.label)}"'
    if len(one.values) == 1:
        return f'{label}="{quote(one.values[0])}"'
    return f'{label}=~"{quote(regex(one.values))}"'


def _size(values: Sequence[str]) -> int:
    return len(quote(regex(values)).encode())


def _packed(values: Sequence[str], room: int) -> Iterator[tuple[str, ...]]:
    taken: list[str] = []
    used = 0
    for value in values:
        size = _size((value,)) + 1
        if taken and used + size > room:
            yield tuple(taken)
            taken, used = [], 0
        taken.append(value)
        used += size
    yield tuple(taken)
