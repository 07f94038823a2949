"""`watch`: a line per change in a pipe, JSON lines, a tree on a terminal, and how a run ended as the exit code."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

from tests.cli import views
from tests.cli.conftest import REPOSITORY, FakeDaemon, tidegate


def test_a_line_per_change_until_it_is_rolled_back(daemon: FakeDaemon) -> None:
    daemon.story = [views.progressing(), views.progressing(), views.rolling_back(), views.rolled_back(), views.idle()]
    ran = tidegate("watch", "support-bot", "--until-done", "--state-dir", daemon.state_dir)
    assert ran.code == 1, ran.err
    assert [line.split()[2] for line in ran.out.splitlines()] == ["Progressing", "RollingBack", "RolledBack"]
    assert "\x1b" not in ran.out


def test_promoted_is_zero(daemon: FakeDaemon) -> None:
    daemon.story = [views.progressing(), views.completed()]
    ran = tidegate("watch", "support-bot", "--until-done", "--state-dir", daemon.state_dir, "-o", "json")
    assert ran.code == 0, ran.err
    assert [json.loads(line)["phase"] for line in ran.out.splitlines()] == ["Progressing", "Completed"]


def test_a_stable_that_waits_for_its_commit_is_not_done(daemon: FakeDaemon) -> None:
    daemon.story = [views.idle(), views.progressing(), views.completed()]
    ran = tidegate("watch", "support-bot", "--until-done", "--state-dir", daemon.state_dir)
    assert ran.code == 0
    assert [line.split()[2] for line in ran.out.splitlines()] == ["Idle,", "Progressing", "Completed,"]


def test_no_daemon(state_dir: Path) -> None:
    assert tidegate("watch", "support-bot", "--state-dir", state_dir).code == 3


def test_a_reader_that_goes_away_is_told_apart_from_both_endings(daemon: FakeDaemon) -> None:
    daemon.story = [views.progressing()] * 2000
    argv = [sys.executable, "-m", "controller", "watch", "support-bot", "--until-done", "-o", "json"]
    argv += ["--state-dir", str(daemon.state_dir)]
    facts = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=facts) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        assert b'"phase": "Progressing"' in watching.stdout.readline()
        watching.stdout.close()
        assert watching.wait(15) == 141
        assert watching.stderr.read() == b""


def test_on_a_terminal_the_tree_is_redrawn(daemon: FakeDaemon) -> None:
    daemon.story = [views.progressing(), views.rolled_back()]
    screen = on_a_terminal("watch", "support-bot", "--state-dir", str(daemon.state_dir))
    assert "▶ canary-25" in plain(screen)
    assert "RolledBack" in screen
    assert "\x1b[" in screen


def test_no_colour_when_nobody_wants_it(daemon: FakeDaemon) -> None:
    screen = on_a_terminal("get", "support-bot", "--state-dir", str(daemon.state_dir), env={"NO_COLOR": "1"})
    assert "▶ canary-25" in plain(screen)
    assert "\x1b[3" not in screen  # colours; bold and dim may stay


def on_a_terminal(*args: str, env: dict[str, str] | None = None) -> str:
    """Everything that a command writes to a terminal of 100 columns."""
    master, slave = pty.openpty()
    facts = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "100", "LINES": "50", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-m", "controller", *args],
        stdout=slave,
        stderr=slave,
        stdin=slave,
        env={**facts, **(env or {})},
    )
    os.close(slave)
    seen, deadline = b"", time.monotonic() + 30
    try:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([master], [], [], 1)
            if ready and not (chunk := _read(master)):
                break
            seen += chunk if ready else b""
    finally:
        os.close(master)
        process.kill() if process.poll() is None and time.monotonic() > deadline else process.wait(10)
    return seen.decode(errors="replace")


def plain(screen: str) -> str:
    """Without control codes."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # the other side is closed
        return b""
