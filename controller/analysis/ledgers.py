"""Which streams lead to which action: the ledgers of evidence, and beside them the detectors of change.

A comparison with stable rolls back only when an A/A run has shown it calm on this traffic; until then it holds.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta

from controller.analysis import change, elin, ledger
from controller.domain.evidence import SloEvidence, StreamEvidence
from controller.domain.rollout import ModelRollout
from controller.domain.slo import OnBreach, Slo
from controller.domain.verdict import LedgerVerdict

MONTH = timedelta(days=30)
CLEARLY = 1 - 1e-8
"""A ledger whose bound is below its limit by this factor is calm. Roundings, of the bound and of the ledger itself, are
below 1e-11 of it: the logarithms are at most some hundreds, and a unit in their last place is below 1e-13."""
Pairs = Sequence[tuple[Slo, SloEvidence]]


def log_e(stream: StreamEvidence) -> float:
    """log E of a stream as stored."""
    return elin.log_worth(stream.log_s, stream.reserve)


def detected(stream: StreamEvidence) -> float:
    """log M of a stream's detector as stored."""
    return change.log_worth(stream.change)


def ledgers_of(pairs: Pairs, rollout: ModelRollout, trusted: bool) -> Iterator[LedgerVerdict]:
    """Per action the merged evidence, and the merged detectors, each with what it needs to act."""
    budget = rollout.max_false_rollback
    for action in (OnBreach.ROLLBACK, OnBreach.HOLD):
        entries, reserve = _evidence(pairs, action, trusted)
        if entries:
            yield ledger.read(action, entries, reserve, math.log(1 / budget))
        rows, kept = _detectors(pairs, action)
        if rows:
            limit = change.threshold(MONTH / rollout.interval, budget)
            yield ledger.read(action, rows, kept, math.log(limit), kind="change")


def surely_calm(pairs: Pairs, rollout: ModelRollout) -> bool:
    """True when bounds alone tell that no ledger is breached, which is so on nearly every tick of a good candidate.

    They cost a tenth of the ledgers, and are never below them: all actions are summed, guests are doubled, and of the
    bets of a stream the largest stands for their mean. `CLEARLY` is the margin. What is too large for a number, or is
    none, is never calm.
    """
    evidence = detected = 0.0
    exp, inf = math.exp, math.inf
    for slo, known in pairs:
        times = 2.0 if slo.versus_stable is not None else 1.0
        for one in known.streams:
            share = one.weight * times
            # `elin.worth_at_most` written out.
            high = max(one.log_s)
            evidence += share * one.budget * ((exp(high) if high < elin.MOST else inf) + one.reserve)
            if one.against == "objective":
                high = max(one.change)
                detected += share * (exp(high) if high < elin.MOST else inf)
        evidence, detected = evidence + known.reserve_weight, detected + known.reserve_weight
    budget = rollout.max_false_rollback
    enough = change.threshold(MONTH / rollout.interval, budget)
    return evidence < CLEARLY / budget and detected < CLEARLY * enough


def action_of(slo: Slo, stream: StreamEvidence, trusted: bool) -> OnBreach:
    """What a breach of this stream leads to."""
    if stream.against == "stable" and slo.on_breach is OnBreach.ROLLBACK and not trusted:
        return OnBreach.HOLD
    return slo.on_breach


def _evidence(pairs: Pairs, action: OnBreach, trusted: bool) -> tuple[list[ledger.Entry], float]:
    """Shares follow from the spec alone: what is counted never makes a stream's share grow."""
    guests = [slo for slo, _ in pairs if _is_guest(slo, trusted)]
    hosts = [slo for slo, _ in pairs if slo.on_breach is OnBreach.HOLD and slo.max_bad is not None]
    crowded = 0.5 if action is OnBreach.HOLD and guests and hosts else 1.0
    entries, reserve = [], 0.0
    for slo, known in pairs:
        mine = [one for one in known.streams if action_of(slo, one, trusted) is action]
        doubled = 2.0 if _is_guest(slo, trusted) else 1.0
        entries += [_entry(slo, one, doubled * crowded, log_e(one)) for one in mine]
        reserve += known.reserve_weight * crowded if mine else 0.0
    return entries, reserve


def _is_guest(slo: Slo, trusted: bool) -> bool:
    """Do its two streams lead to different actions? Then each of them has the whole weight where it is."""
    return slo.versus_stable is not None and slo.on_breach is OnBreach.ROLLBACK and not trusted


def _detectors(pairs: Pairs, action: OnBreach) -> tuple[list[ledger.Entry], float]:
    """One detector a slice, whose weight is that of its streams together."""
    entries, reserve = [], 0.0
    for slo, known in pairs:
        if slo.on_breach is not action or not known.streams:
            continue
        whole = 2.0 if slo.versus_stable is not None else 1.0
        mine = (one for one in known.streams if one.against == "objective")
        entries += [
            ledger.an_entry(slo.name, one.scenario, one.weight * whole, 1.0, detected(one), "change") for one in mine
        ]
        reserve += known.reserve_weight
    return entries, reserve


def _entry(slo: Slo, stream: StreamEvidence, times: float, value: float) -> ledger.Entry:
    return ledger.an_entry(slo.name, stream.scenario, stream.weight * times, stream.budget, value, stream.against)
