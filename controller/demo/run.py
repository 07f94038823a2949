"""The demo: real servers, real traffic, `tidegate run` as a process of its own; v12 is promoted, v13 is rolled back.

Nothing here tells Tidegate which version is bad: it only edits the line `version:` and watches.
"""

import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from controller.demo import facts, programs, rollout
from controller.demo.processes import Processes, Program, Running
from controller.demo.watching import (
    RATE,
    RUN_LIMIT,
    Show,
    View,
    alerts,
    answers,
    as_expected,
    follow,
    keep_on,
    wait,
    watch,
)
from controller.traffic.envoy_process import stop_envoy


@dataclass(slots=True)
class Stage:
    """What runs, and where."""

    folder: Path
    ports: rollout.Ports
    processes: Processes
    slack: int = 0
    view: View = field(default_factory=dict)
    fresh: threading.Event = field(default_factory=threading.Event)

    @property
    def envoy_dir(self) -> Path:
        return self.folder / "envoy"

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    def gone(self) -> Mapping[str, int]:
        """What ended by itself and should not have."""
        return self.processes.ended()

    def want(self, version: str) -> None:
        """Edit the rollout's file: replaced whole, as an editor or git would."""
        target = self.folder / "rollouts" / "support-bot.yaml"
        draft = target.with_suffix(".tmp")
        draft.write_text(rollout.text(version, self.ports, str(self.envoy_dir)))
        draft.replace(target)


def main(show: Show, keep: bool = False, limit: float = RUN_LIMIT) -> int:
    """0 when v12 was promoted and v13 rolled back, both verified in Envoy's counters. `limit`: seconds per run."""
    with _staged() as stage:
        try:
            _raise_curtain(stage, show)
            runs = [_play(stage, show, "v12", limit), _play(stage, show, "v13", limit)]
            show.result({"runs": runs, "alerts": alerts(stage, show, len(runs))})
            if keep:
                _keep(stage, show)
        finally:
            stop_envoy(str(stage.envoy_dir))
    return 0 if as_expected(runs) else 1


@contextmanager
def _staged() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="tidegate-demo-") as name:
        folder = Path(name)
        for part in ("rollouts", "logs", "state"):
            (folder / part).mkdir()
        with Processes(folder / "logs") as processes:
            yield Stage(folder, _free_ports(), processes)


def _free_ports() -> rollout.Ports:
    """Ports nobody uses now; they are held together, so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return rollout.Ports(*ports)


def _raise_curtain(stage: Stage, show: Show) -> None:
    ports, processes = stage.ports, stage.processes
    show.note("starting the judge, a Slack receiver and the model servers v11, v12, v13")
    processes.start(programs.judge(["v11", "v12", "v13"], port=ports.judge))
    slack = processes.start(programs.slack_receiver())
    stage.slack = slack.port() or 0
    judge = f"http://127.0.0.1:{ports.judge}/judge"
    for version, port, wrong, harmful, load in (
        ("v11", ports.v11, 0.03, 0.001, 0.0),
        ("v12", ports.v12, 0.02, 0.0005, 2.0),
        ("v13", ports.v13, 0.20, 0.03, 2.0),
    ):
        server = programs.model_server(
            version, judge_url=judge, wrong=wrong, harmful=harmful, load_seconds=load, seed=port, port=port
        )
        processes.start(server, wait=version == "v11")
    show.note("starting `tidegate run` on a folder with one rollout: v11 serves, v12 should")
    stage.want("v12")
    _start_daemon(stage)
    wait(lambda: answers(ports.listen), 30, "Envoy to answer with v11", stage)
    show.note(f"Envoy serves v11 on 127.0.0.1:{ports.listen}; customers send {RATE:.0f} chat requests a second")
    url = f"http://127.0.0.1:{ports.listen}"
    processes.start(programs.client(url, rate=RATE, duration=1800.0, seed=7), wait=False)
    threading.Thread(target=follow, args=(stage, rollout.NAME), name="follow", daemon=True).start()


def _start_daemon(stage: Stage) -> Running:
    hook = stage.folder / "slack-webhook"
    hook.touch(mode=0o600)
    hook.write_text(f"http://127.0.0.1:{stage.slack}/services/demo")
    argv = (
        sys.executable, "-m", "controller", "run", "--rollouts", str(stage.folder / "rollouts"),
        "--state-dir", str(stage.state_dir), "--slack-webhook-file", str(hook), "--http", "127.0.0.1:0",
        "--log", "json",
    )  # fmt: skip
    return stage.processes.start(Program("tidegate", argv, health=None, grace=6.0), wait=False)


def _play(stage: Stage, show: Show, version: str, limit: float) -> View:
    """Want `version` and watch until its run is over."""
    if version != "v12":
        stage.want(version)
    show.note(f"the line `version: {version}` is saved; from here on Tidegate is on its own")
    return _outcome(stage, version, watch(stage, show, version, limit))


def _outcome(stage: Stage, version: str, outcome: str) -> View:
    breach = stage.view.get("breach")
    told = breach if isinstance(breach, dict) else {}
    return {
        "version": version,
        "outcome": outcome,
        "candidate_share_verified": facts.share(stage.ports.admin, version),
        "breach_to_zero_seconds": _seconds(told.get("measured_at"), told.get("verified_at")),
        "bad_answers_served": int(told.get("live_bad") or 0) if outcome == "rolled_back" else 0,
        "requests_served": facts.count(stage.ports.admin).live.get(version, 0),
        "breach": told or None,
    }


def _seconds(start: object, end: object) -> float | None:
    if not isinstance(start, str) or not isinstance(end, str):
        return None
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(), 2)


def _keep(stage: Stage, show: Show) -> None:
    show.note(
        f"everything keeps running: chat at http://127.0.0.1:{stage.ports.listen}, Envoy's admin at"
        f" http://127.0.0.1:{stage.ports.admin}, the rollout in {stage.folder / 'rollouts'}; try"
        f" `tidegate get --state-dir {stage.state_dir}`; Ctrl-C ends it"
    )
    keep_on(stage, show)
