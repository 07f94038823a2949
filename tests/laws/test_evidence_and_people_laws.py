"""Laws of evidence, people and shares: what is learned is kept, who asks is heard, what was set is held."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.measure import BlindCause
from controller.domain.request import Ask
from controller.domain.rollout import Require
from controller.domain.slo import OnBreach
from controller.domain.state import HeldCause, Phase
from controller.domain.traffic import RouteTable
from controller.testing.builders import CANDIDATE, STABLE, a_rollout, a_slo, a_stage, hashed, spec_seen, stages
from controller.testing.drive import drive, drive_until, one_pass
from controller.testing.world import a_world
from tests.laws.checks import check
from tests.laws.effort import effort
from tests.laws.journeys import GOOD, HARMFUL, Journey, at, home, journeys, turn
from tests.laws.test_world_machine import BROKEN


@effort(30)
@given(st.integers(0, 2**32 - 1), st.sampled_from((2, 3, 5)))
def test_evidence_gathers_over_many_short_stages(seed: int, factor: int) -> None:
    """No stage alone holds enough, all together do: evidence belongs to the digest, not to the stage."""
    slo = a_slo("harm", 0.02)
    ladder = stages(*range(10, 70, 2), shadow=0, min_duration=timedelta(seconds=15))
    world = a_world(a_rollout(slos=(slo,), stages=ladder), seed, v11=0.002, v12=0.02 * factor)
    world.rate = 12.0  # about 2,000 answers in all: nine in ten breaches of 2x are seen by 1,200
    drive_until(world, lambda w: w.position.phase in (Phase.ROLLED_BACK, Phase.COMPLETED), 400)
    assert world.position.phase is Phase.ROLLED_BACK, "a harmful candidate slipped through many short stages"
    check(world)


@effort(20)
@given(journeys())
def test_a_hold_class_breach_holds_and_never_rolls_back(journey: Journey) -> None:
    slos = tuple(replace(slo, on_breach=OnBreach.HOLD) for slo in journey.rollout.slos)
    journey = replace(journey, rollout=hashed(replace(journey.rollout, slos=slos)))
    world = journey.at_stage()
    turn(world, HARMFUL)
    drive_until(world, lambda w: w.position.phase is not Phase.PROGRESSING, 100)
    assert (world.position.phase, world.position.held) == (Phase.HELD, HeldCause.BREACH)
    table = world.plane.table
    drive(world, 20)
    assert world.plane.table == table, "weights stay as they are"
    turn(world, 0.0)
    world.ask(Ask.RESUME)
    drive(world, 2)
    assert world.memory.evidence is not None
    budgets = {s.budget for slo in world.memory.evidence.slos for s in slo.streams}
    assert budgets == {0.5}, "an alarm was paid for twice"
    check(world)


@effort(20)
@given(journeys(), st.integers(1, 2))
def test_people_stop_and_start_it(journey: Journey, approvals: int) -> None:
    """A pause stops the advance, approvals by the same person count once, `abort` works from everywhere."""
    spec = journey.rollout
    asked = tuple(replace(stage, approvals=approvals) for stage in spec.stages)
    world = replace(journey, rollout=hashed(replace(spec, stages=asked)), stage=0).at_stage()
    drive_until(world, lambda w: w.position.phase is Phase.AWAITING_APPROVAL, 60)
    for _ in range(approvals):
        world.ask(Ask.APPROVE, "ada")
        drive(world, 2)
    run = world.position.run
    assert run is not None
    assert run.stage == (0 if approvals == 2 else 1) or world.position.phase is Phase.COMPLETED
    if approvals == 2:
        world.ask(Ask.PAUSE)
        drive(world, 2)
        world.ask(Ask.APPROVE, "bob")
        drive(world, 4)
        assert world.position.phase is Phase.PAUSED
        world.ask(Ask.ABORT)
        drive_until(world, home, 10)
    check(world)


@effort(20)
@given(journeys(), st.sampled_from(list(HeldCause)))
def test_an_abort_is_heard_in_every_hold(journey: Journey, cause: HeldCause) -> None:
    world = journey.at_stage()
    world.memory.position = replace(
        world.position, phase=Phase.HELD, held=cause, resume_phase=Phase.PROGRESSING, message="held by the test"
    )
    world.ask(Ask.ABORT)
    drive_until(world, home, 10)
    assert world.position.phase is Phase.ROLLED_BACK
    assert world.position.breach is not None
    assert world.position.breach.actor == "ada"


@effort(20)
@given(journeys(), st.sampled_from((0, 3, 10)))
def test_observe_tells_the_same_and_writes_nothing(journey: Journey, ticks: int) -> None:
    world = journey.world(GOOD)
    world.observe_only = True
    drive(world, 60)
    assert world.plane.writes == 0
    assert world.position.stable == STABLE
    assert not any(n.reason.value == "rollback_verified" for n in world.notices)
    check(world)


@pytest.mark.parametrize("cause", [Ask.RETRY])
@pytest.mark.parametrize("seed", range(5))
def test_a_retry_after_a_breach_has_half_of_the_budget(cause: Ask, seed: int) -> None:
    world = a_world(a_rollout(), seed, v11=GOOD, v12=HARMFUL)
    for times, left in ((1, 0.5), (2, 0.25)):
        drive_until(world, lambda w: w.position.phase is Phase.ROLLED_BACK, 60)
        world.ask(cause)
        one_pass(world)
        assert world.position.phase is Phase.PENDING, times
        assert world.memory.evidence is not None
        assert {s.budget for slo in world.memory.evidence.slos for s in slo.streams} == {left}
    check(world)


@effort(20)
@given(st.integers(0, 2**32 - 1), st.sampled_from((10, 60)))
def test_proof_is_proof(seed: int, samples: int) -> None:
    """`require: proven` is not left on a short clean streak, only on E-PROM."""
    stage = a_stage("canary", "canary-20", weight=20, require=Require.PROVEN, min_samples=samples)
    world = a_world(a_rollout(slos=(a_slo("harm", 0.02),), stages=(stage, a_stage("full"))), seed, v11=0.0, v12=0.0)
    drive_until(world, lambda w: w.position.run is not None and w.position.run.stage == 1, 200)
    assert world.memory.evidence is not None
    assert world.memory.evidence.slos[0].streams[0].proof.total >= 4.4 / 0.02
    check(world)


@effort(20)
@given(st.integers(0, 2**32 - 1), st.sampled_from((0.3, 1.7)))
def test_a_share_that_is_not_what_was_set_is_stopped(seed: int, factor: float) -> None:
    world = a_world(a_rollout(stages=stages(40, shadow=0, min_duration=timedelta(hours=1))), seed, v11=GOOD, v12=GOOD)
    drive_until(world, lambda w: at(w, 0), 20)
    drive(world, 2)
    world.plane.skew[CANDIDATE] = factor
    drive_until(world, lambda w: w.position.phase is Phase.HELD, 60)
    assert world.position.held is HeldCause.EXTERNAL
    assert factor < 1 or not world.exposed(CANDIDATE), "more than was set must be taken away"
    told = sum(n.reason.value == "share_rejected" for n in world.notices)
    drive(world, 10)
    assert sum(n.reason.value == "share_rejected" for n in world.notices) == told == 1, "told again and again"
    check(world)


def test_a_used_up_mirror_is_not_blind() -> None:
    """A shadow that mirrored all it may mirrors no more; silence after that is no blindness."""
    shadow = a_stage("shadow", mirror=50, max_mirrored=500, min_duration=timedelta(minutes=30), min_samples=200)
    world = a_world(a_rollout(stages=(shadow, a_stage("full"))), v11=GOOD, v12=GOOD)
    drive(world, 110)
    assert world.plane.mirrored[CANDIDATE] < 700
    assert world.position.phase is Phase.PROGRESSING, world.position.message
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 100)
    check(world)


def test_a_finished_run_cannot_be_aborted() -> None:
    """Promoted, then the spec breaks: `abort` must not bring the old version back."""
    world = a_world(v11=GOOD, v12=GOOD)
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 100)
    world.spec = spec_seen(world.spec.spec, problems=BROKEN)
    drive(world, 5)
    world.ask(Ask.ABORT)
    drive(world, 2)
    assert world.plane.table == RouteTable(((CANDIDATE, 100),))


def test_a_breach_while_leaving_is_remembered() -> None:
    """Aborted for another reason, seen to breach on its way out: not tried again unasked."""
    world = a_world(a_rollout(stages=stages(50, shadow=0)), v11=GOOD, v12=GOOD)
    drive_until(world, lambda w: at(w, 0), 20)
    world.plane.linger = 100.0
    assert world.spec.spec is not None
    world.commit(hashed(replace(world.spec.spec, version=STABLE)))
    drive(world, 1)
    turn(world, 1.0)
    drive_until(world, lambda w: w.position.phase is Phase.IDLE, 30)
    world.commit(hashed(replace(world.spec.spec, version=CANDIDATE)))
    drive(world, 10)
    assert world.position.phase is Phase.IDLE
    assert not world.exposed(CANDIDATE)
    check(world)


@effort(20)
@given(journeys())
def test_a_breach_stays_visible_when_sight_is_lost(journey: Journey) -> None:
    """Bad answers were counted, then the metrics went away: what is known is acted on all the same."""
    world = journey.at_stage()
    known = world.memory.evidence
    assert known is not None
    worst = tuple(replace(slo, streams=tuple(replace(s, log_s=(9.0,) * 6) for s in slo.streams)) for slo in known.slos)
    world.memory.evidence = replace(known, slos=worst)
    world.truth.dark[None, None] = BlindCause.QUERY_FAILED
    drive_until(world, home, 5)
    assert world.position.rejected
    check(world)
