"""Laws of counting: what scrapes could tell is counted, all of it, once."""

import random
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from controller.analysis.counting import measure
from controller.analysis.deltas import Point, growth_of_pair
from controller.domain.measure import FamilyReading, Measurement, SeriesMemory, Snapshot
from tests.analysis.counters import METRIC, STEP, Cluster, Pod, a_version, at, by_hazard

V12 = a_version("v12")
SLO = by_hazard()


@dataclass(frozen=True)
class Act:
    """What one pod does in one step, and whether it is scraped at the end."""

    kind: str
    ok: int
    bad: int
    ssh: int
    scraped: bool


@dataclass(frozen=True)
class Turn:
    """One step: an act for each pod, perhaps a birth, and how the server answers, if it is asked at all."""

    acts: tuple[Act, ...]
    born: bool
    asked: bool
    partial: bool
    shuffle: int


events = st.integers(0, 20)
acts = st.builds(Act, st.sampled_from(("work", "work", "restart", "die")), events, events, events, st.booleans())
turns = st.builds(Turn, st.tuples(acts, acts, acts, acts), st.booleans(), st.booleans(), st.booleans(), st.integers())
stories = st.lists(turns, max_size=25)


class Watcher:
    """Asks as the daemon does, and adds up."""

    def __init__(self, overlap: int) -> None:
        self.memory: SeriesMemory = {}
        self.sighted = 0
        self.overlap = overlap
        self.bad = self.total = self.ssh = self.ssh_total = 0.0
        self.ticks = 0

    def look(self, cluster: Cluster, *, partial: bool = False, shuffle: int = 0) -> tuple[Measurement, ...]:
        found = cluster.window(max(0, self.sighted - self.overlap))
        random.Random(shuffle).shuffle(found)
        reading = FamilyReading(tuple(found), "partial: a shard is away" if partial else None)
        shot = Snapshot(at(cluster.step), {METRIC: reading})
        before = self.memory
        measured, self.memory = measure(
            [SLO], [V12], shot, before, at(cluster.step), STEP, STEP, {SLO.name: ("ssh",)}, at(0)
        )
        self._add(measured, before, cluster)
        return measured

    def _add(self, measured: tuple[Measurement, ...], before: SeriesMemory, cluster: Cluster) -> None:
        whole = measured[0]
        if whole.blind is not None:
            assert self.memory == before
            assert all(one.blind is not None for one in measured)
        else:
            self.sighted = cluster.step
        for one in measured:
            assert min(one.bad, one.total, one.errors, one.ticks) >= 0
            assert one.ticks > 0 or one.bad == one.total == one.errors == 0
        self.bad, self.total, self.ticks = self.bad + whole.bad, self.total + whole.total, self.ticks + whole.ticks
        for one in measured[1:]:
            self.ssh, self.ssh_total = self.ssh + one.bad, self.ssh_total + one.total


def begin() -> Cluster:
    """One pod with a past, which does not count."""
    cluster = Cluster([Pod("pod-0", "v12")])
    for kind, past in zip(cluster.pods[0].values, (70, 8, 3), strict=True):
        cluster.pods[0].count(kind, past)
    cluster.scrape(cluster.pods[0])
    cluster.truth = dict.fromkeys(cluster.truth, 0)
    return cluster


def play(cluster: Cluster, turn: Turn) -> None:
    cluster.step += 1
    if turn.born and len(cluster.pods) < 12:
        cluster.pods.append(Pod(f"pod-{len(cluster.pods)}", "v12"))
    for pod, act in zip(cluster.pods[-4:], turn.acts, strict=False):
        if not pod.alive:
            continue
        if act.kind == "restart":
            pod.restart()
        for kind, events in zip(pod.values, (act.ok, act.bad, act.ssh), strict=True):
            pod.count(kind, events)
        if act.scraped:
            cluster.scrape(pod)
        pod.alive = act.kind != "die"


def finish(cluster: Cluster) -> None:
    """A pod with no answers yet is scraped, so that there is something fresh to see."""
    cluster.step += 1
    last = Pod("last", "v12")
    cluster.scrape(last)


