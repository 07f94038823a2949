"""A rollout that was deleted for certain: its run ends on stable from every phase, and then its route is people's."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.decision.tick import tick
from controller.domain.names import Digest, VersionName
from controller.domain.observation import Observation, Reported, SpecSeen
from controller.domain.request import Ask, OperatorRequest
from controller.domain.rollout import Provenance
from controller.domain.state import HeldCause, Phase, Position
from controller.domain.traffic import RouteTable, Split
from controller.testing.builders import CANDIDATE, STABLE, a_mark, a_position, a_rollout, route_seen, seen
from controller.testing.clock import START

OBJECT = Provenance("modelrollout default/support-bot", 0, generation=3)
GONE = SpecSeen(a_rollout(), OBJECT, deleted=True, generation=3)
RUNNING = (Phase.PROGRESSING, Phase.HELD, Phase.PAUSED, Phase.AWAITING_APPROVAL)


def at(phase: Phase) -> Position:
    position = a_position(phase)
    return replace(position, held=HeldCause.EXTERNAL) if phase is Phase.HELD else position


def looked(position: Position, seconds: float = 1.0, **changes: object) -> Observation:
    return seen(position, START + timedelta(seconds=seconds), spec=GONE, **changes)


@pytest.mark.parametrize("phase", RUNNING)
def test_a_run_ends_on_stable(phase: Phase) -> None:
    decision = tick(at(phase), None, looked(at(phase)))
    assert decision.position.phase is Phase.ROLLING_BACK
    assert decision.apply == Split(STABLE)
    assert decision.position.breach is not None
    assert "was deleted" in decision.position.breach.detail


def test_a_run_that_stalled_before_ends_too() -> None:
    position = replace(a_position(Phase.PROGRESSING), phase=Phase.STALLED, resume_phase=Phase.PROGRESSING)
    assert tick(position, None, looked(position)).position.phase is Phase.ROLLING_BACK


def test_one_that_is_loading_never_begins() -> None:
    position = replace(a_position(Phase.PROGRESSING), phase=Phase.PENDING, traffic=a_mark(Split(STABLE)))
    run = position.run
    assert run is not None
    position = replace(position, run=replace(run, stage_since=None))
    assert tick(position, None, looked(position)).position.phase is Phase.IDLE


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.ROLLED_BACK, Phase.COMPLETED])
def test_at_rest_nobody_is_told_and_the_route_is_left_alone(phase: Phase) -> None:
    position = a_position(phase)
    decision = tick(position, None, looked(position))
    assert decision.notices == ()
    by_hand = route_seen(None, table=RouteTable(((CANDIDATE, 100),)))
    for later in (decision.position, tick(decision.position, None, looked(decision.position)).position):
        assert tick(later, None, looked(later, 5.0, route=by_hand)).apply is None


def test_a_file_that_is_missing_is_no_wish() -> None:
    position = a_position(Phase.PROGRESSING)
    moved = SpecSeen(a_rollout(), Provenance("rollouts/support-bot.yaml"), deleted=True)
    decision = tick(position, None, replace(looked(position), spec=moved))
    assert decision.position.phase is Phase.STALLED
    assert decision.apply is None


def test_what_a_status_reports_is_believed_before_the_route_when_nothing_else_is_known() -> None:
    told = Reported(STABLE, CANDIDATE, None, 7)
    spec = SpecSeen(a_rollout(), OBJECT, generation=3, reported=told)
    now = seen(
        None, START, spec=spec, route=route_seen(Split(STABLE, CANDIDATE, 50)), recorded=Split(STABLE, CANDIDATE)
    )
    decision = tick(Position(Phase.IDLE, START), None, now)
    assert (decision.position.stable, decision.position.runs) == (STABLE, 7)
    assert decision.apply == Split(STABLE)


def test_a_version_that_a_status_says_was_rolled_back_is_not_tried_again() -> None:
    rollout = a_rollout()
    target = rollout.find(CANDIDATE)
    assert target is not None
    spec = SpecSeen(rollout, OBJECT, generation=3, reported=Reported(STABLE, None, Digest(target.digest), 1))
    now = seen(None, START, spec=spec, route=route_seen(Split(STABLE)), recorded=Split(STABLE))
    position = tick(Position(Phase.IDLE, START), None, now).position
    assert position.rejected == (target.digest,)
    position = tick(replace(position, traffic=a_mark(Split(STABLE))), None, now).position
    assert position.run is None
    assert "rolled back before" in position.message


def test_a_route_that_people_gave_to_a_third_version_is_not_taken_back() -> None:
    third = VersionName("v13")
    spec = SpecSeen(a_rollout(), OBJECT, generation=3, reported=Reported(STABLE))
    now = seen(None, START, spec=spec, route=route_seen(Split(third)), recorded=Split(STABLE))
    decision = tick(Position(Phase.IDLE, START), None, now)
    assert decision.position.stable == third
    assert decision.apply is None


@pytest.mark.parametrize("ask", [Ask.PAUSE, Ask.ABORT, Ask.RESUME, Ask.APPROVE, Ask.RETRY, Ask.REVIEW, Ask.REVOKE])
def test_what_is_told_for_a_request_names_it(ask: Ask) -> None:
    position = a_position(Phase.PROGRESSING)
    request = OperatorRequest("uid-1", ask, "ada", "because", START)
    decision = tick(position, None, replace(seen(position, START), requests=(request,)))
    assert decision.settled == ("uid-1",)
    assert [n for n in decision.notices if n.facts.get("request") == "uid-1"]
