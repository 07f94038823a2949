"""What the author of a rollout should know before the run: what it cannot decide, and what to turn. Pure."""

import math
from collections.abc import Iterator
from typing import Any

from controller.cli import words
from controller.cli.forecast import gates
from controller.domain.rollout import BlindAction, ModelRollout, Require
from controller.domain.slo import OnBreach

LEVERS = "the weight, the share that is judged, or maxDuration"
Plan = dict[str, Any]


def warnings(rollout: ModelRollout, stages: list[Plan], slos: list[Plan]) -> list[str]:
    """Everything, gravest first."""
    told = [*_undecidable(rollout, stages, slos), *_stages(rollout, stages), *_coarse(rollout, stages)]
    told += [f"{version.name} has no bundle: it is unpinned" for version in rollout.versions if not version.pinned]
    if rollout.on_blind.then is not BlindAction.WITHDRAW:
        told.append(f"onBlind.then is {rollout.on_blind.then.value}: the usual is withdraw")
    return told


def _undecidable(rollout: ModelRollout, stages: list[Plan], slos: list[Plan]) -> Iterator[str]:
    """SLOs that the whole schedule cannot judge, whatever the version does."""
    acting = {str(slo.name) for slo in rollout.slos if slo.on_breach is not OnBreach.ALERT}
    for slo in slos:
        judged = _judged_in_all(str(slo["name"]), stages)
        if not slo["streams"] or slo["name"] not in acting or judged is None:
            continue
        unseen = [one for one in slo["streams"][0]["breaches"] if (one["median"] or math.inf) > judged]
        if not unseen or max(one["times"] for one in unseen) < 3:
            continue
        worst = unseen[-1]
        what = "cannot be decided" if worst["times"] >= 5 else "is hardly guarded"
        yield (
            f"{slo['name']} at {words.percent(slo['objective'])} {what}: the whole run has about "
            f"{words.count(judged)} judged answers of it, and a breach of {worst['times']:g}× takes about "
            f"{words.count(worst['median'])}{_duration(slo, stages, worst['median'])}; judge more answers, raise the "
            "weights, or choose a limit that can be seen"
        )


def _judged_in_all(slo: str, stages: list[Plan]) -> float | None:
    """Judged answers in all stages as long as they are likely to last, maxDuration at most; None without traffic."""
    found = [
        one["judged_per_minute"] * _lasts(stage) / 60
        for stage in stages
        for one in stage["outlook"]
        if one["slo"] == slo and one["scenario"] is None
    ]
    return sum(found) if found else None


def _lasts(stage: Plan) -> float:
    return float(min(max(stage["shortest_seconds"], stage["proof_seconds"] or 0.0), stage["max_seconds"]))


def _duration(slo: Plan, stages: list[Plan], answers: float) -> str:
    rates = [one["judged_per_minute"] for stage in stages for one in stage["outlook"] if one["slo"] == slo["name"]]
    return f" ({words.span(answers / max(rates) * 60)} at the most traffic it gets)" if rates else ""


def _stages(rollout: ModelRollout, stages: list[Plan]) -> Iterator[str]:
    for stage in stages:
        yield from _shadow(stage)
        yield from _samples(stage)
        yield from _late(rollout, stage)
    for stage in stages:
        yield from _sees_nothing(stage)


def _shadow(stage: Plan) -> Iterator[str]:
    most = stage["most_judged"]
    if most is not None and most < stage["min_samples"]:
        yield (
            f"stage {stage['name']}: maxRequests allows about {words.count(most)} judged answers, minSamples asks for "
            f"{words.count(stage['min_samples'])}: it can never be complete; raise maxRequests or lower minSamples"
        )


def _samples(stage: Plan) -> Iterator[str]:
    if stage["shortest_seconds"] > stage["max_seconds"]:
        yield (
            f"stage {stage['name']}: minSamples takes about {words.span(stage['shortest_seconds'])}, longer than its "
            f"maxDuration of {words.span(stage['max_seconds'])}; raise {LEVERS}"
        )


def _late(rollout: ModelRollout, stage: Plan) -> Iterator[str]:
    """A proof that does not fit into its stage: never, or not for a version that is as good as most."""
    if stage["require"] != Require.PROVEN.value:
        return
    asked = {str(slo.name) for slo in gates(rollout.slos)}
    for one in stage["outlook"]:
        if one["scenario"] is not None or one["slo"] not in asked:
            continue
        clean, half = ([proof["median"], proof["nine_of_ten"]] for proof in one["proof"])
        if clean[0] and clean[0]["seconds"] > stage["max_seconds"]:
            yield _too_long(stage, one["slo"], "even without a bad answer", clean[0]["seconds"])
        elif half[0] and half[0]["seconds"] > stage["max_seconds"]:
            yield _too_long(stage, one["slo"], "at half the limit", half[0]["seconds"])
        elif half[1] and half[1]["seconds"] > stage["max_seconds"]:
            yield _too_long(stage, one["slo"], "in one run of ten at half the limit", half[1]["seconds"])


def _too_long(stage: Plan, slo: str, when: str, seconds: float) -> str:
    return (
        f"stage {stage['name']}: a proof takes longer than its maxDuration: {slo} {when} about {words.span(seconds)}, "
        f"maxDuration is {words.span(stage['max_seconds'])}; raise {LEVERS}"
    )


def _sees_nothing(stage: Plan) -> Iterator[str]:
    """A live stage that shows nothing of an SLO only exposes users; one that asks for a proof keeps a bad version."""
    if stage["kind"] == "shadow" or stage["require"] == Require.PROVEN.value:
        return
    none = [
        one["slo"]
        for one in stage["outlook"]
        if one["scenario"] is None and one["breaches"] and not any(breach["seen"] for breach in one["breaches"])
    ]
    if none:
        yield (
            f"stage {stage['name']}: its {words.span(stage['shortest_seconds'])} show no breach of "
            f"{', '.join(none)}, not even {stage['outlook'][0]['breaches'][-1]['times']:g}×; "
            "a longer minDuration or minSamples would"
        )


def _coarse(rollout: ModelRollout, stages: list[Plan]) -> Iterator[str]:
    """More than about one bad answer a tick at the limit: the tick, not the evidence, sets the pace."""
    tick = (rollout.block or rollout.interval).total_seconds()
    limits = {str(slo.name): slo.max_bad for slo in rollout.slos if slo.max_bad is not None}
    found = {
        one["slo"]: one["judged_per_minute"] * tick / 60 * limits[one["slo"]]
        for stage in stages
        for one in stage["outlook"]
        if one["scenario"] is None and one["judged_per_minute"] * tick / 60 * limits[one["slo"]] > 2
    }
    for slo, expected in found.items():
        yield (
            f"{slo}: about {expected:.2g} bad answers a tick are expected at the limit; with a shorter "
            f"analysis.interval than {words.span(tick)} a breach would be seen sooner"
        )
