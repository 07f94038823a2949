"""Two replicas share a fleet under way; one is killed, at the moment when everything that it guards turns bad."""

import json
import os
import signal
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.children import BenchError, Child, until
from benchmarks.kubernetes import world
from benchmarks.kubernetes.fleet import name_of
from benchmarks.kubernetes.fleet_scene import to_zero
from benchmarks.kubernetes.size import Size
from benchmarks.kubernetes.world import World
from tests.parts.postgres import a_postgres

LEASES = "/apis/coordination.k8s.io/v1/namespaces/tidegate/leases"
ONE, OTHER = "one", "other"
TAKING = 4 * world.LEASE


@dataclass(frozen=True, slots=True)
class Takeover:
    """Seconds after the kill, for each rollout that the dead one guarded: taken over; v2 out of the route."""

    taken: tuple[float, ...]
    to_zero: tuple[float, ...]
    size: int


def play(size: Size, tell: world.Tell) -> Takeover:
    """Raises BenchError, and what the parts raise."""
    with a_postgres() as postgres, world.a_world(size.pair, tell, "v2", size.pair) as there:
        url = postgres.url
        with there.controller(ONE, url) as one, there.controller(OTHER, url) as other:
            tell(f"two replicas: {size.pair} runs under way")
            until(lambda: _all_under_way(there), 180, "all runs to be under way", one)
            world.pause(2 * world.LEASE / 3, other)
            until(lambda: _holders(there) == {ONE, OTHER}, 60, "both to hold shards", other)
            mine = _held(there.folder / f"{ONE}.log")
            if not mine:
                raise BenchError(f"replica {ONE!r} guards nothing: {one.tail()}")
            tell(f"two replicas: the one that guards {len(mine)} of {size.pair} is killed")
            return _killed(there, one, other, mine, size)


def _killed(there: World, one: Child, other: Child, mine: set[str], size: Size) -> Takeover:
    at = time.time()
    there.turn_bad(dict.fromkeys(mine, (at, "leak")))
    os.kill(one.pid, signal.SIGKILL)
    log = there.folder / f"{OTHER}.log"
    until(lambda: mine <= _taken(log, at).keys(), TAKING, "everything to be taken over", other)
    zero = to_zero(there, dict.fromkeys(mine, at), other)
    taken = _taken(log, at)
    return Takeover(tuple(taken[name] - at for name in mine), tuple(zero.values()), size.pair)


def _all_under_way(there: World) -> bool:
    time.sleep(1.0)
    return world.under_way(there.rollouts()) >= there.size


def _holders(there: World) -> set[str]:
    """Who holds shards now; a process puts something of its own behind its name."""
    leases = there.api.get(LEASES)["items"]
    held = (one["spec"].get("holderIdentity") for one in leases)
    return {str(name).partition("_")[0] for name in held} & {ONE, OTHER}


def _events(log: Path) -> list[Any]:
    lines = log.read_text(errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and '"rollout_' in line and line.endswith("}")]


def _held(log: Path) -> set[str]:
    """What a replica guards, by its own word."""
    mine: set[str] = set()
    for event in _events(log):
        name = str(event.get("rollout", "")).rpartition("/")[2]
        if event["event"] == "rollout_taken":
            mine.add(name)
        elif event["event"] == "rollout_let_go":
            mine.discard(name)
    return mine & {name_of(number) for number in range(10_000)}


def _taken(log: Path, after: float) -> dict[str, float]:
    """When it took each rollout over, of those after an instant."""
    taken = [one for one in _events(log) if one["event"] == "rollout_taken"]
    when = {str(one["rollout"]).rpartition("/")[2]: datetime.fromisoformat(one["at"]).timestamp() for one in taken}
    return {name: at for name, at in when.items() if at >= after}
