"""A child process that is really gone after the test: started from an argument list, stopped by its pid."""

import pwd
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

from tests.parts.net import TimedOutError, wait_until


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


class Child:
    """One running process. What it prints goes to the file `log`; `user` is a uid, for not being us."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        log: Path,
        *,
        user: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        self.name = Path(argv[0]).name
        with log.open("ab") as sink:
            self._popen = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env=env,
                start_new_session=True,
                **run_as(user),
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def wait_ready(self, ready: Callable[[], object], timeout: float) -> None:
        """Return when `ready()` is truthy. Raises AssertionError with the log when it dies or is late."""
        try:
            wait_until(lambda: ready() or not self.alive, timeout, f"{self.name} to be ready")
        except TimedOutError as late:
            raise TimedOutError(f"{late}\n{self.log_tail()}") from None
        if not self.alive:
            raise AssertionError(f"{self.name} ended with {self._popen.returncode} at its start\n{self.log_tail()}")

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, sig: signal.Signals = signal.SIGTERM, timeout: float = 10.0) -> None:
        """Send `sig`, wait `timeout` seconds, then SIGKILL. Stopping twice is harmless."""
        if self.alive:
            self._popen.send_signal(sig)
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait(timeout)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()
