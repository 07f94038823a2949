"""`ModelRollout` as the rest of the house sees it: parsed, complete, frozen."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from controller.domain.names import Digest, RolloutKey, VersionName
from controller.domain.route import BackendRef, Route
from controller.domain.slo import OnBreach, Slo


@dataclass(frozen=True, slots=True)
class Startup:
    """How to see that a version is loaded: GET `path` answers 2xx. Past `deadline` the run is held, not failed."""

    path: str
    deadline: timedelta


@dataclass(frozen=True, slots=True)
class Identity:
    """Which series belong to a version: those whose `label` equals `value` (already filled in)."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Scale:
    """What brings a version up before its run and down after it: an object with a scale sub-resource.

    Up to `replicas`; not there after `deadline`: the run is held. Down to 0 when it has served nobody for `down_after`.
    """

    api_version: str
    kind: str
    name: str
    replicas: int
    deadline: timedelta
    down_after: timedelta


@dataclass(frozen=True, slots=True)
class Version:
    """A named, immutable bundle behind one backend. `digest` hashes the bundle; `pinned` is False without one."""

    name: VersionName
    backend: BackendRef
    digest: Digest
    pinned: bool
    identity: Identity
    startup: Startup | None = None
    scale: Scale | None = None


class StageKind(StrEnum):
    """What a stage does with traffic."""

    SHADOW = "shadow"
    COHORT = "cohort"
    CANARY = "canary"
    FULL = "full"


class Require(StrEnum):
    """What the evidence must say before a stage is left upwards."""

    NO_BREACH = "noBreach"
    PROVEN = "proven"


@dataclass(frozen=True, slots=True)
class Stage:
    """One entry of `stages`. `weight` is percent of live requests, `mirror` percent of requests copied."""

    name: str
    kind: StageKind
    min_duration: timedelta
    max_duration: timedelta
    require: Require
    weight: int = 0
    mirror: int = 0
    max_mirrored: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    min_samples: int = 0
    approvals: int = 0


@dataclass(frozen=True, slots=True)
class MetricServer:
    """One metric server; equal values share one sampler. Secrets are read from files, never kept here.

    `urls` is one base URL for `prometheus`, one or more /metrics pages for `scrape`. `scrape_interval` is how often
    new samples are expected: older than three of them is stale.
    """

    provider: Literal["prometheus", "scrape"]
    urls: tuple[str, ...]
    scrape_interval: timedelta = timedelta(seconds=15)
    timeout: timedelta = timedelta(seconds=10)
    bearer_file: str | None = None
    basic_user: str | None = None
    basic_password_file: str | None = None
    ca_file: str | None = None
    insecure_skip_verify: bool = False
    headers: tuple[tuple[str, str], ...] = ()


class Mode(StrEnum):
    """`observe` judges and says what it would do; it writes no route."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class BlindAction(StrEnum):
    """What happens when the guard has been blind for too long."""

    WITHDRAW = "withdraw"
    HOLD = "hold"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class BlindPolicy:
    """After how long blind, then what."""

    after: timedelta
    then: BlindAction


@dataclass(frozen=True, slots=True)
class ModelRollout:
    """The declarative resource, whole. `horizon` is the planned length of a run in ticks of `interval`.

    `block` is how long answers are gathered before they are judged together (None: one tick). `semantics`: is the
    objective kept when the rate is below it in every block (`local`), or on average since the start?

    `content_hash` is of the whole spec; `run_hash` only of what a run is pinned to (bundles, routes, kinds and
    weights of stages): when it differs, an edit starts a new run.
    """

    key: RolloutKey
    version: VersionName
    versions: tuple[Version, ...]
    route: Route
    metrics: MetricServer
    slos: tuple[Slo, ...]
    stages: tuple[Stage, ...]
    content_hash: str
    run_hash: str
    horizon: int
    block: timedelta | None = None
    semantics: Literal["local", "average"] = "local"
    mode: Mode = Mode.ENFORCE
    suspend: bool = False
    interval: timedelta = timedelta(seconds=15)
    max_false_rollback: float = 0.05
    on_inconclusive: OnBreach = OnBreach.HOLD
    on_blind: BlindPolicy = BlindPolicy(timedelta(minutes=5), BlindAction.WITHDRAW)
    rollback_window: timedelta = timedelta(hours=24)
    initial_stable: VersionName | None = None

    def find(self, name: VersionName | None) -> Version | None:
        """The listed version of that name, or None."""
        return next((version for version in self.versions if version.name == name), None)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a spec came from: a file, and for git the commit; for an object of a cluster, its generation (from 1)."""

    file: str
    line: int = 1
    commit: str | None = None
    author: str | None = None
    message: str | None = None
    generation: int = 0
