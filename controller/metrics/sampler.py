"""One sampler per metric server: one ask per family and tick, however many rollouts share it."""

import threading
from collections.abc import Sequence

from controller.analysis.asking import Ask, merge
from controller.analysis.index import Indexed
from controller.domain.measure import FamilyAsk, FamilyReading, QueryAsk, Snapshot, ValueReading
from controller.domain.names import RolloutKey
from controller.domain.rollout import MetricServer
from controller.ports import Clock, MetricProvider


class Sampler:
    """Register and unregister from any thread; `tick` from one at a time."""

    def __init__(self, server: MetricServer, provider: MetricProvider, clock: Clock) -> None:
        self.server = server
        self._provider, self._clock = provider, clock
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._asks: dict[RolloutKey, tuple[Ask, ...]] = {}
        self._merged: tuple[Ask, ...] | None = None
        self._latest: Indexed | None = None
        self._covered: dict[RolloutKey, tuple[Ask, ...]] = {}
        self._queries = 0

    def register(self, key: RolloutKey, asks: Sequence[Ask]) -> None:
        """From the next tick on these are asked too; replaces what the rollout registered before."""
        with self._lock:
            self._asks[key] = tuple(asks)
            self._merged = None

    def unregister(self, key: RolloutKey) -> None:
        """No longer ask for a rollout; unknown keys are fine."""
        with self._lock:
            self._asks.pop(key, None)
            self._merged = None

    @property
    def registered(self) -> frozenset[RolloutKey]:
        """The rollouts that are asked for."""
        with self._lock:
            return frozenset(self._asks)

    @property
    def latest(self) -> Indexed | None:
        """The newest snapshot with its index, to be shared by all rollouts; None before the first tick."""
        with self._lock:
            return self._latest

    def latest_for(self, key: RolloutKey) -> Indexed | None:
        """The newest snapshot, if what this rollout asks for now was asked in it; None otherwise."""
        with self._lock:
            wanted = self._asks.get(key)
            return self._latest if wanted is not None and self._covered.get(key) == wanted else None

    @property
    def queries_last_tick(self) -> int:
        """How many families and queries were asked for in the last tick."""
        with self._lock:
            return self._queries

    def tick(self) -> Snapshot:
        """Ask the server now, once for everything that is registered."""
        with self._turn:
            with self._lock:
                if self._merged is None:
                    self._merged = merge(ask for asks in self._asks.values() for ask in asks)
                wanted, covered = self._merged, dict(self._asks)
            snapshot = self._fetch(wanted)
            latest = Indexed(snapshot)
            for ask in wanted:
                if isinstance(ask, FamilyAsk):
                    latest.prepare(ask.metric, [one.label for one in ask.match])
            with self._lock:
                self._latest, self._queries, self._covered = latest, len(wanted), covered
            return snapshot

    def _fetch(self, wanted: Sequence[Ask]) -> Snapshot:
        at = self._clock.now()
        if not wanted:
            return Snapshot(at)
        try:
            return self._provider.fetch(wanted, at)
        except Exception as error:  # noqa: BLE001 - a mistake in a provider must blind its rollouts, not end the sampler
            problem = f"asking failed in a way that was not foreseen ({type(error).__name__}); please report it"
            families = {ask.metric: FamilyReading(problem=problem) for ask in wanted if isinstance(ask, FamilyAsk)}
            values = {ask.query: ValueReading(problem=problem) for ask in wanted if isinstance(ask, QueryAsk)}
            return Snapshot(at, families, values)
