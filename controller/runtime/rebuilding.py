"""Evidence out of the measurements that the store kept: for a run that lost it, for a retry that leaves a fault out."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import structlog

from controller.analysis import streams
from controller.analysis.rebuild import Past, Row, Window, rebuilt, rested, spent
from controller.decision.past import past_of
from controller.decision.window import BadWindowError, window_of
from controller.domain.evidence import Evidence
from controller.domain.observation import Rebuilt
from controller.domain.record import StoreUnavailableError
from controller.domain.request import Ask, OperatorRequest
from controller.domain.rollout import ModelRollout, Version
from controller.domain.state import Run
from controller.runtime.book import Held
from controller.runtime.house import House

log = structlog.get_logger("evidence")
PATIENCE = 10.0
"""Seconds for reading and counting: meanwhile this rollout is not judged, so it must end."""
MOST_ENTRIES = 2000
LATE = timedelta(minutes=1)


class _TooLongError(Exception):
    """There is more to count than a pass may wait for."""


def rebuild(held: Held, house: House) -> Rebuilt | None:
    """What is needed of it in this pass, or None: nothing is, or nothing could be read in time."""
    if _is_missing(held):
        return _kept(held, house)
    held.rebuilt = None
    for request in held.inbox:
        if request.ask is Ask.RETRY and request.argument and not held.position.under_way:
            return _retried(held, house, request)
    return None


def _is_missing(held: Held) -> bool:
    run, evidence = held.position.run, held.evidence
    if run is None or not held.position.guarded:
        return False
    return evidence is None or (held.position.under_way and evidence.digest != run.digest)


def _kept(held: Held, house: House) -> Rebuilt | None:
    """The run's evidence; with half of the budget when something of it is missing. Looked for once."""
    run = held.position.run
    assert run is not None
    if held.rebuilt is not None and held.rebuilt[0] == run.id:
        return held.rebuilt[1]
    found = _read(held, house, run, run.spec)
    held.rebuilt = (run.id, found)
    return found


def _read(held: Held, house: House, run: Run, spec: ModelRollout) -> Rebuilt | None:
    fresh = replace(streams.fresh(spec, run.digest), trusted=held.position.trusted)
    past = _past(held, house, run, spec)
    again = _counted(held, house, run, past, fresh) if past else None
    if past is None or again is None or again.whole:
        return again
    return replace(again, evidence=spent(again.evidence, 1 + past.halvings))


def _retried(held: Held, house: House, request: OperatorRequest) -> Rebuilt | None:
    """The last run of the version that is tried again, without the time of the fault."""
    spec, run = held.spec.spec, held.position.run
    target: Version | None = spec.find(spec.version) if spec else None
    if spec is None or run is None or target is None or target.digest != run.digest:
        return None
    try:
        window = window_of(request.argument, house.clock.now())
    except BadWindowError:
        return None
    past = _past(held, house, run, spec)
    base = streams.halved(held.evidence, spec, target.digest)
    again = _counted(held, house, run, past, base, window) if past else None
    if again is None or again.counted == 0:
        return None
    return replace(again, evidence=rested(again.evidence), request=request.id)


def _past(held: Held, house: House, run: Run, spec: ModelRollout) -> Past | None:
    try:
        return past_of(run, house.store.journal(held.key, MOST_ENTRIES), spec)
    except StoreUnavailableError as error:
        house.health.trouble("store", str(error))
        return None


def _counted(
    held: Held, house: House, run: Run, past: Past, base: Evidence, window: Window | None = None
) -> Rebuilt | None:
    try:
        return rebuilt(base, _rows(held, house, run), past, window)
    except StoreUnavailableError as error:
        house.health.trouble("store", str(error))
    except _TooLongError:
        log.warning("evidence_not_rebuilt", rollout=str(held.key), why=f"it would take longer than {PATIENCE:g} s")
    return None


def _rows(held: Held, house: House, run: Run) -> Iterator[Row]:
    """What was measured since the run began, as long as there is time for it."""
    end = house.clock.monotonic() + PATIENCE
    for row in house.store.measurements(held.key, run.started_at, house.clock.now() + LATE):
        if house.clock.monotonic() > end:
            raise _TooLongError
        yield row
