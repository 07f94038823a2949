"""Builders: whole nouns with good defaults, so that a test names only the one thing it is about."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from controller.domain.names import Digest, RolloutKey, RunId, SloName, VersionName
from controller.domain.observation import Observation, SpecSeen
from controller.domain.rollout import (
    Identity,
    MetricServer,
    ModelRollout,
    Provenance,
    Require,
    Stage,
    StageKind,
    Version,
)
from controller.domain.route import BackendRef, EnvoyRoute, Route
from controller.domain.slo import (
    Indicator,
    JudgePolicy,
    PromqlIndicator,
    RatioIndicator,
    Scenarios,
    Selector,
    Slo,
    Threshold,
)
from controller.domain.state import Phase, Position, Run, TrafficMark
from controller.domain.traffic import RequestCounts, RouteSeen, Split
from controller.testing.clock import START

STABLE, CANDIDATE, THIRD = VersionName("v11"), VersionName("v12"), VersionName("v13")
PROVENANCE = Provenance("rollouts/support-bot.yaml", 1, "4be1c9a", "ada@example.org", "try v12")


def digest_of(name: str, bundle: str = "") -> Digest:
    """The digest that `a_version` gives to a name and a bundle."""
    return Digest("sha256:" + hashlib.sha256(f"{name}/{bundle}".encode()).hexdigest()[:12])


def a_version(name: str, bundle: str = "", **changes: Any) -> Version:
    """A version on this machine; another `bundle` gives another digest."""
    backend = BackendRef("Host", "127.0.0.1", 8000)
    version = Version(VersionName(name), backend, digest_of(name, bundle), True, Identity("version", name))
    return replace(version, **changes)


def a_slo(name: str = "harm", max_bad: float = 0.05, scenarios: Sequence[str] | None = None, **changes: Any) -> Slo:
    """A ratio SLO: `max_bad` is a rate (0..1); `scenarios` are the required slices."""
    indicator: Indicator = RatioIndicator(Selector(f"{name}_bad_total"), Selector(f"{name}_total"))
    slices = None if scenarios is None else Scenarios("hazard", "none", tuple(scenarios))
    slo = Slo(SloName(name), indicator, "", 1.0, max_bad, None, slices, JudgePolicy(0.05, timedelta(minutes=10)))
    slo = replace(slo, **changes)
    return slo if slo.definition else replace(slo, definition=_definition(slo))


def a_threshold(name: str = "cost", high: float = 0.02, consecutive: int = 3, **changes: Any) -> Slo:
    """A `promql` SLO with an upper bound."""
    indicator = PromqlIndicator(f'{name}{{version="{{{{version}}}}"}}')
    slo = Slo(SloName(name), indicator, "", 1.0, None, Threshold(high, None, consecutive))
    slo = replace(slo, **changes)
    return slo if slo.definition else replace(slo, definition=_definition(slo))


def _definition(slo: Slo) -> str:
    return f"{slo.indicator}/{slo.max_bad}/{slo.threshold}/{slo.scenarios}/{slo.judge}"


def a_stage(kind: StageKind | str = StageKind.CANARY, name: str | None = None, **changes: Any) -> Stage:
    """A stage of one minute; a shadow mirrors 20 %, a cohort is `x-cohort: employees`."""
    kind = StageKind(kind)
    stage = Stage(name or kind.value, kind, timedelta(minutes=1), timedelta(hours=24), Require.NO_BREACH)
    if kind is StageKind.SHADOW:
        stage = replace(stage, mirror=20)
    if kind is StageKind.COHORT:
        stage = replace(stage, headers=(("x-cohort", "employees"),))
    return replace(stage, **changes)


def stages(*weights: int, shadow: int = 20, **changes: Any) -> tuple[Stage, ...]:
    """shadow (none when 0), a canary per weight, full; `changes` apply to each of them."""
    first = (a_stage("shadow", mirror=shadow, **changes),) if shadow else ()
    middle = (a_stage("canary", f"canary-{weight}", weight=weight, **changes) for weight in weights)
    return (*first, *middle, a_stage("full", **changes))


def a_rollout(version: str = CANDIDATE, **changes: Any) -> ModelRollout:
    """support-bot: v11, v12, v13; harm at most 5 %; shadow 20 %, canary 10 %, full; ticks of 15 s.

    The hashes follow from the content, as they do for a real file.
    """
    rollout = ModelRollout(
        key=RolloutKey("default", "support-bot"),
        version=VersionName(version),
        versions=(a_version("v11"), a_version("v12"), a_version("v13")),
        route=Route(EnvoyRoute("127.0.0.1:9901", "/run/envoy")),
        metrics=MetricServer("scrape", ("http://127.0.0.1:9000/metrics",)),
        slos=(a_slo(),),
        stages=stages(10),
        content_hash="",
        run_hash="",
        horizon=480,
        initial_stable=STABLE,
    )
    return hashed(replace(rollout, **changes))


def hashed(rollout: ModelRollout) -> ModelRollout:
    """The rollout with weights that sum to 1 per action and with the hashes of its content."""
    slos = tuple(_weighed(slo, rollout.slos) for slo in rollout.slos)
    rollout = replace(rollout, slos=slos, content_hash="", run_hash="")
    pinned = [(s.kind, s.weight, s.mirror, s.headers, s.name) for s in rollout.stages]
    run_hash = _short((rollout.versions, rollout.route, pinned))
    return replace(rollout, content_hash=_short(rollout), run_hash=run_hash)


def _weighed(slo: Slo, all_of: Sequence[Slo]) -> Slo:
    return replace(slo, weight=slo.weight / sum(one.weight for one in all_of if one.on_breach is slo.on_breach))


def _short(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]


def spec_seen(rollout: ModelRollout | None = None, **changes: Any) -> SpecSeen:
    """A good spec with a commit."""
    return replace(SpecSeen(rollout or a_rollout(), PROVENANCE), **changes)


def a_run(rollout: ModelRollout | None = None, **changes: Any) -> Run:
    """A run of the rollout's version against v11, on its first stage."""
    spec = rollout or a_rollout()
    target = spec.find(spec.version)
    assert target is not None
    run = Run(RunId(f"{spec.key.name}-1"), 1, STABLE, target.name, target.digest, spec, PROVENANCE, START)
    return replace(run, **changes)


