"""A daemon's socket that answers with canned views, and a way to run commands."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from controller.cli.app import app
from controller.web.protocol import Request
from controller.web.socket import Answer, ControlServer, RequestRefusedError
from tests.cli import views

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one document."""
        return json.loads(self.out)


def tidegate(*args: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Ran:
    """Run a command as its own process, in a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "controller", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "100", **(env or {})},
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def quick(*args: str | Path) -> Ran:
    """Run a command in this process: for what no process is needed."""
    result: Result = CliRunner().invoke(app, [str(arg) for arg in args], env={"COLUMNS": "100"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


@dataclass
class FakeDaemon:
    """Answers `get`, `watch`, `history`, `explain` and people's requests from what the test puts here."""

    state_dir: Path
    rollouts: list[dict[str, Any]] = field(default_factory=lambda: [views.progressing()])
    story: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    decision: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=lambda: ["support-bot is Progressing in stage canary-25."])
    refusal: str | None = None
    asked: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        self.asked.append(request)
        if self.refusal is not None:
            raise RequestRefusedError(self.refusal)
        answers: dict[str, Callable[[], Answer]] = {
            "get": lambda: {"rollouts": self.rollouts, "sources": []},
            "watch": lambda: iter(self.story),
            "history": lambda: {"name": "assistants/support-bot", "entries": self.entries},
            "explain": lambda: self.decision if request.args.get("decision") else self._explained(),
        }
        if request.verb in answers:
            return answers[request.verb]()
        return {"done": request.verb, "rollout": self.rollouts[0]}

    def _explained(self) -> Answer:
        return {"name": "assistants/support-bot", "lines": self.lines, "rollout": self.rollouts[0]}


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A short path: Unix sockets take 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="tg-") as folder:
        yield Path(folder)


@pytest.fixture
def daemon(state_dir: Path) -> Iterator[FakeDaemon]:
    fake = FakeDaemon(state_dir)
    server = ControlServer(state_dir / "tidegate.sock", fake)
    server.start()
    yield fake
    server.stop()
