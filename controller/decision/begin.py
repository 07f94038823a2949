"""Before and between runs: should a run begin, is the candidate fit to get traffic?"""

from dataclasses import replace

from controller.analysis import streams
from controller.analysis.judge import blind_now
from controller.decision.edits import end_run
from controller.decision.guard import refuse_breached
from controller.decision.guarding import standstill
from controller.decision.loading import still_loading
from controller.decision.stable import find_stable, moved_by_hand, stalled, unstalled
from controller.decision.strength import known_strength, too_weak
from controller.decision.traffic import describe
from controller.decision.turn import Turn, split_for
from controller.domain.decision import Reason, Severity
from controller.domain.measure import BlindCause
from controller.domain.names import RunId
from controller.domain.observation import Readiness
from controller.domain.rollout import ModelRollout, Provenance, Version
from controller.domain.slo import OnBreach
from controller.domain.state import Cause, Phase, Run
from controller.domain.traffic import Split

RECOUNTING = "its evidence, which was lost, to be counted anew"


def rest(turn: Turn) -> Turn:
    """Rule for the phases without a run: know what is stable, keep it served, begin when the spec says so."""
    if turn.seen.guarding:
        return turn  # what is new on the route may be a run that another process began
    if turn.seen.spec.removed:
        return _leave(turn)
    spec, problem = turn.seen.spec.spec, _no_start(turn)
    if problem is not None:
        return stalled(turn, problem)
    assert spec is not None
    if turn.position.stable is None:
        return find_stable(turn, spec)
    strange = moved_by_hand(turn)
    if strange is not None:
        return stalled(turn, strange)
    return _begin(_put_back(turn), spec)


def _leave(turn: Turn) -> Turn:
    """The rollout was deleted: its route belongs to people again, as it is. Nobody needs to be told what they did."""
    why = "the rollout was deleted; its route is left as it is"
    if turn.position.phase is Phase.STALLED:
        return turn.say(why)
    return turn.at(phase=Phase.STALLED, resume_phase=turn.position.phase, message=why)


def _put_back(turn: Turn) -> Turn:
    """At rest the route belongs to stable: whatever else appears is taken away again, and said once."""
    mark, route = turn.position.traffic, turn.route
    if mark is None or mark.verified_at is None or route is None or turn.observing:
        return turn
    if route.table == mark.split.table():
        return turn
    found = describe(route.table) if route.table else "no route"
    turn = turn.tell(Reason.DRIFT_CORRECTED, Severity.WARN, found=found)
    return turn.at(traffic=replace(mark, verified_at=None, applied_at=turn.now, overdue=False))


def _no_start(turn: Turn) -> str | None:
    seen = turn.seen.spec
    if seen.deleted or seen.spec is None:
        told = f": {seen.problems[0]}" if seen.problems else ""
        return f"there is no good spec{told}; traffic is left as it is"
    if seen.problems:
        return f"the spec is broken: {seen.problems[0]}"
    return turn.seen.route_conflict


def _begin(turn: Turn, spec: ModelRollout) -> Turn:
    turn = unstalled(turn)
    target = spec.find(spec.version)
    assert target is not None
    if target.name == turn.position.stable:
        return _settle(turn)
    if _was_tried(turn, target):
        return turn
    if _may_return(turn, spec, target):
        return _return(turn, target)
    if target.digest in turn.position.rejected:
        return turn.say(f"{target.name} was rolled back before; `retry` with a reason tries it again")
    if spec.suspend:
        return turn.say("suspended: no run begins")
    if turn.seen.rebuilding:
        return turn.say(f"waiting for {RECOUNTING}")
    return start_run(turn, spec, target)


def _settle(turn: Turn) -> Turn:
    if turn.position.phase is Phase.ROLLED_BACK:
        return turn.at(phase=Phase.IDLE, message="", breach=None)
    return turn


def _was_tried(turn: Turn, target: Version) -> bool:
    last, phase = turn.position.run, turn.position.phase
    # Completed without having become stable: it was only observed.
    observed = phase is Phase.COMPLETED and last is not None and last.candidate != turn.position.stable
    return (phase is Phase.ROLLED_BACK or observed) and last is not None and last.digest == target.digest


def _may_return(turn: Turn, spec: ModelRollout, target: Version) -> bool:
    position = turn.position
    inside = position.promoted_at is not None and turn.now - position.promoted_at <= spec.rollback_window
    ready = turn.seen.readiness.get(target.name) is Readiness.READY
    return target.name == position.former and inside and ready


def _return(turn: Turn, target: Version) -> Turn:
    """Back to the former stable, which served minutes ago: at once, and said. The one that is left needs a run."""
    left = turn.position.stable
    turn = turn.tell(Reason.RETURNED, Severity.INFO, stable=target.name, left=left)
    phase = Phase.IDLE
    turn = turn.at(phase=phase, stable=target.name, former=None, promoted_at=None, run=None, message="")
    return turn.route_to(Split(target.name))


