"""The invariants of the design, asked of one pass: what went in, what came out, what the data plane held."""

from collections.abc import Callable

from controller.decision.tick import tick
from controller.domain.rollout import StageKind
from controller.domain.slo import OnBreach
from controller.domain.state import HeldCause, Phase, Position, Run
from controller.domain.traffic import RouteSeen, RouteTable, Split
from controller.domain.verdict import Verdict
from controller.testing.builders import STABLE, stage_split
from controller.testing.world import Passed, World
from tests.laws.checks_kept import evidence_is_kept, says_why, told
from tests.laws.checks_phases import nothing_lost_in_a_stall, phases_follow_the_design

NOTHING = RouteTable()
IN_RUN = (Phase.PROGRESSING, Phase.HELD, Phase.PAUSED, Phase.AWAITING_APPROVAL, Phase.STALLED)


def exposes_more(split: Split | None, than: RouteTable | None, run: Run | None) -> bool:
    """Does `split` give the run's candidate more than `than` does?"""
    return split is not None and run is not None and split.table().exposes_more(than or NOTHING, run.candidate)


def within_the_stage(p: Passed) -> None:
    """1: never more than the present stage allows; without a run under way, nothing."""
    after, run = p.decision.position, p.decision.position.run
    if run is None or after.phase is Phase.COMPLETED:
        return
    most = stage_split(run) if after.phase in IN_RUN and after.under_way else Split(run.stable)
    if after.stable != run.stable:
        return
    for split in (after.split(), p.decision.apply):
        assert not exposes_more(split, most.table(), run), f"{split} is more than {most} ({after.phase})"


def up_only_when_complete(p: Passed) -> None:
    """2 and 7: a weight goes up after a verified, complete stage, on fresh evidence, never blind."""
    before, after = p.before, p.decision.position
    old, new = before.run, after.run
    if old is None or new is None or old.id != new.id or not before.under_way:
        return
    promoted = after.phase is Phase.COMPLETED
    if not promoted and new.stage == old.stage:
        return
    assert promoted or new.stage == old.stage + 1, f"from stage {old.stage} to {new.stage}"
    assert not promoted or old.current.kind is StageKind.FULL, "promoted from another stage than full"
    _complete(p, old)


def a_stage_begins_verified(p: Passed) -> None:
    """2: a stage counts from when the data plane was seen to hold and accept its split."""
    old, new, mark = p.before.run, p.decision.position.run, p.decision.position.traffic
    if new is None or new.stage_since != p.seen.now or (old is not None and old.stage_since == p.seen.now):
        return
    if old is None or old.stage_since is not None or _observing(p):
        return
    assert mark is not None, "a stage began without traffic"
    assert mark.verified_at is not None, "a stage began before its traffic was verified"
    assert mark.split == stage_split(new) or new.current.kind is StageKind.SHADOW, "a stage began with another split"


def _complete(p: Passed, run: Run) -> None:
    stage, mark, spec = run.current, p.before.traffic, run.spec
    assert p.before.phase is Phase.PROGRESSING, f"advanced in {p.before.phase}"
    assert mark is not None, "advanced without traffic"
    assert mark.verified_at is not None, "advanced before its traffic was verified"
    assert p.seen.measured, "advanced between two metric ticks"
    assert run.stage_since is not None, "advanced a stage that never began"
    assert p.seen.now - run.stage_since >= stage.min_duration, "minDuration was ignored"
    assert len(run.approved_by) >= stage.approvals, "advanced without approval"
    assert not spec.suspend, "advanced while suspended"
    assert not p.seen.spec.problems, "advanced under a broken spec"
    assert not p.seen.spec.deleted, "advanced without a spec"
    _fresh(p, run)


def _fresh(p: Passed, run: Run) -> None:
    judgement, stage = p.decision.judgement, run.current
    for slo in run.spec.slos:
        found = [s for s in judgement.streams if s.slo == slo.name and s.against != "change"]
        assert found, f"{slo.name} was not judged"
        if slo.on_breach is OnBreach.ALERT:
            continue
        for s in found:
            assert s.verdict not in (Verdict.BLIND, Verdict.BREACH), f"advanced while {s.slo} is {s.verdict}"
            assert s.log_e < 1.0987, "advanced with rollback evidence of 3 or more"
        pooled = found[0]
        if slo.threshold is None:
            assert pooled.stage_total >= max(1, stage.min_samples), f"{pooled.stage_total} judged in {stage.name}"
            assert stage.require.value != "proven" or pooled.proven, "advanced without the proof it requires"
        else:
            assert pooled.strikes == 0, "advanced with a value outside of its threshold"


