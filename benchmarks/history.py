"""The decision engine: streams updated, one decision, a month through `backtest`, and how large the state is."""

import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.specs import EVALUATIONS, HAZARDS, fleet_member
from benchmarks.table import Row
from controller.analysis.accumulate import Scope
from controller.analysis.judge import judge
from controller.decision.replay import Frame, Replay
from controller.domain.evidence import Evidence
from controller.domain.measure import Measurement
from controller.domain.names import SloName, VersionName
from controller.domain.rollout import ModelRollout, StageKind
from controller.spec.parse import parse_bytes
from controller.store.packing import EVIDENCE

STABLE, CANDIDATE = VersionName("v1"), VersionName("v2")
ARMS = (STABLE, CANDIDATE)
START = datetime(2026, 11, 1, tzinfo=UTC)
TICK = timedelta(seconds=15)
DAY = timedelta(days=1) // TICK
DAYS = 30
ANSWERS = 10
"""Judged per tick and slice, on average."""
RATE = 0.005
STREAMS = 10_000
UPDATE_GOAL, DECISION_GOAL, MONTH_GOAL, STATE_GOAL = 0.5, 0.001, 60.0, 1024
LONG = (
    "  - {name: canary-10, canary: {weight: 10}, minDuration: 720h, maxDuration: 1440h}\n  - {name: full, full: {}}\n"
)


def measure(quick: bool) -> list[Row]:
    """Five rows. Times are processor time of the one process that does the work."""
    learned = _lived(120 if quick else 1000)
    return [
        _updated(learned, 3 if quick else 10),
        _decided(100 if quick else 1000),
        *_month(1 if quick else DAYS),
        _state(learned),
    ]


