"""What Kubernetes says of the rollout, for people who look with kubectl: conditions and Events."""

from datetime import datetime

from controller.demo.cluster.rollout import NAME, NAMESPACE
from controller.testing.cluster_parts.kubectl import Kubectl


def conditions(kubectl: Kubectl) -> list[dict[str, str]]:
    """Its conditions now: type, status, reason, message."""
    status = kubectl.get("modelrollout", NAME, NAMESPACE).get("status", {})
    names = ("type", "status", "reason", "message")
    return [{name: str(one.get(name, "")) for name in names} for one in status.get("conditions", [])]


def events(kubectl: Kubectl) -> list[dict[str, str]]:
    """Its Events, the oldest first: at, reason, type, note."""
    found = kubectl.items("events.events.k8s.io", "--namespace", NAMESPACE)
    mine = [one for one in found if one.get("regarding", {}).get("name") == NAME]
    mine.sort(key=lambda one: str(one.get("eventTime")))
    return [
        {"at": str(one.get("eventTime")), **{name: str(one.get(name, "")) for name in ("reason", "type", "note")}}
        for one in mine
    ]


def condition_lines(told: list[dict[str, str]]) -> list[str]:
    """A line each, as wide as they need."""
    return [f"{one['type']:<11} {one['status']:<5} {one['reason']}: {one['message']}" for one in told]


def seconds_between(start: object, end: object) -> float | None:
    """None when one of the two instants (ISO 8601) is not known."""
    if not isinstance(start, str) or not isinstance(end, str):
        return None
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(), 2)


def way_to_zero(breach: dict[str, object]) -> str:
    """From the answers that were too many to the data plane's confirmation that nobody gets another."""
    decided = seconds_between(breach.get("measured_at"), breach.get("decided_at"))
    verified = seconds_between(breach.get("measured_at"), breach.get("verified_at"))
    return f"breach measured → decided after {decided} s → verified zero after {verified} s"
