"""Our own `/metrics`: a registry of its own, fed by the runtime, rendered when somebody asks."""

from collections.abc import Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from controller.domain.names import RolloutKey
from controller.domain.state import Position
from controller.domain.verdict import Judgement
from controller.ports import Clock
from controller.telemetry.masking import masked_text
from controller.telemetry.rollouts import RolloutCollector, SourceCollector

TICK_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LATENESS_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
FETCH_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Telemetry:
    """Everything the runtime tells about itself. Safe to use from every thread; never raises for what it is told."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, clock: Clock, version: str, engine: str) -> None:
        self._registry = CollectorRegistry()
        self._rollouts, self._sources = RolloutCollector(), SourceCollector(clock)
        self._registry.register(self._rollouts)
        self._registry.register(self._sources)
        build = Gauge("tidegate_build_info", "What runs here.", ["version", "engine"], registry=self._registry)
        build.labels(version, engine).set(1)
        self._passes()
        self._asking()
        self._keeping()
        self._asked = Counter(
            "tidegate_api_requests",
            "Requests to the Kubernetes API server, by HTTP status (0: no answer).",
            ["verb", "resource", "code"],
            registry=self._registry,
        )

    def _passes(self) -> None:
        mine = self._registry
        self._tick = Histogram(
            "tidegate_tick_duration_seconds", "One pass over one rollout.", buckets=TICK_BUCKETS, registry=mine
        )
        self._late = Histogram(
            "tidegate_tick_lateness_seconds",
            "How much later than planned a tick began.",
            buckets=LATENESS_BUCKETS,
            registry=mine,
        )
        self._decisions = Counter("tidegate_decisions", "Decisions, by reason.", ["reason"], registry=mine)

    def _asking(self) -> None:
        mine, server = self._registry, ["server"]
        self._queries = Gauge(
            "tidegate_metric_queries_per_tick", "Queries that the last tick sent.", server, registry=mine
        )
        self._queries_total = Counter("tidegate_metric_queries", "Queries sent.", server, registry=mine)
        self._problems = Counter("tidegate_metric_problems", "Answers not to be trusted.", server, registry=mine)
        self._fetch = Histogram(
            "tidegate_metric_fetch_seconds",
            "Asking one server for one tick.",
            server,
            buckets=FETCH_BUCKETS,
            registry=mine,
        )

    def _keeping(self) -> None:
        mine = self._registry
        self._commits = Counter("tidegate_store_commits", "Commits that succeeded.", registry=mine)
        self._commit_failures = Counter("tidegate_store_commit_failures", "Commits that failed.", registry=mine)
        self._spooled = Gauge("tidegate_spooled_decisions", "Decisions that wait for the database.", registry=mine)
        self._pending = Gauge("tidegate_alerts_pending", "Alerts not yet delivered.", registry=mine)
        self._tries = Counter(
            "tidegate_alert_deliveries", "Tries to deliver an alert.", ["channel", "outcome"], registry=mine
        )

    def passed(self, key: RolloutKey, position: Position, judgement: Judgement, seconds: float) -> None:
        """One pass over one rollout is done and took so long."""
        self._tick.observe(seconds)
        self._rollouts.keep(key, position, judgement)

    def forgot(self, key: RolloutKey) -> None:
        """The rollout is gone: its series end."""
        self._rollouts.forget(key)

    def late(self, seconds: float) -> None:
        """A tick began so much later than planned."""
        self._late.observe(max(0.0, seconds))

    def decided(self, reason: str) -> None:
        """A notice was recorded."""
        self._decisions.labels(reason).inc()

    def sampled(self, server: str, queries: int, seconds: float, problems: int) -> None:
        """One metric server was asked for one tick; `problems` answers are not to be trusted."""
        name = masked_text(server)
        self._queries.labels(name).set(queries)
        self._queries_total.labels(name).inc(queries)
        self._fetch.labels(name).observe(seconds)
        self._problems.labels(name).inc(problems)

    def asked_cluster(self, verb: str, resource: str, code: int, _seconds: float) -> None:
        """The API server of a cluster was asked once."""
        self._asked.labels(verb, resource, str(code)).inc()

    def stored(self, ok: bool) -> None:
        """A commit ended."""
        (self._commits if ok else self._commit_failures).inc()

    def spooled(self, waiting: int) -> None:
        """So many decisions wait in the spool."""
        self._spooled.set(waiting)

    def alerts_pending(self, waiting: int) -> None:
        """So many alerts wait in the outbox."""
        self._pending.set(waiting)

    def alert_tried(self, channel: str, outcome: str) -> None:
        """A try to deliver an alert ended (delivered, retry, refused)."""
        self._tries.labels(channel, outcome).inc()

    def sourced(self, source: str, as_of: datetime) -> None:
        """A source was read; what it gave is as old as `as_of`."""
        self._sources.keep(masked_text(source), as_of)

    def render(self) -> bytes:
        """The page, in the text format."""
        return generate_latest(self._registry)

    def value(self, name: str, labels: Mapping[str, str] | None = None) -> float | None:
        """One sample's value, for tests and for the benchmark; None when there is no such series."""
        return self._registry.get_sample_value(name, dict(labels or {}))
