"""What both demos do with what they started: follow the rollout, wait, and say how it ended."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from controller.demo.talk import ask
from controller.web.client import DaemonRefusedError, DaemonUnavailableError, stream

RATE = 100.0
"""Chat requests per second."""
RUN_LIMIT = 150.0
"""Seconds that a run may take."""
View = dict[str, object]


class Show(Protocol):
    """Who shows the demo: a terminal or a pipe."""

    def note(self, text: str) -> None:
        """One thing that happens now."""
        ...

    def view(self, view: Mapping[str, object]) -> None:
        """The rollout as it is now."""
        ...

    def alert(self, payload: Mapping[str, object]) -> None:
        """An alert, as the Slack webhook received it."""
        ...

    def result(self, result: Mapping[str, object]) -> None:
        """How it ended."""
        ...


class DemoError(Exception):
    """The demo could not go on; says what happened and where the logs are."""


class Watched(Protocol):
    """What runs. `slack` is a port, `view` the newest of the controller; `fresh` tells of it."""

    folder: Path
    slack: int
    view: View
    fresh: threading.Event

    @property
    def state_dir(self) -> Path:
        """The controller's."""
        ...

    def gone(self) -> Mapping[str, int]:
        """What ended by itself and should not have, and its exit code."""
        ...


def answers(port: int) -> bool:
    """Does a version answer a chat request?"""
    body = {"model": "support-bot", "messages": [{"role": "user", "content": "ping"}]}
    return ask(port, "POST", "/v1/chat/completions", body, timeout=2.0).status == 200


def follow(stage: Watched, name: str) -> None:
    """Keep the newest view of the rollout, as any other user of the controller's socket would. Never ends."""
    while True:
        try:
            for view in stream(stage.state_dir / "tidegate.sock", "watch", {"name": name}):
                stage.view = view
                stage.fresh.set()
        except (DaemonUnavailableError, DaemonRefusedError):
            time.sleep(0.2)


def ended(view: View, version: str) -> str | None:
    """How the run of `version` ended; None while it goes on."""
    run = view.get("run")
    if not isinstance(run, dict) or run.get("candidate") != version:
        return None
    return {"Completed": "promoted", "RolledBack": "rolled_back"}.get(str(view.get("phase")))


def watch(stage: Watched, show: Show, version: str, limit: float, looked: Callable[[], None] = lambda: None) -> str:
    """Show what is new, and call `looked` after it, until the run of `version` is over; answers how it ended.

    Raises DemoError when it takes more than `limit` seconds, or something ended meanwhile.
    """
    deadline = time.monotonic() + limit
    while not (outcome := ended(stage.view, version)):
        check_alive(stage)
        if time.monotonic() > deadline:
            raise DemoError(f"{version} was undecided after {limit:.0f} s: {stage.view.get('message')}; {tail(stage)}")
        if stage.fresh.wait(1.0):
            stage.fresh.clear()
            show.view(stage.view)
            looked()
    show.view(stage.view)
    looked()
    return outcome


def keep_on(stage: Watched, show: Show) -> None:
    """Show what is new until something ends."""
    while not stage.gone():
        if stage.fresh.wait(1.0):
            stage.fresh.clear()
            show.view(stage.view)


def alerts(stage: Watched, show: Show, least: int) -> list[object]:
    """What the Slack receiver got; the rollback's alert may be a second behind the rollback."""
    wait(lambda: len(messages(stage)) > least, 15, "the alerts to arrive", stage)
    found = messages(stage)
    for message in found:
        if isinstance(message, dict):
            show.alert(message)
    return found


def wait(ready: Callable[[], bool], seconds: float, what: str, stage: Watched) -> None:
    """Poll until it is so. Raises DemoError when it takes too long, or something ended meanwhile."""
    deadline = time.monotonic() + seconds
    while not ready():
        check_alive(stage)
        if time.monotonic() > deadline:
            raise DemoError(f"waited {seconds:.0f} s for {what}; the logs: {tail(stage)}")
        time.sleep(0.1)


def check_alive(stage: Watched) -> None:
    """Raises DemoError when something ended that should not have."""
    gone = stage.gone()
    if gone:
        raise DemoError(f"ended too early: {gone}; the logs: {tail(stage)}")


def tail(stage: Watched) -> str:
    """The end of the controller's log."""
    log = stage.folder / "logs" / "tidegate.log"
    return log.read_text(errors="replace")[-2000:] if log.exists() else "none"


def messages(stage: Watched) -> list[object]:
    """What the Slack receiver got so far."""
    said = ask(stage.slack, "GET", "/messages")
    found = said.json().get("messages") if said.status == 200 else []
    return found if isinstance(found, list) else []


def as_expected(runs: list[View]) -> bool:
    """Was v12 promoted and v13 rolled back, and is that what was counted?"""
    v12, v13 = runs
    good = v12["outcome"] == "promoted" and v12["candidate_share_verified"] == 100.0
    return good and v13["outcome"] == "rolled_back" and v13["candidate_share_verified"] == 0.0
