"""The lease ran out because the API server is away: the guard goes on, only lowers, and gives way to who is known."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.cluster.lease_settings import LeaseSettings
from controller.cluster.leases import LeasedShards
from controller.domain.cluster import LEASE
from controller.domain.names import RolloutKey
from controller.domain.request import Ask, OperatorRequest
from controller.domain.state import HeldCause, Phase
from controller.domain.traffic import Split
from controller.runtime.cluster_house import ShardNews
from controller.runtime.persisting import mend
from controller.runtime.reconcile import reconcile
from controller.runtime.sharing import GUARDING_ONLY
from controller.testing.clock import ManualClock
from controller.testing.cluster import MemoryCluster
from controller.testing.routers import Fault as RouterFault
from controller.testing.routers import MemoryRouter
from controller.testing.stores import Fault
from tests.runtime.cluster_rig import KEY, ClusterRig, HandKeeper, a_cluster_rig

Pair = tuple[ClusterRig, ClusterRig]
V11, CANARY = Split("v11"), Split("v11", "v12", 10)  # type: ignore[arg-type]


def begun(rig: ClusterRig, **spec: Any) -> ClusterRig:
    """v12 is in its canary stage, verified."""
    rig.apply(version="v11", **spec)
    rig.passes()
    rig.apply(version="v12", **spec)
    rig.tick_until(lambda: bool(rig.held.position.run and rig.held.position.run.stage_since))
    return rig


def away(rig: ClusterRig) -> None:
    """No answer until the lease ran out."""
    rig.cluster.fail()
    rig.cluster.view.cut()
    rig.keeper.run_out()


def back(rig: ClusterRig) -> None:
    """An answer, and the lease is ours again."""
    rig.cluster.heal()
    rig.cluster.view.mend()
    rig.keeper.gain()
    rig.sharing.refresh()
    rig.read()


def route(rig: ClusterRig) -> MemoryRouter:
    return rig.rig.routers[KEY]


@pytest.fixture
def one(tmp_path: Path) -> Iterator[ClusterRig]:
    rig = begun(a_cluster_rig(tmp_path))
    yield rig
    rig.rig.house.persister.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Both know the rollout; the first one's lease ran out."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = a_cluster_rig(tmp_path / "a")
    second = a_cluster_rig(
        tmp_path / "b", first.cluster.server, first.rig.store.shelf, first.clock, first.rig.routers,
        first.rig.counters, holds=False,
    )  # fmt: skip
    begun(first)
    second.read()
    away(first)
    yield first, second
    for rig in (first, second):
        rig.rig.house.persister.close()


def taken_over(second: ClusterRig) -> None:
    second.keeper.gain()
    second.sharing.refresh()


def test_a_bad_candidate_is_rolled_back_to_verified_zero(one: ClusterRig) -> None:
    away(one)
    one.tick_until(lambda: one.held.position.phase is Phase.ROLLED_BACK, bad=100)
    assert route(one).applied[-1] == V11
    assert one.held.position.traffic is not None
    assert one.held.position.traffic.verified_at is not None
    assert one.status["phase"] == "Progressing", "nobody could be told yet"
    back(one)
    one.tick_until(lambda: one.status["phase"] == "RolledBack")
    assert one.status["breach"]["slo"] == "harm"


def test_blind_for_long_the_candidate_is_withdrawn_and_returns_only_when_it_is_held_again(one: ClusterRig) -> None:
    away(one)
    one.rig.counters.problem = "the metrics server is away, too"
    one.tick_until(lambda: bool(one.held.position.run and one.held.position.run.withdrawn))
    one.rig.counters.problem = None
    for _ in range(20):
        one.tick()
    assert route(one).applied[-1] == V11
    assert one.held.position.message == GUARDING_ONLY
    back(one)
    one.tick_until(lambda: route(one).applied[-1] == CANARY)


def test_a_good_candidate_stands_still_and_its_evidence_is_counted(one: ClusterRig) -> None:
    away(one)
    assert one.woken[-1] == KEY
    before = one.held.seq
    for _ in range(30):
        one.tick(answers=400)
    assert one.held.position.phase is Phase.PROGRESSING
    assert one.held.position.message == GUARDING_ONLY
    assert route(one).applied[-1] == CANARY
    assert one.held.seq > before
    assert "guarding only" in str(one.rig.house.health.alive().document)
    back(one)
    assert "guarding only" not in str(one.rig.house.health.alive().document)
    one.tick(answers=400)
    assert route(one).applied[-1].weight == 100


def test_nothing_begins(tmp_path: Path) -> None:
    rig = a_cluster_rig(tmp_path)
    rig.apply(version="v11")
    rig.passes()
    rig.apply(version="v12")
    away(rig)
    for _ in range(10):
        rig.tick()
    assert rig.held.position.phase is Phase.IDLE
    back(rig)
    rig.passes()
    assert rig.held.position.phase is not Phase.IDLE
    rig.rig.house.persister.close()


def test_one_that_is_loading_enters_no_stage(tmp_path: Path) -> None:
    rig = a_cluster_rig(tmp_path)
    rig.apply(version="v11")
    rig.passes()
    rig.apply(version="v12")
    rig.passes(1)
    assert rig.held.position.phase is Phase.PENDING
    away(rig)
    for _ in range(10):
        rig.tick()
    assert (rig.held.position.phase, rig.held.position.message) == (Phase.PENDING, GUARDING_ONLY)
    rig.rig.house.persister.close()


def test_a_raise_that_was_decided_while_the_lease_ran_out_is_not_written(
    one: ClusterRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, once = one.rig.store.commit, [True]

    def run_out(record: object) -> None:
        commit(record)  # type: ignore[arg-type]
        split = getattr(record, "position").split()  # noqa: B009 - any record
        if split.weight == 100 and once:
            once.pop()
            away(one)

    monkeypatch.setattr(one.rig.store, "commit", run_out)
    one.rig.house.persister._patience = 60.0
    for _ in range(30):
        one.tick(answers=400)
    assert one.keeper.is_adrift
    assert one.held.position.split() is not None
    assert route(one).applied[-1] == CANARY
    back(one)
    one.tick_until(lambda: route(one).applied[-1].weight == 100, answers=400)


def test_who_asks_here_can_stop_it_and_not_more(one: ClusterRig) -> None:
    away(one)
    assert [ask(one, what) for what in (Ask.PAUSE, Ask.RESUME, Ask.ABORT)] == [
        Phase.PAUSED, Phase.PAUSED, Phase.ROLLED_BACK,
    ]  # fmt: skip


def ask(rig: ClusterRig, what: Ask) -> Phase:
    rig.held.inbox.append(OperatorRequest(what.value, what, "ada", "because", rig.clock.now()))
    rig.passes()
    return rig.held.position.phase


def test_its_alerts_are_delivered(one: ClusterRig) -> None:
    one.cluster.fail()
    one.keeper.run_out()
    assert one.desk.delivers(), "before the view is known to be out of date, too"


def test_what_another_wrote_ends_it_at_once_and_moves_nothing(pair: Pair) -> None:
    """The other one goes up, the first one sees more than it gave: the store says whose turn it is."""
    first, second = pair
    taken_over(second)
    second.tick_until(lambda: second.rig.routers[KEY].applied[-1].weight == 100, answers=400)
    moved = route(first).writes
    first.passes(1)
    assert not first.sharing.guards(KEY)
    assert route(first).writes == moved
    assert first.rig.house.watch.stations() == {}
    assert reconcile(KEY, first.rig.house) is None
    assert second.held.position.phase is Phase.PROGRESSING


def test_before_the_other_one_wrote_anything_a_rollback_of_the_first_one_stands(pair: Pair) -> None:
    first, second = pair
    taken_over(second)
    first.tick_until(lambda: first.held.position.phase is Phase.ROLLING_BACK, bad=100, count=1)
    second.passes()
    assert second.held.position.phase is Phase.ROLLED_BACK, "it read what the first one decided"
    first.passes()
    assert not first.sharing.guards(KEY) or first.held.position == second.held.position
    assert route(first).applied[-1] == V11


def test_known_to_be_anothers_it_is_let_go_before_any_pass(pair: Pair) -> None:
    first, second = pair
    taken_over(second)
    first.keeper.lose()
    assert not first.sharing.guards(KEY)
    assert "guarding only" not in str(first.rig.house.health.alive().document)
    seq = first.held.seq
    first.tick(bad=100)
    assert first.held.seq == seq


def test_taken_back_it_is_read_afresh(pair: Pair) -> None:
    first, second = pair
    taken_over(second)
    second.tick_until(lambda: second.held.position.phase is Phase.ROLLED_BACK, bad=100)
    second.keeper.lose()
    back(first)
    assert first.held.position == second.held.position


@pytest.mark.parametrize("database_first", [False, True])
def test_without_the_database_too_a_breach_is_rolled_back_and_brought_to_it_later(
    one: ClusterRig, database_first: bool
) -> None:
    away(one)
    one.rig.store.fault = Fault.UNAVAILABLE
    one.tick_until(lambda: one.held.position.phase is Phase.ROLLED_BACK, bad=100)
    assert route(one).applied[-1] == V11
    assert one.held.unsaved
    if database_first:
        one.rig.store.fault = None
    back(one)
    assert one.held.position.phase is Phase.ROLLED_BACK, "what it knows is newer than what is stored"
    one.rig.store.fault = None
    assert mend(one.rig.house)
    one.passes()
    assert one.rig.store.shelf.stored[KEY].position.phase is Phase.ROLLED_BACK
    one.tick_until(lambda: one.status["phase"] == "RolledBack")


def test_without_the_database_the_other_ones_traffic_is_left_alone(pair: Pair) -> None:
    first, second = pair
    first.rig.store.fault = Fault.UNAVAILABLE
    first.tick()
    taken_over(second)
    second.tick_until(lambda: second.held.position.phase is Phase.COMPLETED, answers=400)
    moved = route(first).writes
    for _ in range(10):
        first.tick()
    assert route(first).writes == moved
    assert second.held.position.phase is Phase.COMPLETED


def test_when_the_database_is_back_it_says_that_another_went_on(pair: Pair) -> None:
    first, second = pair
    first.rig.store.fault = Fault.UNAVAILABLE
    first.tick()
    assert first.held.unsaved
    taken_over(second)
    second.tick_until(lambda: second.held.position.phase is Phase.COMPLETED, answers=400)
    stored = first.rig.store.shelf.stored[KEY]
    first.rig.store.fault = None
    mend(first.rig.house)
    assert not first.sharing.guards(KEY)
    first.passes()
    assert first.rig.store.shelf.stored[KEY] == stored
    assert route(first).applied[-1] == Split("v12")  # type: ignore[arg-type]


def test_what_goes_through_the_api_server_waits_without_a_request_and_goes_out_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = [
        {"name": one, "backendRef": {"kind": "Service", "name": one, "port": 80}, "bundle": {"w": one}}
        for one in ("v11", "v12")
    ]
    gateway = [{"gatewayAPI": {"httpRoute": "chat", "rule": "chat"}}]
    rig = begun(a_cluster_rig(tmp_path), routes=gateway, versions=services)
    away(rig)
    route(rig).fault = RouterFault.UNREACHABLE
    tried, apply = list[Split](), route(rig).apply

    def written(split: Split) -> None:
        tried.append(split)
        apply(split)

    monkeypatch.setattr(route(rig), "apply", written)
    rig.tick_until(lambda: rig.held.position.phase is Phase.ROLLING_BACK, bad=100)
    for _ in range(40):
        rig.tick(bad=100)
    assert tried == []
    assert rig.held.position.phase.value == "RollingBack", "what was not seen is not called done"
    told = [entry.reason for entry in rig.rig.store.shelf.journal]
    assert told.count("rollback_started") == told.count("not_verified") == 1
    route(rig).fault = None
    back(rig)
    rig.passes()
    assert tried == [V11]
    assert rig.held.position.phase.value == "RolledBack"
    rig.tick_until(lambda: rig.status["phase"] == "RolledBack")
    rig.rig.house.persister.close()


class Leased(HandKeeper):
    """Real leases on the cluster in memory."""

    def __init__(self, cluster: MemoryCluster, news: ShardNews, clock: ManualClock) -> None:
        super().__init__(news)
        settings = LeaseSettings("tidegate", "one", 1)
        self.leases = LeasedShards(
            cluster, cluster.view, settings, clock.now, news.gained, news.lost, clock.monotonic
        )  # fmt: skip
        cluster.view.follow(LEASE, "tidegate", lambda _: None)

    def holds(self, key: RolloutKey) -> bool:
        return self.leases.holds(key)

    def guards(self, key: RolloutKey) -> bool:
        return self.leases.guards(key)


def test_the_whole_story_by_leases(tmp_path: Path) -> None:
    """Held, away, run out, bad, zero, back, held again, told."""
    rig = a_cluster_rig(tmp_path, keep=Leased)
    assert isinstance(rig.keeper, Leased)
    leases = rig.keeper.leases

    def seconds(count: int, bad: float = 0.0) -> None:
        for second in range(count):
            rig.clock.advance(1)
            leases.tick()
            rig.sharing.refresh()
            if second % 15 == 14:
                rig.tick(0.0, bad=bad, count=2)

    leases.tick()
    rig.apply(version="v11")
    seconds(1)
    rig.passes()
    rig.apply(version="v12")
    rig.passes()
    seconds(45)
    assert rig.held.position.run is not None
    assert rig.held.position.run.stage_since is not None
    rig.cluster.fail()
    rig.cluster.view.cut()
    seconds(16)
    assert (rig.sharing.holds(KEY), rig.sharing.guards(KEY)) == (False, True)
    seconds(150, bad=100)
    assert rig.held.position.phase is Phase.ROLLED_BACK
    assert route(rig).applied[-1] == V11
    rig.cluster.heal()
    rig.cluster.view.mend()
    seconds(2)
    assert rig.sharing.holds(KEY)
    seconds(120)
    rig.passes()
    assert rig.status["phase"] == "RolledBack"
    assert rig.held.position.held is not HeldCause.EXTERNAL
    rig.rig.house.persister.close()
