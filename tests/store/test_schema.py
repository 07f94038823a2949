"""The migrations make exactly the tables that the code knows, on both databases."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from controller.store.database import Database
from controller.store.schema import HEAD, VERSION_TABLE, config, revision, upgrade
from controller.store.tables import Table


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/tidegate.db"


def differences(connection: Connection) -> object:
    options = {"version_table": VERSION_TABLE, "compare_type": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), Table.metadata)


def test_models_and_migrations_are_the_same(url: str) -> None:
    database = Database(url)
    upgrade(database)
    upgrade(database)
    assert database.read(revision) == HEAD
    assert database.read(differences, patience=10) == []
    database.close()


def test_head_is_the_newest_step(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/tidegate.db")
    steps = database.read(lambda connection: ScriptDirectory.from_config(config(connection)))
    assert steps.get_heads() == [HEAD]
    database.close()


def test_a_migration_that_fails_leaves_nothing(url: str) -> None:
    database = Database(url)

    def fails(connection: Connection) -> None:
        from controller.store.schema import _upgrade

        _upgrade(connection)
        raise RuntimeError("killed in the middle")

    with pytest.raises(Exception, match="killed in the middle"):
        database.write(fails, patience=10)
    assert database.read(revision) is None
    upgrade(database)
    assert database.read(revision) == HEAD
    database.close()
