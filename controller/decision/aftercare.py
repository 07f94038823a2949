"""After promotion the guard goes on: inside `rollbackWindow` an alarm goes back to the former stable, or pages."""

from dataclasses import replace

from controller.decision.guard import facts, roll_back
from controller.decision.turn import Turn
from controller.domain.decision import Reason, Severity
from controller.domain.observation import Readiness
from controller.domain.slo import OnBreach
from controller.domain.state import Cause, Phase, Run


def watch_over(turn: Turn) -> Turn:
    """Rule of Completed. A version that was only observed has not been promoted, and is not watched."""
    position = turn.position
    if not position.guarded or position.promoted_at is None or position.former is None:
        return turn
    if turn.now - position.promoted_at > turn.run.spec.rollback_window:
        turn = turn.tell(Reason.WINDOW_CLOSED, stable=position.stable, former=position.former)
        return turn.at(phase=Phase.IDLE, message="", resume_phase=None)
    worst = turn.judgement.breach(OnBreach.ROLLBACK)
    if worst is None or not turn.seen.measured:
        return turn
    if turn.seen.readiness.get(position.former) is not Readiness.READY:
        why = f"{worst.slo} is over its limit and {position.former} is not ready to take over"
        if position.message == why:
            return turn
        return turn.tell(Reason.ALARM, Severity.PAGE, about=facts(worst), former=position.former).say(why)
    return _back(turn, replace(turn.run, stable=position.former, stage_since=None))


def _back(turn: Turn, run: Run) -> Turn:
    worst = turn.judgement.breach(OnBreach.ROLLBACK)
    turn = turn.at(run=run, stable=run.stable, former=None, promoted_at=None)
    return roll_back(turn, Cause.BREACH, worst)
