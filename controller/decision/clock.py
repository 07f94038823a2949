"""A wall clock that was set back: no instant that we remember may lie in the future, or every wait would be as long."""

from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar, cast

from controller.domain.evidence import Evidence, SloEvidence
from controller.domain.state import Position, Run, Spare, TrafficMark

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


def _clamped(value: T, names: tuple[str, ...], now: datetime) -> T:
    late = {name: now for name in names if (at := getattr(value, name)) is not None and at > now}
    return replace(value, **cast(dict[str, Any], late)) if late else value
