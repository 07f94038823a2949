"""The one pass: observe, judge, decide, persist, execute, record. Nothing flows back but by being observed again."""

from datetime import timedelta

import structlog

from controller.alerts.unread import later
from controller.decision.tick import tick
from controller.decision.traffic import OVERDUE
from controller.domain.decision import Decision
from controller.domain.names import RolloutKey
from controller.domain.observation import Observation, Unknown
from controller.domain.route import EnvoyRoute
from controller.domain.state import Phase
from controller.domain.traffic import RouterUnavailableError
from controller.runtime.book import Held
from controller.runtime.house import House
from controller.runtime.jumps import follow_clock
from controller.runtime.lost import Lost
from controller.runtime.observe import observe
from controller.runtime.persist import Saved
from controller.runtime.persisting import advances, persist, read_again
from controller.runtime.record import pass_failed, tell
from controller.runtime.routers import binding_of
from controller.runtime.withdrawal import Ending, Withdrawal

log = structlog.get_logger("rollout")
RETRY = timedelta(seconds=1)
AFTER_A_FAULT = timedelta(seconds=5)
LOOK_AGAIN = timedelta(seconds=60)
SOON = timedelta(milliseconds=250)


def reconcile(key: RolloutKey, house: House) -> timedelta | None:
    """Pass over one rollout; returns when to look again, None for an unknown one, or another process's."""
    held = house.book.get(key)
    if held is None:
        return None
    with held.lock:
        if not house.sharing.guards(key):
            listen(held, house)
            return None
        if held.lost is not None:
            return _without_state(held, held.lost, house)
        try:
            revisit = one_pass(held, house)
        except Exception as fault:  # told to people; the guard of all others goes on
            log.exception("pass_failed", rollout=str(key))
            held.trouble = f"the guard of {key} is off: a pass failed ({type(fault).__name__}); see the daemon's log"
            house.health.trouble(f"pass {key}", held.trouble)
            house.deliverer.tell_now(pass_failed(held, house.clock.now(), fault))
            held.tell_watchers()
            house.desk.passed(held)
            return AFTER_A_FAULT
        if held.trouble and not held.unsaved:
            held.trouble = ""
            house.health.ok(f"pass {key}")
        house.desk.passed(held)
        return revisit


def _without_state(held: Held, lost: Lost, house: House) -> timedelta:
    """No position and no spec: all that can be done is to keep everything on stable, if anybody says what that is."""
    held.trouble = lost.waits_for
    held.tell_watchers()
    if lost.route is None:
        return LOOK_AGAIN
    if held.withdrawal is None:
        held.withdrawal = Withdrawal(lost.route, house.routers.make, house.clock, lost.why)
    held.withdrawal.step()
    safe = held.withdrawal.ending is Ending.SAFE
    if not safe:
        house.health.trouble(f"route {held.key}", held.withdrawal.trouble)
        if held.withdrawal.seconds > OVERDUE.total_seconds():
            house.deliverer.tell_now(later(lost.at, held.withdrawal.report()))
    return AFTER_A_FAULT if safe else SOON


def one_pass(held: Held, house: House) -> timedelta:
    """Every step hands a value to the next; only `act` changes anything."""
    began = house.clock.monotonic()
    follow_clock(held, house.clock)
    measured_before = held.measured_at
    seen = observe(held, house)
    decision = tick(held.position, held.evidence, seen)
    revisit = act(held, decision, seen, house)
    if revisit is None:
        # Not carried out, so nothing to tell: what was counted for it is counted again, under the evidence in force.
        held.measured_at = measured_before if held.unsaved else None
        held.tell_watchers()
        return RETRY if held.unsaved else timedelta(0)
    tell(held, decision, house, house.clock.monotonic() - began)
    listen(held, house)
    return revisit


def listen(held: Held, house: House) -> None:
    """Hear of the metrics that this rollout needs now, and of no others; nothing of one that another process guards."""
    position = held.position
    run = position.run if position.guarded and house.sharing.guards(held.key) else None
    house.watch.follow(held.key, run, position.phase is Phase.PENDING)


def act(held: Held, decision: Decision, seen: Observation, house: House) -> timedelta | None:
    """Intent first, then the route. What gives the candidate more is only carried out when it was written down.

    Returns when to look again, or None when the decision was not carried out.
    """
    saved = persist(held, decision, seen, house)
    if saved is Saved.STALE:
        if not house.sharing.holds(held.key):
            house.sharing.let_go(held.key)
            return None
        if read_again(held, house):
            return None
        saved = persist(held, decision, seen, house)
    if saved is not Saved.STORED and advances(held, decision, seen):
        return None
    held.position, held.evidence, held.judgement = decision.position, decision.evidence, decision.judgement
    held.inbox = [request for request in held.inbox if request.id not in decision.settled]
    execute(held, decision, seen, house)
    return decision.revisit_after


def execute(held: Held, decision: Decision, seen: Observation, house: House) -> None:
    """Write the route. A failure is told, and the next pass tries again.

    A process that was stopped between deciding and writing wakes up to find that it is another one's turn.
    """
    if seen.spec.deleted and isinstance(seen.route, Unknown) and seen.route.gone:
        house.health.over(f"route {held.key}")
    if decision.apply is None or _hopeless(held, seen, house):
        return
    if not house.sharing.holds(held.key) and not (house.sharing.guards(held.key) and seen.guarding):
        log.warning("not_ours_any_more", rollout=str(held.key))
        return
    try:
        router = house.routers.of(held)
        if router is not None:
            router.apply(decision.apply)
            house.health.ok(f"route {held.key}")
    except (RouterUnavailableError, LookupError) as error:
        log.error("route_not_written", rollout=str(held.key), trouble=str(error))
        house.health.trouble(f"route {held.key}", str(error))


def _hopeless(held: Held, seen: Observation, house: House) -> bool:
    """Must it be written through an API server that is away? Waiting for that in every pass would hold up the others.

    When it is back the rollout is held again, and a pass is made at once.
    """
    binding = binding_of(held)
    away = bool(seen.guarding) and isinstance(seen.route, Unknown)
    if not away or binding is None or isinstance(binding.route.target, EnvoyRoute):
        return False
    house.health.trouble(f"route {held.key}", getattr(seen.route, "why", ""))
    return True
