"""What people ask: with a reason, told what happened, refused with the daemon's words."""

import json
from pathlib import Path

import pytest

from controller.domain.state import Phase
from tests.cli import views
from tests.cli.conftest import FakeDaemon, quick

VERBS = ["abort", "retry", "pause", "resume", "approve"]


@pytest.mark.parametrize("verb", VERBS)
def test_is_asked_with_its_reason(daemon: FakeDaemon, verb: str) -> None:
    ran = quick(verb, "support-bot", "--reason", "because", "--state-dir", daemon.state_dir)
    assert ran.code == 0
    assert ran.out.startswith(f"{verb}: done\nsupport-bot is now Progressing v11 → v12, stage canary-25 4/5\n")
    asked = daemon.asked[0]
    assert (asked.verb, asked.args) == (verb, {"name": "support-bot", "reason": "because"})
    assert asked.actor


def test_says_where_the_traffic_is(daemon: FakeDaemon) -> None:
    daemon.rollouts = [
        views.a_view(Phase.ROLLING_BACK, run=views.a_run(), verified=False, message="rolling back: aborted")
    ]
    ran = quick("abort", "support-bot", "--reason", "because", "--state-dir", daemon.state_dir)
    assert "not verified yet" in ran.out
    assert "rolling back: aborted" in ran.out


@pytest.mark.parametrize("verb", VERBS)
def test_a_reason_is_required(state_dir: Path, verb: str) -> None:
    assert quick(verb, "support-bot", "--state-dir", state_dir).code == 2
    blank = quick(verb, "support-bot", "--reason", " ", "--state-dir", state_dir)
    assert blank.code == 2
    assert "say why" in blank.err


def test_refused(daemon: FakeDaemon) -> None:
    daemon.refusal = "nothing to resume: Progressing"
    ran = quick("resume", "support-bot", "--reason", "x", "--state-dir", daemon.state_dir)
    assert (ran.code, ran.out) == (1, "")
    assert "nothing to resume: Progressing" in ran.err


def test_no_daemon_says_how_to_move_the_traffic_anyway(state_dir: Path) -> None:
    ran = quick("abort", "support-bot", "--reason", "x", "--state-dir", state_dir)
    assert ran.code == 3
    assert "tidegate route support-bot --stable" in ran.err
    as_json = quick("abort", "support-bot", "--reason", "x", "--state-dir", state_dir, "-o", "json")
    assert "tidegate route support-bot --stable" in json.loads(as_json.err)["todo"]


def test_retry_without_the_time_of_a_known_fault(daemon: FakeDaemon) -> None:
    window = "2026-01-05T10:00Z..2026-01-05T11:00Z"
    ran = quick("retry", "support-bot", "--reason", "x", "--exclude", window, "--state-dir", daemon.state_dir)
    assert ran.code == 0
    assert daemon.asked[0].args == {"name": "support-bot", "reason": "x", "argument": window}


def test_a_bad_period_is_told_before_anybody_is_asked(daemon: FakeDaemon) -> None:
    asked = ("retry", "support-bot", "--reason", "x", "--state-dir", daemon.state_dir, "--exclude")
    for window, why in (
        ("10:00..11:00", "is not an instant"),
        ("2026-01-05T11:00Z..2026-01-05T10:00Z", "must be later"),
    ):
        ran = quick(*asked, window)
        assert ran.code == 2
        assert why in ran.err
    assert daemon.asked == []


def test_json(daemon: FakeDaemon) -> None:
    ran = quick("pause", "support-bot", "--reason", "x", "--state-dir", daemon.state_dir, "-o", "json")
    assert ran.json == {"done": "pause", "rollout": daemon.rollouts[0]}
