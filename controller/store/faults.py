"""What is wrong with a database, in words: every error leaves this room as a StoreUnavailableError."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from controller.domain.record import StaleWriteError, StoreUnavailableError

DAMAGED = (
    "the file is damaged: restore a backup, or move it away together with its -wal and -shm files to begin anew "
    "(what serves is then taken from the route itself)"
)
_BUSY = "another process holds it; see who (`fuser`, pg_locks) if this lasts"
_FULL = "there is no room: free some, nothing else is needed"
_READ_ONLY = "it cannot be written: let the daemon's user write to the file and to its folder"
_DISK = "the disk reports an error: look at the system's log"
_GONE = "it is not reachable: see that it runs, then the address, user and password in the URL"

# First match wins: SQLite's error names, PostgreSQL's SQLSTATE codes, the system's errno names.
_HINTS = (
    (("SQLITE_BUSY", "SQLITE_LOCKED", "55P03", "57014", "TimeoutError"), _BUSY),
    (("SQLITE_FULL", "53100", "ENOSPC", "EDQUOT"), _FULL),
    (("SQLITE_CORRUPT", "SQLITE_NOTADB"), DAMAGED),
    (("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "25006", "42501"), _READ_ONLY),
    (("EACCES", "EPERM", "EROFS", "ENOENT", "ENOTDIR", "EISDIR", "EEXIST"), _READ_ONLY),
    (("SQLITE_IOERR", "EIO"), _DISK),
    (("08", "28", "3D", "57P", "OperationalError"), _GONE),
)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn whatever is raised into StoreUnavailableError: where, what, and what to do.

    Whatever: a tick that acts without its database must not meet an error that it does not know.
    """
    try:
        yield
    except (StaleWriteError, StoreUnavailableError):
        raise
    except Exception as fault:  # a tick without its database must meet no error it does not know
        cause = fault.orig if isinstance(fault, DBAPIError) and fault.orig else fault
        raise StoreUnavailableError(f"{where}: {_said(cause)}: {_hint(cause)}") from fault


def _hint(fault: BaseException) -> str:
    code = _code(fault)
    known = (text for codes, text in _HINTS if code.startswith(codes))
    return next(known, f"this is unexpected ({code}), please report it")


def _code(fault: BaseException) -> str:
    if isinstance(fault, OSError) and fault.errno is not None:
        return errno.errorcode.get(fault.errno, type(fault).__name__)
    if isinstance(fault, sqlite3.Error):
        # Without a number it is Python's module that could not read a value: not what was written.
        return getattr(fault, "sqlite_errorname", "SQLITE_CORRUPT")
    sqlstate = getattr(fault, "sqlstate", None)
    return sqlstate if isinstance(sqlstate, str) else type(fault).__name__


def _said(fault: BaseException) -> str:
    """The first line in the driver's own words; without the statement and its values."""
    lines = str(fault).strip().splitlines()
    return lines[0] if lines else type(fault).__name__
