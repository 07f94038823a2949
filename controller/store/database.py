"""One database, SQLite or PostgreSQL: transactions with a deadline, faults in words."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from controller.domain.record import StoreSettingsError, StoreUnavailableError
from controller.store.deadline import Deadline, TooLateError
from controller.store.faults import translated
from controller.store.sqlite_file import SqliteFile, file_of

PATIENCE = 0.4
"""Seconds that a tick waits for a database before it acts without."""
_GRACE = 0.08  # seconds between the database's own time limit, which has the better message, and ours
_SLOTS = 24
_LEFT, _WRITES = "tidegate_left", "tidegate_writes"

T = TypeVar("T")


class Database:
    """An engine whose every transaction ends in time. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        """Raises StoreSettingsError when the URL is not one of ours, StoreUnavailableError when no file can be made."""
        parsed = _parsed(url)
        self.name = parsed.render_as_string(hide_password=True)
        self._deadline = Deadline(_SLOTS)
        self._writer = threading.Lock()
        self._file: SqliteFile | None = None
        path = file_of(url)
        with translated(self.name):
            if path is None:
                self._engine = _postgres_engine(parsed)
            else:
                self._file = SqliteFile(path)
                self._engine = _sqlite_engine(self._file)

    @property
    def is_sqlite(self) -> bool:
        """Is it a file of ours, rather than a server?"""
        return self._file is not None

    def read(self, work: Callable[[Connection], T], patience: float = PATIENCE) -> T:
        """Run `work` in a transaction that only reads. Raises StoreUnavailableError, at the latest after `patience`."""
        return self._in_time(patience, lambda: self._transact(work, patience, writes=False))

    def write(self, work: Callable[[Connection], T], patience: float = PATIENCE) -> T:
        """Run `work` in a transaction: all or nothing. Raises StoreUnavailableError; it may still have been written."""
        return self._in_time(patience, lambda: self._write(work, patience))

    def close(self) -> None:
        """Give connections and threads back."""
        self._engine.dispose()
        self._deadline.close()

    def _in_time(self, patience: float, work: Callable[[], T]) -> T:
        try:
            return self._deadline.call(patience + _GRACE, lambda: self._spoken(work))
        except TooLateError as late:
            raise StoreUnavailableError(f"{self.name}: {late}: see whether disk or server hang") from late

    def _spoken(self, work: Callable[[], T]) -> T:
        with translated(self.name):
            return work()

    def _write(self, work: Callable[[Connection], T], patience: float) -> T:
        with self._turn(patience) as left:
            return self._transact(work, left, writes=True)

    def _transact(self, work: Callable[[Connection], T], left: float, *, writes: bool) -> T:
        with self._engine.connect() as connection:
            connection.execution_options(**{_LEFT: left, _WRITES: writes})
            with connection.begin():
                answer = work(connection)
            if self._file and writes:
                self._file.check_kept()
            return answer

    def _turn(self, patience: float) -> AbstractContextManager[float]:
        return _queued(self._writer, patience, self.name) if self.is_sqlite else nullcontext(patience)


@contextmanager
def _queued(lock: threading.Lock, patience: float, name: str) -> Iterator[float]:
    """Our own threads write one after the other: SQLite's waiting is polling, and unfair. Yields the patience left."""
    began = time.monotonic()
    if not lock.acquire(timeout=patience):
        raise StoreUnavailableError(f"{name}: no turn to write in {patience:g} s: too many writers, or a slow disk")
    try:
        yield max(0.0, patience - (time.monotonic() - began))
    finally:
        lock.release()


def check_settings(url: str, ours: Path) -> None:
    """Raises StoreSettingsError for what no waiting mends: a URL, or a folder, that is not there.

    `ours` is a folder that is made when it is missing.
    """
    _parsed(url)
    path = file_of(url)
    if path is None:
        return
    if os.path.isdir(path):
        raise StoreSettingsError(f"{path} is a folder: name a file in it, as in sqlite:///{path}/tidegate.db")
    folder = path.absolute().parent
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        if folder != ours.absolute():
            raise StoreSettingsError(
                f"the folder {folder} of the database does not exist: make it, mount it, or correct the URL"
            ) from None
    except OSError:
        return  # it cannot be looked at: that may pass


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    # The text itself is not repeated: it may hold a password.
    if parsed is None or parsed.drivername not in ("sqlite", "postgresql", "postgresql+psycopg"):
        raise StoreSettingsError(
            "the database URL is unknown: use sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        )
    return parsed if parsed.drivername == "sqlite" else parsed.set(drivername="postgresql+psycopg")


def _sqlite_engine(file: SqliteFile) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=lambda: file.connect(PATIENCE),
        poolclass=QueuePool,
        max_overflow=_SLOTS,
        pool_timeout=PATIENCE,
        hide_parameters=True,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        file.check_there()
        options = connection.get_execution_options()
        # Past sqlalchemy, which takes longer for these two than SQLite does: they go with every transaction.
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.execute(f"PRAGMA busy_timeout={int(options[_LEFT] * 1000)}")
        raw.execute("BEGIN IMMEDIATE" if options[_WRITES] else "BEGIN")

    return engine


def _postgres_engine(url: URL) -> Engine:
    given = url.query.get("options", "")
    limits = f"-c statement_timeout={int(PATIENCE * 1000)} -c lock_timeout={int(PATIENCE * 1000)}"
    engine = create_engine(
        url,
        pool_pre_ping=True,
        max_overflow=_SLOTS,
        pool_timeout=PATIENCE,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 2,  # seconds; psycopg takes no less, our own deadline is shorter
            "tcp_user_timeout": 2000,
            "options": f"{given} {limits}".strip(),
            "application_name": url.query.get("application_name", "tidegate"),
        },
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        left = connection.get_execution_options()[_LEFT]
        if left > PATIENCE:
            for limit in ("statement_timeout", "lock_timeout"):
                connection.exec_driver_sql(f"SET LOCAL {limit} = {int(left * 1000)}")

    return engine
