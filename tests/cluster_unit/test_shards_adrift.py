"""A shard whose lease ran out because nobody answered: not held any more, guarded until another is known to hold it."""

import pytest

from controller.cluster.shard_records import lease_ref
from controller.domain.cluster import LEASE, Operation
from tests.cluster_unit.keepers import NAMESPACE, Fleet, Replica, key_in


def guarded(one: Replica) -> frozenset[int]:
    return frozenset(shard for shard in range(4) if one.keeper.guards(key_in(shard, one.keeper)))


def test_what_is_held_is_guarded() -> None:
    fleet = Fleet()
    a, b = fleet.join("a"), fleet.join("b")
    fleet.run(15)
    assert (guarded(a), guarded(b)) == (a.mine, b.mine)


def test_alone_without_an_api_server_everything_stays_guarded_and_nothing_is_held() -> None:
    fleet = Fleet()
    a = fleet.join("a")
    fleet.step()
    a.cluster.fail()
    for _ in range(1200):
        fleet.step()
        assert guarded(a) == {0, 1, 2, 3}, "there is no moment without a guard"
    assert not a.mine
    assert a.told == ["+0", "+1", "+2", "+3", "-0", "-1", "-2", "-3"], "told once"


def test_when_the_api_server_is_back_it_is_held_again_at_once() -> None:
    fleet = Fleet()
    a = fleet.join("a")
    fleet.step()
    a.cluster.fail()
    fleet.run(120)
    a.cluster.heal()
    fleet.run(1.5)
    assert a.mine == guarded(a) == {0, 1, 2, 3}
    assert a.told[-4:] == ["+0", "+1", "+2", "+3"]
    assert not a.keeper.trouble


def test_it_is_let_go_as_soon_as_another_is_seen_to_hold_it() -> None:
    """Renewals do not go through, and what is heard of the leases is believed."""
    fleet = Fleet()
    a, b = fleet.join("a"), fleet.join("b")
    fleet.run(15)
    a.cluster.fail()
    while b.mine != {0, 1, 2, 3}:
        assert guarded(a) == {0, 1, 2, 3} - b.mine or len(guarded(a)) == 2
        fleet.step()
    fleet.step()
    assert not guarded(a)


def test_who_hears_nothing_lets_go_when_the_api_server_answers_again() -> None:
    fleet = Fleet()
    a, b = fleet.join("a"), fleet.join("b")
    fleet.run(15)
    mine = a.mine
    a.cluster.fail()
    a.cluster.view.cut()
    fleet.run(60)
    assert guarded(a) == mine
    assert b.mine == {0, 1, 2, 3}
    a.cluster.heal()
    fleet.step(1.0)
    assert not guarded(a) - a.mine
    fleet.run(20)
    assert fleet.held() == {"a": 2, "b": 2}


@pytest.mark.parametrize("hears", [False, True])
def test_one_that_was_taken_and_given_back_is_known_to_have_been_anothers(hears: bool) -> None:
    """Whoever held it may have written: it is let go, and taken afresh."""
    fleet = Fleet(shards=1)
    a = fleet.join("a")
    fleet.run(5)
    a.cluster.fail()
    fleet.run(20)
    if not hears:
        a.cluster.view.hold_back()
    ref = lease_ref(NAMESPACE, 0)
    fleet.server.patch(ref, [Operation("add", "/spec/leaseTransitions", 7)], "", "b")
    a.told.clear()
    a.cluster.heal()
    a.keeper.tick()
    assert a.told[0] == "-0"
    a.cluster.view.let_go()
    fleet.run(20)
    assert a.told[-1] == "+0"
    assert a.mine == {0}


def test_one_that_slept_guards_nothing() -> None:
    """Not even what ran out before: it does not know what happened meanwhile."""
    fleet = Fleet()
    a = fleet.join("a")
    fleet.step()
    a.cluster.fail()
    fleet.run(30)
    assert guarded(a) == {0, 1, 2, 3}
    a.asleep = True
    fleet.run(20)
    assert not guarded(a), "before its first step"
    a.asleep = False
    fleet.step()
    assert not guarded(a)
    a.cluster.heal()
    fleet.run(20)
    assert a.mine == {0, 1, 2, 3}


def test_one_that_is_refused_guards_nothing() -> None:
    """The API server is there: whoever may hold leases takes them."""
    fleet = Fleet()
    a = fleet.join("a")
    fleet.step()
    a.cluster.deny("patch", LEASE)
    fleet.run(20)
    assert not guarded(a)


def test_one_that_is_refused_after_an_outage_guards_nothing() -> None:
    fleet = Fleet()
    a = fleet.join("a")
    fleet.step()
    a.cluster.fail()
    fleet.run(30)
    a.cluster.heal()
    a.cluster.deny("patch", LEASE)
    fleet.run(2)
    assert not guarded(a)


def test_a_deleted_lease_is_let_go() -> None:
    fleet = Fleet(shards=1)
    a = fleet.join("a")
    fleet.run(5)
    a.cluster.fail()
    fleet.run(20)
    assert a.keeper.guards(key_in(0, a.keeper))
    fleet.server.delete(lease_ref(NAMESPACE, 0))
    fleet.step()
    assert not a.keeper.guards(key_in(0, a.keeper))


def test_a_clean_stop_guards_nothing() -> None:
    fleet = Fleet()
    a = fleet.join("a")
    fleet.step()
    a.cluster.fail()
    fleet.run(20)
    a.keeper.stop()
    assert not guarded(a)
