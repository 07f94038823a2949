"""The daemon as a process of its own, on real time; the judge keeps judging beside it."""

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from controller.web.client import DaemonRefusedError, DaemonUnavailableError, call
from tests.faults.rig import Ground
from tests.parts.net import wait_until
from tests.parts.process import Child

ROOT = Path(__file__).parents[2]


class Live:
    """One `daemon.run` in a process."""

    def __init__(self, ground: Ground, trap: Mapping[str, str] | None = None, state: str = "state") -> None:
        self.ground, self.state_dir = ground, ground.folder / state
        told = {"folder": str(ground.rollouts), "state_dir": str(self.state_dir), "hook": str(ground.hook)}
        argv = [sys.executable, "-m", "tests.faults.launcher", json.dumps({**told, **(trap or {})})]
        self.child = Child(argv, ground.folder / f"{state}.log", env={**os.environ, "PYTHONPATH": str(ROOT)})

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal that killed it."""
        return self.child._popen.poll()

    def view(self) -> dict[str, object]:
        """The rollout as people see it; empty while nobody answers."""
        try:
            found = call(self.state_dir / "tidegate.sock", "get", {"name": "support-bot"})["rollouts"]
        except (DaemonUnavailableError, DaemonRefusedError):
            return {}
        assert isinstance(found, list)
        return dict(found[0])

    def ask(self, verb: str, **args: object) -> dict[str, object]:
        """A person's request. Raises DaemonRefusedError with what the daemon says instead."""
        return call(self.state_dir / "tidegate.sock", verb, {"name": "support-bot", **args})

    def refusal(self, verb: str = "get") -> str:
        """What the daemon says instead of an answer; empty while it does not answer, or answers."""
        try:
            self.ask(verb, reason="a test")
        except DaemonRefusedError as refused:
            return str(refused)
        except DaemonUnavailableError:
            pass
        return ""

    def at(self, phase: str, stage: str | None = None) -> bool:
        view = self.view()
        run = view.get("run")
        there = stage is None or (isinstance(run, dict) and run["stage"] == stage and run["stage_since"] is not None)
        return view.get("phase") == phase and there

    def until(self, phase: str, stage: str | None = None, timeout: float = 20.0) -> dict[str, object]:
        wait_until(lambda: self.at(phase, stage) or not self.child.alive, timeout, f"{phase} {stage or ''}")
        assert self.child.alive, self.child.log_tail()
        return self.view()


@contextmanager
def a_live(ground: Ground, trap: Mapping[str, str] | None = None, state: str = "state") -> Iterator[Live]:
    live = Live(ground, trap, state)
    try:
        yield live
    finally:
        live.child.stop()


class Feeder:
    """Counts ten times a second, for both versions; `bad` of the candidate's answers in a hundred."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self.bad = ground, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._feed)

    def _feed(self) -> None:
        while not self._over.wait(0.1):
            self._ground.judge.count("v11", ok=100)
            self._ground.judge.count("v12", ok=100 - self.bad, bad=self.bad)

    def __enter__(self) -> "Feeder":
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._over.set()
        self._thread.join()
