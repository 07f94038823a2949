"""The commands against `tidegate run` itself: its own process, a real Envoy, real counters."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import REPOSITORY, Ran, tidegate
from tests.faults.live import Feeder
from tests.faults.rig import Ground, a_ground
from tests.parts.net import wait_until
from tests.parts.process import Child

pytestmark = pytest.mark.xdist_group("envoy")


@pytest.fixture
def ground() -> Iterator[Ground]:
    with a_ground() as fresh:
        yield fresh


@contextmanager
def a_daemon(ground: Ground) -> Iterator[Child]:
    argv = [sys.executable, "-m", "controller", "run", "--rollouts", str(ground.rollouts)]
    argv += ["--state-dir", str(ground.state_dir), "--http", "127.0.0.1:0", "--log", "json"]
    child = Child(argv, ground.folder / "daemon.log", env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    try:
        yield child
    finally:
        child.stop()


def command(ground: Ground, verb: str, *args: str | Path) -> Ran:
    return tidegate(verb, "support-bot", *args, "--state-dir", ground.state_dir)


def seen(ground: Ground) -> dict[str, Any]:
    ran = command(ground, "get", "--output", "json")
    return dict(ran.json["rollouts"][0]) if ran.code == 0 else {"phase": None, "held": None, "run": None}


def until_stage(ground: Ground, stage: str) -> None:
    def there() -> bool:
        view = seen(ground)
        return bool(view["run"] and view["run"]["stage"] == stage and view["run"]["stage_since"])

    wait_until(there, 30, f"stage {stage}")


def test_people_steer_a_run(ground: Ground) -> None:
    ground.want("v12", interval="200ms", soak="60s", max_age="60s")
    with Feeder(ground), a_daemon(ground):
        until_stage(ground, "shadow")
        paused = command(ground, "pause", "--reason", "launch event")
        assert paused.code == 0, paused.err
        assert "pause: done\nsupport-bot is now Paused v11 → v12, stage shadow 1/3" in paused.out
        refused = command(ground, "approve", "--reason", "looks fine")
        assert (refused.code, refused.out) == (1, "")
        assert command(ground, "resume", "--reason", "event is over").code == 0
        assert "support-bot is Progressing in stage shadow" in command(ground, "explain").out
        assert "▶ shadow" in command(ground, "get").out
        aborted = command(ground, "abort", "--reason", "wrong prompt", "--output", "json")
        assert aborted.json["done"] == "abort"
        ended = tidegate("watch", "support-bot", "--until-done", "--state-dir", ground.state_dir)
        assert ended.code == 1, ended.err
        assert "RolledBack v11 → v12" in ended.out.splitlines()[-1]
        told = command(ground, "history").out
    for part in ("run began: v11 → v12", "paused: launch event", "rolled back, zero traffic verified (aborted)"):
        assert part in told, told
    offline = command(ground, "history")
    assert offline.out == told, offline.err


def test_a_second_daemon_says_so(ground: Ground) -> None:
    ground.want("v11", interval="200ms", soak="60s")
    with a_daemon(ground):
        wait_until(lambda: seen(ground)["phase"] == "Idle", 30, "the daemon")
        ran = tidegate("run", "--rollouts", ground.rollouts, "--state-dir", ground.state_dir, "--http", "127.0.0.1:0")
    assert ran.code == 2
    assert "another daemon works in" in ran.err


def test_broken_glass_holds_over_a_restart(ground: Ground) -> None:
    ground.want("v12", interval="200ms", soak="60s", max_age="60s", weight=50)
    with Feeder(ground):
        with a_daemon(ground) as daemon:
            until_stage(ground, "shadow")
            daemon.stop(signal.SIGKILL)
        ran = command(ground, "route", "--stable", "--rollouts", ground.rollouts, "--reason", "v12 insults people")
        assert ran.code == 0, ran.out + ran.err
        assert set(ground.send(40)) == {"v11"}
        with a_daemon(ground):
            wait_until(lambda: seen(ground)["held"] == "external", 30, "the hold")
            assert set(ground.send(40)) == {"v11"}
