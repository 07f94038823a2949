"""What people and machines are shown of a rollout: one mapping, the same for `get`, `watch`, `explain` and the API."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime

from controller.decision.advance import whats_missing
from controller.decision.turn import Turn
from controller.domain.names import RolloutKey, VersionName
from controller.domain.observation import Observation
from controller.domain.record import JournalEntry
from controller.domain.state import Breach, Phase, Position, Run
from controller.domain.traffic import RequestCounts, RouteSeen
from controller.domain.verdict import StreamVerdict, Verdict
from controller.runtime.book import Held
from controller.runtime.why import Decided

View = dict[str, object]
NOTHING = RequestCounts()
WORTH_SHOWING = 1e-9


def view(held: Held, now: datetime) -> View:
    """Everything about one rollout, JSON-ready: times in UTC ISO 8601, shares in percent, rates 0..1."""
    with held.lock:
        position, run = held.position, held.position.run
        return {
            "name": held.key.name,
            "namespace": held.key.namespace,
            "phase": position.phase.value,
            "trusted": position.trusted,
            "held": position.held.value if position.held else None,
            "stable": position.stable,
            "former": position.former,
            "version": held.spec.spec.version if held.spec.spec else None,
            "since": position.since.isoformat(),
            "message": held.trouble or position.message,
            "trouble": held.trouble or None,
            "run": _run(run, now) if run else None,
            "traffic": _traffic(held),
            "slos": [_stream(s, held) for s in _shown(held)] if position.guarded else [],
            "ledgers": [
                {
                    "action": one.action.value,
                    "kind": one.kind,
                    "e": _e(one.log_e),
                    "limit": _e(one.log_limit),
                    "breached": one.breached,
                }
                for one in held.judgement.ledgers
            ],
            "waits_for": list(waits(held, now)),
            "breach": _breach(position.breach) if position.breach else None,
            "problems": [str(problem) for problem in held.spec.problems],
            "source": _source(held),
        }


def _run(run: Run, now: datetime) -> View:
    stage = run.current
    return {
        "id": run.id,
        "candidate": run.candidate,
        "stable": run.stable,
        "digest": run.digest,
        "started_at": run.started_at.isoformat(),
        "stage": stage.name,
        "kind": stage.kind.value,
        "stage_number": run.stage + 1,
        "stages": [one.name for one in run.spec.stages],
        "stage_since": run.stage_since.isoformat() if run.stage_since else None,
        "stage_seconds": (now - run.stage_since).total_seconds() if run.stage_since else 0.0,
        "min_seconds": stage.min_duration.total_seconds(),
        "approvals": {"have": list(run.approved_by), "need": stage.approvals},
        "withdrawn": run.withdrawn,
        "exposed_requests": run.exposed_requests,
        "mirrored_requests": run.mirrored_requests,
        "counts": run.spec.route.counts,
        "commit": run.provenance.commit,
        "author": run.provenance.author,
        "message": run.provenance.message,
        "mode": run.spec.mode.value,
    }


def _traffic(held: Held) -> View | None:
    """What is wanted, what the data plane holds, and the share that it counted since it took the split."""
    mark, route = held.position.traffic, held.route
    if mark is None:
        return None
    split = mark.split
    known = isinstance(route, RouteSeen)
    shares = dict(route.table.shares) if isinstance(route, RouteSeen) and route.table else {}
    return {
        "candidate": split.candidate,
        "weight": split.weight,
        "mirror": split.mirror,
        "cohort": dict(split.cohort),
        "verified": mark.verified_at is not None,
        "verified_at": mark.verified_at.isoformat() if mark.verified_at else None,
        "held_by_route": {str(name): share for name, share in shares.items()},
        "route_problem": None if known else getattr(route, "why", "unknown"),
        "counted": _counted(held),
    }


def _counted(held: Held) -> View | None:
    mark, route, run = held.position.traffic, held.route, held.position.run
    if mark is None or run is None or not run.spec.route.counts:
        return None
    if not isinstance(route, RouteSeen) or mark.epoch != route.epoch:
        return None
    live = {v: _since(route, mark.start_counts, v).live for v in (run.stable, run.candidate)}
    mirrored = _since(route, mark.start_counts, run.candidate).mirrored
    whole = sum(live.values())
    return {
        "stable": live[run.stable],
        "candidate": live[run.candidate],
        "mirrored": mirrored,
        "share": round(100 * live[run.candidate] / whole, 2) if whole else None,
        "mirror_share": round(100 * mirrored / whole, 2) if whole else None,
        "in_flight": route.counts.get(run.candidate, NOTHING).active,
    }


def _since(route: RouteSeen, start: Mapping[VersionName, RequestCounts], version: VersionName) -> RequestCounts:
    now, then = route.counts.get(version, NOTHING), start.get(version, NOTHING)
    return RequestCounts(max(0, now.live - then.live), max(0, now.mirrored - then.mirrored), now.active)


def _shown(held: Held) -> Iterator[StreamVerdict]:
    """Every stream; a detector of change counts the same answers again, and is shown only when it rings."""
    return (s for s in held.judgement.streams if s.against != "change" or s.guilty)


def _stream(s: StreamVerdict, held: Held) -> View:
    return {
        "slo": s.slo,
        "scenario": s.scenario,
        "against": s.against,
        "verdict": s.verdict.value,
        "on_breach": s.on_breach.value,
        "objective": s.objective,
        "bad": s.bad,
        "total": s.total,
        "rate": s.rate,
        "lower": s.lower,
        "upper": s.upper,
        "e": _e(s.log_e),
        "proof_e": _e(s.log_proof),
        "proven": s.proven,
        "proof_needed": math.ceil(s.proof_needed) if math.isfinite(s.proof_needed) else None,
        "proof_seconds": _proof_seconds(s, held),
        "stage_total": s.stage_total,
        "stable_bad": s.stable_bad,
        "stable_total": s.stable_total,
        "value": s.value,
        "stable_value": s.stable_value,
        "guilty": s.guilty,
        "why": s.blind.detail if s.verdict is Verdict.BLIND and s.blind else None,
    }


def _proof_seconds(s: StreamVerdict, held: Held) -> float | None:
    """How long the proof may still take at the rate of judged answers of this stage."""
    run, evidence = held.position.run, held.evidence
    if run is None or run.stage_since is None or evidence is None or evidence.measured_at is None:
        return None
    seconds = (evidence.measured_at - run.stage_since).total_seconds()
    if seconds <= 0 or s.stage_total <= 0 or not math.isfinite(s.proof_needed):
        return None
    return round(s.proof_needed / (s.stage_total / seconds), 1)


def _e(log_value: float) -> float:
    return round(math.exp(min(log_value, 700.0)), 6)


def waits(held: Held, now: datetime) -> tuple[str, ...]:
    """What the rollout waits for, for people."""
    position = held.position
    if held.trouble:
        return (held.trouble,)
    if position.phase is Phase.PROGRESSING and position.run is not None:
        seen = Observation(now, held.spec, held.route, rebuilding=held.rebuilding is not None)
        return whats_missing(Turn(position, held.evidence, held.judgement, seen)) or ("the next metric tick",)
    return (position.message,) if position.message else ()


def _breach(breach: Breach) -> View:
    return {
        "cause": breach.cause.value,
        "slo": breach.slo,
        "scenario": breach.scenario,
        "bad": breach.bad,
        "total": breach.total,
        "objective": breach.objective,
        "value": breach.value,
        "stable_bad": breach.stable_bad,
        "stable_total": breach.stable_total,
        "live_bad": breach.live_bad,
        "live_total": breach.live_total,
        "exposed_requests": breach.exposed,
        "first_bad_at": _iso(breach.first_bad_at),
        "measured_at": _iso(breach.measured_at),
        "decided_at": _iso(breach.decided_at),
        "verified_at": _iso(breach.verified_at),
        "actor": breach.actor,
        "detail": breach.detail,
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _source(held: Held) -> View | None:
    provenance = held.spec.provenance
    if provenance is None:
        return None
    return {
        "file": provenance.file,
        "line": provenance.line,
        "commit": provenance.commit,
        "author": provenance.author,
        "message": provenance.message,
        "deleted": held.spec.deleted,
    }


def entry_view(entry: JournalEntry) -> View:
    """One line of history, JSON-ready."""
    return {
        "seq": entry.seq,
        "at": entry.at.isoformat(),
        "reason": entry.reason,
        "severity": entry.severity,
        "actor": entry.actor,
        "run": entry.run,
        "commit": entry.commit,
        "facts": {name: value for name, value in entry.facts.items() if value is not None},
        "verdicts": entry.verdicts,
    }


def decision_view(key: RolloutKey, found: Decided) -> View:
    """One decision explained, JSON-ready: its entries, the sentences, and the numbers that were kept beside it."""
    kept = asdict(found.inputs)
    entries = [{**entry_view(entry), "verdicts": ""} for entry in found.entries]
    seq = found.entries[0].seq
    return {"name": str(key), "decision": seq, "entries": entries, "lines": list(found.lines), "inputs": kept}


def no_decision(key: RolloutKey, seq: int) -> str:
    """The sentence for a number that is not in the journal."""
    return f"{key} has no decision #{seq} in its journal; `tidegate history {key}` shows their numbers"


def candidate_share(position: Position) -> int:
    """Percent of live requests that the position wants for the candidate."""
    split = position.split()
    return split.weight if split else 0
