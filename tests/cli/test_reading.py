"""`get`, `explain`, `history`: what the daemon says, for people and for machines."""

import json
from pathlib import Path
from typing import Any

import pytest

from controller.domain.decision import Reason
from controller.domain.names import RolloutKey
from controller.domain.record import JournalEntry
from controller.runtime.views import entry_view
from controller.store.store import open_store
from controller.testing.conformance import store_samples
from tests.cli import views
from tests.cli.conftest import FakeDaemon, quick, tidegate


def test_get_is_a_table(daemon: FakeDaemon) -> None:
    daemon.rollouts = [views.progressing(), views.idle()]
    ran = quick("get", "--state-dir", daemon.state_dir)
    assert ran.code == 0
    head, first, second = ran.out.splitlines()[:3]
    assert head.split()[:3] == ["NAME", "PHASE", "VERSIONS"]
    assert first.split()[:5] == ["assistants/support-bot", "Progressing", "v11", "→", "v12"]
    assert "25 % / 24.9 %" in first
    assert "Idle" in second


def test_a_wide_table_says_what_each_waits_for(daemon: FakeDaemon) -> None:
    daemon.rollouts = [views.progressing(), views.rolled_back()]
    narrow, wide = (tidegate("get", "--state-dir", daemon.state_dir, env={"COLUMNS": n}).out for n in ("80", "200"))
    assert max(map(len, narrow.splitlines())) <= 80
    assert "WAITS FOR" not in narrow
    assert "1 inconclusive, 3 pass" in wide
    assert "47 min of minDuration; harm: " in wide


def test_get_one_is_the_tree(daemon: FakeDaemon) -> None:
    ran = quick("get", "support-bot", "--state-dir", daemon.state_dir)
    assert "▶ canary-25" in ran.out
    assert "24.9 % counted by Envoy (1,204/4,845) ✓ verified" in ran.out
    assert daemon.asked[0].args == {"name": "support-bot"}


def test_get_as_json_is_the_daemons_answer(daemon: FakeDaemon) -> None:
    ran = quick("get", "--state-dir", daemon.state_dir, "-o", "json")
    assert ran.json == {"rollouts": daemon.rollouts, "sources": []}


def test_get_without_rollouts_says_what_to_do(daemon: FakeDaemon) -> None:
    daemon.rollouts = []
    assert "no rollouts yet" in quick("get", "--state-dir", daemon.state_dir).out


def test_no_daemon(state_dir: Path) -> None:
    ran = quick("get", "--state-dir", state_dir)
    assert (ran.code, ran.out) == (3, "")
    assert "start `tidegate run`" in ran.err


def test_errors_are_json_when_json_is_asked_for(state_dir: Path) -> None:
    ran = quick("get", "--state-dir", state_dir, "--output", "json")
    told = json.loads(ran.err)
    assert (ran.code, told["code"]) == (3, 3)
    assert "no daemon listens" in told["error"]


def test_an_unknown_rollout(daemon: FakeDaemon) -> None:
    daemon.refusal = "there is no rollout `x`; known: assistants/support-bot"
    ran = quick("get", "x", "--state-dir", daemon.state_dir)
    assert ran.code == 1
    assert "known: assistants/support-bot" in ran.err


def test_explain(daemon: FakeDaemon) -> None:
    ran = quick("explain", "support-bot", "--state-dir", daemon.state_dir)
    assert ran.out == "support-bot is Progressing in stage canary-25.\n"
    assert "harm/ssh" in quick("explain", "support-bot", "-v", "--state-dir", daemon.state_dir).out
    assert quick("explain", "support-bot", "-o", "json", "--state-dir", daemon.state_dir).json["rollout"]


def an_entry(reason: str, severity: str = "quiet", **facts: Any) -> dict[str, Any]:
    key = RolloutKey("assistants", "support-bot")
    return entry_view(JournalEntry(key, 1, views.T0, reason, severity, None, None, None, facts))


def test_history_is_a_timeline_oldest_first(daemon: FakeDaemon) -> None:
    daemon.entries = [
        {**an_entry("paused", said="lunch"), "actor": "ana"},
        an_entry("breached", "page", slo="harm", scenario="ssh", bad=9.0, total=312.0, objective=0.001),
        {**an_entry("run_started", stable="v11", candidate="v12"), "commit": "4f1c2d3e5a6b7c8d"},
        an_entry("something_new", number=3),
    ]
    lines = quick("history", "support-bot", "--state-dir", daemon.state_dir).out.splitlines()
    assert "2026-05-01" in lines[0]
    assert "something new (number: 3)" in lines[1]
    assert "run began: v11 → v12  [commit 4f1c2d3e5a6b]" in lines[2]
    assert "breach: harm/ssh: 9 of 312 judged answers were bad (2.9 %), the limit is 0.1 %" in lines[3]
    assert "paused: lunch  [by ana]" in lines[4]


def test_history_without_a_daemon_reads_the_database(state_dir: Path, database_with_a_run: str) -> None:
    ran = tidegate("history", "support-bot", "--state-dir", state_dir, "--output", "json")
    assert ran.code == 0, ran.err
    assert ran.json["name"] == str(store_samples.KEY)
    assert [(one["reason"], one["actor"]) for one in ran.json["entries"]] == [("paused", "ana")]
    unknown = tidegate("history", "other", "--state-dir", state_dir)
    assert unknown.code == 1
    assert f"known: {store_samples.KEY}" in unknown.err


def test_history_with_neither_daemon_nor_database_makes_no_database(state_dir: Path) -> None:
    ran = quick("history", "support-bot", "--state-dir", state_dir)
    assert ran.code == 3
    assert "there is no database at" in ran.err
    assert list(state_dir.iterdir()) == []


@pytest.fixture
def database_with_a_run(state_dir: Path) -> str:
    url = f"sqlite:///{state_dir / 'tidegate.db'}"
    with open_store(url) as store:
        store.commit(store_samples.with_notice(store_samples.a_record(1), Reason.PAUSED, "ana"))
    return url
