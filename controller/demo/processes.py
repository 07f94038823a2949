"""Starts the demo's programs, waits until they serve, and leaves nothing behind. Knows no program by name.

with Processes(logs) as processes:
    processes.start(Program("judge", argv, health="/health"))
    ...                                    # Ctrl-C, SIGTERM, SIGHUP raise KeyboardInterrupt here, then all stop
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from controller.demo.talk import ask

POLL_SECONDS = 0.05


class ProgramError(Exception):
    """A program did not start or did not stop; says which, where its log is, and what it said last."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to start. `health` is a path that answers 200 when ready; `port` 0 is read from its log."""

    name: str
    argv: Sequence[str]
    port: int = 0
    health: str | None = "/health"
    deadline: float = 30.0
    grace: float = 3.0
    environment: Mapping[str, str] = field(default_factory=dict)


class Running:
    """One started program."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program, self.log = program, log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                list(program.argv), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **program.environment}, start_new_session=True,
            )  # fmt: skip
        self.pid = self._process.pid
        self._asked_to_end: float | None = None

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def port(self) -> int | None:
        """Where it listens; None until it has said so."""
        if self.program.port:
            return self.program.port
        lines = self.log.read_text(errors="replace").splitlines()
        return next((port for port in map(_announced_port, lines) if port), None)

    def url(self) -> str:
        """Its address; ProgramError before it listens."""
        port = self.port()
        if port is None:
            raise self._failure("does not listen yet")
        return f"http://127.0.0.1:{port}"

    def wait_ready(self) -> None:
        """Return when its port answers (and its health page says 200); ProgramError at its end or deadline."""
        deadline = time.monotonic() + self.program.deadline
        while not self._is_ready():
            if self.exit_code() is not None:
                raise self._failure(f"ended with code {self.exit_code()} before it was ready")
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready after {self.program.deadline:g} s")
            time.sleep(POLL_SECONDS)

    def wait_ended(self, timeout: float) -> int:
        """Return its exit code when it has ended by itself; ProgramError after `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self._failure(f"did not end within {timeout:g} s") from None

    def terminate(self) -> None:
        """Ask the program to end (SIGTERM)."""
        self._asked_to_end = time.monotonic()
        if self.exit_code() is None:
            self._process.terminate()

    def ensure_gone(self) -> bool:
        """Wait out its grace, then kill what is left of its process group; whether nothing is left."""
        asked = self._asked_to_end or time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, asked + self.program.grace - time.monotonic()))
        deadline = time.monotonic() + 1
        while left := self._group_members():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS / 5)
            self._process.poll()
        return True

    def _is_ready(self) -> bool:
        port = self.port()
        if port is None or self.exit_code() is not None:
            return False
        return self.program.health is None or ask(port, "GET", self.program.health, timeout=1).status == 200

    def _group_members(self) -> list[int]:
        """The live processes of its group: it and those it started. A zombie is gone, only not yet collected."""
        stats = map(_state_and_group, Path("/proc").glob("[0-9]*/stat"))
        return [pid for pid, state, group in stats if group == self.pid and state not in "ZX"]

    def _failure(self, problem: str) -> ProgramError:
        last = self.log.read_text(errors="replace")[-800:].strip()
        return ProgramError(f"{self.program.name} {problem}; its log {self.log} ends with: {last or '(nothing)'}")


class Processes:
    """All programs of one demo. Leaving it stops them in reverse order, by pid, and verifies that they are gone."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, Running] = {}
        self._shielded = self._interrupted = False
        self._former: dict[int, object] = {}

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._former[number] = signal.signal(number, self._interrupt)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        left = self.stop_all()
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned
        if left:
            raise ProgramError(f"still running after SIGKILL: {', '.join(left)}; end them by hand")

    def start(self, program: Program, *, wait: bool = True) -> Running:
        """Start a program and, unless told otherwise, wait until it is ready."""
        earlier = self._running.get(program.name)
        if earlier is not None and earlier.exit_code() is None:
            raise ProgramError(f"{program.name} runs already, with pid {earlier.pid}")
        with self._shield():
            running = self._running[program.name] = Running(program, self._logs / f"{program.name}.log")
        if wait:
            running.wait_ready()
        return running

    def __getitem__(self, name: str) -> Running:
        return self._running[name]

    def ended(self) -> Mapping[str, int]:
        """The programs that ended by themselves, with their exit codes."""
        codes = {name: running.exit_code() for name, running in self._running.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def stop(self, name: str) -> int | None:
        """Stop one program; its exit code, None when even SIGKILL did not end it."""
        running = self._running[name]
        with self._shield():
            running.terminate()
            if running.ensure_gone():
                del self._running[name]
        return running.exit_code()

    def stop_all(self) -> tuple[str, ...]:
        """Stop every program; the names of those that are still there, which should be none. Ctrl-C waits for it."""
        order = list(reversed(self._running.values()))
        with self._shield():
            for running in order:
                running.terminate()
            left = tuple(running.program.name for running in order if not running.ensure_gone())
            self._running.clear()
        return left

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._shielded:
            self._interrupted = True
        else:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def _shield(self) -> Iterator[None]:
        """An interrupt waits until the block is over, so that no program is started or half stopped unnoticed."""
        self._shielded = True
        try:
            yield
        finally:
            self._shielded = False
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt


def _state_and_group(stat: Path) -> tuple[int, str, int]:
    """Process id, state letter and process group out of `/proc/PID/stat`; an `X` when it has just gone."""
    try:
        state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return 0, "X", 0
    return int(stat.parent.name), state, int(group)


def _announced_port(line: str) -> int | None:
    try:
        document = json.loads(line)
    except ValueError:
        return None
    if not isinstance(document, dict) or document.get("event") != "listening":
        return None
    port = document.get("port")
    return port if isinstance(port, int) else None
