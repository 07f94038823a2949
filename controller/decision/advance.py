"""Up, only ever one verified stage at a time, and only on fresh evidence: what is still missing is always said."""

import math
from collections.abc import Iterator
from datetime import timedelta

from controller.analysis.lateness import ENOUGH
from controller.analysis.proof import MIN_SAMPLES
from controller.decision.begin import RECOUNTING, enter_stage
from controller.decision.guard import roll_back
from controller.decision.guarding import standstill
from controller.decision.strength import too_weak
from controller.decision.traffic import hold
from controller.decision.trust import earn
from controller.decision.turn import Turn, split_for
from controller.domain.decision import Reason, Severity
from controller.domain.rollout import Require, Stage, StageKind
from controller.domain.slo import OnBreach
from controller.domain.state import Cause, HeldCause, Phase
from controller.domain.traffic import Split
from controller.domain.verdict import Coverage, StreamVerdict

LOG_CALM = math.log(3.0)
"""A stream above this has rollback evidence of its own: it may not advance, even with a proof."""


def advance(turn: Turn) -> Turn:
    """Rule of Progressing: count the stage from its verification, complete it, or say what it waits for."""
    mark = turn.position.traffic
    if mark is None or mark.verified_at is None:
        return turn
    if turn.run.withdrawn:
        return hold(turn, HeldCause.BLIND, "withdrawn: it returns when the metrics can be read")
    if mark.split != split_for(turn.run, turn.run.current):
        return hold(turn, HeldCause.EXTERNAL, "the traffic is not that of the stage; `resume` goes back to it")
    if turn.run.stage_since is None:
        return _begin_stage(turn)
    if next(_missing(turn), None) is not None:
        return _waiting(turn)
    if still := standstill(turn, "suspended: nothing advances, the guard goes on"):
        return turn.say(still)
    weak = too_weak(turn) if turn.run.stage + 1 < len(turn.run.spec.stages) else None
    if weak is not None:
        return turn.say(weak)
    if not turn.seen.measured:
        return turn
    if len(turn.run.approved_by) < turn.run.current.approvals:
        return _ask_approval(turn)
    return complete(turn)


def _begin_stage(turn: Turn) -> Turn:
    stage = turn.run.current
    return turn.with_run(stage_since=turn.now).tell(Reason.STAGE_VERIFIED, stage=stage.name).say("")


def whats_missing(turn: Turn) -> tuple[str, ...]:
    """Everything the stage still waits for, for people; empty when it is complete but for approvals."""
    return tuple(dict.fromkeys(_missing(turn)))


def _missing(turn: Turn) -> Iterator[str]:
    """One by one: whether anything is missing is known with the first."""
    since, stage = turn.run.stage_since, turn.run.current
    if turn.seen.rebuilding:
        yield RECOUNTING
        return
    if since is None:
        yield "its traffic is not verified yet"
        return
    left = stage.min_duration - (turn.now - since)
    if left > timedelta():
        yield f"{_duration(left)} of minDuration"
    named = _required(turn)
    told = (_stream_missing(s, stage, (s.slo, s.scenario) in named) for s in _gating(turn))
    yield from (text for text in told if text is not None)
    yield from (f"{s.slo} cannot be measured" for s in turn.judgement.blind())
    judged = {s.slo for s in turn.judgement.on_evidence}
    yield from (f"{slo.name} has no evidence" for slo in turn.run.spec.slos if slo.name not in judged)


def _gating(turn: Turn) -> Iterator[StreamVerdict]:
    """Streams that decide on going up: `alert` SLOs are told, they do not gate; detectors of change are no evidence."""
    return (s for s in turn.judgement.on_evidence if s.on_breach is not OnBreach.ALERT)


def _required(turn: Turn) -> frozenset[tuple[str, str | None]]:
    """The streams that a proof is asked of: every SLO's pooled one and its required scenarios."""
    slos = turn.run.spec.slos
    named = ((slo.name, name) for slo in slos if slo.scenarios for name in slo.scenarios.required)
    return frozenset([*((slo.name, None) for slo in slos), *named])


