"""Which rollouts this process guards, when several share a cluster: taken over afresh, and let go at once."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from controller.analysis.judge import verdicts
from controller.domain.names import RolloutKey
from controller.domain.record import Stored, StoreUnavailableError
from controller.domain.state import Phase, Position
from controller.domain.verdict import Judgement
from controller.ports import Shards, Store
from controller.runtime.book import Book, Held

log = structlog.get_logger("sharing")
FEW = 8
BUSY = 0.2
"""Seconds that a rollout is waited for whose last pass is not over."""
GUARDING_ONLY = "API server away: guarding only"
"""Why nothing goes up in a rollout that is guarded, and not held."""


class Shared(Shards, Protocol):
    """What the passes ask."""

    def let_go(self, key: RolloutKey) -> None:
        """Another process wrote of it: it is not guarded here any more, until it is held again."""
        ...


class Alone:
    """The only process there is: everything is its own. Implements Shared."""

    def holds(self, key: RolloutKey) -> bool:  # noqa: ARG002 - the port's signature
        """Always."""
        return True

    def guards(self, key: RolloutKey) -> bool:  # noqa: ARG002 - the port's signature
        """Always."""
        return True

    def let_go(self, key: RolloutKey) -> None:
        """There is nobody else."""


@dataclass(frozen=True, slots=True)
class Heirs:
    """Who hears of it: `taken` when a rollout is ours from now on, `dropped` when it is not any more."""

    taken: Callable[[RolloutKey], None]
    dropped: Callable[[RolloutKey], None]


class Sharing:
    """Implements Shared: a rollout is ours when its shard is *and* we read what is stored of it.

    Rollouts of folders and git are this process's own.
    """

    def __init__(self, book: Book, shards: Shards, store: Store, heirs: Heirs) -> None:
        self._book, self._shards, self._store, self._heirs = book, shards, store, heirs
        self._taking, self._guard = threading.Lock(), threading.Lock()
        self._mine: frozenset[RolloutKey] = frozenset()
        self._coming: frozenset[RolloutKey] = frozenset()

    def holds(self, key: RolloutKey) -> bool:
        """May this process act on it now?"""
        held = self._book.get(key)
        if held is not None and not _is_shared(held):
            return True
        return self._shards.holds(key) and (held is None or key in self._mine)

    def guards(self, key: RolloutKey) -> bool:
        """May this process guard it now? It may what it holds, and what it held until the API server was away."""
        held = self._book.get(key)
        if held is not None and not _is_shared(held):
            return True
        return self._shards.guards(key) and (held is None or key in self._mine)

    def adrift(self, concerns: Callable[[RolloutKey], bool]) -> frozenset[RolloutKey]:
        """Those that may be guarded, and nothing more."""
        with self._guard:
            mine = self._mine
        return frozenset(key for key in mine if concerns(key) and self.guards(key) and not self.holds(key))

    def let_go(self, key: RolloutKey) -> None:
        """The store knows what another process wrote of it."""
        log.warning("rollout_of_another", rollout=str(key))
        self.lost(lambda one: one == key)

    def lost(self, concerns: Callable[[RolloutKey], bool] = lambda _: True) -> None:
        """Some shards are not ours any more: their rollouts are let go, before anything else is done with them."""
        with self._guard:
            gone = {key for key in self._mine if concerns(key)}
            self._mine -= gone
            self._coming -= {key for key in self._coming if concerns(key)}
        for key in gone:
            log.info("rollout_let_go", rollout=str(key))
            try:
                self._heirs.dropped(key)
            except Exception:  # the others are to be let go all the same
                log.exception("rollout_not_dropped", rollout=str(key))

    def refresh(self) -> None:
        """Let go of what is not ours any more, and take over what is, as it is stored now."""
        with self._taking:
            self.lost(lambda key: not self._shards.guards(key))
            shared = (held for held in self._book.all() if _is_shared(held) and held.key not in self._mine)
            fresh = [held for held in shared if self._shards.holds(held.key)]
            if fresh:
                with self._guard:
                    self._coming = frozenset(held.key for held in fresh)
                self._take_over(fresh)

    def _take_over(self, fresh: Sequence[Held]) -> None:
        stored = self._stored(fresh)
        for held in fresh:
            if self._take(held, stored):
                log.info("rollout_taken", rollout=str(held.key), seq=held.seq)
                self._heirs.taken(held.key)

    def _take(self, held: Held, stored: Mapping[RolloutKey, Stored] | None) -> bool:
        """False when a pass of before is not over, which must not keep the others; the next look tries again.

        And when the shard was lost since: another process may have written what we did not read.
        """
        if not held.lock.acquire(timeout=BUSY):
            log.warning("rollout_busy", rollout=str(held.key), hint="a pass of before waits; it is taken soon after")
            return False
        try:
            if stored is None:
                held.unsaved = True  # nothing goes up before it is known what is stored
            else:
                take(held, stored.get(held.key))
            with self._guard:
                if held.key not in self._coming:
                    return False
                self._mine |= {held.key}
                return True
        finally:
            held.lock.release()

    def _stored(self, fresh: Sequence[Held]) -> Mapping[RolloutKey, Stored] | None:
        """What is stored; None when that cannot be read. A few that nobody ever decided about need no reading of all.

        Should one of them be stored all the same, its first write is refused as stale, and it is read then.
        """
        try:
            if len(fresh) <= FEW and not any(self._store.journal(held.key, 1) for held in fresh):
                return {}
            return {one.key: one for one in self._store.load()}
        except StoreUnavailableError as error:
            log.warning("taken_without_store", trouble=str(error))
            return None


def _is_shared(held: Held) -> bool:
    """Is it an object of the cluster, now or when its run began?"""
    run = held.position.run
    came = (held.spec.provenance, run.provenance if run is not None and held.position.under_way else None)
    return held.spec.generation > 0 or any(one is not None and one.generation > 0 for one in came)


def take(held: Held, stored: Stored | None) -> None:
    """As `renew`; what this process decided while it could write nothing is still to be brought to the store.

    Where nobody else wrote since, that is the newer one.
    """
    if not held.unsaved:
        renew(held, stored)
    elif stored is not None and stored.seq != held.seq:
        owed = held.owed
        renew(held, stored)
        held.unsaved, held.owed = True, owed


def renew(held: Held, stored: Stored | None) -> None:
    """Forget what this process believed of the rollout, for what is stored. The spec stays: it comes from elsewhere."""
    if stored is not None and stored.unread is not None:
        return  # what there is to know of such a row was found out at the start
    held.seq = stored.seq if stored else 0
    if stored is None:
        held.position, held.evidence = Position(Phase.IDLE, held.position.since), None
    else:
        held.position, held.evidence = stored.position, stored.evidence
    held.judgement = _judgement(stored)
    held.unsaved, held.behind, held.owed, held.trouble = False, False, (), ""
    held.measured_at = held.looked_at = held.heard = held.heard_at = None
    held.searched = held.rebuilt = held.rebuilding = held.recorded = None
    held.inbox = []


def _judgement(stored: Stored | None) -> Judgement:
    if stored is None or stored.evidence is None or stored.position.run is None:
        return Judgement()
    run, evidence = stored.position.run, stored.evidence
    return verdicts(evidence, run.spec) if evidence.digest == run.digest else Judgement()
