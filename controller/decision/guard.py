"""The guard: asked first, on every tick, in every phase in which the candidate may get traffic."""

from dataclasses import replace

from controller.decision.strength import strength
from controller.decision.traffic import hold
from controller.decision.turn import Turn
from controller.domain.decision import Fact, Reason, Severity
from controller.domain.names import Digest
from controller.domain.slo import OnBreach
from controller.domain.state import Breach, Cause, HeldCause, Phase
from controller.domain.traffic import Split
from controller.domain.verdict import StreamVerdict

ALARMING = frozenset({Cause.BREACH, Cause.CONFIRMED, Cause.BLIND, Cause.INCONCLUSIVE})


def guard(turn: Turn) -> Turn:
    """A rollback-class breach rolls back now; a hold-class one holds; an alert-class one is told."""
    worst = turn.judgement.breach(OnBreach.ROLLBACK)
    if worst is not None and turn.position.phase is not Phase.ROLLING_BACK:
        return roll_back(turn, Cause.BREACH, worst)
    turn = _alert(turn)
    worst = turn.judgement.breach(OnBreach.HOLD)
    if worst is None or turn.position.phase not in (Phase.PROGRESSING, Phase.AWAITING_APPROVAL):
        return turn
    turn = turn.tell(Reason.HELD, Severity.WARN, about=facts(worst), cause=HeldCause.BREACH.value)
    return hold(turn, HeldCause.BREACH, f"{worst.slo} is over its limit; `resume` goes on, `abort` rolls back")


def _alert(turn: Turn) -> Turn:
    for stream in turn.judgement.alerts() if turn.seen.measured else ():
        turn = turn.tell(Reason.ALERT_SLO, Severity.WARN, about=facts(stream))
    return turn


def roll_back(
    turn: Turn, cause: Cause, worst: StreamVerdict | None = None, actor: str | None = None, detail: str = ""
) -> Turn:
    """The candidate's target, mirror and header rule go away, whatever else is true. In `observe` it is only said."""
    turn = turn.at(breach=_breach(turn, cause, worst, actor, detail))
    if worst is not None:
        turn = turn.tell(Reason.BREACHED, actor=actor, about=facts(worst))
    if turn.observing:
        turn = turn.at(phase=Phase.ROLLING_BACK).tell(Reason.WOULD_ROLL_BACK, Severity.WARN, actor, cause=cause.value)
        return turn.route_to(Split(turn.run.stable))
    turn = turn.at(phase=Phase.ROLLING_BACK, message=f"rolling back: {cause.value}")
    return turn.route_to(Split(turn.run.stable)).tell(Reason.ROLLBACK_STARTED, actor=actor, cause=cause.value)


def _breach(turn: Turn, cause: Cause, worst: StreamVerdict | None, actor: str | None, detail: str) -> Breach:
    evidence, run = turn.evidence, turn.run
    told = Breach(
        cause, decided_at=turn.now, measured_at=turn.now, exposed=run.exposed_requests, actor=actor, detail=detail
    )
    if worst is None or evidence is None:
        return told
    slo = evidence.of(worst.slo)
    live = next((s.live for s in slo.streams if s.scenario == worst.scenario), None) if slo else None
    return Breach(
        cause,
        slo=worst.slo,
        scenario=worst.scenario,
        bad=worst.bad,
        total=worst.total,
        objective=worst.objective,
        value=worst.value,
        stable_bad=worst.stable_bad,
        stable_total=worst.stable_total,
        first_bad_at=evidence.first_bad_at,
        live_bad=live.bad if live else 0.0,
        live_total=live.total if live else 0.0,
        exposed=run.exposed_requests,
        measured_at=evidence.measured_at,
        decided_at=turn.now,
        actor=actor,
        detail=detail,
    )


def facts(stream: StreamVerdict) -> dict[str, Fact]:
    """A verdict as the facts of a notice."""
    return {
        "slo": stream.slo,
        "scenario": stream.scenario,
        "bad": stream.bad,
        "total": stream.total,
        "objective": stream.objective,
        "value": stream.value,
        "stable_bad": stream.stable_bad,
        "stable_total": stream.stable_total,
    }


def finish_rollback(turn: Turn) -> Turn:
    """At verified zero the run is over; what comes next depends on why."""
    mark, breach = turn.position.traffic, turn.position.breach
    if mark is None or mark.verified_at is None or breach is None:
        return turn.say("waiting until no request of the candidate is counted for 1 s")
    run, cause = turn.run, breach.cause
    done = replace(breach, verified_at=mark.verified_at, exposed=run.exposed_requests)
    active = turn.route.counts[run.candidate].active if turn.route and run.candidate in turn.route.counts else 0
    severity = Severity.WARN if cause in ALARMING else Severity.INFO
    turn = turn.at(breach=done)
    if not turn.observing:
        about: dict[str, Fact] = {"cause": cause.value, "streams_in_flight": active, **strength(turn)}
        turn = turn.tell(Reason.ROLLBACK_VERIFIED, severity, breach.actor, about)
    turn = turn.at(rejected=_rejected(turn, cause))
    if cause in (Cause.REVERTED, Cause.SUPERSEDED, Cause.EDITED):
        return turn.at(phase=Phase.IDLE, message="", resume_phase=None)
    why = f"{run.candidate} was rolled back ({cause.value}); a new version or `retry` starts a run"
    return turn.at(phase=Phase.ROLLED_BACK, message=why, resume_phase=None)


def _rejected(turn: Turn, cause: Cause) -> tuple[Digest, ...]:
    """A digest that breached is not tried again unasked, also when the breach was seen only while it left."""
    rejected, digest = turn.position.rejected, turn.run.digest
    breached = cause in (Cause.BREACH, Cause.CONFIRMED) or turn.judgement.breach(OnBreach.ROLLBACK) is not None
    return (*rejected, digest) if breached and digest not in rejected else rejected


def refuse_breached(turn: Turn, worst: StreamVerdict) -> Turn:
    """A run whose kept evidence is over the limit ends before it gets any traffic."""
    turn = turn.at(breach=_breach(turn, Cause.BREACH, worst, None, "known before any traffic was moved"))
    turn = turn.tell(Reason.BREACHED, Severity.WARN, about=facts(worst))
    why = f"{turn.run.candidate} is over the limit of {worst.slo} already; no traffic was moved; `retry` starts again"
    return turn.at(phase=Phase.ROLLED_BACK, rejected=_rejected(turn, Cause.BREACH), message=why, resume_phase=None)
