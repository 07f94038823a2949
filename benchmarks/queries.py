"""Queries per tick, when 1, 100 and 1,000 rollouts share a metric family and a server."""

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

from benchmarks.children import BenchError, child
from benchmarks.specs import fleet_member
from benchmarks.table import Row
from controller.analysis.asking import Ask, asks
from controller.domain.measure import Snapshot
from controller.domain.names import RolloutKey
from controller.domain.rollout import MetricServer, ModelRollout
from controller.metrics import PROVIDERS
from controller.metrics.sampler import Sampler
from controller.runtime.clock import SystemClock
from controller.spec.parse import parse_bytes

SIZES = (1, 100, 1000)


def measure(quick: bool) -> list[Row]:
    """One row per provider and size; the goal is that the number stays what it is for one rollout."""
    specs = [_spec(number) for number in range(SIZES[-1])]
    with (
        tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder,
        child(["-m", "benchmarks.synthetic", str(SIZES[-1])], Path(folder) / "synthetic.log") as server,
    ):
        port = int(server.first_line())
        prometheus = [_prometheus(port, specs[:size]) for size in SIZES]
        scrape = [_scrape(port, size, specs[:size]) for size in (SIZES[:2] if quick else SIZES)]
    return [*_rows("prometheus", prometheus), *_rows("scrape", scrape)]


def _spec(number: int) -> tuple[RolloutKey, ModelRollout]:
    parsed = parse_bytes(fleet_member(number).encode(), f"{number}.yaml")[0]
    if parsed.rollout is None or parsed.key is None:
        raise BenchError(f"the benchmark's own file is refused: {parsed.problems}")
    return parsed.key, parsed.rollout


Found = tuple[int, int, int, float, float]


def _prometheus(port: int, specs: Sequence[tuple[RolloutKey, ModelRollout]]) -> Found:
    server = replace(specs[0][1].metrics, urls=(f"http://127.0.0.1:{port}",))
    return _ticks(port, server, [(key, asks(spec, spec.versions)) for key, spec in specs])


def _scrape(port: int, size: int, specs: Sequence[tuple[RolloutKey, ModelRollout]]) -> Found:
    server = replace(specs[0][1].metrics, provider="scrape", urls=(f"http://127.0.0.1:{port}/metrics/{size}",))
    return _ticks(port, server, [(key, asks(spec, spec.versions)) for key, spec in specs])


def _ticks(port: int, server: MetricServer, wanted: Sequence[tuple[RolloutKey, Sequence[Ask]]]) -> Found:
    """Rollouts, requests the server got, series, MiB and seconds of the second tick."""
    sampler = Sampler(server, PROVIDERS[server.provider](server), SystemClock())
    for key, mine in wanted:
        sampler.register(key, mine)
    sampler.tick()
    before, began = _asked(port), time.perf_counter()
    snapshot = sampler.tick()
    seconds, after = time.perf_counter() - began, _asked(port)
    _check(snapshot)
    series = sum(len(reading.series) for reading in snapshot.families.values())
    return len(wanted), after["asked"] - before["asked"], series, (after["bytes"] - before["bytes"]) / 2**20, seconds


def _check(snapshot: Snapshot) -> None:
    problems = [one.problem for one in snapshot.families.values() if one.problem]
    if problems:
        raise BenchError(problems[0])


def _asked(port: int) -> dict[str, int]:
    with urlopen(f"http://127.0.0.1:{port}/asked", timeout=10) as answer:
        found: dict[str, int] = json.load(answer)
    return found


def _rows(provider: str, found: Sequence[Found]) -> list[Row]:
    first = found[0][1]
    return [
        Row(
            "queries",
            f"{provider}: requests per tick, {rollouts:,} rollouts of one family",
            f"{requests} ({series:,} series, {size:.1f} MiB, {seconds:.2f} s)",
            f"as for 1 ({first})" if rollouts > 1 else "",
            requests <= first if rollouts > 1 else None,
            values={"rollouts": rollouts, "requests": requests, "series": series, "mib": size, "seconds": seconds},
        )
        for rollouts, requests, series, size, seconds in found
    ]
