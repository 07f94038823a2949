"""1,000 rollouts in one daemon, 100 under way, 4 SLOs x 5 scenarios each, ticks of 15 s."""

import contextlib
import json
import os
import signal
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.children import BenchError, Child, Usage, child, until, usage
from benchmarks.specs import fleet_member, fleet_name
from benchmarks.table import Row, percentile
from controller.traffic.envoy_process import stop_envoy
from controller.web.client import DaemonUnavailableError, call

ROLLOUTS, UNDER_WAY, THROUGH_ENVOY = 1000, 100, 10
INTERVAL = 15.0
LATE_GOAL, RSS_GOAL, CPU_GOAL = 1.0, 600.0, 100.0
NOTE = (
    f"{THROUGH_ENVOY} of the {UNDER_WAY} routes are in a real Envoy, the other rollouts' routers are in memory; the "
    "metrics server is a process of its own on the same two cores"
)


def measure(quick: bool) -> list[Row]:
    """All rows of the scale benchmark."""
    ticks = 4 if quick else 12
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as name:
        folder = Path(name)
        with child(["-m", "benchmarks.synthetic", str(UNDER_WAY)], folder / "synthetic.log") as server:
            _write(folder, int(server.first_line()))
            try:
                found, used, begun = _run(folder, ticks)
            finally:
                stop_envoy(str(folder / "envoy"))
    return _rows(found, used, begun)


def _write(folder: Path, port: int) -> None:
    (folder / "rollouts").mkdir()
    listen, admin = _free(), _free()
    for number in range(ROLLOUTS):
        text = fleet_member(
            number,
            version="v2" if number < UNDER_WAY else "v1",
            backend=port,
            listen=f"127.0.0.1:{listen}",
            admin=f"127.0.0.1:{admin}",
            config_dir=str(folder / "envoy"),
            metrics=f"prometheus: {{url: http://127.0.0.1:{port}}}",
            interval=f"{INTERVAL:g}s",
        )
        (folder / "rollouts" / f"{fleet_name(number)}.yaml").write_text(text)


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def _run(folder: Path, ticks: int) -> tuple[dict[str, Any], Usage, float]:
    argv = ["-m", "benchmarks.scale_daemon", str(folder / "rollouts"), str(folder / "state"), str(THROUGH_ENVOY)]
    facts = folder / "facts.json"
    with child([*argv, str(facts)], folder / "daemon.log") as daemon:
        began = time.monotonic()
        until(lambda: _under_way(folder) >= UNDER_WAY, 120, f"{UNDER_WAY} runs under way", daemon)
        begun = time.monotonic() - began
        time.sleep(2 * INTERVAL)
        os.kill(daemon.pid, signal.SIGUSR1)
        used = usage(daemon.pid, lambda: _ended(daemon), ticks * INTERVAL)
        daemon.stop()
        if not facts.exists():
            raise BenchError(f"the daemon noted nothing: {daemon.tail()}")
        return json.loads(facts.read_text()), used, begun


def _under_way(folder: Path) -> int:
    """Runs whose split was verified."""
    with contextlib.suppress(DaemonUnavailableError):
        found: Any = call(folder / "state" / "tidegate.sock", "get")["rollouts"]
        time.sleep(1.0)
        return sum(1 for one in found if one["phase"] == "Progressing" and one["traffic"]["verified"])
    return 0


def _ended(daemon: Child) -> bool:
    daemon.check()
    return False


def _rows(found: dict[str, Any], used: Usage, begun: float) -> list[Row]:
    guarded = [one for one in found["passes"] if one[3]]
    late, took = [one[1] for one in guarded], [one[2] for one in guarded]
    decided = _due_to_decided(guarded, [one[0] - one[1] for one in found["ticks"]])
    asked = [one[1] for one in found["ticks"]]
    worst = percentile(late, 0.99)
    problems = sum(one[3] for one in found["ticks"])
    if problems:
        raise BenchError(f"the metrics server failed {problems} times: what follows would be a blind daemon's speed")
    everyone = f"{ROLLOUTS:,} rollouts, {UNDER_WAY} under way"
    return [
        Row("scale", f"lateness of a tick: p99 of {len(late):,} passes", f"{worst:.2f} s", f"< {LATE_GOAL:g} s",
            worst < LATE_GOAL, NOTE, _spread(late)),
        Row("scale", "  its p50, largest", f"{percentile(late, 0.5):.2f} s, {max(late):.2f} s"),
        Row("scale", "  tick due -> asked -> all 100 decided: p50, largest of all ticks",
            f"{percentile(decided, 0.5):.2f} s, {max(decided):.2f} s", values=_spread(decided)),
        Row("scale", "  one pass: p50, p99", f"{_ms(took, 0.5)}, {_ms(took, 0.99)}", values=_spread(took)),
        Row("scale", "  asking the metrics server: p50, largest", f"{_ms(asked, 0.5)}, {_ms(asked, 1.0)}"),
        Row("scale", f"processor, {everyone}, ticks of {INTERVAL:g} s", f"{used.cpu:.0f} % of a core",
            f"<= {CPU_GOAL:.0f} %", used.cpu <= CPU_GOAL, values={"cpu_percent": used.cpu}),
        Row("scale", f"resident memory, {everyone}", f"{used.rss:.0f} MiB", f"<= {RSS_GOAL:.0f} MiB",
            used.rss <= RSS_GOAL, values={"rss_mib": used.rss}),
        Row("scale", "from the start of the process until 100 runs are verified", f"{begun:.0f} s"),
    ]  # fmt: skip


def _due_to_decided(passes: list[Any], starts: list[float]) -> list[float]:
    """Per tick: from its start (asking included) to the end of the last pass before the next tick."""
    pairs = zip(starts, [*starts[1:], float("inf")], strict=True)
    ends = [([one[0] for one in passes if start <= one[0] < after], start) for start, after in pairs]
    return [max(mine) - start for mine, start in ends[:-1] if mine]


def _spread(values: list[float]) -> dict[str, object]:
    return {"n": len(values), **{f"p{p}": percentile(values, p / 100) for p in (50, 90, 99, 100)}}


def _ms(values: list[float], share: float) -> str:
    return f"{1000 * percentile(values, share):.0f} ms"
