"""At start-up database and spool become one: nothing decided is lost, and the candidate never gains by it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.decision import Reason
from controller.domain.names import RunId
from controller.domain.record import Stored, StoreUnavailableError, TickRecord, Unread
from controller.domain.state import Phase, Position
from controller.store.recover import exposes_more, latest, missed, recover
from controller.store.spool import Spool
from controller.store.store import SqlStore, open_store
from controller.testing.conformance.store_samples import (
    KEY,
    START,
    a_position,
    a_record,
    a_run,
    with_alert,
    with_notice,
)
from controller.testing.stores import Fault, MemoryStore

ROLLING, ROLLED = Phase.ROLLING_BACK, Phase.ROLLED_BACK


def a_tick(seq: int, weight: int, phase: Phase = Phase.PROGRESSING) -> TickRecord:
    return replace(a_record(seq), position=a_position(weight, phase), measurements=())


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with open_store(f"sqlite:///{tmp_path}/tidegate.db", ("slack",)) as opened:
        yield opened


def found(stored: list[Stored]) -> list[tuple[int, Phase, int]]:
    splits = [(one, one.position.split()) for one in stored]
    return [(one.seq, one.position.phase, split.weight if split else 0) for one, split in splits]


def test_with_an_empty_spool_the_database_is_right(store: SqlStore, spool: Spool) -> None:
    store.commit(a_tick(1, 10))
    assert found(recover(store, spool)) == [(1, Phase.PROGRESSING, 10)]


def test_a_rollback_that_the_database_missed_is_written_with_its_history_and_alert(
    store: SqlStore, spool: Spool
) -> None:
    store.commit(a_tick(1, 10))
    spool.write(with_alert(with_notice(a_tick(2, 0, ROLLING), Reason.ROLLBACK_STARTED), "rollback"))
    spool.write(with_notice(a_tick(3, 0, ROLLED), Reason.ROLLBACK_VERIFIED))
    assert found(recover(store, spool)) == [(3, ROLLED, 0)]
    assert [entry.reason for entry in store.journal(KEY, 5)] == ["rollback_verified", "rollback_started"]
    assert [item.alert.dedupe for item in store.due(a_record(9).at, 5)] == ["rollback"]
    assert spool.read() == []
    assert found(recover(store, spool)) == [(3, ROLLED, 0)]


def test_at_the_same_number_the_lower_traffic_of_the_spool_wins(store: SqlStore, spool: Spool) -> None:
    store.commit(a_tick(1, 10))
    store.commit(a_tick(2, 25))
    spool.write(a_tick(2, 0, ROLLING))
    spool.write(a_tick(3, 0, ROLLED))
    assert found(recover(store, spool)) == [(4, ROLLED, 0)]


def test_at_the_same_number_the_lower_traffic_of_the_database_wins(store: SqlStore, spool: Spool) -> None:
    store.commit(a_tick(1, 10))
    store.commit(a_tick(2, 0, ROLLING))
    spool.write(a_tick(2, 25))
    assert found(recover(store, spool)) == [(2, ROLLING, 0)]
    assert spool.read() == []


def test_a_spooled_rise_is_not_believed(store: SqlStore, spool: Spool) -> None:
    store.commit(a_tick(1, 10))
    spool.write(a_tick(2, 25))
    assert found(recover(store, spool)) == [(1, Phase.PROGRESSING, 10)]


def test_a_commit_whose_answer_was_lost_is_written_once(spool: Spool) -> None:
    store = MemoryStore()
    store.commit(a_tick(1, 10))
    rollback = with_notice(a_tick(2, 0, ROLLING), Reason.ROLLBACK_STARTED)
    store.fault = Fault.LOST_ANSWER
    with pytest.raises(StoreUnavailableError):
        store.commit(rollback)
    spool.write(rollback)
    store.fault = None
    assert found(recover(store, spool)) == [(2, ROLLING, 0)]
    assert len(store.journal(KEY, 5)) == 1


def test_an_older_decision_counts_when_it_ended_the_run_that_the_database_believes_alive(
    store: SqlStore, spool: Spool
) -> None:
    for seq in (1, 2, 3):
        store.commit(a_tick(seq, 10))
    spool.write(a_tick(2, 0, ROLLING))
    assert found(recover(store, spool)) == [(4, ROLLING, 0)]


def test_an_older_decision_of_an_earlier_run_is_history(store: SqlStore, spool: Spool) -> None:
    later = replace(a_position(10), run=replace(a_run(), id=RunId("support-bot-4")))
    for seq in (1, 2, 3):
        store.commit(replace(a_tick(seq, 10), position=later, run=RunId("support-bot-4")))
    spool.write(a_tick(2, 0, ROLLING))
    spool.write(a_tick(2, 0))
    assert found(recover(store, spool)) == [(3, Phase.PROGRESSING, 10)]


def test_a_database_begun_anew_learns_from_the_spool(store: SqlStore, spool: Spool) -> None:
    spool.write(a_tick(41, 0, ROLLING))
    spool.write(a_tick(43, 0, ROLLED))
    assert found(recover(store, spool)) == [(2, ROLLED, 0)]


def test_while_the_database_is_down_nothing_is_lost_and_the_spool_can_be_read(spool: Spool) -> None:
    store = MemoryStore()
    store.commit(a_tick(1, 10))
    stored = store.load()
    spool.write(a_tick(2, 0, ROLLING))
    store.fault = Fault.READ_ONLY
    with pytest.raises(StoreUnavailableError):
        recover(store, spool)
    assert found(latest(stored, spool.read())) == [(2, ROLLING, 0)]
    assert found(latest([], spool.read())) == [(1, ROLLING, 0)]
    store.fault = None
    assert found(recover(store, spool)) == [(2, ROLLING, 0)]


def test_a_recovery_that_was_killed_in_the_middle_is_begun_again(spool: Spool) -> None:
    store = MemoryStore()
    store.commit(a_tick(1, 10))
    spool.write(a_tick(2, 0, ROLLING))
    spool.write(a_tick(3, 0, ROLLED))
    store.commit(missed(store.load(), spool.read())[0])
    assert found(recover(store, spool)) == [(3, ROLLED, 0)]


ticks = st.builds(a_tick, st.integers(1, 6), st.sampled_from([0, 1, 10, 100]), st.sampled_from(Phase))


@given(st.none() | ticks, st.lists(ticks, max_size=5))
def test_a_candidate_never_gains_by_a_recovery(before: TickRecord | None, spooled: list[TickRecord]) -> None:
    stored = [Stored(KEY, before.seq, before.position, None)] if before else []
    seq = before.seq if before else 0
    for record in missed(stored, spooled):
        seq += 1
        assert record.seq == seq
    after = latest(stored, spooled)
    if before:
        assert not exposes_more(after[0].position, before.position)
    # Once more with the same spool: what ended stays ended, what is low stays low.
    again = latest(after, spooled)
    assert [(one.position.split()) for one in again] == [(one.position.split()) for one in after] or not exposes_more(
        again[0].position, after[0].position
    )


def test_a_position_of_which_nothing_is_known_gives_the_candidate_nothing() -> None:
    unknown = Position(Phase.STALLED, START, run=a_run())
    assert exposes_more(a_position(1), unknown)
    assert not exposes_more(unknown, a_position(1))


def test_a_spooled_rollback_replaces_a_row_that_does_not_read_back(spool: Spool) -> None:
    nothing = Stored(KEY, 4, Position(Phase.IDLE, START), None, Unread("damaged"))
    spool.write(a_tick(5, 0, ROLLING))
    (row,) = latest([nothing], spool.read())
    assert (row.seq, row.position.phase, row.unread) == (5, ROLLING, None)


def test_a_spooled_share_for_the_candidate_does_not(spool: Spool) -> None:
    nothing = Stored(KEY, 4, Position(Phase.IDLE, START), None, Unread("damaged"))
    spool.write(a_tick(5, 10, Phase.HELD))
    assert latest([nothing], spool.read()) == [nothing]
