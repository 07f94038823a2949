"""What a run's evidence was: out of the measurements that the store kept, else out of the metric server's history."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain

import structlog

from controller.analysis import streams
from controller.analysis.asking import asks
from controller.analysis.rebuild import Past, Row, Window, answers_in, rebuilt, rested, spent
from controller.analysis.recounting import Recount
from controller.decision.past import past_of, past_unknown
from controller.domain.evidence import Evidence
from controller.domain.measure import Snapshot
from controller.domain.names import RolloutKey, VersionName
from controller.domain.observation import Rebuilt
from controller.domain.record import StoreUnavailableError
from controller.domain.rollout import ModelRollout, Version
from controller.domain.state import Run
from controller.metrics.history import snapshots
from controller.metrics.http import AskFailedError
from controller.runtime.house import House
from controller.runtime.watch import versions_of

log = structlog.get_logger("evidence")
MOST_ENTRIES = 2000
LATE = timedelta(minutes=1)
LONGEST_BEFORE = timedelta(hours=24)
"""How far back the server is asked where nobody knows when the run before began."""


class TooLongError(Exception):
    """There is more to count than this rollout may go without a guard."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when, on the steady clock, somebody waits."""

    clock: Callable[[], float]
    end: float

    def check(self) -> None:
        """Raises TooLongError when nobody waits any more."""
        if self.clock() > self.end:
            raise TooLongError

    @property
    def left(self) -> timedelta:
        """Never nothing: a request needs some time."""
        return timedelta(seconds=max(0.1, self.end - self.clock()))


def of_run(house: House, key: RolloutKey, run: Run, trusted: bool, patience: float) -> Rebuilt | None:
    """The evidence of a run that is under way or was promoted, or None when nothing is left of it.

    What was kept is taken when it is all there; else what gives more of it. Half of the budget unless it is whole.
    """
    until = deadline(house, patience)
    past = _past(house, key, run, run.spec)
    fresh = replace(streams.fresh(run.spec, run.digest), trusted=trusted)
    kept = _counted(house, key, run, past, fresh, until) if past else None
    if kept is not None and kept.whole:
        return _going_on(kept, run, until)
    known = past or past_of(run, ())
    found = _from_history(house, run, known, fresh, until)
    best = max((one for one in (found, kept) if one is not None), key=_richness, default=None)
    if run.loaded_at is None and (best is None or not answers_in(best.evidence)):
        # A run that stands in for one whose position was lost: what is known is older than it.
        before = _before(house, run, until)
        if before is not None:
            return before
    return best and _paid(best, known)


def _before(house: House, run: Run, until: Deadline) -> Rebuilt | None:
    target = run.spec.find(run.candidate)
    return of_target(house, run.spec, run.stable, target, until.left.total_seconds()) if target else None


def of_rows(
    house: House, key: RolloutKey, run: Run, spec: ModelRollout, base: Evidence, patience: float, without: Window
) -> Rebuilt | None:
    """The kept measurements of `run` on top of `base`, judged by `spec`, but for those that touch `without`."""
    past = _past(house, key, run, spec)
    return _counted(house, key, run, past, base, deadline(house, patience), without) if past else None


def of_target(
    house: House, spec: ModelRollout, stable: VersionName, target: Version, patience: float
) -> Rebuilt | None:
    """What the server remembers of a version before anything that we know: evidence against it, never a proof."""
    until, now = deadline(house, patience), house.clock.now()
    since = now - min(spec.horizon * spec.interval, LONGEST_BEFORE)
    versions = tuple(one for one in (spec.find(stable), target) if one is not None)
    past = past_unknown(spec, stable, target.name, since)
    found = _history(house, spec, versions, past, streams.fresh(spec, target.digest), (since, since), until)
    if found is None or not answers_in(found.evidence):
        return None
    found = _paid(found, past)
    return replace(found, evidence=rested(found.evidence))


def deadline(house: House, patience: float) -> Deadline:
    """From now on."""
    return Deadline(house.clock.monotonic, house.clock.monotonic() + patience)


def _paid(again: Rebuilt, past: Past) -> Rebuilt:
    """What is not whole costs half of what was left of the budget."""
    return again if again.whole else replace(again, evidence=spent(again.evidence, 1 + past.halvings))


