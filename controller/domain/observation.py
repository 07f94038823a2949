"""One instant of the world, `now` included: all that a pass may know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.domain.evidence import Evidence
from controller.domain.measure import Measurement, SeriesMemory
from controller.domain.names import VersionName
from controller.domain.problem import SpecProblem
from controller.domain.request import OperatorRequest
from controller.domain.rollout import ModelRollout, Provenance
from controller.domain.traffic import RouteSeen


@dataclass(frozen=True, slots=True)
class Unknown:
    """Not known, and why; never treated as good."""

    why: str


class Readiness(StrEnum):
    """Is a version's backend able to answer? `loading` is not failing."""

    READY = "ready"
    LOADING = "loading"
    UNREACHABLE = "unreachable"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class SpecSeen:
    """The newest good spec of a rollout (None: never one, or deleted), and what is wrong with the present text."""

    spec: ModelRollout | None
    provenance: Provenance | None = None
    problems: tuple[SpecProblem, ...] = ()
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Preflight:
    """Checks before a run: is the candidate loaded, did the probe answer, do the series tell the versions apart?

    `problem` is what is wrong and how to fix it, None when everything passed.
    """

    readiness: Readiness = Readiness.UNCHECKED
    problem: str | None = None
    done: bool = False


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Evidence counted anew out of the measurements that were kept.

    `counted` ticks are in it, `left_out` lie in the time of a known fault. `whole`: nothing is missing, the budget is
    what it was. `request` is the id of the retry it was made for; empty: for a run whose evidence is missing.
    """

    evidence: Evidence
    counted: int = 0
    left_out: int = 0
    whole: bool = False
    request: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything `tick` may look at. `measured` is False on a pass between two metric ticks: nothing new to judge.

    `sampled_at` is the instant of the metric snapshot; `readiness` of a former stable is asked only when it matters.
    """

    now: datetime
    spec: SpecSeen
    route: RouteSeen | Unknown
    measurements: tuple[Measurement, ...] = ()
    series: SeriesMemory = field(default_factory=dict)
    measured: bool = False
    sampled_at: datetime | None = None
    preflight: Preflight = Preflight()
    requests: tuple[OperatorRequest, ...] = ()
    route_conflict: str | None = None
    readiness: Mapping[VersionName, Readiness] = field(default_factory=dict)
    observe_only: bool = False
    break_glass: str | None = None
    rebuilt: Rebuilt | None = None
