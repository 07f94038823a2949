"""One instant of the world, `now` included: all that a pass may know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from controller.domain.evidence import Evidence
from controller.domain.measure import Measurement, SeriesMemory
from controller.domain.names import Digest, VersionName
from controller.domain.problem import SpecProblem
from controller.domain.request import OperatorRequest
from controller.domain.rollout import ModelRollout, Provenance
from controller.domain.traffic import RouteSeen, Split


@dataclass(frozen=True, slots=True)
class Unknown:
    """Not known, and why; never treated as good. `gone`: the object that holds the route was deleted."""

    why: str
    gone: bool = False


class Readiness(StrEnum):
    """Is a version's backend able to answer? `loading` is not failing."""

    READY = "ready"
    LOADING = "loading"
    UNREACHABLE = "unreachable"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Reported:
    """What the status of an object tells of the past, for when nothing else knows it.

    `candidate` was being tried when it was written; `refused` is the digest of a version that was rolled back; `runs`
    were begun.
    """

    stable: VersionName
    candidate: VersionName | None = None
    refused: Digest | None = None
    runs: int = 0


@dataclass(frozen=True, slots=True)
class SpecSeen:
    """The newest good spec of a rollout (None: never one, or deleted), and what is wrong with the present text.

    Of an object of a cluster: `generation` is the present text's, good or not; `reported` is what its status tells. A
    change of what is only reported is no change of the spec.
    """

    spec: ModelRollout | None
    provenance: Provenance | None = None
    problems: tuple[SpecProblem, ...] = ()
    deleted: bool = False
    generation: int = 0
    reported: Reported | None = field(default=None, compare=False)

    @property
    def removed(self) -> bool:
        """Was it deleted for certain? An API server knows; a file may only have been moved."""
        return self.deleted and self.provenance is not None and self.provenance.generation > 0


@dataclass(frozen=True, slots=True)
class Preflight:
    """Checks before a run: is the candidate loaded, did the probe answer, do the series tell the versions apart?

    `problem` is what is wrong and how to fix it, None when everything passed. `scaling` is what must be brought up
    before the candidate can load at all, and how far that is.
    """

    readiness: Readiness = Readiness.UNCHECKED
    problem: str | None = None
    done: bool = False
    scaling: str | None = None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Evidence counted anew out of the measurements that were kept, or out of the metric server's history.

    `counted` ticks are in it, `left_out` lie in the time of a known fault. `whole`: nothing is missing, the budget is
    what it was. `request` is the id of the retry it was made for; empty: for a run whose evidence is missing.
    """

    evidence: Evidence
    counted: int = 0
    left_out: int = 0
    whole: bool = False
    request: str = ""
    source: Literal["kept", "history"] = "kept"


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything `tick` may look at. `measured` is False on a pass between two metric ticks: nothing new to judge.

    `sampled_at` is the instant of the metric snapshot; `readiness` of a former stable is asked only when it matters.
    `rebuilding`: missing evidence is being counted anew; nothing is judged, and nothing goes up, until it is there.
    `recorded` are the roles of the last split that Tidegate itself wrote to the route; asked only when nothing that is
    stored says what is stable. `stable_endpoints` are ready; None: stable has none that could be counted.
    `wordless`: nobody reads what is waited for, unless asked (`Decision.waits_for`). `guarding`: why only the guard may
    act, nothing is raised and nothing begins, because another process may act by now; empty: everything may.
    `storeless`: then, too, nobody can be asked what that other one wrote.
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
    rebuilding: bool = False
    recorded: Split | None = None
    stable_endpoints: int | Unknown | None = None
    wordless: bool = False
    guarding: str = ""
    storeless: bool = False
