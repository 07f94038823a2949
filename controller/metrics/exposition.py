"""The text of a `/metrics` page into samples: text format 0.0.4 and OpenMetrics.

The door to prometheus-client's parsers.
"""

import re
from collections.abc import Collection, Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.samples import Sample

from controller.domain.measure import Labels

OPENMETRICS = "application/openmetrics-text"
TEXT = "text/plain"
ACCEPT = f"{TEXT};version=0.0.4, {OPENMETRICS};version=1.0.0;q=0.5"

Found = dict[str, dict[Labels, tuple[float | None, float]]]
"""Per metric and labels: the timestamp on the page in unix seconds, if it has one, and the value."""

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_OTHER_SAMPLE = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})?\s+[-+0-9.eEinfINFnaNA_]+(\s+-?\d+)?\s*")


class PageError(Exception):
    """The page cannot be read whole: says what is wrong with it."""


def read_page(text: str, kind: str, wanted: Collection[str]) -> Found:
    """The samples of the wanted metrics. The rest of the page is only looked over. Raises PageError."""
    if kind not in (TEXT, OPENMETRICS, ""):
        raise PageError(f"it is of type {kind}, not a page of metrics")
    found: Found = {}
    try:
        for sample in _openmetrics(text) if kind == OPENMETRICS else _text(text, wanted):
            if sample.name in wanted:
                _add(found, sample)
    except PageError:
        raise
    except Exception as error:  # the parsers raise ValueError, IndexError, KeyError... for bad text
        raise PageError(f"it is not in the exposition format: {str(error)[:120] or type(error).__name__}") from error
    return found


def read_samples(page: str) -> Iterator[tuple[str, Labels, float]]:
    """Every sample of a page in the text format: metric, labels, value. Raises ValueError."""
    names = {found.group() for line in page.split("\n") if (found := _NAME.match(line.strip()))}
    for sample in _text(page, names):
        yield sample.name, tuple(sorted(sample.labels.items())), float(sample.value)


def _add(found: Found, sample: Sample) -> None:
    labels = tuple(sorted(sample.labels.items()))
    series = found.setdefault(sample.name, {})
    if labels in series:
        raise PageError(f"it has a series of {sample.name} twice")
    at = float(sample.timestamp) if sample.timestamp is not None else None
    series[labels] = (at, float(sample.value))


def _openmetrics(text: str) -> Iterator[Sample]:
    families: Iterable[Metric] = parse_openmetrics(text)  # type: ignore[no-untyped-call]  # no types there
    for family in families:
        yield from family.samples


def _text(text: str, wanted: Collection[str]) -> Iterator[Sample]:
    """Without comment lines, because the parser renames counters that its types know; only what is wanted is parsed."""
    for family in parse_text("\n".join(_wanted_lines(text.split("\n"), wanted))):
        yield from family.samples


def _wanted_lines(lines: Iterable[str], wanted: Collection[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name = _NAME.match(line)
        if line.startswith("{") or (name is not None and name.group() in wanted):
            yield line
        elif not _OTHER_SAMPLE.fullmatch(line):
            raise PageError(f"line {number} is no sample")
