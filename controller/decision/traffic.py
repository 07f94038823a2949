"""Reality against intent: exposure, verification, drift, and what may be written. Correction only ever lowers."""

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

from controller.decision.guarding import may_be_anothers, may_write
from controller.decision.overwritten import before_restoring, stood
from controller.decision.share import NOTHING, counted_since, share_rejected
from controller.decision.turn import Turn, split_for
from controller.domain.decision import Reason, Severity
from controller.domain.observation import Unknown
from controller.domain.rollout import StageKind
from controller.domain.state import HeldCause, Phase, TrafficMark
from controller.domain.traffic import RouteSeen, RouteTable, Split

QUIET = timedelta(seconds=1)
"""How long no candidate request may be counted before zero is verified."""
OVERDUE = timedelta(seconds=30)

table_of = lru_cache(maxsize=1024)(Split.table)
"""Remembered: every pass asks twice for the same few."""


def count_exposure(turn: Turn) -> Turn:
    """Book the candidate's requests since the last look; a restarted data plane counts from zero again."""
    route, run = turn.route, turn.position.run
    if route is None or run is None:
        return turn
    seen = route.counts.get(run.candidate, NOTHING)
    same = run.counted_epoch == route.epoch
    live = max(0, seen.live - run.counted_live) if same else seen.live
    mirrored = max(0, seen.mirrored - run.counted_mirrored) if same else seen.mirrored
    if same and not live and not mirrored:
        return turn
    return turn.with_run(
        exposed_requests=run.exposed_requests + live,
        mirrored_requests=run.mirrored_requests + mirrored,
        counted_epoch=route.epoch,
        counted_live=seen.live,
        counted_mirrored=seen.mirrored,
    )


def limit_mirror(turn: Turn) -> Turn:
    """A shadow stage that used up its requests mirrors no more; its evidence stays."""
    mark = turn.position.traffic
    if mark is None or not mark.split.mirror or turn.run.current.kind is not StageKind.SHADOW:
        return turn
    wanted = split_for(turn.run, turn.run.current)
    if wanted.mirror:
        return turn
    told = turn.tell(Reason.MIRROR_LIMIT, mirrored=turn.run.mirrored_requests)
    return told.route_to(wanted)


def verify(turn: Turn) -> Turn:
    """Follow a split until the data plane proves it; raise the alarm when that takes too long."""
    mark = turn.position.traffic
    if mark is None or mark.verified_at is not None:
        return turn
    if turn.observing:
        return turn.at(traffic=replace(mark, accepted_at=turn.now, verified_at=turn.now))
    if _gone_with_its_route(turn, mark):
        return turn.at(traffic=replace(mark, accepted_at=turn.now, verified_at=turn.now, overdue=False))
    route = turn.route
    if route is None or not route.accepted or not route.holds(mark.split):
        return _overdue(turn, mark)
    mark = _followed(mark, route, turn)
    if _proved(mark, route, turn):
        return turn.at(traffic=replace(mark, verified_at=turn.now, overdue=False))
    return _overdue(turn.at(traffic=mark), mark)


def _gone_with_its_route(turn: Turn, mark: TrafficMark) -> bool:
    """Both were deleted, as with a namespace: nothing sends anything to the candidate, and nobody is to be paged."""
    route = turn.seen.route
    lost = isinstance(route, Unknown) and route.gone
    return lost and turn.seen.spec.deleted and not mark.split.exposes()


def _followed(mark: TrafficMark, route: RouteSeen, turn: Turn) -> TrafficMark:
    """Start, or start again after a restart of the data plane, to watch the candidate's counters."""
    total = _watched(route, turn)
    if mark.accepted_at is None or mark.epoch != route.epoch:
        return replace(
            mark,
            accepted_at=mark.accepted_at or turn.now,
            epoch=route.epoch,
            start_counts=dict(route.counts),
            quiet_counts=total,
            quiet_since=turn.now,
        )
    return mark if total == mark.quiet_counts else replace(mark, quiet_counts=total, quiet_since=turn.now)


def _watched(route: RouteSeen, turn: Turn) -> int:
    candidate = turn.position.run.candidate if turn.position.run else None
    return route.counts.get(candidate, NOTHING).total if candidate else 0


