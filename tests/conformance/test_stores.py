"""The same promises, kept by the store in memory, on SQLite and on a real PostgreSQL."""

from collections.abc import Callable
from pathlib import Path

import pytest

from controller.store.database import Database
from controller.store.store import open_store
from controller.testing.conformance.store import STORE_PROMISES, StoreRig
from controller.testing.stores import MemoryShelf, MemoryStore


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoreRig:
    # These promises are about what is kept. How soon a store gives up is tested beside it, on a store of its own.
    for patient in (Database.read, Database.write):
        monkeypatch.setattr(patient, "__defaults__", (10.0,))
    if request.param == "memory":
        shelf = MemoryShelf()
        return StoreRig(lambda channels: MemoryStore(channels, shelf))
    url = f"sqlite:///{tmp_path}/tidegate.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    return StoreRig(lambda channels: open_store(url, channels))


@pytest.mark.parametrize("promise", STORE_PROMISES.values(), ids=STORE_PROMISES.keys())
def test_keeps_the_promise_of_a_store(promise: Callable[[StoreRig], None], rig: StoreRig) -> None:
    promise(rig)
