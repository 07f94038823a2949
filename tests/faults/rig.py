"""A daemon's whole house on real parts - Envoy, HTTP, SQLite, files - and a clock that moves only when told to.

`Bench.tick` does what the daemon's threads do in one interval, in one thread: read sources, sample, pass, deliver.
"""

import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.alerts.settings import ChannelSettings
from controller.domain.names import RolloutKey
from controller.domain.record import JournalEntry
from controller.domain.request import Ask, OperatorRequest
from controller.domain.state import Phase, Position
from controller.domain.traffic import RouterUnavailableError, RouteSeen
from controller.runtime.bootstrap import bootstrap
from controller.runtime.chores import Chores
from controller.runtime.dispatch import Dispatcher
from controller.runtime.reconcile import reconcile
from controller.runtime.scheduler import Ticker
from controller.runtime.settings import GitSettings, Settings
from controller.runtime.views import view
from controller.testing.clock import ManualClock
from controller.traffic.envoy_process import PROCESS_FILE, stop_envoy
from tests.alerts.receiver import Receiver
from tests.faults.parts import Judge, Model, ask
from tests.faults.spec import Options
from tests.parts.metrics_page import MetricsPage
from tests.parts.net import free_port, wait_until

KEY = RolloutKey("faults", "support-bot")
TICK = 5.0
PATIENCE = 8.0


class Ground:
    """What outlives every daemon: folder, model servers, metrics page, Slack, and the Envoy they start."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.page = stack.enter_context(MetricsPage())
        self.models = {name: Model(name) for name in ("v11", "v12", "v13")}
        for model in self.models.values():
            stack.callback(model.stop)
        self.judge = Judge(self.page)
        self.slack = Receiver()
        stack.callback(self.slack.close)
        self.envoy_dir, self.state_dir, self.rollouts = folder / "envoy", folder / "state", folder / "rollouts"
        self.rollouts.mkdir()
        stack.callback(stop_envoy, str(self.envoy_dir))
        self.hook = folder / "slack-webhook"
        self.hook.touch(mode=0o600)
        self.hook.write_text(f"http://127.0.0.1:{self.slack.port}/hook")
        ports = tuple(self.models[name].server_port for name in ("v11", "v12", "v13"))
        self.options = Options(free_port(), free_port(), str(self.envoy_dir), self.page.url, ports)  # type: ignore[arg-type]

    def want(self, version: str | None = None, file: str = "support-bot.yaml", **changes: object) -> None:
        """Write the rollout's file, whole; what was changed once stays changed."""
        self.options = self.options.but(**({"version": version} if version else {}), **changes)
        self.write(self.options.text(), file)

    def write(self, text: str, file: str = "support-bot.yaml") -> None:
        draft = self.rollouts / f".{file}"
        draft.write_text(text)
        draft.replace(self.rollouts / file)

    def settings(self, **changes: object) -> Settings:
        channels = (("slack", ChannelSettings(str(self.hook))),)
        told = {"folders": (self.rollouts,), "state_dir": self.state_dir, "channels": channels, "http": "127.0.0.1:0"}
        return Settings(**{**told, "log_format": "json", **changes})  # type: ignore[arg-type]

    def send(self, requests: int = 20, headers: Mapping[str, str] | None = None) -> Counter[str]:
        return ask(self.options.listen, requests, headers)

    def alerts(self) -> list[str]:
        """The text of everything that Slack took."""
        return [json.dumps(taken.document, ensure_ascii=False) for taken in self.slack.taken]

    @property
    def envoy_pid(self) -> int:
        return int(json.loads((self.envoy_dir / PROCESS_FILE).read_text())["pid"])

    def signal_envoy(self, number: signal.Signals) -> None:
        os.kill(self.envoy_pid, number)

    def edit_route(self, weights: Mapping[str, int]) -> None:
        """Somebody changes the weights in Envoy's file by hand."""
        file = self.envoy_dir / "rds.json"
        content = json.loads(file.read_text())
        for route in _routes(content):
            for cluster in route["route"]["weighted_clusters"]["clusters"]:
                version = next(name for name in weights if f"/{name}" in cluster["name"])
                cluster["weight"] = weights[version]
        content["version_info"] = f"by-hand-{content['version_info'][-6:]}"
        draft = self.envoy_dir / ".mine"
        draft.write_text(json.dumps(content))
        draft.replace(file)


def _routes(content: dict) -> Iterator[dict]:  # type: ignore[type-arg]
    for host in content["resources"][0]["virtual_hosts"]:
        yield from (route for route in host["routes"] if "weighted_clusters" in route.get("route", {}))


