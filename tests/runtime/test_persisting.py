"""Decisions and the database: order, precedence, what waits and what does not."""

from dataclasses import replace

import pytest

from controller.domain.record import StoreUnavailableError, Unread
from controller.domain.state import Phase, Position
from controller.domain.traffic import Split
from controller.runtime.persisting import mend
from controller.runtime.reconcile import reconcile
from controller.testing.stores import Fault, MemoryStore
from tests.runtime.rig import KEY, Rig, a_rig


def reasons(rig: Rig) -> list[str]:
    return [entry.reason for entry in rig.store.shelf.journal]


def rolled_back(rig: Rig) -> None:
    for _ in range(6):
        rig.tick(bad=100)
        if rig.held.position.phase is Phase.ROLLED_BACK:
            return
    raise AssertionError(rig.held.position.message)


def test_decisions_without_a_store_are_told_at_once_and_written_in_order_later(canary: Rig) -> None:
    canary.store.fault = Fault.UNAVAILABLE
    rolled_back(canary)
    assert canary.router.applied[-1] == Split(canary.held.position.stable)  # type: ignore[arg-type]
    canary.store.fault = None
    assert mend(canary.house)
    assert not canary.held.unsaved
    reconcile(KEY, canary.house)
    told = [reason for reason in reasons(canary) if reason in ("breached", "rollback_started", "rollback_verified")]
    assert told == ["breached", "rollback_started", "rollback_verified"]
    assert canary.store.shelf.stored[KEY].position == canary.held.position


def test_a_pass_before_the_mending_does_not_overtake_the_spool(canary: Rig) -> None:
    canary.store.fault = Fault.UNAVAILABLE
    for _ in range(6):
        canary.tick(bad=100)
        if canary.held.position.breach is not None:
            break
    canary.store.fault = None
    canary.passes()
    assert canary.held.position.phase is Phase.ROLLED_BACK
    mend(canary.house)
    reconcile(KEY, canary.house)
    told = [reason for reason in reasons(canary) if reason in ("breached", "rollback_started", "rollback_verified")]
    assert told == ["breached", "rollback_started", "rollback_verified"]


def test_what_could_be_written_nowhere_is_owed_to_the_journal(canary: Rig) -> None:
    canary.store.fault = Fault.UNAVAILABLE
    spool = canary.house.spool._folder
    spool.mkdir(exist_ok=True)
    (spool / "decisions").mkdir()
    rolled_back(canary)
    assert canary.held.owed
    canary.store.fault = None
    (spool / "decisions").rmdir()
    assert mend(canary.house)
    reconcile(KEY, canary.house)
    assert {"breached", "rollback_started", "rollback_verified"} <= set(reasons(canary))
    assert not canary.held.owed


def test_a_lost_answer_is_not_a_lost_decision(canary: Rig) -> None:
    """The commit happened, the answer did not arrive: nothing is done twice, nothing is undone."""
    canary.store.fault = Fault.LOST_ANSWER
    canary.tick(bad=100)
    canary.tick(bad=100)
    canary.store.fault = None
    mend(canary.house)
    rolled_back(canary)
    assert reasons(canary).count("promoted") == 0
    assert canary.router.send(20) == ("v11",) * 20


def test_a_raise_is_not_carried_out_when_somebody_else_wrote_first(canary: Rig) -> None:
    """A breach that is visible in the refused decision is found again, at once, under what is stored now."""
    stored = canary.store.shelf.stored[KEY]
    canary.store.shelf.stored[KEY] = replace(stored, seq=stored.seq + 1)
    applied = len(canary.router.applied)
    canary.tick(bad=100)
    canary.tick(bad=100)
    assert all(not split.exposes() for split in canary.router.applied[applied:])
    rolled_back(canary)


def test_what_was_counted_for_a_refused_decision_is_counted_again_at_once(canary: Rig) -> None:
    stored = canary.store.shelf.stored[KEY]
    canary.store.shelf.stored[KEY] = replace(stored, seq=stored.seq + 1)
    canary.tick(bad=60)
    assert canary.held.evidence is not None
    assert canary.held.evidence.slos[0].streams[0].all.bad == 60


