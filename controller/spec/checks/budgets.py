"""The false-rollback budget is shared out among the SLOs of one action, and everybody gets some."""

from collections.abc import Iterator, Mapping

from controller.spec.fields import duration, percent
from controller.spec.finding import Finding
from controller.spec.parts import Parts
from controller.spec.schema import AnalysisBlock
from controller.spec.schema_slos import SloBlock
from controller.spec.sentences import BUDGET_HINT


def shares(slos: Mapping[int, SloBlock], action: str) -> dict[int, float]:
    """Weight of every SLO in the ledger of `action`: as given, the rest shared equally, scaled so that they sum to 1.

    SLOs with a threshold act by themselves and are in no ledger.
    """
    members = {at: slo for at, slo in slos.items() if slo.on_breach == action and slo.objective is not None}
    given = {at: percent(slo.weight) for at, slo in members.items() if slo.weight is not None}
    others = len(members) - len(given)
    rest = max(0.0, 1 - sum(given.values())) / others if others else 0.0
    weights = {at: given.get(at, rest) for at in members}
    total = sum(weights.values())
    return {at: weight / total for at, weight in weights.items()} if total > 0 else weights


def check_budgets(parts: Parts) -> Iterator[Finding]:
    """Weights given sum to at most 100 % per action and leave something for the others; a tick fits into the times."""
    for action in ("rollback", "hold"):
        yield from _check_ledger(parts.slos, action)
    analysis = parts.analysis
    if analysis and analysis.horizon and duration(analysis.horizon) < duration(analysis.interval):
        yield Finding(("spec", "analysis", "horizon"), "is shorter than one interval", "raise it or remove it")
    if analysis and analysis.block:
        yield from _check_block(analysis, analysis.block)


def _check_block(analysis: AnalysisBlock, block: str) -> Iterator[Finding]:
    path = ("spec", "analysis", "block")
    if duration(block) % duration(analysis.interval):
        yield Finding(path, f"{block} is no multiple of the interval {analysis.interval}", "blocks hold whole ticks")
    elif analysis.horizon and duration(block) > duration(analysis.horizon):
        yield Finding(path, f"{block} is longer than the horizon {analysis.horizon}", "nothing would be judged in it")


def _check_ledger(slos: Mapping[int, SloBlock], action: str) -> Iterator[Finding]:
    members = {at: slo for at, slo in slos.items() if slo.on_breach == action and slo.objective is not None}
    given = {at: percent(slo.weight) for at, slo in members.items() if slo.weight is not None}
    total = sum(given.values())
    if not given or total < 1 - 1e-9 or (total <= 1 + 1e-9 and len(given) == len(members)):
        return
    path = ("spec", "slos", max(given), "weight")
    if total > 1 + 1e-9:
        message = f"the weights of SLOs with onBreach: {action} sum to {total * 100:.10g}%"
        yield Finding(path, message, BUDGET_HINT)
    else:
        left = ", ".join(slo.name for at, slo in members.items() if at not in given)
        yield Finding(path, f"the weights sum to 100% and leave nothing for {left}", "lower them or give everyone one")
