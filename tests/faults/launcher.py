"""`python -m tests.faults.launcher SETTINGS`: the real daemon, which kills itself at a chosen point of a chosen pass.

SETTINGS is JSON: `folder`, `state_dir`, `hook`, and where to die: `after` a step of the pass, `on` the first pass that
decides that reason (for a stage: its name beside it). `http`, `database` and `grace` (seconds) when they matter.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from controller.alerts.settings import ChannelSettings
from controller.decision.tick import tick
from controller.domain.decision import Decision
from controller.domain.observation import Observation
from controller.runtime import daemon, reconcile
from controller.runtime.book import Held
from controller.runtime.house import House
from controller.runtime.observe import observe
from controller.runtime.settings import Settings

STEPS = ("observe", "tick", "persist", "execute", "tell")


@dataclass(slots=True)
class Trap:
    """Armed by the pass that decides what it waits for; springs after one of its steps."""

    after: str
    on: str
    stage: str | None
    armed: bool = False

    def look(self, decision: Decision) -> None:
        found = (notice for notice in decision.notices if notice.reason.value == self.on)
        self.armed = any(self.stage is None or notice.facts.get("stage") == self.stage for notice in found)

    def spring(self, step: str) -> None:
        if self.armed and step == self.after:
            os.kill(os.getpid(), signal.SIGKILL)


def set_trap(trap: Trap) -> None:
    """Put it between the steps of the one pass."""

    def observed(held: Held, house: House) -> Observation:
        seen = observe(held, house)
        trap.look(tick(held.position, held.evidence, seen))
        trap.spring("observe")
        return seen

    setattr(reconcile, "observe", observed)  # noqa: B010 - the steps are patched by name
    for name in STEPS[1:]:
        setattr(reconcile, name, _then(getattr(reconcile, name), partial(trap.spring, name)))


def _then(work: Callable[..., Any], spring: Callable[[], None]) -> Callable[..., Any]:
    def both(*args: Any) -> Any:
        answer = work(*args)
        spring()
        return answer

    return both


def main() -> None:
    told = json.loads(sys.argv[1])
    if told.get("after"):
        set_trap(Trap(told["after"], told["on"], told.get("stage")))
    settings = Settings(
        folders=(Path(told["folder"]),),
        state_dir=Path(told["state_dir"]),
        http=told.get("http", "127.0.0.1:0"),
        channels=(("slack", ChannelSettings(told["hook"])),),
        log_format="json",
        database=told.get("database", ""),
        database_grace=float(told.get("grace", 10.0)),
    )
    daemon.run(settings)


if __name__ == "__main__":
    main()