def breach_goes_home(p: Passed) -> None:
    """3 and 4: a visible rollback-class breach is acted on in this very pass, from every phase, whatever else is."""
    before, after, run = p.before, p.decision.position, p.before.run
    if p.decision.judgement.breach(OnBreach.ROLLBACK) is None or run is None or not before.under_way:
        return
    assert after.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.IDLE, Phase.PENDING, Phase.STALLED), after.phase
    assert before.phase is Phase.PENDING or after.phase not in (Phase.PENDING, Phase.STALLED) or _waits(before), after
    assert not exposes_more(after.split(), NOTHING, run), "the split still wants the candidate"
    assert not exposes_more(p.decision.apply, NOTHING, run), "the candidate's traffic was raised or kept"
    held = p.seen.route.table if isinstance(p.seen.route, RouteSeen) else None
    if held is not None and held.exposes_more(NOTHING, run.candidate) and not _observing(p):
        assert p.decision.apply is not None, "a breach is visible, the candidate has traffic, nothing was written"


def _waits(position: Position) -> bool:
    """Loading, or stalled, held or paused while loading: there is no traffic to take away."""
    return position.resume_phase is Phase.PENDING or not exposes_more(position.split(), NOTHING, position.run)


def _observing(p: Passed, position: Position | None = None) -> bool:
    where = position or p.before
    spec = where.run.spec if where.run and where.under_way else p.seen.spec.spec
    return p.seen.observe_only or (spec is not None and spec.mode.value == "observe")


def correction_only_lowers(p: Passed) -> None:
    """5: what is written gives the candidate more only to complete a raise that was just decided, or the exception."""
    route, run, split = p.seen.route, p.decision.position.run, p.decision.apply
    if run is None or not exposes_more(split, route.table if isinstance(route, RouteSeen) else None, run):
        return
    mark = p.decision.position.traffic
    if split == Split(p.decision.position.stable or STABLE):
        return
    assert mark is not None, "raised without a mark"
    assert mark.accepted_at is None, "raised a split that was held before"
    assert isinstance(route, RouteSeen), "raised on a route that cannot be read"
    assert mark.before is not None, "raised from nothing"
    assert route.table == mark.before.table(), "raised although the route is not what it was"
    if run.stage_since is not None:
        # A stage that stood was raised already: whoever made it less since then, it is a correction.
        assert _stood(p), f"a stage that stood was raised again in {p.decision.position.phase}"
        return
    assert p.decision.position.phase is Phase.PROGRESSING, f"raised in {p.decision.position.phase}"
    known = p.before.traffic
    ours = (known.split, known.before) if known is not None else ()
    assert mark.before in ours, "raised from a split that somebody else left"


def more_is_written_down_first(p: Passed) -> None:
    """4 and 5: without the store nothing gives the candidate more, the exception included."""
    run = p.decision.position.run
    if p.wrote and exposes_more(p.decision.apply, p.held, run):
        assert p.stored, "gave the candidate more without having written it down"


def _stood(p: Passed) -> bool:
    """The exception: a listed GitOps tool wrote over a stage that stood, and nothing speaks against its weight."""
    run, evidence, spec = p.decision.position.run, p.decision.evidence, p.seen.spec
    tool = isinstance(p.seen.route, RouteSeen) and p.seen.route.overwritten_by is not None
    standing = p.decision.position.phase in (Phase.PROGRESSING, Phase.PAUSED, Phase.AWAITING_APPROVAL)
    well = evidence is not None and not any(slo.blind for slo in evidence.slos)
    quiet = not any(p.decision.judgement.breach(kind) for kind in (OnBreach.ROLLBACK, OnBreach.HOLD))
    good = spec.spec is not None and not spec.problems and not spec.deleted
    return tool and standing and run is not None and run.stage_since is not None and well and quiet and good


def wanted_goes_up_with_a_reason(p: Passed) -> None:
    """2 and 5: the wanted split rises only by entering a stage, and that is told."""
    before, after, run = p.before, p.decision.position, p.decision.position.run
    wanted = before.split()
    if after.phase is Phase.COMPLETED or not exposes_more(after.split(), wanted.table() if wanted else None, run):
        return
    assert after.phase is Phase.PROGRESSING, f"wants more in {after.phase}"
    assert any(n.reason.value == "stage_entered" for n in p.decision.notices), "wants more without entering a stage"


def below_is_adopted(p: Passed) -> None:
    """5: found below what was verified: adopted and held."""
    before, after, route, run = p.before, p.decision.position, p.seen.route, p.before.run
    standing = before.phase in (Phase.PROGRESSING, Phase.PAUSED, Phase.AWAITING_APPROVAL)
    if not standing or before.traffic is None or before.traffic.verified_at is None:
        return
    if not isinstance(route, RouteSeen) or _observing(p) or run is None:
        return
    table = before.traffic.split.table()
    if p.seen.guarding and p.seen.storeless and (route.table or NOTHING).exposes_more(table, run.candidate):
        return  # another process may have gone on to another kind of stage
    if _stood(p) and p.decision.apply == before.traffic.split:
        return
    if table.exposes_more(route.table or NOTHING, run.candidate):
        assert after.phase is not before.phase, "went on although someone lowered the traffic"
        settled = after.held is HeldCause.EXTERNAL
        assert not settled or not exposes_more(after.split(), route.table, run), "wants more than was found"


