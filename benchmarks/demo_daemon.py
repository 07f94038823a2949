"""The daemon of the demo: memory and processor while its rollouts run on real traffic."""

import json
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.children import BenchError, Child, child, until, usage
from benchmarks.table import Row

RSS_GOAL, CPU_GOAL = 150.0, 5.0
LEAST, WARM_UP = 30.0, 5.0


def measure(quick: bool) -> list[Row]:
    """Two rows, sampled over the demo's runs, and how the demo itself ended."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
        with child(["-m", "controller", "demo", "--output", "json"], Path(folder) / "demo.log") as demo:
            daemon = _daemon(demo)
            until(lambda: daemon.cpu_times().user > 0 and _age(daemon) > WARM_UP, 60, "the daemon to be warm", demo)
            used = usage(daemon.pid, lambda: not _goes_on(demo, daemon), LEAST if quick else 90.0)
            if used.seconds < LEAST:
                raise BenchError(f"the demo ended after {used.seconds:.0f} s: {demo.tail()}")
            code = demo.wait(300) if not quick else None
        ended = _breach_to_zero(demo) if code is not None else None
    over = f"over {used.seconds:.0f} s of a run, ticks of 2 s"
    rows = [
        Row("demo", f"resident memory of the daemon, {over}", f"{used.rss:.0f} MiB", f"<= {RSS_GOAL:.0f} MiB",
            used.rss <= RSS_GOAL, values={"rss_mib": used.rss}),
        Row("demo", f"processor, {over}", f"{used.cpu:.1f} % of a core", f"<= {CPU_GOAL:.0f} %",
            used.cpu <= CPU_GOAL, values={"cpu_percent": used.cpu}),
    ]  # fmt: skip
    if code is not None:
        rows.append(Row("demo", "the demo itself: exit code, breach to zero", f"{code}, {ended} s"))
    return rows


def _daemon(demo: Child) -> psutil.Process:
    found: list[psutil.Process] = []

    def there() -> bool:
        children = psutil.Process(demo.pid).children(recursive=True)
        found[:] = [one for one in children if _runs_the_daemon(one)]
        return bool(found)

    until(there, 60, "the demo to start the daemon", demo)
    return found[0]


def _runs_the_daemon(process: psutil.Process) -> bool:
    try:
        line = process.cmdline()
    except psutil.Error:
        return False
    return "controller" in line and "run" in line


def _age(process: psutil.Process) -> float:
    return float(time.time() - process.create_time())


def _goes_on(demo: Child, daemon: psutil.Process) -> bool:
    return bool(daemon.is_running()) and demo.runs()


def _breach_to_zero(demo: Child) -> object:
    last = demo.log.read_text().strip().splitlines()[-1]
    runs = json.loads(last)["runs"]
    return next((run["breach_to_zero_seconds"] for run in runs if run["outcome"] == "rolled_back"), None)
