"""Evidence counted anew from the samples of a real Prometheus, when what the store kept is gone."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.analysis.judge import log_e
from controller.domain.evidence import Evidence
from controller.domain.request import Ask, OperatorRequest
from controller.domain.state import Phase
from controller.runtime import rebuilding
from tests.parts.metrics_page import MetricsPage
from tests.parts.prometheus import Prometheus as Server
from tests.runtime.prometheus_rig import TICK, Told, parts
from tests.runtime.rig import KEY, a_rig

__all__ = ["parts"]
pytestmark = pytest.mark.xdist_group("prometheus")


@pytest.fixture
def told(parts: tuple[Server, MetricsPage], tmp_path: Path) -> Iterator[Told]:
    """v12 is in its canary stage, with one bad answer in each tick so far."""
    server, page = parts
    rig = a_rig(tmp_path)
    made = Told(rig, server, page)
    made.start()
    for _ in range(8):
        made.tick(bad=1)
    run = made.rig.held.position.run
    assert run is not None
    assert run.current.name == "canary-10", made.rig.held.position.message
    made.restarted(tmp_path / "again")
    yield made
    made.rig.house.persister.close()


def budgets(evidence: Evidence) -> set[float]:
    return {stream.budget for slo in evidence.slos for stream in slo.streams}


def same(one: Evidence, other: Evidence) -> None:
    """Totals exactly, evidence to 1e-9."""
    for mine, theirs in zip(one.slos, other.slos, strict=True):
        for a, b in zip(mine.streams, theirs.streams, strict=True):
            assert (a.all, a.proof, a.live, a.stage, a.stable) == (b.all, b.proof, b.live, b.stage, b.stable)
            assert log_e(a) == pytest.approx(log_e(b), abs=1e-9)
            assert a.ticks == b.ticks


def test_the_history_gives_what_was_lost(told: Told, tmp_path: Path) -> None:
    before = told.known
    told.forget()
    told.restarted(tmp_path / "third")
    entry = told.rebuilt()
    assert (entry.reason, entry.facts["source"], entry.facts["budget"]) == ("evidence_rebuilt", "history", "kept")
    same(told.known, before)
    assert budgets(told.known) == {1.0}
    total = told.known.slos[0].streams[0].all.total
    told.tick(bad=1)
    assert told.known.slos[0].streams[0].all.total == total + 100


def test_what_was_counted_while_nobody_looked_is_counted_too(told: Told, tmp_path: Path) -> None:
    """All rows are there; the server says what came after the last of them."""
    total = told.known.slos[0].streams[0].all.total
    told.rig.clock.advance(60)
    told.rig.counters.count("v12", 400, 2)
    told.publish()
    told.forget(slice(0, 0))
    told.restarted(tmp_path / "third")
    entry = told.rebuilt()
    assert (entry.facts["source"], entry.facts["budget"]) == ("kept", "kept")
    assert told.known.slos[0].streams[0].all.total == total
    told.tick()
    assert told.known.slos[0].streams[0].all.total == total + 500


def test_without_a_journal_it_speaks_against_and_never_for_the_candidate(told: Told, tmp_path: Path) -> None:
    before = told.known.slos[0].streams[0]
    told.forget(journal=True)
    told.restarted(tmp_path / "third")
    entry = told.rebuilt()
    assert (entry.facts["source"], entry.facts["budget"], entry.severity) == ("history", "half", "warn")
    stream = told.known.slos[0].streams[0]
    assert stream.all == before.all
    assert stream.stage == before.stage
    assert stream.proof.total < before.proof.total
    assert budgets(told.known) == {0.5}


def test_a_server_that_forgot_the_beginning_costs_half_of_the_budget(told: Told, tmp_path: Path) -> None:
    total = told.known.slos[0].streams[0].all.total
    run = told.rig.held.position.run
    assert run is not None
    shelf = told.rig.store.shelf
    shelf.stored[KEY] = replace(
        shelf.stored[KEY],
        position=replace(shelf.stored[KEY].position, run=replace(run, started_at=run.started_at - timedelta(hours=1))),
    )
    entries = [replace(one, at=one.at - timedelta(minutes=10)) for one in shelf.journal]
    shelf.journal[:] = entries
    told.forget()
    told.restarted(tmp_path / "third")
    entry = told.rebuilt()
    assert (entry.facts["source"], entry.facts["budget"]) == ("history", "half")
    assert told.known.slos[0].streams[0].all.total == total


def test_a_breach_that_was_lost_is_seen_again(told: Told, tmp_path: Path) -> None:
    for _ in range(6):
        told.rig.clock.advance(TICK)
        told.rig.counters.count("v12", 100, 60)
        told.publish()
    told.forget(journal=True)
    told.restarted(tmp_path / "third")
    told.rebuilt()
    told.tick(bad=60)
    position = told.rig.held.position
    assert position.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK), position.message


@pytest.fixture
def hanging(told: Told) -> Iterator[Told]:
    """The server takes every question, and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shelf = told.rig.store.shelf
        position = shelf.stored[KEY].position
        assert position.run is not None
        spec = replace(
            position.run.spec, metrics=replace(told.metrics, urls=(f"http://127.0.0.1:{silent.getsockname()[1]}",))
        )
        told.forget()
        shelf.stored[KEY] = replace(shelf.stored[KEY], position=replace(position, run=replace(position.run, spec=spec)))
        yield told


def test_a_server_that_hangs_holds_up_nobody(hanging: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "AT_ONCE", 0.05)
    monkeypatch.setattr(rebuilding, "PATIENCE", 3.0)
    hanging.restarted(tmp_path / "third")
    rig = hanging.rig
    rig.passes(2)
    assert rig.held.evidence is None
    assert rig.held.position.message == "waiting for its evidence, which was lost, to be counted anew"
    rig.held.inbox.append(OperatorRequest("1", Ask.ABORT, "ada", "enough", rig.clock.now()))
    rig.passes(1)
    assert rig.held.position.phase is Phase.ROLLING_BACK


def test_it_is_given_up_in_time(hanging: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "AT_ONCE", 0.05)
    monkeypatch.setattr(rebuilding, "PATIENCE", 1.0)
    hanging.restarted(tmp_path / "third")
    entry = hanging.rebuilt()
    assert entry.reason in ("evidence_lost", "evidence_rebuilt")
    assert budgets(hanging.known) == {0.5}