def _proved(mark: TrafficMark, route: RouteSeen, turn: Turn) -> bool:
    """Where requests are counted, zero is a quiet second; elsewhere what the data plane reports is all there is."""
    run = turn.position.run
    if run is None or mark.split.exposes() or mark.split.stable == run.candidate:
        return not share_rejected(mark, route, _is_sticky(turn))
    if not run.spec.route.counts:
        return True
    return mark.quiet_since is not None and turn.now - mark.quiet_since >= QUIET


def _is_sticky(turn: Turn) -> bool:
    return turn.position.run is not None and turn.position.run.spec.route.sticky is not None


def _overdue(turn: Turn, mark: TrafficMark) -> Turn:
    if mark.overdue or turn.now - mark.applied_at < OVERDUE:
        return turn
    turn = turn.at(traffic=replace(mark, overdue=True))
    lowering = turn.position.phase is Phase.ROLLING_BACK or not mark.split.exposes()
    severity = Severity.PAGE if lowering else Severity.WARN
    return turn.tell(Reason.NOT_VERIFIED, severity, seconds=OVERDUE.total_seconds(), why=_why_unverified(turn, mark))


def _why_unverified(turn: Turn, mark: TrafficMark) -> str:
    route = turn.route
    if route is None:
        return getattr(turn.seen.route, "why", "the data plane cannot be read")
    if not route.accepted:
        return route.trouble or "the data plane does not report the configuration last written"
    if not route.holds(mark.split):
        return "the data plane holds another split"
    return "requests of the candidate are still being counted"


def check_share(turn: Turn) -> Turn:
    """A verified stage whose measured share goes wrong: more than allowed withdraws, less holds; both page."""
    mark, route = turn.position.traffic, turn.route
    if mark is None or route is None or mark.verified_at is None or turn.observing:
        return turn
    if may_be_anothers(turn, mark) and route.table != table_of(mark.split):
        return turn
    if not mark.split.exposes() or not share_rejected(mark, route, _is_sticky(turn)):
        return turn
    candidate, stable = (counted_since(mark, route, v) for v in (turn.run.candidate, turn.run.stable))
    share = candidate / max(1, candidate + stable)
    if not mark.overdue:
        turn = turn.tell(Reason.SHARE_REJECTED, Severity.PAGE, weight=mark.split.weight, share=round(share * 100, 2))
        turn = turn.at(traffic=replace(mark, overdue=True))
    if share * 100 > mark.split.weight:
        turn = turn.route_to(Split(turn.run.stable))
    return hold(turn, HeldCause.EXTERNAL, f"the data plane sends {share:.1%} to {turn.run.candidate}, not what was set")


def correct_drift(turn: Turn) -> Turn:
    """Someone else changed the split: more for the candidate is taken back, less is adopted and held.

    More in one way and less in another (a weight instead of a mirror) is both: the lower of each is adopted.
    What a listed GitOps tool wrote is put back instead, while the guard is well.
    """
    mark, route = turn.position.traffic, turn.route
    if mark is None or route is None or turn.observing or route.table == table_of(mark.split):
        return turn
    if _on_its_way(turn, mark, route):
        return turn
    restored = _restore(turn, mark, route)
    if restored is not None:
        return restored
    if route.table is not None and route.table.exposes_more(mark.split.table(), turn.run.candidate):
        if may_be_anothers(turn, mark):
            return turn
        if raises(mark.split, route.table):
            return _adopt_lower(turn, mark, route.table)
        if mark.verified_at is None:
            return turn
        turn = turn.tell(Reason.DRIFT_CORRECTED, Severity.WARN, found=describe(route.table))
        return turn.at(traffic=replace(mark, verified_at=None, applied_at=turn.now, overdue=False))
    return _adopt_lower(turn, mark, route.table)


def _on_its_way(turn: Turn, mark: TrafficMark, route: RouteSeen) -> bool:
    """Is the route still what it was when the split was wanted? Over a stage that stood: and still the tool's work."""
    before = table_of(mark.before) if mark.before else None
    if mark.accepted_at is not None or route.table != before or turn.seen.break_glass is not None:
        return False
    return route.overwritten_by is not None or not stood(turn) or not raises(mark.split, route.table)


def _restore(turn: Turn, mark: TrafficMark, route: RouteSeen) -> Turn | None:
    """The split that stood is wanted once more; it is written as a raise from what was found."""
    found = before_restoring(turn)
    if found is None:
        return None
    turn = turn.tell(Reason.DRIFT_CORRECTED, Severity.WARN, actor=route.overwritten_by, found=describe(found.table()))
    return turn.at(traffic=TrafficMark(mark.split, before=found, applied_at=turn.now))


