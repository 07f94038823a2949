"""Ledgers: all streams that lead to one action, merged into one number with one budget.

The weighted mean of e-values is an e-value under any dependence, so that the budget holds for the whole run, not for
each stream: a stream that reaches its part of the budget alone breaches the ledger too. Statistics, section 5.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from controller.analysis.elin import log_sum
from controller.analysis.swift import maker
from controller.domain.evidence import NO_MONEY, Against
from controller.domain.names import SloName
from controller.domain.slo import OnBreach
from controller.domain.verdict import LedgerKind, LedgerVerdict


@dataclass(frozen=True, slots=True)
class Entry:
    """One stream's part: `weight` of the ledger, `budget` left of it (0..1), its log E (or log M)."""

    slo: SloName
    scenario: str | None
    weight: float
    budget: float
    log_e: float
    against: Against = "objective"

    @property
    def log_part(self) -> float:
        """log of what the stream contributes."""
        share = self.weight * self.budget
        return math.log(share) + self.log_e if share > 0 else NO_MONEY


an_entry = maker(Entry)


def merge(entries: Sequence[Entry], reserve: float = 0.0) -> float:
    """log of the weighted mean; `reserve` is weight that no stream holds yet and counts as 1."""
    parts = [entry.log_part for entry in entries]
    return log_sum([*parts, math.log(reserve)] if reserve > 0 else parts or [NO_MONEY])


def read(
    action: OnBreach, entries: Sequence[Entry], reserve: float, log_limit: float, kind: LedgerKind = "evidence"
) -> LedgerVerdict:
    """The ledger at this tick: breached when the merged value reaches the limit. The largest part is the guilty one."""
    total = merge(entries, reserve) if entries else NO_MONEY
    breached = total >= log_limit
    worst = max(entries, key=lambda entry: entry.log_part, default=None) if breached else None
    named = (worst.slo, worst.scenario, worst.against) if worst else None
    return LedgerVerdict(action, total, log_limit, breached, named, kind)
