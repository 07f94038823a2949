"""Strategies for whole nouns, drawn from their type hints: small, and with every field in play."""

import dataclasses
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from controller.domain.traffic import Split

_PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63),
    float: st.floats(allow_nan=False) | st.sampled_from([-math.inf, math.inf, -0.0, -1e300, 5e-324, 0.1 + 0.2]),
    # `fold` says nothing in UTC.
    datetime: st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(fold=0)),
    timedelta: st.timedeltas(),
    NoneType: st.none(),
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a noun's type."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind is Split:
        return _splits()
    if isinstance(kind, NewType):
        return values_of(kind.__supertype__)
    if dataclasses.is_dataclass(kind):
        return _nouns(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    return _generic(get_origin(kind), get_args(kind))


def _nouns(kind: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: values_of(hints[field.name]) for field in dataclasses.fields(kind)})


def _generic(origin: Any, inner: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin in (Union, UnionType):
        return st.one_of([values_of(one) for one in inner])
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is Mapping:
        return st.dictionaries(values_of(inner[0]), values_of(inner[1]), max_size=2)
    assert origin is tuple, f"no strategy for {origin}"
    if inner[-1] is Ellipsis:
        return st.lists(values_of(inner[0]), max_size=2).map(tuple)
    return st.tuples(*(values_of(one) for one in inner))


@st.composite
def _splits(draw: st.DrawFn) -> Split:
    """A split checks itself: not every combination of its fields is one."""
    percent, headers = st.integers(0, 100), st.lists(st.tuples(_PLAIN[str], _PLAIN[str]), max_size=2)
    stable, candidate = draw(st.lists(_PLAIN[str], min_size=2, max_size=2, unique=True))
    if draw(st.booleans()):
        return Split(stable)
    return Split(stable, candidate, draw(percent), draw(percent), tuple(draw(headers)))
