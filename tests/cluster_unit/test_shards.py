"""Shards and their holders: stories of replicas that come, go, sleep and lose the network, with one manual clock."""

import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.cluster import shard_records
from controller.cluster.lease_rounds import go_round
from controller.cluster.lease_settings import LeaseSettings, undisturbed
from controller.cluster.shard_plan import Plan, Shard, plan
from controller.cluster.shard_records import WANTED, lease_ref, shard_of
from controller.domain.cluster import LEASE, ConflictError, InvalidObjectError, ObjectRef, Operation
from controller.domain.names import RolloutKey
from controller.testing.clock import ManualClock
from tests.cluster_unit.keepers import NAMESPACE, Fleet, key_in


def test_a_lonely_replica_takes_everything_at_once() -> None:
    fleet = Fleet()
    one = fleet.join("a")
    fleet.step()
    assert one.mine == {0, 1, 2, 3}
    assert one.told == ["+0", "+1", "+2", "+3"]


def test_a_second_replica_gets_its_half_and_everything_stays_so() -> None:
    fleet = Fleet()
    fleet.join("a")
    fleet.step()
    fleet.join("b")
    fleet.run(10)
    assert fleet.held() == {"a": 2, "b": 2}
    told = [list(one.told) for one in fleet.replicas.values()]
    fleet.run(120)
    assert told == [one.told for one in fleet.replicas.values()]


def test_three_replicas_share_fairly() -> None:
    fleet = Fleet(shards=8)
    for name in "abc":
        fleet.join(name)
    fleet.run(30)
    assert sorted(fleet.held().values()) == [2, 3, 3]


def test_more_replicas_than_shards_stand_by() -> None:
    fleet = Fleet(shards=1)
    for name in "abc":
        fleet.join(name)
    fleet.run(20)
    assert sorted(fleet.held().values()) == [0, 0, 1]


def test_what_a_killed_one_held_is_taken_over_within_its_lease() -> None:
    fleet = Fleet()
    fleet.join("a"), fleet.join("b")
    fleet.run(15)
    fleet.kill("a")
    fleet.run(14.5 - 5)  # it renewed at most five seconds ago: nobody may take it that soon
    assert fleet.held() == {"b": 2}
    fleet.run(6)
    assert fleet.held() == {"b": 4}


def test_what_a_clean_stop_lets_go_is_taken_at_once() -> None:
    fleet = Fleet()
    fleet.join("a"), fleet.join("b")
    fleet.run(15)
    fleet.replicas["a"].keeper.stop()
    fleet.step(0.01)
    assert fleet.held() == {"a": 0, "b": 4}


@pytest.mark.parametrize("skew", [-86400.0, -3.0, 3.0, 86400.0])
def test_wrong_wall_clocks_change_nothing(skew: float) -> None:
    fleet = Fleet()
    fleet.join("a", skew), fleet.join("b")
    fleet.run(60)
    assert fleet.held() == {"a": 2, "b": 2}
    fleet.clock.jump(timedelta(hours=-5))
    fleet.run(60)
    assert fleet.held() == {"a": 2, "b": 2}


def test_one_that_slept_finds_itself_fenced_before_its_first_step() -> None:
    fleet = Fleet()
    a, b = fleet.join("a"), fleet.join("b")
    fleet.run(15)
    key = key_in(min(a.mine), a.keeper)
    assert a.keeper.holds(key)
    a.asleep = True
    a.cluster.view.hold_back()
    fleet.run(20)
    assert b.mine == {0, 1, 2, 3}
    assert not a.keeper.holds(key)
    a.asleep = False
    fleet.step(0.01)  # it still sees the cluster of before its sleep
    assert not a.mine
    a.cluster.view.let_go()
    fleet.run(10)
    assert fleet.held() == {"a": 2, "b": 2}


def test_one_that_cannot_renew_stops_in_time_and_others_follow() -> None:
    fleet = Fleet()
    a, b = fleet.join("a"), fleet.join("b")
    fleet.run(15)
    a.cluster.fail()
    lost_after = taken_after = None
    for half_seconds in range(60):
        fleet.step()
        lost_after = lost_after or (None if a.mine else half_seconds / 2)
        taken_after = taken_after or (half_seconds / 2 if len(b.mine) == 4 else None)
    assert lost_after is not None
    assert taken_after is not None
    assert lost_after < taken_after <= 15.5
    assert "the API server is away" in a.keeper.trouble
    a.cluster.heal()
    fleet.run(15)
    assert fleet.held() == {"a": 2, "b": 2}
    assert not a.keeper.trouble