class Bench:
    """One daemon's house, driven by hand."""

    def __init__(self, ground: Ground, clock: ManualClock | None = None, **settings: object) -> None:
        self.ground = ground
        self.clock = clock or ManualClock(datetime.fromtimestamp(time.time(), UTC))
        self.settings = ground.settings(**settings)
        self.house = bootstrap(self.settings, self.clock)
        dispatcher = Dispatcher(self.clock, lambda _key: None, 1, lambda _late: None)
        self.chores = Chores(self.house, Ticker(self.clock), dispatcher, 396)
        self.bad = 0.0
        self.answers = 100
        self.history: list[str] = []
        self.chores.read_sources()
        self.chores.plan_samplers()

    def close(self) -> None:
        """End without a word to anybody, as a killed daemon would."""
        self.house.specs.close()
        self.house.close()

    def tick(self, seconds: float = TICK, passes: int = 3) -> Position:
        """One interval: answers are judged, sources read, metrics sampled, and the rollout is passed over."""
        self.clock.advance(seconds)
        self.answer()
        self.chores.read_sources()
        self.chores.mend()
        self.sample()
        for _ in range(passes):
            self.look()
        self.house.deliverer.deliver_due()
        return self.position

    def breach(self, ticks: int = 6) -> Position:
        """Answers go bad; tick until that is visible. The tick that sees it decides."""
        self.bad = 1.0
        for _ in range(ticks):
            if self.tick(passes=1).phase is Phase.ROLLING_BACK:
                return self.position
        raise AssertionError(f"no breach: {self.history}: {self.position.message}")

    def answer(self) -> None:
        """What the judge learns in one tick: stable is always judged, the candidate when it is exposed."""
        self.ground.judge.count("v11", ok=self.answers)
        split = self.position.split() if self.house.book.get(KEY) else None
        if split is not None and split.candidate is not None and split.exposes():
            bad = round(self.answers * self.bad)
            self.ground.judge.count(split.candidate, ok=self.answers - bad, bad=bad)

    def sample(self) -> None:
        for server in self.house.watch.stations():
            self.chores.sample(server)

    def look(self, key: RolloutKey = KEY) -> Position:
        """One pass."""
        reconcile(key, self.house)
        position = self.of(key)
        where = _where(position)
        if not self.history or self.history[-1] != where:
            self.history.append(where)
        return position

    def settle(self, timeout: float = PATIENCE) -> Position:
        """Pass until the split is verified. Real time for Envoy; the manual clock moves for what must stay quiet."""

        def verified() -> bool:
            mark = self.look().traffic
            if mark is not None and mark.accepted_at is not None and mark.verified_at is None:
                self.clock.advance(0.3)
            return mark is not None and mark.verified_at is not None

        wait_until(verified, timeout, f"the split of {self.position.message} to be verified")
        return self.look()

    def until(self, phase: Phase, stage: str | None = None, ticks: int = 40) -> Position:
        """Tick until the rollout is in `phase` (and in `stage`, verified)."""
        for _ in range(ticks):
            if self._is_at(phase, stage):
                return self.position
            self.tick()
            with suppress(AssertionError):
                self.settle()
        assert self._is_at(phase, stage), f"{self.history}: {self.position.message}"
        return self.position

    def _is_at(self, phase: Phase, stage: str | None) -> bool:
        if self.house.book.get(KEY) is None or self.position.phase is not phase:
            return False
        run = self.position.run
        return stage is None or (run is not None and run.current.name == stage and run.stage_since is not None)

    @property
    def position(self) -> Position:
        return self.of(KEY)

    def of(self, key: RolloutKey) -> Position:
        held = self.house.book.get(key)
        assert held is not None, f"{key} is not known"
        return held.position

    def view(self, key: RolloutKey = KEY) -> dict[str, object]:
        held = self.house.book.get(key)
        assert held is not None
        return view(held, self.clock.now())

    def ask(self, what: Ask, actor: str = "ada", reason: str = "a test") -> None:
        """A person's request, answered by the next pass."""
        held = self.house.book.get(KEY)
        assert held is not None
        held.inbox.append(OperatorRequest(f"{what}/{self.clock.now()}", what, actor, reason, self.clock.now()))
        self.look()

    def route(self) -> RouteSeen | None:
        """The data plane, asked now; None when it does not answer."""
        held = self.house.book.get(KEY)
        router = self.house.routers.of(held) if held else None
        try:
            return router.observe() if router else None
        except RouterUnavailableError:
            return None

    def exposed(self, version: str = "v12") -> bool:
        """Does Envoy itself hold anything for the candidate?"""
        seen = self.route()
        assert seen is not None, "Envoy does not answer"
        table = seen.table
        assert table is not None, "Envoy holds no route"
        return any(version in dict(part) for part in (table.shares, table.mirrors, table.cohorts))

    def journal(self) -> list[JournalEntry]:
        """Oldest first."""
        return list(reversed(self.house.store.journal(KEY, 500)))

    def reasons(self) -> list[str]:
        return [entry.reason for entry in self.journal()]


def _where(position: Position) -> str:
    stage = f" {position.run.current.name}" if position.run and position.under_way else ""
    held = f" ({position.held})" if position.held else ""
    split = position.split()
    share = f" {split.weight}+{split.mirror}" if split and split.candidate else ""
    return f"{position.phase}{held}{stage}{share}"


@contextmanager
def a_ground() -> Iterator[Ground]:
    """Fresh; everything that runs is gone afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-faults-")))
        yield Ground(folder, stack)


@contextmanager
def a_bench(ground: Ground, clock: ManualClock | None = None, **settings: object) -> Iterator[Bench]:
    bench = Bench(ground, clock, **settings)
    try:
        yield bench
    finally:
        bench.close()


def served(ground: Ground, bench: Bench) -> Bench:
    """v11 serves through Envoy, and nothing else is wanted."""
    ground.want("v11")
    bench.chores.read_sources()
    bench.look()
    bench.settle()
    return bench


__all__ = ["KEY", "TICK", "Bench", "Callable", "GitSettings", "Ground", "a_bench", "a_ground", "served", "timedelta"]
