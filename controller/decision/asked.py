"""What people asked for: each request is answered once, with who and why, and never out of turn."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from controller.analysis import streams
from controller.analysis.judge import blind_now
from controller.decision.begin import enter_stage, give_up, start_run
from controller.decision.edits import end_run
from controller.decision.findings import findings, reviewed
from controller.decision.turn import Turn, loading
from controller.decision.window import BadWindowError, window_of
from controller.domain.decision import Fact, Reason, Severity
from controller.domain.names import Digest
from controller.domain.observation import Rebuilt
from controller.domain.request import Ask, OperatorRequest
from controller.domain.slo import OnBreach
from controller.domain.state import Cause, HeldCause, Phase

RUNNING = frozenset(
    {Phase.PENDING, Phase.PROGRESSING, Phase.HELD, Phase.PAUSED, Phase.AWAITING_APPROVAL, Phase.STALLED}
)


def answer(turn: Turn) -> Turn:
    """Rule for every phase: all pending requests in the order they came."""
    for request in turn.seen.requests:
        before = len(turn.notices)
        reply = _not_now if turn.seen.guarding and _goes_on(request) else _ANSWERS[request.ask]
        turn = replace(reply(turn, request), settled=(*turn.settled, request.id))
        turn = _signed(turn, request, before)
    return turn


def _signed(turn: Turn, request: OperatorRequest, before: int) -> Turn:
    """What was told for a request names it: the journal then says, for ever, that it was counted."""
    mine = (replace(one, facts={**one.facts, "request": request.id}) for one in turn.notices[before:])
    return replace(turn, notices=(*turn.notices[:before], *mine))


def _goes_on(request: OperatorRequest) -> bool:
    """Could it raise or begin something?"""
    return request.ask in (Ask.RESUME, Ask.RETRY) or (request.ask is Ask.REVIEW and request.argument != "confirm")


def _not_now(turn: Turn, request: OperatorRequest) -> Turn:
    return _refuse(turn, request, f"{turn.seen.guarding}; ask again when it is back")


def _refuse(turn: Turn, request: OperatorRequest, why: str) -> Turn:
    return turn.tell(
        Reason.REFUSED, actor=request.actor, request=request.id, ask=request.ask.value, why=why, said=request.reason
    )


def _abort(turn: Turn, request: OperatorRequest) -> Turn:
    if turn.position.phase not in RUNNING or not turn.position.under_way:
        return _refuse(turn, request, f"there is no run to abort: {turn.position.phase.value}")
    return give_up(turn, request.actor, request.reason)


def _pause(turn: Turn, request: OperatorRequest) -> Turn:
    position = turn.position
    if position.phase not in (Phase.PENDING, Phase.PROGRESSING, Phase.AWAITING_APPROVAL, Phase.HELD):
        return _refuse(turn, request, f"only a run under way can be paused: {position.phase.value}")
    if position.phase is Phase.HELD and position.held is not HeldCause.BLIND:
        return _refuse(turn, request, "it is held already: nothing advances until `resume`")
    loading = position.phase is Phase.PENDING
    told = turn.tell(Reason.PAUSED, Severity.INFO, request.actor, said=request.reason)
    back = Phase.PENDING if loading else Phase.PROGRESSING
    return told.at(phase=Phase.PAUSED, resume_phase=back, message=f"paused by {request.actor}: {request.reason}")


def _resume(turn: Turn, request: OperatorRequest) -> Turn:
    position = turn.position
    told = turn.tell(Reason.RESUMED, Severity.INFO, request.actor, said=request.reason)
    if position.phase is Phase.STALLED and not position.under_way and position.split() is not None:
        return _resume_route(told)
    if position.phase is Phase.PAUSED:
        return _resume_paused(told)
    if position.phase is not Phase.HELD or position.held is None:
        return _refuse(turn, request, f"nothing to resume: {position.phase.value}")
    if position.held is HeldCause.REVIEW:
        return _refuse(turn, request, "a finding waits for a person: `review --confirm` or `review --dismiss`")
    if position.held is HeldCause.BLIND:
        return _refuse(turn, request, "blind: it goes on by itself when the metrics can be read again")
    if (
        position.held in (HeldCause.EXTERNAL, HeldCause.FROZEN)
        and turn.evidence is not None
        and blind_now(turn.evidence)
    ):
        return _refuse(turn, request, "blind: traffic goes up again only when the metrics can be read; try again then")
    return _RESUMES[position.held](told)


def _resume_route(turn: Turn) -> Turn:
    """A person says that the route should be as we know it; a run that was tried stays tried."""
    split, back = turn.position.split(), turn.position.resume_phase
    assert split is not None
    back = back if back in (Phase.ROLLED_BACK, Phase.COMPLETED) else Phase.IDLE
    return turn.at(phase=back, resume_phase=None, message="").route_to(split)


def _resume_paused(turn: Turn) -> Turn:
    if loading(turn.position):
        return turn.at(phase=Phase.PENDING, resume_phase=None, message=f"loading {turn.run.candidate}")
    return _go_on(turn)


def _go_on(turn: Turn) -> Turn:
    """A withdrawn candidate returns to its stage when sight is back, never straight into the count of a stage."""
    if turn.run.withdrawn:
        why = "withdrawn: it returns when the metrics can be read"
        return turn.at(phase=Phase.HELD, held=HeldCause.BLIND, resume_phase=Phase.PROGRESSING, message=why)
    return turn.at(phase=Phase.PROGRESSING, resume_phase=None, message="")


def _resume_deadline(turn: Turn) -> Turn:
    """A person grants the same time again."""
    if loading(turn.position):
        told = f"loading {turn.run.candidate}"
        return turn.with_run(started_at=turn.now).at(phase=Phase.PENDING, resume_phase=None, message=told)
    since = None if turn.run.stage_since is None else turn.now
    return _go_on(turn.with_run(stage_since=since))


def _resume_frozen(turn: Turn) -> Turn:
    """Somebody looked at the judge; while its alarm rings, the next tick holds again."""
    return enter_stage(turn, turn.run.stage) if turn.run.withdrawn else _go_on(turn)


def _resume_external(turn: Turn) -> Turn:
    if not turn.run.ready:  # nobody knows whether it ever answered
        told = f"loading {turn.run.candidate}"
        return turn.with_run(started_at=turn.now).at(phase=Phase.PENDING, resume_phase=None, message=told)
    return enter_stage(turn, turn.run.stage)


def _resume_breach(turn: Turn) -> Turn:
    """The hold-class streams start again with half of their budget; everything else keeps its evidence."""
    spec = turn.run.spec
    names = [slo.name for slo in spec.slos if slo.on_breach is OnBreach.HOLD]
    evidence = streams.restart(turn.evidence, spec, names) if turn.evidence else None
    return _go_on(replace(turn, evidence=evidence))


def _retry(turn: Turn, request: OperatorRequest) -> Turn:
    spec, position = turn.seen.spec.spec, turn.position
    target = spec.find(spec.version) if spec and not turn.seen.spec.problems else None
    resting = position.phase in (Phase.ROLLED_BACK, Phase.IDLE, Phase.COMPLETED)
    if spec is None or target is None or not resting or position.stable is None or target.name == position.stable:
        return _refuse(turn, request, f"there is nothing to try again: {position.phase.value}")
    try:
        window = window_of(request.argument, turn.now) if request.argument else None
    except BadWindowError as bad:
        return _refuse(turn, request, str(bad))
    half = window is not None or target.digest in position.rejected
    kept = turn.evidence if turn.evidence and turn.evidence.digest == target.digest else None
    if half:
        kept = streams.halved(kept, spec, target.digest)
    again = _without_the_fault(turn, request, target.digest) if window else None
    turn = replace(turn, evidence=again.evidence if again else kept)
    turn = turn.at(rejected=tuple(d for d in position.rejected if d != target.digest))
    facts: dict[str, Fact] = {"said": request.reason, "evidence": "half" if half else "kept"}
    if window is not None:
        facts |= {
            "excluded": f"{window.since.isoformat()}..{window.until.isoformat()}",
            "counted_again": again.counted if again else 0,
            "left_out": again.left_out if again else 0,
        }
    turn = turn.tell(Reason.RETRIED, Severity.INFO, request.actor, about=facts)
    return start_run(turn, spec, target, request.actor)


def _without_the_fault(turn: Turn, request: OperatorRequest, digest: Digest) -> Rebuilt | None:
    """What was counted anew for this very request."""
    again = turn.seen.rebuilt
    same = again is not None and again.request == request.id and again.evidence.digest == digest
    return again if same else None


def _revoke(turn: Turn, request: OperatorRequest) -> Turn:
    """The comparison with stable holds again instead of rolling back, until another A/A run has shown it calm."""
    if not turn.position.trusted:
        return _refuse(turn, request, "there is no trust to withdraw: no A/A run has shown the comparison calm")
    evidence = replace(turn.evidence, trusted=False) if turn.evidence else None
    turn = replace(turn, evidence=evidence).at(trusted=False, trusted_as=())
    return turn.tell(Reason.TRUST_REVOKED, Severity.INFO, request.actor, said=request.reason)


def _approve(turn: Turn, request: OperatorRequest) -> Turn:
    if turn.position.phase not in (Phase.AWAITING_APPROVAL, Phase.PROGRESSING) or not turn.run.current.approvals:
        return _refuse(turn, request, "this stage asks for no approval now")
    if request.actor in turn.run.approved_by:
        return _refuse(turn, request, f"{request.actor} has approved this stage already")
    turn = turn.with_run(approved_by=(*turn.run.approved_by, request.actor))
    have, need = len(turn.run.approved_by), turn.run.current.approvals
    return turn.tell(Reason.APPROVED, Severity.INFO, request.actor, said=request.reason, have=have, need=need)


def _review(turn: Turn, request: OperatorRequest) -> Turn:
    """A person looked at what was found: confirmed is a rollback, dismissed goes on."""
    found = findings(turn)
    if not found or not turn.position.under_way:
        return _refuse(turn, request, "there is nothing to review")
    if request.argument not in ("confirm", "dismiss"):
        return _refuse(turn, request, "say `--confirm` or `--dismiss`")
    turn = turn.tell(Reason.REVIEWED, Severity.INFO, request.actor, said=request.reason, answer=request.argument)
    if request.argument == "confirm":
        named = ", ".join(f"{slo}/{finding.scenario}" for slo, finding in found)
        return end_run(turn, Cause.CONFIRMED, f"{named} confirmed: {request.reason}", request.actor)
    turn = replace(turn, evidence=reviewed(turn.evidence))
    if turn.position.phase is Phase.HELD and turn.position.held is HeldCause.REVIEW:
        return enter_stage(turn, turn.run.stage) if turn.run.withdrawn else _go_on(turn)
    return turn


_ANSWERS: Mapping[Ask, Callable[[Turn, OperatorRequest], Turn]] = {
    Ask.ABORT: _abort,
    Ask.PAUSE: _pause,
    Ask.RESUME: _resume,
    Ask.RETRY: _retry,
    Ask.APPROVE: _approve,
    Ask.REVIEW: _review,
    Ask.REVOKE: _revoke,
}

_RESUMES: Mapping[HeldCause, Callable[[Turn], Turn]] = {
    HeldCause.DEADLINE: _resume_deadline,
    HeldCause.EXTERNAL: _resume_external,
    HeldCause.BREACH: _resume_breach,
    HeldCause.FROZEN: _resume_frozen,
}
