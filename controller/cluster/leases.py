"""Shards shared by replicas through Leases: each held by one, renewed, given, released, taken over when it ran out.

A replica believes that it holds a shard only while the last renewal that succeeded - counted from *before* the request
went out - is younger than the lease less a margin. Others take it over only when they saw its record unchanged for the
whole lease. So there is no moment with two holders, whatever the wall clocks say and whoever is asleep.

A shard that ran out because the API server did not answer is *adrift*: not held, but guarded until its record names
another.
"""

import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial

import structlog

from controller.cluster.boottime import boottime
from controller.cluster.lease_desk import GONE, LeaseDesk
from controller.cluster.lease_holdings import Held, Leaving
from controller.cluster.lease_rounds import go_round
from controller.cluster.lease_settings import Heard, LeaseSettings, undisturbed
from controller.cluster.shard_plan import Shard, plan
from controller.cluster.shard_records import PREFIX, Record, shard_of
from controller.cluster.shard_sight import Sight, divided_otherwise
from controller.domain.cluster import LEASE, ClusterError, ClusterUnavailableError, ConflictError, ObjectRef
from controller.domain.names import RolloutKey
from controller.ports import ObjectApi, ObjectView

log = structlog.get_logger("leases")


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
        self._gained, self._lost = undisturbed(gained), undisturbed(lost)
        self.me = f"{settings.identity}_{uuid.uuid4().hex[:8]}"
        """Our name in the leases: another process never has it, not even the next one of the same pod."""
        self._desk = LeaseDesk(api, view, settings.namespace, self.me, now)
        self._sight = Sight(settings.lease, settings.renew)
        self._held: dict[int, Held] = {}
        self._leaving: dict[int, Leaving] = {}
        self._awake = clock()
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

    def guards(self, key: RolloutKey) -> bool:
        """Is it held, or not held for no other reason than that the API server does not answer? Asks nobody."""
        shard, now = self.shard_of(key), self._clock()
        held = self._held.get(shard)
        return self._believes(shard, now) or (held is not None and held.unanswered and not self._slept(now))

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
        for shard, record in records.items():
            self._release(shard, record)

    def tick(self) -> float:
        """One pass; returns the seconds until the next one. Never raises for the cluster's faults."""
        self._fence()
        if self._ending.is_set():
            return self._settings.renew
        try:
            self._pass()
        except ClusterError as error:
            self._say(str(error))
            self._without_answer(isinstance(error, ClusterUnavailableError))
        now = self._clock()
        due = min((one.sent + self._settings.renew - now for one in self._held.values()), default=float("inf"))
        due = min(due, self._sight.next_end(now))
        return self._settings.retry if self.trouble else max(0.01, min(due, self._settings.retry))

    def _run(self) -> None:
        while not self._ending.is_set():
            self._news.clear()
            self._news.wait(self._ticked())

    def _ticked(self) -> float:
        try:
            return self.tick()
        except Exception as error:  # without its thread a process that looks healthy would never hold a shard again
            log.exception("leases_failed")
            self._say(f"a fault of our own: {error!r}; it is tried again, please report it with the log")
            return self._settings.retry

    def _heard(self, ref: ObjectRef) -> None:
        if ref.name.startswith(PREFIX):
            self._news.set()

    def _believes(self, shard: int, now: float) -> bool:
        held = self._held.get(shard)
        return held is not None and now - held.sent < self._settings.lease - self._settings.margin

    def _fence(self) -> None:
        """We slept, or could not renew: what we held may be another's by now."""
        now = self._clock()
        slept, self._awake = self._slept(now), now
        for shard, held in tuple(self._held.items()):
            if self._believes(shard, now) or (held.adrift and held.unanswered and not slept):
                continue
            held.adrift = held.unanswered and not slept
            log.warning("shard_ran_out", shard=shard, guarded=held.adrift)
            if held.adrift:
                self._lost(shard)
            else:
                self._forget(shard)

    def _slept(self, now: float) -> bool:
        """Who had no turn for a whole lease does not know what happened in it."""
        return now - self._awake >= self._settings.lease

    def _without_answer(self, nobody: bool) -> None:
        """Renewals that are due did not go through: `nobody` answered, or somebody refused them."""
        now = self._clock()
        for held in self._held.values():
            held.unanswered = nobody and now - held.sent >= self._settings.renew
        heard = self._desk.heard()
        if heard is not None:
            self._notice({**dict.fromkeys(range(self._settings.shards)), **heard})

    def _forget(self, shard: int) -> None:
        if self._held.pop(shard, None) is not None:
            log.info("shard_lost", shard=shard)
            self._lost(shard)

    def _pass(self) -> None:
        """What was renewed is safe first; then a look at who has what."""
        now = self._clock()
        due = [one for one in self._held.items() if now - one[1].sent >= self._settings.renew]
        due.sort(key=lambda item: item[1].sent)
        go_round([partial(self._renew, *one) for one in due], self._clock, self._settings.renew / 5)
        now = self._clock()
        doubt = self._sight.is_silent(self.me, self._settings.renew + self._settings.retry, now)
        records = self._desk.records(now, self._settings.renew, doubt)
        known = {**dict.fromkeys(range(self._settings.shards)), **records}
        seen = self._sight.look(known, now)
        self._notice(known)
        others = divided_otherwise(seen, records, self.me, self._settings.shards)
        if others:
            self._say(others)
            self._yield_to(seen, records)
            return
        self._share({n: self._as_planned(n, seen[n]) for n in range(self._settings.shards)}, known, now)
        self._say("")

    def _renew(self, shard: int, held: Held) -> None:
        sent = self._clock()
        try:
            held.record = self._desk.renew(shard, held.record)
        except GONE:
            record = self._desk.again(shard)
            if record is None or (record.holder, record.transitions) != (self.me, held.record.transitions):
                self._forget(shard)
                return
            sent = self._clock()
            held.record = self._desk.renew(shard, record)
        held.sent, held.unanswered = sent, False
        if held.adrift:
            held.adrift = False
            log.info("shard_regained", shard=shard)
            self._gained(shard)

    def _notice(self, known: Mapping[int, Record | None]) -> None:
        """Somebody else's name in the record of what we hold, or no record any more; or it was another's meanwhile."""
        for shard, held in tuple(self._held.items()):
            record = known.get(shard)
            between = held.adrift and record is not None and record.transitions != held.record.transitions
            if record is not None and record.holder == self.me and not between:
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
                self._leaving[shard] = Leaving(self._clock(), to, held.record)
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
        self._held[shard] = Held(sent, kept)
        log.info("shard_gained", shard=shard)
        self._gained(shard)

    def _release(self, shard: int, record: Record) -> None:
        """One that cannot be released must not keep the others."""
        try:
            self._pass_on(shard, record, "")
        except ClusterError as error:
            hint = "others take it over when its lease runs out"
            log.warning("shard_not_released", shard=shard, why=str(error), hint=hint)

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
