"""The command as a whole: help, version, usage errors, and `run` before anything is moved."""

import json
import re
import socket
from pathlib import Path

import pytest

from controller import __version__
from controller.web.socket import ControlServer
from tests.cli.conftest import quick, tidegate

COMMANDS = ["run", "demo", "lint", "plan", "get", "watch", "history", "explain", "abort", "retry", "pause", "resume"]
COMMANDS += ["approve", "route", "backtest", "simulate"]
ROLLOUTS = Path(__file__).parents[2] / "rollouts"


def test_version() -> None:
    ran = tidegate("--version")
    assert (ran.code, ran.out) == (0, f"tidegate {__version__}\n")


def test_help_lists_every_command() -> None:
    listed = quick("--help").out
    assert all(re.search(rf"│ {command}\s+\w", listed) for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_one_line_and_examples(command: str) -> None:
    told = quick(command, "--help").out
    assert f"tidegate {command}" in told.split("Examples:")[1]


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "run"])
def test_every_answer_can_be_json(command: str) -> None:
    assert "--output" in quick(command, "--help").out


def test_help_is_light() -> None:
    ran = tidegate("--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    heavy = ("sqlalchemy", "pydantic", "yaml", "controller.spec", "controller.runtime", "controller.demo", "slack_sdk")
    assert [name for name in heavy if re.search(rf"\| +{re.escape(name)}$", ran.err, re.MULTILINE)] == []


def test_usage_errors_are_json_when_json_is_asked_for() -> None:
    ran = tidegate("get", "--nope", "--output", "json")
    assert ran.code == 2
    assert "--nope" in json.loads(ran.err)["error"]
    assert tidegate("get", "--nope").code == 2


def test_run_without_anything_to_run() -> None:
    ran = quick("run")
    assert ran.code == 2
    assert "--rollouts FOLDER or --git URL" in ran.err


def test_run_with_a_folder_that_is_not_there(tmp_path: Path) -> None:
    ran = quick("run", "--rollouts", tmp_path / "nope")
    assert ran.code == 2
    assert "does not exist" in ran.err


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u:secret@h/d", "use sqlite:///FILE"),
        ("sqlite://", "name a file"),
        ("sqlite:////nowhere/at/all/tidegate.db", "does not exist"),
    ],
)
def test_run_with_a_database_that_no_waiting_mends(tmp_path: Path, url: str, said: str) -> None:
    ran = tidegate("run", "--rollouts", tmp_path, "--state-dir", tmp_path / "state", "--database", url)
    assert ran.code == 2
    assert said in ran.err
    assert "secret" not in ran.err


def test_run_with_a_secret_that_is_not_there(tmp_path: Path) -> None:
    ran = quick("run", "--rollouts", tmp_path, "--slack-webhook-file", tmp_path / "url")
    assert ran.code == 2
    assert "--slack-webhook-file" in ran.err


def test_options_come_from_the_environment(tmp_path: Path) -> None:
    ran = tidegate("run", env={"TIDEGATE_ROLLOUTS": str(tmp_path / "from-env")})
    assert ran.code == 2
    assert "from-env does not exist" in ran.err


def test_run_beside_another_daemon(state_dir: Path, tmp_path: Path) -> None:
    other = ControlServer(state_dir / "tidegate.sock", lambda _: {})
    other.start()
    try:
        ran = tidegate("run", "--rollouts", tmp_path, "--state-dir", state_dir, "--http", "127.0.0.1:0")
    finally:
        other.stop()
    assert ran.code == 2
    assert "another daemon listens on" in ran.err
    assert "--state-dir" in ran.err


def test_run_on_an_address_that_is_taken(state_dir: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = tidegate("run", "--rollouts", tmp_path, "--state-dir", state_dir, "--http", address)
    assert ran.code == 2
    assert address in ran.err
