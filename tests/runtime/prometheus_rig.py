"""A rig that is measured by a real Prometheus: its counters are samples stamped with the rig's clock, or beside it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import time

import pytest

from controller.domain.evidence import Evidence
from controller.domain.measure import FamilyAsk
from controller.domain.record import JournalEntry
from controller.domain.rollout import MetricServer
from controller.metrics.prometheus import Prometheus
from controller.metrics.sampler import Sampler
from controller.runtime.watch import Watch
from controller.testing.conformance.metrics import newest
from tests.parts.metrics_page import MetricsPage
from tests.parts.net import wait_until
from tests.parts.prometheus import Prometheus as Server
from tests.parts.prometheus import a_prometheus, scrape_job
from tests.runtime.rig import KEY, Rig, a_rig

TICK = 15.0
EARLIER = 1800.0
"""Seconds before the present at which the tests begin: a server refuses samples of the future."""


@pytest.fixture
def parts() -> Iterator[tuple[Server, MetricsPage]]:
    """A server that scrapes ten times a second what is stamped with our own clock."""
    job = {"scrape_interval": "100ms", "scrape_timeout": "100ms"}
    with MetricsPage() as page, a_prometheus([scrape_job("page", [page.target], **job)]) as server:
        yield server, page


class Told:
    """A rig whose counters are samples in a real Prometheus, at the time of the rig's clock."""

    def __init__(self, rig: Rig, server: Server, page: MetricsPage) -> None:
        self.rig, self.page, self.server = rig, page, server
        self.metrics = MetricServer("prometheus", (server.url,), scrape_interval=timedelta(seconds=TICK))
        self.skew = 0.0
        rig.clock.advance(int(time()) - EARLIER - rig.clock.now().timestamp())
        self._connect(rig)

    def _connect(self, rig: Rig) -> None:
        def sampler(server: MetricServer) -> Sampler:
            return Sampler(server, Prometheus(server), rig.clock)

        rig.house = replace(rig.house, watch=Watch(sampler))

    def want(self, version: str) -> None:
        self.rig.want(version=version, metrics=self.metrics)

    def publish(self, taken: bool = True) -> None:
        """The counters as they are, stamped `skew` seconds beside the rig's time, until the server has them."""
        rig, at = self.rig, self.rig.clock.now() + timedelta(seconds=self.skew)
        counts, stamp = rig.counters.counts, round(at.timestamp() * 1000)
        lines = [f'harm_bad_total{{version="{name}"}} {bad:g} {stamp}' for name, (bad, _) in counts.items()]
        lines += [f'harm_total{{version="{name}"}} {total:g} {stamp}' for name, (_, total) in counts.items()]
        self.page.set("\n".join((*lines, f"stamp {stamp} {stamp}")) + "\n")
        provider = Prometheus(self.metrics)

        def there() -> bool:
            return newest(provider.fetch([FamilyAsk("stamp")], at).families["stamp"]) == {(): float(stamp)}

        if taken:
            wait_until(there, 20, "the sample in Prometheus")

    def sample(self) -> None:
        for server in self.rig.house.watch.stations():
            sampler = self.rig.house.watch.of(server)
            assert sampler is not None
            sampler.tick()

    def tick(self, bad: float = 0.0, answers: float = 100, taken: bool = True) -> None:
        """Exactly one interval after the tick before: a sample, a snapshot of it, and the passes that follow.

        `taken`: the server takes the sample; one that is older than what it has, it refuses.
        """
        rig = self.rig
        rig.clock.advance(TICK - (rig.clock.now().timestamp() - self.began) % TICK)
        rig.counters.count("v11", answers)
        rig.counters.count("v12", answers, bad)
        self.publish(taken)
        self.sample()
        rig.passes()

    def start(self) -> None:
        """v11 serves, v12 is wanted; the sampler looks at once, as the daemon's does."""
        rig = self.rig
        self.publish()
        self.want("v11")
        rig.passes()
        self.began = rig.clock.now().timestamp()
        self.publish()
        self.want("v12")
        rig.passes(1)
        self.sample()
        rig.passes()

    def restarted(self, folder: Path) -> None:
        """Another process on the same database, route and metrics."""
        before = self.rig
        self.rig = a_rig(folder, before.store)
        self.rig.clock.advance((before.clock.now() - self.rig.clock.now()).total_seconds())
        self.rig.routers.update(before.routers)
        self.rig.counters, self.rig.source.specs = before.counters, before.source.specs
        self._connect(self.rig)
        self.rig.house.book.take(before.source.specs, before.clock.now())

    @property
    def known(self) -> Evidence:
        assert self.rig.held.evidence is not None
        return self.rig.held.evidence

    def forget(self, rows: slice = slice(None), journal: bool = False) -> None:
        """The evidence, some rows, and perhaps the journal are gone from the database."""
        shelf = self.rig.store.shelf
        shelf.stored[KEY] = replace(shelf.stored[KEY], evidence=None)
        del shelf.measurements[rows]
        if journal:
            shelf.journal.clear()

    def rebuilt(self) -> JournalEntry:
        """What the journal says of it, once it is there."""

        def told() -> JournalEntry | None:
            self.rig.passes(1)
            entries = self.rig.store.journal(KEY, 100)
            return next((one for one in entries if one.reason in ("evidence_rebuilt", "evidence_lost")), None)

        found = wait_until(told, 20, "the evidence")
        assert found is not None
        return found
