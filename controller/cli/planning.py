"""What a rollout would do, stage by stage, and what its objectives can decide. Pure; as JSON-ready values."""

import math
from dataclasses import dataclass
from typing import Any

from controller.analysis import streams
from controller.cli.forecast import Flow, Passage, Watched, breaches, gates, outlook, proofs, watched
from controller.cli.notes import notes
from controller.cli.plan_warnings import warnings
from controller.domain.names import SloName
from controller.domain.rollout import ModelRollout, Require, Stage, StageKind
from controller.domain.slo import Slo

NEW_RUN = (
    "the candidate's or stable's bundle",
    "routes",
    "stages: their number, kinds, weights, mirror shares and cohorts",
    "an SLO that is loosened or removed",
    "version (a third one: roll back first, then start; back to stable: roll back)",
)
AT_ONCE = (
    "an SLO that is tightened",
    "minDuration, maxDuration, minSamples, require, approval",
    "onBlind, onInconclusive",
)


def plan(rollout: ModelRollout, flow: Flow | None) -> dict[str, Any]:
    """The whole plan."""
    seen = watched(rollout)
    stages = stage_plans(rollout, flow, seen)
    slos = [slo_plan(slo, rollout, seen) for slo in rollout.slos]
    likely = sum(max(one["shortest_seconds"], one["proof_seconds"] or 0.0) for one in stages)
    return {
        "name": str(rollout.key),
        "version": rollout.version,
        "initial_stable": rollout.initial_stable,
        "unpinned": [version.name for version in rollout.versions if not version.pinned],
        "mode": rollout.mode.value,
        "suspended": rollout.suspend,
        "max_false_rollback": rollout.max_false_rollback,
        "traffic": None if flow is None else {"per_minute": flow.per_minute, "sampling": flow.sampling},
        "stages": stages,
        "slos": slos,
        "shortest_seconds": sum(one["shortest_seconds"] for one in stages),
        "likely_seconds": likely if flow else None,
        "planned_seconds": (rollout.horizon * rollout.interval).total_seconds(),
        "on_blind": {"after_seconds": rollout.on_blind.after.total_seconds(), "then": rollout.on_blind.then.value},
        "on_inconclusive": rollout.on_inconclusive.value,
        "warnings": warnings(rollout, stages, slos),
        "notes": notes(rollout),
        "edits": {"new_run": list(NEW_RUN), "at_once": list(AT_ONCE)},
    }


@dataclass(slots=True)
class _Way:
    """Judged answers per SLO so far; a cohort's stand apart and count for no proof."""

    before: dict[SloName, float]


def stage_plans(rollout: ModelRollout, flow: Flow | None, seen: list[Watched]) -> list[dict[str, Any]]:
    """Every stage; answers judged in earlier ones count for a later proof."""
    planned: list[dict[str, Any]] = []
    way = _Way({slo.name: 0.0 for slo in rollout.slos})
    for stage in rollout.stages:
        one = stage_plan(stage, rollout, flow, seen, way.before)
        planned.append(one)
        seconds = max(one["shortest_seconds"], one["proof_seconds"] or 0.0)
        for slo in rollout.slos if flow else ():
            assert flow is not None
            judged = (flow.judged(stage, slo) or 0.0) * seconds / 60
            way.before[slo.name] += min(judged, _most(stage, flow, slo))
    return planned


def stage_plan(
    stage: Stage, rollout: ModelRollout, flow: Flow | None, seen: list[Watched], before: dict[SloName, float]
) -> dict[str, Any]:
    """One stage: its traffic, what it requires, how long, and what it can decide."""
    judged = flow.judged(stage) if flow else None
    shortest = max(stage.min_duration.total_seconds(), _samples_seconds(stage, rollout, flow))
    tick = rollout.block or rollout.interval
    outlooks = []
    for one in seen if flow and judged else ():
        assert flow is not None
        outlooks.append(outlook(one, _passage(stage, flow, one.slo, shortest, before[one.slo.name]), tick))
    return {
        "name": stage.name,
        "kind": stage.kind.value,
        "weight": stage.weight,
        "mirror": stage.mirror,
        "max_mirrored": stage.max_mirrored,
        "cohort": dict(stage.headers),
        "min_seconds": stage.min_duration.total_seconds(),
        "max_seconds": stage.max_duration.total_seconds(),
        "min_samples": stage.min_samples,
        "most_judged": _finite(_most(stage, flow, None)) if flow else None,
        "require": stage.require.value,
        "approvals": stage.approvals,
        "judged_per_minute": judged,
        "shortest_seconds": shortest,
        "proof_seconds": _proof_seconds(stage, rollout, outlooks),
        "outlook": outlooks,
    }


def _passage(stage: Stage, flow: Flow, slo: Slo, seconds: float, before: float) -> Passage:
    rate, live = flow.judged(stage, slo) or 0.0, stage.kind is not StageKind.SHADOW
    return Passage(rate, flow.sampled(slo), live, seconds, before, _most(stage, flow, slo))


def _most(stage: Stage, flow: Flow, slo: Slo | None) -> float:
    """Judged answers that a stage can have at all: a shadow may stop mirroring."""
    return math.inf if stage.max_mirrored is None else stage.max_mirrored * flow.sampled(slo)


def _samples_seconds(stage: Stage, rollout: ModelRollout, flow: Flow | None) -> float:
    """How long `minSamples` of every SLO takes."""
    if flow is None or not stage.min_samples:
        return 0.0
    rates = [flow.judged(stage, slo) for slo in gates(rollout.slos)]
    return max((stage.min_samples / rate * 60 for rate in rates if rate), default=0.0)


def _proof_seconds(stage: Stage, rollout: ModelRollout, outlooks: list[dict[str, Any]]) -> float | None:
    """How long until every SLO is proven (median), when the true rates are at half of their objectives."""
    if stage.require is not Require.PROVEN or not outlooks:
        return None
    asked = {str(slo.name) for slo in gates(rollout.slos)}
    proofs_there = [one["proof"][-1]["median"] for one in outlooks if one["proof"] and one["slo"] in asked]
    return max((one["seconds"] for one in proofs_there if one), default=0.0)


def slo_plan(slo: Slo, rollout: ModelRollout, seen: list[Watched]) -> dict[str, Any]:
    """Objective, share of the budget, and how many judged answers show a breach or prove the opposite."""
    threshold = slo.threshold
    mine = [one for one in seen if one.slo is slo]
    return {
        "name": slo.name,
        "indicator": slo.indicator.kind,
        "objective": slo.max_bad,
        "threshold": None
        if threshold is None
        else {"max": threshold.max, "min": threshold.min, "consecutive": threshold.consecutive},
        "on_breach": slo.on_breach.value,
        "ledger_weight": streams.share(rollout, slo) if slo.max_bad is not None else None,
        "scenarios": list(slo.scenarios.required) if slo.scenarios else [],
        "streams": [
            {"scenario": one.scenario, "share": one.alpha / rollout.max_false_rollback, "breaches": breaches(one)}
            for one in mine
        ],
        "proof": proofs(slo) if slo.max_bad is not None else [],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
