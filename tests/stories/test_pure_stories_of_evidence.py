"""Stories of evidence: what is not tolerated, what stable shows too, what turns bad after promotion."""

from dataclasses import replace

import pytest

from controller.domain.decision import Reason, Severity
from controller.domain.names import VersionName
from controller.domain.observation import Readiness
from controller.domain.request import Ask
from controller.domain.rollout import ModelRollout
from controller.domain.slo import JudgePolicy, Margin, OnBreach, Scenarios, Slo
from controller.domain.state import Cause, HeldCause, Phase
from controller.testing.builders import CANDIDATE, STABLE, a_rollout, a_slo, a_version, hashed, stages
from controller.testing.drive import drive, drive_until
from controller.testing.truth import minutes
from controller.testing.world import World, a_world, story
from tests.stories.told import HOME, STAGES, a_good_world, budgets, turn_harmful, until_stage


def strict() -> ModelRollout:
    """One slice of harm in which nothing is tolerated."""
    slo = replace(a_slo(scenarios=("cse",)), scenarios=Scenarios("hazard", "none", ("cse",), ("cse",)))
    return a_rollout(slos=(slo,), stages=STAGES)


def found_in_canary() -> World:
    """The canary stands; then one answer in the strict slice is bad."""
    world = until_stage(a_world(strict(), v11=0.0, v12=0.0), 1)
    world.truth.rates["harm", CANDIDATE, "cse"] = 0.1
    drive_until(world, lambda w: w.position.held is HeldCause.REVIEW, 20)
    world.truth.rates["harm", CANDIDATE, "cse"] = 0.0
    return world


def test_the_first_bad_answer_where_none_is_tolerated_withdraws_and_pages() -> None:
    world = found_in_canary()
    drive(world, 2)
    assert world.plane.table == HOME
    assert [notice.severity for notice in world.notices if notice.reason is Reason.FOUND] == [Severity.PAGE]
    world.ask(Ask.RESUME, "ada")
    drive(world, 30)
    assert (world.position.phase, world.position.held) == (Phase.HELD, HeldCause.REVIEW)
    assert "review --confirm" in world.position.message


def test_a_dismissed_finding_goes_back_to_its_stage() -> None:
    world = found_in_canary()
    world.ask(Ask.REVIEW, "ada", "a joke", "dismiss")
    drive(world, 3)
    run = world.position.run
    assert run is not None
    assert (world.position.phase, run.withdrawn, run.stage, world.share(CANDIDATE)) == (Phase.PROGRESSING, False, 1, 10)


def test_a_confirmed_finding_is_a_rollback_and_is_not_tried_again() -> None:
    world = found_in_canary()
    world.ask(Ask.REVIEW, "ada", "as bad as it looks", "confirm")
    drive(world, 40)
    breach = world.position.breach
    assert breach is not None
    assert (world.position.phase, breach.cause, breach.actor) == (Phase.ROLLED_BACK, Cause.CONFIRMED, "ada")
    assert world.position.rejected == (a_version(CANDIDATE).digest,)
    assert world.plane.table == HOME


def test_what_stable_shows_too_freezes_and_does_not_roll_back() -> None:
    world = until_stage(a_good_world(), 1)
    for version in (STABLE, CANDIDATE):
        world.truth.rates["harm", version] = 0.6
    drive_until(world, lambda w: w.position.phase in (Phase.HELD, Phase.ROLLED_BACK), 60)
    assert (world.position.phase, world.position.held) == (Phase.HELD, HeldCause.FROZEN)
    assert "the judge or the questions changed" in world.position.message


def test_a_version_that_turns_bad_after_promotion_gives_way_to_the_former_one() -> None:
    world = a_good_world()
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 400)
    drive(world, 10)
    turn_harmful(world)
    drive_until(world, lambda w: w.position.phase is Phase.ROLLED_BACK, 200)
    assert (world.position.stable, world.plane.table) == (STABLE, HOME)
    drive(world, 60)
    assert world.plane.table == HOME


def test_without_a_ready_former_version_it_pages_and_moves_nothing() -> None:
    world = a_good_world()
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 400)
    world.loading[STABLE] = Readiness.UNREACHABLE
    turn_harmful(world)
    drive_until(world, lambda w: any(line.startswith("alarm") for line in story(w)), 200)
    assert (world.position.phase, world.share(CANDIDATE)) == (Phase.COMPLETED, 100)
    world.loading[STABLE] = Readiness.READY
    drive_until(world, lambda w: w.position.phase is Phase.ROLLED_BACK, 20)
    assert world.plane.table == HOME


def test_the_guard_ends_with_the_window() -> None:
    world = a_good_world(a_rollout(stages=STAGES, rollback_window=minutes(2)))
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 400)
    drive(world, 20)
    assert world.position.phase is Phase.IDLE
    turn_harmful(world)
    drive(world, 40)
    assert (world.position.phase, world.position.stable) == (Phase.IDLE, CANDIDATE)


def beside(trusted: bool) -> World:
    """v12 keeps its limit of one in two, and is far worse than v11."""
    slo = a_slo(max_bad=0.5, versus_stable=Margin(points=0.02))
    world = a_world(a_rollout(slos=(slo,), stages=stages(50, shadow=0, min_duration=minutes(60))), v11=0.02, v12=0.02)
    drive(world, 1)
    world.memory.position = replace(world.position, trusted=trusted)
    until_stage(world, 0)
    assert world.memory.evidence is not None
    world.memory.evidence = replace(world.memory.evidence, trusted=trusted)
    world.truth.rates["harm", CANDIDATE] = 0.3
    return world


