"""Evidence counted anew: exactly what it was, half of the budget when something is missing, without a known fault."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from controller.analysis import streams
from controller.analysis.rebuild import Row, Window, rebuilt
from controller.decision.past import past_of
from controller.decision.window import BadWindowError, window_of
from controller.domain.evidence import Evidence
from controller.domain.measure import BlindCause
from controller.domain.record import JournalEntry, TickRecord
from controller.domain.request import Ask
from controller.domain.rollout import ModelRollout
from controller.domain.slo import Margin
from controller.domain.state import Phase, Run
from controller.store.entries import journal_of
from controller.testing.builders import a_rollout, a_slo, stages
from controller.testing.clock import START
from controller.testing.drive import drive, drive_until
from controller.testing.truth import minutes
from controller.testing.world import World, a_world
from tests.stories.test_pure_stories_of_evidence import found_in_canary
from tests.stories.told import STAGES, a_good_world, turn_harmful, until_stage


def journal(world: World) -> tuple[JournalEntry, ...]:
    """As the store would keep it, newest first."""
    return tuple(reversed(list(_entries(world))))


def _entries(world: World) -> Iterator[JournalEntry]:
    for number, passed in enumerate(world.passes):
        position = passed.decision.position
        run = position.run.id if position.run else None
        yield from journal_of(
            TickRecord(
                world.rollout.key, number, passed.seen.now, position, None, notices=passed.decision.notices, run=run
            )
        )


def rows(world: World) -> list[Row]:
    return [(one.seen.now, one.seen.measurements) for one in world.passes if one.seen.measured]


def run_of(world: World) -> Run:
    assert world.position.run is not None
    return world.position.run


def known(world: World) -> Evidence:
    assert world.memory.evidence is not None
    return world.memory.evidence


def without_memory(evidence: Evidence) -> Evidence:
    """Raw counters cannot be known again; the next tick takes them as its baseline."""
    return replace(evidence, series={}, measured_at=None)


def against_stable() -> ModelRollout:
    slo = a_slo(max_bad=0.05, versus_stable=Margin(points=0.02))
    return a_rollout(slos=(slo, a_slo("hallucination")), stages=stages(10, 50, min_duration=minutes(3)))


@pytest.mark.parametrize("rollout", [None, against_stable()])
@pytest.mark.parametrize("ticks", [3, 17, 30, 47])
def test_it_is_what_it_was_to_the_last_bit(rollout: ModelRollout | None, ticks: int) -> None:
    world = a_good_world(rollout)
    until_stage(world, 0)
    drive(world, ticks)
    run = run_of(world)
    again = rebuilt(streams.fresh(run.spec, run.digest), rows(world), past_of(run, journal(world)))
    assert again.whole
    assert again.counted == len(rows(world))
    assert without_memory(again.evidence) == without_memory(known(world))


def test_withdrawn_and_back_is_the_same_too() -> None:
    world = until_stage(a_good_world(), 1)
    world.truth.dark[None, None] = BlindCause.QUERY_FAILED
    drive_until(world, lambda w: run_of(w).withdrawn, 100)
    world.truth.dark.clear()
    until_stage(world, 1)
    drive(world, 5)
    run = run_of(world)
    again = rebuilt(streams.fresh(run.spec, run.digest), rows(world), past_of(run, journal(world)))
    assert without_memory(again.evidence) == without_memory(known(world))


def test_a_breach_and_its_rollback_are_the_same_too() -> None:
    world = until_stage(a_good_world(), 1)
    turn_harmful(world)
    drive_until(world, lambda w: w.position.phase is Phase.ROLLED_BACK, 100)
    run = run_of(world)
    again = rebuilt(streams.fresh(run.spec, run.digest), rows(world), past_of(run, journal(world)))
    assert without_memory(again.evidence) == without_memory(known(world))


def test_what_was_reviewed_does_not_come_back() -> None:
    world = found_in_canary()
    world.ask(Ask.REVIEW, "ada", "a joke", "dismiss")
    drive(world, 5)
    run = run_of(world)
    again = rebuilt(streams.fresh(run.spec, run.digest), rows(world), past_of(run, journal(world)))
    assert without_memory(again.evidence) == without_memory(known(world))


@pytest.mark.parametrize("missing", [slice(0, 12), slice(20, 21), slice(0, 1000)])
def test_a_missing_row_is_seen(missing: slice) -> None:
    world = until_stage(a_good_world(), 1)
    drive(world, 10)
    run, kept = run_of(world), rows(world)
    del kept[missing]
    again = rebuilt(streams.fresh(run.spec, run.digest), kept, past_of(run, journal(world)))
    assert not again.whole


def test_a_run_that_went_on_from_earlier_evidence_is_not_whole() -> None:
    world = until_stage(a_good_world(), 1)
    world.ask(Ask.ABORT)
    drive_until(world, lambda w: w.position.phase is Phase.ROLLED_BACK, 20)
    world.ask(Ask.RETRY)
    until_stage(world, 0)
    past = past_of(run_of(world), journal(world))
    assert (past.whole, past.halvings) == (False, 0)


def test_every_earlier_halving_is_remembered() -> None:
    world = a_world(a_rollout(stages=STAGES), v11=0.0, v12=0.6)
    for _ in range(2):
        drive_until(world, lambda w: w.position.phase is Phase.ROLLED_BACK, 100)
        world.ask(Ask.RETRY)
        drive(world, 2)
    assert past_of(run_of(world), journal(world)).halvings == 2


def test_what_touches_the_window_is_left_out() -> None:
    world = until_stage(a_good_world(), 1)
    begin = world.now
    drive(world, 10)
    run, kept = run_of(world), rows(world)
    past = past_of(run, journal(world))
    base = streams.fresh(run.spec, run.digest)
    whole, none = rebuilt(base, kept, past), rebuilt(base, kept, past, Window(START, world.now))
    assert (none.counted, none.left_out, none.whole) == (0, len(kept), False)
    part = rebuilt(base, kept, past, Window(begin + timedelta(seconds=40), begin + timedelta(seconds=50)))
    assert 1 <= part.left_out <= 2
    assert part.counted + part.left_out == whole.counted
    assert part.evidence.slos[0].streams[0].all.total < whole.evidence.slos[0].streams[0].all.total


def test_an_slo_that_means_something_else_now_is_not_counted() -> None:
    world = until_stage(a_good_world(), 1)
    run = run_of(world)
    other = replace(run.spec, slos=tuple(replace(slo, definition="another") for slo in run.spec.slos))
    assert past_of(run, journal(world), other).slos == frozenset()


NOW = datetime.fromisoformat("2026-11-22T12:00:00+00:00")


def test_a_window() -> None:
    assert window_of("2026-11-22T10:00Z..2026-11-22T11:40+01:00", NOW) == Window(
        NOW - timedelta(hours=2), NOW - timedelta(minutes=80)
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-11-22T10:00Z", "is not a period"),
        ("10:00..11:00", "`10:00` is not an instant"),
        ("2026-11-22T10:00..2026-11-22T11:00Z", "has no zone"),
        ("2026-11-22T11:00Z..2026-11-22T10:00Z", "TO must be later than FROM"),
        ("2026-11-22T11:00Z..2026-11-22T12:01Z", "reaches into the future"),
    ],
)
def test_a_bad_window_says_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(BadWindowError, match=why):
        window_of(text, NOW)
