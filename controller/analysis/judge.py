"""Evidence + counts -> evidence, verdicts, ledgers: the one function that judges, live and in every replay."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.analysis import lateness, proof, sight
from controller.analysis.accumulate import Scope, accumulate, by_slo
from controller.analysis.booking import unpacked
from controller.analysis.dispersion import dispersion
from controller.analysis.interval import Interval, lies_below
from controller.analysis.ledgers import Pairs, detected, ledgers_of, log_e, surely_calm
from controller.analysis.streams import proof_limit
from controller.analysis.swift import maker
from controller.domain.evidence import Against, Evidence, SloEvidence, StreamEvidence
from controller.domain.measure import BlindCause, Blindness, Measurement, SeriesMemory
from controller.domain.names import SloName
from controller.domain.rollout import ModelRollout
from controller.domain.slo import OnBreach, Slo
from controller.domain.verdict import Judgement, Later, LedgerVerdict, StreamVerdict, Trait, Verdict

ENGINE = "e-lin-r/2"
"""Name of the decision engine, kept with every decision so that it can be replayed."""

SCENARIO_HEADROOM = 3.0
"""A required scenario rarely has samples for a proof of its own: its upper bound must lie below 3 x the objective."""


@dataclass(frozen=True, slots=True)
class Proof:
    """E-PROM of some counts, worked out when it is read: of most slices nobody asks."""

    bad: float
    total: float
    limit: float
    dispersion: float

    @property
    def log_e(self) -> float:
        """log E-PROM."""
        return proof.log_proof(self.bad, self.total, self.limit, self.dispersion)


Named = frozenset[tuple[SloName, str | None, Against] | None]
a_verdict, an_interval, a_proof = maker(StreamVerdict), maker(Interval), maker(Proof)


def judge(
    evidence: Evidence, measurements: Sequence[Measurement], series: SeriesMemory, scope: Scope
) -> tuple[Evidence, Judgement]:
    """One metric tick: the counts are booked, sight is checked, verdicts are read."""
    told = by_slo(measurements)
    evidence = accumulate(evidence, measurements, series, scope, told)
    evidence = sight.look(evidence, measurements, scope, told)
    return evidence, verdicts(evidence, scope.rollout)


def verdicts(evidence: Evidence, rollout: ModelRollout) -> Judgement:
    """What the evidence says now; reading it again changes nothing. Only breaches are looked for at once."""
    known = [(slo, evidence.of(slo.name)) for slo in rollout.slos]
    pairs = [(slo, mine) for slo, mine in known if mine is not None]
    ledgers: Sequence[LedgerVerdict] = Later(lambda: tuple(ledgers_of(pairs, rollout, evidence.trusted)))
    breaches = () if surely_calm(pairs, rollout) else tuple([one for one in ledgers if one.breached])
    named = frozenset([one.guilty for one in breaches])
    at = evidence.measured_at
    weighed = Later(lambda: tuple([one for slo, mine in pairs for one in _weighed(slo, mine, rollout, named, at)]))
    return Judgement(Later(lambda: _all(pairs, weighed, named)), ledgers, weighed, breaches, _traits(pairs))


def _traits(pairs: Pairs) -> frozenset[Trait]:
    """What sets verdicts apart here; of a calm run with plain SLOs nothing, and none of them has to be worked out."""
    found: list[Trait] = []
    for slo, known in pairs:
        if known.blind is not None:
            found.append("blind")
        if slo.threshold is not None:
            found.append("value")
        if slo.on_breach is OnBreach.ALERT:
            found.append("alert")
    return frozenset(found)


def _all(pairs: Pairs, weighed: Sequence[StreamVerdict], named: Named) -> tuple[StreamVerdict, ...]:
    """SLO by SLO its streams and then its detectors."""
    found: list[StreamVerdict] = []
    for slo, mine in pairs:
        found += [one for one in weighed if one.slo == slo.name]
        found += _changes(slo, mine, named)
    return tuple(found)


def _weighed(
    slo: Slo, known: SloEvidence, rollout: ModelRollout, named: Named, at: datetime | None
) -> list[StreamVerdict]:
    """All of an SLO but its detectors; `at` is the instant of the last measurement."""
    late = lateness.coverage(known, slo, at)
    known = lateness.cautious(known, late)
    if slo.threshold is not None:
        return [lateness.unless_late(_threshold(slo, known), late)]
    scatter, limit = dispersion(unpacked(known.scatter)), proof_limit(slo)
    found = [
        _stream(slo, known, stream, rollout, (slo.name, stream.scenario, stream.against) in named, scatter, limit)
        for stream in known.streams
    ]
    return found if late is None else [lateness.unless_late(one, late) for one in found]


def _changes(slo: Slo, known: SloEvidence, named: Named) -> list[StreamVerdict]:
    """The detectors beside the streams: log M in the place of log E."""
    scatter = dispersion(unpacked(known.scatter))
    return [
        _change(slo, s, (slo.name, s.scenario, "change") in named, scatter)
        for s in known.streams
        if s.against == "objective"
    ]


def _change(slo: Slo, stream: StreamEvidence, guilty: bool, scatter: float) -> StreamVerdict:
    return a_verdict(
        slo.name,
        stream.scenario,
        Verdict.BREACH if guilty else Verdict.INCONCLUSIVE,
        slo.on_breach,
        slo.max_bad,
        bad=stream.all.bad,
        total=stream.all.total,
        rate=stream.all.bad / stream.all.total if stream.all.total else None,
        between=an_interval(stream.all.bad, stream.all.total, scatter),
        log_e=detected(stream),
        guilty=guilty,
        stable_bad=stream.stable.bad,
        stable_total=stream.stable.total,
        against="change",
    )


def _threshold(slo: Slo, known: SloEvidence) -> StreamVerdict:
    assert slo.threshold is not None
    breached = known.strikes >= slo.threshold.consecutive
    verdict = Verdict.BREACH if breached else Verdict.PASS if known.strikes == 0 else Verdict.INCONCLUSIVE
    if known.value is None:
        verdict = Verdict.INCONCLUSIVE
    if known.blind is not None:
        verdict = Verdict.BLIND
    limit = slo.threshold.max if slo.threshold.max is not None else slo.threshold.min
    return a_verdict(
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


def _stream(
    slo: Slo,
    known: SloEvidence,
    stream: StreamEvidence,
    rollout: ModelRollout,
    named: bool,
    scatter: float,
    limit: float,
) -> StreamVerdict:
    """`scatter` is the SLO's design effect, `limit` its objective as the judge would report it."""
    tally, so_far = stream.all, a_proof(stream.proof.bad, stream.proof.total, limit, scatter)
    guilty = named or _alone(slo, stream, rollout.max_false_rollback)
    proven = _proven(slo, stream, so_far, scatter)
    blind = known.blind if _concerns(known, slo, stream) else None
    rate = tally.bad / tally.total if tally.total else None
    # By position: names cost a tenth of a tick here.
    return a_verdict(
        slo.name, stream.scenario, _verdict(blind is not None, guilty, proven), slo.on_breach, slo.max_bad,
        tally.bad, tally.total, rate, an_interval(tally.bad, tally.total, scatter), log_e(stream),
        so_far, proven, 0.0 if proven else _needed(slo, stream, limit), guilty, stream.stage.total,
        stream.stable.bad, stream.stable.total, None, None, 0, blind, stream.against,
    )  # fmt: skip


