"""Raw samples of the past into measured rows, by the very counting that is done live. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from controller.analysis.counting import measure
from controller.analysis.rebuild import Row
from controller.domain.measure import Measurement, SeriesMemory, Snapshot
from controller.domain.names import SloName, VersionName
from controller.domain.rollout import ModelRollout, Version


@dataclass(slots=True)
class Recount:
    """Fed once with the snapshots of a time that begins at `since`; afterwards it knows where the counters stood.

    `memory` is what the next live tick counts from. `seen`: when an SLO of a version could be measured first.
    """

    rollout: ModelRollout
    versions: Sequence[Version]
    since: datetime
    memory: SeriesMemory = field(default_factory=dict)
    seen: dict[tuple[SloName, VersionName], datetime] = field(default_factory=dict)
    _known: dict[SloName, tuple[str, ...]] = field(default_factory=dict)

    def rows(self, shots: Iterable[Snapshot]) -> Iterator[Row]:
        """One row per snapshot. The first one sets the counters' baseline, as the first tick of a run does."""
        for shot in shots:
            yield shot.at, self._row(shot)

    def _row(self, shot: Snapshot) -> tuple[Measurement, ...]:
        spec = self.rollout
        found, self.memory = measure(
            spec.slos,
            self.versions,
            shot,
            self.memory,
            shot.at,
            spec.interval,
            spec.metrics.scrape_interval,
            self._known,
            self.since,
            spec.block,
        )
        for one in found:
            self._learn(one, shot.at)
        return found

    def _learn(self, one: Measurement, at: datetime) -> None:
        if one.blind is not None:
            return
        if one.scenario is None:
            self.seen.setdefault((one.slo, one.version), at)
        elif one.scenario not in (names := self._known.get(one.slo, ())):
            self._known[one.slo] = (*names, one.scenario)

    def all_seen_by(self, at: datetime) -> bool:
        """Could every SLO be measured for every version at `at` already? If not, the server forgot the beginning."""
        wanted = ((slo.name, version.name) for slo in self.rollout.slos for version in self.versions)
        return all((first := self.seen.get(one)) is not None and first <= at for one in wanted)