def _richness(again: Rebuilt) -> tuple[bool, float]:
    return again.whole, answers_in(again.evidence)


def _past(house: House, key: RolloutKey, run: Run, spec: ModelRollout) -> Past | None:
    try:
        return past_of(run, house.store.journal(key, MOST_ENTRIES), spec)
    except StoreUnavailableError as error:
        house.health.trouble("store", str(error))
        return None


def _counted(
    house: House, key: RolloutKey, run: Run, past: Past, base: Evidence, until: Deadline, without: Window | None = None
) -> Rebuilt | None:
    try:
        return rebuilt(base, _rows(house, key, run, until), past, without)
    except StoreUnavailableError as error:
        house.health.trouble("store", str(error))
    except TooLongError:
        log.warning("evidence_not_rebuilt", rollout=str(key), why="reading what was kept takes too long")
    return None


def _rows(house: House, key: RolloutKey, run: Run, until: Deadline) -> Iterator[Row]:
    """What was measured since the run began, as long as there is time for it."""
    for row in house.store.measurements(key, run.started_at, house.clock.now() + LATE):
        until.check()
        yield row


def _from_history(house: House, run: Run, past: Past, base: Evidence, until: Deadline) -> Rebuilt | None:
    """From the run's begin, then at the instants at which a daemon that went on without a pause would have looked."""
    first = run.started_at + (_a_tick(run, past) - run.started_at) % run.spec.interval
    return _history(house, run.spec, versions_of(run.spec, run), past, base, (run.started_at, first), until)


def _a_tick(run: Run, past: Past) -> datetime:
    """When a tick is known to have been: a stage is only left at one."""
    left = [mark.at for mark in past.marks if mark.begins][1:]
    return left[-1] if left else run.started_at


def _history(
    house: House,
    spec: ModelRollout,
    versions: tuple[Version, ...],
    past: Past,
    base: Evidence,
    since: tuple[datetime, datetime],
    until: Deadline,
) -> Rebuilt | None:
    """Counted from the raw samples of a Prometheus up to now. None where there is no such server.

    `since` is where counting begins, and the first tick after it.
    """
    if spec.metrics.provider != "prometheus":
        return None
    begin, first = since
    recount = Recount(spec, versions, begin)
    try:
        baseline = _shots(spec, versions, begin, begin, until) if begin < first else ()
        shots = chain(baseline, _shots(spec, versions, first, house.clock.now(), until))
        found = rebuilt(base, recount.rows(shots), past)
    except AskFailedError as error:
        log.warning("history_not_read", rollout=str(spec.key), why=str(error))
        return None
    except TooLongError:
        log.warning("evidence_not_rebuilt", rollout=str(spec.key), why="counting the server's history takes too long")
        return None
    entered = next((mark.at for mark in past.marks if mark.begins), house.clock.now())
    whole = found.whole and recount.all_seen_by(entered + spec.interval)
    return replace(found, evidence=replace(found.evidence, series=recount.memory), whole=whole, source="history")


def _shots(
    spec: ModelRollout, versions: tuple[Version, ...], since: datetime, now: datetime, until: Deadline
) -> Iterator[Snapshot]:
    server = replace(spec.metrics, timeout=min(spec.metrics.timeout, until.left))
    for shot in snapshots(server, asks(spec, versions), since, now, spec.interval):
        until.check()
        yield shot


def _going_on(kept: Rebuilt, run: Run, until: Deadline) -> Rebuilt:
    """Where the counters stood at the last kept measurement, so that what came after it is counted too."""
    at = kept.evidence.measured_at
    if at is None or run.spec.metrics.provider != "prometheus":
        return kept
    versions = versions_of(run.spec, run)
    recount = Recount(run.spec, versions, run.started_at)
    try:
        for _ in recount.rows(_shots(run.spec, versions, at, at, until)):
            pass
    except (AskFailedError, TooLongError) as error:
        log.warning("history_not_read", rollout=str(run.spec.key), why=str(error) or "it takes too long")
        return kept
    return replace(kept, evidence=replace(kept.evidence, series=recount.memory))
