"""Commands as whole processes: `lint` on 1,000 files, `--help`, and Python alone for scale."""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.specs import write_fleet
from benchmarks.table import Row

FILES = 1000
LINT_GOAL, HELP_GOAL = 3.0, 0.4
Took = tuple[float, float]
"""Wall seconds, and processor seconds of the process and its own children."""


def measure(quick: bool) -> list[Row]:
    """Three rows."""
    empty = _median(["-c", "pass"], 10)
    helped = _median(["-m", "controller", "--help"], 10)
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as name:
        files = write_fleet(Path(name), FILES)
        lines = len(files[0].read_text().splitlines())
        linted = _median(["-m", "controller", "lint", name], 2 if quick else 5)
    return [
        _row("python -c pass (median of 10)", empty, None),
        _row("tidegate --help (median of 10)", helped, HELP_GOAL),
        _row(f"tidegate lint, {FILES:,} files of {lines} lines (median of {2 if quick else 5})", linted, LINT_GOAL),
    ]


def _row(what: str, took: Took, goal: float | None) -> Row:
    seconds, processor = took
    said = f"<= {goal:g} s" if goal is not None else ""
    met = seconds <= goal if goal is not None else None
    measured = f"{seconds:.2f} s (processor time {processor:.2f} s)"
    return Row("commands", what, measured, said, met, values={"seconds": seconds, "processor_seconds": processor})


def _median(argv: list[str], times: int) -> Took:
    """Of the whole process, from start to end; the first one, which warms the disk cache, is not counted."""
    found = [_once(argv) for _ in range(times + 1)][1:]
    return statistics.median(wall for wall, _ in found), statistics.median(processor for _, processor in found)


def _once(argv: list[str]) -> Took:
    began, before = time.perf_counter(), _children_used()
    subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL, timeout=60)
    return time.perf_counter() - began, _children_used() - before


def _children_used() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