def _adopt_lower(turn: Turn, mark: TrafficMark, table: RouteTable | None) -> Turn:
    run = turn.run
    lower = Split(run.stable)
    if table is not None and mark.split.candidate is not None:
        same_cohort = dict(table.cohorts).get(run.candidate) == mark.split.cohort
        lower = Split(
            run.stable,
            run.candidate,
            weight=min(table.share(run.candidate), mark.split.weight),
            mirror=min(dict(table.mirrors).get(run.candidate, 0), mark.split.mirror),
            cohort=mark.split.cohort if same_cohort else (),
        )
    lower = lower if lower.exposes() else Split(run.stable)
    if turn.position.phase is Phase.ROLLING_BACK or not mark.split.exposes():
        return turn
    found = describe(table) if table else "no route"
    actor = turn.seen.break_glass
    turn = turn.tell(
        Reason.EXTERNAL_CHANGE, Severity.WARN, actor=actor, found=found, wanted=describe(mark.split.table())
    )
    turn = turn.with_run(stage_since=None).route_to(lower)
    return hold(
        turn, HeldCause.EXTERNAL, f"someone else lowered the traffic ({found}); `resume` goes back to the stage"
    )


def hold(turn: Turn, cause: HeldCause, message: str) -> Turn:
    """Weights stay as they are, the guard goes on. An existing hold for another cause than `blind` keeps its cause.

    A stalled run stays stalled: it is held when the spec is good again.
    """
    position = turn.position
    if position.phase is Phase.STALLED:
        return turn.at(held=position.held or cause)
    if position.phase is Phase.HELD and position.held is not HeldCause.BLIND:
        return turn.say(message) if position.held is cause else turn
    back = position.resume_phase if position.phase is Phase.HELD else Phase.PROGRESSING
    return turn.at(phase=Phase.HELD, held=cause, resume_phase=back, message=message)


def describe(table: RouteTable) -> str:
    """A split in words: `v11 90 %, v12 10 %, mirror v12 20 %`."""
    parts = [f"{name} {share} %" for name, share in table.shares]
    parts += [f"mirror {name} {share} %" for name, share in table.mirrors]
    parts += [f"cohort to {name}" for name, _ in table.cohorts]
    return ", ".join(parts) or "nothing"


def to_write(turn: Turn) -> Split | None:
    """The split to write now, or None.

    Lowering is written whenever it is not known to be held already. Raising is written only to complete a decided
    raise: the data plane still holds exactly what was routed before, and nothing was confirmed since. What a tool
    lowered is looked at anew each time: between the decision and a write that works, the guard may have gone blind.
    """
    mark = turn.position.traffic
    if mark is None or turn.observing:
        return None
    if not may_write(turn, mark):
        return None
    route, wanted = turn.route, table_of(mark.split)
    if route is None:
        return None if mark.split.exposes() or mark.verified_at is not None else mark.split
    if route.table == wanted:
        return mark.split if _only_roles_changed(mark) or not route.holds(mark.split) else None
    if _left_alone(turn, route):
        return None
    if not raises(mark.split, route.table):
        return mark.split
    before = table_of(mark.before) if mark.before else None
    fresh = mark.accepted_at is None and route.table == before
    allowed = before_restoring(turn) is not None if stood(turn) else turn.position.phase is Phase.PROGRESSING
    return mark.split if fresh and allowed else None


def _only_roles_changed(mark: TrafficMark) -> bool:
    """After a promotion: nothing moves, but what is written beside the route must say who is stable now."""
    before = mark.before
    return mark.accepted_at is None and before is not None and before.stable != mark.split.stable


def _left_alone(turn: Turn, route: RouteSeen) -> bool:
    """Stalled at rest: a person must say what is right; only a route that is gone is put back."""
    stalled = turn.position.phase is Phase.STALLED and not turn.position.under_way
    return stalled and route.table is not None


def raises(split: Split, table: RouteTable | None) -> bool:
    """Would writing `split` give its candidate more than `table` does?"""
    if split.candidate is None or not split.exposes():
        return False
    return split.table().exposes_more(table or RouteTable(), split.candidate)