def _concerns(known: SloEvidence, slo: Slo, stream: StreamEvidence) -> bool:
    """A missing scenario blinds the SLO as a whole (its pooled stream) and the required slices, not every slice."""
    if known.blind is None or stream.scenario is None:
        return True
    required = slo.scenarios.required if slo.scenarios else ()
    return known.blind.cause is not BlindCause.SCENARIO_MISSING or stream.scenario in required


def _alone(slo: Slo, stream: StreamEvidence, budget: float) -> bool:
    """Only `alert` SLOs act on their own; the others are named by their ledger."""
    return slo.on_breach is OnBreach.ALERT and log_e(stream) >= math.log(1 / budget)


def _verdict(blind: bool, guilty: bool, proven: bool) -> Verdict:
    """A visible breach stays visible when sight is lost."""
    if guilty:
        return Verdict.BREACH
    if blind:
        return Verdict.BLIND
    return Verdict.PASS if proven else Verdict.INCONCLUSIVE


def _proven(slo: Slo, stream: StreamEvidence, so_far: Proof, scatter: float) -> bool:
    if stream.proof.total < proof.MIN_SAMPLES or stream.against == "stable":
        return False
    if stream.scenario is None:
        return so_far.log_e >= math.log(1 / slo.max_false_promotion)
    return lies_below(SCENARIO_HEADROOM * stream.p0, stream.proof.bad, stream.proof.total, scatter)


def _needed(slo: Slo, stream: StreamEvidence, limit: float) -> float:
    have = stream.proof
    return proof.answers_needed(have.bad, have.total, limit, slo.max_false_promotion)


def blind_now(evidence: Evidence) -> tuple[SloEvidence, ...]:
    """The SLOs that cannot be measured at this tick."""
    return tuple(slo for slo in evidence.slos if slo.blind is not None)


__all__ = ["ENGINE", "Blindness", "blind_now", "judge", "log_e", "verdicts"]
