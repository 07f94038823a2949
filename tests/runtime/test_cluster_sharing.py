"""Several replicas on one store, one API server and one data plane: every rollout has one guard at a time."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.names import RolloutKey
from controller.domain.state import Phase
from controller.domain.traffic import Split
from controller.runtime import sharing
from controller.runtime.book import Held
from controller.runtime.desk import OUTBOX
from controller.runtime.reconcile import reconcile
from controller.runtime.sharing import Heirs
from controller.testing.stores import Fault
from tests.runtime.cluster_rig import KEY, ClusterRig, a_cluster_rig, a_document
from tests.runtime.rig import KEY as OF_A_FILE

Pair = tuple[ClusterRig, ClusterRig]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Both know the rollout; the first one guards it, in its verified canary stage."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = a_cluster_rig(tmp_path / "a")
    second = a_cluster_rig(
        tmp_path / "b", first.cluster.server, first.rig.store.shelf, first.clock, first.rig.routers,
        first.rig.counters, holds=False,
    )  # fmt: skip
    first.apply(version="v11")
    first.passes()
    first.apply(version="v12")
    second.read()
    first.tick_until(lambda: bool(first.held.position.run and first.held.position.run.stage_since))
    yield first, second
    for one in (first, second):
        one.rig.house.persister.close()


def hand_over(giver: ClusterRig, taker: ClusterRig) -> None:
    giver.keeper.lose()
    taker.keeper.gain()
    taker.sharing.refresh()


def test_what_another_process_guards_is_not_looked_at(pair: Pair) -> None:
    _, second = pair
    assert reconcile(KEY, second.rig.house) is None
    second.passes()
    assert second.held.seq == 0
    assert second.cluster.calls.total() == 0
    assert second.rig.house.watch.stations() == {}


def test_a_shard_that_is_gained_goes_on_from_what_is_stored(pair: Pair) -> None:
    first, second = pair
    hand_over(first, second)
    assert second.woken == [KEY]
    assert (second.held.seq, second.held.position) == (first.held.seq, first.held.position)
    second.passes(1)
    assert first.rig.house.watch.stations() == {}, "the first one samples no more"
    second.tick_until(lambda: second.held.position.phase is Phase.ROLLED_BACK, bad=100)
    assert second.status["phase"] == "RolledBack"
    before = first.rig.routers[KEY].writes
    first.passes()
    assert first.rig.routers[KEY].writes == before


def test_a_paused_process_that_wakes_up_writes_nothing(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one decides to go to the full stage, is stopped before it writes, and meanwhile v12 is rolled back."""
    first, second = pair
    commit = first.rig.house.store.commit
    wanted: list[object] = []

    def stopped(record: object) -> None:
        commit(record)  # type: ignore[arg-type]
        split = getattr(record, "position").split()  # noqa: B009 - any record
        if split.weight == 100 and split.candidate and not wanted:
            wanted.append(split)
            hand_over(first, second)
            second.tick_until(lambda: second.held.position.phase is Phase.ROLLED_BACK, bad=400)

    monkeypatch.setattr(first.rig.store, "commit", stopped)
    first.rig.house.persister._patience = 60.0
    for _ in range(30):
        if wanted:
            break
        first.tick(answers=400)
    assert wanted, "it decided to go up"
    assert second.held.position.phase is Phase.ROLLED_BACK
    assert first.rig.routers[KEY].applied[-1] == Split("v11")  # type: ignore[arg-type]
    first.passes()
    second.passes()
    assert first.rig.routers[KEY].applied[-1] == Split("v11")  # type: ignore[arg-type]
    assert second.status["phase"] == "RolledBack"


def test_one_that_gets_its_shard_back_believes_nothing_it_knew(pair: Pair) -> None:
    first, second = pair
    hand_over(first, second)
    second.tick_until(lambda: second.held.position.phase is Phase.ROLLED_BACK, bad=100)
    assert first.held.position != second.held.position
    hand_over(second, first)
    assert first.held.position == second.held.position
    first.passes()
    assert first.held.position.phase is Phase.ROLLED_BACK


def test_a_moment_of_doubt_is_enough_to_read_again(pair: Pair) -> None:
    """Lost and gained again before anybody looked: the keeper tells that it was gained, and that is enough."""
    first, second = pair
    hand_over(first, second)
    second.tick_until(lambda: second.held.position.phase is Phase.ROLLED_BACK, bad=100)
    second.keeper.everything = False
    first.keeper.gain()
    assert not first.sharing.holds(KEY)
    first.sharing.refresh()
    assert first.held.position.phase is Phase.ROLLED_BACK


