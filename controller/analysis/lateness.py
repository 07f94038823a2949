"""Has the judge kept up? A proof wants answers that are old enough, and takes those without a verdict for bad ones.

Verdicts are booked when they arrive. If bad ones take longer, early counts look too good: safe for a rollback, unsafe
for a promotion (statistics, section 6). Counters carry no time per answer, so `eligible` counts answers when they are
produced: what was eligible a judge's latency ago should be judged by now. Pure.
"""

from dataclasses import replace
from datetime import datetime

from controller.domain.evidence import Eligible, SloEvidence, StreamEvidence, Tally
from controller.domain.measure import Measurement
from controller.domain.rollout import StageKind
from controller.domain.slo import RatioIndicator, Slo
from controller.domain.verdict import Coverage, StreamVerdict, Verdict

ENOUGH = 0.95
"""Share of the answers that are old enough which must have a verdict."""
PARTS = 16
"""Into so many parts the latency is cut, so that a judge that takes a day needs no more memory than a fast one."""

Marks = tuple[tuple[float, float], ...]


def counted(
    known: SloEvidence,
    slo: Slo,
    arm: Measurement | None,
    stage: StageKind | None,
    since: datetime | None,
    now: datetime,
) -> SloEvidence:
    """The candidate's counts of one tick, where they can count for a proof. `since`: when the stage was verified."""
    if not _is_asked(slo) or stage is None or stage is StageKind.COHORT:
        return known
    if arm is None or arm.blind is not None or arm.eligible is None:
        return replace(known, eligible=replace(known.eligible, known=False))
    before = known.eligible
    total = before.total + arm.eligible
    marks = _marked(before.marks, now.timestamp(), total, slo.judge.latency.total_seconds())
    stage_from = before.stage_from if since == before.stage_since else before.total
    judged, failed = before.judged + arm.total, before.failed + arm.errors
    return replace(known, eligible=Eligible(total, judged, failed, marks, since, stage_from, known=True))


def _is_asked(slo: Slo) -> bool:
    return isinstance(slo.indicator, RatioIndicator) and slo.indicator.eligible is not None


def _marked(marks: Marks, now: float, total: float, latency: float) -> Marks:
    """With the present mark, unless the last is near; of those that are older than the latency, only the newest.

    After the clock was set back, what was marked in the future is forgotten.
    """
    if marks and marks[-1][0] > now:
        marks = tuple(one for one in marks if one[0] <= now)
    if not marks or now - marks[-1][0] >= latency / PARTS:
        marks = (*marks, (now, total))
    old = sum(1 for at, _ in marks if at <= now - latency)
    return marks[max(0, old - 1) :]


def old_enough(eligible: Eligible, latency: float, now: float) -> float:
    """How many answers are certainly older than `latency` seconds at `now` (unix seconds)."""
    return max((total for at, total in eligible.marks if at <= now - latency), default=0.0)


def coverage(known: SloEvidence, slo: Slo, now: datetime | None) -> Coverage | None:
    """Whether the judge has kept up, as of the last tick at `now`; None where eligible answers are not counted."""
    if not _is_asked(slo):
        return None
    mine, latency = known.eligible, slo.judge.latency.total_seconds()
    due = old_enough(mine, latency, now.timestamp()) if now is not None else 0.0
    missing = max(0.0, due - mine.judged - mine.failed)
    enough = mine.known and due > 0 and mine.judged >= ENOUGH * due
    return Coverage(due, mine.judged, missing, latency, enough, mine.known)


def cautious(known: SloEvidence, covered: Coverage | None) -> SloEvidence:
    """As a proof reads it: what should have a verdict and has none is bad, what may be too young is not there.

    Only what speaks for the candidate is changed; what speaks against it counts from the moment of its verdict.
    """
    if covered is None:
        return known
    most = max(0.0, covered.eligible - known.eligible.stage_from)
    return replace(known, streams=tuple(_cautious(one, covered.missing, most) for one in known.streams))


def _cautious(stream: StreamEvidence, missing: float, most: float) -> StreamEvidence:
    proof, stage = stream.proof, stream.stage
    return replace(
        stream,
        proof=Tally(proof.bad + missing, proof.total + missing, proof.errors),
        stage=replace(stage, total=min(stage.total, most)),
    )


def unless_late(found: StreamVerdict, covered: Coverage | None) -> StreamVerdict:
    """The verdict with what is known of the judge: nothing is proven while it has not kept up."""
    if covered is None or found.against == "change":
        return found
    if covered.enough or not found.proven:
        return replace(found, coverage=covered)
    verdict = Verdict.INCONCLUSIVE if found.verdict is Verdict.PASS else found.verdict
    return replace(found, coverage=covered, proven=False, verdict=verdict)
