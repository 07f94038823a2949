"""Laws of a guard whose lease ran out: it takes away as ever, and nothing goes up until it is held again."""

from hypothesis import given
from hypothesis import strategies as st

from controller.domain.request import Ask
from controller.domain.state import Phase
from controller.domain.traffic import RouteTable
from controller.testing.builders import CANDIDATE, STABLE
from controller.testing.drive import drive, drive_until, one_pass
from controller.testing.world import QUICK, World
from tests.laws.checks import check
from tests.laws.effort import effort
from tests.laws.journeys import HARMFUL, Journey, home, journeys, turn

AWAY = "API server away: guarding only"


@effort(40)
@given(journeys())
def test_a_good_candidate_stands_still_and_goes_on_when_it_is_held_again(journey: Journey) -> None:
    world = journey.at_stage()
    before, run = world.plane.table, world.position.run
    assert run is not None
    world.guarding = AWAY
    drive(world, 40)
    assert world.position.run is not None
    assert (world.position.run.stage, world.position.phase) == (run.stage, Phase.PROGRESSING), world.position.message
    assert world.plane.table == before
    assert world.position.message == AWAY, "nobody is told what it waits for"
    world.guarding = ""
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 200)
    check(world)


@effort(40)
@given(journeys(), st.booleans())
def test_a_harmful_candidate_ends_at_zero(journey: Journey, store_down: bool) -> None:
    world = journey.at_stage()
    world.guarding, world.store_down = AWAY, store_down
    drive(world, 1)
    turn(world, HARMFUL)
    drive_until(world, home, 100)
    assert world.position.phase is Phase.ROLLED_BACK, world.timeline
    check(world)


@effort(40)
@given(journeys())
def test_a_raise_that_was_decided_before_waits(journey: Journey) -> None:
    world = journey.world()
    while world.position.phase is not Phase.PENDING:
        world.pass_time(QUICK)
        one_pass(world)
    world.plane.unwritable = True
    drive_until(world, lambda w: w.position.phase is Phase.PROGRESSING, 20)
    world.guarding, world.plane.unwritable = AWAY, False
    drive(world, 5)
    assert not world.exposed(CANDIDATE)
    world.guarding = ""
    drive_until(world, lambda w: w.exposed(CANDIDATE), 20)
    check(world)


@effort(20)
@given(journeys(), st.sampled_from((Ask.RESUME, Ask.RETRY)))
def test_who_asks_to_go_on_is_told_to_ask_again(journey: Journey, ask: Ask) -> None:
    world = journey.at_stage()
    world.ask(Ask.PAUSE if ask is Ask.RESUME else Ask.ABORT)
    drive_until(world, lambda w: w.position.phase in (Phase.PAUSED, Phase.ROLLED_BACK), 10)
    phase, world.guarding = world.position.phase, AWAY
    world.ask(ask)
    one_pass(world)
    assert world.position.phase is phase
    assert _refused(world) == f"{AWAY}; ask again when it is back"
    check(world)


@effort(30)
@given(journeys(), st.sampled_from((0, 1, 30, 100)))
def test_without_the_database_what_another_did_is_not_undone(journey: Journey, weight: int) -> None:
    """It may have been the process that guards by now. A breach is this one's own to act on."""
    world = journey.at_stage()
    drive_until(world, lambda w: w.position.traffic is not None and w.position.traffic.verified_at is not None, 5)
    world.guarding, world.store_down = AWAY, True
    theirs = RouteTable(tuple((name, share) for name, share in ((STABLE, 100 - weight), (CANDIDATE, weight)) if share))
    world.plane.by_hand(theirs, world.true_now)
    writes = world.plane.writes
    drive(world, 3)
    assert world.plane.table == theirs
    assert world.plane.writes == writes
    check(world)


def _refused(world: World) -> object:
    return next(n.facts["why"] for n in reversed(world.notices) if n.reason.value == "refused")
