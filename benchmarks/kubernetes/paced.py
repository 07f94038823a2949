"""Some runs with ticks of two seconds: what a shorter interval is worth when most answers turn bad."""

import time

from benchmarks.kubernetes import fleet_scene, world
from benchmarks.kubernetes.fleet import name_of

SIZE, INTERVAL, CALM = 20, 2.0, 20
"""Rollouts, seconds of a tick, and ticks before anything is wrong."""
PART = f"{SIZE}, `interval: {INTERVAL:g}s`"


def play(tell: world.Tell) -> fleet_scene.Way:
    """Raises BenchError, and what the parts raise."""
    with world.a_world(SIZE, tell, "v2", SIZE, INTERVAL) as there, there.controller("one") as one:
        tell(f"{PART}: {SIZE} runs under way")
        fleet_scene.until_under_way(there, one, SIZE)
        world.pause(CALM * INTERVAL, one)
        tell(f"{PART}: {SIZE} breaches")
        base = time.time() + 1.0
        turned = {name_of(at): base + INTERVAL * at / SIZE for at in range(SIZE)}
        return fleet_scene.gone(there, one, turned, dict.fromkeys(turned, "counts"))["counts"]