def _stream_missing(s: StreamVerdict, stage: Stage, required: bool) -> str | None:
    name = f"{s.slo}/{s.scenario}" if s.scenario else s.slo
    if s.against == "stable":
        return f"{name} looks worse than stable" if s.log_e >= LOG_CALM else None
    if s.value is not None or s.objective is None or s.strikes:
        return None if s.strikes == 0 else f"{name}: {s.value} is outside of its threshold"
    if s.log_e >= LOG_CALM:
        return f"{name} shows signs of a breach"
    needed = max(1, stage.min_samples)
    if s.scenario is None and s.stage_total < needed:
        return f"{name}: {needed - s.stage_total:,.0f} more judged answers in this stage{_aged(s)}"
    if stage.require is Require.PROVEN and required and not s.proven:
        if s.coverage is not None and not s.coverage.enough:
            return f"{name}: the judge: {late(s.coverage)}"
        return f"{name}: about {max(s.proof_needed, 1):,.0f} more judged answers for a proof"
    return None


def _aged(s: StreamVerdict) -> str:
    return f", older than {_duration(timedelta(seconds=s.coverage.age))}" if s.coverage is not None else ""


def late(coverage: Coverage) -> str:
    """How far the judge is behind, for people."""
    age = _duration(timedelta(seconds=coverage.age))
    if not coverage.known:
        return "the answers that are sampled for judging cannot be counted now (`indicator.ratio.eligible`)"
    if coverage.eligible <= 0:
        return f"no answer is older than {age} yet"
    judged = min(coverage.judged, coverage.eligible)
    share = f"{judged:,.0f} of {coverage.eligible:,.0f} answers that are older than {age} are judged"
    return f"{share} ({judged / coverage.eligible:.1%}), {ENOUGH:.0%} are needed"


def _duration(left: timedelta) -> str:
    seconds = math.ceil(left.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h {seconds % 3600 // 60:02d}"


def _waiting(turn: Turn) -> Turn:
    stage, since = turn.run.current, turn.run.stage_since
    assert since is not None
    if turn.seen.rebuilding or turn.now - since < stage.max_duration:
        return turn.waits(lambda: "waiting for " + "; ".join(whats_missing(turn)))
    missing = whats_missing(turn)
    turn = turn.say("waiting for " + "; ".join(missing))
    why = f"stage {stage.name} is undecided after {_duration(stage.max_duration)}: {'; '.join(missing)}"
    if turn.run.spec.on_inconclusive is OnBreach.ROLLBACK:
        return roll_back(turn, Cause.INCONCLUSIVE, detail=why)
    turn = turn.tell(Reason.HELD, Severity.WARN, cause=HeldCause.DEADLINE.value, why=why)
    return hold(turn, HeldCause.DEADLINE, why)


def _ask_approval(turn: Turn) -> Turn:
    stage, have = turn.run.current, len(turn.run.approved_by)
    if turn.position.phase is Phase.AWAITING_APPROVAL:
        return turn
    why = f"stage {stage.name} is complete; {have} of {stage.approvals} approvals"
    turn = turn.tell(Reason.AWAITING_APPROVAL, Severity.WARN, stage=stage.name, why=why)
    return turn.at(phase=Phase.AWAITING_APPROVAL, message=why)


def await_approval(turn: Turn) -> Turn:
    """Rule of AwaitingApproval: go on when enough people said so and nothing got worse meanwhile."""
    if len(turn.run.approved_by) < turn.run.current.approvals and not whats_missing(turn):
        return turn
    return turn.at(phase=Phase.PROGRESSING, message="")


def complete(turn: Turn) -> Turn:
    """The stage is done: the next one, or promotion after the last."""
    turn = turn.tell(Reason.STAGE_COMPLETED, stage=turn.run.current.name)
    if turn.run.stage + 1 < len(turn.run.spec.stages):
        return enter_stage(turn, turn.run.stage + 1)
    return _promote(turn)


def _promote(turn: Turn) -> Turn:
    run = turn.run
    assert run.current.kind is StageKind.FULL
    if turn.observing:
        turn = turn.tell(Reason.PROMOTED, Severity.INFO, candidate=run.candidate, observed="would have been promoted")
        rejected = (*turn.position.rejected, run.digest)
        turn = turn.at(phase=Phase.COMPLETED, rejected=rejected, message="observe: would have been promoted")
        return turn.route_to(Split(run.stable))
    turn = earn(turn)
    turn = turn.tell(Reason.PROMOTED, Severity.INFO, candidate=run.candidate, former=run.stable, run=run.id)
    turn = turn.at(phase=Phase.COMPLETED, stable=run.candidate, former=run.stable, promoted_at=turn.now, message="")
    return turn.route_to(Split(run.candidate))


__all__ = ["LOG_CALM", "MIN_SAMPLES", "advance", "await_approval", "complete", "whats_missing"]
