"""Journal entries as sentences. A reason without one is told by its name and facts. Pure."""

from collections.abc import Mapping
from typing import Any

from controller.cli import words

Facts = Mapping[str, Any]

SENTENCES = {
    "adopted": "{stable} is stable: {why}",
    "run_started": "run began: {stable} → {candidate}",
    "loading": "waiting until {candidate} is loaded",
    "loaded": "{candidate} is loaded",
    "preflight_failed": "the run could not start: {why}",
    "stage_entered": "stage {stage} entered: weight {weight} %, mirror {mirror} %",
    "stage_verified": "stage {stage}: its traffic is verified",
    "stage_completed": "stage {stage} is complete",
    "share_rejected": "counted share {share} % is not the wanted {weight} %",
    "would_roll_back": "observe: would have rolled back ({cause})",
    "rollback_started": "rollback began ({cause})",
    "rollback_verified": "rolled back, zero traffic verified ({cause})",
    "not_verified": "traffic not verified after {seconds} s: {why}",
    "promoted": "{candidate} is promoted: it is stable now",
    "returned": "returned to {stable} from {left}",
    "withdrawn": "withdrawn: {slo} was blind for {minutes} min: {why}",
    "sight_back": "it can be measured again",
    "blind": "{slo} is blind: {why}",
    "paused": "paused: {said}",
    "approved": "approved ({have} of {need}): {said}",
    "retried": "tried again, budget {evidence}: {said}",
    "refused": "{ask} refused: {why}",
    "awaiting_approval": "waits for approval: {why}",
    "stalled": "stalled: {why}",
    "spec_broken": "the spec is broken: {why}",
    "spec_edited": "an edited spec was taken up",
    "external_change": "somebody else changed the route: found {found}, wanted {wanted}",
    "drift_corrected": "the route was put right: found {found}",
    "mirror_limit": "mirroring stopped at its limit of {mirrored} requests",
}
COUNTED = {"breached": "breach", "alert_slo": "alert"}


def sentence(entry: Mapping[str, Any]) -> str:
    """What happened, in plain words."""
    reason, facts = str(entry["reason"]), entry["facts"]
    if reason in COUNTED and "slo" in facts:
        return f"{COUNTED[reason]}: {_counts(facts)}"
    if reason == "held" and "slo" in facts:
        return f"held: {_counts(facts)}"
    template = SENTENCES.get(reason)
    if template is None or not _fits(template, facts):
        return _plain(reason, facts)
    return template.format_map(facts)


def _fits(template: str, facts: Facts) -> bool:
    try:
        template.format_map(facts)
    except KeyError:
        return False
    return True


def _counts(facts: Facts) -> str:
    name = f"{facts['slo']}/{facts['scenario']}" if facts.get("scenario") else str(facts["slo"])
    total, limit = facts.get("total") or 0, facts.get("objective")
    if not total:
        value = f"{name} was {words.number(facts['value'])}" if "value" in facts else name
        return value if limit is None else f"{value}, the limit is {words.number(limit)}"
    bad = facts.get("bad", 0)
    told = f"{name}: {words.count(bad)} of {words.count(total)} judged answers were bad ({words.percent(bad / total)})"
    return told if limit is None else f"{told}, the limit is {words.percent(limit)}"


def _plain(reason: str, facts: Facts) -> str:
    shown = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in facts.items() if name != "request")
    head = reason.replace("_", " ")
    return f"{head} ({shown})" if shown else head
