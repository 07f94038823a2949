"""From a notice to the words people read. Pure: the same position and notice give the same alert.

Every first line answers "must I get up?". Names and numbers only, never the text of a prompt or an answer.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from controller.alerts import endings, troubles, waits
from controller.alerts.scene import ACT_TODAY, Scene, Text
from controller.alerts.wording import instant, one_line
from controller.domain.decision import Fact, Notice, Reason, Severity
from controller.domain.names import RolloutKey
from controller.domain.record import Alert
from controller.domain.state import Position

WRITERS: Mapping[Reason, Callable[[Scene], Text]] = {
    Reason.RUN_STARTED: waits.run_started,
    Reason.PREFLIGHT_FAILED: waits.preflight_failed,
    Reason.ROLLBACK_VERIFIED: endings.rolled_back,
    Reason.NOT_VERIFIED: endings.not_verified,
    Reason.FOUND: troubles.found,
    Reason.ALARM: troubles.alarm,
    Reason.PROMOTED: endings.promoted,
    Reason.RETURNED: endings.returned,
    Reason.WOULD_ROLL_BACK: endings.would_roll_back,
    Reason.HELD: waits.held,
    Reason.BLIND: waits.blind,
    Reason.WITHDRAWN: waits.withdrawn,
    Reason.AWAITING_APPROVAL: waits.awaiting_approval,
    Reason.EXTERNAL_CHANGE: troubles.external,
    Reason.DRIFT_CORRECTED: troubles.drift_corrected,
    Reason.ADOPTED: troubles.adopted,
    Reason.SHARE_REJECTED: troubles.share_rejected,
    Reason.SPEC_BROKEN: troubles.spec_broken,
    Reason.STALLED: troubles.stalled,
    Reason.ALERT_SLO: troubles.alert_slo,
}
FOLLOWED = frozenset({Reason.BREACHED, Reason.ROLLBACK_STARTED, Reason.ABORTED})
"""Notices that a more telling one follows: verified within seconds, or `not_verified` says that it was not."""

ALWAYS_PAGES = frozenset({Reason.NOT_VERIFIED})
UNTOLD_FACTS = frozenset({"prompt", "completion", "content", "text", "answer", "messages"})


def alert_for(position: Position, notice: Notice, key: RolloutKey) -> Alert | None:
    """The alert of a notice, or None when nobody needs to be told in chat.

    `position` is the one after the decision. Without a writer of its own a notice is told from WARN on.
    """
    if notice.severity is Severity.QUIET or notice.reason in FOLLOWED:
        return None
    writer = WRITERS.get(notice.reason)
    if writer is None and notice.severity is Severity.INFO:
        return None
    scene = Scene(position, notice, key)
    if notice.reason is Reason.ROLLBACK_VERIFIED and scene.observing:
        return None  # `would_roll_back` was told; nothing was verified
    text = (writer or troubles.anything)(scene)
    leaks = notice.reason in ALWAYS_PAGES and text.title.startswith("**ACT NOW")
    return Alert(
        dedupe=_dedupe(scene, text),
        severity=Severity.PAGE.value if leaks else notice.severity.value,
        title=text.title,
        body="\n\n".join(paragraph for paragraph in text.paragraphs if paragraph),
        details="\n".join(f"{name}: {value}" for name, value in facts_of(scene).items()),
        facts=facts_of(scene),
    )


def store_unavailable(at: datetime, trouble: str) -> Alert:
    """The database cannot be read or written; told directly, since the outbox lives there. Once an hour at most."""
    return Alert(
        dedupe=f"store_unavailable:{at:%Y-%m-%dT%H}",
        severity=Severity.WARN.value,
        title=f"{ACT_TODAY} Tidegate cannot use its database; nothing advances, rollbacks go on.",
        body=f"Since {instant(at)}: {one_line(trouble, 500)}\n\n"
        "Decisions are kept in a file beside it until it is back. Look at the database's disk and its server.",
        facts={"reason": "store_unavailable", "at": at.isoformat()},
    )


def _dedupe(scene: Scene, text: Text) -> str:
    if text.scope:
        return f"{text.scope}:{text.event}"
    return f"{scene.key}:{scene.run.id if scene.run else '-'}:{text.event}"


def facts_of(scene: Scene) -> Mapping[str, Fact]:
    """What machines and `--verbose` get: who, what, the numbers of the breach, and the notice's own facts."""
    found: dict[str, Fact] = {
        "reason": scene.notice.reason.value,
        "rollout": scene.key.name,
        "namespace": scene.key.namespace,
        "phase": scene.position.phase.value,
        "at": scene.notice.at.isoformat(),
        "actor": scene.notice.actor,
        **_run_facts(scene),
        **_breach_facts(scene),
        **{name: value for name, value in scene.notice.facts.items() if name not in UNTOLD_FACTS},
    }
    return {name: value for name, value in found.items() if value is not None}


def _run_facts(scene: Scene) -> dict[str, Fact]:
    run = scene.run
    if run is None:
        return {"stable": scene.position.stable}
    return {
        "run": run.id,
        "run_number": run.number,
        "candidate": run.candidate,
        "stable": run.stable,
        "digest": run.digest,
        "stage": run.current.name if 0 <= run.stage < len(run.spec.stages) else None,
        "exposed_requests": run.exposed_requests if run.spec.route.counts else None,
        "mirrored_requests": run.mirrored_requests if run.spec.route.counts else None,
        "commit": run.provenance.commit,
        "author": run.provenance.author,
    }


def _breach_facts(scene: Scene) -> dict[str, Fact]:
    breach = scene.breach
    if breach is None:
        return {}
    instants = {name: getattr(breach, name) for name in ("first_bad_at", "measured_at", "decided_at", "verified_at")}
    numbers: dict[str, Fact] = {}
    if breach.total > 0:
        numbers = {"bad": breach.bad, "total": breach.total, "stable_bad": breach.stable_bad}
        numbers["stable_total"] = breach.stable_total
    return {
        "cause": breach.cause.value,
        "slo": breach.slo,
        "scenario": breach.scenario,
        "objective": breach.objective,
        "value": breach.value,
        **numbers,
        **{name: at.isoformat() for name, at in instants.items() if at is not None},
    }