def test_a_slow_renewal_counts_from_before_it_went_out() -> None:
    fleet = Fleet(shards=1)
    a = fleet.join("a")
    fleet.run(5)
    a.cluster.before_write = lambda *_: fleet.clock.advance(9)
    fleet.clock.advance(0.6)
    a.keeper.tick()
    assert a.mine == {0}
    fleet.clock.advance(3.1)  # 12.1 s after it went out, 3.1 s after it came back
    assert not a.mine


def test_a_shard_is_let_go_for_a_while_before_it_is_given() -> None:
    fleet = Fleet()
    a, b = fleet.join("a"), fleet.join("b")
    fleet.step()
    let_go, taken = list[float](), list[float]()
    for at in range(40):
        fleet.step()
        let_go += [at / 2] * (len(a.mine) == 2)
        taken += [at / 2] * (len(b.mine) == 2)
    assert taken[0] - let_go[0] >= 3.0


def test_an_outage_of_the_api_server_is_told_as_lost_and_gained() -> None:
    fleet = Fleet(shards=1)
    a = fleet.join("a")
    fleet.run(5)
    a.cluster.fail()
    fleet.run(13)
    assert a.told == ["+0", "-0"]
    a.cluster.heal()
    fleet.run(1.5)
    assert a.told == ["+0", "-0", "+0"]


def test_without_a_current_view_leases_are_asked_for_now_and_then() -> None:
    fleet = Fleet()
    _, b = fleet.join("a"), fleet.join("b")
    fleet.run(15)
    b.cluster.view.cut()
    b.cluster.calls.clear()
    fleet.run(30)
    assert fleet.held() == {"a": 2, "b": 2}
    assert b.cluster.calls["list", "leases.coordination.k8s.io"] <= 7
    fleet.kill("a")
    fleet.run(21)
    assert fleet.held() == {"b": 4}


def test_a_denied_lease_names_the_rule() -> None:
    fleet = Fleet()
    a = fleet.join("a")
    a.cluster.deny("create", LEASE)
    fleet.step()
    assert 'resources: ["leases"], verbs: ["create"]' in a.keeper.trouble


def test_a_deleted_lease_is_let_go_before_another_takes_it() -> None:
    fleet = Fleet()
    fleet.join("a"), fleet.join("b")
    fleet.run(15)
    fleet.server.delete(lease_ref(NAMESPACE, 0))
    fleet.run(40)
    assert fleet.all_held()


def test_a_deleted_lease_is_not_taken_from_one_who_may_not_know_it() -> None:
    fleet = Fleet(shards=1)
    a = fleet.join("a")
    fleet.run(5)
    b = fleet.join("b")
    fleet.run(2)
    a.asleep = True
    fleet.server.delete(lease_ref(NAMESPACE, 0))
    fleet.run(14.5)  # no step finds two holders
    assert not b.mine
    fleet.run(2)
    assert b.mine == {0}


def test_a_shard_moves_only_where_it_brings_two_nearer_to_each_other() -> None:
    uneven = {0: Shard("a", wanted_by="b"), 1: Shard("a"), 2: Shard("b")}
    assert plan(uneven, "a", 5.0) == Plan()
    assert plan({**uneven, 3: Shard("a")}, "a", 5.0) == Plan(give={0: "b"})


def test_replicas_that_divide_otherwise_wait() -> None:
    fleet = Fleet()
    a = fleet.join("a")
    fleet.run(5)
    b = fleet.join("b", shards=8)
    fleet.run(60)
    assert (len(a.mine), len(b.mine)) == (4, 0)
    assert "4 shards, this replica into 8" in b.keeper.trouble
    a.keeper.stop()
    fleet.kill("a")
    fleet.run(3)
    assert len(b.mine) == 8


def test_a_wish_is_no_sign_of_its_holders_life() -> None:
    fleet = Fleet(shards=1)
    fleet.join("a"), fleet.join("b")
    fleet.run(5)
    (holder,) = [name for name, count in fleet.held().items() if count]
    fleet.kill(holder)
    for n in range(40):
        fleet.step()
        note = Operation("add", f"/metadata/annotations/{WANTED.replace('/', '~1')}", f"someone {n}")
        if not fleet.all_held():
            fleet.server.patch(lease_ref(NAMESPACE, 0), [note], "", "someone")
    assert fleet.all_held()


