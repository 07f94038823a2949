"""A run as its journal tells it: which counts belonged to which stage, for evidence that is counted anew. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from controller.analysis.accumulate import Scope
from controller.analysis.rebuild import Mark, Past
from controller.decision.turn import split_for
from controller.domain.decision import Reason
from controller.domain.names import VersionName
from controller.domain.record import JournalEntry
from controller.domain.rollout import ModelRollout, StageKind
from controller.domain.slo import OnBreach
from controller.domain.state import Run

NO_TRAFFIC = frozenset(
    {Reason.WITHDRAWN, Reason.FOUND, Reason.ROLLBACK_STARTED, Reason.WOULD_ROLL_BACK, Reason.PROMOTED}
)
CHANGES = frozenset({Reason.RETRIED, Reason.EVIDENCE_LOST, Reason.SPEC_EDITED, Reason.EXTERNAL_CHANGE})
"""After these the evidence, or the traffic, was another than the stages of the run tell."""


@dataclass(slots=True)
class _Story:
    """The fold over a run's entries."""

    run: Run
    scope: Scope
    marks: list[Mark] = field(default_factory=list)
    spent: bool = False

    def tell(self, entry: JournalEntry) -> None:
        reason = Reason(entry.reason)
        if reason is Reason.STAGE_ENTERED:
            self._enter(entry)
        elif reason is Reason.STAGE_VERIFIED:
            self._mark(entry, replace(self.scope, since=entry.at))
        elif reason is Reason.MIRROR_LIMIT:
            self.spent = True
            self._mark(entry, replace(self.scope, weight=0, withdrawn=True))
        elif reason in NO_TRAFFIC:
            since = None if reason in (Reason.WITHDRAWN, Reason.FOUND) else self.scope.since
            self._mark(entry, replace(self.scope, weight=0, withdrawn=True, since=since))
        elif reason is Reason.REVIEWED:
            self._mark(entry, self.scope, reviewed=True)

    def _enter(self, entry: JournalEntry) -> None:
        stage = next((one for one in self.run.spec.stages if one.name == entry.facts.get("stage")), None)
        if stage is None:
            return
        split = split_for(replace(self.run, mirrored_requests=0), stage)
        unused = not split.exposes() or (stage.kind is StageKind.SHADOW and self.spent)
        weight = 0 if unused else max(split.weight, split.mirror)
        entered = replace(self.scope, stage=stage.kind, since=None, weight=weight, withdrawn=unused)
        self._mark(entry, entered, begins=True)

    def _mark(self, entry: JournalEntry, scope: Scope, begins: bool = False, reviewed: bool = False) -> None:
        self.scope = scope
        self.marks.append(Mark(entry.at, scope, begins, reviewed))


def past_of(run: Run, newest_first: Sequence[JournalEntry], spec: ModelRollout | None = None) -> Past:
    """What the journal knows of `run`. `spec` is what is judged by now: SLOs that mean something else are left out."""
    spec = spec or run.spec
    entries = tuple(reversed(newest_first))
    begin = _loading(run, spec)
    known = {slo.name: slo.definition for slo in run.spec.slos}
    same = frozenset(slo.name for slo in spec.slos if known.get(slo.name) == slo.definition)
    story = _Story(run, begin)
    for entry in _since_begin(run, entries):
        story.tell(entry)
    marks = tuple(story.marks)
    if not any(mark.begins for mark in marks) and run.stage_since is not None:
        marks = _untold(run, spec)
    return Past(begin, marks, same, _whole(run, entries), _halvings(run, entries))


def past_unknown(spec: ModelRollout, stable: VersionName, candidate: VersionName, since: datetime) -> Past:
    """Nobody knows who got how much when: what is counted speaks against the candidate, and never for it."""
    apart = Scope(spec, stable, candidate, StageKind.COHORT, None, withdrawn=False, now=since)
    return Past(apart, (), frozenset(slo.name for slo in spec.slos))


def _untold(run: Run, spec: ModelRollout) -> tuple[Mark, ...]:
    """The stages of a run whose journal is gone: only when the present one began is known."""
    assert run.stage_since is not None
    apart = replace(_loading(run, spec), stage=StageKind.COHORT, withdrawn=False)
    split = split_for(run, run.current)
    weight = max(split.weight, split.mirror)
    here = replace(apart, stage=run.current.kind, since=run.stage_since, weight=weight)
    return Mark(run.started_at, apart), Mark(run.stage_since, here, begins=True)


def _loading(run: Run, spec: ModelRollout) -> Scope:
    return Scope(spec, run.stable, run.candidate, None, None, withdrawn=True, now=run.started_at)


def _since_begin(run: Run, entries: Sequence[JournalEntry]) -> Sequence[JournalEntry]:
    """The end of the run before may have been written together with the begin of this one."""
    mine = [entry for entry in entries if entry.run == run.id]
    begun = (at for at, entry in enumerate(mine) if entry.reason == Reason.RUN_STARTED.value)
    return mine[next(begun, 0) :]


def _whole(run: Run, entries: Sequence[JournalEntry]) -> bool:
    """Was this run's evidence born with the run, at full budget, and never changed but by counts?"""
    started = [entry for entry in entries if entry.reason == Reason.RUN_STARTED.value]
    others = [entry for entry in started if entry.facts.get("candidate") == run.candidate and entry.run != run.id]
    mine = [entry for entry in entries if entry.run == run.id]
    held = any(slo.on_breach is OnBreach.HOLD for slo in run.spec.slos)
    changed = any(
        entry.reason in CHANGES
        or (entry.reason == Reason.RESUMED.value and held)
        or (entry.reason == Reason.EVIDENCE_REBUILT.value and entry.facts.get("budget") == "half")
        or entry.reason == Reason.SHARE_REJECTED.value
        for entry in mine
    )
    return len(started) >= run.number and not others and not changed


def _halvings(run: Run, entries: Sequence[JournalEntry]) -> int:
    """How often this version's budget was halved in this run and in earlier ones of the same name."""
    started = (entry for entry in entries if entry.reason == Reason.RUN_STARTED.value)
    runs = {entry.run for entry in started if entry.facts.get("candidate") == run.candidate} | {run.id}
    mine = [entry for entry in entries if entry.run in runs]
    lost = sum(1 for entry in mine if entry.reason == Reason.EVIDENCE_LOST.value)
    told = ((entry.reason, entry.facts.get("evidence") or entry.facts.get("budget")) for entry in mine)
    halving = {(Reason.RETRIED.value, "half"), (Reason.EVIDENCE_REBUILT.value, "half")}
    return lost + sum(1 for one in told if one in halving)
