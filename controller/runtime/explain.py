"""Why a rollout is where it is, in plain sentences: both counts, the interval, and what would flip it. Pure text."""

import math
from datetime import datetime

from controller.analysis import elin, proof
from controller.decision.advance import late
from controller.domain.evidence import StreamEvidence
from controller.domain.slo import OnBreach, Slo
from controller.domain.state import Phase
from controller.domain.verdict import StreamVerdict, Verdict
from controller.runtime.beside import beside
from controller.runtime.book import Held
from controller.runtime.parts import parts
from controller.runtime.views import waits

MOST = 10_000


def explain(held: Held, now: datetime) -> tuple[str, ...]:
    """The sentences, most important first."""
    with held.lock:
        position, run = held.position, held.position.run
        lines = [_where(held)]
        lines += [f"It waits for: {'; '.join(missing)}." for missing in [waits(held, now)] if missing]
        if run is not None and held.judgement.streams:
            lines += [_stream(held, s) for s in held.judgement.streams if s.against == "objective"]
            lines += beside(held.judgement, run.spec, position.trusted)
            lines += _ledgers(held)
        if position.breach is not None and position.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK):
            lines.append(_breach(held))
        return tuple(lines)


def _where(held: Held) -> str:
    position, run = held.position, held.position.run
    head = f"{held.key.name} is {position.phase.value}"
    if position.held is not None:
        head += f" ({position.held.value})"
    if run is None:
        return f"{head}; {position.stable or 'no version'} is stable and serves everything."
    if not position.under_way:
        return f"{head}; {position.stable} is stable; the last run, {run.id}, tried {run.candidate}."
    split = position.split()
    share = f"{split.weight} % live, {split.mirror} % mirrored" if split else "no traffic"
    verified = position.traffic is not None and position.traffic.verified_at is not None
    proof_text = "verified" if verified else "not verified yet"
    return f"{head} in stage {run.current.name}: {run.candidate} gets {share} ({proof_text}); {run.stable} is stable."


def _stream(held: Held, s: StreamVerdict) -> str:
    name = f"{s.slo}/{s.scenario}" if s.scenario else s.slo
    if s.verdict is Verdict.BLIND and s.blind is not None:
        return f"{name}: blind: {s.blind.detail}. Blind is neither good nor bad: it never promotes."
    if s.objective is None or s.value is not None:
        return f"{name}: the value is {s.value}, the limit {s.objective}; {s.strikes} bad values in a row."
    if not s.total:
        return f"{name}: no judged answer of the candidate yet; the limit is {_percent(s.objective)}."
    counts = f"{s.bad:,.0f} of {s.total:,.0f} judged answers were bad ({s.bad / s.total:.2%})"
    interval = f"the true rate lies between {s.lower:.2%} and {s.upper:.2%} (95 %, valid at every look)"
    stable = f"stable: {s.stable_bad:,.0f} of {s.stable_total:,.0f}" if s.stable_total else "stable: nothing judged"
    limit = f"the limit is {_percent(s.objective)}"
    return f"{name}: {s.verdict.value}: {counts}; {interval}; {limit}; {stable}. {_flip(held, s)}"


def _percent(rate: float) -> str:
    """A rate for people: 0.08 is `8 %`, 0.0005 is `0.05 %`."""
    return f"{100 * rate:.3g} %"


def _flip(held: Held, s: StreamVerdict) -> str:
    slo, stream = _find(held, s)
    if slo is None or stream is None:
        return ""
    to_breach = bad_until_breach(stream, _needed_log_e(held, s))
    told = []
    if s.verdict is not Verdict.BREACH and to_breach is not None:
        told.append(f"{to_breach:,} bad answers in a row would be a breach on their own")
    if not s.proven and s.scenario is None:
        needed = proof.answers_needed(stream.proof.bad, stream.proof.total, stream.p0, slo.max_false_promotion)
        if math.isfinite(needed):
            told.append(f"about {math.ceil(needed):,} more at half the limit would be a proof that it is good")
    flips = ("Would flip it: " + "; ".join(told) + ".") if told else ""
    if s.coverage is None or s.coverage.enough or s.scenario is not None:
        return flips
    return f"{flips} Nothing is proven while the judge is late: {late(s.coverage)}.".strip()


def _find(held: Held, s: StreamVerdict) -> tuple[Slo | None, StreamEvidence | None]:
    run, evidence = held.position.run, held.evidence
    if run is None or evidence is None:
        return None, None
    slo = next((one for one in run.spec.slos if one.name == s.slo), None)
    known = evidence.of(s.slo)
    same = (one for one in known.streams if one.scenario == s.scenario) if known else iter(())
    stream = next((one for one in same if one.against == s.against), None)
    return slo, stream


def _needed_log_e(held: Held, s: StreamVerdict) -> float:
    """log E at which the stream acts alone, at its share of the ledger."""
    run, evidence = held.position.run, held.evidence
    assert run is not None
    limit = math.log(1 / run.spec.max_false_rollback)
    part = parts(evidence, run.spec).get((s.slo, s.scenario, s.against)) if evidence else None
    share = 1.0 if s.on_breach is OnBreach.ALERT else part.share if part else 0.0
    return limit - math.log(share) if share > 0 else math.inf


def bad_until_breach(stream: StreamEvidence, needed: float) -> int | None:
    """How many bad answers in a row, one a tick, until log E reaches `needed`; None when more than ten thousand."""
    purse = elin.Purse(stream.log_s, stream.reserve, stream.ticks)
    for count in range(1, MOST):
        if elin.log_e(purse) >= needed:
            return count - 1
        purse = elin.advance(purse, 1, 1, stream.p0, max(stream.ticks, 1), 1)
        if count > 200:
            return None
    return None


def _ledgers(held: Held) -> list[str]:
    told = {OnBreach.ROLLBACK: "rolls back", OnBreach.HOLD: "holds"}
    return [
        f"All evidence together stands at {math.exp(min(one.log_e, 700)):.3g} and {told[one.action]} at "
        f"{math.exp(one.log_limit):.3g}, which a good version reaches in under {math.exp(-one.log_limit):.0%} of runs."
        for one in held.judgement.ledgers
        if one.kind == "evidence"
    ]


def _breach(held: Held) -> str:
    breach = held.position.breach
    assert breach is not None
    if breach.slo is None or breach.objective is None:
        return f"It was rolled back: {breach.cause.value}{': ' + breach.detail if breach.detail else ''}."
    if not breach.total:
        return f"It was rolled back: {breach.slo} was {breach.value}, the limit is {breach.objective}."
    name = f"{breach.slo}/{breach.scenario}" if breach.scenario else breach.slo
    return (
        f"It was rolled back: {name}: {breach.bad:,.0f} of {breach.total:,.0f} judged answers were bad"
        f" ({breach.bad / breach.total:.2%}), the limit is {_percent(breach.objective)};"
        f" stable had {breach.stable_bad:,.0f} of {breach.stable_total:,.0f}."
    )
