"""Bring database and spool together, before anything acts. Where they disagree, the lower candidate traffic wins."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from controller.domain.names import RolloutKey
from controller.domain.record import Stored, TickRecord
from controller.domain.state import LIVE, Phase, Position
from controller.domain.traffic import RouteTable
from controller.ports import Store
from controller.store.spool import Spool

_ENDED = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK})


def recover(store: Store, spool: Spool) -> list[Stored]:
    """Write spooled decisions that the database missed, empty the spool, and return what is known.

    For start-up, and for when the database is back: sequence numbers may have moved, use the returned ones.
    Raises StoreUnavailableError (nothing is lost, call again), StaleWriteError when somebody else writes at the same
    time, SpoolUnavailableError.
    """
    spooled = spool.read()
    stored = list(store.load())
    if not spooled:
        return stored
    for record in missed(stored, spooled):
        store.commit(record)
    spool.clear({record.key: record.seq for record in sorted(spooled, key=lambda record: record.seq)})
    return list(store.load())


def latest(stored: Iterable[Stored], spooled: Sequence[TickRecord]) -> list[Stored]:
    """What `recover` would return, without a database to write to: for a start-up while it is down."""
    known = {one.key: one for one in stored}
    for record in missed(known.values(), spooled):
        known[record.key] = _stored(record)
    return [known[key] for key in sorted(known)]


def missed(stored: Iterable[Stored], spooled: Sequence[TickRecord]) -> list[TickRecord]:
    """The spooled decisions to write, in order, numbered so that each follows what is stored. Pure."""
    known = {one.key: one for one in stored}
    following: set[RolloutKey] = set()
    answer = []
    for record in spooled:
        before = known.get(record.key)
        if before is not None and not _goes_on(record, before, follows=record.key in following):
            continue
        fresh = replace(record, seq=before.seq + 1 if before else 1)
        known[record.key] = _stored(fresh)
        following.add(record.key)
        answer.append(fresh)
    return answer


def _goes_on(record: TickRecord, before: Stored, *, follows: bool) -> bool:
    """Does the spooled record replace what is stored? It never gives the candidate more than is stored."""
    if exposes_more(record.position, before.position):
        return False
    if follows or record.seq > before.seq:
        return True
    if record.seq == before.seq:
        return exposes_more(before.position, record.position)
    return _ended_meanwhile(record.position, before.position)


def _ended_meanwhile(spooled: Position, stored: Position) -> bool:
    """An older decision counts when it ended a run that the database believes to be alive: a run ends for ever."""
    same = spooled.run is not None and stored.run is not None and spooled.run.id == stored.run.id
    return same and spooled.phase in _ENDED and stored.phase in LIVE - _ENDED


def exposes_more(one: Position, other: Position) -> bool:
    """Does a candidate get anything in `one` that it does not get in `other`?"""
    candidates = {position.run.candidate for position in (one, other) if position.run is not None}
    return any(_table(one).exposes_more(_table(other), version) for version in candidates)


def _table(position: Position) -> RouteTable:
    split = position.split()
    return split.table() if split else RouteTable()


def _stored(record: TickRecord) -> Stored:
    return Stored(record.key, record.seq, record.position, record.evidence)
