"""The one function that decides, live and in every replay: judge + decide, bit for bit the same for the same inputs."""

from dataclasses import replace

from controller.analysis import judge as judging
from controller.analysis import streams
from controller.analysis.accumulate import Scope
from controller.analysis.rebuild import answers_in
from controller.decision.clock import knows, no_future, no_future_evidence, stage_anew
from controller.decision.decide import decide
from controller.decision.trust import lapse
from controller.decision.turn import Turn, loading
from controller.domain.decision import Decision, Fact, Notice, Reason, Severity
from controller.domain.evidence import Evidence
from controller.domain.observation import Observation, Rebuilt
from controller.domain.state import Phase, Position, Run
from controller.domain.verdict import Judgement


def tick(position: Position, evidence: Evidence | None, seen: Observation) -> Decision:
    """Next position, split, evidence and notices for one rollout at one instant. Pure."""
    position = no_future(position, seen.now)
    evidence = no_future_evidence(evidence, seen.now) if evidence else None
    position, evidence, lapsed = lapse(position, evidence, seen)
    run = position.run
    if seen.rebuilding and (evidence is None or run is None or evidence.digest != run.digest):
        return decide(Turn(position, evidence, Judgement(), seen, lapsed))
    missed = run is not None and not knows(evidence, run)
    evidence, told = _found_again(position, evidence, seen)
    told = (*lapsed, *told)
    watched = position.under_way or (position.guarded and evidence is not None and run is not None)
    if run is None or not watched or (not position.under_way and evidence and evidence.digest != run.digest):
        return decide(Turn(position, evidence, Judgement(), seen, told))
    mine, told = _evidence(evidence, run, seen, told)
    if missed:
        run, mine = stage_anew(run, mine, seen.now)
        position = replace(position, run=run)
    if not seen.measured:
        return decide(Turn(position, mine, judging.verdicts(mine, run.spec), seen, told))
    mine, judgement = judging.judge(mine, seen.measurements, seen.series, scope(position, run, seen))
    return decide(Turn(position, mine, judgement, seen, told))


def _found_again(
    position: Position, evidence: Evidence | None, seen: Observation
) -> tuple[Evidence | None, tuple[Notice, ...]]:
    """Evidence that is missing, counted anew out of what was kept, or out of the metric server's history."""
    run, again = position.run, seen.rebuilt
    if again is None or again.request or not _is_missing(position, evidence, again):
        return evidence, ()
    facts: dict[str, Fact] = {
        "candidate": run.candidate if run else None,
        "run": run.id if run else None,
        "ticks": again.counted,
        "budget": "kept" if again.whole else "half",
        "source": again.source,
    }
    severity = Severity.INFO if again.whole else Severity.WARN
    found = replace(no_future_evidence(again.evidence, seen.now), trusted=position.trusted)
    return found, (Notice(Reason.EVIDENCE_REBUILT, seen.now, severity, facts),)


def _is_missing(position: Position, evidence: Evidence | None, again: Rebuilt) -> bool:
    """Is it of the run, which has none? Or of a version that may be tried next, of which nothing is known?"""
    run = position.run
    if run is None:
        return evidence is None or (evidence.digest == again.evidence.digest and answers_in(evidence) == 0)
    if again.evidence.digest != run.digest:
        return False
    return evidence is None or (evidence.digest != run.digest and position.under_way)


def _evidence(
    evidence: Evidence | None, run: Run, seen: Observation, told: tuple[Notice, ...]
) -> tuple[Evidence, tuple[Notice, ...]]:
    """A run without evidence never goes on as if nothing had happened: it starts again with half of the budget."""
    if evidence is not None and evidence.digest == run.digest:
        return evidence, told
    facts = {"candidate": run.candidate, "run": run.id}
    return streams.lost(run.spec, run.digest), (*told, Notice(Reason.EVIDENCE_LOST, seen.now, Severity.WARN, facts))


def scope(position: Position, run: Run, seen: Observation) -> Scope:
    """Where this tick's counts belong: to the stage whose traffic is, or is about to be, routed."""
    before = position.phase is Phase.PENDING or (position.phase is not Phase.ROLLING_BACK and loading(position))
    unused = position.traffic is None or not position.traffic.split.exposes()
    return Scope(
        rollout=run.spec,
        stable=run.stable,
        candidate=run.candidate,
        stage=None if before else run.current.kind,
        since=run.stage_since,
        withdrawn=run.withdrawn or unused,
        now=seen.now,
        sampled_at=seen.sampled_at,
        weight=_percent(position),
    )


def _percent(position: Position) -> int:
    """The candidate's share of the traffic, live or mirrored, in percent."""
    split = position.split()
    return max(split.weight, split.mirror) if split else 0