def test_steady_replicas_ask_for_nothing_but_renewals() -> None:
    fleet = Fleet()
    a, b = fleet.join("a"), fleet.join("b")
    fleet.run(20)
    for one in (a, b):
        one.cluster.calls.clear()
    fleet.run(100)
    for one in (a, b):
        assert set(one.cluster.calls) == {("patch", "leases.coordination.k8s.io")}
        assert 38 <= one.cluster.calls.total() <= 42


def test_a_lost_race_is_no_trouble() -> None:
    fleet = Fleet(shards=1)
    a = fleet.join("a")
    a.cluster.fail(ConflictError("another was faster"), verb="create", times=3)
    fleet.run(5)
    assert a.mine == {0}
    assert not a.keeper.trouble


def test_one_that_dies_before_it_takes_up_what_it_asked_for_keeps_it_for_seconds_only() -> None:
    fleet = Fleet()
    a = fleet.join("a")
    fleet.run(5)
    fleet.join("b")
    for _ in range(10):
        fleet.step()
        if len(a.mine) < 4:
            break
    assert len(a.mine) == 2, "two are on their way to b"
    fleet.kill("b")
    fleet.run(3.5)
    given = [shard_records.read(fleet.server.objects[lease_ref(NAMESPACE, shard)]) for shard in range(4)]
    assert sum(one.is_on_its_way for one in given) == 2
    fleet.run(6.5)
    assert fleet.held() == {"a": 4}


def test_what_an_older_release_took_up_is_no_longer_on_its_way() -> None:
    """It leaves the note where it is, and writes another transition."""
    fleet = Fleet(shards=1)
    fleet.join("a")
    fleet.run(2)
    ref = lease_ref(NAMESPACE, 0)
    for steps in (
        shard_records.giving(shard_records.read(fleet.server.objects[ref]), "b", fleet.clock.now()),
        [Operation("add", "/spec/leaseTransitions", 2)],
    ):
        fleet.server.patch(ref, steps, "", "someone")
        fleet.clock.advance(6)
    assert shard_records.read(fleet.server.objects[ref]).given == "1"
    assert not shard_records.read(fleet.server.objects[ref]).is_on_its_way


def test_a_dead_one_is_succeeded_at_the_moment_its_lease_ends() -> None:
    fleet = Fleet(shards=1)
    fleet.join("a")
    fleet.run(5)
    b = fleet.join("b")
    fleet.step(0.3)
    fleet.kill("a")
    seen = fleet.clock.monotonic()
    fleet.clock.advance(0.37)
    while (wait := b.keeper.tick()) and not b.mine and fleet.clock.monotonic() < seen + 20:
        fleet.clock.advance(wait)
    assert 15.0 <= fleet.clock.monotonic() - seen < 15.1


def test_a_slow_watch_is_not_taken_for_a_dead_replica_nor_hides_what_is_free() -> None:
    fleet = Fleet()
    a, b = fleet.join("a"), fleet.join("b")
    fleet.run(15)
    b.cluster.view.hold_back()
    b.cluster.calls.clear()
    fleet.run(30)
    assert fleet.held() == {"a": 2, "b": 2}
    assert b.cluster.calls["list", "leases.coordination.k8s.io"] <= 6
    a.keeper.stop()
    fleet.kill("a")
    fleet.run(7)
    assert fleet.held() == {"b": 4}, "long before a lease ends"


@pytest.mark.parametrize("listener", ["_gained", "_lost"])
def test_a_listener_that_fails_ends_nothing(listener: str) -> None:
    fleet = Fleet()
    a = fleet.join("a")
    broken = undisturbed(_broken)
    setattr(a.keeper, listener, broken)
    fleet.step()
    fleet.join("b")
    fleet.run(30)
    assert fleet.held() == {"a": 2, "b": 2}


def _broken(_shard: int) -> None:
    raise ZeroDivisionError


def test_a_fault_of_our_own_does_not_end_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(shards=1)
    a = fleet.join("a")
    with monkeypatch.context() as patched:
        patched.setattr(a.keeper._desk, "records", lambda *_: 1 / 0)
        assert a.keeper._ticked() == 1.0
    assert "ZeroDivisionError" in a.keeper.trouble
    a.keeper._ticked()
    assert a.mine == {0}
    assert not a.keeper.trouble


