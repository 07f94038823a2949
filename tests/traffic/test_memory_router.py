"""The in-memory router fails as it is told to."""

import pytest

from controller.domain.traffic import RouterUnavailableError, RouteTable, Split
from controller.testing.routers import Fault, MemoryRouter
from tests.traffic.rigs import V11, V12, MemoryRig

CANARY = Split(V11, V12, weight=25, mirror=10)
HOME = Split(V11)


@pytest.fixture
def router() -> MemoryRouter:
    made = MemoryRig().router
    made.apply(HOME)
    return made


def test_a_share_is_exact_over_a_hundred_requests(router: MemoryRouter) -> None:
    router.apply(CANARY)
    answers = router.send(100)
    assert answers.count(V12) == 25
    assert router.observe().counts[V12].mirrored == 10


def test_writes_are_counted_only_when_something_changes(router: MemoryRouter) -> None:
    for split in (CANARY, CANARY, HOME, HOME):
        router.apply(split)
    assert router.writes == 3


@pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.REJECTS])
def test_a_refused_write_changes_nothing(router: MemoryRouter, fault: Fault) -> None:
    router.fault = fault
    with pytest.raises(RouterUnavailableError, match=fault):
        router.apply(CANARY)
    router.fault = None
    assert router.observe().table == HOME.table()


@pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.BLIND])
def test_what_cannot_be_read_is_trouble(router: MemoryRouter, fault: Fault) -> None:
    router.fault = fault
    with pytest.raises(RouterUnavailableError, match=fault):
        router.observe()


def test_slow_is_accepted_later(router: MemoryRouter) -> None:
    router.fault = Fault.SLOW
    router.apply(CANARY)
    seen = router.observe()
    assert (seen.table, seen.accepted) == (HOME.table(), False)
    assert set(router.send(50)) == {V11}
    router.fault = None
    assert router.observe().accepted
    assert router.observe().table == CANARY.table()


def test_a_leak_is_seen_in_the_counts_alone(router: MemoryRouter) -> None:
    router.apply(CANARY)
    router.fault = Fault.LEAKS
    router.apply(HOME)
    before = router.observe()
    assert (before.table, before.accepted) == (HOME.table(), True)
    router.send(100)
    assert router.observe().counts[V12].live > before.counts[V12].live


def test_someone_else_may_change_it(router: MemoryRouter) -> None:
    router.set_by_hand(RouteTable(shares=((V11, 40), (V12, 60))))
    assert router.observe().table == RouteTable(shares=((V11, 40), (V12, 60)))
    assert router.send(10).count(V12) == 6


def test_streams_in_flight_are_active(router: MemoryRouter) -> None:
    router.hold_streams(V12, 2)
    assert router.observe().counts[V12].active == 2
