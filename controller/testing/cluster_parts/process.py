"""A process that is started from an argument list, can be frozen, and is gone when it was stopped.

It is gone as well when we are killed: a test run that was cut short leaves no server behind.
"""

import os
import pwd
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

from controller.testing.cluster_parts.patience import TooLateError, wait_until
from controller.testing.cluster_parts.programs import PartError


class RunAs(TypedDict, total=False):
    """The part of subprocess's arguments that says who a child runs as."""

    user: int
    group: int
    extra_groups: list[int]


def run_as(user: int | None) -> RunAs:
    """Arguments for subprocess: as the uid `user` with its own group alone, or as ourselves for None."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}


class Process:
    """One running program. What it prints goes to the end of the file `log`; `env` is added to our environment.

    `user` is a uid, for not being us. `through` is a command that runs it, such as `nsenter ... --`, without a process
    of its own in between.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        user: int | None = None,
        through: Sequence[str] = (),
    ) -> None:
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as sink:
            self._popen = subprocess.Popen(
                [*through, *_bound_to_us(), *map(str, argv)], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
                env={**os.environ, **(env or {})}, start_new_session=True, **run_as(user),
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def wait_ready(self, ready: Callable[[], object], timeout: float) -> None:
        """Return when `ready()` is truthy. PartError with the end of its log when it dies; TooLateError likewise."""
        try:
            wait_until(lambda: not self.alive or ready(), timeout, f"{self.name} to be ready")
        except TooLateError as late:
            raise TooLateError(f"{late}; its log {self.log} ends with:\n{self.log_tail()}") from None
        if not self.alive:
            code = self._popen.returncode
            raise PartError(f"{self.name} ended with {code} at its start; its log {self.log}:\n{self.log_tail()}")

    def log_tail(self, lines: int = 25) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def pause(self) -> None:
        """Freeze it (SIGSTOP): its sockets stay open and nothing answers. `stop` ends a frozen one too.

        Returns when each of its threads stands still: the signal alone is no promise.
        """
        self._popen.send_signal(signal.SIGSTOP)
        wait_until(self._frozen, 10, f"{self.name} to stand still")

    def _frozen(self) -> bool:
        stats = tuple(Path(f"/proc/{self.pid}/task").glob("*/stat"))
        try:
            return all(one.read_text().rpartition(")")[2].split()[0] == "T" for one in stats)
        except OSError:  # a thread that ended meanwhile
            return False

    def resume(self) -> None:
        """Let a frozen one go on (SIGCONT)."""
        self._popen.send_signal(signal.SIGCONT)

    def stop(self, sig: signal.Signals = signal.SIGTERM, timeout: float = 5.0) -> None:
        """Ask it to end by `sig`, kill it after `timeout` seconds. Stopping twice is harmless."""
        if self.alive:
            self._popen.send_signal(sig)
            self.resume()
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._popen.kill()
        self._popen.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _bound_to_us() -> list[str]:
    """The words that let the kernel end the program with the thread that starts it: so only from the main thread.

    They stand right before the program, because a change of user on the way would undo them.
    """
    if threading.current_thread() is not threading.main_thread() or shutil.which("setpriv") is None:
        return []
    return ["setpriv", "--pdeathsig", "KILL", "--"]
