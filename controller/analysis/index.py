"""One snapshot, sorted once: which series of a family have which label values. Shared by every rollout of a sampler."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from controller.domain.measure import FamilyReading, Labels, Snapshot, ValueReading
from controller.domain.slo import Matcher

Sample = tuple[float, float]
Postings = dict[str, set[int]]
"""Per value of a label, which rows of the family have it: numbers, because sets of them intersect fastest."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One series. `key` names it (metric and labels) in the counters' memory."""

    key: str
    labels: dict[str, str]
    samples: tuple[Sample, ...]

    @property
    def newest(self) -> float:
        """When it was last sampled, in unix seconds."""
        return self.samples[-1][0]


def series_key(metric: str, labels: Labels) -> str:
    """The series as people write it; no two series have the same key."""
    inside = ",".join([f'{name}="{_quoted(value)}"' for name, value in labels])
    return f"{metric}{{{inside}}}"


def _quoted(value: str) -> str:
    if '"' in value or "\\" in value:
        return value.replace("\\", "\\\\").replace('"', '\\"')
    return value


class Indexed:
    """A snapshot with its index. Parts are built when first asked for; asking from several threads is harmless."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._rows: dict[str, list[Row]] = {}
        self._postings: dict[tuple[str, str], Postings] = {}

    def reading(self, metric: str) -> FamilyReading | None:
        """What the server answered about a family; None when it was not asked."""
        return self.snapshot.families.get(metric)

    def value(self, query: str) -> ValueReading | None:
        """What the server answered to a query; None when it was not asked."""
        return self.snapshot.values.get(query)

    def family(self, metric: str) -> Sequence[Row]:
        """All series of a family that have samples."""
        rows = self._rows.get(metric)
        if rows is None:
            reading = self.reading(metric)
            found = reading.series if reading else ()
            rows = [Row(series_key(metric, one.labels), dict(one.labels), one.samples) for one in found if one.samples]
            self._rows[metric] = rows
        return rows

    def rows(self, metric: str, match: Sequence[Matcher]) -> Sequence[Row]:
        """The series of a family that fulfil every matcher; a label that a series lacks has the value ""."""
        if not match:
            return self.family(metric)
        narrowest, *others = sorted([self._holding(metric, one) for one in match], key=_size)
        found = _any_of(narrowest)
        for sets in others:
            found = found & sets[0] if len(sets) == 1 else _any_of([found & one for one in sets])
        rows = self.family(metric)
        return [rows[number] for number in sorted(found)]

    def values(self, metric: str, label: str) -> tuple[str, ...]:
        """The values a label has in a family, sorted; "" stands for series without it."""
        return tuple(sorted(self._by(metric, label)))

    def prepare(self, metric: str, labels: Iterable[str]) -> None:
        """Build what `rows` needs for these labels now: else several threads build it at the same time."""
        for label in labels:
            self._by(metric, label)

    def _holding(self, metric: str, matcher: Matcher) -> list[set[int]]:
        postings = self._by(metric, matcher.label)
        return [postings[value] for value in matcher.values if value in postings]

    def _by(self, metric: str, label: str) -> Postings:
        postings = self._postings.get((metric, label))
        if postings is None:
            postings = {}
            for number, row in enumerate(self.family(metric)):
                postings.setdefault(row.labels.get(label, ""), set()).add(number)
            self._postings[metric, label] = postings
        return postings


def _any_of(sets: Sequence[set[int]]) -> set[int]:
    """Not to be changed: it may be the only one of `sets` itself."""
    return sets[0] if len(sets) == 1 else set().union(*sets)


def _size(sets: Sequence[set[int]]) -> int:
    return sum(map(len, sets))
