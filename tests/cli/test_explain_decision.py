"""`explain --decision`: from the daemon, and from the database when none runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.decision import Fact, Notice, Reason, Severity
from controller.domain.record import TickRecord
from controller.domain.verdict import Judgement, Verdict
from controller.runtime.inputs import written
from controller.runtime.views import decision_view
from controller.runtime.why import Decided, decided
from controller.store.entries import journal_of
from controller.store.store import open_store
from controller.testing.conformance import store_samples
from tests.cli import views
from tests.cli.conftest import FakeDaemon, quick, tidegate

KEY = store_samples.KEY


def a_rollback(seq: int) -> TickRecord:
    """The tick of a breach of harm/ssh, with what is kept beside it."""
    record = store_samples.a_record(seq)
    facts: dict[str, Fact] = {
        "slo": "harm",
        "scenario": "ssh",
        "bad": 9.0,
        "total": 312.0,
        "objective": 0.001,
        "stable_total": 8890.0,
    }
    told = (
        Notice(Reason.BREACHED, record.at, Severity.PAGE, facts),
        Notice(Reason.ROLLBACK_STARTED, record.at, Severity.QUIET, {"cause": "breach"}),
    )
    streams = (
        views.stream("harm", Verdict.BREACH, 9, 312, objective=0.001),
        views.stream("harm", Verdict.BREACH, 9, 300, objective=0.001, scenario="ssh", guilty=True, log_e=5.0),
    )
    judgement = Judgement(streams)
    return replace(record, notices=told, verdicts=written(judgement, None, views.the_spec(), None))


def found() -> Decided:
    told = decided(tuple(reversed(journal_of(a_rollback(1)))), 1)
    assert told is not None
    return told


@pytest.fixture
def database(state_dir: Path) -> str:
    url = f"sqlite:///{state_dir / 'tidegate.db'}"
    with open_store(url) as store:
        store.commit(a_rollback(1))
    return url


def test_from_the_daemon(daemon: FakeDaemon) -> None:
    daemon.decision = dict(decision_view(KEY, found()))
    ran = quick("explain", "support-bot", "--decision", "1", "--state-dir", daemon.state_dir)
    assert ran.code == 0
    head, what, began, *_ = ran.out.splitlines()
    assert head.startswith(f"{KEY} #1, ")
    assert what == "  breach: harm/ssh: 9 of 312 judged answers were bad (2.9 %), the limit is 0.1 %"
    assert began == "  rollback began (breach)"
    assert "a version exactly at that limit would have had about 0.3." in ran.out
    assert daemon.asked[0].args == {"name": "support-bot", "decision": 1}


def test_verbose_shows_the_numbers_that_were_kept(daemon: FakeDaemon) -> None:
    daemon.decision = dict(decision_view(KEY, found()))
    told = quick("explain", "support-bot", "--decision", "1", "-v", "--state-dir", daemon.state_dir).out
    for part in ("LOG E", "WEIGHT", "BETWEEN (95 %)", "harm/ssh"):
        assert part in told


def test_without_a_daemon_the_database_says_the_same(state_dir: Path, database: str) -> None:
    ran = tidegate("explain", "support-bot", "--decision", "1", "--state-dir", state_dir, "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.json["lines"] == list(found().lines)
    assert [entry["reason"] for entry in ran.json["entries"]] == ["breached", "rollback_started"]
    by_url = quick("explain", "support-bot", "--decision", "1", "--state-dir", "/nowhere", "--database", database)
    assert by_url.code == 0, by_url.err


def test_a_number_that_is_not_there(state_dir: Path, database: str) -> None:
    ran = quick("explain", "support-bot", "--decision", "99", "--state-dir", state_dir)
    assert ran.code == 1
    assert f"{KEY} has no decision #99 in its journal; `tidegate history {KEY}` shows their numbers" in ran.err


def test_neither_daemon_nor_database(state_dir: Path) -> None:
    ran = quick("explain", "support-bot", "--decision", "1", "--state-dir", state_dir)
    assert ran.code == 3
    assert "there is no database at" in ran.err


def test_history_shows_the_number_to_use(state_dir: Path, database: str) -> None:
    lines = quick("history", "support-bot", "--state-dir", state_dir).out.splitlines()
    assert "#1" in lines[1].split()
