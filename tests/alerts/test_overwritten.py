"""A GitOps tool that writes over the route is told as that, and once an hour: it may do it every few seconds."""

from datetime import timedelta

from controller.alerts.message import alert_for
from controller.domain.decision import Notice, Reason, Severity
from controller.testing.conformance.store_samples import START, a_position
from tests.alerts.scenes import KEY


def told(minutes: int, actor: str | None = "argocd-controller") -> tuple[str, str, str]:
    at = START + timedelta(minutes=minutes)
    notice = Notice(Reason.DRIFT_CORRECTED, at, Severity.WARN, {"found": "v11 100 %"}, actor)
    alert = alert_for(a_position(10), notice, KEY)
    assert alert is not None
    return alert.title, alert.body, alert.dedupe


def test_it_names_the_tool_and_what_to_tell_it() -> None:
    title, body, _ = told(0)
    assert "`argocd-controller` overwrites its traffic; Tidegate is putting it back" in title
    assert "Found: v11 100 %." in body
    assert "ignoreDifferences" in body


def test_it_is_told_once_an_hour() -> None:
    assert told(0)[2] == told(20)[2] != told(61)[2]
    assert told(0, None)[2] != told(20, None)[2], "a person's hand is told every time"
