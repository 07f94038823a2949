"""Ask every door, answer with one Observation. Failures become `Unknown`, never an exception and never a guess."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from weakref import ref

from controller.analysis.asking import asks
from controller.analysis.counting import Indexed, measure
from controller.analysis.identity import check_identity
from controller.domain.evidence import Evidence
from controller.domain.measure import (
    FamilyAsk,
    FamilyReading,
    Measurement,
    QueryAsk,
    SeriesMemory,
    Snapshot,
    ValueReading,
)
from controller.domain.names import VersionName
from controller.domain.observation import Observation, Preflight, Readiness, Unknown
from controller.domain.record import StoreUnavailableError
from controller.domain.rollout import ModelRollout
from controller.domain.route import EnvoyRoute
from controller.domain.state import Phase, Run
from controller.domain.traffic import RouteSeen
from controller.runtime.able import cannot
from controller.runtime.book import Held
from controller.runtime.house import House
from controller.runtime.probe import addressed
from controller.runtime.rebuilding import rebuild
from controller.runtime.sharing import GUARDING_ONLY
from controller.runtime.unknown_route import recorded
from controller.runtime.watch import versions_of
from controller.traffic.breakglass import JOURNAL

EARLY = 0.75
"""A snapshot counts as the next tick when this part of the interval has passed since the last one."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What one snapshot gave; `measured` is False when there is no newer one."""

    measurements: tuple[Measurement, ...] = ()
    series: SeriesMemory | None = None
    measured: bool = False
    at: datetime | None = None


def observe(held: Held, house: House) -> Observation:
    """One instant of the world for this rollout."""
    now = house.clock.now()
    held.evidence = _evidence(held, house)
    held.recorded = recorded(held)
    route = house.routers.look(held)
    counted = _count(held, house, now)
    again = rebuild(held, house)
    held.route = route
    held.measured_at = counted.at or held.measured_at
    return Observation(
        now=now,
        spec=held.spec,
        route=route,
        measurements=counted.measurements,
        series=counted.series or {},
        measured=counted.measured,
        sampled_at=counted.at,
        preflight=_preflight(held, house),
        requests=tuple(held.inbox),
        route_conflict=held.conflict or cannot(held, house.routers),
        readiness=_former_readiness(held, house),
        observe_only=house.observe_only,
        break_glass=break_glass(held, route),
        rebuilt=again,
        rebuilding=held.rebuilding is not None,
        recorded=held.recorded if held.position.stable is None else None,
        stable_endpoints=house.workloads.stable_endpoints(held),
        guarding="" if house.sharing.holds(held.key) else GUARDING_ONLY,
        storeless=held.unsaved,
    )


def _evidence(held: Held, house: House) -> Evidence | None:
    """Evidence of the digest that is, or may soon be, tried: a retry goes on from what was learned before."""
    spec = held.active
    target = spec.find(spec.version) if spec else None
    if target is None or (held.evidence is not None and held.evidence.digest == target.digest):
        return held.evidence
    if held.position.under_way or held.searched == (target.digest, held.seq):
        return held.evidence
    try:
        found = house.store.evidence(held.key, target.digest)
    except StoreUnavailableError as error:
        house.health.trouble("store", str(error))
        return held.evidence
    held.searched = (target.digest, held.seq)
    return found or held.evidence


def _count(held: Held, house: House, now: datetime) -> Counted:
    run, evidence = held.position.run, held.evidence
    if run is None or evidence is None or not held.position.guarded:
        return Counted()
    sampler = house.watch.of(run.spec.metrics)
    latest = sampler.latest_for(held.key) if sampler else None
    silent_for = _silent_for(held, latest, house.clock.monotonic())
    if silent_for > patience_of(run.spec):
        latest = _unheard(run, now, silent_for)
    elif latest is None or not _is_next(latest.snapshot.at, held, run):
        return Counted()
    measurements, series = measure(
        run.spec.slos,
        versions_of(run.spec, run),
        latest,
        evidence.series,
        now,
        run.spec.interval,
        run.spec.metrics.scrape_interval,
        {slo.name: tuple(s.scenario for s in slo.streams if s.scenario is not None) for slo in evidence.slos},
        run.started_at,
        run.spec.block,
    )
    return Counted(measurements, series, True, latest.snapshot.at)


