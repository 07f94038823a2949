"""What a Prometheus answer says, once it is JSON: series or one value, or why it is not to be trusted. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.domain.measure import Series

HARMLESS = "metric might not be a counter"
"""An info about a name's spelling; nothing is missing from the answer."""


class AnswerError(Exception):
    """The server answered, but not with what was asked for, or not with all of it."""


def series_of(envelope: Mapping[str, Any]) -> tuple[Series, ...]:
    """The series of a range selector. Raises AnswerError."""
    return tuple(_series(one) for one in _result(envelope, "matrix"))


def value_of(envelope: Mapping[str, Any]) -> float:
    """The one value of an expression. Raises AnswerError."""
    data = envelope.get("data")
    if isinstance(data, dict) and data.get("resultType") == "scalar":
        return _number(_result(envelope, "scalar"))
    found = _result(envelope, "vector")
    if not found:
        raise AnswerError("no series came back; exactly one is needed: check the metric's name and its labels")
    if len(found) > 1:
        raise AnswerError(f"{len(found)} series came back; exactly one is needed: aggregate them, for example sum(...)")
    sample = found[0].get("value") if isinstance(found[0], dict) else None
    if sample is None:
        raise AnswerError("the answer is a native histogram, not a value: take histogram_quantile(...) of it")
    return _number(sample)


def _result(envelope: Mapping[str, Any], wanted: str) -> Sequence[Any]:
    doubts = [*_texts(envelope, "warnings"), *(text for text in _texts(envelope, "infos") if HARMLESS not in text)]
    if doubts:
        raise AnswerError(f"partial: {'; '.join(doubts)[:500]}")
    data = envelope.get("data")
    kind = data.get("resultType") if isinstance(data, dict) else None
    if envelope.get("status") != "success" or kind != wanted or not isinstance(data, dict):
        raise AnswerError(f"the answer is of type {kind}, not {wanted}: check the query and the server")
    result = data.get("result")
    if not isinstance(result, list):
        raise AnswerError("the answer has no list of results: is this the address of a Prometheus server's API?")
    return result


def _texts(envelope: Mapping[str, Any], name: str) -> list[str]:
    found = envelope.get(name) or []
    return [str(one) for one in found] if isinstance(found, list) else [str(found)]


def _series(one: Any) -> Series:
    try:
        labels = [label for label in one["metric"].items() if label[0] != "__name__"]
        labels.sort()
        if "histograms" in one:
            raise AnswerError("the series are native histograms: let the server keep classic buckets too")
        return Series(tuple(labels), tuple([(float(at), float(value)) for at, value in one["values"]]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnswerError("a series of the answer cannot be read: is this a Prometheus server?") from error


def _number(sample: Any) -> float:
    try:
        _, value = sample
        return float(value)
    except (TypeError, ValueError) as error:
        raise AnswerError("the value of the answer cannot be read: is this a Prometheus server?") from error
