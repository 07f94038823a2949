"""`ModelRollout` as the rest of the house sees it: parsed, complete, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from controller.domain.names import Digest, RolloutKey, SloName, VersionName


@dataclass(frozen=True, slots=True)
class BackendRef:
    """Where a version listens. `Host`: `name` is an address or DNS name; the others are objects of a cluster."""

    kind: Literal["Host", "Service", "InferencePool"]
    name: str
    port: int


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


@dataclass(frozen=True, slots=True)
class Matcher:
    """A label and the values that count."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selector:
    """Counter series of one metric family."""

    metric: str
    match: tuple[Matcher, ...] = ()


@dataclass(frozen=True, slots=True)
class SamplingWeights:
    """Stratified judging: an answer whose `label` has one of `values` stands for that many. Others stand for 1."""

    label: str
    values: tuple[tuple[str, float], ...]


ASIDE: Mapping[str, bool] = MappingProxyType({"aside": True})
"""Of fields that say how to wait for counts, not what the counts mean: evidence does not depend on them."""


@dataclass(frozen=True, slots=True)
class RatioIndicator:
    """Bad of total, both counters.

    `once_per` is a label (a user, a conversation): at most one bad per value of it counts in a block. `eligible` counts
    the answers that were sampled for judging, when they were produced.
    """

    bad: Selector
    total: Selector
    errors: Selector | None = None
    weights: SamplingWeights | None = None
    once_per: str | None = None
    kind: Literal["ratio"] = "ratio"
    eligible: Selector | None = field(default=None, repr=False, metadata=ASIDE)


@dataclass(frozen=True, slots=True)
class LatencyIndicator:
    """Requests of a histogram that took longer than `under` seconds, of all; `under` must be a bucket bound."""

    histogram: str
    under: float
    match: tuple[Matcher, ...] = ()
    kind: Literal["latency"] = "latency"


@dataclass(frozen=True, slots=True)
class PromqlIndicator:
    """A value. `query` still holds `{{version}}`, filled in as an escaped string for each version."""

    query: str
    kind: Literal["promql"] = "promql"


Indicator = RatioIndicator | LatencyIndicator | PromqlIndicator


@dataclass(frozen=True, slots=True)
class Scenarios:
    """Slices of an SLI by a label. The total of slice s counts the label values s and `baseline`.

    The first bad answer in a `zero_tolerance` slice withdraws the candidate and pages, until a person reviews it.
    """

    label: str
    baseline: str
    required: tuple[str, ...] = ()
    zero_tolerance: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Margin:
    """The most the candidate may have beside the concurrent stable: `ratio` x its rate + `points` (a rate)."""

    ratio: float = 1.0
    points: float = 0.0

    def limit(self, rate: float) -> float:
        """The greatest allowed rate of the candidate where stable's is `rate`."""
        return max(0.0, self.ratio * rate + self.points)


@dataclass(frozen=True, slots=True)
class JudgePolicy:
    """When the judge itself is not to be trusted: share of errors (0..1), age of the newest judged answer.

    `sensitivity` and `specificity` (0..1, lower and upper bound) are how often it recognises bad and good answers.
    `latency` is how long it takes for 99 of 100 answers, from the answer to its verdict.
    """

    max_errors: float
    max_age: timedelta
    sensitivity: tuple[float, float] = (1.0, 1.0)
    specificity: tuple[float, float] = (1.0, 1.0)
    latency: timedelta = field(default=timedelta(minutes=2), repr=False, metadata=ASIDE)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Bounds for a value; acts after `consecutive` values in a row outside of them."""

    max: float | None
    min: float | None
    consecutive: int


class OnBreach(StrEnum):
    """What a breach of an SLO leads to."""

    ROLLBACK = "rollback"
    HOLD = "hold"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Slo:
    """An SLI and the objective it is held to.

    `max_bad` is the objective as a rate of bad (0..1), None for a `threshold`. `weight` is the share of its
    ledger's budget (they sum to 1 per action). `definition` hashes what evidence depends on: indicator, objective,
    scenarios, judge.
    """

    name: SloName
    indicator: Indicator
    definition: str
    weight: float
    max_bad: float | None = None
    threshold: Threshold | None = None
    scenarios: Scenarios | None = None
    judge: JudgePolicy = field(default_factory=lambda: JudgePolicy(0.05, timedelta(minutes=10)))
    on_breach: OnBreach = OnBreach.ROLLBACK
    max_false_promotion: float = 0.05
    versus_stable: Margin | None = None


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
class EnvoyRoute:
    """An Envoy on this machine. With `listen` Tidegate runs it; without, it drives one that reads `config_dir`.

    `admin` is host:port of the admin interface. `hosts` and `prefix` say which requests the rollout owns.
    """

    admin: str
    config_dir: str
    listen: str | None = None
    hosts: tuple[str, ...] = ("*",)
    prefix: str = "/"
    router: Literal["envoy"] = "envoy"

    @property
    def place(self) -> str:
        """The data plane, for messages: rollouts with the same place share its fate."""
        return self.admin


@dataclass(frozen=True, slots=True)
class GatewayApiRoute:
    """An HTTPRoute of a cluster, which people own: ours are the entries of the rollout's versions in one rule.

    `rule` is the rule's name; None: the only rule that has one of the rollout's versions among its backends.
    `gitops_managers` are field managers whose writing over ours is undone at once instead of being taken as a wish.
    """

    namespace: str
    http_route: str
    rule: str | None = None
    gitops_managers: tuple[str, ...] = ()
    router: Literal["gateway_api"] = "gateway_api"

    @property
    def place(self) -> str:
        """The data plane, for messages: rollouts with the same place share its fate."""
        return f"HTTPRoute {self.namespace}/{self.http_route}"


@dataclass(frozen=True, slots=True)
class Sticky:
    """What keeps a conversation on one version: the value of a request header or of a cookie."""

    by: Literal["header", "cookie"]
    name: str


@dataclass(frozen=True, slots=True)
class Route:
    """Where the rollout's requests pass. `identity` (in `target`) makes two rollouts on one route comparable."""

    target: EnvoyRoute | GatewayApiRoute
    sticky: Sticky | None = None

    @property
    def envoy(self) -> EnvoyRoute:
        """The target, for those who drive an Envoy of this machine. Raises LookupError for a route of another kind."""
        if isinstance(self.target, EnvoyRoute):
            return self.target
        raise LookupError(f"the route {self.target.place} has the router `{self.target.router}`, not `envoy`")

    @property
    def counts(self) -> bool:
        """Does its data plane tell how many requests each version got?"""
        return isinstance(self.target, EnvoyRoute)


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
