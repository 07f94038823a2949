"""Keeps the versions' workloads at the scale they should have, from a thread of its own: no pass ever waits for it.

Level-triggered: what is wanted follows from where the rollout stands now. The API server is asked only while something
is not as it should be, or when the watched endpoints say so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from controller.domain.cluster import HTTP_ROUTE, ClusterError, ClusterUnavailableError
from controller.domain.names import RolloutKey, VersionName
from controller.domain.observation import Preflight, Readiness, Unknown
from controller.domain.rollout import Mode, Scale, Version
from controller.domain.traffic import RouteSeen
from controller.ports import Clock, KindFinder, ObjectApi, ObjectView
from controller.runtime.book import Book, Held
from controller.runtime.scaling_endpoints import ReadyEndpoints
from controller.runtime.scaling_hand import Scaled, bring
from controller.runtime.scaling_routes import sends_to
from controller.runtime.scaling_wanted import Wanted, needed_by_others, occasion, wanted
from controller.sources.coalesced import Coalesced
from controller.telemetry.health import Health

log = structlog.get_logger("scaling")
LOOK = timedelta(seconds=2)
ON_ITS_WAY, NOT_AS_IT_WAS, AFTER_A_FAULT = 2.0, 30.0, 10.0
"""Seconds until the API server is asked again: while replicas come or go; when endpoints went or came; after a no."""
UNWATCHED = 300.0
"""The same for a version that is no Service: nothing tells of its endpoints."""
NOT_YET = "it is not looked at yet"
NO_CLUSTER = "this daemon has no cluster; start it with --cluster, or leave `scale` away"
Every = Callable[[str, timedelta, Callable[[], None]], None]
Place = tuple[RolloutKey, VersionName]


class Workloads(Protocol):
    """What the passes know of workloads."""

    def start(self, every: Every) -> None:
        """Begin to keep scales. `every` plans a job."""
        ...

    def awaited(self, held: Held) -> Preflight | None:
        """What the candidate of a run that begins waits for, or None when its workload is there. Asks nobody."""
        ...

    def stable_endpoints(self, held: Held) -> int | Unknown | None:
        """How many endpoints of stable are ready; None where that cannot be counted at all. Asks nobody."""
        ...

    def stop(self) -> None:
        """Scales stay as they are."""
        ...


class NoWorkloads:
    """Without a cluster."""

    def start(self, every: Every) -> None:
        """Nothing begins."""

    def awaited(self, held: Held) -> Preflight | None:
        """What is to be scaled lies in a cluster."""
        found = to_scale(held)
        return None if found is None else _waiting(found[1], NO_CLUSTER)

    def stable_endpoints(self, held: Held) -> int | Unknown | None:  # noqa: ARG002 - the protocol's signature
        """There are no Services."""
        return None

    def stop(self) -> None:
        """Nothing runs."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found at a workload, for which occasion, and at which steady time it is looked at again at most."""

    occasion: str
    scaled: Scaled | None
    trouble: str
    again_at: float
    done: bool


