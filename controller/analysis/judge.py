"""Evidence + counts -> evidence, verdicts, ledgers: the one function that judges, live and in every replay."""

import math
from collections.abc import Sequence

from controller.analysis import elin, ledger, proof, sight
from controller.analysis.accumulate import Scope, accumulate
from controller.analysis.interval import interval
from controller.domain.evidence import Evidence, SloEvidence, StreamEvidence
from controller.domain.measure import BlindCause, Blindness, Measurement, SeriesMemory
from controller.domain.rollout import ModelRollout, OnBreach, Slo
from controller.domain.verdict import Judgement, LedgerVerdict, StreamVerdict, Verdict

ENGINE = "e-lin-r/1"
"""Name of the decision engine, kept with every decision so that it can be replayed."""

SCENARIO_HEADROOM = 3.0
"""A required scenario rarely has samples for a proof of its own: its upper bound must lie below 3 x the objective."""


def judge(
    evidence: Evidence, measurements: Sequence[Measurement], series: SeriesMemory, scope: Scope
) -> tuple[Evidence, Judgement]:
    """One metric tick: the counts are booked, sight is checked, verdicts are read."""
    evidence = accumulate(evidence, measurements, series, scope)
    evidence = sight.look(evidence, measurements, scope)
    return evidence, verdicts(evidence, scope.rollout)


def verdicts(evidence: Evidence, rollout: ModelRollout) -> Judgement:
    """What the evidence says now; reading it again changes nothing."""
    known = [(slo, evidence.of(slo.name)) for slo in rollout.slos]
    pairs = [(slo, mine) for slo, mine in known if mine is not None]
    ledgers = tuple(_ledger(action, pairs, rollout) for action in (OnBreach.ROLLBACK, OnBreach.HOLD))
    streams = [verdict for slo, mine in pairs for verdict in _slo(slo, mine, rollout, ledgers)]
    return Judgement(tuple(streams), tuple(one for one in ledgers if one is not None))


def _ledger(action: OnBreach, pairs: Sequence[tuple[Slo, SloEvidence]], rollout: ModelRollout) -> LedgerVerdict | None:
    mine = [(slo, known) for slo, known in pairs if slo.on_breach is action and known.streams]
    entries = [_entry(slo, stream) for slo, known in mine for stream in known.streams]
    if not entries:
        return None
    return ledger.read(action, entries, sum(known.reserve_weight for _, known in mine), rollout.max_false_rollback)


def _entry(slo: Slo, stream: StreamEvidence) -> ledger.Entry:
    return ledger.Entry(slo.name, stream.scenario, stream.weight, stream.budget, log_e(stream))


def log_e(stream: StreamEvidence) -> float:
    """log E of a stream as stored."""
    return elin.log_e(elin.Purse(stream.log_s, stream.reserve, stream.ticks))


def _slo(
    slo: Slo, known: SloEvidence, rollout: ModelRollout, ledgers: Sequence[LedgerVerdict | None]
) -> list[StreamVerdict]:
    if slo.threshold is not None:
        return [_threshold(slo, known)]
    named = {one.guilty for one in ledgers if one is not None and one.breached}
    return [_stream(slo, known, stream, rollout, (slo.name, stream.scenario) in named) for stream in known.streams]


def _threshold(slo: Slo, known: SloEvidence) -> StreamVerdict:
    assert slo.threshold is not None
    breached = known.strikes >= slo.threshold.consecutive
    verdict = Verdict.BREACH if breached else Verdict.PASS if known.strikes == 0 else Verdict.INCONCLUSIVE
    if known.value is None:
        verdict = Verdict.INCONCLUSIVE
    if known.blind is not None:
        verdict = Verdict.BLIND
    limit = slo.threshold.max if slo.threshold.max is not None else slo.threshold.min
    return StreamVerdict(
        slo.name,
        None,
        verdict,
        slo.on_breach,
        limit,
        proven=verdict is Verdict.PASS,
        value=known.value,
        stable_value=known.stable_value,
        strikes=known.strikes,
        blind=known.blind,
    )


def _stream(slo: Slo, known: SloEvidence, stream: StreamEvidence, rollout: ModelRollout, named: bool) -> StreamVerdict:
    tally, evidence = stream.all, log_e(stream)
    lower, upper = interval(tally.bad, tally.total)
    log_p = proof.log_proof(stream.proof.bad, stream.proof.total, stream.p0)
    guilty = named or _alone(slo, stream, rollout.max_false_rollback)
    proven = _proven(slo, stream, log_p)
    blind = known.blind if _concerns(known, slo, stream) else None
    return StreamVerdict(
        slo.name,
        stream.scenario,
        _verdict(blind is not None, guilty, proven),
        slo.on_breach,
        stream.p0,
        bad=tally.bad,
        total=tally.total,
        rate=tally.bad / tally.total if tally.total else None,
        lower=lower,
        upper=upper,
        log_e=evidence,
        log_proof=log_p,
        proven=proven,
        proof_needed=0.0 if proven else _needed(slo, stream),
        guilty=guilty,
        stage_total=stream.stage.total,
        stable_bad=stream.stable.bad,
        stable_total=stream.stable.total,
        blind=blind,
    )


def _concerns(known: SloEvidence, slo: Slo, stream: StreamEvidence) -> bool:
    """A missing scenario blinds the SLO as a whole (its pooled stream) and the required slices, not every slice."""
    if known.blind is None or stream.scenario is None:
        return True
    required = slo.scenarios.required if slo.scenarios else ()
    return known.blind.cause is not BlindCause.SCENARIO_MISSING or stream.scenario in required


def _alone(slo: Slo, stream: StreamEvidence, budget: float) -> bool:
    entry = _entry(slo, stream)
    if slo.on_breach is OnBreach.ALERT:
        return entry.log_e >= math.log(1 / budget)
    return ledger.is_guilty(entry, budget)


def _verdict(blind: bool, guilty: bool, proven: bool) -> Verdict:
    """A visible breach stays visible when sight is lost."""
    if guilty:
        return Verdict.BREACH
    if blind:
        return Verdict.BLIND
    return Verdict.PASS if proven else Verdict.INCONCLUSIVE


def _proven(slo: Slo, stream: StreamEvidence, log_p: float) -> bool:
    if stream.proof.total < proof.MIN_SAMPLES:
        return False
    if stream.scenario is None:
        return log_p >= math.log(1 / slo.max_false_promotion)
    upper = interval(stream.proof.bad, stream.proof.total)[1]
    return upper <= min(1.0, SCENARIO_HEADROOM * stream.p0)


def _needed(slo: Slo, stream: StreamEvidence) -> float:
    have = stream.proof
    return proof.answers_needed(have.bad, have.total, stream.p0, slo.max_false_promotion)


def blind_now(evidence: Evidence) -> tuple[SloEvidence, ...]:
    """The SLOs that cannot be measured at this tick."""
    return tuple(slo for slo in evidence.slos if slo.blind is not None)


__all__ = ["ENGINE", "Blindness", "blind_now", "judge", "log_e", "verdicts"]