def patience_of(spec: ModelRollout) -> float:
    """Seconds without any answer of the sampler, not even a failure, after which nothing is known any more."""
    metrics = spec.metrics
    return (3 * max(spec.interval, metrics.scrape_interval) + 2 * metrics.timeout).total_seconds()


def _silent_for(held: Held, latest: Indexed | None, steady: float) -> float:
    # By weak reference: a rollout that was not woken since must not keep an old snapshot of a whole fleet alive.
    known = held.heard is None if latest is None else held.heard is not None and held.heard() is latest
    if held.heard_at is None or not known:
        held.heard, held.heard_at = (ref(latest) if latest is not None else None), steady
    return steady - held.heard_at


def _unheard(run: Run, now: datetime, seconds: float) -> Indexed:
    """The sampler itself hangs: that is blind too, and must not look like a quiet server."""
    problem = f"the metrics server was not asked for {seconds:.0f} s: the sampler hangs; look at the daemon's log"
    wanted = asks(run.spec, versions_of(run.spec, run))
    families = {ask.metric: FamilyReading(problem=problem) for ask in wanted if isinstance(ask, FamilyAsk)}
    values = {ask.query: ValueReading(problem=problem) for ask in wanted if isinstance(ask, QueryAsk)}
    return Indexed(Snapshot(now, families, values))


def _is_next(at: datetime, held: Held, run: Run) -> bool:
    last = held.measured_at
    return last is None or at - last >= run.spec.interval * EARLY or at < last - timedelta(seconds=1)


def _preflight(held: Held, house: House) -> Preflight:
    run = held.position.run
    if run is None or held.position.phase is not Phase.PENDING:
        return Preflight()
    candidate, stable = run.spec.find(run.candidate), run.spec.find(run.stable)
    if candidate is None or stable is None:
        return Preflight(problem=f"{run.stable} and {run.candidate} must both be listed in spec.versions")
    scaling = house.workloads.awaited(held)
    if scaling is not None:
        return scaling
    reached = addressed(candidate, held.key.namespace)
    readiness = house.probe.readiness(reached)
    if readiness is not Readiness.READY:
        return Preflight(readiness)
    probed = house.probe.ask(run.id, reached)
    if probed is None or probed.problem is not None:
        return Preflight(readiness, probed.problem if probed else None)
    sampler = house.watch.of(run.spec.metrics)
    latest = sampler.latest_for(held.key) if sampler else None
    if latest is None:
        return Preflight(readiness)
    problems = check_identity(run.spec, stable, candidate, latest)
    return Preflight(readiness, "; ".join(problems) or None, done=True)


def break_glass(held: Held, route: RouteSeen | Unknown) -> str | None:
    """Who put everything on stable past us since the present split was wanted, or None.

    Only asked for a split that is not confirmed: one that is would be seen to have changed.
    """
    run, mark = held.position.run, held.position.traffic
    if run is None or mark is None or not mark.split.exposes():
        return None
    target = run.spec.route.target
    if not isinstance(target, EnvoyRoute):
        glass = route.glass if isinstance(route, RouteSeen) else None
        return glass.actor if glass is not None and glass.at >= mark.applied_at else None
    if mark.verified_at is not None and isinstance(route, RouteSeen) and route.table == mark.split.table():
        return None  # reading a file at every pass of every run is what made the last of a hundred late
    file = Path(target.config_dir) / JOURNAL
    try:
        entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        mine = [one for one in entries if one["rollout"] == str(held.key)]
        newest = mine[-1] if mine else None
        if newest is None or datetime.fromisoformat(newest["at"]) < mark.applied_at:
            return None
        return str(newest["actor"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"unknown ({file} cannot be read: {type(error).__name__})"


def _former_readiness(held: Held, house: House) -> dict[VersionName, Readiness]:
    """Asked while the former stable may have to take over again, and when the spec wants it back."""
    position = held.position
    spec = held.spec.spec if held.spec.spec is not None else held.active
    if spec is None or position.under_way or position.former is None:
        return {}
    former = spec.find(position.former)
    wanted = position.guarded or spec.version == position.former
    if former is None or not wanted:
        return {}
    return {former.name: house.probe.readiness(addressed(former, held.key.namespace))}
