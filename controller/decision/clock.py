"""What a wall clock cannot be trusted with: one that was set back, and the time in which nobody looked.

No instant that we remember may lie in the future, or every wait would be as long. After a time without passes nobody
knows how much of it was real: what opens a door when it is over does not count it.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from controller.domain.evidence import Evidence, SloEvidence
from controller.domain.rollout import BlindAction
from controller.domain.state import Phase, Position, Run, Spare, TrafficMark

T = TypeVar("T", Position, Run, TrafficMark, Spare, Evidence, SloEvidence)

POSITION = ("since", "promoted_at")
RUN = ("started_at", "stage_since", "loaded_at")
MARK = ("applied_at", "accepted_at", "verified_at", "quiet_since")
SLO = ("judge_turned", "candidate_judged_at", "stable_judged_at", "blind_since")
EVIDENCE = ("measured_at",)


def no_future(position: Position, now: datetime) -> Position:
    """The position with every instant after `now` moved to `now`: what was waited for starts to count again."""
    run = _clamped(position.run, RUN, now) if position.run else None
    mark = _clamped(position.traffic, MARK, now) if position.traffic else None
    spare = tuple(_clamped(one, ("since",), now) for one in position.spare)
    if run is not position.run or mark is not position.traffic or spare != position.spare:
        position = replace(position, run=run, traffic=mark, spare=spare)
    return _clamped(position, POSITION, now)


def no_future_evidence(evidence: Evidence, now: datetime) -> Evidence:
    """The same for what was learned when."""
    slos = tuple(_clamped(slo, SLO, now) for slo in evidence.slos)
    if any(new is not old for new, old in zip(slos, evidence.slos, strict=True)):
        evidence = replace(evidence, slos=slos)
    return _clamped(evidence, EVIDENCE, now)


def taken_up(position: Position, evidence: Evidence | None, now: datetime) -> tuple[Position, Evidence | None]:
    """Both as a process takes them up that did not look since the last tick: after a start, or a long sleep.

    How long that was is not known, for the clock may have been set meanwhile. A stage has stood, and the window after a
    promotion has been watched, for as long as at the last tick that was kept. A second without requests begins anew. A
    blind guard was blind all the time: that takes traffic away, and ends by itself. Only where it leads to a rollback,
    which nothing takes back, this time does not count either. Where the evidence is missing, its stage begins anew when
    there is some again: till then it is what tells how to count it anew.
    """
    run, ticked = position.run, _last_tick(position, evidence)

    def as_long_ago(at: datetime) -> datetime:
        return now - max(timedelta(0), ticked - at) if ticked is not None else now

    if evidence is not None and run is not None and ticked is not None:
        slos = tuple(_slo_taken_up(slo, run, as_long_ago) for slo in evidence.slos)
        evidence = replace(evidence, slos=slos, measured_at=now)
    if run is not None and run.stage_since is not None and knows(evidence, run):
        position = replace(position, run=replace(run, stage_since=as_long_ago(run.stage_since)))
    if position.phase is Phase.COMPLETED and position.promoted_at is not None:
        position = replace(position, promoted_at=as_long_ago(position.promoted_at))
    mark = position.traffic
    if mark is not None and mark.verified_at is None and mark.quiet_since is not None:
        position = replace(position, traffic=replace(mark, quiet_since=now))
    return position, evidence


def knows(evidence: Evidence | None, run: Run) -> bool:
    """Is it of what the run tries?"""
    return evidence is not None and evidence.digest == run.digest


def stage_anew(run: Run, evidence: Evidence, now: datetime) -> tuple[Run, Evidence]:
    """The stage counts from now: nobody knows any more how long it was watched."""
    if run.stage_since is None:
        return run, evidence
    slos = tuple(_slo_taken_up(slo, run, lambda _: now) for slo in evidence.slos)
    return replace(run, stage_since=now), replace(evidence, slos=slos)


def _last_tick(position: Position, evidence: Evidence | None) -> datetime | None:
    run = position.run
    return evidence.measured_at if evidence is not None and run is not None and knows(evidence, run) else None


def _slo_taken_up(slo: SloEvidence, run: Run, as_long_ago: Callable[[datetime], datetime]) -> SloEvidence:
    since, blind = slo.eligible.stage_since, slo.blind_since
    if since is not None and since == run.stage_since:
        slo = replace(slo, eligible=replace(slo.eligible, stage_since=as_long_ago(since)))
    if blind is not None and run.spec.on_blind.then is BlindAction.ROLLBACK:
        slo = replace(slo, blind_since=as_long_ago(blind))
    return slo


def _clamped(value: T, names: tuple[str, ...], now: datetime) -> T:
    late = {name: now for name in names if (at := getattr(value, name)) is not None and at > now}
    return replace(value, **cast(dict[str, Any], late)) if late else value
