"""Envoy's files as Envoy must see them: whole or not at all. The one place that writes into `config_dir`."""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from controller.domain.traffic import RouterUnavailableError

Json = dict[str, Any]
Stamp = tuple[int, int, int]
"""Which file it is, when it was changed, and its length: another content has another stamp."""

_SPARE = ".spare"
_SPARE_LOCK = ".spare-lock"
_SPARE_BYTES = 256 * 1024
_LOCK_PATIENCE = 5.0


class ConfigFolder:
    """`config_dir`: locked for a read-modify-write, files replaced by an atomic rename."""

    def __init__(self, folder: str) -> None:
        self.path = Path(folder).absolute()

    @contextlib.contextmanager
    def locked(self, name: str = ".lock") -> Iterator[None]:
        """Alone, between processes and threads. Raises RouterUnavailableError after 5 s of waiting."""
        try:
            self.path.mkdir(mode=0o755, parents=True, exist_ok=True)
            handle = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._unavailable("open", name, error) from error
        try:
            self._acquire(handle, name)
            yield
        finally:
            os.close(handle)

    def read(self, name: str) -> Json | None:
        """The JSON object in a file, None when there is no such file. Raises RouterUnavailableError, ValueError."""
        try:
            found = json.loads((self.path / name).read_text())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable("read", name, error) from error
        if not isinstance(found, dict):
            raise ValueError(f"{self.path / name} holds no JSON object")
        return found

    def stamp(self, name: str) -> Stamp | None:
        """What tells this content of a file from another one; None when it cannot be looked at."""
        try:
            found = (self.path / name).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def replace(self, name: str, content: Json) -> None:
        """Write a file so that a reader sees the old or the new one. Raises RouterUnavailableError."""
        data = json.dumps(content, indent=1).encode() + b"\n"
        with self.locked(_SPARE_LOCK):
            self._write_spare(name, data)

    def _write_spare(self, name: str, data: bytes) -> None:
        temporary = self.path / _SPARE
        try:
            # The spare's blocks are taken beforehand: a full disk does not stop a rollback.
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                _write_all(handle, data)
                os.ftruncate(handle, len(data))
                os.fsync(handle)
            finally:
                os.close(handle)
            temporary.replace(self.path / name)
        except OSError as error:
            raise self._unavailable("write", name, error) from error
        self._reserve()

    def _reserve(self) -> None:
        with contextlib.suppress(OSError):
            handle = os.open(self.path / _SPARE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.posix_fallocate(handle, 0, _SPARE_BYTES)
            finally:
                os.close(handle)

    def _acquire(self, handle: int, name: str) -> None:
        deadline = time.monotonic() + _LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RouterUnavailableError(
                        f"{self.path / name} has been locked by another process for {_LOCK_PATIENCE:g} s: "
                        "the files are as they were; see with `fuser` who holds it"
                    ) from None
                time.sleep(0.01)
            else:
                return

    def _unavailable(self, verb: str, name: str, error: OSError) -> RouterUnavailableError:
        return RouterUnavailableError(
            f"cannot {verb} {self.path / name}: {error.strerror or error}. Envoy goes on with what it has; "
            "check that the folder exists, is writable and has space"
        )


def version_info(content: object) -> str:
    """A version that follows from the content alone: the same content has the same version."""
    return "tidegate-" + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
