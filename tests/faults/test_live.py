"""The daemon as a process: SIGTERM, a start that goes on, and two of them."""

import signal
import sqlite3
import time
from contextlib import closing

import pytest

from controller.domain.names import VersionName
from controller.domain.state import Phase
from controller.runtime.lock import AlreadyRunningError
from tests.faults.live import Feeder, a_live
from tests.faults.rig import Bench, Ground, a_bench
from tests.parts.metrics_page import Fault
from tests.parts.net import wait_until


def test_sigterm_leaves_traffic_as_it_is_and_a_start_goes_on(ground: Ground) -> None:
    ground.want("v12", interval="200ms", soak="200ms", canary_soak="60s")
    with Feeder(ground), a_live(ground) as live:
        view = live.until("Progressing", "canary")
        judged = view["slos"][0]["total"]  # type: ignore[index]
        began = time.monotonic()
        live.child.stop(signal.SIGTERM, timeout=5.0)
        assert time.monotonic() - began < 5.0
        assert live.exit_code == 0, live.child.log_tail()
        assert set(ground.send(40)) == {"v11", "v12"}
        with a_live(ground) as again:
            view = again.until("Progressing", "canary")
            assert view["slos"][0]["total"] >= judged  # type: ignore[index]
            assert view["run"]["id"] == "support-bot-1"  # type: ignore[index]


def test_sigterm_while_everything_hangs(ground: Ground) -> None:
    """The metrics server takes requests and says nothing; Envoy stands still."""
    ground.want("v12", interval="200ms", soak="60s")
    with Feeder(ground), a_live(ground) as live:
        live.until("Progressing", "shadow")
        ground.page.fail(Fault(delay=30.0))
        ground.signal_envoy(signal.SIGSTOP)
        try:
            began = time.monotonic()
            live.child.stop(signal.SIGTERM, timeout=8.0)
            assert time.monotonic() - began < 5.0
            assert live.exit_code == 0, live.child.log_tail()
        finally:
            ground.signal_envoy(signal.SIGCONT)


def test_a_second_daemon_on_the_same_state_is_refused(ground: Ground) -> None:
    ground.want("v11", interval="200ms", soak="200ms")
    with a_live(ground) as live:
        live.until("Idle")
        with pytest.raises(AlreadyRunningError, match="another daemon works in"), a_bench(ground):
            pass
        assert live.at("Idle")


def test_a_daemon_killed_in_a_commit_leaves_a_whole_database(ground: Ground) -> None:
    ground.want("v12", interval="200ms", soak="200ms")
    with Feeder(ground), a_live(ground) as live:
        live.until("Progressing")
        live.child.kill()
        with closing(sqlite3.connect(ground.state_dir / "tidegate.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def two(ground: Ground, first: Bench) -> Bench:
    """A second daemon on the database of the first, with a state folder of its own."""
    database = f"sqlite:///{ground.state_dir / 'tidegate.db'}"
    return Bench(ground, first.clock, state_dir=ground.folder / "second", database=database)


def shares(bench: Bench) -> int:
    seen = bench.route()
    return seen.table.share(VersionName("v12")) if seen and seen.table else 0


def test_two_daemons_on_one_database_never_fight(ground: Ground, bench: Bench) -> None:
    second = two(ground, bench)
    try:
        ground.want("v12")
        seen = []
        for _ in range(30):
            for one in (bench, second):
                one.tick()
                one.settle()
                seen.append(shares(one))
            if bench.position.phase is Phase.COMPLETED:
                break
        assert bench.position.stable == "v12"
        assert seen == sorted(seen)
        assert [reason for reason in bench.reasons() if reason == "promoted"] == ["promoted"]
        assert "drift_corrected" not in bench.reasons()
        assert "external_change" not in bench.reasons()
    finally:
        second.close()


def test_two_daemons_on_one_database_roll_back_once(ground: Ground, canary: Bench) -> None:
    second = two(ground, canary)
    try:
        second.tick()
        canary.breach()
        for _ in range(4):
            second.tick()
            canary.tick()
            assert shares(canary) == 0
        wait_until(lambda: canary.settle().phase is Phase.ROLLED_BACK, 5, "the rollback to be over")
        second.tick()
        second.tick()
        assert second.position.phase is Phase.ROLLED_BACK
        assert canary.reasons().count("rollback_started") == 1
        assert set(ground.send(20)) == {"v11"}
    finally:
        second.close()