def test_at_the_end_one_lease_that_cannot_be_released_does_not_keep_the_others() -> None:
    fleet = Fleet()
    a, b = fleet.join("a"), fleet.join("b")
    fleet.run(15)
    a.cluster.fail(verb="patch", times=1)
    a.keeper.stop()
    fleet.kill("a")
    fleet.run(6)
    assert len(b.mine) == 3, "more than its share after a while, while somebody else still seems to live"
    fleet.run(10)
    assert len(b.mine) == 4


def test_a_slow_api_server_that_takes_renewals_ends_nobodys_shards() -> None:
    """Eight renewals of 1.3 s, one after the other, would take longer than a lease is believed in."""
    fleet = Fleet(shards=8)
    a = fleet.join("a")
    fleet.run(4.5)
    slow = 2

    def answer(_verb: str, _ref: ObjectRef) -> None:
        nonlocal slow
        slow -= 1
        fleet.clock.advance(1.3 if slow >= 0 else 0.0)

    a.cluster.before_write = answer
    for _ in range(20):
        slow = 2
        fleet.step()
    assert len(a.mine) == 8
    assert a.told == [f"+{shard}" for shard in range(8)]


def test_a_round_goes_side_by_side_when_it_is_slow() -> None:
    """Two steps that wait for each other end only when both are under way."""
    clock, both = ManualClock(), threading.Barrier(2)
    go_round([lambda: clock.advance(2), lambda: _meet(both), lambda: _meet(both)], clock.monotonic, 1.0)
    assert not both.broken


def _meet(both: threading.Barrier) -> None:
    both.wait(10)


def test_a_lease_that_the_api_server_refuses_does_not_keep_the_others() -> None:
    fleet = Fleet()
    a = fleet.join("a")
    fleet.run(3)

    def refused(verb: str, ref: ObjectRef) -> None:
        if verb == "patch" and ref == lease_ref(NAMESPACE, 0):
            raise InvalidObjectError("spec.holderIdentity: no such person")

    a.cluster.before_write = refused
    fleet.run(30)
    assert a.mine == {1, 2, 3}
    assert "no such person" in a.keeper.trouble


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="must fit into lease less margin"):
        LeaseSettings("ns", "a", lease=15, renew=12, margin=3)


def test_rollouts_spread_over_the_shards_and_stay_where_they_are() -> None:
    counts = [0] * 4
    for n in range(4000):
        counts[shard_of(RolloutKey("team", f"model-{n}"), 4)] += 1
    assert min(counts) > 900
    assert [shard_of(RolloutKey("team", f"model-{n}"), 16) for n in range(5)] == [8, 10, 13, 1, 6]


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["step", "long", "sleep", "wake", "kill", "join", "stop", "cut", "stale"]), st.integers(0, 3)
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ACTS)
def test_whatever_happens_no_shard_has_two_holders_and_all_are_held_in_the_end(acts: list[tuple[str, int]]) -> None:
    fleet = Fleet(shards=3)
    for name in "ab":
        fleet.join(name)
    for at, (act, who) in enumerate(acts):
        _do(fleet, at, act, who)
        fleet.check()
    for one in fleet.replicas.values():
        one.asleep = False
        one.cluster.heal()
        one.cluster.view.let_go()
    if not fleet.replicas:
        fleet.join("last")
    fleet.run(70)
    assert fleet.all_held()
    counts = fleet.held().values()
    assert max(counts) - min(counts) <= 1


def _do(fleet: Fleet, at: int, act: str, who: int) -> None:
    one = list(fleet.replicas.values())[who % len(fleet.replicas)] if fleet.replicas else None
    if act in ("step", "long"):
        fleet.run(0.5 if act == "step" else 6)
    elif act == "join" and len(fleet.replicas) < 4:
        fleet.join(f"r{at}", skew=who * 100.0)
    elif one is None:
        return
    elif act in ("kill", "stop"):
        if act == "stop":
            one.keeper.stop()
        fleet.kill(one.name)
    elif act == "sleep":
        one.asleep = True
    elif act == "wake":
        one.asleep = False
        one.cluster.heal()
        one.cluster.view.let_go()
    elif act == "cut":
        one.cluster.fail()
    elif act == "stale":
        one.cluster.view.hold_back()
