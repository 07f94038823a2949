"""Snapshots of the past into the frames of a replay, by the very counting that is done live. Pure."""

from collections.abc import Iterable, Iterator

from controller.analysis.counting import measure
from controller.decision.replay import Frame
from controller.domain.measure import Measurement, SeriesMemory, Snapshot
from controller.domain.names import SloName, VersionName
from controller.domain.rollout import ModelRollout


def recount(rollout: ModelRollout, stable: VersionName, snapshots: Iterable[Snapshot]) -> Iterator[Frame]:
    """One frame per snapshot. The first one sets the counters' baseline, as the first tick of a run does."""
    versions = [one for name in (stable, rollout.version) if (one := rollout.find(name)) is not None]
    scrapes = rollout.metrics.scrape_interval
    memory: SeriesMemory = {}
    known: dict[SloName, tuple[str, ...]] = {}
    since = None
    for shot in snapshots:
        since = since or shot.at - rollout.interval
        found, memory = measure(
            rollout.slos, versions, shot, memory, shot.at, rollout.interval, scrapes, known, since, rollout.block
        )
        _learn(known, found)
        yield Frame(shot.at, found)


def _learn(known: dict[SloName, tuple[str, ...]], found: Iterable[Measurement]) -> None:
    for one in found:
        names = known.get(one.slo, ())
        if one.scenario is not None and one.blind is None and one.scenario not in names:
            known[one.slo] = (*names, one.scenario)
