"""One fleet from its cold start to the breach of a hundred runs."""

import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benchmarks.children import BenchError, Child, Usage, until, usage
from benchmarks.kubernetes import audit, world
from benchmarks.kubernetes.fleet import INTERVAL, name_of
from benchmarks.kubernetes.size import Size
from benchmarks.kubernetes.world import World
from controller.web.client import call

LOOK, NEWS = 1.0, 4.0
SETTLE = 2 * INTERVAL


@dataclass(frozen=True, slots=True)
class Quiet:
    """A stretch in which nobody did anything. `news`: rollouts whose status says something new all the same."""

    used: Usage
    news: int
    requests: audit.Counts
    queries: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """One scene, in seconds. In half of the runs v2 leaks a secret, in the other half most of its answers turn bad."""

    size: int
    under_way: int
    cold: float
    rest: Quiet
    first_weight: tuple[float, ...]
    all_started: float
    watched: Quiet
    put_back: tuple[float, ...]
    leak: "Way"
    counts: "Way"


@dataclass(frozen=True, slots=True)
class Way:
    """From the breach, for every run: until the gateway accepted a route without v2, until that was verified."""

    to_zero: tuple[float, ...]
    to_verified: tuple[float, ...]


def play(rollouts: int, size: Size, tell: world.Tell) -> Found:
    """Everything is measured with one controller. Raises BenchError, and what the parts raise."""
    trying = min(size.under_way, rollouts)
    with world.a_world(rollouts, tell) as there:
        tell(f"{rollouts:,} rollouts: cold start")
        began = time.monotonic()
        with there.controller("one") as one:
            _until_listed(there, one, world.told, rollouts, "a status on every rollout")
            cold = time.monotonic() - began
            tell(f"{rollouts:,} rollouts: {size.rest:g} s at rest")
            world.pause(LOOK * 5, one)
            rest = _quiet(there, one, size.rest)
            tell(f"{rollouts:,} rollouts: {size.changes} changes of a spec, then {trying} runs under way")
            first = tuple(change(there, one, number) for number in range(min(size.changes, trying)))
            started = _start(there, one, range(len(first), trying), trying)
            tell(f"{rollouts:,} rollouts: {size.watched:g} s with {trying} under way")
            world.pause(SETTLE, one)
            watched = _quiet(there, one, size.watched)
            tell(f"{rollouts:,} rollouts: a GitOps tool writes {size.changes} routes")
            back = tuple(put_back(there, one, number) for number in range(min(size.changes, trying)))
            _until_listed(there, one, world.under_way, trying, "all verified again")
            tell(f"{rollouts:,} rollouts: {trying} breaches")
            leak, counts = _breaches(there, one, trying)
            return Found(rollouts, trying, cold, rest, first, started, watched, back, leak, counts)


def _breaches(there: World, one: Child, trying: int) -> tuple[Way, Way]:
    """One after the other, spread over exactly one tick: at every distance from the next look."""
    base = time.time() + 1.0
    turned = {name_of(at): base + INTERVAL * at / trying for at in range(trying)}
    hows = {name_of(at): ("leak", "counts")[at % 2] for at in range(trying)}
    found = gone(there, one, turned, hows)
    return found["leak"], found["counts"]


def gone(there: World, one: Child, turned: Mapping[str, float], hows: Mapping[str, str]) -> Mapping[str, Way]:
    """These turn bad, each at its time and in its way: how long it took, by way."""
    there.turn_bad({name: (at, hows[name]) for name, at in turned.items()})
    zero = to_zero(there, turned, one)
    verified = _verified(there, turned, one)

    def way(how: str) -> Way:
        mine = [name for name in turned if hows[name] == how]
        return Way(tuple(zero[name] for name in mine), tuple(verified[name] for name in mine))

    return {how: way(how) for how in sorted(set(hows.values()))}


def _until_listed(there: World, one: Child, count: Any, wanted: int, what: str) -> None:
    def ready() -> bool:
        time.sleep(LOOK / 2)
        return bool(count(there.rollouts()) >= wanted)

    until(ready, 180, what, one)


