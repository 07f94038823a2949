"""Beside the passes: sampling, reading sources, delivering alerts, mending the store, forgetting old rows."""

from collections.abc import Collection
from datetime import timedelta
from functools import partial

import structlog

from controller.alerts.message import store_unavailable
from controller.domain.names import RolloutKey
from controller.domain.record import StaleWriteError, StoreUnavailableError
from controller.domain.rollout import MetricServer
from controller.runtime.dispatch import Dispatcher
from controller.runtime.house import House
from controller.runtime.observe import EARLY
from controller.runtime.persisting import mend
from controller.runtime.scheduler import Ticker
from controller.runtime.watch import Station
from controller.store.spool import SpoolUnavailableError

log = structlog.get_logger("chores")
READ_SOURCES = timedelta(seconds=5)
DELIVER = timedelta(seconds=1)
COUNT = timedelta(seconds=10)
"""How often alerts that wait are counted, besides when some were delivered: a scrape does not come sooner."""
MEND = timedelta(seconds=2)
PRUNE = timedelta(hours=6)
HURRY, SHORTLY = timedelta(seconds=1), timedelta(milliseconds=50)
"""A server is asked at most so often for runs that wait to begin; the first one waits a moment for others."""
SHARE = 4
"""While runs begin, asking takes no more than this part of the time: one of so many."""
TELL_AFTER = timedelta(seconds=20)
"""How long the database may be away before people are told."""