def blind_never_raises(p: Passed) -> None:
    """7: while something cannot be measured nothing is entered."""
    evidence, reasons = p.decision.evidence, [n.reason.value for n in p.decision.notices]
    if evidence is not None and p.before.under_way and any(slo.blind for slo in evidence.slos):
        told = [slo.blind.cause.value for slo in evidence.slos if slo.blind]
        late = {"judge_silent", "scenario_missing"}
        if p.before.phase is not Phase.PENDING or not set(told) <= late:
            assert "stage_entered" not in reasons, f"entered a stage while blind: {told}"
            assert "promoted" not in reasons, "promoted while blind"


def guarding_only_lowers(p: Passed) -> None:
    """8: what is guarded without being held is never raised, begun or promoted, and another's run is left alone."""
    if not p.seen.guarding:
        return
    route, old, new = p.seen.route, p.before, p.decision.position
    held = route.table if isinstance(route, RouteSeen) else None
    assert not exposes_more(p.decision.apply, held, new.run), f"raised to {p.decision.apply}"
    begun = {"adopted", "run_started", "stage_entered", "promoted", "returned"}
    assert not begun & {n.reason.value for n in p.decision.notices}, "something began"
    stood = old.traffic is not None and old.traffic.verified_at is not None and new.traffic == old.traffic
    moved = held is not None and new.traffic is not None and held != new.traffic.split.table()
    assert not (stood and moved and p.seen.storeless) or p.decision.apply is None, "undid what may be another's"


def observing_writes_nothing(p: Passed) -> None:
    """`observe` judges and says; it writes no route."""
    if _observing(p, p.decision.position):
        assert p.decision.apply is None, f"wrote {p.decision.apply}"


def same_inputs_same_decision(p: Passed) -> None:
    """`tick` is a function: nothing but its arguments decides."""
    assert tick(p.before, p.evidence, p.seen) == p.decision


def zero_is_quiet(p: Passed) -> None:
    """Verified zero: our split is held and accepted, and no candidate request was counted for a second."""
    old, new, run = p.before.traffic, p.decision.position.traffic, p.before.run
    if new is None or old is None or new.verified_at != p.seen.now or old.verified_at == p.seen.now or run is None:
        return
    if _observing(p) or new.split.exposes() or p.before.phase is not Phase.ROLLING_BACK:
        return
    assert isinstance(p.seen.route, RouteSeen), "verified without seeing"
    assert p.seen.route.accepted, "verified before it was accepted"
    assert p.seen.route.table == new.split.table(), "verified another table"
    assert new.quiet_since is not None, "verified without having watched"
    assert (p.seen.now - new.quiet_since).total_seconds() >= 1, "verified without a quiet second"


def rolled_back_is_home(p: Passed) -> None:
    """9 and 3: a run is over at verified zero, and the route is stable's alone."""
    if p.before.phase is not Phase.ROLLING_BACK or p.decision.position.phase is Phase.ROLLING_BACK or _observing(p):
        return
    mark, run = p.decision.position.traffic, p.decision.position.run
    assert mark is not None
    assert run is not None
    assert mark.verified_at is not None, "the run is over before zero was verified"
    assert isinstance(p.seen.route, RouteSeen)
    assert p.seen.route.table == RouteTable(((run.stable, 100),)), "the route is not as it was"


INVARIANTS: tuple[Callable[[Passed], None], ...] = (
    within_the_stage,
    a_stage_begins_verified,
    up_only_when_complete,
    breach_goes_home,
    correction_only_lowers,
    more_is_written_down_first,
    wanted_goes_up_with_a_reason,
    below_is_adopted,
    blind_never_raises,
    told,
    says_why,
    observing_writes_nothing,
    guarding_only_lowers,
    evidence_is_kept,
    same_inputs_same_decision,
    phases_follow_the_design,
    nothing_lost_in_a_stall,
    zero_is_quiet,
    rolled_back_is_home,
)


def check(world: World, since: int = 0) -> int:
    """Every invariant over every pass from `since` on; answers where to go on. Shows the story when one fails."""
    for p in world.passes[since:]:
        for law in INVARIANTS:
            try:
                law(p)
            except AssertionError as error:
                tail = "\n".join(world.timeline[-25:])
                raise AssertionError(f"{law.__name__}: {error}\nafter:\n{tail}") from error
    return len(world.passes)
