"""A house in memory: router, store, metrics and channel that can be told to fail, and a clock moved by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from controller.alerts.delivery import Deliverer
from controller.domain.measure import FamilyAsk, FamilyReading, Labels, QueryAsk, Series, Snapshot, ValueReading
from controller.domain.names import RolloutKey
from controller.domain.observation import Readiness
from controller.domain.rollout import MetricServer, ModelRollout, Version
from controller.domain.slo import RatioIndicator, Selector
from controller.metrics.sampler import Sampler
from controller.ports import RouteBinding, Specs
from controller.runtime.book import Book, Held
from controller.runtime.house import House
from controller.runtime.persist import Persister
from controller.runtime.probe import Probe, Probed
from controller.runtime.reconcile import reconcile
from controller.runtime.routers import Routers
from controller.runtime.watch import Watch
from controller.store.spool import Spool
from controller.telemetry.exposition import Telemetry
from controller.telemetry.health import Health
from controller.testing.builders import a_rollout, a_slo, spec_seen
from controller.testing.clock import ManualClock
from controller.testing.memory_channel import MemoryChannel
from controller.testing.routers import MemoryRouter
from controller.testing.stores import MemoryStore

KEY = RolloutKey("default", "support-bot")


class Source:
    """A SpecSource that a test writes to."""

    def __init__(self) -> None:
        self.specs = Specs()

    def read(self) -> Specs:
        return self.specs

    def watch(self, changed: object) -> None:
        """Nobody is told."""

    def close(self) -> None:
        """Nothing is open."""


class Counters:
    """A MetricProvider: bad and total per version, all of one `hazard`, where it is given."""

    def __init__(self) -> None:
        self.counts: dict[str, tuple[float, float]] = {"v11": (0, 0), "v12": (0, 0), "v13": (0, 0)}
        self.problem: str | None = None
        self.hazard: str | None = None

    def fetch(self, asks: Sequence[FamilyAsk | QueryAsk], at: datetime) -> Snapshot:
        families = {ask.metric: self._reading(ask.metric, at) for ask in asks if isinstance(ask, FamilyAsk)}
        values = {ask.query: ValueReading(problem="none here") for ask in asks if isinstance(ask, QueryAsk)}
        return Snapshot(at, families, values)

    def _reading(self, metric: str, at: datetime) -> FamilyReading:
        if self.problem is not None:
            return FamilyReading(problem=self.problem)
        which = 0 if "bad" in metric else 1
        return FamilyReading(
            tuple(
                Series((*self._hazards(), *labels(version)), ((at.timestamp(), both[which]),))
                for version, both in self.counts.items()
            )
        )

    def _hazards(self) -> Labels:
        return (("hazard", self.hazard),) if self.hazard else ()

    def count(self, version: str, total: float, bad: float = 0.0) -> None:
        before = self.counts[version]
        self.counts[version] = (before[0] + bad, before[1] + total)


def labels(version: str) -> Labels:
    return (("version", version),)


class ReadyProbe(Probe):
    """Every version is ready and answers."""

    def readiness(self, version: Version) -> Readiness:
        return Readiness.READY

    def ask(self, run: str, version: Version) -> Probed | None:
        return Probed()


@dataclass(slots=True)
class Rig:
    """The house and what a test moves in it."""

    house: House
    clock: ManualClock
    store: MemoryStore
    source: Source
    counters: Counters
    channel: MemoryChannel
    routers: dict[RolloutKey, MemoryRouter] = field(default_factory=dict)

    @property
    def held(self) -> Held:
        found = self.house.book.get(KEY)
        assert found is not None
        return found

    @property
    def router(self) -> MemoryRouter:
        return self.routers[KEY]

    def want(self, rollout: ModelRollout | None = None, **changes: object) -> None:
        """The newest spec."""
        spec = rollout or a_rollout(**{"slos": (the_slo(),), **changes})  # type: ignore[arg-type]
        self.source.specs = Specs({spec.key: spec_seen(spec)})
        self.house.book.take(self.source.specs, self.clock.now())

    def tick(self, seconds: float = 15.0, answers: float = 100, bad: float = 0.0) -> None:
        """One interval with so many judged answers of either version."""
        self.clock.advance(seconds)
        self.counters.count("v11", answers)
        self.counters.count("v12", answers, bad)
        for server in self.house.watch.stations():
            sampler = self.house.watch.of(server)
            assert sampler is not None
            sampler.tick()
        self.passes()

    def breach(self, ticks: int = 8) -> None:
        """Every answer is bad, until that is visible."""
        for _ in range(ticks):
            if "breached" in {entry.reason for entry in self.store.shelf.journal} or self.held.position.breach:
                return
            self.tick(bad=100)
        raise AssertionError(f"no breach: {self.held.position.message}")

    def passes(self, count: int = 8) -> None:
        """As many as a split needs to be verified."""
        for _ in range(count):
            reconcile(KEY, self.house)
            self.clock.advance(0.25)


def the_slo() -> object:
    indicator = RatioIndicator(Selector("harm_bad_total"), Selector("harm_total"))
    return replace(a_slo(), indicator=indicator)


def a_rig(
    folder: Path, store: MemoryStore | None = None, patience: float = 0.5,
    clock: ManualClock | None = None, counters: Counters | None = None,
) -> Rig:  # fmt: skip
    """v11 serves nothing yet; nothing is wanted."""
    clock, counters, source, channel = clock or ManualClock(), counters or Counters(), Source(), MemoryChannel()
    store = store or MemoryStore(("memory",))
    spool, telemetry = Spool(folder / "spool"), Telemetry(clock, "0", "test")
    deliverer = Deliverer(store, {"memory": channel}, clock)
    routers: dict[RolloutKey, MemoryRouter] = {}

    def route(binding: RouteBinding) -> MemoryRouter:
        return routers.setdefault(binding.key, MemoryRouter(binding))

    def sampler(server: MetricServer) -> Sampler:
        return Sampler(server, counters, clock)

    house = House(
        clock=clock, book=Book(store.load()), sources=("test",), specs=source, routers=Routers(route),
        watch=Watch(sampler), probe=ReadyProbe(), store=store, outbox=store, spool=spool,
        persister=Persister(store, spool, patience=patience), channels={"memory": channel}, deliverer=deliverer,
        telemetry=telemetry, health=Health(clock, a_rollout().interval),
    )  # fmt: skip
    return Rig(house, clock, store, source, counters, channel, routers)
