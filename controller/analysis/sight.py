"""Can we see? Blind is not good and not bad: it is a cause, a sentence, and since when."""

from collections.abc import Sequence
from datetime import datetime

from controller.analysis.accumulate import BySlo, Scope, by_slo
from controller.analysis.booking import a_tally
from controller.analysis.change import freezes
from controller.analysis.swift import changer
from controller.domain.evidence import Evidence, SloEvidence, Tally
from controller.domain.measure import BlindCause, Blindness, Measurement
from controller.domain.slo import RatioIndicator, Slo

SEEN_WITHOUT_TRAFFIC = frozenset(
    {BlindCause.QUERY_FAILED, BlindCause.ABSENT, BlindCause.STALE, BlindCause.IDENTITY_LOST}
)
ENOUGH_TO_ACCUSE = 20
"""Judge results below which its share of errors says nothing yet."""

_with_blind = changer(SloEvidence, "blind", "blind_since")
_with_slos = changer(Evidence, "slos")


def look(evidence: Evidence, measurements: Sequence[Measurement], scope: Scope, told: BySlo | None = None) -> Evidence:
    """Evidence with every SLO's blindness as of this tick, and since when. `told` as in `accumulate`."""
    told = by_slo(measurements) if told is None else told
    seen = {
        slo.name: _blindness(evidence.of(slo.name), slo, told.get(slo.name, ()), scope) for slo in scope.rollout.slos
    }
    return _with_slos(evidence, tuple([_marked(known, seen.get(known.name), scope.now) for known in evidence.slos]))


def _marked(known: SloEvidence, blind: Blindness | None, now: datetime) -> SloEvidence:
    if blind is None and known.blind is None and known.blind_since is None:
        return known
    since = None if blind is None else known.blind_since or now
    return _with_blind(known, blind, since)


def _blindness(
    known: SloEvidence | None, slo: Slo, measurements: Sequence[Measurement], scope: Scope
) -> Blindness | None:
    """`measurements` are those of this SLO."""
    if known is None:
        return None
    watched = scope.stable if scope.withdrawn else scope.candidate
    mine = [m for m in measurements if m.version == watched]
    if not mine:
        return Blindness(BlindCause.ABSENT, f"nothing was measured for {watched}")
    required = slo.scenarios.required if slo.scenarios else ()
    told = (m.blind for m in mine if m.blind is not None and (m.scenario is None or m.scenario in required))
    return (
        next(told, None)
        or _hopeless(measurements, scope)
        or _judge_blindness(known, slo, scope)
        or _frozen(known, slo, scope)
    )


def _frozen(known: SloEvidence, slo: Slo, scope: Scope) -> Blindness | None:
    """The judge's alarm on stable: what stable shows too is not the candidate's doing."""
    if slo.max_bad is None or not scope.side_by_side or not freezes(known.gate):
        return None
    return Blindness(BlindCause.FROZEN, f"{scope.stable} went over the limit too: the judge or the questions changed")


def _hopeless(measurements: Sequence[Measurement], scope: Scope) -> Blindness | None:
    """What would blind us again at once if a withdrawn candidate returned: it needs no traffic to be seen."""
    if not scope.withdrawn:
        return None
    mine = (m.blind for m in measurements if m.version == scope.candidate and m.scenario is None)
    return next((blind for blind in mine if blind is not None and blind.cause in SEEN_WITHOUT_TRAFFIC), None)


def _judge_blindness(known: SloEvidence, slo: Slo, scope: Scope) -> Blindness | None:
    if not isinstance(slo.indicator, RatioIndicator):
        return None
    window = _sum(known.judge_now, known.judge_before)
    results = window.errors + window.total
    if results >= ENOUGH_TO_ACCUSE and window.errors > slo.judge.max_errors * results:
        detail = f"{window.errors:g} of the judge's last {results:g} results are errors"
        return Blindness(BlindCause.JUDGE_ERRORS, f"{detail}; allowed: {slo.judge.max_errors:.1%}")
    return _silence(known, slo, scope)


def _silence(known: SloEvidence, slo: Slo, scope: Scope) -> Blindness | None:
    """Only where traffic was verified can a judge be late; the stage's start counts as its last sign of life."""
    if scope.since is None and not scope.withdrawn:
        return None
    last = known.stable_judged_at if scope.withdrawn else known.candidate_judged_at
    signs = [at for at in (last, scope.since) if at is not None]
    age = scope.now - max(signs) if signs else None
    if age is None or age <= slo.judge.max_age:
        return None
    who = scope.stable if scope.withdrawn else scope.candidate
    seconds, limit = age.total_seconds(), slo.judge.max_age.total_seconds()
    return Blindness(
        BlindCause.JUDGE_SILENT, f"no answer of {who} was judged for {seconds:.0f} s; allowed: {limit:.0f} s"
    )


def _sum(one: Tally, other: Tally) -> Tally:
    return a_tally(one.bad + other.bad, one.total + other.total, one.errors + other.errors)
