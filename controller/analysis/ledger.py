"""Ledgers: all streams that lead to one action, merged into one number with one budget.

The weighted mean of e-values is an e-value under any dependence, so that the budget holds for the whole run, not for
each stream. Naming the guilty stream uses the weaker Bonferroni rule. Statistics, section 5.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from controller.analysis.elin import log_sum
from controller.domain.evidence import NO_MONEY
from controller.domain.names import SloName
from controller.domain.rollout import OnBreach
from controller.domain.verdict import LedgerVerdict


@dataclass(frozen=True, slots=True)
class Entry:
    """One stream's part: `weight` of the ledger, `budget` left of it (0..1), its log E."""

    slo: SloName
    scenario: str | None
    weight: float
    budget: float
    log_e: float

    @property
    def log_part(self) -> float:
        """log of what the stream contributes."""
        share = self.weight * self.budget
        return math.log(share) + self.log_e if share > 0 else NO_MONEY


def merge(entries: Sequence[Entry], reserve: float = 0.0) -> float:
    """log of the weighted mean; `reserve` is weight that no stream holds yet and counts as 1."""
    parts = [entry.log_part for entry in entries]
    return log_sum([*parts, math.log(reserve)] if reserve > 0 else parts or [NO_MONEY])


def is_guilty(entry: Entry, budget: float) -> bool:
    """Would this stream alone have spent its part of the budget?"""
    return entry.log_part >= math.log(1 / budget)


def read(action: OnBreach, entries: Sequence[Entry], reserve: float, budget: float) -> LedgerVerdict:
    """The ledger at this tick. `budget` is the accepted chance of a false breach per run (0..1)."""
    limit = math.log(1 / budget)
    total = merge(entries, reserve) if entries else NO_MONEY
    breached = total >= limit
    worst = max(entries, key=lambda entry: entry.log_part, default=None)
    named = (worst.slo, worst.scenario) if breached and worst else None
    return LedgerVerdict(action, total, limit, breached, named)
