"""Writing a decision down in time, or spooling it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.record import Stored, StoreUnavailableError, TickRecord
from controller.runtime.persist import Persister, Saved
from controller.store.spool import Spool
from controller.testing.builders import a_position, a_rollout
from controller.testing.clock import START
from controller.testing.stores import Fault, MemoryStore

KEY = a_rollout().key


class HangingStore(MemoryStore):
    """Answers when it is released."""

    released = threading.Event()

    def commit(self, record: TickRecord) -> None:
        self.released.wait(10)

    def load(self) -> tuple[Stored, ...]:
        self.released.wait(10)
        return ()


@pytest.fixture
def hanging() -> Iterator[HangingStore]:
    store = HangingStore()
    store.released.clear()
    yield store
    store.released.set()


def record(seq: int = 1) -> TickRecord:
    return TickRecord(KEY, seq, START, a_position(), None)


def a_persister(store: MemoryStore, folder: Path, patience: float = 0.5) -> Persister:
    return Persister(store, Spool(folder / "spool"), 1, patience)


def test_a_write_is_stored(tmp_path: Path) -> None:
    store = MemoryStore()
    assert a_persister(store, tmp_path).save(record(), decisive=True) is Saved.STORED
    assert store.shelf.stored[KEY].seq == 1


def test_somebody_elses_number_is_stale(tmp_path: Path) -> None:
    assert a_persister(MemoryStore(), tmp_path).save(record(5), decisive=True) is Saved.STALE


@pytest.mark.parametrize(("decisive", "saved"), [(True, Saved.SPOOLED), (False, Saved.LOST)])
def test_only_decisions_are_spooled(decisive: bool, saved: Saved, tmp_path: Path) -> None:
    store = MemoryStore()
    store.fault = Fault.UNAVAILABLE
    persister = a_persister(store, tmp_path)
    assert persister.save(record(), decisive) is saved
    assert len(Spool(tmp_path / "spool").read()) == decisive
    assert "told to be unavailable" in persister.trouble


def test_a_database_that_hangs_costs_its_patience_and_no_more(tmp_path: Path, hanging: HangingStore) -> None:
    persister = a_persister(hanging, tmp_path, patience=0.05)
    began = time.monotonic()
    assert persister.save(record(), decisive=True) is Saved.SPOOLED
    assert time.monotonic() - began < 1.0
    assert "no answer within 0.05 s" in persister.trouble
    with pytest.raises(StoreUnavailableError, match="not read within"):
        persister.stored(KEY)


def test_nowhere_to_write_is_lost_and_says_so(tmp_path: Path) -> None:
    store = MemoryStore()
    store.fault = Fault.UNAVAILABLE
    (tmp_path / "spool").write_text("a file where the folder should be")
    persister = a_persister(store, tmp_path)
    assert persister.save(record(), decisive=True) is Saved.LOST
    assert "spool" in persister.trouble


def test_what_is_stored_of_one_rollout(tmp_path: Path) -> None:
    store = MemoryStore()
    persister = a_persister(store, tmp_path)
    assert persister.stored(KEY) is None
    persister.save(record(), decisive=True)
    found = persister.stored(KEY)
    assert found is not None
    assert found.seq == 1
