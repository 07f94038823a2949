"""Beside the passes: who is sampled, what is told when it lasts, and what is forgotten."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.domain.names import RolloutKey, VersionName
from controller.domain.rollout import MetricServer
from controller.domain.slo import Scenarios
from controller.domain.state import Phase
from controller.ports import Specs
from controller.runtime.chores import TELL_AFTER, Chores
from controller.runtime.clock import SystemClock
from controller.runtime.dispatch import Dispatcher
from controller.runtime.observe import EARLY
from controller.runtime.scheduler import Ticker
from controller.testing.stores import Fault
from tests.parts.net import wait_until
from tests.runtime.rig import KEY, Rig


class Woken(Dispatcher):
    """Remembers who was woken."""

    def __init__(self) -> None:
        super().__init__(SystemClock(), lambda _key: None, 1, lambda _late: None)
        self.keys: list[RolloutKey] = []
        self.hastened: list[RolloutKey] = []

    def wake(self, key: RolloutKey, after: timedelta = timedelta(0)) -> None:
        self.keys.append(key)

    def hasten(self, key: RolloutKey) -> None:
        self.hastened.append(key)


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def ticker() -> Iterator[Ticker]:
    """Paused before its first tick: what is planned is of interest, not what it does."""
    made = Ticker(SystemClock())
    yield made
    made.stop()


@pytest.fixture
def chores(canary: Rig, ticker: Ticker, woken: Woken) -> Chores:
    return Chores(canary.house, ticker, woken, 396)


def test_a_server_is_sampled_while_somebody_listens(canary: Rig, chores: Chores, ticker: Ticker) -> None:
    chores.plan()
    assert [name for name in ticker.names() if name.startswith("sample ") and not name.endswith("at once")]
    canary.breach()
    canary.passes()
    assert canary.held.position.phase is Phase.ROLLED_BACK
    assert not [name for name in ticker.names() if name.startswith("sample ") and not name.endswith("at once")]


def test_a_sample_wakes_its_listeners_and_says_what_is_wrong(canary: Rig, chores: Chores, woken: Woken) -> None:
    server = next(iter(canary.house.watch.stations()))
    canary.counters.problem = "the server answered 500"
    chores.sample(server)
    assert woken.keys == [KEY]
    assert "the server answered 500" in str(canary.house.health.ready().document)
    canary.counters.problem = None
    chores.sample(server)
    assert "the server answered 500" not in str(canary.house.health.ready().document)


NEVER = Scenarios("hazard", "none", zero_tolerance=("cse",))


def test_who_gave_a_forbidden_answer_is_looked_at_first(canary: Rig, chores: Chores, woken: Woken) -> None:
    """With a thousand runs, seconds pass from the first pass to the last."""
    run = canary.held.position.run
    assert run is not None
    by_hazard = replace(run.spec.slos[0], scenarios=NEVER)
    ((server, _),) = canary.house.watch.stations().items()
    third, candidates = RolloutKey("assistants", "third"), {NEW: "v12", RolloutKey("assistants", "third"): "v13"}
    for key, candidate in candidates.items():
        spec = replace(run.spec, slos=(by_hazard,))
        canary.house.watch.follow(key, replace(run, spec=spec, candidate=VersionName(candidate)), False)

    def hastened() -> set[RolloutKey]:
        woken.keys.clear()
        woken.hastened.clear()
        chores.sample(server)
        assert sorted([*woken.keys, *woken.hastened]) == sorted([KEY, NEW, third]), "nobody is left out"
        return set(woken.hastened)

    canary.counters.hazard = "cse"
    canary.counters.count("v13", 5, bad=5)
    assert hastened() == set(), "what was there before anybody looked is no news"
    canary.counters.count("v13", 5, bad=1)
    chores.sample(server, but={KEY, NEW, third})
    assert hastened() == {third}, "also when the server was asked for others meanwhile"
    assert hastened() == set(), "it is no news any more"
    canary.counters.counts["v13"] = (0, 0)
    canary.counters.count("v12", 5, bad=1)
    assert hastened() == {NEW}, "a counter that began anew is none"
    canary.counters.problem = "the server answered 500"
    assert hastened() == set()


NEW = RolloutKey("default", "new")


def joined_by_a_new_run(canary: Rig, chores: Chores) -> tuple[str, MetricServer]:
    """A second run begins to load on the metrics server of the first, which was asked before."""
    chores.plan()
    ((server, station),) = canary.house.watch.stations().items()
    station.sampler.tick()
    canary.house.watch.follow(NEW, canary.held.position.run, True)
    return f"sample {server.provider} {' '.join(server.urls)} {abs(hash(server))}", server


def test_a_run_that_waits_to_begin_is_asked_for_before_the_next_tick(
    canary: Rig, chores: Chores, ticker: Ticker, woken: Woken
) -> None:
    name, server = joined_by_a_new_run(canary, chores)
    assert f"{name} for new ones at once" in ticker.names()
    assert canary.house.watch.waiting(server) == [NEW]
    chores.catch_up(name, server)
    assert woken.keys == [NEW], "the others go by their own ticks"
    assert canary.house.watch.waiting(server) == []
    chores.catch_up(name, server)
    assert woken.keys == [NEW], "nobody waits any more"


def test_a_run_that_another_process_guarded_is_asked_for_before_the_next_tick(
    canary: Rig, chores: Chores, ticker: Ticker, woken: Woken
) -> None:
    """The breach that came while nobody guarded it is not left until the tick of those that were here before."""
    chores.plan()
    ((server, station),) = canary.house.watch.stations().items()
    station.sampler.tick()
    canary.house.watch.follow(NEW, canary.held.position.run, False)
    name = f"sample {server.provider} {' '.join(server.urls)} {abs(hash(server))}"
    assert f"{name} for new ones at once" in ticker.names()
    chores.catch_up(name, server)
    assert woken.keys == [NEW]


def test_who_begins_to_listen_while_others_are_asked_for_is_woken_too(
    canary: Rig, chores: Chores, woken: Woken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He is asked for with them, so that he waits for nothing any more: without a wake he would miss a whole tick."""
    name, server = joined_by_a_new_run(canary, chores)
    chores.sample(server)
    woken.keys.clear()
    watch, third = canary.house.watch, RolloutKey("assistants", "third")
    sampler = watch.stations()[server].sampler
    tick = sampler.tick

    def joined_meanwhile() -> object:
        watch.follow(third, canary.held.position.run, False)
        return tick()

    monkeypatch.setattr(sampler, "tick", joined_meanwhile)
    watch.follow(NEW, canary.held.position.run, False)
    chores.catch_up(name, server)
    assert sorted(woken.keys) == sorted([NEW, third])


