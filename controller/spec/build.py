"""Models that were checked -> the frozen nouns of the house, every default filled in."""

import math
from collections.abc import Mapping
from datetime import timedelta

from controller.domain.names import RolloutKey, VersionName
from controller.domain.rollout import (
    BlindAction,
    BlindPolicy,
    MetricServer,
    Mode,
    ModelRollout,
    Require,
    Scale,
    Stage,
    StageKind,
    Startup,
    Version,
)
from controller.domain.route import BackendRef, EnvoyRoute, GatewayApiRoute, Route, Sticky
from controller.domain.slo import OnBreach
from controller.spec.build_slos import build_slos
from controller.spec.digests import Gathering, content_hash, run_hash, version_digest
from controller.spec.fields import duration, percent
from controller.spec.identities import identity_of
from controller.spec.judges import spent
from controller.spec.schema import AnalysisBlock, RolloutDocument, SpecBlock
from controller.spec.schema_metrics import MetricsBlock
from controller.spec.schema_routes import EnvoyBlock, GatewayApiBlock, RouteBlock
from controller.spec.schema_stages import StageBlock
from controller.spec.schema_versions import IdentityBlock, ScaleBlock, VersionBlock

SHORTEST_HORIZON = 100


def build(document: RolloutDocument) -> ModelRollout:
    """The rollout that a checked document describes."""
    spec = document.spec
    versions = tuple(build_version(one, spec.metrics.identity) for one in spec.versions)
    namespace = document.metadata.namespace
    route, stages, gathering = (
        build_route(spec.routes[0], namespace),
        build_stages(spec),
        build_gathering(spec.analysis),
    )
    return ModelRollout(
        key=RolloutKey(namespace, document.metadata.name),
        version=VersionName(spec.version),
        versions=versions,
        route=route,
        metrics=build_server(spec.metrics),
        slos=build_slos(dict(enumerate(spec.slos)), gathering),
        stages=stages,
        content_hash=content_hash(spec),
        run_hash=run_hash(versions, route, stages),
        horizon=horizon(spec, stages),
        block=gathering.block,
        semantics=gathering.semantics,
        mode=Mode(spec.mode),
        suspend=spec.suspend,
        interval=duration(spec.analysis.interval),
        max_false_rollback=_budget(spec),
        on_inconclusive=OnBreach(spec.on_inconclusive),
        on_blind=BlindPolicy(duration(spec.on_blind.after), BlindAction(spec.on_blind.then)),
        rollback_window=duration(spec.rollback_window),
        initial_stable=VersionName(spec.initial_stable) if spec.initial_stable else None,
    )


def build_gathering(block: AnalysisBlock) -> Gathering:
    """How answers become evidence. A block of one interval is what there is without one."""
    span = duration(block.block) if block.block else None
    return Gathering(None if span == duration(block.interval) else span, block.semantics)


def _budget(spec: SpecBlock) -> float:
    """The chance of a false rollback, less what labels that calibrate judges have spent of it."""
    return round(percent(spec.analysis.max_false_rollback) - sum(spent(slo.judge) for slo in spec.slos), 12)


def build_version(block: VersionBlock, shared: IdentityBlock) -> Version:
    """One version, its identity filled in."""
    backend, startup = block.backend_ref, block.startup
    return Version(
        name=VersionName(block.name),
        backend=BackendRef(backend.kind, backend.name, backend.port),
        digest=version_digest(block),
        pinned=block.bundle is not None,
        identity=identity_of(block, shared),
        startup=Startup(startup.path, duration(startup.deadline)) if startup else None,
        scale=build_scale(block.scale) if block.scale else None,
    )


def build_scale(block: ScaleBlock) -> Scale:
    """What brings a version up and down."""
    return Scale(
        api_version=block.api_version,
        kind=block.kind,
        name=block.name,
        replicas=block.replicas,
        deadline=duration(block.deadline),
        down_after=duration(block.down_after),
    )


def build_route(block: RouteBlock, namespace: str) -> Route:
    """The one route; an object of a cluster lies in the rollout's namespace."""
    if block.gateway_api is not None:
        return Route(_gateway_api(block.gateway_api, namespace))
    assert block.envoy is not None, "checked: a route names a router"
    target = _envoy(block.envoy)
    if block.sticky_by is None:
        return Route(target)
    header, cookie = block.sticky_by.header, block.sticky_by.cookie
    return Route(target, Sticky("header", header) if header else Sticky("cookie", cookie or ""))


def _envoy(block: EnvoyBlock) -> EnvoyRoute:
    return EnvoyRoute(
        admin=block.admin,
        config_dir=block.config_dir,
        listen=block.listen,
        hosts=tuple(block.hosts),
        prefix=block.prefix,
    )


def _gateway_api(block: GatewayApiBlock, namespace: str) -> GatewayApiRoute:
    return GatewayApiRoute(namespace, block.http_route, block.rule, tuple(sorted(set(block.gitops_managers))))


def build_server(block: MetricsBlock) -> MetricServer:
    """Who is asked, and how."""
    server = block.prometheus or block.scrape
    assert server is not None, "checked: metrics names a provider"
    login = server.basic_auth
    return MetricServer(
        provider="prometheus" if block.prometheus else "scrape",
        urls=(block.prometheus.url.rstrip("/"),)
        if block.prometheus
        else tuple(block.scrape.urls if block.scrape else ()),
        scrape_interval=duration(server.scrape_interval),
        timeout=duration(server.timeout),
        bearer_file=server.bearer_token_file,
        basic_user=login.username if login else None,
        basic_password_file=login.password_file if login else None,
        ca_file=server.ca_file,
        insecure_skip_verify=server.insecure_skip_verify,
        headers=_pairs(server.headers),
    )


def build_stages(spec: SpecBlock) -> tuple[Stage, ...]:
    """All stages; the last one before full must be proven unless it says otherwise."""
    last = len(spec.stages) - 2
    usual = [Require.PROVEN if at == last else Require.NO_BREACH for at in range(len(spec.stages))]
    return tuple(_stage(block, require) for block, require in zip(spec.stages, usual, strict=True))


def _stage(block: StageBlock, usual: Require) -> Stage:
    kind = next(kind for kind in StageKind if getattr(block, kind) is not None)
    return Stage(
        name=block.name,
        kind=kind,
        min_duration=duration(block.min_duration),
        max_duration=duration(block.max_duration),
        require=Require(block.require) if block.require else usual,
        weight=100 if kind is StageKind.FULL else block.canary.weight if block.canary else 0,
        mirror=block.shadow.percent if block.shadow else 0,
        max_mirrored=block.shadow.max_requests if block.shadow else None,
        headers=_pairs(block.cohort.headers) if block.cohort else (),
        min_samples=block.min_samples,
        approvals=block.approval.required if block.approval else 0,
    )


def horizon(spec: SpecBlock, stages: tuple[Stage, ...]) -> int:
    """Planned length of a run in ticks: as given, else twice the stages' minDuration, at least 100 ticks."""
    interval = duration(spec.analysis.interval)
    if spec.analysis.horizon is not None:
        return math.ceil(duration(spec.analysis.horizon) / interval)
    planned = 2 * sum((stage.min_duration for stage in stages), timedelta(0))
    return max(SHORTEST_HORIZON, math.ceil(planned / interval))


def _pairs(mapping: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(mapping.items()))