def _quiet(there: World, one: Child, seconds: float) -> Quiet:
    news = _News(there)
    begin, asked = time.time(), there.asked()
    used = usage(one.pid, lambda: news.look() or not one.runs(), seconds)
    one.check()
    end, queries = time.time(), there.asked() - asked
    news.look(at_once=True)
    return Quiet(used, news.count, there.requests_between(begin, end), queries, end - begin)


def until_under_way(there: World, one: Child, wanted: int) -> None:
    """So many runs have a verified weight."""
    _until_listed(there, one, world.under_way, wanted, f"{wanted} verified weights")


class _News:
    """Counts statuses that say something new, by a look every few seconds."""

    def __init__(self, there: World) -> None:
        self._there, self._before, self._at = there, world.outlines(there.rollouts()), time.monotonic()
        self.count = 0

    def look(self, at_once: bool = False) -> bool:
        """False: it never ends the stretch."""
        if at_once or time.monotonic() - self._at >= NEWS:
            now = world.outlines(self._there.rollouts())
            self.count += sum(1 for name, told in now.items() if told != self._before.get(name))
            self._before, self._at = now, time.monotonic()
        return False


def change(there: World, one: Child, number: int) -> float:
    """From the moment that people want v2 to its first weight in the route."""
    time.sleep(random.uniform(0.2, 1.2))
    name, began = name_of(number), time.time()
    there.want(number, "v2")
    until(lambda: there.gate.first(name, began, lambda weight: weight > 0) is not None, 60, f"v2 in route {name}", one)
    taken = there.gate.first(name, began, lambda weight: weight > 0)
    return taken.seen - began if taken else float("inf")


def put_back(there: World, one: Child, number: int) -> float:
    """From what a listed GitOps tool wrote over the run until v2 has its weight in the route again."""
    time.sleep(random.uniform(0.2, 1.2))
    name, began = name_of(number), time.time()
    there.overwrite(number)
    until(lambda: there.gate.first(name, began, lambda weight: weight > 0) is not None, 60, f"v2 in {name} again", one)
    taken = there.gate.first(name, began, lambda weight: weight > 0)
    return taken.seen - began if taken else float("inf")


def _start(there: World, one: Child, numbers: range, trying: int) -> float:
    began = time.monotonic()
    for number in numbers:
        there.want(number, "v2")
    until_under_way(there, one, trying)
    return time.monotonic() - began


def to_zero(there: World, turned: Mapping[str, float], one: Child, patience: float = 60.0) -> dict[str, float]:
    """Seconds from each turn until the gateway accepted a route without the candidate."""

    def ended(name: str) -> float | None:
        taken = there.gate.first(name, turned[name], lambda weight: weight == 0)
        return taken.accepted if taken else None

    last = max(turned.values()) - time.time()
    until(lambda: all(ended(name) for name in turned), last + patience, "the last candidate to be gone", one)
    return {name: (ended(name) or 0.0) - at for name, at in turned.items()}


def _verified(there: World, turned: Mapping[str, float], one: Child) -> dict[str, float]:
    """The same until the controller had verified it."""

    def all_verified() -> bool:
        told = _verified_at(there)
        found.update({name: at for name, at in told.items() if at >= turned.get(name, math.inf)})
        return turned.keys() <= found.keys()

    found: dict[str, float] = {}
    until(all_verified, 30, "the last zero to be verified", one)
    return {name: found[name] - at for name, at in turned.items()}


def _verified_at(there: World) -> dict[str, float]:
    """When it was verified that v2 gets nothing, by rollout."""
    answer: Any = call(there.folder / "one" / "tidegate.sock", "get")
    if "rollouts" not in answer:
        raise BenchError(f"the controller answered something else: {str(answer)[:200]}")
    splits = {str(one["name"]): one["traffic"] for one in answer["rollouts"] if one["traffic"]}
    at = {name: split["verified_at"] for name, split in splits.items() if split["weight"] == 0}
    return {name: datetime.fromisoformat(when).timestamp() for name, when in at.items() if when}
