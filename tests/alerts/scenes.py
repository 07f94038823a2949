"""Positions of a rollout, as the decision leaves them."""

from dataclasses import replace
from datetime import timedelta

from controller.alerts.message import alert_for
from controller.domain.decision import Fact, Notice, Reason, Severity
from controller.domain.names import RolloutKey
from controller.domain.record import Alert
from controller.domain.state import Breach, Cause, HeldCause, Phase, Position
from controller.testing.conformance.store_samples import START, a_position, a_run

KEY = RolloutKey("default", "support-bot")
HARM = Breach(
    Cause.BREACH,
    slo="harm",
    bad=6,
    total=240,
    objective=0.01,
    stable_bad=1,
    stable_total=900,
    first_bad_at=START,
    live_bad=3,
    live_total=120,
    exposed=2310,
    measured_at=START + timedelta(seconds=40),
    decided_at=START + timedelta(seconds=41),
    verified_at=START + timedelta(seconds=43),
)


def rolled_back(breach: Breach = HARM, exposed: int = 2310) -> Position:
    run = replace(a_run(), exposed_requests=exposed, mirrored_requests=500)
    position = replace(a_position(0, Phase.ROLLED_BACK), run=run, breach=breach, rejected=(run.digest,))
    return replace(position, message="v12 was rolled back (breach)")


def held(cause: HeldCause, message: str = "for a reason", weight: int = 10) -> Position:
    return replace(a_position(weight, Phase.HELD), held=cause, message=message)


def alert(
    position: Position, reason: Reason, severity: Severity = Severity.WARN, key: RolloutKey = KEY, **facts: Fact
) -> Alert:
    found = alert_for(position, Notice(reason, START + timedelta(minutes=1), severity, facts), key)
    assert found is not None
    return found