def test_without_the_database_a_new_guard_only_lowers(pair: Pair) -> None:
    first, second = pair
    second.read()
    second.rig.store.fault = Fault.UNAVAILABLE
    hand_over(first, second)
    assert second.held.unsaved
    second.passes(20)
    assert second.rig.routers[KEY].applied[-1] == Split("v11")  # type: ignore[arg-type]


def test_rollouts_of_files_are_everybodys_own(tmp_path: Path) -> None:
    made = a_cluster_rig(tmp_path, holds=False)
    made.rig.want(version="v11")
    assert made.sharing.holds(OF_A_FILE)
    made.rig.house.persister.close()


def test_one_replica_delivers_alerts_and_all_do_while_nobody_can_be_asked(pair: Pair) -> None:
    first, second = pair
    assert first.sharing.holds(OUTBOX)
    assert (first.desk.delivers(), second.desk.delivers()) == (True, False)
    second.cluster.view.cut()
    assert second.desk.delivers()
    second.cluster.view.mend()


def test_two_on_one_route_are_refused_alike_in_every_replica(pair: Pair) -> None:
    """The second replica only knows from the status that support-bot serves already."""
    other = a_document("v11", name="aaa-bot")
    other["spec"]["routes"] = a_document()["spec"]["routes"]
    for one in pair:
        one.apply(other)
    for one in pair:
        assert one.held.conflict is None
        (loser,) = (held for held in one.rig.house.book.all() if held.key.name == "aaa-bot")
        assert "assistants/support-bot" in str(loser.conflict)


def test_before_its_database_is_read_a_process_touches_only_what_is_its_own(tmp_path: Path) -> None:
    made = a_cluster_rig(tmp_path, holds=False)
    made.apply(version="v11")
    cluster = made.doors
    assert not cluster.may_touch(KEY)
    assert cluster.may_touch(OF_A_FILE), "no object of this cluster"
    made.keeper.everything = True
    assert cluster.may_touch(KEY)
    made.cluster.view.cut()
    made.keeper.everything = False
    assert not cluster.may_touch(OF_A_FILE), "not known is no"
    made.rig.house.persister.close()


def test_what_is_lost_while_it_is_read_is_not_taken_by_what_was_read(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process had it for a moment, and wrote: what was read before is not true any more."""
    first, second = pair
    first.keeper.lose()
    load = second.rig.store.load
    reads: list[object] = []

    def slow() -> object:
        found = load()
        reads.append(found)
        if len(reads) == 1:
            second.keeper.lose()
            first.keeper.gain()
            first.sharing.refresh()
            first.tick_until(lambda: first.held.position.phase is Phase.ROLLED_BACK, bad=100)
            first.keeper.lose()
            second.keeper.gain()
        return found

    monkeypatch.setattr(second.rig.store, "load", slow)
    second.keeper.gain()
    second.sharing.refresh()
    assert not second.sharing.holds(KEY), "it was let go meanwhile"
    second.sharing.refresh()
    assert second.sharing.holds(KEY)
    assert second.held.position.phase is Phase.ROLLED_BACK


def test_a_pass_that_hangs_keeps_nobody_else_from_being_taken(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "BUSY", 0.01)
    first, second = pair
    other = a_document("v11", name="zzz-bot")
    first.apply(other)
    second.apply(other)
    hanging, ended = threading.Event(), threading.Event()
    pass_of_before = threading.Thread(target=_hold, args=(second.held, hanging, ended))
    pass_of_before.start()
    hanging.wait(10)
    hand_over(first, second)
    try:
        assert second.sharing.holds(RolloutKey(KEY.namespace, "zzz-bot"))
        assert not second.sharing.holds(KEY)
    finally:
        ended.set()
        pass_of_before.join(10)
    second.sharing.refresh()
    assert second.sharing.holds(KEY)


def _hold(held: Held, hanging: threading.Event, ended: threading.Event) -> None:
    with held.lock:
        hanging.set()
        ended.wait(10)


def test_one_that_cannot_be_dropped_well_is_let_go_with_all_others(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = pair
    first.apply(a_document("v11", name="zzz-bot"))
    asked: list[RolloutKey] = []

    def broken(key: RolloutKey) -> None:
        asked.append(key)
        raise ZeroDivisionError

    monkeypatch.setattr(first.sharing, "_heirs", Heirs(lambda _: None, broken))
    first.keeper.lose()
    assert {key.name for key in asked} == {KEY.name, "zzz-bot"}
    assert not first.sharing.holds(KEY)
