"""One daemon per state folder: two would replay one spool and answer on one socket."""

import fcntl
import os
from pathlib import Path

FILE = "lock"


class AlreadyRunningError(OSError):
    """Another daemon works in this state folder; says which folder and what to do."""


class StateLock:
    """Held from `take` to `release`, and no longer than the process lives."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._handle: int | None = None

    def take(self) -> None:
        """Raises AlreadyRunningError, OSError."""
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise AlreadyRunningError(
                f"another daemon works in {self._file.parent}: stop it, or give this one a state folder of its own"
            ) from None
        self._handle = handle

    def release(self) -> None:
        """Harmless when it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
