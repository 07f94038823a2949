"""One decision told everywhere, once: store and outbox, log, metrics, watchers."""

from datetime import datetime

import structlog

from controller.alerts.message import alert_for
from controller.alerts.wording import break_glass
from controller.analysis.judge import ENGINE
from controller.domain.decision import Decision, Severity
from controller.domain.observation import Observation
from controller.domain.record import Alert, TickRecord
from controller.runtime.book import Held
from controller.runtime.house import House
from controller.runtime.inputs import written

log = structlog.get_logger("rollout")


def record_of(held: Held, decision: Decision, seen: Observation) -> TickRecord:
    """Everything this pass wants to keep, under the next sequence number."""
    run, notices = decision.position.run, (*held.owed, *decision.notices)
    return TickRecord(
        key=held.key,
        seq=held.seq + 1,
        at=seen.now,
        position=decision.position,
        evidence=decision.evidence,
        measurements=seen.measurements,
        notices=notices,
        alerts=alerts_of(held, decision),
        verdicts=verdicts_text(held, decision) if decision.notices else "",
        engine=ENGINE,
        run=run.id if run else None,
    )


def alerts_of(held: Held, decision: Decision) -> tuple[Alert, ...]:
    """The notices that people should hear of."""
    told = (alert_for(decision.position, notice, held.key) for notice in decision.notices)
    return tuple(alert for alert in told if alert is not None)


def verdicts_text(held: Held, decision: Decision) -> str:
    """All verdicts as compact JSON: the evidence beside a decision, and the stage that it was taken on."""
    run = decision.position.run or held.position.run
    before = held.position.run
    stage = before.current if before is not None and held.position.under_way else None
    return written(decision.judgement, decision.evidence, run.spec if run else None, stage)


def tell(held: Held, decision: Decision, house: House, seconds: float) -> None:
    """Log, metrics, watchers and the people who asked."""
    house.telemetry.passed(held.key, decision.position, decision.judgement, seconds)
    for notice in decision.notices:
        house.telemetry.decided(notice.reason.value)
        level = log.warning if notice.severity in (Severity.WARN, Severity.PAGE) else log.info
        facts = {name: value for name, value in notice.facts.items() if value is not None}
        level(notice.reason.value, rollout=str(held.key), actor=notice.actor, **facts)
    for request in decision.settled:
        held.answers[request] = decision.notices
    house.desk.told(held, decision)
    held.tell_watchers()


def pass_failed(held: Held, at: datetime, fault: Exception) -> Alert:
    """A mistake of ours keeps a rollout from being guarded: told at once, once an hour at most."""
    kind = type(fault).__name__
    run = held.position.run if held.position.under_way else None
    where = f"{run.candidate} keeps the traffic it has" if run else "nothing is being rolled out"
    spec = held.active or (held.position.run.spec if held.position.run else None)
    stable = break_glass(held.key, spec.route.target if spec else None)
    return Alert(
        dedupe=f"{held.key}:pass_failed:{kind}:{at:%Y-%m-%dT%H}",
        severity=Severity.PAGE.value if run else Severity.WARN.value,
        title=f"**ACT NOW:** {held.key.name} is not guarded: Tidegate failed in a way that was not foreseen ({kind}).",
        body=f"{where}; nothing advances. {stable} puts everything on stable. Please report what the log says.",
        facts={"reason": "pass_failed", "rollout": held.key.name, "namespace": held.key.namespace, "fault": kind},
    )
