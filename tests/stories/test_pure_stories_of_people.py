"""Stories of people: what they ask for, approve, edit, change by hand or forget."""

from dataclasses import replace

from controller.domain.observation import Readiness
from controller.domain.request import Ask
from controller.domain.rollout import Mode, Startup
from controller.domain.slo import OnBreach
from controller.domain.state import HeldCause, Phase
from controller.domain.traffic import RouteTable
from controller.testing.builders import (
    CANDIDATE,
    STABLE,
    a_rollout,
    a_slo,
    a_stage,
    a_threshold,
    a_version,
    spec_seen,
    stages,
)
from controller.testing.drive import drive, drive_until
from controller.testing.truth import minutes
from controller.testing.world import a_world, story
from tests.stories.told import (
    BEGIN,
    BREACHED,
    CANARY,
    HOME,
    SHADOW,
    STAGES,
    a_good_world,
    back,
    budgets,
    turn_harmful,
    until_stage,
)


def test_a_pause_stops_the_advance_and_nothing_else() -> None:
    world = until_stage(a_good_world(), 1)
    world.ask(Ask.PAUSE, "ada", "lunch")
    drive(world, 40)
    assert story(world) == [*CANARY, "paused by ada", "-> Paused"]
    assert world.position.message == "paused by ada: lunch"
    world.ask(Ask.RESUME, "bob")
    drive(world, 3)
    assert story(world)[len(CANARY) + 2 :] == [
        *("resumed by bob", "-> Progressing", "stage_completed canary-10", "stage_entered full", "route: v12 100 %"),
        "stage_verified full",
    ]


def test_a_complete_stage_waits_for_its_approval() -> None:
    world = a_good_world(a_rollout(stages=(replace(STAGES[1], approvals=1), STAGES[2])))
    drive(world, 40)
    waiting = [
        *(*BEGIN, "loaded v12", "stage_entered canary-10", "-> Progressing", "route: v11 90 %, v12 10 %"),
        *("stage_verified canary-10", "awaiting_approval canary-10 *", "-> AwaitingApproval"),
    ]
    assert story(world) == waiting
    world.ask(Ask.APPROVE)
    drive(world, 2)
    assert story(world)[len(waiting) : len(waiting) + 4] == [
        *("approved by ada", "-> Progressing", "stage_completed canary-10", "stage_entered full"),
    ]


def test_an_undecided_stage_is_held_at_its_deadline() -> None:
    canary = a_stage("canary", weight=10, min_samples=10**6, max_duration=minutes(5))
    world = a_good_world(a_rollout(stages=(canary, a_stage("full"))))
    drive(world, 40)
    assert story(world)[-3:] == ["stage_verified canary", "held deadline *", "-> Held (deadline)"]
    assert "more judged answers" in world.position.message
    assert world.share(CANDIDATE) == 10, "a hold keeps the weights"
    world.ask(Ask.RESUME)
    drive(world, 30)
    assert story(world)[-4:] == ["resumed by ada", "-> Progressing", "held deadline *", "-> Held (deadline)"]


def test_lowered_by_someone_else_is_adopted_and_held() -> None:
    world = until_stage(a_good_world(), 1)
    world.plane.by_hand(RouteTable(((STABLE, 97), (CANDIDATE, 3))), world.true_now)
    drive(world, 30)
    assert story(world) == [*CANARY, "external_change *", "-> Held (external)"]
    assert world.share(CANDIDATE) == 3
    world.ask(Ask.RESUME)
    drive(world, 2)
    assert story(world)[-5:] == [
        *("resumed by ada", "stage_entered canary-10", "-> Progressing", "route: v11 90 %, v12 10 %"),
        "stage_verified canary-10",
    ]


def test_observe_says_what_it_would_do() -> None:
    world = a_good_world(a_rollout(stages=STAGES[1:], mode=Mode.OBSERVE))
    drive(world, 1)
    world.plane.table = RouteTable(((STABLE, 90), (CANDIDATE, 10)))
    turn_harmful(world)
    drive(world, 12)
    assert story(world) == [
        *(*BEGIN, "loaded v12", "stage_entered canary-10", "-> Progressing", "stage_verified canary-10"),
        *("breached harm", "would_roll_back breach *", "-> RollingBack", "-> RolledBack"),
    ]
    assert world.plane.writes == 0


def test_a_retry_after_a_breach_has_half_of_the_budget() -> None:
    world = a_world(a_rollout(stages=STAGES), v11=0.005, v12=0.6)
    drive(world, 10)
    assert story(world) == [*SHADOW, *BREACHED]
    world.ask(Ask.RETRY, "ada", "the judge was wrong")
    drive(world, 1)
    assert budgets(world) == {0.5}
    drive(world, 12)
    assert story(world)[len(SHADOW) + len(BREACHED) :] == [
        *("retried by ada", "run_started v12 v11 by ada", *SHADOW[2:], *BREACHED),
    ]


