"""Evidence counted anew out of kept measurements: after it was lost, or without the time of a known fault. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.analysis import sight, streams
from controller.analysis.accumulate import Scope, accumulate
from controller.domain.evidence import Evidence, SloEvidence, Tally
from controller.domain.measure import Measurement
from controller.domain.names import SloName
from controller.domain.observation import Rebuilt

SLACK = 0.6
"""Nominal ticks by which a measurement may come late before one is missing in front of it."""

Row = tuple[datetime, tuple[Measurement, ...]]


@dataclass(frozen=True, slots=True)
class Window:
    """The time of a known fault, both ends included."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """From `at` on, counts belong to `scope`. `begins`: a stage was entered; `reviewed`: findings were looked at."""

    at: datetime
    scope: Scope
    begins: bool = False
    reviewed: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """A run as its journal tells it: `scope` at its begin, then `marks`, oldest first; only these `slos` are counted.

    `whole`: the journal explains everything the evidence went through. `halvings`: how often the budget of this
    version was halved before, as far as the journal knows.
    """

    scope: Scope
    marks: tuple[Mark, ...]
    slos: frozenset[SloName]
    whole: bool = False
    halvings: int = 0


def rebuilt(base: Evidence, rows: Iterable[Row], past: Past, excluded: Window | None = None) -> Rebuilt:
    """`base` with every kept row of the run counted, in order, but for those that touch `excluded`."""
    evidence, scope, before, marks = base, past.scope, past.scope.now, list(past.marks)
    counted, left_out, gap = 0, 0, False
    for at, measured in rows:
        # A pass judges before it decides: what it decided holds from the next row on.
        while marks and marks[0].at < at:
            scope, evidence = marks[0].scope, _passed(evidence, marks.pop(0))
        span = _span(measured, scope)
        gap = gap or (scope.stage is not None and at - before > span + SLACK * scope.rollout.interval)
        before = at
        if excluded is not None and at >= excluded.since and at - span <= excluded.until:
            left_out += 1
            continue
        mine = tuple(one for one in measured if one.slo in past.slos)
        here = replace(scope, now=at, sampled_at=at)
        # What `judge` does but for its verdicts, which nobody reads here.
        evidence = sight.look(accumulate(evidence, mine, base.series, here), mine, here)
        counted += 1
    for mark in marks:
        evidence = _passed(evidence, mark)
    seen = counted > 0 or all(mark.scope.stage is None for mark in past.marks)
    return Rebuilt(evidence, counted, left_out, whole=past.whole and seen and not gap and excluded is None)


def _span(measured: tuple[Measurement, ...], scope: Scope) -> timedelta:
    """How much time the counts of one row cover."""
    return max((1, *(one.ticks for one in measured))) * scope.rollout.interval


def _passed(evidence: Evidence, mark: Mark) -> Evidence:
    if mark.begins:
        evidence = streams.new_stage(evidence)
    if mark.reviewed:
        evidence = replace(evidence, slos=tuple(replace(slo, findings=()) for slo in evidence.slos))
    return evidence


def spent(evidence: Evidence, halvings: int) -> Evidence:
    """The same counts with so often half of the budget: what was bet does not depend on it."""
    part = 0.5**halvings
    return replace(evidence, slos=tuple(_spent(slo, part) for slo in evidence.slos))


def _spent(slo: SloEvidence, part: float) -> SloEvidence:
    return replace(slo, streams=tuple(replace(stream, budget=stream.budget * part) for stream in slo.streams))


def answers_in(evidence: Evidence) -> float:
    """How many judged answers of the candidate are in it, over all SLOs."""
    return sum(slo.streams[0].all.total for slo in evidence.slos if slo.streams)


def rested(evidence: Evidence) -> Evidence:
    """The same counts for a run that begins later: what was true only of that moment is forgotten."""
    return replace(evidence, slos=tuple(_at_rest(slo) for slo in evidence.slos), first_bad_at=None)


def _at_rest(slo: SloEvidence) -> SloEvidence:
    return replace(
        slo,
        findings=(),
        blind=None,
        blind_since=None,
        judge_now=Tally(),
        judge_before=Tally(),
        judge_turned=None,
        candidate_judged_at=None,
        stable_judged_at=None,
        strikes=0,
        value=None,
    )