@pytest.mark.parametrize(("trusted", "phase"), [(False, Phase.HELD), (True, Phase.ROLLED_BACK)])
def test_worse_than_stable_holds_until_an_a_a_run_has_shown_it_calm(trusted: bool, phase: Phase) -> None:
    world = beside(trusted)
    drive_until(world, lambda w: w.position.phase in (Phase.HELD, Phase.ROLLED_BACK), 400)
    assert world.position.phase is phase


def test_a_run_of_the_same_bundle_that_stays_calm_is_trusted() -> None:
    first = a_version(STABLE)
    twin = replace(a_version(CANDIDATE), digest=first.digest)
    slo = a_slo(versus_stable=Margin(points=0.02))
    rollout = a_rollout(slos=(slo,), versions=(first, twin), stages=stages(50, min_duration=minutes(30)))
    world = a_world(rollout, v11=0.005, v12=0.005)
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 2000)
    assert world.position.trusted
    assert VersionName(CANDIDATE) == world.position.stable


def calm(slo: Slo) -> World:
    """v12 is a twin of v11, and was promoted: the comparison is trusted."""
    first = a_version(STABLE)
    twin = replace(a_version(CANDIDATE), digest=first.digest)
    rollout = a_rollout(slos=(slo,), versions=(first, twin), stages=stages(50, min_duration=minutes(30)))
    world = a_world(rollout, v11=0.005, v12=0.005)
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 2000)
    assert world.position.trusted
    return world


@pytest.mark.parametrize(
    "change",
    [
        {"versus_stable": Margin(points=0.01)},
        {"judge": JudgePolicy(0.05, minutes(10), specificity=(0.99, 0.99))},
        {"definition": "the label evaluator_version is another one"},
    ],
)
def test_trust_lapses_with_the_meaning_of_the_slo(change: dict[str, object]) -> None:
    slo = replace(a_slo(versus_stable=Margin(points=0.02)), definition="")
    world = calm(replace(slo, definition=str(slo)))
    drive(world, 20)
    assert world.position.trusted
    other = replace(slo, **change)  # type: ignore[arg-type]  # field names are checked at run time
    world.commit(hashed(replace(world.rollout, slos=(replace(other, definition=str(other)),))))
    drive(world, 2)
    told = [notice for notice in world.notices if notice.reason is Reason.TRUST_REVOKED]
    assert [notice.facts["why"] for notice in told] == [
        "harm: the SLO, its judge or its margin is not that of the A/A run any more"
    ]
    assert not world.position.trusted
    assert world.memory.evidence is not None
    assert not world.memory.evidence.trusted


def test_trust_stays_when_other_things_change() -> None:
    world = calm(a_slo(versus_stable=Margin(points=0.02)))
    more = a_slo("tone", max_bad=0.2)
    world.commit(hashed(replace(world.rollout, slos=(*world.rollout.slos, more), rollback_window=minutes(5))))
    drive(world, 5)
    assert world.position.trusted


def test_an_edit_in_a_run_takes_the_trust_at_once() -> None:
    """Worse than stable holds from then on, and does not roll back."""
    world = beside(trusted=True)
    spec = world.rollout
    assert spec.slos[0].versus_stable is not None
    known = tuple((slo.name, slo.definition) for slo in spec.slos)
    world.memory.position = replace(world.position, trusted_as=known)
    other = replace(spec.slos[0], versus_stable=Margin(points=0.01), definition="a smaller margin")
    world.commit(hashed(replace(spec, slos=(other,))))
    drive_until(world, lambda w: w.position.phase in (Phase.HELD, Phase.ROLLED_BACK), 400)
    assert (world.position.phase, world.position.trusted) == (Phase.HELD, False)


def test_an_a_a_run_begins_right_after_a_promotion_and_counts_for_itself() -> None:
    """What the run before showed against another version says nothing about the comparison."""
    slo = a_slo(versus_stable=Margin(points=0.02))
    twin = replace(a_version("v12-aa"), digest=a_version(CANDIDATE).digest)
    versions = (a_version(STABLE), a_version(CANDIDATE), twin)
    first = a_rollout(slos=(slo,), versions=versions, stages=stages(50, min_duration=minutes(3)))
    world = a_world(first, v11=0.005, v12=0.005)
    world.truth.rates["harm", "v12-aa"] = 0.005
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 400)
    assert not world.position.trusted
    world.commit(hashed(replace(first, version=twin.name)))
    drive_until(world, lambda w: w.position.phase is Phase.PROGRESSING, 20)
    assert world.memory.evidence is not None
    assert {stream.all.total for slo in world.memory.evidence.slos for stream in slo.streams} == {0}
    assert budgets(world) == {0.5}
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 400)
    told = next(notice for notice in world.notices if notice.reason is Reason.TRUSTED)
    assert told.facts["twin"] == "v12-aa"
    assert told.facts["answers"] == min(
        min(stream.all.total, stream.stable.total)
        for slo in world.memory.evidence.slos
        for stream in slo.streams
        if stream.against == "stable"
    )
    world.ask(Ask.REVOKE, "ada", "the judge was replaced")
    drive(world, 1)
    assert not world.position.trusted


def test_alert_objectives_are_told_and_nothing_moves() -> None:
    world = until_stage(a_good_world(a_rollout(slos=(a_slo(on_breach=OnBreach.ALERT),), stages=STAGES)), 1)
    turn_harmful(world)
    drive(world, 10)
    assert any(line.startswith("alert_slo") for line in story(world))
    assert world.position.phase is not Phase.ROLLED_BACK
