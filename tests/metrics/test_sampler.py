"""One ask per family and tick, however many rollouts share it."""

import threading
from collections.abc import Sequence
from datetime import datetime

from controller.analysis.asking import asks
from controller.domain.measure import FamilyAsk, QueryAsk, Snapshot
from controller.domain.names import RolloutKey
from controller.domain.rollout import MetricServer
from controller.domain.slo import Matcher, RatioIndicator, Selector
from controller.metrics.sampler import Sampler
from controller.testing.builders import a_rollout
from controller.testing.clock import START, ManualClock
from controller.testing.metrics import MemoryMetrics
from tests.analysis.counters import HARM, JUDGED, METRIC, a_version, an_slo

SERVER = MetricServer("scrape", ("http://127.0.0.1:1/metrics",))


def key(name: object) -> RolloutKey:
    return RolloutKey("default", str(name))


def sampler(provider: MemoryMetrics | None = None) -> tuple[Sampler, MemoryMetrics, ManualClock]:
    metrics, clock = provider or MemoryMetrics(), ManualClock()
    return Sampler(SERVER, metrics, clock), metrics, clock


def wanted(app: int) -> Sequence[FamilyAsk | QueryAsk]:
    own = Matcher("app", (f"app-{app}",))
    indicator = RatioIndicator(Selector(METRIC, (*HARM.match, own)), Selector(METRIC, (*JUDGED.match, own)))
    return asks(a_rollout(slos=(an_slo(indicator),)), [a_version("v11"), a_version("v12")])


def test_queries_do_not_grow_with_the_rollouts_that_share_a_family() -> None:
    one, metrics, _ = sampler()
    counts = []
    for rollouts in (1, 100, 1000):
        for number in range(rollouts):
            one.register(key(number), wanted(number))
        one.tick()
        counts.append((one.queries_last_tick, metrics.fetches))
    assert counts == [(1, 1), (1, 2), (1, 3)]
    (ask,) = metrics.asked
    assert isinstance(ask, FamilyAsk)
    assert {one.label: len(one.values) for one in ask.match} == {"app": 1000, "verdict": 2, "version": 2}


def test_a_rollout_that_left_is_asked_for_no_more() -> None:
    one, metrics, _ = sampler()
    one.register(key(1), wanted(1))
    one.register(key(2), [FamilyAsk("other_total")])
    one.unregister(key(1))
    one.unregister(key("never-there"))
    one.tick()
    assert metrics.asked == (FamilyAsk("other_total"),)
    assert one.registered == {key(2)}


def test_registering_again_replaces() -> None:
    one, metrics, _ = sampler()
    one.register(key(1), [FamilyAsk("old_total")])
    one.register(key(1), [FamilyAsk("new_total")])
    one.tick()
    assert metrics.asked == (FamilyAsk("new_total"),)


def test_the_latest_is_kept_with_one_index_for_all() -> None:
    one, metrics, clock = sampler()
    assert one.latest is None
    metrics.set(METRIC, 3, version="v12", verdict="bad", app="app-1")
    one.register(key(1), wanted(1))
    clock.advance(15)
    shot = one.tick()
    latest = one.latest
    assert latest is not None
    assert latest.snapshot is shot
    assert shot.at == clock.now()
    assert [row.samples for row in latest.rows(METRIC, (Matcher("app", ("app-1",)),))] == [
        ((shot.at.timestamp(), 3.0),)
    ]


def test_nothing_registered_asks_nothing() -> None:
    one, metrics, _ = sampler()
    assert one.tick() == Snapshot(START)
    assert (metrics.fetches, one.queries_last_tick) == (0, 0)


def test_a_mistake_in_a_provider_blinds_and_does_not_end_the_sampler() -> None:
    class Mistaken(MemoryMetrics):
        def fetch(self, asks: Sequence[FamilyAsk | QueryAsk], at: datetime) -> Snapshot:
            raise ZeroDivisionError("secret text")

    one, _, _ = sampler(Mistaken())
    one.register(key(1), [FamilyAsk("a_total"), QueryAsk("cost")])
    shot = one.tick()
    for problem in (shot.families["a_total"].problem, shot.values["cost"].problem):
        assert problem == "asking failed in a way that was not foreseen (ZeroDivisionError); please report it"


def test_rollouts_may_come_and_go_while_it_ticks() -> None:
    one, metrics, _ = sampler()
    done = threading.Event()

    def come_and_go(number: int) -> None:
        while not done.is_set():
            one.register(key(number), wanted(number))
            one.unregister(key(number))

    threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(3)]
    one.register(key("stays"), [FamilyAsk("stays_total")])
    for thread in threads:
        thread.start()
    for _ in range(100):
        assert "stays_total" in one.tick().families
    done.set()
    for thread in threads:
        thread.join()
    assert one.registered == {key("stays")}
    assert metrics.fetches == 100


def test_a_snapshot_is_given_only_to_those_it_asked_for() -> None:
    one, _, _ = sampler()
    one.register(key(1), wanted(1))
    one.tick()
    one.register(key(2), wanted(2))
    assert one.latest_for(key(1)) is one.latest
    assert one.latest_for(key(2)) is None
    one.tick()
    assert one.latest_for(key(2)) is one.latest
    one.unregister(key(2))
    assert one.latest_for(key(2)) is None
