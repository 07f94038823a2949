"""What a rollout would do, stage by stage, and what its objectives can detect. Pure; as JSON-ready values."""

import math
from dataclasses import dataclass
from typing import Any

from controller.analysis import proof, streams
from controller.domain.rollout import BlindAction, ModelRollout, Require, Slo, Stage, StageKind

MEDIANS = ((1.5, 37.6), (2.0, 10.5), (3.0, 3.7), (5.0, 1.6))
"""True rate over the objective -> answers x objective until a rollback (median), at a budget of 5 %."""
USUAL_BUDGET, ROUNDING = 0.05, 6.0
GOOD = (0.3, 0.5)
"""Rates of a good version, over the objective, for which the answers until a proof are told."""

_LEVERS = "the weight, the share that is judged, or maxDuration"

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


@dataclass(frozen=True, slots=True)
class Flow:
    """Requests a minute through the route, and which share (0..1) of the answers is judged."""

    per_minute: float
    sampling: float

    def judged(self, stage: Stage) -> float | None:
        """Judged answers of the candidate a minute; None for a cohort, whose size nobody knows."""
        share = {StageKind.SHADOW: stage.mirror, StageKind.CANARY: stage.weight, StageKind.FULL: 100}.get(stage.kind)
        return None if share is None else self.per_minute * self.sampling * share / 100


def plan(rollout: ModelRollout, flow: Flow | None) -> dict[str, Any]:
    """The whole plan."""
    stages = stage_plans(rollout, flow)
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
        "slos": [slo_plan(slo, rollout) for slo in rollout.slos],
        "shortest_seconds": sum(one["shortest_seconds"] for one in stages),
        "likely_seconds": sum(max(one["shortest_seconds"], one["proof_seconds"] or 0.0) for one in stages)
        if flow
        else None,
        "planned_seconds": (rollout.horizon * rollout.interval).total_seconds(),
        "on_blind": {"after_seconds": rollout.on_blind.after.total_seconds(), "then": rollout.on_blind.then.value},
        "on_inconclusive": rollout.on_inconclusive.value,
        "warnings": warnings(rollout, stages),
        "edits": {"new_run": list(NEW_RUN), "at_once": list(AT_ONCE)},
    }


def stage_plans(rollout: ModelRollout, flow: Flow | None) -> list[dict[str, Any]]:
    """Every stage; answers judged in earlier ones, but for a cohort's, count for a later proof."""
    planned: list[dict[str, Any]] = []
    before = 0.0
    for stage in rollout.stages:
        judged = flow.judged(stage) if flow else None
        one = stage_plan(stage, rollout, judged, before)
        planned.append(one)
        before += (judged or 0.0) * max(one["shortest_seconds"], one["proof_seconds"] or 0.0) / 60
    return planned


def stage_plan(stage: Stage, rollout: ModelRollout, judged: float | None, before: float) -> dict[str, Any]:
    """One stage: its traffic, what it requires, and how long. `judged`: answers a minute; `before`: judged so far."""
    samples = stage.min_samples / judged * 60 if judged else 0.0
    shortest = max(stage.min_duration.total_seconds(), samples)
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
        "require": stage.require.value,
        "approvals": stage.approvals,
        "judged_per_minute": judged,
        "shortest_seconds": shortest,
        "proof_seconds": _proof_seconds(stage, rollout, judged, before),
        "detects": detects(rollout, judged * shortest / 60) if judged else [],
    }


def _proof_seconds(stage: Stage, rollout: ModelRollout, judged: float | None, before: float) -> float | None:
    """How long until every SLO is proven, when the true rates are at half of their objectives."""
    if stage.require is not Require.PROVEN or not judged:
        return None
    needed = max((proofs(slo)[-1]["answers"] for slo in _judged_slos(rollout)), default=0)
    return max(0.0, needed - before) / judged * 60


def detects(rollout: ModelRollout, answers: float) -> list[dict[str, Any]]:
    """Per SLO the mildest breach that so many judged answers alone show, in the median."""
    found = []
    for slo in _judged_slos(rollout):
        seen = [one["times"] for one in breaches(slo, rollout) if one["answers"] <= answers]
        found.append({"slo": slo.name, "answers": round(answers), "times": min(seen) if seen else None})
    return found


def slo_plan(slo: Slo, rollout: ModelRollout) -> dict[str, Any]:
    """Objective, share of the budget, and how many judged answers show a breach or prove the opposite."""
    threshold = slo.threshold
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
        "breaches": breaches(slo, rollout) if slo.max_bad is not None else [],
        "proof": proofs(slo) if slo.max_bad is not None else [],
    }


def breaches(slo: Slo, rollout: ModelRollout) -> list[dict[str, Any]]:
    """Judged answers (median) until an SLO that is over its objective by `times` rolls back on its own."""
    assert slo.max_bad is not None
    share = streams.born(slo, streams.share(rollout, slo)).streams[0].weight or 1.0
    needed = rollout.max_false_rollback * min(1.0, share)
    harder = math.log(ROUNDING / needed) / math.log(ROUNDING / USUAL_BUDGET)
    return [
        {"times": times, "rate": times * slo.max_bad, "answers": math.ceil(harder * median / slo.max_bad)}
        for times, median in MEDIANS
        if times * slo.max_bad <= 1
    ]


def proofs(slo: Slo) -> list[dict[str, Any]]:
    """Judged answers (median) until a version that is well below its objective is proven good."""
    assert slo.max_bad is not None
    return [
        {
            "times": times,
            "rate": times * slo.max_bad,
            "answers": math.ceil(proof.answers_needed(0, 0, slo.max_bad, slo.max_false_promotion, times)),
        }
        for times in GOOD
    ]


def _judged_slos(rollout: ModelRollout) -> list[Slo]:
    return [slo for slo in rollout.slos if slo.max_bad is not None]


def warnings(rollout: ModelRollout, stages: list[dict[str, Any]]) -> list[str]:
    """What the author should know before the run."""
    told = [f"{version.name} has no bundle: it is unpinned" for version in rollout.versions if not version.pinned]
    if rollout.on_blind.then is not BlindAction.WITHDRAW:
        told.append(f"onBlind.then is {rollout.on_blind.then.value}: the usual is withdraw")
    late = [one["name"] for one in stages if (one["proof_seconds"] or 0.0) > one["max_seconds"]]
    told += [f"stage {name}: a proof takes longer than its maxDuration; raise {_LEVERS}" for name in late]
    return told