def test_a_return_inside_the_window_is_immediate_but_not_the_way_up_again() -> None:
    only_full = stages(shadow=0)
    world = a_good_world(a_rollout(stages=only_full))
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 40)
    promoted = len(story(world))
    world.commit(a_rollout(STABLE, stages=only_full))
    drive(world, 2)
    assert story(world)[promoted:] == ["returned v11", "-> Idle", "route: v11 100 %"]
    assert world.plane.table == HOME
    world.commit(a_rollout(CANDIDATE, stages=only_full))
    drive(world, 1)
    assert story(world)[promoted + 3 : promoted + 5] == ["run_started v12 v11", "-> Pending"]


def test_a_return_after_the_window_is_a_run() -> None:
    world = a_good_world(a_rollout(stages=stages(shadow=0), rollback_window=minutes(2)))
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 40)
    promoted = len(story(world))
    drive(world, 10)
    world.commit(a_rollout(STABLE, stages=stages(shadow=0), rollback_window=minutes(2)))
    drive(world, 1)
    assert story(world)[promoted : promoted + 4] == [
        "window_closed v12",
        "-> Idle",
        "run_started v11 v12",
        "-> Pending",
    ]


def test_suspended_stands_still_under_guard() -> None:
    world = until_stage(a_good_world(), 0)
    world.commit(a_rollout(stages=STAGES, suspend=True))
    drive(world, 40)
    assert story(world) == [*SHADOW, "spec_edited"]
    assert world.position.message == "suspended: nothing advances, the guard goes on"
    world.commit(a_rollout(stages=STAGES))
    drive(world, 2)
    assert story(world) == [*SHADOW, "spec_edited", "spec_edited", *CANARY[len(SHADOW) :]]


def test_a_candidate_that_never_loads_is_held_not_failed() -> None:
    versions = tuple(a_version(name, startup=Startup("/health", minutes(5))) for name in (STABLE, CANDIDATE))
    world = a_good_world(a_rollout(versions=versions, stages=STAGES))
    world.loading[CANDIDATE] = Readiness.LOADING
    drive(world, 16)
    assert story(world) == BEGIN
    drive(world, 8)
    assert story(world) == [*BEGIN, "held deadline *", "-> Held (deadline)"]
    assert world.plane.writes == 0
    world.ask(Ask.RESUME)
    drive(world, 1)
    world.loading.clear()
    drive(world, 2)
    assert story(world)[len(BEGIN) + 2 :] == ["resumed by ada", "-> Pending", *SHADOW[len(BEGIN) :]]


def test_a_deleted_spec_leaves_the_run_guarded_and_standing() -> None:
    world = until_stage(a_good_world(), 1)
    good = world.spec
    world.spec = spec_seen(good.spec, deleted=True)
    drive(world, 40)
    assert story(world) == [*CANARY, "stalled *", "-> Stalled"]
    assert "put it back" in world.position.message
    world.spec = good
    drive(world, 2)
    assert story(world)[len(CANARY) + 2 :][:3] == ["resumed", "-> Progressing", "stage_completed canary-10"]


def test_a_harmful_candidate_is_rolled_back_although_the_spec_is_gone() -> None:
    world = until_stage(a_good_world(), 1)
    world.spec = spec_seen(world.spec.spec, deleted=True)
    drive(world, 2)
    turn_harmful(world)
    drive(world, 12)
    assert story(world) == [*CANARY, "stalled *", "-> Stalled", *BREACHED, "stalled *", "-> Stalled"]
    assert world.plane.table == HOME


def test_an_abort_ends_it_and_asks_for_a_retry() -> None:
    world = until_stage(a_good_world(), 1)
    world.ask(Ask.ABORT, "ada", "not today")
    drive(world, 10)
    assert story(world) == [*CANARY, *back("aborted", " by ada"), "-> RolledBack"]
    world.ask(Ask.RETRY)
    drive(world, 1)
    assert budgets(world) == {1.0}, "after an abort the evidence is kept"


def test_a_value_outside_of_its_threshold_holds() -> None:
    cost = a_threshold("cost", 0.02, 3, on_breach=OnBreach.HOLD)
    world = until_stage(a_good_world(a_rollout(stages=STAGES, slos=(a_slo(), cost))), 1)
    world.truth.values["cost", CANDIDATE] = 0.5
    drive(world, 20)
    assert story(world) == [*CANARY, "held cost breach *", "-> Held (breach)"]
    assert world.position.held is HeldCause.BREACH
    assert world.share(CANDIDATE) == 10
