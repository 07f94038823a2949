"""What one stream will be able to see at a given traffic: breaches of several sizes, and a proof. As JSON-ready values.

Pure; the numbers are those of `controller.analysis.planning`, at the stream's own share of its ledger.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from controller.analysis import planning, streams
from controller.analysis.judge_error import for_promotion
from controller.analysis.planning import Quantile
from controller.domain.names import Digest
from controller.domain.rollout import ModelRollout, Stage, StageKind
from controller.domain.slo import LatencyIndicator, OnBreach, Slo
from controller.runtime.parts import parts

BREACHES = (1.5, 2.0, 3.0, 5.0)
"""True rates over the objective, for which it is told when a breach is seen."""
GOOD = (0.0, 0.5)
"""Rates of a good version, over the objective, for which the answers until a proof are told."""
QUANTILES = (("median", Quantile.MEDIAN), ("nine_of_ten", Quantile.NINE_OF_TEN))


@dataclass(frozen=True, slots=True)
class Flow:
    """Requests a minute through the route, and which share (0..1) of the answers is judged."""

    per_minute: float
    sampling: float

    def judged(self, stage: Stage, slo: Slo | None = None) -> float | None:
        """Judged answers of the candidate a minute; None for a cohort, whose size nobody knows."""
        share = {StageKind.SHADOW: stage.mirror, StageKind.CANARY: stage.weight, StageKind.FULL: 100}.get(stage.kind)
        return None if share is None else self.per_minute * self.sampled(slo) * share / 100

    def sampled(self, slo: Slo | None) -> float:
        """The share of the answers that counts for an SLO: latency is measured on all of them."""
        return 1.0 if slo is not None and isinstance(slo.indicator, LatencyIndicator) else self.sampling


@dataclass(frozen=True, slots=True)
class Watched:
    """One stream that is held against its objective. `alpha` is its own part of the false-rollback budget."""

    slo: Slo
    scenario: str | None
    p0: float
    alpha: float


def watched(rollout: ModelRollout) -> list[Watched]:
    """The streams of a run as it begins: every SLO's pooled one, and one per scenario that the spec names."""
    evidence = streams.fresh(rollout, Digest("plan"))
    known = parts(evidence, rollout)
    found = []
    for slo in rollout.slos:
        mine = evidence.of(slo.name)
        for one in mine.streams if mine else ():
            if one.against == "objective":
                part = known.get((slo.name, one.scenario, "objective"))
                share = part.share if part else 1.0
                found.append(Watched(slo, one.scenario, one.p0, rollout.max_false_rollback * share))
    return found


def breaches(stream: Watched) -> list[dict[str, Any]]:
    """Judged answers until a true rate of `times` the objective acts."""
    return [
        {"times": times, "rate": times * stream.p0, **_answers(stream, times)}
        for times in BREACHES
        if times * stream.p0 <= 1
    ]


def _answers(stream: Watched, times: float) -> dict[str, int | None]:
    found = {name: planning.answers_to_breach(stream.p0, times, stream.alpha, one) for name, one in QUANTILES}
    return {name: None if answers is None else math.ceil(answers) for name, answers in found.items()}


def proofs(slo: Slo) -> list[dict[str, Any]]:
    """Judged answers until a version with `times` the objective is proven good."""
    assert slo.max_bad is not None
    p0 = for_promotion(slo.max_bad, streams.error_of(slo))
    told = []
    for times in GOOD:
        found = {n: planning.answers_to_proof(p0, times, slo.max_false_promotion, one) for n, one in QUANTILES}
        answers = {name: None if count is None else math.ceil(count) for name, count in found.items()}
        told.append({"times": times, "rate": times * p0, **answers})
    return told


@dataclass(frozen=True, slots=True)
class Passage:
    """A stream's way through one stage: judged answers a minute, and how many were judged before (shadow counts)."""

    per_minute: float
    sampled: float
    live: bool
    seconds: float
    before: float
    most: float = math.inf

    @property
    def judged(self) -> float:
        """Judged answers in the stage's shortest time."""
        return min(self.per_minute * self.seconds / 60, self.most)


def outlook(stream: Watched, way: Passage, tick: timedelta) -> dict[str, Any]:
    """Everything that a stage can tell of one stream."""
    return {
        "slo": str(stream.slo.name),
        "scenario": stream.scenario,
        "judged_per_minute": way.per_minute,
        "judged": math.floor(way.judged),
        "breaches": [_breach(stream, times, way, tick) for times in BREACHES if times * stream.p0 <= 1],
        "proof": [_proof(one, way) for one in proofs(stream.slo)] if stream.scenario is None else [],
    }


def _breach(stream: Watched, times: float, way: Passage, tick: timedelta) -> dict[str, Any]:
    """A breach that begins with the stage: `seen` when half of all runs see it within the stage's shortest time."""
    per_tick = way.per_minute * tick.total_seconds() / 60
    told: dict[str, Any] = {"times": times, "rate": times * stream.p0}
    for name, quantile in QUANTILES:
        found = planning.outlook(stream.p0, times, per_tick, stream.alpha, quantile, way.sampled)
        told[name] = None
        if found is not None:
            served = found.bad_served if way.live else 0.0
            seconds = found.ticks * tick.total_seconds()
            told[name] = {"answers": math.ceil(found.answers), "seconds": seconds, "bad_served": round(served, 1)}
    median = told["median"]
    within = median is not None and median["seconds"] <= way.seconds and median["answers"] <= way.judged + 1
    return {**told, "seen": within}


def _proof(one: dict[str, Any], way: Passage) -> dict[str, Any]:
    """How much longer until the proof, from the beginning of this stage."""
    told: dict[str, Any] = {"times": one["times"]}
    for name, _ in QUANTILES:
        needed = one[name]
        left = None if needed is None else max(0.0, needed - way.before)
        told[name] = None if left is None else {"answers": math.ceil(left), "seconds": left / way.per_minute * 60}
    return told


def gates(slos: Sequence[Slo]) -> list[Slo]:
    """The SLOs that a proof is asked of."""
    return [slo for slo in slos if slo.max_bad is not None and slo.on_breach is not OnBreach.ALERT]
