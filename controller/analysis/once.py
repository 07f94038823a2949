"""One user, one bad answer: of each value of a label at most one counts in any span as long as a block. Pure.

Who counted lately is remembered beside the counters. Counted this way it does not matter where blocks begin: two that
count are at least a block apart, so no block holds both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import fsum

from controller.analysis.growing import Part
from controller.domain.measure import SeriesMemory

SIGN = "once per "
EARLY = 0.5
"""Nominal ticks by which a tick may come early and still be the first one of another block."""


@dataclass(frozen=True, slots=True)
class Once:
    """At most one bad answer per value of `label`, in the tick at `now` and in those less than `span` seconds before.

    `span` 0: in the tick alone. `learned` is what is to be remembered, after `bad` was asked.
    """

    label: str
    owner: str
    memory: SeriesMemory
    now: float
    span: float = 0.0
    learned: dict[str, tuple[float, float]] = field(default_factory=dict)

    def bad(self, parts: Sequence[Part], where: str | None = None) -> float:
        """Bad answers of a tick: of each user the one that stands for most, less what counted already in the block.

        What has no such label counts in full: nobody's bad answers are hidden behind those of somebody else. `where`
        names what is counted, each by itself: a scenario, or None for the whole.
        """
        groups: dict[str, list[Part]] = {}
        for part in parts:
            if part.bad > 0:
                groups.setdefault(part.labels.get(self.label, ""), []).append(part)
        unnamed = fsum([part.bad for part in groups.pop("", ())])
        return fsum([unnamed, *(self._more(where, user, _once(group)) for user, group in groups.items())])

    def _more(self, where: str | None, user: str, bad: float) -> float:
        if not self.span:
            return bad
        key = f"{self.owner}: {SIGN}{self.label}: {where!r}: {user}"
        began, counted = self.memory.get(key, (-self.span, 0.0))
        if self.now - began >= self.span or began > self.now:
            began, counted = self.now, 0.0
        self.learned[key] = (began, max(counted, bad))
        return max(0.0, bad - counted)


def _once(parts: Sequence[Part]) -> float:
    return min(fsum([part.bad for part in parts]), max(part.weight for part in parts))


def without_old(memory: SeriesMemory, now: float, span: float) -> SeriesMemory:
    """The memory without those whose block is over."""
    return dict(_kept(memory, now - span)) if span else memory


def _kept(memory: SeriesMemory, oldest: float) -> Iterator[tuple[str, tuple[float, float]]]:
    for key, seen in memory.items():
        if f": {SIGN}" not in key or seen[0] > oldest:
            yield key, seen
