"""Evidence out of kept measurements, in a whole house: after a loss, and without the time of a known fault."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from controller.domain.evidence import Evidence
from controller.domain.measure import Measurement
from controller.domain.names import RolloutKey
from controller.domain.record import JournalEntry
from controller.domain.state import Phase
from controller.runtime import rebuilding
from controller.runtime.control import Control
from controller.store.store import SqlStore, open_store
from controller.testing.stores import MemoryStore
from controller.web.protocol import Request
from controller.web.socket import RequestRefusedError
from tests.runtime.rig import KEY, Rig, a_rig
from tests.runtime.test_control import control_of


@pytest.fixture
def control(canary: Rig) -> Control:
    return control_of(canary)


def known(rig: Rig) -> Evidence:
    assert rig.held.evidence is not None
    return rig.held.evidence


def budgets(rig: Rig) -> set[float]:
    return {stream.budget for slo in known(rig).slos for stream in slo.streams}


def entry(rig: Rig, reason: str) -> JournalEntry:
    return next(one for one in rig.store.journal(KEY, 100) if one.reason == reason)


def restarted(rig: Rig, folder: Path) -> Rig:
    """Another process on the same database, route and metrics."""
    again = a_rig(folder, rig.store)
    again.clock.advance(rig.clock.now() - again.clock.now())
    again.routers.update(rig.routers)
    again.counters.counts = dict(rig.counters.counts)
    again.source.specs = rig.source.specs
    again.house.book.take(again.source.specs, again.clock.now())
    return again


@pytest.fixture
def canary_again(canary: Rig, tmp_path: Path) -> Iterator[Rig]:
    """The evidence row was deleted between two starts."""
    for _ in range(3):
        canary.tick(bad=1)
    shelf = canary.store.shelf
    shelf.stored[KEY] = replace(shelf.stored[KEY], evidence=None)
    again = restarted(canary, tmp_path)
    yield again
    again.house.persister.close()


def test_lost_evidence_is_what_it_was(canary: Rig, canary_again: Rig) -> None:
    assert canary_again.held.evidence is None
    canary_again.passes(1)
    told = entry(canary_again, "evidence_rebuilt")
    assert (told.facts["budget"], told.severity) == ("kept", "info")
    assert known(canary_again).slos == known(canary).slos
    canary_again.tick()
    assert canary_again.held.position.phase is Phase.PROGRESSING
    assert budgets(canary_again) == {1.0}


def test_with_a_hole_it_has_half_of_the_budget(canary_again: Rig) -> None:
    del canary_again.store.shelf.measurements[6]
    canary_again.passes(1)
    told = entry(canary_again, "evidence_rebuilt")
    assert (told.facts["budget"], told.severity) == ("half", "warn")
    assert budgets(canary_again) == {0.5}
    assert known(canary_again).slos[0].streams[0].all.bad > 0


def test_without_any_row_it_starts_again_with_half(canary_again: Rig) -> None:
    canary_again.store.shelf.measurements.clear()
    canary_again.passes(1)
    assert budgets(canary_again) == {0.5}
    assert known(canary_again).slos[0].streams[0].all.total == 0


def test_what_takes_too_long_is_given_up(canary_again: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "PATIENCE", -1.0)
    canary_again.passes(1)
    assert entry(canary_again, "evidence_lost").severity == "warn"
    assert budgets(canary_again) == {0.5}


def test_a_breach_that_was_lost_with_the_evidence_comes_back(canary: Rig, tmp_path: Path) -> None:
    canary.tick(bad=30)
    shelf = canary.store.shelf
    before = known(canary)
    shelf.stored[KEY] = replace(shelf.stored[KEY], evidence=None)
    again = restarted(canary, tmp_path)
    again.passes(1)
    assert known(again).slos == before.slos
    again.breach()
    again.house.persister.close()


def glitch(rig: Rig) -> str:
    """Good answers, then a fault of the judge that rolls back; returns its time."""
    for _ in range(2):
        rig.tick()
    begin = rig.clock.now()
    rig.breach()
    rig.passes()
    assert rig.held.position.phase is Phase.ROLLED_BACK
    return f"{begin.isoformat()}..{rig.clock.now().isoformat()}"


def test_a_retry_leaves_out_the_known_fault(canary: Rig, control: Control) -> None:
    window = glitch(canary)
    total = known(canary).slos[0].streams[0].all.total
    control(Request("retry", {"name": "support-bot", "reason": "judge broke", "argument": window}, "ada"))
    stream = known(canary).slos[0].streams[0]
    assert (stream.all.bad, stream.budget) == (0, 0.5)
    assert 0 < stream.all.total < total
    told = entry(canary, "retried")
    assert (told.actor, told.facts["said"], told.facts["evidence"]) == ("ada", "judge broke", "half")
    assert told.facts["counted_again"]
    assert told.facts["left_out"]
    for _ in range(3):
        canary.tick()
    assert canary.held.position.phase is Phase.PROGRESSING


def test_a_window_beside_the_fault_leaves_the_evidence_where_it_is(canary: Rig, control: Control) -> None:
    begin = canary.clock.now()
    canary.tick()
    canary.tick()
    window = f"{begin.isoformat()}..{canary.clock.now().isoformat()}"
    canary.clock.advance(15)
    canary.breach()
    canary.passes()
    control(Request("retry", {"name": "support-bot", "reason": "wrong time", "argument": window}, "ada"))
    canary.tick()
    assert "harm shows signs of a breach" in canary.held.position.message
    canary.tick(bad=100)
    canary.passes()
    assert canary.held.position.phase is Phase.ROLLED_BACK


def test_without_rows_nothing_is_counted_again(canary: Rig, control: Control) -> None:
    window = glitch(canary)
    canary.store.shelf.measurements.clear()
    control(Request("retry", {"name": "support-bot", "reason": "judge broke", "argument": window}, "ada"))
    assert entry(canary, "retried").facts["counted_again"] == 0
    assert budgets(canary) == {0.5}
    assert known(canary).slos[0].streams[0].all.total == 0


@pytest.mark.parametrize(
    ("window", "why"),
    [
        ("yesterday", "is not a period"),
        ("2026-11-22T11:00Z..2026-11-22T10:00Z", "TO must be later"),
        ("2026-11-22T11:00Z..2999-11-22T10:00Z", "reaches into the future"),
    ],
)
def test_a_bad_window_is_refused(canary: Rig, control: Control, window: str, why: str) -> None:
    glitch(canary)
    with pytest.raises(RequestRefusedError, match=why):
        control(Request("retry", {"name": "support-bot", "reason": "x", "argument": window}, "ada"))
    assert canary.held.position.phase is Phase.ROLLED_BACK
    assert budgets(canary) == {1.0}


def test_trust_is_withdrawn_with_a_reason(canary: Rig, control: Control) -> None:
    with pytest.raises(RequestRefusedError, match="no trust to withdraw"):
        control(Request("revoke", {"name": "support-bot", "reason": "new judge"}, "ada"))
    canary.held.position = replace(canary.held.position, trusted=True)
    canary.held.evidence = replace(known(canary), trusted=True)
    control(Request("revoke", {"name": "support-bot", "reason": "new judge"}, "ada"))
    assert not canary.held.position.trusted
    assert not known(canary).trusted
    told = entry(canary, "trust_revoked")
    assert (told.actor, told.facts["said"]) == ("ada", "new judge")


class Sql(MemoryStore):
    """The real database in the rig's place: everything that passes ask goes to it."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__()
        self.sql = store
        for name in ("load", "commit", "evidence", "journal", "due", "settle"):
            setattr(self, name, getattr(store, name))

    def measurements(
        self, key: RolloutKey, since: datetime, until: datetime
    ) -> Iterator[tuple[datetime, tuple[Measurement, ...]]]:
        return self.sql.measurements(key, since, until)


def test_an_evidence_row_deleted_from_sqlite_is_counted_anew(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    with open_store(f"sqlite:///{file}") as store:
        rig = a_rig(tmp_path, Sql(store), patience=5)
        rig.want(version="v11")
        rig.passes()
        rig.want(version="v12")
        for _ in range(8):
            rig.tick(bad=1)
        before = known(rig)
        rig.house.persister.close()
    with sqlite3.connect(file) as raw:
        assert raw.execute("DELETE FROM evidence").rowcount == 1
    raw.close()
    with open_store(f"sqlite:///{file}") as store:
        rig.store = Sql(store)
        again = restarted(rig, tmp_path)
        assert again.held.evidence is None
        again.passes(1)
        assert known(again).slos == before.slos
        assert entry(again, "evidence_rebuilt").facts["budget"] == "kept"
        again.house.persister.close()
