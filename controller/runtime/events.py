"""Events of a rollout as Kubernetes shows them (`kubectl describe`): a notice with its numbers, in an alert's words."""

import hashlib
from datetime import UTC, datetime

from controller.alerts.message import UNTOLD_FACTS, alert_for
from controller.domain.cluster import EVENT, MODEL_ROLLOUT, Document, ObjectRef
from controller.domain.decision import Notice, Severity
from controller.domain.names import RolloutKey
from controller.domain.state import Position

LONGEST = 1000
"""Bytes of a note; the API server takes 1,024."""
REPORTER = "tidegate.dev/controller"
UNSHOWN = UNTOLD_FACTS | {"request"}


def event_of(
    key: RolloutKey, position: Position, notice: Notice, uid: str, instance: str
) -> tuple[ObjectRef, Document]:
    """The event and its reference. The same notice has the same name: it is created once. `uid` is the rollout's."""
    alert = alert_for(position, notice, key)
    what = alert.dedupe if alert is not None else f"{notice.reason.value}:{notice.at.isoformat()}:{notice.facts}"
    ref = ObjectRef(EVENT, key.namespace, _name(key, f"{uid}:{what}"))
    regarding = {"apiVersion": MODEL_ROLLOUT.api_version, "kind": MODEL_ROLLOUT.name}
    regarding |= {"namespace": key.namespace, "name": key.name} | ({"uid": uid} if uid else {})
    told = f"{alert.title} {alert.body.partition(chr(10))[0]}" if alert is not None else _plain(notice)
    return ref, {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "eventTime": _instant(notice.at),
        "reportingController": REPORTER,
        "reportingInstance": instance[:128],
        "action": position.phase.value,
        "reason": _camel(notice.reason.value),
        "regarding": regarding,
        "note": _short(told.replace("**", "")),
        "type": "Warning" if notice.severity in (Severity.WARN, Severity.PAGE) else "Normal",
    }


def _name(key: RolloutKey, what: str) -> str:
    return f"{key.name[:200]}.{hashlib.sha256(what.encode()).hexdigest()[:16]}"


def _plain(notice: Notice) -> str:
    """A notice that is worth no alert: what happened, and its facts."""
    facts = {name: value for name, value in notice.facts.items() if value is not None and name not in UNSHOWN}
    told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
    by = f" by {notice.actor}" if notice.actor else ""
    return f"{notice.reason.value.replace('_', ' ').capitalize()}{by}{': ' + told if told else ''}."


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _short(text: str) -> str:
    data = text.encode()
    return text if len(data) <= LONGEST else data[: LONGEST - 3].decode(errors="ignore") + "…"