@given(stories, st.integers(0, 3))
def test_everything_that_scrapes_could_tell_is_counted_once(story: list[Turn], overlap: int) -> None:
    cluster, watcher = begin(), Watcher(overlap)
    watcher.look(cluster)
    for turn in story:
        play(cluster, turn)
        if turn.asked:
            watcher.look(cluster, partial=turn.partial, shuffle=turn.shuffle)
    finish(cluster)
    watcher.look(cluster)
    ok, bad, ssh = cluster.truth.values()
    assert (watcher.bad, watcher.total) == (bad + ssh, ok + bad + ssh)
    assert (watcher.ssh, watcher.ssh_total) == (ssh, ok + bad + ssh)
    assert watcher.ticks == cluster.step


@given(stories)
def test_looking_twice_counts_nothing_more(story: list[Turn]) -> None:
    cluster, watcher = begin(), Watcher(9)
    watcher.look(cluster)
    for turn in story:
        play(cluster, turn)
        watcher.look(cluster)
        total, memory = watcher.total, watcher.memory
        watcher.look(cluster, shuffle=turn.shuffle)
        assert (watcher.total, watcher.memory) == (total, memory)


@given(stories, st.integers())
def test_the_order_of_series_does_not_matter(story: list[Turn], seed: int) -> None:
    cluster, watcher, other = begin(), Watcher(2), Watcher(2)
    for turn in story:
        assert watcher.look(cluster) == other.look(cluster, shuffle=seed)
        assert watcher.memory == other.memory
        play(cluster, turn)


@given(st.lists(st.tuples(events, events, st.booleans()), min_size=1, max_size=30), st.integers(1, 4))
def test_without_restarts_even_short_windows_lose_nothing(story: list[tuple[int, int, bool]], window: int) -> None:
    cluster, watcher = begin(), Watcher(0)
    watcher.look(cluster)
    pod = cluster.pods[0]
    for ok, bad, asked in story:
        cluster.step += 1
        pod.count(("ok", "none"), ok)
        pod.count(("bad", "none"), bad)
        cluster.scrape(pod)
        watcher.sighted = max(0, cluster.step - window)
        if asked:
            watcher.look(cluster)
    watcher.sighted = cluster.step
    watcher.look(cluster)
    assert watcher.total == sum(cluster.truth.values())


def test_the_clock_of_ticks_counts_real_time() -> None:
    """A tick shorter than the scrapes measures nothing between them, and then one larger block."""
    cluster, seen = begin(), []
    memory: SeriesMemory = {}
    pod = cluster.pods[0]
    for second in range(0, 60, 5):
        if second % 15 == 0:
            cluster.step = second // 15
            pod.count(("ok", "none"), 3)
            cluster.scrape(pod)
        shot = Snapshot(at(second / 15), {METRIC: FamilyReading(tuple(cluster.window(0)))})
        five = timedelta(seconds=5)
        found, memory = measure([SLO], [V12], shot, memory, at(second / 15), five, STEP, {})
        seen.append((found[0].ticks, found[0].total))
    assert seen == [(0, 0), (0, 0), (0, 0), (3, 3), (0, 0), (0, 0), (3, 3), (0, 0), (0, 0), (3, 3), (0, 0), (0, 0)]


@dataclass(frozen=True)
class Served:
    """One scrape of a model server: requests since the last one, perhaps after a restart; is it looked at?"""

    fast: int
    slow: int
    restarted: bool
    asked: bool


served = st.builds(Served, events, events, st.booleans(), st.booleans())


@given(st.lists(served, max_size=30), st.integers(0, 3))
def test_slow_requests_are_counted_once(story: list[Served], overlap: int) -> None:
    """Restarts count while they can be told: the count or the bucket falls."""
    points: list[Point] = [(0.0, 50.0, 40.0)]
    memory, sighted = points[0], 0
    true_total = true_good = total = good = 0.0
    for step, one in enumerate([*story, Served(0, 0, restarted=False, asked=True)], start=1):
        _, count, within = points[-1]
        falls = one.restarted and (one.fast + one.slow < count or one.fast < within)
        kept, kept_within = (0.0, 0.0) if falls else (count, within)
        points.append((float(step), kept + one.fast + one.slow, kept_within + one.fast))
        true_total, true_good = true_total + one.fast + one.slow, true_good + one.fast
        if one.asked:
            more, more_good, memory = growth_of_pair(points[max(0, sighted - overlap) :], memory, 0.0)
            assert 0 <= more_good <= more
            total, good, sighted = total + more, good + more_good, step
    assert (total, good) == (true_total, true_good)