def test_a_stale_writer_that_cannot_read_goes_on_in_memory(canary: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = canary.store.shelf.stored[KEY]
    canary.store.shelf.stored[KEY] = replace(stored, seq=stored.seq + 1)

    def unreadable() -> None:
        raise StoreUnavailableError("one row does not read back")

    monkeypatch.setattr(canary.store, "load", unreadable)
    rolled_back(canary)
    assert canary.router.send(20) == ("v11",) * 20
    monkeypatch.undo()
    mend(canary.house)
    reconcile(KEY, canary.house)
    assert {"breached", "rollback_started", "rollback_verified"} <= set(reasons(canary))


def test_a_stale_writer_takes_over_what_is_stored(canary: Rig) -> None:
    """Another daemon rolled back meanwhile: this one follows, and never goes up again."""
    other = a_rig(canary.house.spool._folder.parent / "other", MemoryStore(("memory",), canary.store.shelf))
    other.routers[KEY] = canary.router
    other.clock.advance(canary.clock.now() - other.clock.now())
    other.source.specs = canary.source.specs
    other.house.book.take(other.source.specs, other.clock.now())
    other.counters.counts = canary.counters.counts
    rolled_back(other)
    other.house.persister.close()
    canary.clock.advance(other.clock.now() - canary.clock.now())
    canary.tick()
    canary.tick()
    assert canary.held.position.phase is Phase.ROLLED_BACK
    assert canary.router.send(20) == ("v11",) * 20
    assert reasons(canary).count("rollback_started") == 1


def test_the_lower_one_wins_when_memory_and_store_disagree(canary: Rig) -> None:
    stored = canary.store.shelf.stored[KEY]
    canary.held.unsaved = True
    home = replace(stored.position, traffic=replace(stored.position.traffic, split=Split("v11")))  # type: ignore[type-var,arg-type]
    canary.store.shelf.stored[KEY] = replace(stored, position=home, seq=stored.seq + 3)
    assert mend(canary.house)
    assert canary.held.position == home
    assert canary.held.seq == stored.seq + 3


def test_mend_has_nothing_to_do_when_nothing_is_behind(rig: Rig) -> None:
    rig.store.fault = Fault.UNAVAILABLE
    assert not mend(rig.house)


def test_requests_are_not_answered_by_a_decision_that_was_not_carried_out(canary: Rig) -> None:
    canary.store.fault = Fault.READ_ONLY
    stage = canary.held.position.run
    for _ in range(8):
        canary.tick()
    assert stage is not None
    assert canary.held.position.run is not None
    assert canary.held.position.run.stage == stage.stage
    assert "nothing advances" in canary.held.trouble
    canary.store.fault = None
    mend(canary.house)
    for _ in range(12):
        canary.tick()
    assert canary.held.position.phase is Phase.COMPLETED
    assert canary.held.trouble == ""
    assert reasons(canary).count("stage_completed") == 3


def test_a_row_that_does_not_read_back_later_is_written_anew_from_memory(canary: Rig) -> None:
    shelf, mine = canary.store.shelf, canary.held.position
    canary.held.unsaved = True
    shelf.stored[KEY] = replace(shelf.stored[KEY], position=Position(Phase.IDLE, mine.since), unread=Unread("damaged"))
    assert mend(canary.house)
    assert canary.held.position == mine
    canary.passes(1)
    assert shelf.stored[KEY].position.run == canary.held.position.run
    assert shelf.stored[KEY].unread is None


def test_nothing_advances_over_a_row_of_somebody_else_that_does_not_read_back(canary: Rig) -> None:
    shelf, mine = canary.store.shelf, canary.held.position
    row = shelf.stored[KEY]
    shelf.stored[KEY] = replace(row, seq=row.seq + 1, position=Position(Phase.IDLE, mine.since), unread=Unread("newer"))
    canary.tick()
    assert canary.held.position.run == mine.run
    assert canary.held.unsaved
