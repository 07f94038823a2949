"""Blind: hold at once, withdraw after `onBlind.after`, return by itself when sight is back. Never good, never bad."""

from datetime import timedelta

from controller.analysis.judge import blind_now
from controller.decision.begin import enter_stage
from controller.decision.guard import roll_back
from controller.decision.strength import too_weak
from controller.decision.traffic import hold
from controller.decision.turn import Turn
from controller.domain.decision import Reason, Severity
from controller.domain.measure import BlindCause, Blindness
from controller.domain.rollout import BlindAction, StageKind
from controller.domain.state import Cause, HeldCause, Phase
from controller.domain.traffic import Split


def watch_sight(turn: Turn) -> Turn:
    """Rule for the phases in which the candidate has, or could have, traffic."""
    blind = blind_now(turn.evidence) if turn.evidence else ()
    if not blind:
        return _sight_back(turn)
    first = min((slo.blind_since for slo in blind if slo.blind_since), default=turn.now)
    cause = blind[0].blind
    assert cause is not None
    why = f"cannot judge {blind[0].name}: {cause.detail}"
    if turn.position.phase in (Phase.PROGRESSING, Phase.AWAITING_APPROVAL):
        turn = _held(turn, blind[0].name, cause, why)
    elif turn.position.phase is Phase.HELD and turn.position.held is HeldCause.BLIND:
        turn = turn.say(why)
    return _too_long(turn, turn.now - first, blind[0].name, cause)


def _held(turn: Turn, slo: str, cause: Blindness, why: str) -> Turn:
    """Frozen is told at once and waits for a person: somebody must look at the judge."""
    frozen = cause.cause is BlindCause.FROZEN
    severity = Severity.WARN if frozen else Severity.QUIET
    turn = turn.tell(Reason.BLIND, severity, slo=slo, cause=cause.cause.value, why=cause.detail)
    return hold(turn, HeldCause.FROZEN if frozen else HeldCause.BLIND, why)


def _too_long(turn: Turn, blind_for: timedelta, slo: str, cause: Blindness) -> Turn:
    policy, mark = turn.run.spec.on_blind, turn.position.traffic
    if blind_for < policy.after or turn.run.withdrawn or mark is None or not mark.split.exposes():
        return turn
    if turn.run.current.kind is StageKind.SHADOW or policy.then is BlindAction.HOLD:
        return _tell_once(turn, slo, cause)
    if policy.then is BlindAction.ROLLBACK:
        return roll_back(turn, Cause.BLIND, detail=f"{slo}: {cause.detail}")
    turn = turn.with_run(withdrawn=True, stage_since=None).route_to(Split(turn.run.stable))
    minutes = round(blind_for.total_seconds() / 60, 1)
    facts = {"slo": slo, "cause": cause.cause.value, "why": cause.detail, "minutes": minutes}
    return turn.tell(Reason.WITHDRAWN, Severity.WARN, about=facts)


def _tell_once(turn: Turn, slo: str, cause: Blindness) -> Turn:
    if turn.run.blind_told:
        return turn
    facts = {"slo": slo, "cause": cause.cause.value, "why": cause.detail}
    return turn.with_run(blind_told=True).tell(Reason.BLIND, Severity.WARN, about=facts)


def _sight_back(turn: Turn) -> Turn:
    if turn.position.phase is not Phase.HELD or turn.position.held is not HeldCause.BLIND or not turn.seen.measured:
        return turn
    if turn.run.withdrawn and turn.seen.guarding:
        return turn.say(turn.seen.guarding)
    weak = too_weak(turn) if turn.run.withdrawn else None
    if weak is not None:
        return turn.say(weak)
    turn = turn.with_run(blind_told=False).tell(
        Reason.SIGHT_BACK, Severity.INFO if turn.run.withdrawn else Severity.QUIET
    )
    if turn.run.withdrawn:
        return enter_stage(turn, turn.run.stage)
    back = turn.position.resume_phase or Phase.PROGRESSING
    back = Phase.PROGRESSING if back is Phase.HELD else back
    return turn.at(phase=back, message="", resume_phase=None)
