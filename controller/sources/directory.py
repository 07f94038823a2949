"""A folder of rollout files. Only files that changed are read again."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from controller.ports import Clock, Specs
from controller.sources.folder_watch import FolderWatch
from controller.sources.last_good import SETTLE_SECONDS, LastGood
from controller.sources.template_shelf import TemplateShelf
from controller.spec.parse import LARGEST, Parsed, parse_bytes, unreadable

SUFFIXES = (".yaml", ".yml")
RACY_SECONDS = 2.0
"""A file touched this recently may change again without a new timestamp: its bytes are compared once more."""

Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Read:
    """A file as it was read: its stamp, whether the stamp can be trusted, its bytes while it cannot, its documents."""

    stamp: Stamp
    settled: bool
    data: bytes
    parsed: tuple[Parsed, ...]


class DirectorySource:
    """Specs from `*.yaml` and `*.yml` below a folder; hidden files and editors' own files are left out."""

    def __init__(
        self,
        path: Path | str,
        *,
        settle: float = SETTLE_SECONDS,
        clock: Clock | None = None,
        poll_seconds: float = 2.0,
    ) -> None:
        self.path = Path(path)
        self._last_good = LastGood(settle)
        self._clock = clock
        self._lock = threading.Lock()
        self._as_of: datetime | None = None
        self._read_files: dict[str, _Read] = {}
        self._specs = Specs()
        self._watch = FolderWatch(self.path, self._signature, poll_seconds, settle)

    def read(self) -> Specs:
        """All specs as the files are now. An unreadable folder changes nothing and is told as `trouble`."""
        with self._lock:
            try:
                stamps = self._stamps()
            except OSError as error:
                trouble = f"cannot read the folder {self.path}: {error.strerror}; going on with the specs known before"
                return replace(self._specs, trouble=trouble, as_of=self._as_of)
            self._as_of = self._clock.now() if self._clock else None
            self._specs = replace(self._read(stamps), as_of=self._as_of)
            return self._specs

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` from a thread after files changed."""
        self._watch.start(changed)

    def close(self) -> None:
        """Stop watching."""
        self._watch.stop()

    def share(self, shelf: TemplateShelf) -> None:
        """Put templates there, and read them from there, from now on."""
        self._last_good.shelf = shelf

    def _read(self, stamps: Mapping[str, Stamp | None]) -> Specs:
        self._read_files = {file: self._read_file(file, stamp) for file, stamp in sorted(stamps.items())}
        files = {file: read.parsed for file, read in self._read_files.items()}
        return self._last_good.update(files, self._clock.monotonic() if self._clock else time.monotonic())

    def _signature(self) -> object:
        try:
            return self._stamps()
        except OSError as error:
            return error.errno

    def _stamps(self) -> dict[str, Stamp | None]:
        """Every rollout file with what changes when it changes; None for one that cannot be looked at."""
        found: dict[str, Stamp | None] = {}
        with os.scandir(self.path):
            pass  # os.walk passes over a folder that cannot be read; that must not look like an empty one
        for folder, folders, names in os.walk(self.path, onerror=_raise):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in filter(is_rollout_file, names):
                file = os.path.join(folder, name)
                found[file] = _stamp(file)
        return found

    def _read_file(self, file: str, stamp: Stamp | None) -> _Read:
        before = self._read_files.get(file)
        if before is not None and stamp is not None and before.settled and before.stamp == stamp:
            return before
        settled = stamp is not None and time.time() - max(stamp[0], stamp[1]) / 1e9 > RACY_SECONDS
        stamp = stamp or (0, 0, 0, 0)
        try:
            with open(file, "rb") as stream:
                data = stream.read(LARGEST + 1)
        except OSError as error:
            problem = unreadable(
                file, f"cannot be read: {error.strerror}", "check that the file and its rights are as wanted"
            )
            return _Read(stamp, False, b"", (problem,))
        same = before is not None and before.data == data and before.data != b""
        parsed = before.parsed if same and before is not None else parse_bytes(data, file)
        return _Read(stamp, settled, data, parsed)


def is_rollout_file(name: str) -> bool:
    """`*.yaml` or `*.yml`, not hidden, not what an editor leaves behind."""
    return name.endswith(SUFFIXES) and not name.startswith((".", "#", "~"))


def _raise(error: OSError) -> None:
    raise error


def _stamp(file: str) -> Stamp | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
