"""What a process that did not look makes of the time that went by, however the clock was set meanwhile."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from controller.analysis import streams
from controller.decision.clock import taken_up
from controller.decision.tick import tick
from controller.domain.evidence import Eligible, Evidence
from controller.domain.measure import BlindCause, Blindness
from controller.domain.names import Digest
from controller.domain.rollout import BlindAction, BlindPolicy
from controller.domain.state import Phase, Position
from controller.domain.traffic import Split
from controller.testing.builders import STABLE, a_mark, a_position, a_rollout, a_run, seen
from controller.testing.clock import START

STOOD = timedelta(minutes=3)
TICKED = START + STOOD
BLIND = Blindness(BlindCause.QUERY_FAILED, "HTTP 500")
AWAY = (timedelta(0), timedelta(hours=2), timedelta(days=365), -timedelta(minutes=1), -timedelta(days=365))


def evidence_of(
    position: Position, measured_at: datetime | None = TICKED, then: BlindAction = BlindAction.WITHDRAW
) -> Evidence:
    assert position.run is not None
    spec = replace(position.run.spec, on_blind=BlindPolicy(timedelta(minutes=5), then))
    found = streams.fresh(spec, position.run.digest)
    slos = tuple(
        replace(slo, blind=BLIND, blind_since=START, eligible=Eligible(stage_since=START)) for slo in found.slos
    )
    return replace(found, slos=slos, measured_at=measured_at)


@pytest.mark.parametrize("away", AWAY)
def test_a_stage_has_stood_for_as_long_as_at_the_last_tick(away: timedelta) -> None:
    now = TICKED + away
    position, evidence = taken_up(*running(), now)
    assert position.run is not None
    assert evidence is not None
    assert position.run.stage_since == now - STOOD
    assert {slo.eligible.stage_since for slo in evidence.slos} == {now - STOOD}
    assert evidence.measured_at == now


@pytest.mark.parametrize("away", AWAY)
def test_a_second_start_takes_nothing_away(away: timedelta) -> None:
    once = taken_up(*running(), TICKED + away)
    twice, _ = taken_up(*once, TICKED + away + timedelta(seconds=40))
    assert twice.run is not None
    assert twice.run.stage_since == TICKED + away + timedelta(seconds=40) - STOOD


@pytest.mark.parametrize("known", ["never measured", "verified after it"])
def test_without_a_tick_since_it_was_verified_a_stage_begins_now(known: str) -> None:
    position, evidence = running()
    ticked = None if known == "never measured" else START - timedelta(seconds=9)
    after, _ = taken_up(position, replace(evidence, measured_at=ticked), TICKED)
    assert after.run is not None
    assert after.run.stage_since == TICKED


@pytest.mark.parametrize("left", [None, "another version's"])
def test_without_its_evidence_a_stage_begins_anew_when_there_is_some_again(left: str | None) -> None:
    """Till then it says which counts belong to it; nothing goes up without evidence."""
    position, evidence = running()
    found = None if left is None else replace(evidence, digest=Digest("sha256:other"), slos=())
    later = TICKED + timedelta(days=365)
    after, kept = taken_up(position, found, later)
    assert after.run == position.run
    again = tick(after, kept, seen(after, later, rebuilding=True)).position
    assert again.run is not None
    assert (again.phase, again.run.stage_since) == (Phase.PROGRESSING, START)
    lost = tick(after, kept, seen(after, later)).position
    assert lost.run is not None
    assert lost.run.stage_since == later


@pytest.mark.parametrize("away", AWAY)
def test_the_window_after_a_promotion_was_watched_for_as_long(away: timedelta) -> None:
    promoted = a_position(Phase.COMPLETED, promoted_at=START, former=STABLE)
    after, _ = taken_up(promoted, evidence_of(promoted), TICKED + away)
    assert after.promoted_at == TICKED + away - STOOD


def test_a_window_that_was_closed_stays_closed() -> None:
    at_rest = a_position(Phase.COMPLETED, promoted_at=START, former=STABLE)
    at_rest = replace(at_rest, phase=Phase.IDLE)
    after, _ = taken_up(at_rest, evidence_of(at_rest), TICKED + timedelta(days=3))
    assert after.promoted_at == START


def test_a_second_without_requests_begins_anew_and_what_was_verified_stays_so() -> None:
    position, evidence = running()
    on_its_way = a_mark(Split(STABLE), verified_at=None)
    after, _ = taken_up(replace(position, traffic=on_its_way), evidence, TICKED)
    assert after.traffic == replace(on_its_way, quiet_since=TICKED)
    assert taken_up(position, evidence, TICKED)[0].traffic == position.traffic


@pytest.mark.parametrize("then", BlindAction)
def test_a_blind_guard_was_blind_all_the_time_but_for_a_rollback(then: BlindAction) -> None:
    now = TICKED + timedelta(days=365)
    _, after = taken_up(*running(then), now)
    assert after is not None
    assert {slo.blind_since for slo in after.slos} == {now - STOOD if then is BlindAction.ROLLBACK else START}


def test_at_rest_nothing_is_changed() -> None:
    assert taken_up(a_position(), None, TICKED) == (a_position(), None)


def running(then: BlindAction = BlindAction.WITHDRAW) -> tuple[Position, Evidence]:
    rollout = a_rollout(on_blind=BlindPolicy(timedelta(minutes=5), then))
    position = a_position(Phase.PROGRESSING, run=a_run(rollout, stage_since=START))
    return position, evidence_of(position, then=then)
