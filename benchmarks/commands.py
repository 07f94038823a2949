"""Commands as whole processes: `lint` on 1,000 files, `--help`, and Python alone for scale."""

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


def _row(what: str, seconds: float, goal: float | None) -> Row:
    said = f"<= {goal:g} s" if goal is not None else ""
    met = seconds <= goal if goal is not None else None
    return Row("commands", what, f"{seconds:.2f} s", said, met, values={"seconds": seconds})


def _median(argv: list[str], times: int) -> float:
    """Seconds of the whole process, from start to end; the first one, which warms the disk cache, is not counted."""
    return statistics.median([_once(argv) for _ in range(times + 1)][1:])


def _once(argv: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL, timeout=60)
    return time.perf_counter() - began
