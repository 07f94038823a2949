"""Stories of a judge that is slow: its bad verdicts come last, and a proof waits for them; a rollback does not."""

from dataclasses import replace

from controller.domain.rollout import ModelRollout, Require
from controller.domain.slo import JudgePolicy, RatioIndicator, Selector
from controller.domain.state import Phase
from controller.testing.builders import CANDIDATE, a_rollout, a_slo, stages
from controller.testing.drive import drive, drive_until
from controller.testing.truth import minutes
from controller.testing.world import World, a_world
from tests.stories.told import turn_harmful, until_stage

STRICT = stages(10, min_duration=minutes(3), require=Require.PROVEN)


def asking(eligible: bool = True) -> ModelRollout:
    """Proven in every stage; with `eligible`, what waits for the judge is counted."""
    selector = Selector("harm_sampled_total") if eligible else None
    indicator = RatioIndicator(Selector("harm_bad_total"), Selector("harm_total"), eligible=selector)
    policy = JudgePolicy(0.05, minutes(10), latency=minutes(0.5))
    return a_rollout(slos=(a_slo(indicator=indicator, judge=policy),), stages=STRICT)


def a_slow_judge(rollout: ModelRollout) -> World:
    """Three of ten answers of v12 wait, and every bad one is among them."""
    world = until_stage(a_world(rollout, v11=0.0, v12=0.0), 1)
    world.truth.unjudged[CANDIDATE] = 0.3
    return world


def stage_of(world: World) -> str:
    assert world.position.run is not None
    return world.position.run.current.name


def test_a_proof_waits_for_the_verdicts_that_are_late() -> None:
    world = a_slow_judge(asking())
    drive(world, 60)
    assert stage_of(world) == "canary-10"
    assert "answers that are older than 30 s are judged" in world.position.message
    assert "95% are needed" in world.position.message


def test_without_counting_them_it_would_have_been_promoted() -> None:
    world = a_slow_judge(asking(eligible=False))
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 200)


def test_when_they_come_and_are_bad_it_is_rolled_back() -> None:
    rollout = asking()
    world = a_slow_judge(rollout)
    drive(world, 60)
    turn_harmful(world)
    world.truth.catch_up(rollout.slos[0], CANDIDATE)
    drive_until(world, lambda w: w.position.phase is Phase.ROLLED_BACK, 20)


def test_when_they_come_and_are_good_it_goes_on() -> None:
    rollout = asking()
    world = a_slow_judge(rollout)
    drive(world, 60)
    world.truth.unjudged.clear()
    world.truth.catch_up(rollout.slos[0], CANDIDATE)
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 200)


def test_a_breach_does_not_wait_for_a_slow_judge() -> None:
    world = a_slow_judge(asking())
    turn_harmful(world)
    drive_until(world, lambda w: w.position.phase is Phase.ROLLED_BACK, 20)


def test_answers_that_cannot_be_counted_hold_the_proof_and_blind_nobody() -> None:
    world = until_stage(a_world(asking(), v11=0.0, v12=0.0), 1)
    world.truth.uncounted.add(CANDIDATE)
    drive(world, 60)
    assert (world.position.phase, stage_of(world)) == (Phase.PROGRESSING, "canary-10")
    assert "cannot be counted now (`indicator.ratio.eligible`)" in world.position.message
    world.truth.uncounted.clear()
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 200)


def test_samples_of_a_stage_are_answers_of_that_stage() -> None:
    """minSamples counts no verdict that may be about an answer of the stage before."""
    many = tuple(replace(stage, require=Require.NO_BREACH, min_samples=1) for stage in STRICT)
    world = until_stage(a_world(replace(asking(), stages=many), v11=0.0, v12=0.0), 1)
    run = world.position.run
    assert run is not None
    assert run.stage_since is not None
    drive_until(world, lambda w: w.passes[-1].decision.judgement.streams[0].stage_total > 0, 60)
    assert world.now - run.stage_since >= minutes(0.5)
