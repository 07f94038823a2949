"""A ModelRollout of a cluster as the same JSON that a daemon answers with, so that everything prints it alike. Pure.

What a status does not say (requests counted by the gateway, proofs, approvals given) is empty here.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from controller.domain.cluster import Document

Fields = Mapping[str, Any]


def view_of(document: Document) -> dict[str, Any]:
    """The view of one resource. A field of another type than it should have counts as missing."""
    metadata, spec, status = (_fields(document.get(name)) for name in ("metadata", "spec", "status"))
    conditions = {one.get("type"): one for one in _list(status.get("conditions"))}
    stalled = _fields(conditions.get("Stalled"))
    invalid = stalled.get("status") == "True" and stalled.get("reason") == "InvalidSpec"
    message = str(status.get("message") or ("" if status else "the controller has not looked at it yet"))
    return {
        "name": str(metadata.get("name", "")),
        "namespace": str(metadata.get("namespace", "default")),
        "phase": str(status.get("phase", "Unknown")),
        "trusted": False,
        "held": status.get("held"),
        "stable": status.get("stable"),
        "former": status.get("former"),
        "version": spec.get("version"),
        "since": _since(metadata, conditions),
        "message": message,
        "trouble": None,
        "run": _run(status, spec) if status.get("run") else None,
        "traffic": _traffic(status, spec) if status.get("traffic") else None,
        "slos": [_slo(one, status) for one in _list(status.get("slos"))],
        "ledgers": [],
        "waits_for": [message] if message else [],
        "breach": _breach(_fields(status.get("breach"))) if status.get("breach") else None,
        "problems": [str(stalled.get("message", ""))] if invalid else [],
        "source": None,
        "conditions": [dict(one) for one in _list(status.get("conditions"))],
        "observed_generation": status.get("observedGeneration"),
        "generation": metadata.get("generation"),
    }


def _since(metadata: Fields, conditions: Mapping[Any, Fields]) -> str:
    """The newest change of a condition: when the phase began is not told."""
    times = [str(one["lastTransitionTime"]) for one in conditions.values() if one.get("lastTransitionTime")]
    return max(times, default=str(metadata.get("creationTimestamp", "1970-01-01T00:00:00Z")))


def _run(status: Fields, spec: Fields) -> Fields:
    run = _fields(status.get("run"))
    names = [str(one.get("name")) for one in _list(spec.get("stages"))]
    position = int(run.get("stageIndex", 0))
    stage = str(run.get("stage", ""))
    fits = position < len(names) and names[position] == stage
    return {
        "id": run.get("id"),
        "candidate": run.get("candidate"),
        "stable": run.get("stable"),
        "digest": run.get("digest"),
        "started_at": run.get("startedAt"),
        "stage": stage,
        "kind": "",
        "stage_number": position + 1 if fits else 1,
        "stages": names if fits else [stage],
        "stage_since": run.get("stageSince"),
        "stage_seconds": 0.0,
        "min_seconds": 0.0,
        "approvals": {"have": [], "need": 0},
        "withdrawn": bool(run.get("withdrawn")),
        "exposed_requests": 0,
        "mirrored_requests": 0,
        "counts": not any("gatewayAPI" in one for one in _list(spec.get("routes"))),
        "commit": None,
        "author": None,
        "message": None,
        "mode": spec.get("mode", "enforce"),
    }


def _traffic(status: Fields, spec: Fields) -> Fields:
    traffic, run = _fields(status.get("traffic")), _fields(status.get("run"))
    desired = _fields(traffic.get("desired"))
    exposed = any(desired.get(name) for name in ("weight", "mirror", "cohort"))
    return {
        "candidate": run.get("candidate") if exposed else None,
        "weight": desired.get("weight", 0),
        "mirror": desired.get("mirror", 0),
        "cohort": _cohort(status, spec) if desired.get("cohort") else {},
        "verified": traffic.get("verified") is not None,
        "verified_at": traffic.get("verifiedAt"),
        "held_by_route": {},
        "route_problem": None,
        "counted": None,
    }


def _cohort(status: Fields, spec: Fields) -> Fields:
    stage = _fields(status.get("run")).get("stage")
    found = next((one for one in _list(spec.get("stages")) if one.get("name") == stage), {})
    return _fields(_fields(found.get("cohort")).get("headers"))


def _slo(one: Fields, status: Fields) -> Fields:
    breach = _fields(status.get("breach"))
    guilty = one.get("verdict") == "breach" or (breach.get("slo"), breach.get("scenario")) == (
        one.get("name"),
        one.get("scenario"),
    )
    evidence = float(one.get("evidence") or 0.0)
    return {
        "slo": one.get("name"),
        "scenario": one.get("scenario"),
        "against": one.get("against", "objective"),
        "verdict": one.get("verdict", "inconclusive"),
        "on_breach": "",
        "objective": one.get("objective"),
        "bad": float(one.get("bad") or 0.0),
        "total": float(one.get("total") or 0.0),
        "rate": float(one.get("rate") or 0.0),
        "lower": float(one.get("lower") or 0.0),
        "upper": float(one["upper"]) if one.get("upper") is not None else 1.0,
        "e": evidence if math.isfinite(evidence) else 0.0,
        "proof_e": 0.0,
        "proven": False,
        "proof_needed": None,
        "proof_seconds": None,
        "stage_total": 0.0,
        "stable_bad": 0.0,
        "stable_total": 0.0,
        "value": None,
        "stable_value": None,
        "guilty": guilty,
        "why": None,
    }


def _breach(breach: Fields) -> Fields:
    return {
        "cause": breach.get("cause", ""),
        "slo": breach.get("slo"),
        "scenario": breach.get("scenario"),
        "bad": float(breach.get("bad") or 0.0),
        "total": float(breach.get("total") or 0.0),
        "objective": breach.get("objective"),
        "value": breach.get("value"),
        "stable_bad": 0.0,
        "stable_total": 0.0,
        "live_bad": 0.0,
        "live_total": 0.0,
        "exposed_requests": int(breach.get("exposed") or 0),
        "first_bad_at": breach.get("firstBadAt"),
        "measured_at": None,
        "decided_at": breach.get("decidedAt"),
        "verified_at": breach.get("verifiedAt"),
        "actor": breach.get("actor"),
        "detail": breach.get("detail", ""),
    }


def _fields(value: object) -> Fields:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[Fields]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
