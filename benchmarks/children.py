"""Processes that a benchmark starts, stopped by pid whatever happens; and what they use."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]


class BenchError(Exception):
    """A benchmark could not be run: what happened, and the end of the log."""


class Child:
    """One started process."""

    def __init__(self, argv: list[str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *argv],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def first_line(self, seconds: float = 30.0) -> str:
        """What it says first, which is where it listens."""
        until(lambda: b"\n" in self.log.read_bytes(), seconds, f"the first line of {self.log.name}", self)
        return self.log.read_text().splitlines()[0]

    def check(self) -> None:
        """Raises BenchError when it has ended."""
        if self._process.poll() is not None:
            raise BenchError(f"a process ended with {self._process.returncode}: {self.tail()}")

    def runs(self) -> bool:
        """Is it still there?"""
        return self._process.poll() is None

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:]

    def stop(self, patience: float = 8.0) -> None:
        """SIGTERM, then SIGKILL. Harmless when it has ended."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                os.kill(self.pid, sign)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(patience)

    def wait(self, seconds: float) -> int:
        """Its exit code, when it ends by itself."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise BenchError(f"it did not end within {seconds:.0f} s: {self.tail()}") from None


@contextlib.contextmanager
def child(argv: list[str], log: Path) -> Iterator[Child]:
    """A Python process with these arguments, for the time of the context."""
    started = Child(argv, log)
    try:
        yield started
    finally:
        started.stop()


def until(ready: Callable[[], bool], seconds: float, what: str, alive: Child | None = None) -> None:
    """Poll until it is so. Raises BenchError."""
    deadline = time.monotonic() + seconds
    while not ready():
        if alive is not None:
            alive.check()
        if time.monotonic() > deadline:
            raise BenchError(f"waited {seconds:.0f} s for {what}{f': {alive.tail()}' if alive else ''}")
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process used: percent of one core, most resident memory in MiB, over so many seconds."""

    cpu: float
    rss: float
    seconds: float


def usage(pid: int, over: Callable[[], bool], most: float) -> Usage:
    """Look every half second until `over()` or `most` seconds."""
    process = psutil.Process(pid)
    began, before, rss = time.monotonic(), _cpu(process), 0.0
    spent, seconds = 0.0, 0.001
    with contextlib.suppress(psutil.NoSuchProcess):  # it ended: what was seen until then counts
        while seconds < most and not over():
            rss = max(rss, process.memory_info().rss / 2**20)
            spent, seconds = _cpu(process) - before, max(0.001, time.monotonic() - began)
            time.sleep(0.5)
    return Usage(100 * spent / seconds, rss, seconds)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
