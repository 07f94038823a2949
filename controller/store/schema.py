"""Bring a database to the tables of this version, by one process at a time.

Alembic is loaded when there is something to bring: with all its dialects and templates it takes 10 MiB and a fifth of a
second, and a database is mostly up to date.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from controller.domain.record import StoreUnavailableError
from controller.store.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001"
"""The newest step in `migrations/versions`."""
VERSION_TABLE = "tidegate_version"
_PATIENCE = 10.0  # seconds: another process may be migrating, and nothing acts before the store is open
_LOCK = 0x71DE_6A7E  # any number, the same in every Tidegate


def upgrade(database: Database) -> None:
    """Do nothing when it is up to date. Raises StoreUnavailableError, also when a newer version wrote it."""
    if database.read(revision, patience=_PATIENCE) != HEAD:
        database.write(_upgrade, patience=_PATIENCE)


def revision(connection: Connection) -> str | None:
    """The step a database stands on; None: it is empty."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()  # noqa: S608 - a constant
    return None if found is None else str(found)


def config(connection: Connection) -> "Config":
    """Alembic's settings, for this connection."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    settings.attributes.update(connection=connection, version_table=VERSION_TABLE)
    return settings


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    if revision(connection) == HEAD:
        return  # somebody else was faster
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(config(connection), "head")
    except CommandError as unknown:
        raise StoreUnavailableError(
            f"the database stands on step {revision(connection)}, this version knows {HEAD} at most: "
            "run the version that wrote it, or a newer one"
        ) from unknown
