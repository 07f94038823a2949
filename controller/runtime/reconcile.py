"""The one pass: observe, judge, decide, persist, execute, record. Nothing flows back but by being observed again."""

from datetime import timedelta

import structlog

from controller.decision.tick import tick
from controller.domain.decision import Decision
from controller.domain.names import RolloutKey
from controller.domain.observation import Observation
from controller.domain.record import StaleWriteError, StoreUnavailableError
from controller.domain.state import Phase
from controller.domain.traffic import RouterUnavailableError, RouteSeen
from controller.runtime.book import Held
from controller.runtime.house import House
from controller.runtime.observe import observe
from controller.runtime.persist import Saved
from controller.runtime.record import alerts_of, record_of, tell

log = structlog.get_logger("rollout")
RETRY = timedelta(seconds=1)


def reconcile(key: RolloutKey, house: House) -> timedelta | None:
    """Pass over one rollout; returns when to look again, None for an unknown one."""
    held = house.book.get(key)
    if held is None:
        return None
    with held.lock:
        began = house.clock.monotonic()
        seen = observe(held, house)
        decision = tick(held.position, held.evidence, seen)
        revisit = act(held, decision, seen, house)
        tell(held, decision, house, house.clock.monotonic() - began)
        listen(held, house)
        return revisit


def listen(held: Held, house: House) -> None:
    """Hear of the metrics that this rollout needs now, and of no others."""
    position = held.position
    run = position.run if position.under_way else None
    house.watch.follow(held.key, run, position.phase is Phase.PENDING)


def act(held: Held, decision: Decision, seen: Observation, house: House) -> timedelta:
    """Intent first, then the route. A decision that raises traffic is only carried out when it was written down."""
    saved = _persist(held, decision, seen, house)
    if saved is Saved.STALE:
        return _read_again(held, house)
    if saved in (Saved.LOST, Saved.SPOOLED) and _raises(decision, seen):
        held.evidence = decision.evidence
        return RETRY
    held.position, held.evidence, held.judgement = decision.position, decision.evidence, decision.judgement
    held.inbox = [request for request in held.inbox if request.id not in decision.settled]
    return _execute(held, decision, house)


def _persist(held: Held, decision: Decision, seen: Observation, house: House) -> Saved:
    decisive = bool(decision.notices) or decision.position != held.position
    if not decisive and not seen.measured:
        return Saved.STORED
    record = record_of(held, decision, seen)
    saved = house.persister.save(record, decisive)
    house.telemetry.stored(saved is Saved.STORED)
    if saved is Saved.STORED:
        held.seq = record.seq
        house.health.ok("store")
        return saved
    held.unsaved = True
    house.health.trouble("store", f"the last write ended as `{saved.value}`")
    for alert in alerts_of(held, decision) if saved is not Saved.STALE else ():
        house.deliverer.tell_now(alert)
    return saved


def _raises(decision: Decision, seen: Observation) -> bool:
    split = decision.apply
    if split is None or split.candidate is None:
        return False
    table = seen.route.table if isinstance(seen.route, RouteSeen) else None
    return table is None or split.table().exposes_more(table, split.candidate)


def _read_again(held: Held, house: House) -> timedelta:
    """Somebody else wrote: their position is the newer one; whoever gives the candidate less wins at the next look."""
    try:
        stored = next((one for one in house.store.load() if one.key == held.key), None)
    except (StoreUnavailableError, StaleWriteError) as error:
        house.health.trouble("store", str(error))
        return RETRY
    if stored is not None:
        held.seq, held.position, held.evidence = stored.seq, stored.position, stored.evidence
    return timedelta(0)


def _execute(held: Held, decision: Decision, house: House) -> timedelta:
    if decision.apply is None:
        return decision.revisit_after
    try:
        router = house.routers.of(held)
        if router is not None:
            router.apply(decision.apply)
            house.health.ok(f"route {held.key}")
    except (RouterUnavailableError, LookupError) as error:
        log.error("route_not_written", rollout=str(held.key), trouble=str(error))
        house.health.trouble(f"route {held.key}", str(error))
    return decision.revisit_after
