"""Shards shared by replicas through Leases: each held by one, renewed, given, released, taken over when it ran out.

A replica believes that it holds a shard only while the last renewal that succeeded - counted from *before* the request
went out - is younger than the lease less a margin. Others take it over only when they saw its record unchanged for the
whole lease. So there is no moment with two holders, whatever the wall clocks say and whoever is asleep.
"""

import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import structlog

from controller.cluster.boottime import boottime
from controller.cluster.lease_desk import GONE, LeaseDesk
from controller.cluster.shard_plan import Shard, plan
from controller.cluster.shard_records import PREFIX, Record, shard_of
from controller.cluster.shard_sight import Sight
from controller.domain.cluster import LEASE, ClusterError, ConflictError, ObjectRef
from controller.domain.names import RolloutKey
from controller.ports import ObjectApi, ObjectView

log = structlog.get_logger("leases")
Heard = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Times in seconds. All replicas of one namespace need the same `shards`.

    `margin` is what is left of a lease when its holder stops to believe in it: longer than the longest write that was
    begun while it was held.
    """

    namespace: str
    identity: str
    shards: int = 4
    lease: float = 15.0
    renew: float = 5.0
    margin: float = 3.0
    retry: float = 1.0

    def __post_init__(self) -> None:
        if self.shards < 1 or not self.identity or " " in self.identity:
            raise ValueError("leases need at least one shard, and an identity without spaces")
        if not 0 < self.renew + self.retry < self.lease - self.margin < self.lease:
            raise ValueError(
                f"renew ({self.renew:g} s) and retry ({self.retry:g} s) must fit into lease less margin "
                f"({self.lease:g} s less {self.margin:g} s), and margin must be more than 0"
            )


@dataclass(slots=True)
class _Held:
    """`sent` is when the last successful renewal left; `record` what it wrote."""

    sent: float
    record: Record


@dataclass(slots=True)
class _Leaving:
    """Not ours any more, and given to `to` when every write that was begun is over."""

    since: float
    to: str
    record: Record


class LeasedShards:
    """Implements ports.Shards. A loss is always told before the shard can be held again; be quick in both callbacks.

    Give it a connection with short time-outs of its own: renewals go out one after the other.
    """

    def __init__(
        self,
        api: ObjectApi,
        view: ObjectView,
        settings: LeaseSettings,
        now: Callable[[], datetime],
        gained: Heard = lambda _: None,
        lost: Heard = lambda _: None,
        clock: Callable[[], float] = boottime,
    ) -> None:
        self._view, self._settings, self._clock = view, settings, clock
        self._gained, self._lost = gained, lost
        self.me = f"{settings.identity}_{uuid.uuid4().hex[:8]}"
        """Our name in the leases: another process never has it, not even the next one of the same pod."""
        self._desk = LeaseDesk(api, view, settings.namespace, self.me, now)
        self._sight = Sight(settings.lease)
        self._held: dict[int, _Held] = {}
        self._leaving: dict[int, _Leaving] = {}
        self._news, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
        self.trouble = ""
        """What keeps us from holding shards, for people; empty when nothing does."""

    def shard_of(self, key: RolloutKey) -> int:
        """The same for all replicas."""
        return shard_of(key, self._settings.shards)

    def holds(self, key: RolloutKey) -> bool:
        """May this process act on it now? Asks nobody."""
        return self._believes(self.shard_of(key), self._clock())

    def mine(self) -> frozenset[int]:
        """The shards that are held now."""
        now = self._clock()
        return frozenset(shard for shard in tuple(self._held) if self._believes(shard, now))

    def start(self) -> None:
        """Begin to hold shards, and hear of changes at once."""
        self._view.follow(LEASE, self._settings.namespace, self._heard)
        self._thread.start()

    def stop(self, patience: float = 5.0) -> None:
        """Let go of everything, so that others take over at once. Finish what is under way before you call it."""
        self._ending.set()
        self._news.set()
        if self._thread.ident is not None:
            self._thread.join(patience)
        records = {shard: one.record for shard, one in self._leaving.items()}
        records |= {shard: one.record for shard, one in self._held.items()}
        for shard in tuple(self._held):
            self._forget(shard)
        self._leaving.clear()
        try:
            for shard, record in records.items():
                self._pass_on(shard, record, "")
        except ClusterError as error:
            log.warning("shards_not_released", why=str(error), hint="others take them over when their leases run out")

    def tick(self) -> float:
        """One pass; returns the seconds until the next one. Never raises for the cluster's faults."""
        self._fence()
        if self._ending.is_set():
            return self._settings.renew
        try:
            self._pass()
        except ClusterError as error:
            self._say(str(error))
        now = self._clock()
        due = min((one.sent + self._settings.renew - now for one in self._held.values()), default=float("inf"))
        return self._settings.retry if self.trouble else max(0.01, min(due, self._settings.retry))

    def _run(self) -> None:
        while not self._ending.is_set():
            self._news.clear()
            self._news.wait(self.tick())

    def _heard(self, ref: ObjectRef) -> None:
        if ref.name.startswith(PREFIX):
            self._news.set()

    def _believes(self, shard: int, now: float) -> bool:
        held = self._held.get(shard)
        return held is not None and now - held.sent < self._settings.lease - self._settings.margin

    def _fence(self) -> None:
        """We slept, or could not renew: what we held may be another's by now."""
        now = self._clock()
        for shard in tuple(self._held):
            if not self._believes(shard, now):
                log.warning("shard_ran_out", shard=shard)
                self._forget(shard)

    def _forget(self, shard: int) -> None:
        if self._held.pop(shard, None) is not None:
            log.info("shard_lost", shard=shard)
            self._lost(shard)

    def _pass(self) -> None:
        """What was renewed is safe first; then a look at who has what."""
        for shard, held in sorted(self._held.items(), key=lambda item: item[1].sent):
            if self._clock() - held.sent >= self._settings.renew:
                self._renew(shard, held)
        now = self._clock()
        records = self._desk.records(now, self._settings.renew)
        known = {**dict.fromkeys(range(self._settings.shards)), **records}
        seen = self._sight.look(known, now)
        self._notice(known)
        others = self._divided_otherwise(seen, records)
        if others:
            self._say(others)
            self._yield_to(seen, records)
            return
        self._share({n: self._as_planned(n, seen[n]) for n in range(self._settings.shards)}, known, now)
        self._say("")

    def _renew(self, shard: int, held: _Held) -> None:
        sent = self._clock()
        try:
            held.record = self._desk.renew(shard, held.record)
        except GONE:
            record = self._desk.again(shard)
            if record is None or record.holder != self.me:
                self._forget(shard)
                return
            sent = self._clock()
            held.record = self._desk.renew(shard, record)
        held.sent = sent

    def _notice(self, known: Mapping[int, Record | None]) -> None:
        """Somebody else's name in the record of what we hold, or no record any more."""
        for shard, held in tuple(self._held.items()):
            record = known.get(shard)
            if record is not None and record.holder == self.me:
                held.record = record
                continue
            log.warning("shard_taken_by_another", shard=shard, holder=record.holder if record else "its lease is gone")
            self._forget(shard)

    def _as_planned(self, number: int, seen: Shard) -> Shard:
        """What is on its way to another counts as his."""
        leaving = self._leaving.get(number)
        return Shard(leaving.to) if leaving is not None else seen

    def _share(self, shards: Mapping[int, Shard], known: Mapping[int, Record | None], now: float) -> None:
        self._hand_over(now)
        todo = plan(shards, self.me, self._settings.renew)
        given_to_us = [n for n, one in shards.items() if one.holder == self.me and n not in self._held]
        for shard in (*given_to_us, *todo.claim):
            self._claim(shard, known[shard])
        for shard, to in todo.give.items():
            if (held := self._held.get(shard)) is not None:
                self._leaving[shard] = _Leaving(self._clock(), to, held.record)
                self._forget(shard)
        for shard in todo.ask:
            if (record := known[shard]) is not None:
                with suppress(ConflictError):
                    self._desk.ask(shard, record)

    def _claim(self, shard: int, record: Record | None) -> None:
        sent = self._clock()
        try:
            kept = self._desk.claim(shard, record, self._settings.lease, self._settings.shards)
        except GONE:
            self._desk.again(shard)  # another was faster
            return
        self._held[shard] = _Held(sent, kept)
        log.info("shard_gained", shard=shard)
        self._gained(shard)

    def _hand_over(self, now: float) -> None:
        for shard, leaving in tuple(self._leaving.items()):
            if now - leaving.since >= self._settings.margin:
                self._pass_on(shard, leaving.record, leaving.to)
                del self._leaving[shard]

    def _pass_on(self, shard: int, record: Record, to: str) -> None:
        try:
            self._desk.pass_on(shard, record, to)
        except GONE:
            fresh = self._desk.again(shard)
            if fresh is not None and fresh.holder == self.me:
                with suppress(ConflictError):
                    self._desk.pass_on(shard, fresh, to)

    def _divided_otherwise(self, seen: Mapping[int, Shard], records: Mapping[int, Record]) -> str:
        """Another replica that lives and maps rollouts to shards in another way: it and we would take the same ones."""
        for number, one in seen.items():
            record = records.get(number)
            if record is not None and one.holder not in ("", self.me) and record.shards != self._settings.shards:
                return (
                    f"{one.holder} divides the rollouts into {record.shards} shards, this replica into "
                    f"{self._settings.shards}: give all the same number; this one waits until that one has ended"
                )
        return ""

    def _yield_to(self, seen: Mapping[int, Shard], records: Mapping[int, Record]) -> None:
        """Shard 0 decides who is right."""
        first = records.get(0)
        if first is None or not seen[0].holder or first.shards == self._settings.shards:
            return
        for shard, held in tuple(self._held.items()):
            self._forget(shard)
            self._pass_on(shard, held.record, "")

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            log.warning("leases_trouble", why=trouble)
        self.trouble = trouble
