"""A candidate that is not ready yet: brought up first where it has a `scale`, then loading. Waiting is not failing."""

from datetime import timedelta

from controller.decision.turn import Turn
from controller.domain.decision import Reason, Severity
from controller.domain.observation import Readiness
from controller.domain.state import HeldCause, Phase

LOADING_DEADLINE = timedelta(minutes=10)
"""How long a version without `startup` may take until it answers."""


def still_loading(turn: Turn) -> Turn:
    """Wait, and hold when it takes too long: a person looks then."""
    checked, limit = turn.seen.preflight, _patience(turn)
    what = checked.scaling or f"{turn.run.candidate} to load ({checked.readiness.value})"
    unchecked = checked.scaling is not None and checked.readiness is Readiness.UNCHECKED
    if unchecked or turn.now - turn.run.started_at < limit:
        return turn.say(f"waiting for {what}")
    late = f"; it waited for {checked.scaling}" if checked.scaling else ""
    why = f"{turn.run.candidate} was not ready within {limit}{late}; no traffic was moved; `resume` waits again"
    turn = turn.tell(Reason.HELD, Severity.WARN, cause=HeldCause.DEADLINE.value, why=why)
    return turn.at(phase=Phase.HELD, held=HeldCause.DEADLINE, resume_phase=Phase.PENDING, message=why)


def _patience(turn: Turn) -> timedelta:
    """Bringing up has a time of its own; loading has its own after that."""
    candidate = turn.run.spec.find(turn.run.candidate)
    loads = candidate.startup.deadline if candidate and candidate.startup else LOADING_DEADLINE
    if candidate is None or candidate.scale is None:
        return loads
    return candidate.scale.deadline + (timedelta() if turn.seen.preflight.scaling else loads)
