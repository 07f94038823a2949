"""Laws of whole journeys: what must come of a rollout that is good, harmful, unseen, disturbed or killed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from controller.domain.measure import BlindCause
from controller.domain.observation import Readiness
from controller.domain.request import Ask
from controller.domain.rollout import StageKind
from controller.domain.state import HeldCause, Phase
from controller.domain.traffic import RouteTable
from controller.testing.builders import CANDIDATE, STABLE, hashed, spec_seen
from controller.testing.drive import drive, drive_until, one_pass
from controller.testing.world import Step, World
from tests.laws.checks import check
from tests.laws.effort import effort
from tests.laws.journeys import GOOD, HARMFUL, Journey, home, journeys, tables, turn
from tests.laws.test_world_machine import BROKEN

CAUSES = st.sampled_from((BlindCause.QUERY_FAILED, BlindCause.ABSENT, BlindCause.STALE))


@effort(40)
@given(journeys())
def test_a_good_candidate_stands_on_every_stage_in_order_and_is_promoted(journey: Journey) -> None:
    world = journey.world()
    world.plane.delay = 20.0 if journey.ticks == 1 else 0.0
    for _ in range(40 * len(journey.rollout.stages)):
        drive(world)
        for _ in range(2):
            world.pass_time(timedelta(seconds=5))
            one_pass(world)
    assert world.position.phase is Phase.COMPLETED
    entered = [n.facts["stage"] for n in world.notices if n.reason.value == "stage_entered"]
    assert entered == [stage.name for stage in journey.rollout.stages]
    assert world.plane.table == RouteTable(((CANDIDATE, 100),))
    assert world.position.stable == CANDIDATE
    check(world)


@effort(40)
@given(journeys())
def test_a_candidate_that_turns_harmful_ends_at_zero_from_every_stage(journey: Journey) -> None:
    world = journey.at_stage()
    turn(world, HARMFUL)
    drive_until(world, home, 100)
    assert world.position.phase is Phase.ROLLED_BACK, world.timeline
    assert world.position.rejected, "a digest that breached may be tried again unasked"
    drive(world, 20)
    assert world.position.phase is Phase.ROLLED_BACK, "it was tried again unasked"
    check(world)


def _paused(world: World) -> None:
    world.ask(Ask.PAUSE)


def _broken(world: World) -> None:
    world.spec = spec_seen(world.spec.spec, problems=BROKEN)


def _deleted(world: World) -> None:
    world.spec = spec_seen(world.spec.spec, deleted=True)


def _lowered(world: World) -> None:
    run = world.position.run
    assert run is not None
    if run.current.kind is StageKind.FULL:
        world.plane.by_hand(RouteTable(((STABLE, 40), (CANDIDATE, 60))), world.true_now)


def _suspended(world: World) -> None:
    assert world.spec.spec is not None
    world.commit(hashed(replace(world.spec.spec, suspend=True)))


def _store_down(world: World) -> None:
    world.store_down = world.spool_down = True


DISTURBANCES = (_paused, _broken, _deleted, _lowered, _suspended, _store_down)


@effort(60)
@given(journeys(), st.sampled_from(DISTURBANCES))
def test_the_guard_is_on_in_every_phase(journey: Journey, disturb: Callable[[World], None]) -> None:
    world = journey.at_stage()
    disturb(world)
    drive(world, 2)
    phase = world.position.phase
    turn(world, HARMFUL)
    drive_until(world, lambda w: not w.exposed(CANDIDATE) and not w.position.under_way, 100)
    assert world.position.rejected, f"{phase} -> {world.position.phase}"
    check(world)


@effort(40)
@given(journeys(), CAUSES, st.sampled_from((None, CANDIDATE)))
def test_a_blind_run_stands_still_withdraws_and_comes_back(
    journey: Journey, cause: BlindCause, who: str | None
) -> None:
    world = journey.at_stage()
    world.truth.dark[None, who] = cause
    drive(world, 1)
    run = world.position.run
    assert run is not None
    assert (world.position.phase, world.position.held) == (Phase.HELD, HeldCause.BLIND)
    drive(world, 25)
    shadow = run.current.kind is StageKind.SHADOW
    assert world.exposed(CANDIDATE) is shadow, "blind for minutes: withdrawn, but in shadow there is nobody to protect"
    assert world.position.run is not None
    assert world.position.run.stage == run.stage, "a blind run moved"
    entered = sum(n.reason.value == "stage_entered" for n in world.notices)
    assert entered == run.stage + 1, "it came back while still blind"
    world.truth.dark.clear()
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 200)
    check(world)


@effort(25)
@given(journeys())
def test_without_judged_answers_nothing_is_promoted(journey: Journey) -> None:
    world = journey.world()
    world.truth.silent.add(CANDIDATE)
    drive(world, 120)
    assert world.position.run is not None
    assert world.position.run.stage == 0, "a stage was completed on no evidence"
    assert world.position.stable == STABLE
    check(world)


@effort(60)
@given(journeys(), st.sampled_from(Step), st.integers(0, 25), st.sampled_from((GOOD, HARMFUL)))
def test_killed_between_any_two_steps_it_ends_as_undisturbed_or_held(
    journey: Journey, step: Step, passes: int, bad: float
) -> None:
    quiet, killed = journey.world(bad), journey.world(bad)
    drive_until(quiet, _over, 300)
    drive_until(killed, lambda w: len(w.passes) >= passes or _over(w), 300)
    killed.crash_after = step
    one_pass(killed)
    drive_until(killed, lambda w: _over(w) or w.position.phase is Phase.HELD, 300)
    assert killed.crashes == 1
    assert killed.position.phase is Phase.HELD or killed.position.phase is quiet.position.phase
    assert killed.position.phase is Phase.HELD or killed.plane.table == quiet.plane.table
    check(killed)


def _over(world: World) -> bool:
    mark = world.position.traffic
    return (
        world.position.phase in (Phase.COMPLETED, Phase.ROLLED_BACK)
        and mark is not None
        and mark.verified_at is not None
    )


@effort(60)
@given(journeys(), tables())
def test_whatever_a_hand_writes_the_candidate_ends_within_its_stage(journey: Journey, table: RouteTable | None) -> None:
    world = journey.at_stage()
    before = world.plane.table
    world.plane.by_hand(table, world.true_now)
    one_pass(world)
    assert before is not None
    assert world.plane.table is not None, "a route that is gone was not put back"
    assert not world.plane.table.exposes_more(before, CANDIDATE), f"{table} was left as it is"
    run, spec = world.position.run, world.rollout
    assert run is not None
    fewer = before.exposes_more(table or RouteTable(), CANDIDATE)
    assert not fewer or world.position.held is HeldCause.EXTERNAL, "someone lowered the traffic and it went on"
    drive(world, 20)
    if fewer:
        assert world.position.held is HeldCause.EXTERNAL, "a person's hand was overruled"
        world.ask(Ask.RESUME)
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 40 * len(spec.stages))
    check(world)


@effort(40)
@given(journeys(), tables(), st.sampled_from((_broken, _deleted)))
def test_a_hold_survives_a_broken_spec(
    journey: Journey, table: RouteTable | None, harm: Callable[[World], None]
) -> None:
    world = journey.at_stage()
    good, before = world.spec, world.plane.table
    assert before is not None
    harm(world)
    drive(world, journey.ticks)
    world.plane.by_hand(table, world.true_now)
    drive(world, 2)
    world.spec = good
    drive(world, 15)
    if before.exposes_more(table or RouteTable(), CANDIDATE):
        assert world.position.held is HeldCause.EXTERNAL, "the spec was repaired and the hold was gone"
    check(world)


@effort(40)
@given(journeys(), st.booleans())
def test_a_pause_survives_a_broken_spec(journey: Journey, loading: bool) -> None:
    world = journey.world() if loading else journey.at_stage()
    if loading:
        world.loading[CANDIDATE] = Readiness.LOADING
        drive(world, 1)
    world.ask(Ask.PAUSE)
    one_pass(world)
    good = world.spec
    _broken(world)
    drive_until(world, lambda w: w.position.phase is Phase.STALLED, 2)
    world.spec = good
    drive(world, 20)
    assert world.position.phase is Phase.PAUSED, "the spec was repaired and the pause was gone"
    world.ask(Ask.RESUME)
    one_pass(world)
    assert world.position.phase is (Phase.PENDING if loading else Phase.PROGRESSING)
    check(world)


@effort(40)
@given(journeys(), st.sampled_from((0.0, 2.0, 5.0)), st.integers(0, 2))
def test_a_rollback_ends_at_zero_and_not_before(journey: Journey, linger: float, losing: int) -> None:
    world = journey.at_stage()
    world.plane.linger, world.plane.losing = linger, losing
    world.ask(Ask.ABORT)
    drive_until(world, lambda w: w.position.phase is Phase.ROLLED_BACK, 30)
    answered = world.plane.live[CANDIDATE] + world.plane.mirrored[CANDIDATE]
    drive(world, 4)
    assert world.plane.live[CANDIDATE] + world.plane.mirrored[CANDIDATE] == answered, "over before zero"
    assert home(world)
    check(world)


@effort(40)
@given(journeys(), st.sampled_from((*DISTURBANCES, None)))
def test_a_quiet_world_settles(journey: Journey, disturb: Callable[[World], None] | None) -> None:
    """At a fixed instant, nothing new to see: after a few passes position, route and journal stand still."""
    world = journey.at_stage()
    if disturb is not None:
        disturb(world)
    for _ in range(12):
        one_pass(world)
    position, notices, writes = world.position, len(world.notices), world.plane.writes
    for _ in range(6):
        one_pass(world)
    assert world.position == position, "the position flaps"
    assert len(world.notices) == notices, "the same is told again and again"
    assert world.plane.writes == writes, "the same is written again and again"
    check(world)


@effort(40)
@given(journeys(), st.sampled_from((-26.0, -1.0, -0.01)))
def test_a_clock_set_back_costs_no_more_than_the_wait_itself(journey: Journey, hours: float) -> None:
    world = journey.at_stage()
    world.plane.linger = 3.0
    world.ask(Ask.ABORT)
    one_pass(world)
    world.pass_time(timedelta(seconds=1))
    one_pass(world)
    world.jump(timedelta(hours=hours))
    drive_until(world, lambda w: w.position.phase is Phase.ROLLED_BACK, 10)
    assert home(world)
    check(world)


@effort(30)
@given(journeys(), st.sampled_from((-8760.0, -1.0, 0.0, 1.0, 8760.0)), st.integers(1, 3))
def test_time_in_which_nobody_looked_is_no_soak(journey: Journey, hours: float, starts: int) -> None:
    """A jump while the daemon is down looks like a downtime, and neither is a time in which the stage was watched."""
    world = journey.at_stage()
    drive(world, 2)
    before = world.position.run
    assert before is not None
    if world.position.phase is not Phase.PROGRESSING or before.stage_since is None:
        return
    stood = world.now - before.stage_since
    world.jump(timedelta(hours=hours))
    for _ in range(starts):
        world.kill()
        for _ in range(2):
            one_pass(world)
    run = world.position.run
    assert run is not None
    assert run.stage == before.stage, "a stage was completed by a time in which nobody looked"
    assert run.stage_since is not None
    assert world.now - run.stage_since <= stood, "it counts as soak"
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 100)
    check(world)


@effort(20)
@given(journeys(), st.sampled_from((-8760.0, 8760.0)))
def test_time_in_which_nobody_looked_ends_no_watch_after_a_promotion(journey: Journey, hours: float) -> None:
    world = journey.world()
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 400)
    drive(world, 2)
    world.jump(timedelta(hours=hours))
    world.kill()
    one_pass(world)
    assert world.position.phase is Phase.COMPLETED, "the guard was given up"
    check(world)
    turn(world, HARMFUL)
    drive_until(world, lambda w: w.position.stable == STABLE, 100)


@effort(30)
@given(journeys(), st.booleans(), st.sampled_from(("blind", "silent")))
def test_after_a_clock_jump_blind_is_still_blind(journey: Journey, back: bool, how: str) -> None:
    world = journey.at_stage()
    drive(world, 1)
    world.jump(timedelta(hours=-8 if back else 0))
    if how == "blind":
        world.truth.dark[None, None] = BlindCause.QUERY_FAILED
    else:
        world.truth.silent = {CANDIDATE, STABLE}
    drive(world, 70)
    run = world.position.run
    assert run is not None
    on_shadow = run.current.kind is StageKind.SHADOW
    assert world.position.phase in (Phase.HELD, Phase.COMPLETED)
    assert on_shadow or world.position.phase is Phase.COMPLETED or not world.exposed(CANDIDATE)
    check(world)


@effort(30)
@given(journeys(), st.integers(1, 3))
def test_lost_evidence_never_advances_and_costs_half(journey: Journey, ticks: int) -> None:
    world = journey.at_stage()
    run = world.position.run
    world.memory.evidence = None
    world.archive.clear()
    world.truth.silent.add(CANDIDATE)
    drive(world, ticks + 5)
    assert world.position.run is not None
    assert run is not None
    assert world.position.run.stage == run.stage, "went on although the evidence is gone"
    assert world.memory.evidence is not None
    budgets = {stream.budget for slo in world.memory.evidence.slos for stream in slo.streams}
    assert budgets == {0.5}
    assert any(n.reason.value == "evidence_lost" for n in world.notices)
    check(world)
