"""Answers that `zeroTolerance` forbids, by raw counters alone: enough to say whose pass goes first. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from controller.analysis.asking import of_version
from controller.analysis.index import Indexed
from controller.domain.rollout import Version
from controller.domain.slo import Matcher, RatioIndicator, Slo


@dataclass(frozen=True, slots=True)
class Forbidden:
    """The series that count forbidden answers of one version: `match`, and one of `values` of `label`."""

    metric: str
    match: tuple[Matcher, ...]
    label: str
    values: frozenset[str]


def forbidden(slos: Iterable[Slo], version: Version) -> tuple[Forbidden, ...]:
    """What to look at for a version; nothing where nothing is forbidden."""
    return tuple(_of(slos, version))


def _of(slos: Iterable[Slo], version: Version) -> Iterator[Forbidden]:
    for slo in slos:
        if isinstance(slo.indicator, RatioIndicator) and slo.scenarios and slo.scenarios.zero_tolerance:
            bad, values = slo.indicator.bad, frozenset(slo.scenarios.zero_tolerance)
            yield Forbidden(bad.metric, of_version(bad, version.identity), slo.scenarios.label, values)


def total(index: Indexed, wanted: Sequence[Forbidden]) -> float:
    """The sum of their counters as they stand: it grows with every forbidden answer, and falls when one restarts."""
    return sum(
        row.samples[-1][1]
        for one in wanted
        for row in index.rows(one.metric, one.match)
        if row.labels.get(one.label, "") in one.values
    )
