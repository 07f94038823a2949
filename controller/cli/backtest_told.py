"""What a backtest found: one JSON line per tick, or a timeline of decisions and a table of what the evidence says."""

import math
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from controller.cli import words
from controller.cli.counts import text_of
from controller.cli.output import console
from controller.cli.reasons import sentence
from controller.decision.replay import Step
from controller.domain.decision import Notice, Severity
from controller.domain.names import VersionName
from controller.domain.rollout import ModelRollout
from controller.domain.state import Phase
from controller.domain.verdict import StreamVerdict, Verdict

if TYPE_CHECKING:
    from rich.table import Table

SEVERITIES = {Severity.PAGE: "bold red", Severity.WARN: "yellow", Severity.INFO: "cyan"}
VERDICTS = {Verdict.BREACH: "bold red", Verdict.BLIND: "yellow", Verdict.PASS: "green"}


def line_of(step: Step) -> dict[str, Any]:
    """One tick for machines."""
    return {
        "at": text_of(step.at),
        "phase": step.phase.value,
        "stage": step.stage,
        "weight": step.weight,
        "run_e": evidence(step.ledger.log_e) if step.ledger else None,
        "verdicts": [_verdict(one) for one in step.judgement.streams],
    }


def _verdict(one: StreamVerdict) -> dict[str, Any]:
    return {
        "slo": one.slo,
        "scenario": one.scenario,
        "against": one.against,
        "verdict": one.verdict.value,
        "e": evidence(one.log_e),
        "log_e": one.log_e,
        "rate": one.rate,
        "lower": one.lower,
        "upper": one.upper,
        "bad": one.bad,
        "total": one.total,
    }


def evidence(log_e: float) -> float:
    """E; the greatest number there is where it would be greater."""
    return math.exp(log_e) if log_e < math.log(sys.float_info.max) else sys.float_info.max


class Story:
    """Gathers what happened; `show` tells it."""

    def __init__(self, rollout: ModelRollout, stable: VersionName) -> None:
        self._rollout, self._stable = rollout, stable
        self._told: list[tuple[datetime, Notice]] = []
        self._ticks = 0
        self._first: Step | None = None
        self._last: Step | None = None
        self._ended: Step | None = None

    def add(self, step: Step) -> None:
        """The next tick."""
        self._ticks += 1
        self._first = self._first or step
        self._last = step
        self._told += [(step.at, notice) for notice in step.notices]
        if self._ended is None and step.phase in (Phase.ROLLED_BACK, Phase.COMPLETED):
            self._ended = step

    def show(self) -> None:
        """The timeline, the table, and how it ended."""
        if self._first is None or self._last is None:
            return
        screen = console()
        versions = f"{self._stable} → {self._rollout.version}"
        many = words.many(self._ticks, "tick")
        span = f"{self._first.at:%Y-%m-%d %H:%M:%S} to {self._last.at:%Y-%m-%d %H:%M:%S} UTC"
        screen.print(f"{self._rollout.key}: {versions}, {many} from {span}", style="bold")
        screen.print(self._timeline())
        screen.print()
        screen.print(_table(self._last))
        screen.print()
        screen.print(self._ending(), style="bold", soft_wrap=not screen.is_terminal)

    def _timeline(self) -> "Table":
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, style="dim")
        table.add_column(overflow="fold")
        day = self._first.at.date() if self._first else None
        for at, notice in self._told:
            if at.date() != day:
                day = at.date()
                table.add_row(Text(f"{day}", "bold"), "")
            line = sentence({"reason": notice.reason.value, "facts": dict(notice.facts)})
            table.add_row(f"{at:%H:%M:%S}", Text(line, SEVERITIES.get(notice.severity, "")))
        return table

    def _ending(self) -> str:
        assert self._first is not None
        assert self._last is not None
        end = self._ended or self._last
        position, began = end.position, self._first.at - self._rollout.interval
        when = f"at {end.at:%Y-%m-%d %H:%M:%S} UTC, {words.span((end.at - began).total_seconds())} after the run began"
        if position.phase is Phase.ROLLED_BACK:
            cause = position.breach.cause.value if position.breach else "unknown"
            return f"Rolled back ({cause}) {when}."
        if position.phase is Phase.COMPLETED:
            return f"Promoted {when}."
        why = f" ({position.held.value})" if position.held else ""
        return (
            f"Not decided: {position.phase.value}{why} in stage {end.stage}; {position.message or 'the history ends'}."
        )


def _table(step: Step) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold dim", padding=(0, 2, 0, 0))
    for title in ("SLO", "AGAINST", "VERDICT", "BAD", "OF", "RATE", "BETWEEN (95 %)", "LIMIT", "E"):
        table.add_column(title, justify="left" if title in ("SLO", "AGAINST", "VERDICT") else "right")
    for one in step.judgement.streams:
        verdict = Text(one.verdict.value, VERDICTS.get(one.verdict, ""))
        table.add_row(f"{one.slo}/{one.scenario}" if one.scenario else one.slo, one.against, verdict, *_numbers(one))
    for ledger in step.judgement.ledgers:
        state = Text("breach", "bold red") if ledger.breached else Text("")
        limit = f"acts at {evidence(ledger.log_limit):.4g}"
        told = f"all, to {ledger.action.value}"
        table.add_row(told, ledger.kind, state, "", "", "", "", limit, f"{evidence(ledger.log_e):.4g}")
    return table


def _numbers(one: StreamVerdict) -> tuple[str, ...]:
    if one.value is not None or (one.rate is None and one.total == 0):
        value = "–" if one.value is None else words.number(one.value)
        limit = "–" if one.objective is None else words.number(one.objective)
        return "", "", value, "", limit, ""
    rate = words.percent(one.rate or 0.0)
    limit = words.percent(one.objective) if one.objective is not None else "–"
    between = f"{words.percent(one.lower)} – {words.percent(one.upper)}"
    return words.count(one.bad), words.count(one.total), rate, between, limit, f"{evidence(one.log_e):.4g}"
