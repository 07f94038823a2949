"""The scale that each version of a rollout should have now: up before its run, down when nobody needs it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from controller.decision.spare import in_use
from controller.domain.names import RolloutKey, VersionName
from controller.domain.observation import SpecSeen
from controller.domain.rollout import Mode, ModelRollout, Scale, Version
from controller.domain.state import Phase, Position
from controller.domain.traffic import Split


@dataclass(frozen=True, slots=True)
class Wanted:
    """At least `replicas`; none where that is 0. `occasion` tells one run, or one end of use, from the next."""

    version: Version
    scale: Scale
    replicas: int
    occasion: str


def wanted(position: Position, seen: SpecSeen, now: datetime) -> tuple[Wanted, ...]:
    """What is left alone is not in it: what was never tried, and everything of a rollout that only observes."""
    return (*_up(position), *_down(position, seen, now))


def occasion(position: Position) -> str:
    """Of the run under way: a look for another one is none for this."""
    run = position.run
    return f"{run.id} {run.started_at.isoformat()}" if run is not None else ""


def _up(position: Position) -> Iterator[Wanted]:
    run = position.run
    if run is None or not position.under_way or run.spec.mode is Mode.OBSERVE or _leaves(position):
        return
    candidate = run.spec.find(run.candidate)
    if candidate is not None and candidate.scale is not None:
        yield Wanted(candidate, candidate.scale, candidate.scale.replicas, occasion(position))


def _leaves(position: Position) -> bool:
    """A candidate that is being rolled back is left as it is until that is verified."""
    phase = position.resume_phase if position.phase is Phase.STALLED else position.phase
    return phase is Phase.ROLLING_BACK


def _down(position: Position, seen: SpecSeen, now: datetime) -> Iterator[Wanted]:
    """Only under a good spec, and only at verified zero."""
    spec, mark = seen.spec, position.traffic
    if not position.spare or spec is None or seen.deleted or seen.problems or spec.mode is Mode.OBSERVE:
        return
    if mark is None or mark.verified_at is None:
        return
    kept = in_use(position, spec, now) | _served(mark.split)
    for spare in position.spare:
        version = spec.find(spare.version.name) or spare.version
        scale = version.scale
        if scale is None or version.name in kept or now - spare.since < scale.down_after:
            continue
        if not any(is_one(version, other) for other in _versions(position, spec) if other.name in kept):
            yield Wanted(version, scale, 0, spare.since.isoformat())


def _served(split: Split) -> frozenset[VersionName]:
    exposed = split.candidate if split.exposes() else None
    return frozenset((split.stable, *(() if exposed is None else (exposed,))))


def _versions(position: Position, spec: ModelRollout) -> Iterator[Version]:
    yield from spec.versions
    if position.run is not None:
        yield from position.run.spec.versions


def is_one(version: Version, other: Version) -> bool:
    """Are they one workload or one backend under two names? Of one namespace."""
    backends = (version.backend.kind, version.backend.name) == (other.backend.kind, other.backend.name)
    if backends and (version.backend.kind != "Host" or version.backend.port == other.backend.port):
        return True
    one, two = version.scale, other.scale
    return one is not None and two is not None and workload(one) == workload(two)


def workload(scale: Scale) -> tuple[str, str, str]:
    """Which object: API group, kind, name."""
    return scale.api_version.rpartition("/")[0], scale.kind, scale.name


def needed_by_others(key: RolloutKey, version: Version, others: Iterable[tuple[RolloutKey, ModelRollout]]) -> bool:
    """Does another rollout of the namespace list it, whatever it does with it now?"""
    near = (spec for other, spec in others if other != key and other.namespace == key.namespace)
    return any(is_one(version, listed) for spec in near for listed in spec.versions)