class ClusterWorkloads:
    """Implements Workloads. `holds`: which rollouts are this process's own."""

    def __init__(
        self, api: ObjectApi, kinds: KindFinder, view: ObjectView, book: Book, holds: Callable[[RolloutKey], bool],
        clock: Clock, health: Health, namespaces: tuple[str, ...] = (), observe_only: bool = False,
    ) -> None:  # fmt: skip
        self._api, self._kinds, self._view, self._book, self._holds = api, kinds, view, book, holds
        self._clock, self._health, self._observe_only = clock, health, observe_only
        self._endpoints = ReadyEndpoints(view, namespaces)
        self._looks: dict[Place, _Look] = {}
        self._due = Coalesced("scaling")

    def start(self, every: Every) -> None:
        """Nothing is asked while nothing is to be scaled."""
        if not self._observe_only:
            self._due.start(self.step)
            every("scaling", LOOK, self._due.tell)

    def stop(self) -> None:
        """What is under way ends by itself."""
        self._due.stop()

    def awaited(self, held: Held) -> Preflight | None:
        """By what the last look for this very run found."""
        found = None if self._observe_only else to_scale(held)
        if found is None:
            return None
        version, scale = found
        look = self._looks.get((held.key, version.name))
        if look is None or look.occasion != occasion(held.position):
            return _waiting(scale, NOT_YET, Readiness.UNCHECKED)
        if look.scaled is None:
            return _waiting(scale, look.trouble or NOT_YET)
        missing = self._missing(held.key, version, scale, look.scaled)
        return None if missing is None else _waiting(scale, missing)

    def stable_endpoints(self, held: Held) -> int | Unknown | None:
        """Only asked where a run is under way or about to begin."""
        position, spec = held.position, held.active
        run = position.run if position.under_way else None
        name = run.stable if run is not None else position.stable
        version = spec.find(name) if spec is not None else None
        if version is None or spec is None or version.backend.kind != "Service" or spec.route.counts:
            return None
        self._endpoints.follow()
        if run is None and spec.version == name:
            return None
        return self._endpoints.count(held.key.namespace, version.backend.name)

    def step(self) -> None:
        """One look at everything that is due."""
        kept: set[Place] = set()
        for held in self._book.all():
            for want in self._wanted(held):
                kept.add((held.key, want.version.name))
                if self._is_due(held.key, want):
                    self._try(held, want)
        for place in self._looks.keys() - kept:
            self._looks.pop(place, None)
            self._health.ok(_component(place))

    def _wanted(self, held: Held) -> tuple[Wanted, ...]:
        mine = held.lost is None and self._holds(held.key)
        return wanted(held.position, held.spec, self._clock.now()) if mine else ()

    def _may(self, held: Held, want: Wanted) -> bool:
        """Down only what was written down as spare, and is needed by nobody else."""
        return want in self._wanted(held) and (
            want.replicas > 0 or not (held.unsaved or self._in_use(held, want.version))
        )

    def _in_use(self, held: Held, version: Version) -> bool:
        """Does anything say that it may still be needed? What is not known says so."""
        everybody = ((one.key, spec) for one in self._book.all() for spec in (one.active, one.spec.spec) if spec)
        if needed_by_others(held.key, version, everybody):
            return True
        route = held.route
        if not isinstance(route, RouteSeen) or route.table is None:
            return True
        table = route.table
        if any(name == version.name for part in (table.shares, table.mirrors, table.cohorts) for name, _ in part):
            return True
        if version.backend.kind == "Host":
            return False
        try:
            return sends_to(self._view.all(HTTP_ROUTE), held.key.namespace, version.backend) is not None
        except ClusterError:
            return True

    def _is_due(self, key: RolloutKey, want: Wanted) -> bool:
        look = self._looks.get((key, want.version.name))
        if look is None or look.occasion != want.occasion:
            return True
        if self._clock.monotonic() < look.again_at:
            return False
        return not (look.done and want.version.backend.kind == "Service" and self._is_as_it_was(key, want))

    def _is_as_it_was(self, key: RolloutKey, want: Wanted) -> bool:
        ready = self._endpoints.count(key.namespace, want.version.backend.name)
        if isinstance(ready, Unknown):
            return True
        return ready >= want.replicas if want.replicas else ready == 0

    def _try(self, held: Held, want: Wanted) -> None:
        place = (held.key, want.version.name)
        if not self._may(held, want):
            self._looks[place] = self._looked(want, NOT_AS_IT_WAS)
            return
        try:
            scaled = bring(self._api, self._kinds, held.key.namespace, want, lambda: self._may(held, want))
        except ClusterError as error:
            patience = error.retry_after if isinstance(error, ClusterUnavailableError) else None
            self._looks[place] = self._looked(want, patience or AFTER_A_FAULT, trouble=str(error))
        else:
            self._looks[place] = self._found(held.key, want, scaled)
        self._tell(place, want, self._looks[place].trouble)

    def _found(self, key: RolloutKey, want: Wanted, scaled: Scaled | None) -> _Look:
        if scaled is None:
            why = f"there is none of that name in namespace {key.namespace}; create it, or correct `scale`"
            return self._looked(want, AFTER_A_FAULT, trouble=why)
        if not _is_done(want, scaled):
            return self._looked(want, ON_ITS_WAY, scaled)
        watched = want.version.backend.kind == "Service"
        return self._looked(want, NOT_AS_IT_WAS if watched else UNWATCHED, scaled, done=True)

    def _looked(
        self, want: Wanted, patience: float, scaled: Scaled | None = None, trouble: str = "", *, done: bool = False
    ) -> _Look:
        return _Look(want.occasion, scaled, trouble, self._clock.monotonic() + patience, done)

    def _tell(self, place: Place, want: Wanted, trouble: str) -> None:
        if not trouble:
            self._health.ok(_component(place))
            return
        told = f"{_name(want.scale)} was not scaled: {trouble}"
        self._health.trouble(_component(place), told)
        log.warning("not_scaled", rollout=str(place[0]), version=place[1], trouble=told)

    def _missing(self, key: RolloutKey, version: Version, scale: Scale, scaled: Scaled) -> str | None:
        ready: int | Unknown = scaled.there
        if version.backend.kind == "Service":
            ready = self._endpoints.count(key.namespace, version.backend.name)
        if isinstance(ready, Unknown):
            return f"its ready replicas cannot be counted: {ready.why}"
        ready = min(ready, scaled.there)
        return None if ready >= scale.replicas else f"{ready} of {scale.replicas} replicas ready"


def _is_done(want: Wanted, scaled: Scaled) -> bool:
    return min(scaled.asked, scaled.there) >= want.replicas if want.replicas else scaled.asked == 0


def _waiting(scale: Scale, why: str, readiness: Readiness = Readiness.LOADING) -> Preflight:
    return Preflight(readiness, scaling=f"{_name(scale)}: {why}")


def to_scale(held: Held) -> tuple[Version, Scale] | None:
    """The candidate of the run and its scale, where it is brought up."""
    run = held.position.run
    candidate = run.spec.find(run.candidate) if run is not None and run.spec.mode is not Mode.OBSERVE else None
    return None if candidate is None or candidate.scale is None else (candidate, candidate.scale)


def _name(scale: Scale) -> str:
    return f"{scale.kind} {scale.name}"


def _component(place: Place) -> str:
    return f"scale of {place[1]} of {place[0]}"
