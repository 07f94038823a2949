"""How evidence is born, adapted to an edited spec, and started again: who gets which share of the budget."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from controller.analysis.judge_error import JudgeError, for_promotion, for_rollback
from controller.analysis.relative import prior
from controller.domain.evidence import Evidence, SloEvidence, StreamEvidence
from controller.domain.names import Digest, SloName
from controller.domain.rollout import ModelRollout
from controller.domain.slo import Slo

SCENARIO_RESERVE = 0.1
"""Part of an SLO's weight kept for scenarios that appear during a run."""


def fresh(rollout: ModelRollout, digest: Digest) -> Evidence:
    """No evidence yet, full budget."""
    return Evidence(digest, tuple(born(slo, share(rollout, slo)) for slo in rollout.slos))


def share(rollout: ModelRollout, slo: Slo) -> float:
    """An SLO's part of its ledger: its weight among the SLOs that carry a stream towards the same action."""
    peers = [s.weight for s in rollout.slos if s.max_bad is not None and s.on_breach is slo.on_breach]
    whole = sum(peers)
    return slo.weight / whole if slo.max_bad is not None and whole > 0 else 0.0


def born(slo: Slo, weight: float, budget: float = 1.0) -> SloEvidence:
    """The streams of one SLO: pooled, and one per scenario named in the spec; none for a `threshold`."""
    if slo.max_bad is None:
        return SloEvidence(slo.name, slo.definition)
    if slo.scenarios is None:
        return SloEvidence(slo.name, slo.definition, pair(slo, None, weight, budget))
    return with_scenarios(SloEvidence(slo.name, slo.definition), slo, weight, budget, slo.scenarios.required)


def with_scenarios(known: SloEvidence, slo: Slo, weight: float, budget: float, scenarios: Sequence[str]) -> SloEvidence:
    """Half of the weight to the pooled stream, half equally to the scenarios, a tenth kept for new ones."""
    kept = weight * SCENARIO_RESERVE
    half = (weight - kept) / 2
    pooled = pair(slo, None, half if scenarios else weight - kept, budget)
    slices = [pair(slo, name, half / len(scenarios), budget) for name in sorted(scenarios)]
    return replace(known, streams=(*pooled, *(stream for two in slices for stream in two)), reserve_weight=kept)


def pair(slo: Slo, scenario: str | None, weight: float, budget: float) -> tuple[StreamEvidence, ...]:
    """The stream against the objective, and with `versusStable` one against stable: half of the weight each."""
    p0 = limit(slo)
    if slo.versus_stable is None:
        return (StreamEvidence(scenario, weight, p0, budget),)
    relative = StreamEvidence(scenario, weight / 2, p0, budget, against="stable", prior=p0, memory=prior(p0))
    return StreamEvidence(scenario, weight / 2, p0, budget), relative


def limit(slo: Slo) -> float:
    """The objective as this SLO's judge would report it, for a rollback (statistics, section 6)."""
    assert slo.max_bad is not None
    return _for_rollback(slo.max_bad, error_of(slo))


def proof_limit(slo: Slo) -> float:
    """The objective as this SLO's judge would report it, for a proof."""
    assert slo.max_bad is not None
    return _for_promotion(slo.max_bad, error_of(slo))


def error_of(slo: Slo) -> JudgeError:
    """How the judge of this SLO errs, as the spec says."""
    return _judge_error(slo.judge.sensitivity, slo.judge.specificity)


# Asked for every SLO at every tick, and the answers change with the spec alone.
_judge_error = lru_cache(maxsize=1024)(JudgeError)
_for_rollback = lru_cache(maxsize=1024)(for_rollback)
_for_promotion = lru_cache(maxsize=1024)(for_promotion)


def discover(known: SloEvidence, slo: Slo, scenarios: Sequence[str]) -> SloEvidence:
    """Streams for scenarios seen for the first time: half of what is left in reserve each, never a re-normalisation.

    Before anything was counted the weights are still free: then all scenarios share equally.
    """
    have = {stream.scenario for stream in known.streams}
    if have.issuperset(scenarios) or slo.max_bad is None:
        return known
    new = sorted(set(scenarios) - have)
    if all(stream.ticks == 0 for stream in known.streams):
        weight = sum(stream.weight for stream in known.streams) + known.reserve_weight
        everyone = sorted({name for name in have if name is not None} | set(new))
        return with_scenarios(known, slo, weight, known.streams[0].budget, everyone)
    for name in new:
        part = known.reserve_weight / 2
        new_streams = pair(slo, name, part, known.streams[0].budget)
        known = replace(known, streams=(*known.streams, *new_streams), reserve_weight=known.reserve_weight - part)
    return known


def adapt(evidence: Evidence, rollout: ModelRollout) -> Evidence:
    """Evidence under an edited spec: same definition, same streams; a changed one starts again with half its budget."""
    return replace(evidence, slos=tuple(_adapted(evidence, rollout, slo) for slo in rollout.slos))


def _adapted(evidence: Evidence, rollout: ModelRollout, slo: Slo) -> SloEvidence:
    known = evidence.of(slo.name)
    if known is None:
        return born(slo, share(rollout, slo))
    if known.definition == slo.definition:
        return _within(known, share(rollout, slo))
    return born(slo, share(rollout, slo), budget_left(known) / 2)


def _within(known: SloEvidence, most: float) -> SloEvidence:
    """The same streams with no more weight than the edited spec gives: weights never sum to more than 1."""
    whole = sum(stream.weight for stream in known.streams) + known.reserve_weight
    if whole <= most or whole <= 0:
        return known
    part = most / whole
    streams = tuple(replace(stream, weight=stream.weight * part) for stream in known.streams)
    return replace(known, streams=streams, reserve_weight=known.reserve_weight * part)


def lost(rollout: ModelRollout, digest: Digest) -> Evidence:
    """Evidence that is gone for good starts again with half of the budget."""
    return restart(fresh(rollout, digest), rollout, [slo.name for slo in rollout.slos])


def halved(evidence: Evidence | None, rollout: ModelRollout, digest: Digest) -> Evidence:
    """Nothing counted, half of the budget that was left of what was known of this digest."""
    known = evidence if evidence is not None and evidence.digest == digest else fresh(rollout, digest)
    return adapt(restart(known, rollout, [slo.name for slo in rollout.slos]), rollout)


def budget_left(known: SloEvidence) -> float:
    """What is left of an SLO's budget (1, 1/2, 1/4 ...)."""
    return min((stream.budget for stream in known.streams), default=1.0)


def restart(evidence: Evidence, rollout: ModelRollout, names: Sequence[SloName]) -> Evidence:
    """The named SLOs start again with half of what was left of their budget: an alarm is never paid for twice."""
    slos = tuple(
        born(slo, share(rollout, slo), budget_left(known) / 2) if known and slo.name in names else known
        for slo, known in ((slo, evidence.of(slo.name)) for slo in rollout.slos)
    )
    return replace(evidence, slos=tuple(slo for slo in slos if slo is not None), first_bad_at=None)


def new_stage(evidence: Evidence) -> Evidence:
    """The same evidence with nothing counted for the stage that begins."""
    return replace(evidence, slos=tuple(_stageless(slo) for slo in evidence.slos))


def _stageless(slo: SloEvidence) -> SloEvidence:
    blank = StreamEvidence(None, 0.0, 0.5).stage
    return replace(slo, streams=tuple(replace(stream, stage=blank) for stream in slo.streams))
