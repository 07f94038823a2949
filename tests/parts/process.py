"""A child process of a test: what does not start fails the test, with the end of its log."""

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from controller.testing.cluster_parts.process import Process
from controller.testing.cluster_parts.programs import PartError


class Child(Process):
    """One running process, called as its program is; it gets 10 s to end."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        log: Path,
        *,
        user: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(Path(argv[0]).name, argv, log, env=env, user=user)

    def wait_ready(self, ready: Callable[[], object], timeout: float) -> None:
        """Return when `ready()` is truthy. Raises AssertionError with the log when it dies or is late."""
        try:
            super().wait_ready(ready, timeout)
        except PartError as error:
            raise AssertionError(str(error)) from None

    def stop(self, sig: signal.Signals = signal.SIGTERM, timeout: float = 10.0) -> None:
        super().stop(sig, timeout)