def start_run(turn: Turn, spec: ModelRollout, target: Version, actor: str | None = None) -> Turn:
    """A run begins: pinned to the spec as it is, evidence of the same digest kept."""
    number = turn.position.runs + 1
    assert turn.position.stable is not None
    run = Run(
        id=RunId(f"{spec.key.name}-{number}"),
        number=number,
        stable=turn.position.stable,
        candidate=target.name,
        digest=target.digest,
        spec=spec,
        provenance=turn.seen.spec.provenance or Provenance("unknown"),
        started_at=turn.now,
    )
    kept = turn.evidence if turn.evidence and turn.evidence.digest == target.digest else None
    evidence = streams.adapt(kept, spec) if kept else streams.fresh(spec, target.digest)
    if kept and _is_twin(turn, spec, target):
        evidence = streams.halved(kept, spec, target.digest)
    evidence = replace(evidence, trusted=turn.position.trusted)
    turn = replace(turn, evidence=streams.new_stage(evidence))
    turn = turn.at(
        phase=Phase.PENDING, run=run, runs=number, breach=None, resume_phase=None, message=f"loading {target.name}"
    )
    return known_strength(turn).tell(
        Reason.RUN_STARTED,
        Severity.INFO,
        actor=actor or run.provenance.author,
        run=run.id,
        candidate=run.candidate,
        stable=run.stable,
        commit=run.provenance.commit,
        message=run.provenance.message,
    )


def _is_twin(turn: Turn, spec: ModelRollout, target: Version) -> bool:
    """An A/A run says something about the comparison only by its own counts, not by those of runs before."""
    last = turn.position.run
    if last is not None and last.candidate == target.name:
        return False
    stable = spec.find(turn.position.stable) if turn.position.stable else None
    return stable is not None and stable.pinned and stable.digest == target.digest


def prepare(turn: Turn) -> Turn:
    """Rule of Pending: load, probe, identity; then the first stage. Waiting is not failing."""
    turn = known_strength(turn)
    if still := standstill(turn, "suspended: the first stage is not entered"):
        return turn.say(still)
    if turn.seen.rebuilding:
        return turn.say(f"waiting for {RECOUNTING}")
    checked = turn.seen.preflight
    if checked.readiness is not Readiness.READY:
        return still_loading(turn)
    if not turn.run.ready:
        turn = turn.with_run(ready=True, loaded_at=turn.now).tell(Reason.LOADED, candidate=turn.run.candidate)
    if checked.problem is not None:
        return _preflight_failed(turn, checked.problem)
    if not checked.done:
        return turn.say("checking that the metrics tell the versions apart")
    if not _stable_verified(turn):
        return turn.say("waiting until stable's traffic is verified")
    worst = turn.judgement.breach(OnBreach.ROLLBACK)
    if worst is not None:
        return refuse_breached(turn, worst)
    weak = too_weak(turn)
    if weak is not None:
        return turn.say(weak)
    blind = _already_blind(turn)
    return turn.say(f"waiting until the guard can see: {blind}") if blind else enter_stage(turn, 0)


def _already_blind(turn: Turn) -> str | None:
    """What would hold the first stage at once. Silence and missing scenarios are not told before there is traffic."""
    found = blind_now(turn.evidence) if turn.evidence else ()
    later = (BlindCause.JUDGE_SILENT, BlindCause.SCENARIO_MISSING)
    return next((f"{s.name}: {s.blind.detail}" for s in found if s.blind and s.blind.cause not in later), None)


def _stable_verified(turn: Turn) -> bool:
    mark, route = turn.position.traffic, turn.route
    if mark is None or mark.verified_at is None or route is None:
        return False
    return turn.observing or route.table == mark.split.table()


def _preflight_failed(turn: Turn, problem: str) -> Turn:
    message = f"the run does not start: {problem}"
    if turn.position.message == message:
        return turn
    return turn.tell(Reason.PREFLIGHT_FAILED, Severity.WARN, why=problem).say(message)


def enter_stage(turn: Turn, index: int) -> Turn:
    """Want this stage's split; the stage begins to count when it is verified."""
    evidence = streams.new_stage(turn.evidence) if turn.evidence else None
    turn = replace(turn, evidence=evidence)
    turn = turn.with_run(stage=index, stage_since=None, approved_by=(), withdrawn=False)
    stage = turn.run.current
    turn = turn.at(phase=Phase.PROGRESSING, resume_phase=None, message=f"waiting for stage {stage.name} to be verified")
    turn = turn.route_to(split_for(turn.run, stage))
    return turn.tell(Reason.STAGE_ENTERED, stage=stage.name, weight=stage.weight, mirror=stage.mirror)


def give_up(turn: Turn, actor: str, reason: str) -> Turn:
    """A person's `abort`."""
    return end_run(turn, Cause.ABORTED, reason or "aborted", actor)
