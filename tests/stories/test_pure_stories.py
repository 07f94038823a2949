"""Whole rollouts in the simulated world, each told as the timeline that a person would read."""

from dataclasses import replace

from controller.domain.measure import BlindCause
from controller.domain.traffic import RouteTable
from controller.testing.builders import (
    CANDIDATE,
    STABLE,
    a_rollout,
    a_slo,
)
from controller.testing.drive import drive
from controller.testing.truth import minutes
from controller.testing.world import story
from tests.stories.told import (
    BREACHED,
    CANARY,
    FULL,
    HOME,
    SHADOW,
    STAGES,
    a_good_world,
    back,
    budgets,
    turn_harmful,
    until_stage,
)


def test_a_good_candidate_is_promoted() -> None:
    world = a_good_world()
    drive(world, 60)
    assert story(world) == [*FULL, "stage_completed full", "promoted v12", "-> Completed"]
    assert world.position.stable == CANDIDATE
    assert world.position.former == STABLE
    assert world.plane.table == RouteTable(((CANDIDATE, 100),))


def test_a_harmful_candidate_is_rolled_back_from_shadow() -> None:
    world = until_stage(a_good_world(), 0)
    turn_harmful(world)
    drive(world, 12)
    assert story(world) == [*SHADOW, *BREACHED]
    assert world.plane.live[CANDIDATE] == 0, "users saw answers of a candidate in shadow"
    assert world.plane.table == HOME


def test_a_harmful_candidate_is_rolled_back_from_the_canary() -> None:
    world = until_stage(a_good_world(), 1)
    turn_harmful(world)
    drive(world, 12)
    assert story(world) == [*CANARY, *BREACHED]
    assert world.position.breach is not None
    assert world.position.breach.exposed == world.plane.live[CANDIDATE]
    assert world.position.breach.verified_at is not None


def test_a_harmful_candidate_is_rolled_back_from_full() -> None:
    world = until_stage(a_good_world(), 2)
    turn_harmful(world)
    drive(world, 12)
    assert story(world) == [*FULL, *BREACHED]
    assert world.plane.table == HOME


def test_a_rollback_that_is_not_verified_wakes_somebody_and_goes_on_trying() -> None:
    world = until_stage(a_good_world(), 1)
    turn_harmful(world)
    world.plane.losing = 60
    drive(world, 16)
    assert story(world) == [
        *(*CANARY, "breached harm", "rollback_started breach", "-> RollingBack"),
        *("not_verified !", "route: v11 100 %", "rollback_verified breach *", "-> RolledBack"),
    ]


def test_blind_holds_then_withdraws_then_comes_back() -> None:
    world = until_stage(a_good_world(), 1)
    world.truth.dark[None, None] = BlindCause.QUERY_FAILED
    drive(world, 24)
    assert world.plane.table == HOME
    assert "cannot judge harm" in world.position.message
    world.truth.dark.clear()
    drive(world, 3)
    assert story(world) == [
        *(*CANARY, "blind harm query_failed", "-> Held (blind)", "withdrawn harm query_failed *", "route: v11 100 %"),
        *("sight_back", "stage_entered canary-10", "-> Progressing", "route: v11 90 %, v12 10 %"),
        "stage_verified canary-10",
    ]


def test_a_revert_rolls_back_and_is_no_crime() -> None:
    world = until_stage(a_good_world(), 1)
    world.commit(a_rollout(STABLE, stages=STAGES))
    drive(world, 2)
    assert story(world) == [*CANARY, *back("reverted"), "-> Idle"]
    assert not world.position.rejected


def test_a_third_version_takes_over() -> None:
    world = until_stage(a_good_world(), 1)
    world.commit(a_rollout("v13", stages=STAGES))
    drive(world, 2)
    assert story(world) == [
        *(*CANARY, *back("superseded"), "-> Idle", "run_started v13 v11", "-> Pending", "loaded v13"),
        *("stage_entered shadow", "-> Progressing", "route: v11 100 %, mirror v13 20 %", "stage_verified shadow"),
    ]


def test_durations_apply_at_once_and_other_stages_start_again() -> None:
    world = until_stage(a_good_world(), 1)
    world.commit(a_rollout(stages=tuple(replace(stage, min_duration=minutes(5)) for stage in STAGES)))
    drive(world, 1)
    assert story(world) == [*CANARY, "spec_edited"]
    world.commit(a_rollout(stages=STAGES[1:]))
    drive(world, 2)
    assert story(world)[len(CANARY) + 1 :] == [
        *(*back("edited"), "-> Idle", "run_started v12 v11", "-> Pending", "loaded v12"),
        *("stage_entered canary-10", "-> Progressing", "route: v11 90 %, v12 10 %", "stage_verified canary-10"),
    ]


def test_a_loosened_slo_starts_again_with_half_of_its_budget() -> None:
    world = until_stage(a_good_world(), 1)
    world.commit(a_rollout(stages=STAGES, slos=(a_slo(max_bad=0.2),)))
    drive(world, 2)
    assert story(world) == [*CANARY, *back("edited"), "-> Idle", *SHADOW[1:]]
    assert budgets(world) == {0.5}
