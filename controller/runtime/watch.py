"""Samplers by metric server: one asks for all rollouts that use it; a pass reads what was published last."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

from controller.analysis.asking import asks
from controller.analysis.forbidden import Forbidden, forbidden, total
from controller.analysis.identity import identity_asks
from controller.domain.names import RolloutKey
from controller.domain.rollout import MetricServer, ModelRollout, Version
from controller.domain.state import Run
from controller.metrics.sampler import Sampler

LEAST_INTERVAL = timedelta(milliseconds=200)


@dataclass(slots=True)
class Station:
    """One server's sampler, how often each rollout wants to hear from it, and what its candidate must never say.

    `said` is how often that was counted when it was last looked at: replaced as a whole.
    """

    sampler: Sampler
    intervals: dict[RolloutKey, timedelta] = field(default_factory=dict)
    forbidden: dict[RolloutKey, tuple[Forbidden, ...]] = field(default_factory=dict)
    said: dict[RolloutKey, float] = field(default_factory=dict)

    @property
    def interval(self) -> timedelta | None:
        """The shortest interval anybody asked for, or None when nobody listens."""
        return max(min(self.intervals.values()), LEAST_INTERVAL) if self.intervals else None

    def leave(self, key: RolloutKey) -> None:
        """A rollout no longer listens."""
        self.sampler.unregister(key)
        self.intervals.pop(key, None)
        self.forbidden.pop(key, None)


class Watch:
    """Who listens to which server."""

    def __init__(self, make: Callable[[MetricServer], Sampler]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._stations: dict[MetricServer, Station] = {}
        self._where: dict[RolloutKey, tuple[MetricServer, str, str, bool]] = {}
        self.on_change: Callable[[], None] = lambda: None

    def follow(self, key: RolloutKey, run: Run | None, loading: bool) -> None:
        """Listen for a run under way, stop listening without one. Harmless when nothing changed.

        While `loading`, families are asked for whatever version they are of, so that a wrong label can be named.
        """
        wanted = (run.spec.metrics, run.spec.content_hash, run.id, loading) if run else None
        with self._lock:
            if self._where.get(key) == wanted:
                return
            self._leave(key)
            if run is not None and wanted is not None:
                self._join(key, run, loading)
                self._where[key] = wanted
        self.on_change()

    def _leave(self, key: RolloutKey) -> None:
        before = self._where.pop(key, None)
        if before is None:
            return
        self._stations[before[0]].leave(key)

    def _join(self, key: RolloutKey, run: Run, loading: bool) -> None:
        station = self._stations.get(run.spec.metrics)
        if station is None:
            station = self._stations[run.spec.metrics] = Station(self._make(run.spec.metrics))
        versions = versions_of(run.spec, run)
        wanted = identity_asks if loading else asks
        station.sampler.register(key, wanted(run.spec, versions))
        station.intervals[key] = run.spec.interval
        candidate = run.spec.find(run.candidate)
        never = forbidden(run.spec.slos, candidate) if candidate is not None else ()
        if never:
            station.forbidden[key] = never

    def stations(self) -> Mapping[MetricServer, Station]:
        """All servers with somebody listening."""
        with self._lock:
            return {server: station for server, station in self._stations.items() if station.intervals}

    def listeners(self, server: MetricServer) -> Sequence[RolloutKey]:
        """Who wants to hear of this server's tick."""
        with self._lock:
            station = self._stations.get(server)
            return tuple(station.intervals) if station else ()

    def alarmed(self, server: MetricServer) -> frozenset[RolloutKey]:
        """Listeners with forbidden answers that were not there when this was last asked: once per snapshot."""
        with self._lock:
            station = self._stations.get(server)
            never, before = (dict(station.forbidden), station.said) if station else ({}, {})
        latest = station.sampler.latest if station else None
        if station is None or latest is None:
            return frozenset()
        now = {key: total(latest, wanted) for key, wanted in never.items()}
        with self._lock:
            station.said = now
        return frozenset(key for key, said in now.items() if said > before.get(key, inf))

    def waiting(self, server: MetricServer) -> Sequence[RolloutKey]:
        """Whom this server was not asked for yet: whose run cannot begin before, or who was guarded elsewhere."""
        with self._lock:
            station = self._stations.get(server)
            mine = [key for key, (where, *_) in self._where.items() if where == server]
            return [key for key in mine if station is not None and station.sampler.latest_for(key) is None]

    def of(self, server: MetricServer) -> Sampler | None:
        """The sampler of a server that somebody listens to."""
        with self._lock:
            station = self._stations.get(server)
            return station.sampler if station else None


def versions_of(spec: ModelRollout, run: Run) -> tuple[Version, ...]:
    """The run's two versions: stable first, then the candidate."""
    found = (spec.find(run.stable), spec.find(run.candidate))
    return tuple(version for version in found if version is not None)
