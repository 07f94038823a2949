"""Evidence that was lost or is to leave a fault out: begun by a pass, counted beside the passes, given up in time."""

from collections.abc import Callable
from dataclasses import replace

import structlog

from controller.analysis import streams
from controller.analysis.rebuild import rested
from controller.decision.window import BadWindowError, window_of
from controller.domain.observation import Rebuilt
from controller.domain.request import Ask, OperatorRequest
from controller.domain.rollout import Version
from controller.runtime import counting_anew
from controller.runtime.background import Background
from controller.runtime.book import Held
from controller.runtime.house import House

log = structlog.get_logger("evidence")
PATIENCE = 10.0
"""Seconds for reading and counting: meanwhile this rollout is not judged, so it must end."""
AT_ONCE = 1.0
"""Seconds that the pass waits which begins it: most of the time that is enough."""


def rebuild(held: Held, house: House) -> Rebuilt | None:
    """What is needed of it in this pass, or None: nothing is, it is being counted, or it could not be in time."""
    if _is_missing(held):
        return _of_run(held, house)
    if held.recorded is not None:
        return _of_target(held, house)
    held.rebuilt, held.rebuilding = None, None
    for request in held.inbox:
        if request.ask is Ask.RETRY and request.argument and not held.position.under_way:
            return _retried(held, house, request)
    return None


def _is_missing(held: Held) -> bool:
    run, evidence = held.position.run, held.evidence
    if run is None or not held.position.guarded:
        return False
    return evidence is None or (held.position.under_way and evidence.digest != run.digest)


def _of_run(held: Held, house: House) -> Rebuilt | None:
    """The run's evidence; with half of the budget when something of it is missing."""
    run, key, trusted = held.position.run, held.key, held.position.trusted
    assert run is not None
    return _once(held, house, run.id, lambda: counting_anew.of_run(house, key, run, trusted, PATIENCE))


def _of_target(held: Held, house: House) -> Rebuilt | None:
    """What the server remembers of the version that is tried next, when nobody knows of the runs before."""
    spec, recorded = held.spec.spec, held.recorded
    target = spec.find(spec.version) if spec else None
    if spec is None or recorded is None or target is None or target.name == recorded.stable:
        return None
    stable = recorded.stable
    name = f"before {target.digest}"
    return _once(held, house, name, lambda: counting_anew.of_target(house, spec, stable, target, PATIENCE))


def _once(held: Held, house: House, name: str, count: Callable[[], Rebuilt | None]) -> Rebuilt | None:
    """Begun in the first pass that asks, looked at in later ones, given up when it takes too long."""
    if held.rebuilt is not None and held.rebuilt[0] == name:
        return held.rebuilt[1]
    if held.rebuilding is None or held.rebuilding[0] != name:
        held.rebuilding = (name, Background(f"count {held.key}", count, house.clock))
        held.rebuilding[1].wait(AT_ONCE)
    task = held.rebuilding[1]
    if not task.over and task.age <= PATIENCE:
        return None
    if not task.over:
        log.warning("evidence_not_rebuilt", rollout=str(held.key), why=f"it took longer than {PATIENCE:g} s")
    held.rebuilt, held.rebuilding = (name, task.answer), None
    return task.answer


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
    base = streams.halved(held.evidence, spec, target.digest)
    again = counting_anew.of_rows(house, held.key, run, spec, base, PATIENCE, window)
    if again is None or again.counted == 0:
        return None
    return replace(again, evidence=rested(again.evidence), request=request.id)
