"""What a ModelRollout's `.status` says: a pure projection of what is held of the rollout, and when it is news."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from controller.alerts.sentences import uncounted
from controller.analysis.judge import verdicts
from controller.domain.state import Breach, Phase, Run
from controller.domain.traffic import Split
from controller.domain.verdict import Judgement, StreamVerdict
from controller.runtime.book import Held
from controller.runtime.conditions import LONGEST, conditions

Fields = dict[str, object]
MOST_SLOS = 512
MOST_EVIDENCE = 1e12
"""E-values are told up to here: more of it says nothing to anybody."""
COUNTED = frozenset({"name", "scenario", "against", "verdict"})
"""What of an SLO's entry is more than a number that grows with every answer."""


def status_of(held: Held, now: datetime, generation: int, numbers: bool = True) -> Fields:
    """The whole status but for the conditions' times (see `timed`). `generation` is of the spec it tells about.

    Without `numbers` the SLOs have none: working out their intervals takes long.
    """
    position, run, split = held.position, held.position.run, held.position.split()
    stored = not (held.unsaved or held.behind) and held.seq > 0
    return _told(
        {
            "observedGeneration": generation,
            "phase": position.phase.value,
            "message": (held.trouble or position.message)[:LONGEST],
            "stable": position.stable,
            "candidate": run.candidate if run is not None and position.under_way else None,
            "former": position.former,
            "held": position.held.value if position.held else None,
            "sequence": held.seq if stored else None,
            "run": _run(run) if run is not None else None,
            "stage": run.current.name if run is not None and position.under_way else None,
            "traffic": _traffic(held, split) if split is not None else None,
            "slos": [_slo(one, numbers) for one in _streams(held)[:MOST_SLOS]],
            "countsAt": _instant(now),
            "breach": _breach(position.breach, position.run) if position.breach else None,
            "conditions": [
                {"type": one.type, "status": str(one.status), "reason": one.reason, "message": one.message}
                | {"observedGeneration": generation}
                for one in conditions(held)
            ],
        }
    )


def timed(status: Mapping[str, object], before: Mapping[str, object], now: datetime) -> Fields:
    """The status with the conditions' times: kept from `before` where a condition's status did not change."""
    old = {one.get("type"): one for one in _list(before.get("conditions"))}
    found = []
    for one in _list(status.get("conditions")):
        was = old.get(one["type"], {})
        kept = was.get("lastTransitionTime") if was.get("status") == one["status"] else None
        found.append({**one, "lastTransitionTime": kept or _instant(now)})
    return {**status, "conditions": found}


def outline(status: Mapping[str, object]) -> Fields:
    """What must be told at once when it changes: all but counts, times, and numbers in sentences."""
    kept = {name: value for name, value in status.items() if name not in ("sequence", "countsAt", "slos", "conditions")}
    kept["message"] = still(status.get("message"))
    kept["slos"] = [{name: one[name] for name in one if name in COUNTED} for one in _list(status.get("slos"))]
    kept["conditions"] = [
        {**one, "message": still(one.get("message")), "lastTransitionTime": ""}
        for one in _list(status.get("conditions"))
    ]
    return kept


def outline_of(held: Held, now: datetime, generation: int) -> Fields:
    """`outline` of the status that `status_of` would give."""
    return outline(status_of(held, now, generation, numbers=False))


def counted_at(status: Mapping[str, object]) -> datetime | None:
    """When the counts of a status were taken, or None when it does not say."""
    try:
        return datetime.fromisoformat(str(status.get("countsAt")))
    except ValueError:
        return None


def _run(run: Run) -> Fields:
    return {
        "id": run.id,
        "number": run.number,
        "stable": run.stable,
        "candidate": run.candidate,
        "digest": run.digest,
        "startedAt": _instant(run.started_at),
        "stage": run.current.name,
        "stageIndex": run.stage,
        "stageSince": _instant(run.stage_since) if run.stage_since else None,
        "withdrawn": run.withdrawn,
    }


def _traffic(held: Held, split: Split) -> Fields:
    mark = held.position.traffic
    shares = {"weight": split.weight, "mirror": split.mirror, "cohort": bool(split.cohort)}
    verified_at = mark.verified_at if mark else None
    return {
        "desired": shares,
        "verified": shares if verified_at else None,
        "verifiedAt": _instant(verified_at) if verified_at else None,
    }


def _streams(held: Held) -> Sequence[StreamVerdict]:
    """The verdicts in force; after a rollback those that led to it."""
    position, run, evidence = held.position, held.position.run, held.evidence
    judgement = held.judgement if position.guarded else Judgement()
    kept = position.phase is Phase.ROLLED_BACK and run is not None and evidence is not None
    if kept and run is not None and evidence is not None and evidence.digest == run.digest:
        judgement = verdicts(evidence, run.spec)
    return [one for one in judgement.streams if one.against != "change" or one.guilty]


def _slo(one: StreamVerdict, numbers: bool) -> Fields:
    told = {"name": one.slo, "scenario": one.scenario, "against": one.against, "verdict": one.verdict.value}
    return told | _counts(one) if numbers else dict(told)


def _counts(one: StreamVerdict) -> Fields:
    return {
        "bad": _number(one.bad),
        "total": _number(one.total),
        "rate": _number(one.rate),
        "lower": _number(one.lower),
        "upper": _number(one.upper),
        "objective": _number(one.objective),
        "evidence": _number(min(math.exp(min(one.log_e, 700.0)), MOST_EVIDENCE)),
    }


def _breach(breach: Breach, run: Run | None) -> Fields:
    known = run is None or not uncounted(run)
    return {
        "cause": breach.cause.value,
        "slo": breach.slo,
        "scenario": breach.scenario,
        "bad": _number(breach.bad),
        "total": _number(breach.total),
        "objective": _number(breach.objective),
        "value": _number(breach.value),
        "firstBadAt": _instant(breach.first_bad_at) if breach.first_bad_at else None,
        "decidedAt": _instant(breach.decided_at) if breach.decided_at else None,
        "verifiedAt": _instant(breach.verified_at) if breach.verified_at else None,
        "exposed": breach.exposed if known else None,
        "detail": breach.detail[:LONGEST] or None,
        "actor": breach.actor,
    }


def _told(value: object) -> Fields:
    """Without what is not known: a field that is missing says so, `null` is refused by the API server."""
    told = _without_nothing(value)
    assert isinstance(told, dict)
    return told


def _without_nothing(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nothing(one) for name, one in value.items() if one is not None}
    return [_without_nothing(one) for one in value] if isinstance(value, list) else value


def _number(value: float | None) -> float | None:
    """Six digits; JSON has no infinity."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None


@lru_cache(maxsize=4096)
def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def still(text: object) -> str:
    """A sentence without its numbers: those of a countdown are no news."""
    return re.sub(r"\d[\d,.]*", "#", str(text or ""))


def _list(value: object) -> Sequence[Mapping[str, object]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