def a_mark(split: Split, at: datetime = START, **changes: Any) -> TrafficMark:
    """A split that was accepted and verified at `at`."""
    mark = TrafficMark(split, split, at, accepted_at=at, verified_at=at, epoch="e1", quiet_since=at)
    return replace(mark, **changes)


def a_position(phase: Phase = Phase.IDLE, rollout: ModelRollout | None = None, **changes: Any) -> Position:
    """A position in `phase`: at rest on v11, or in a run whose present stage is verified."""
    position = Position(phase, START, STABLE, traffic=a_mark(Split(STABLE)))
    if phase is not Phase.IDLE:
        run = changes.pop("run", None) or a_run(rollout, ready=True, loaded_at=START, stage_since=START)
        position = replace(position, run=run, runs=run.number)
    if phase in (Phase.PROGRESSING, Phase.HELD, Phase.PAUSED, Phase.AWAITING_APPROVAL):
        assert position.run is not None
        position = replace(position, traffic=a_mark(stage_split(position.run)))
    if phase in (Phase.HELD, Phase.PAUSED):
        position = replace(position, resume_phase=Phase.PROGRESSING)
    return replace(position, **changes)


def stage_split(run: Run) -> Split:
    """What the run's present stage allows, written out once more (not asked of the code under test)."""
    stage = run.current
    weight = {StageKind.CANARY: stage.weight, StageKind.FULL: 100}.get(stage.kind, 0)
    mirror = stage.mirror if stage.kind is StageKind.SHADOW else 0
    cohort = stage.headers if stage.kind is StageKind.COHORT else ()
    return Split(run.stable, run.candidate, weight, mirror, cohort)


def route_seen(split: Split | None = None, **changes: Any) -> RouteSeen:
    """A data plane that holds `split`, accepted."""
    table = split.table() if split else None
    seen = RouteSeen(table, True, "r1", "e1", {STABLE: RequestCounts(), CANDIDATE: RequestCounts()})
    return replace(seen, **changes)


def seen(position: Position | None = None, now: datetime = START, **changes: Any) -> Observation:
    """A quiet instant in which the data plane holds what the position wants."""
    spec = position.run.spec if position and position.run else None
    return replace(
        Observation(now, spec_seen(spec), route_seen(position.split() if position else Split(STABLE))), **changes
    )