def test_nobodys_ticks_are_further_apart_because_of_a_new_run(
    canary: Rig, chores: Chores, ticker: Ticker, woken: Woken
) -> None:
    """What is nearly a tick for all becomes one, and the next one counts from it."""
    name, server = joined_by_a_new_run(canary, chores)
    canary.clock.advance(canary.house.watch.stations()[server].interval * EARLY)  # type: ignore[operator]
    chores.catch_up(name, server)
    assert woken.keys == [], "it is not asked for alone"
    due = ticker.due(name)
    assert due is not None
    assert due - SystemClock().now() < timedelta(seconds=1), "the tick of all comes now"


def test_a_changed_spec_wakes_its_rollout_once(canary: Rig, chores: Chores, woken: Woken) -> None:
    chores.read_sources()
    assert woken.keys == []
    canary.source.specs = Specs({}, trouble="the remote cannot be reached")
    chores.read_sources()
    chores.read_sources()
    assert woken.keys == [KEY]
    assert "the remote cannot be reached" in str(canary.house.health.ready().document)


def test_people_hear_of_a_database_that_stays_away(canary: Rig, chores: Chores) -> None:
    canary.store.fault = Fault.UNAVAILABLE
    canary.tick()
    chores.mend()
    canary.clock.advance(TELL_AFTER / 2)
    chores.mend()
    assert not [one for one in canary.channel.told if "database" in one.title]
    canary.clock.advance(TELL_AFTER / 2)
    chores.mend()
    wait_until(lambda: [one for one in canary.channel.told if "cannot use its database" in one.title], 5, "the alert")
    canary.store.fault = None
    chores.mend()
    assert canary.house.health.ready().document["components"]["store"]["ok"] is True  # type: ignore[index]
    assert not canary.held.unsaved


def test_a_store_that_cannot_be_pruned_ends_nothing(canary: Rig, chores: Chores) -> None:
    chores.prune()
    canary.store.fault = Fault.UNAVAILABLE
    chores.prune()


def test_what_is_asked_for_soon_while_the_last_one_runs_is_done_after_it() -> None:
    ticker, entered, ended = Ticker(SystemClock()), [0], threading.Event()

    def slow() -> None:
        entered[0] += 1
        ended.wait(10)

    ticker.start()
    try:
        ticker.soon("catch up", timedelta(0), slow)
        wait_until(lambda: entered[0] == 1, 10, "the first one")
        ticker.soon("catch up", timedelta(0), slow)
        wait_until(lambda: entered[0] == 2, 10, "the second one")
    finally:
        ended.set()
        ticker.stop()
