"""The database is locked, full, gone, damaged, stopped: rollbacks go on at once, nothing advances, nothing is lost."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from controller.domain.state import Phase
from tests.faults.rig import Bench, Ground, a_bench, served
from tests.parts.postgres import Postgres

WITHOUT_STORE = 3.0
"""Seconds that a pass may take without a database: 500 ms for it and 500 ms for the spool, on a busy machine."""


@contextmanager
def locked(ground: Ground) -> Iterator[None]:
    """Another process holds the database."""
    with closing(sqlite3.connect(ground.state_dir / "tidegate.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def breach_in_time(bench: Bench) -> None:
    bench.bad = 1.0
    for _ in range(6):
        began = time.monotonic()
        bench.tick(passes=1)
        if bench.position.phase is Phase.ROLLING_BACK:
            assert time.monotonic() - began < WITHOUT_STORE
            return
    raise AssertionError(f"no breach: {bench.history}")


def decided(bench: Bench) -> list[str]:
    ours = ("run_started", "breached", "rollback_started", "rollback_verified", "promoted")
    return [reason for reason in bench.reasons() if reason in ours]


ROLLED_BACK = ["run_started", "breached", "rollback_started", "rollback_verified"]


def test_a_locked_database_holds_up_no_rollback_and_hears_of_it_later(ground: Ground, canary: Bench) -> None:
    with locked(ground):
        breach_in_time(canary)
        canary.settle()
        assert set(ground.send(20)) == {"v11"}
        assert canary.position.phase is Phase.ROLLED_BACK
        assert (ground.state_dir / "spool" / "decisions").exists()
    canary.tick()
    assert decided(canary) == ROLLED_BACK
    assert not (ground.state_dir / "spool" / "decisions").exists()
    assert any("rolled back" in text or "v12 → v11" in text for text in ground.alerts())


def test_what_was_spooled_is_replayed_by_the_next_start(ground: Ground, canary: Bench) -> None:
    with locked(ground):
        breach_in_time(canary)
        canary.close()
    with a_bench(ground, canary.clock) as again:
        assert again.position.phase is Phase.ROLLING_BACK
        again.until(Phase.ROLLED_BACK)
        assert decided(again) == ROLLED_BACK
        assert set(ground.send(20)) == {"v11"}


def test_a_start_that_can_read_but_not_write_goes_on_guarding(ground: Ground, canary: Bench) -> None:
    with locked(ground):
        breach_in_time(canary)
        canary.close()
        with a_bench(ground, canary.clock) as again:
            again.until(Phase.ROLLED_BACK)
            assert set(ground.send(20)) == {"v11"}
    with a_bench(ground, canary.clock) as last:
        last.tick()
        assert last.position.phase is Phase.ROLLED_BACK
        assert decided(last) == ROLLED_BACK


def test_nothing_advances_without_the_database(ground: Ground, canary: Bench) -> None:
    with locked(ground):
        for _ in range(6):
            canary.tick(passes=1)
        assert canary.position.run is not None
        assert canary.position.run.current.name == "canary"
        assert "nothing advances while the database cannot be written" in str(canary.view()["message"])
        assert "another process holds it" in str(canary.view()["message"])
        route = canary.route()
        assert route is not None
        assert route.table is not None
        assert route.table.share("v12") == 50  # type: ignore[arg-type]  # a version's name
        assert any("cannot use its database" in text for text in ground.alerts())
    canary.until(Phase.COMPLETED)
    assert canary.view()["trouble"] is None
    assert decided(canary) == ["run_started", "promoted"]


def test_promotion_waits_for_the_database(ground: Ground, bench: Bench) -> None:
    ground.want("v12")
    bench.until(Phase.PROGRESSING, "full")
    with locked(ground):
        for _ in range(5):
            bench.tick(passes=1)
        assert bench.position.stable == "v11"
    bench.until(Phase.COMPLETED)
    assert decided(bench) == ["run_started", "promoted"]


def damage(file: Path) -> None:
    file.write_bytes(b"this is no database" * 1000)
    for beside in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            file.with_name(file.name + beside).unlink()


def test_a_damaged_file_holds_up_no_rollback(ground: Ground, canary: Bench) -> None:
    damage(ground.state_dir / "tidegate.db")
    breach_in_time(canary)
    canary.settle()
    assert set(ground.send(20)) == {"v11"}


def test_a_file_that_is_gone_holds_up_no_rollback(ground: Ground, canary: Bench) -> None:
    for file in ground.state_dir.glob("tidegate.db*"):
        file.unlink()
    breach_in_time(canary)
    canary.settle()
    assert set(ground.send(20)) == {"v11"}
    assert canary.house.health.ready().document["components"]["store"]["ok"] is False  # type: ignore[index]


def test_a_full_disk_holds_up_no_rollback(ground: Ground, small_disk: Path) -> None:
    ground.want("v11")
    with a_bench(ground) as bench:
        served(ground, bench)
        ground.want("v12")
        bench.until(Phase.PROGRESSING, "canary")
        with suppress(OSError), (small_disk / "fill").open("wb", buffering=0) as fill:
            while fill.write(b"x" * 512):
                pass
        assert shutil.disk_usage(small_disk).free == 0
        breach_in_time(bench)
        bench.settle()
        assert set(ground.send(20)) == {"v11"}
        assert bench.position.phase is Phase.ROLLED_BACK
        (small_disk / "fill").unlink()
        bench.tick()
        bench.tick()
        assert decided(bench) == ROLLED_BACK


@pytest.fixture
def stopped_postgres(postgres: Postgres) -> Iterator[Postgres]:
    yield postgres
    postgres.restart()


def test_postgresql_stopped_in_the_middle(ground: Ground, postgres_url: str, stopped_postgres: Postgres) -> None:
    ground.want("v11")
    with a_bench(ground, database=postgres_url) as bench:
        served(ground, bench)
        ground.want("v12")
        bench.until(Phase.PROGRESSING, "canary")
        stopped_postgres.stop()
        for _ in range(2):
            bench.tick(passes=1)
        assert bench.position.run is not None
        assert bench.position.run.current.name == "canary"
        breach_in_time(bench)
        bench.settle()
        assert set(ground.send(20)) == {"v11"}
        stopped_postgres.start()
        bench.tick()
        bench.tick()
        assert decided(bench) == ROLLED_BACK
