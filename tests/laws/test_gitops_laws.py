"""Laws of the one exception: a listed GitOps tool that wrote over a stage that stood is undone, and nobody else is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from controller.domain.measure import BlindCause
from controller.domain.request import Ask
from controller.domain.slo import OnBreach
from controller.domain.state import HeldCause, Phase
from controller.domain.traffic import RouteTable
from controller.testing.builders import CANDIDATE, STABLE, hashed
from controller.testing.drive import drive, drive_until, one_pass
from controller.testing.world import World
from tests.laws.checks import check
from tests.laws.effort import effort
from tests.laws.journeys import HARMFUL, Journey, journeys, turn

CAUSES = st.sampled_from((BlindCause.QUERY_FAILED, BlindCause.ABSENT, BlindCause.STALE))
TOOL = "argocd-controller"
HOME = RouteTable(((STABLE, 100),))


def _stands(world: World) -> bool:
    return world.position.run is not None and world.position.run.stage_since is not None


def _standing(journey: Journey, *, paused: bool = False) -> World:
    """At a stage that was verified and counts; paused there, or not."""
    world = journey.at_stage()
    drive_until(world, _stands, 5)
    if paused:
        world.ask(Ask.PAUSE)
        one_pass(world)
    return world


def _edited(journey: Journey, **stage: object) -> Journey:
    """Every stage changed, and SLOs that hold."""
    slos = tuple(replace(slo, on_breach=OnBreach.HOLD) for slo in journey.rollout.slos)
    stages = tuple(replace(one, **stage) for one in journey.rollout.stages)  # type: ignore[arg-type]  # by name
    return replace(journey, rollout=hashed(replace(journey.rollout, slos=slos, stages=stages)))


def _synced(world: World, table: RouteTable = HOME) -> None:
    world.plane.by_hand(table, world.true_now, tool=TOOL)


@effort(40)
@given(journeys(), st.sampled_from((None, 0, 3)))
def test_what_a_gitops_tool_writes_over_a_stage_is_undone(journey: Journey, weight: int | None) -> None:
    world = _standing(journey)
    before = world.plane.table
    shares = [(STABLE, 100 - (weight or 0)), (CANDIDATE, weight or 0)]
    committed = RouteTable(tuple((name, share) for name, share in shares if share))
    _synced(world, committed)
    one_pass(world)
    assert world.plane.table == before, "what the tool wrote was taken for a wish"
    assert world.position.phase is not Phase.HELD
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 40 * len(world.rollout.stages))
    _synced(world, committed)
    drive(world, 1)
    assert world.plane.table == RouteTable(((CANDIDATE, 100),)), "what was promoted was undone by a tool"
    check(world)


@effort(40)
@given(journeys(), CAUSES, st.booleans())
def test_a_blind_guard_lets_a_gitops_tool_lower(journey: Journey, cause: BlindCause, paused: bool) -> None:
    world = _standing(journey, paused=paused)
    world.truth.dark[None, None] = cause
    drive(world, 1)
    _synced(world)
    drive(world, 2)
    assert not world.exposed(CANDIDATE), "raised without seeing"
    assert world.position.phase in (Phase.HELD, Phase.PAUSED)
    check(world)


@effort(30)
@given(journeys())
def test_what_is_over_a_limit_may_be_lowered_by_a_gitops_tool(journey: Journey) -> None:
    """A pause is no hold: the breach of a hold-class SLO is seen in it, and the stage's weight is not put back."""
    world = _standing(_edited(journey), paused=True)
    turn(world, HARMFUL)
    drive_until(world, lambda w: w.passes[-1].decision.judgement.breach(OnBreach.HOLD) is not None, 100)
    _synced(world)
    drive(world, 2)
    assert not world.exposed(CANDIDATE), "raised over a limit"
    check(world)


@effort(30)
@given(journeys())
def test_a_held_stage_is_not_put_back(journey: Journey) -> None:
    """Undecided until its deadline: nothing speaks against its weight, but a person must say how it goes on."""
    soak, limit = timedelta(hours=2), timedelta(minutes=4)
    world = _standing(replace(_edited(journey, min_duration=soak, max_duration=limit), stage=0))
    drive_until(world, lambda w: w.position.held is HeldCause.DEADLINE, 40)
    _synced(world)
    drive(world, 2)
    assert not world.exposed(CANDIDATE), "raised while held"
    check(world)


@effort(20)
@given(journeys())
def test_a_stage_that_never_stood_is_not_put_back(journey: Journey) -> None:
    """A tool wrote before the data plane was seen to hold the stage: nothing says that its weight was ever right."""
    world = journey.world()
    world.plane.delay = 20.0
    last = len(journey.rollout.stages) - 1
    drive_until(world, lambda w: w.position.run is not None and w.position.run.stage == last, 200)
    drive_until(world, lambda w: w.position.phase is Phase.PROGRESSING, 40)
    assert not _stands(world)
    _synced(world, RouteTable(((CANDIDATE, 2), (STABLE, 98))))
    drive(world, 2)
    assert world.position.held is HeldCause.EXTERNAL, "what the tool wrote was undone before the stage stood"
    check(world)


def _unseen(world: World) -> None:
    world.truth.dark[None, None] = BlindCause.QUERY_FAILED


def _store_down(world: World) -> None:
    world.store_down = world.spool_down = True


def _the_same_by_hand(world: World) -> None:
    world.plane.by_hand(world.plane.table, world.true_now)


def _glass_broken(world: World) -> None:
    world.break_glass = "grace"


@effort(60)
@given(journeys(), st.sampled_from((_unseen, _store_down, _the_same_by_hand, _glass_broken)), st.booleans())
def test_a_gitops_tool_is_undone_only_while_all_is_well(
    journey: Journey, spoil: Callable[[World], None], paused: bool
) -> None:
    """It was decided and could not be written; by the time it can be, something speaks against it."""
    world = _standing(journey, paused=paused)
    world.plane.unwritable = True
    _synced(world)
    one_pass(world)
    spoil(world)
    drive(world)
    world.plane.unwritable = False
    drive(world, 3)
    assert not world.exposed(CANDIDATE), "raised although something speaks against it"
    if spoil in (_the_same_by_hand, _glass_broken):
        assert world.position.held is HeldCause.EXTERNAL, "a person's hand was taken for the tool's"
    check(world)


@effort(40)
@given(journeys(), st.booleans())
def test_who_broke_the_glass_is_heard_though_a_gitops_tool_wrote_since(journey: Journey, paused: bool) -> None:
    world = _standing(journey, paused=paused)
    _glass_broken(world)
    _synced(world)
    drive(world, 2)
    assert not world.exposed(CANDIDATE), "raised although a person sent everything home"
    assert world.position.held is HeldCause.EXTERNAL
    check(world)
