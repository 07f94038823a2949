"""A decision and the database: written before it is carried out; without a database only what lowers goes on."""

from collections.abc import Sequence
from contextlib import suppress

import structlog

from controller.domain.decision import Decision
from controller.domain.observation import Observation
from controller.domain.record import StaleWriteError, Stored, StoreUnavailableError
from controller.domain.state import LIVE, Phase, Position
from controller.domain.traffic import RouteSeen
from controller.runtime.book import Held
from controller.runtime.house import House
from controller.runtime.persist import Saved
from controller.runtime.record import alerts_of, record_of
from controller.store.recover import exposes_more, recover
from controller.store.spool import SpoolUnavailableError

log = structlog.get_logger("store")
ENDED = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK})


def advances(held: Held, decision: Decision, seen: Observation) -> bool:
    """Does it give the candidate more, on the route or in what is wanted, or make it stable?"""
    after = decision.position
    if after.phase is Phase.COMPLETED and held.position.phase is not Phase.COMPLETED:
        return True
    return exposes_more(after, held.position) or _raises(decision, seen)


def _raises(decision: Decision, seen: Observation) -> bool:
    split = decision.apply
    if split is None or split.candidate is None:
        return False
    table = seen.route.table if isinstance(seen.route, RouteSeen) else None
    return table is None or split.table().exposes_more(table, split.candidate)


def persist(held: Held, decision: Decision, seen: Observation, house: House) -> Saved:
    """Write what is new. What changes the route is written first: the sequence number says whose turn it is.

    While decisions wait in the spool, later ones wait behind them: the journal keeps their order.
    """
    told = bool(decision.notices) or decision.position != held.position
    changes_route = decision.apply is not None and isinstance(seen.route, RouteSeen)
    if not (told or held.behind or seen.measured or changes_route):
        return Saved.STORED
    spool = told and not advances(held, decision, seen)
    record = record_of(held, decision, seen)
    if held.unsaved:
        saved = house.persister.keep(record) if spool else Saved.LOST
    else:
        saved = house.persister.save(record, spool)
    house.telemetry.stored(saved is Saved.STORED)
    if saved is Saved.STORED:
        held.seq, held.behind, held.owed, held.trouble = record.seq, False, (), ""
        house.health.ok("store")
    elif saved is not Saved.STALE:
        _without_store(held, decision, house, saved, spool)
    return saved


def _without_store(held: Held, decision: Decision, house: House, saved: Saved, spooled: bool) -> None:
    held.unsaved = True
    trouble = house.persister.trouble or "decisions of an earlier outage are not written yet"
    held.trouble = f"nothing advances while the database cannot be written: {trouble}"
    house.health.trouble("store", trouble)
    if not spooled:
        return
    held.owed = () if saved is Saved.SPOOLED else (*held.owed, *decision.notices)
    for alert in alerts_of(held, decision):
        house.deliverer.tell_now(alert)


def read_again(held: Held, house: House) -> bool:
    """Somebody else wrote first: theirs is the newer one. False when it cannot be read now."""
    try:
        stored = house.persister.stored(held.key)
    except (StoreUnavailableError, StaleWriteError) as error:
        house.health.trouble("store", str(error))
        held.unsaved = True
        return False
    if stored is not None and stored.unread is not None:
        house.health.trouble("store", stored.unread.why)
        held.unsaved = True
        return False
    if stored is not None:
        held.seq, held.position, held.evidence = stored.seq, stored.position, stored.evidence
    return True


def mend(house: House) -> bool:
    """Bring the store up to date with what was decided without it. Raises what `recover` raises."""
    behind = [held for held in house.book.all() if held.unsaved]
    if not behind:
        return False
    _leave_to_others(behind, house)
    stored = {one.key: one for one in recover(house.store, house.spool)}
    for held in behind:
        with held.lock, suppress(SpoolUnavailableError):
            # A pass may have spooled more meanwhile: then once more.
            if all(record.key != held.key for record in house.spool.read()):
                _caught_up(held, stored.get(held.key))
    return True


def _leave_to_others(behind: Sequence[Held], house: House) -> None:
    """What is guarded and not held is another's when he wrote meanwhile. Raises StoreUnavailableError.

    One number more may be a write of ours whose answer was lost.
    """
    adrift = [held for held in behind if house.sharing.guards(held.key) and not house.sharing.holds(held.key)]
    stored = {one.key: one.seq for one in house.store.load()} if adrift else {}
    for held in adrift:
        if stored.get(held.key, 0) > held.seq + 1:
            house.sharing.let_go(held.key)


def _caught_up(held: Held, stored: Stored | None) -> None:
    """Where memory and store disagree, the lower candidate traffic wins, and a run that ended stays ended."""
    held.seq = stored.seq if stored else 0
    held.unsaved, held.trouble = False, ""
    unread = stored is not None and stored.unread is not None
    # What this process knows is written over a row that does not read back.
    if stored is not None and not unread and _wins(stored.position, held.position):
        log.warning("store_is_lower", rollout=str(held.key), seq=stored.seq)
        held.position, held.evidence = stored.position, stored.evidence
    held.behind = stored is None or unread or stored.position != held.position or bool(held.owed)


def _wins(stored: Position, mine: Position) -> bool:
    same = stored.run is not None and mine.run is not None and stored.run.id == mine.run.id
    ended = same and stored.phase in ENDED and mine.phase in LIVE - ENDED
    return ended or exposes_more(mine, stored)