class Chores:
    """Plans all jobs of a house."""

    def __init__(self, house: House, ticker: Ticker, dispatcher: Dispatcher, retention_days: int) -> None:
        self._house, self._ticker, self._dispatcher = house, ticker, dispatcher
        self._retention = timedelta(days=retention_days)
        self._told: dict[str, str | None] = {}
        self._took: dict[MetricServer, timedelta] = {}
        self._behind_since: float | None = None
        self._counted_at: float | None = None

    def plan(self) -> None:
        """Everything that ticks from the start."""
        self._ticker.every("sources", READ_SOURCES, self.read_sources, at_once=False)
        self._ticker.every("alerts", DELIVER, self.deliver)
        self._ticker.every("store", MEND, self.mend, at_once=False)
        self._ticker.every("retention", PRUNE, self.prune, at_once=False)
        self._ticker.every("alive", timedelta(seconds=1), self._house.health.passed)
        self._house.watch.on_change = self.plan_samplers
        self.plan_samplers()

    def plan_samplers(self) -> None:
        """One job per metric server that somebody listens to."""
        stations = self._house.watch.stations()
        wanted: dict[str, MetricServer] = {}
        for server, station in stations.items():
            name = f"sample {server.provider} {' '.join(server.urls)} {abs(hash(server))}"
            wanted[name] = server
            if station.interval is not None:
                self._ticker.every(name, station.interval, _Sampling(self, server))
                self._hurry(name, server, station)
        for name in self._ticker.names():
            if name.startswith("sample ") and not name.endswith(" at once") and name not in wanted:
                self._ticker.drop(name)

    def _hurry(self, name: str, server: MetricServer, station: Station) -> None:
        """A run that waits to begin is asked for within about a second, not at the next tick of those before it."""
        latest = station.sampler.latest
        if latest is None or not self._house.watch.waiting(server):
            return
        rest = max(HURRY, SHARE * self._took.get(server, timedelta(0))) - (self._house.clock.now() - latest.snapshot.at)
        self._ticker.soon(f"{name} for new ones at once", max(rest, SHORTLY), partial(self.catch_up, name, server))

    def catch_up(self, name: str, server: MetricServer) -> None:
        """For the new ones alone, unless it is nearly time for all: then for all, and the next tick counts from now.

        So nobody's ticks are further apart than before.
        """
        listening = self._house.watch.listeners(server)
        station, waiting = self._house.watch.stations().get(server), self._house.watch.waiting(server)
        if station is None or station.interval is None or not waiting:
            return
        others = set(listening) - set(waiting)  # whoever comes while it is asked is asked for too, and is to hear of it
        latest = station.sampler.latest
        if latest is not None and self._house.clock.now() - latest.snapshot.at >= station.interval * EARLY:
            self._ticker.hasten(name)
        else:
            self.sample(server, but=others)

    def sample(self, server: MetricServer, but: Collection[RolloutKey] = ()) -> None:
        """Ask one server for everybody, then wake them, `but` for some."""
        sampler = self._house.watch.of(server)
        if sampler is None:
            return
        began = self._house.clock.monotonic()
        snapshot = sampler.tick()
        problems = [reading.problem for reading in snapshot.families.values() if reading.problem]
        problems += [reading.problem for reading in snapshot.values.values() if reading.problem]
        seconds = self._house.clock.monotonic() - began
        self._took[server] = timedelta(seconds=seconds)
        url = " ".join(server.urls)
        self._house.telemetry.sampled(url, sampler.queries_last_tick, seconds, len(problems))
        name = f"metrics {url}"
        if problems:
            self._house.health.trouble(name, problems[0])
        else:
            self._house.health.ok(name)
        self._once(name, problems[0] if problems else None)
        self._tell(server, but)

    def _tell(self, server: MetricServer, but: Collection[RolloutKey]) -> None:
        """With a thousand runs, seconds pass from the first pass to the last: a forbidden answer does not wait."""
        alarmed = frozenset[RolloutKey]() if but else self._house.watch.alarmed(server)
        for key in self._house.watch.listeners(server):
            if key in alarmed:
                self._dispatcher.hasten(key)
            elif key not in but:
                self._dispatcher.wake(key)

    def _once(self, name: str, trouble: str | None) -> None:
        """One log line per cause, not per tick."""
        if self._told.get(name) == trouble:
            return
        self._told[name] = trouble
        if trouble is not None:
            log.warning("trouble", what=name, trouble=trouble)
        else:
            log.info("trouble_over", what=name)

    def read_sources(self) -> None:
        """Read every source, keep the newest specs, wake those that changed."""
        specs = self._house.specs.read()
        self._heard(specs.trouble)
        if specs.as_of is not None:
            self._house.telemetry.sourced(", ".join(self._house.sources), specs.as_of)
        for key in self._house.book.take(specs, self._house.clock.now()):
            self._dispatcher.wake(key)
        self._house.desk.read(specs)
        for problem in specs.problems:
            self._once(f"spec {problem.file}", str(problem))

    def _heard(self, trouble: str | None) -> None:
        self._once("sources", trouble)
        if trouble is None:
            self._house.health.ok("sources")
        else:
            self._house.health.trouble("sources", trouble)

    def deliver(self) -> None:
        """Try the alerts that are due."""
        if not self._house.desk.delivers():
            return
        delivered, now = self._house.deliverer.deliver_due(), self._house.clock.monotonic()
        if not delivered and self._counted_at is not None and now - self._counted_at < COUNT.total_seconds():
            return
        self._counted_at = now
        try:
            self._house.telemetry.alerts_pending(self._house.deliverer.pending())
        except StoreUnavailableError as error:
            self._once("store", str(error))

    def mend(self) -> None:
        """When decisions were spooled, or memory is ahead, bring the store up to date as soon as it answers."""
        try:
            mended = mend(self._house)
        except (StoreUnavailableError, StaleWriteError, SpoolUnavailableError) as error:
            self._still_behind(str(error))
            return
        self._behind_since = None
        if not mended:
            return
        for held in self._house.book.all():
            if held.behind:
                self._dispatcher.wake(held.key)
        self._once("store", None)
        self._house.health.ok("store")

    def _still_behind(self, trouble: str) -> None:
        """People are told once it lasts: past the outbox, which lives in the same database."""
        self._once("store", trouble)
        now = self._house.clock.monotonic()
        self._behind_since = now if self._behind_since is None else self._behind_since
        if now - self._behind_since >= TELL_AFTER.total_seconds():
            self._house.deliverer.tell_now(store_unavailable(self._house.clock.now(), trouble))

    def prune(self) -> None:
        """Forget measurements past retention; decisions stay for ever."""
        try:
            gone = self._house.store.prune(self._house.clock.now() - self._retention)
        except StoreUnavailableError as error:
            self._once("store", str(error))
            return
        log.info("pruned", rows=gone)


class _Sampling:
    """A job that remembers its server."""

    def __init__(self, chores: Chores, server: MetricServer) -> None:
        self._chores, self._server = chores, server

    def __call__(self) -> None:
        self._chores.sample(self._server)