def _updated(evidence: Evidence, times: int) -> Row:
    """As many rollouts as have so many streams: counts booked, sight looked at, breaches looked for."""
    rollout, draw = _rollout(), random.Random(3)
    many = sum(len(slo.streams) for slo in evidence.slos)
    ticks = [_measured(draw, HAZARDS) for _ in range(-(-STREAMS // many))]
    now = START + 10_000 * TICK
    scope = Scope(rollout, STABLE, CANDIDATE, StageKind.CANARY, START, False, now, now, 10)
    took = []
    for _ in range(times):
        began = time.process_time()
        for measured in ticks:
            judge(evidence, measured, {}, scope)
        took.append(time.process_time() - began)
    seconds = statistics.median(took)
    what = f"{many * len(ticks):,} streams updated (counts booked, breaches looked for)"
    return _row(what, f"{seconds:.2f} s", f"<= {UPDATE_GOAL:g} s", seconds <= UPDATE_GOAL, seconds=seconds)


def _decided(times: int) -> Row:
    """Whole ticks of a run under way with 20 streams, each with new counts."""
    rollout, draw, hazards = _rollout(), random.Random(4), HAZARDS[:4]
    slos = [replace(slo, scenarios=replace(slo.scenarios, required=hazards)) for slo in rollout.slos if slo.scenarios]
    frames = list(_frames(draw, times, hazards))
    world = Replay(replace(rollout, slos=tuple(slos)), STABLE, START - TICK)
    took = []
    for frame in frames:
        began = time.process_time()
        step = world.feed(frame)
        took.append(time.process_time() - began)
    assert step.evidence is not None
    many = sum(len(slo.streams) for slo in step.evidence.slos)
    seconds = statistics.median(took)
    what = f"a decision over {many} streams (judge + decide; median of {times})"
    return _row(
        what, f"{1000 * seconds:.2f} ms", f"<= {1000 * DECISION_GOAL:g} ms", seconds <= DECISION_GOAL, s=seconds
    )


def _month(days: int) -> list[Row]:
    """`tidegate backtest` as a process, on counts of both versions for every slice in every line."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as name:
        folder = Path(name)
        lines = _write(folder / "history.jsonl", days * DAY)
        _write(folder / "begin.jsonl", 1)
        rows = []
        for what, text in (("a run under way all the time", _long_lived()), ("promoted after hours", fleet_member(0))):
            (folder / "rollout.yaml").write_text(text)
            starting = _backtest(folder, "begin.jsonl")
            whole = starting + (_backtest(folder, "history.jsonl") - starting) * DAYS / days
            scaled = "" if days == DAYS else f", from {days} day"
            told = f"backtest, {DAYS} days of 15 s ticks, 4 SLOs x 5 scenarios, {what}{scaled}"
            facts = {"seconds": whole, "days": days, "lines": lines, "entries_per_line": len(EVALUATIONS) * 12}
            rows.append(_row(told, f"{whole:.0f} s", f"<= {MONTH_GOAL:g} s", whole <= MONTH_GOAL, **facts))
    return rows


def _backtest(folder: Path, counts: str) -> float:
    """Processor seconds of the command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    argv = ["-m", "controller", "backtest", str(folder / "rollout.yaml"), "--counts", str(folder / counts)]
    subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL, timeout=900)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _write(file: Path, lines: int) -> int:
    """One day of random counts, again for every day. Returns how many lines."""
    draw = random.Random(5)
    day = [", ".join(_entries(draw)) for _ in range(min(DAY, lines))]
    with file.open("w") as out:
        for number in range(lines):
            at = START + number * TICK
            out.write(f'{{"at": "{at:%Y-%m-%dT%H:%M:%SZ}", "counts": [{day[number % DAY]}]}}\n')
    return lines


def _entries(draw: random.Random) -> Iterator[str]:
    for one in _measured(draw, HAZARDS):
        scenario = f'"{one.scenario}"' if one.scenario else "null"
        yield (
            f'{{"slo": "{one.slo}", "version": "{one.version}", "scenario": {scenario}, '
            f'"bad": {one.bad:.0f}, "total": {one.total:.0f}}}'
        )


def _state(evidence: Evidence) -> Row:
    """What is stored of it, and the same before it is compressed."""
    many = sum(len(slo.streams) for slo in evidence.slos)
    blob = EVIDENCE.pack(evidence)
    stored = len(blob) / many
    plain = len(zlib.decompress(blob.partition(b"\n")[2])) / many
    measured = f"{stored:.0f} bytes stored ({plain:.0f} before it is compressed)"
    return _row(
        "state of a stream", measured, f"<= {STATE_GOAL} bytes", stored <= STATE_GOAL, stored=stored, plain=plain
    )


def _lived(ticks: int) -> Evidence:
    """What a run has learned after so many ticks."""
    world = Replay(_rollout(), STABLE, START - TICK)
    steps = [world.feed(frame) for frame in _frames(random.Random(2), ticks, HAZARDS)]
    found = steps[-1].evidence
    assert found is not None
    return found


def _rollout() -> ModelRollout:
    found = parse_bytes(_long_lived().encode(), "history.yaml")[0].rollout
    assert found is not None
    return found


def _long_lived() -> str:
    """A rollout whose first stage takes a month."""
    text = fleet_member(0)
    return text[: text.index("  - {name: canary-10")] + LONG + text[text.index("  analysis:") :]


def _frames(draw: random.Random, ticks: int, hazards: Sequence[str]) -> Iterator[Frame]:
    for number in range(ticks):
        yield Frame(START + number * TICK, _measured(draw, hazards))


def _measured(draw: random.Random, hazards: Sequence[str]) -> tuple[Measurement, ...]:
    """Counts of both versions: every slice, and the pooled ones with what belongs to none."""
    found = []
    for slo in EVALUATIONS:
        for version in ARMS:
            counts = {hazard: _counted(draw) for hazard in (*hazards, None)}
            counts[None] = tuple(map(sum, zip(*counts.values(), strict=True)))
            found += [
                Measurement(SloName(slo), version, hazard, float(bad), float(total))
                for hazard, (bad, total) in counts.items()
            ]
    return tuple(found)


def _counted(draw: random.Random) -> tuple[int, ...]:
    """Bad and total of one slice in one tick."""
    total = sum(draw.random() < 0.5 for _ in range(2 * ANSWERS))
    return sum(draw.random() < RATE for _ in range(total)), total


def _row(what: str, measured: str, goal: str, met: bool, **values: float) -> Row:
    return Row("history", what, measured, goal, met, values=values)
