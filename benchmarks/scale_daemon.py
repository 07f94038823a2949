"""The daemon of the scale benchmark: the real house, with in-memory routers for all but a few rollouts.

python -m benchmarks.scale_daemon FOLDER STATE_DIR REAL_ROUTERS FACTS_FILE      (runs until SIGTERM)

At SIGTERM it writes to FACTS_FILE what it noted: every pass and every tick of the sampler. SIGUSR1 forgets what was
noted so far (the warm-up).
"""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from benchmarks.specs import fleet_name
from controller import __version__
from controller.analysis.judge import ENGINE
from controller.domain.names import RolloutKey
from controller.domain.state import Position
from controller.domain.verdict import Judgement
from controller.ports import RouteBinding, TrafficRouter
from controller.runtime.bootstrap import bootstrap
from controller.runtime.clock import SystemClock
from controller.runtime.daemon import Daemon
from controller.runtime.footprint import few_heaps, settled
from controller.runtime.routers import Routers
from controller.runtime.settings import Settings
from controller.telemetry.exposition import Telemetry
from controller.telemetry.logging import set_up
from controller.testing.routers import MemoryRouter
from controller.traffic import router_for


class NotingTelemetry(Telemetry):
    """Also keeps every pass and tick as it was, where the histograms keep buckets."""

    def __init__(self) -> None:
        super().__init__(SystemClock(), __version__, ENGINE)
        self.passes: list[tuple[float, float, float, bool, bool]] = []
        self.ticks: list[tuple[float, float, int, int]] = []
        self._mine = threading.local()

    def forget_all(self) -> None:
        """The warm-up is over."""
        self.passes.clear()
        self.ticks.clear()

    def late(self, seconds: float) -> None:
        """Called by the thread that will make the pass."""
        super().late(seconds)
        self._mine.late = seconds

    def passed(self, key: RolloutKey, position: Position, judgement: Judgement, seconds: float) -> None:
        """When it ended, how late it began, how long it took, was a run under way, was anything judged?"""
        super().passed(key, position, judgement, seconds)
        noted = (time.time(), self._mine.late, seconds, position.under_way, bool(judgement.streams))
        self.passes.append(noted)

    def sampled(self, server: str, queries: int, seconds: float, problems: int) -> None:
        """When asking ended and how long it took."""
        super().sampled(server, queries, seconds, problems)
        self.ticks.append((time.time(), seconds, queries, problems))


def _routers(real: int) -> Callable[[RouteBinding], TrafficRouter]:
    through_envoy = {fleet_name(number) for number in range(real)}
    return lambda binding: router_for(binding) if binding.key.name in through_envoy else MemoryRouter(binding)


def main() -> None:
    """Run until SIGTERM."""
    folder, state_dir, real, facts = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    few_heaps()
    set_up("warning", "json")
    settings = Settings(folders=(folder,), state_dir=state_dir, http="127.0.0.1:0")
    noted = NotingTelemetry()
    house = replace(bootstrap(settings), routers=Routers(_routers(real)), telemetry=noted)
    daemon = Daemon(house, settings)
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    signal.signal(signal.SIGUSR1, lambda *_: noted.forget_all())
    print("starting", flush=True)
    began = time.monotonic()
    daemon.start()
    settled()
    print(f"started in {timedelta(seconds=time.monotonic() - began)}", flush=True)
    done.wait()
    facts.write_text(json.dumps({"passes": noted.passes, "ticks": noted.ticks}))
    daemon.stop()


if __name__ == "__main__":
    main()
