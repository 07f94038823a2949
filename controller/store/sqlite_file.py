"""The file behind an SQLite URL: made private, watched for being taken away, moved aside when damaged."""

import os
import sqlite3
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import make_url

from controller.domain.record import StoreSettingsError, StoreUnavailableError

_BESIDE = ("", "-wal", "-shm")


class SqliteFile:
    """One database file. It is made here and nowhere else: a connection never makes a new, empty one."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when the file is not there and cannot be made."""
        self.path = path.absolute()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o600))
        self._identity = self._seen()

    def connect(self, patience: float) -> sqlite3.Connection:
        """A connection that starts no transactions by itself and waits `patience` seconds for others."""
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=rw",
            uri=True,
            timeout=patience,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    def check_there(self) -> None:
        """Raises StoreUnavailableError when the path leads to another file than the one that was opened, or to none."""
        if self._seen() != self._identity:
            raise self._taken_away("the file")

    def check_kept(self) -> None:
        """After a write, with a connection open: is what was written still reachable by name?"""
        self.check_there()
        if not os.path.exists(f"{self.path}-wal"):
            raise self._taken_away("its -wal file")

    def _seen(self) -> tuple[int, int] | None:
        try:
            facts = os.stat(self.path)
        except FileNotFoundError:
            return None
        return facts.st_dev, facts.st_ino

    def _taken_away(self, what: str) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"{self.path}: {what} was deleted or replaced while in use, so that nothing written now would last: "
            "put it back, or restart the daemon to go on with what is there"
        )


def file_of(url: str) -> Path | None:
    """The path in an SQLite URL, None for another database. Raises StoreSettingsError for one without a file."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise StoreSettingsError(f"{url}: evidence must outlive the process: name a file, as in sqlite:///tidegate.db")
    return Path(parsed.database)


def set_aside(url: str, now: datetime) -> tuple[Path, ...]:
    """Rename a damaged database and what belongs to it to `*.corrupt-TIME`; nothing is deleted. Returns the new names.

    No store may be open on it. Raises StoreUnavailableError when a file cannot be renamed, or when it is not SQLite.
    """
    path = file_of(url)
    if path is None:
        raise StoreUnavailableError(
            "only an SQLite file can be moved aside: restore the server's database from a backup"
        )
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    try:
        return tuple(_renamed(path, end, stamp) for end in _BESIDE if os.path.exists(f"{path}{end}"))
    except OSError as fault:
        raise StoreUnavailableError(f"{path} cannot be moved aside: {fault}: move it by hand") from fault


def _renamed(path: Path, end: str, stamp: str) -> Path:
    target = Path(f"{path}.corrupt-{stamp}{end}")
    if target.exists():
        raise FileExistsError(f"{target} exists already")
    return Path(f"{path}{end}").rename(target)
