"""A start whose database cannot be read: no candidate keeps unguarded traffic, and the daemon goes on later."""

import json
import shutil
import signal
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from controller.domain.names import VersionName
from controller.traffic.envoy_files import ConfigFolder
from controller.traffic.envoy_process import stop_envoy
from controller.traffic.envoy_record import Record
from tests.faults.live import Feeder, Live, a_live
from tests.faults.rig import KEY, Ground
from tests.parts.net import free_port, wait_until
from tests.parts.postgres import Postgres

GRACE = {"grace": "0.5"}
FAST = {"interval": "200ms", "soak": "200ms", "canary_soak": "60s"}


@pytest.fixture
def feeder(ground: Ground) -> Iterator[Feeder]:
    with Feeder(ground) as feeding:
        yield feeding


@pytest.fixture
def database(ground: Ground) -> Path:
    return ground.state_dir / "tidegate.db"


def left_in_canary(ground: Ground, told: dict[str, str] | None = None) -> float:
    """A daemon brought v12 into its canary stage, with half of the traffic, and is down. How many were judged."""
    ground.want("v12", **FAST)
    with a_live(ground, told) as live:
        view = live.until("Progressing", "canary")
        live.child.stop(signal.SIGTERM)
        assert set(ground.send(40)) == {"v11", "v12"}
        return float(view["slos"][0]["total"])  # type: ignore[index]


def asked(ground: Ground, path: str = "stats?filter=v12.*upstream_rq_total") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{ground.options.admin}/{path}", timeout=5) as answer:
        return str(answer.read().decode())


def nothing_for_v12(ground: Ground) -> None:
    """By Envoy's own counters, and by who answers."""
    before = asked(ground)
    assert "v12" in before
    assert ground.send(60) == {"v11": 60}
    assert asked(ground) == before


def withdrawn(ground: Ground, live: Live, timeout: float = 20.0) -> None:
    """Told to people, shown to those who ask, true in Envoy."""
    wait_until(lambda: paged(ground) or not live.child.alive, timeout, "the page")
    assert live.child.alive, live.child.log_tail()
    page = next(text for text in ground.alerts() if "cannot read its database" in text)
    assert "ACT NOW" in page
    assert "v12 was withdrawn, everything is on v11, verified" in page
    assert "resume" in page
    nothing_for_v12(ground)


def paged(ground: Ground) -> bool:
    return any("cannot read its database" in text for text in ground.alerts())


def goes_on(ground: Ground, live: Live, judged: float = 0.0) -> None:
    """Held, evidence intact, nothing raised by itself; `resume` does."""
    view = live.until("Held", timeout=30)
    assert view["held"] == "external"
    assert view["slos"][0]["total"] >= judged  # type: ignore[index]
    assert ground.send(200) == {"v11": 200}
    resumed(ground, live)


def resumed(ground: Ground, live: Live) -> None:
    wait_until(lambda: _resumes(live), 10, "resume")
    live.until("Progressing", "canary", timeout=30)
    assert set(ground.send(40)) == {"v11", "v12"}


def _resumes(live: Live) -> bool:
    live.refusal("resume")
    return live.view().get("phase") != "Held"


def page_of(port: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def ruin(file: Path) -> Callable[[], None]:
    """Write something else over a database; returns what puts the backup back."""
    backup = file.with_name("backup")
    shutil.copy(file, backup)
    file.write_bytes(b"this is no database" * 1000)
    for end in ("-wal", "-shm"):
        Path(f"{file}{end}").unlink(missing_ok=True)

    def restore() -> None:
        shutil.copy(backup, file)

    return restore


def test_a_corrupt_file(ground: Ground, feeder: Feeder, database: Path) -> None:
    judged, http = left_in_canary(ground), f"127.0.0.1:{free_port()}"
    restore = ruin(database)
    with a_live(ground, {**GRACE, "http": http}) as live:
        withdrawn(ground, live)
        said = live.refusal()
        assert "the database cannot be read since" in said
        assert "file is not a database" in said
        assert "v12 was withdrawn, everything is on v11, verified" in said
        for verb in ("resume", "abort", "history", "explain"):
            assert live.refusal(verb).startswith(f"`{verb}` is not possible now: the database cannot be read")
        assert page_of(http, "/healthz")[0] == 200
        code, text = page_of(http, "/readyz")
        assert code == 503
        assert "database" in json.loads(text)["waiting_for"]
        assert "file is not a database" in text
        assert page_of(http, "/metrics")[0] == 200
        restore()
        goes_on(ground, live, judged)
        assert page_of(http, "/readyz")[0] == 200
        assert sum("cannot read its database" in text for text in ground.alerts()) == 1
        assert any("reads its database again" in text for text in ground.alerts())
        entries = live.ask("history")["entries"]
        assert isinstance(entries, list)
        change = next(one for one in entries if one["reason"] == "external_change")
        assert "database could not be read" in change["actor"]


def test_a_corrupt_file_moved_away(ground: Ground, feeder: Feeder, database: Path) -> None:
    """Begun anew with an empty database: what serves is stable, and nobody else."""
    left_in_canary(ground)
    ruin(database)
    with a_live(ground, GRACE) as live:
        withdrawn(ground, live)
        database.rename(database.with_name("damaged"))
        wait_until(lambda: live.view().get("stable") == "v11", 20, "the daemon to go on")


@contextmanager
def held_by_another(file: Path) -> Iterator[None]:
    """Another process keeps everybody out, also those who only read."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def test_a_locked_file(ground: Ground, feeder: Feeder, database: Path) -> None:
    judged = left_in_canary(ground)
    with ExitStack() as stack:
        with held_by_another(database):
            live = stack.enter_context(a_live(ground, GRACE))
            withdrawn(ground, live)
        goes_on(ground, live, judged)


def test_a_database_that_comes_in_time_is_no_incident(ground: Ground, feeder: Feeder, database: Path) -> None:
    left_in_canary(ground)
    with ExitStack() as stack:
        with held_by_another(database):
            live = stack.enter_context(a_live(ground, {"grace": "60"}))
            wait_until(lambda: "60 s after the start" in live.refusal(), 20, "the daemon to wait")
        live.until("Progressing", "canary")
        assert set(ground.send(40)) == {"v11", "v12"}
        assert not paged(ground)


@pytest.fixture
def stopped_postgres(postgres: Postgres) -> Iterator[Postgres]:
    yield postgres
    postgres.restart()


def test_postgresql_down_then_up(ground: Ground, feeder: Feeder, postgres_url: str, stopped_postgres: Postgres) -> None:
    told = {**GRACE, "database": postgres_url}
    judged = left_in_canary(ground, told)
    stopped_postgres.stop()
    with a_live(ground, told) as live:
        withdrawn(ground, live)
        assert "see that it runs" in live.refusal()
        stopped_postgres.start()
        goes_on(ground, live, judged)


def test_a_database_of_a_newer_version(ground: Ground, feeder: Feeder, database: Path) -> None:
    """A downgrade: the file is left as it is for the version that can read it."""
    left_in_canary(ground)
    with closing(sqlite3.connect(database)) as other, other:
        other.execute("UPDATE tidegate_version SET version_num = '9999'")
    with a_live(ground, GRACE) as live:
        withdrawn(ground, live)
        assert "run the version that wrote it, or a newer one" in live.refusal()
    with closing(sqlite3.connect(database)) as other:
        assert other.execute("SELECT version_num FROM tidegate_version").fetchone() == ("9999",)


def test_a_full_disk(ground: Ground, feeder: Feeder, small_disk: Path) -> None:
    judged = left_in_canary(ground)
    with suppress(OSError), (small_disk / "fill").open("wb", buffering=0) as fill:
        while fill.write(b"x" * 512):
            pass
    with a_live(ground, GRACE) as live:
        withdrawn(ground, live)
        assert "there is no room" in live.refusal() or "disk" in live.refusal()
        (small_disk / "fill").unlink()
        goes_on(ground, live, judged)


def test_a_raise_that_was_carried_out_and_not_confirmed_is_not_made_again(
    ground: Ground, feeder: Feeder, database: Path
) -> None:
    """Killed right after the write: the withdrawal leads back to what was routed before, as if nothing was raised."""
    ground.want("v12", **FAST)
    with a_live(ground, {"after": "execute", "on": "stage_entered", "stage": "shadow"}) as live:
        wait_until(lambda: not live.child.alive, 20, "the trap to spring")
    restore = ruin_with_wal(database)
    with a_live(ground, GRACE) as live:
        withdrawn(ground, live)
        restore()
        view = live.until("Held", timeout=30)
        assert view["held"] == "external"
        assert view["traffic"]["mirror"] == 0  # type: ignore[index]


def ruin_with_wal(file: Path) -> Callable[[], None]:
    """As `ruin`, for a database whose daemon was killed: its newest commits lie in the file beside it."""
    with closing(sqlite3.connect(file)) as one:
        one.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return ruin(file)


def test_sigterm_in_the_vigil(ground: Ground, feeder: Feeder, database: Path) -> None:
    left_in_canary(ground)
    ruin(database)
    with a_live(ground, GRACE) as live:
        withdrawn(ground, live)
        ground.signal_envoy(signal.SIGSTOP)
        try:
            began = time.monotonic()
            live.child.stop(signal.SIGTERM, timeout=8.0)
            assert time.monotonic() - began < 5.0
        finally:
            ground.signal_envoy(signal.SIGCONT)
        assert live.exit_code == 0, live.child.log_tail()
    nothing_for_v12(ground)


def test_sigterm_in_the_grace_leaves_traffic_as_it_is(ground: Ground, feeder: Feeder, database: Path) -> None:
    left_in_canary(ground)
    ruin(database)
    with a_live(ground, {"grace": "60"}) as live:
        wait_until(lambda: "60 s after the start" in live.refusal(), 20, "the daemon to wait")
        live.child.stop(signal.SIGTERM, timeout=5.0)
        assert live.exit_code == 0, live.child.log_tail()
    assert set(ground.send(40)) == {"v11", "v12"}


def test_a_dead_envoy_is_started_and_withdrawn_from(ground: Ground, feeder: Feeder, database: Path) -> None:
    left_in_canary(ground)
    ruin(database)
    ground.signal_envoy(signal.SIGKILL)
    with a_live(ground, GRACE) as live:
        wait_until(lambda: paged(ground), 20, "the page")
        wait_until(lambda: "everything is on v11" in live.refusal(), 20, "the withdrawal")
        assert ground.send(40) == {"v11": 40}


def test_an_envoy_that_does_not_answer_is_told_and_tried_again(ground: Ground, feeder: Feeder, database: Path) -> None:
    left_in_canary(ground)
    ruin(database)
    ground.signal_envoy(signal.SIGSTOP)
    try:
        with a_live(ground, GRACE) as live:
            wait_until(lambda: paged(ground), 30, "the page")
            assert any("NOT CONFIRMED on stable and not guarded" in text for text in ground.alerts())
            ground.signal_envoy(signal.SIGCONT)
            wait_until(lambda: "v12 was withdrawn, everything is on v11, verified" in live.refusal(), 20, "zero")
            nothing_for_v12(ground)
            wait_until(lambda: any("Act today" in text for text in ground.alerts()), 10, "the second word")
    finally:
        ground.signal_envoy(signal.SIGCONT)


def test_a_broken_spec_as_well(ground: Ground, feeder: Feeder, database: Path) -> None:
    left_in_canary(ground)
    ruin(database)
    ground.write(ground.options.text().replace("slos:", "sloths:"))
    with a_live(ground, GRACE) as live:
        withdrawn(ground, live)


def test_nothing_is_moved_while_only_observed(ground: Ground, feeder: Feeder, database: Path) -> None:
    left_in_canary(ground)
    ruin(database)
    ground.want(mode="observe")
    with a_live(ground, GRACE) as live:
        wait_until(lambda: paged(ground), 20, "the page")
        assert "only observed" in live.refusal()
        assert set(ground.send(40)) == {"v11", "v12"}


def test_without_a_record_the_spec_says_what_is_stable(ground: Ground, feeder: Feeder, database: Path) -> None:
    left_in_canary(ground)
    ruin(database)
    for record in ground.envoy_dir.glob("tidegate.*.json"):
        record.unlink()
    with a_live(ground, GRACE) as live:
        withdrawn(ground, live)
        assert Record.read(ConfigFolder(str(ground.envoy_dir)), KEY).stable == VersionName("v11")


def test_what_nobody_knows_is_left_and_told(ground: Ground, feeder: Feeder, database: Path) -> None:
    left_in_canary(ground)
    ruin(database)
    for record in ground.envoy_dir.glob("tidegate.*.json"):
        record.unlink()
    ground.write(ground.options.text().replace("  initialStable: v11\n", ""))
    with a_live(ground, GRACE) as live:
        wait_until(lambda: paged(ground), 20, "the page")
        page = next(text for text in ground.alerts() if "cannot read its database" in text)
        assert "NOT MOVED: neither the record beside Envoy nor the spec says what is stable" in page
        assert "v11 50 %, v12 50 %" in page
        assert "not guarded" in live.refusal()
    assert set(ground.send(40)) == {"v11", "v12"}


@pytest.fixture
def other(ground: Ground) -> Iterator[Path]:
    """The folder of the Envoy of a second rollout, `sales-bot`, on which v11 serves."""
    folder = ground.folder / "other-envoy"
    options = ground.options.but(
        name="sales-bot", version="v11", listen=free_port(), admin=free_port(), config_dir=str(folder), **FAST
    )
    ground.write(options.text(), "sales-bot.yaml")
    yield folder
    stop_envoy(str(folder))


def spoil(database: Path, table: str, column: str) -> None:
    """The row of one rollout: as if a newer version had written it."""
    with closing(sqlite3.connect(database)) as file, file:
        mine = "SELECT id FROM rollout WHERE name = 'support-bot'"
        where = f"rollout_id IN ({mine})" if table == "evidence" else f"id IN ({mine})"
        file.execute(f"UPDATE {table} SET {column} = CAST('tg2' || substr({column}, 4) AS BLOB) WHERE {where}")


def of(live: Live, name: str) -> dict[str, object]:
    return dict(live.ask("get", name=name)["rollouts"][0])  # type: ignore[index]


def told_lost(ground: Ground) -> bool:
    return any("its stored state is lost" in text for text in ground.alerts())


def test_one_row_that_does_not_read_back(ground: Ground, feeder: Feeder, database: Path, other: Path) -> None:
    left_in_canary(ground)
    spoil(database, "rollout", "position")
    with a_live(ground, GRACE) as live:
        view = live.until("Held")
        assert view["held"] == "external"
        wait_until(lambda: live.view()["traffic"]["verified"], 10, "zero")  # type: ignore[index]
        nothing_for_v12(ground)
        wait_until(lambda: told_lost(ground), 10, "the page")
        assert of(live, "sales-bot")["phase"] == "Idle"
        assert of(live, "sales-bot")["stable"] == "v11"
        assert "state_lost" in str(live.ask("history")["entries"])
        assert list((ground.state_dir / "unreadable").glob("faults.support-bot.*.position"))
        resumed(ground, live)


def test_evidence_that_does_not_read_back(ground: Ground, feeder: Feeder, database: Path) -> None:
    left_in_canary(ground)
    spoil(database, "evidence", "packed")
    with a_live(ground, GRACE) as live:
        view = live.until("Held")
        assert view["run"]["stage"] == "canary"  # type: ignore[index]
        wait_until(lambda: live.view()["traffic"]["verified"], 10, "zero")  # type: ignore[index]
        nothing_for_v12(ground)
        wait_until(lambda: told_lost(ground), 10, "the page")
        resumed(ground, live)


def test_a_lost_row_without_a_spec(ground: Ground, feeder: Feeder, database: Path) -> None:
    left_in_canary(ground)
    spoil(database, "rollout", "position")
    text = ground.options.text()
    ground.write(text.replace("slos:", "sloths:"))
    with a_live(ground, GRACE) as live:
        wait_until(lambda: set(ground.send(20)) == {"v11"}, 20, "zero")
        wait_until(lambda: "does not read" in str(live.view()) or "cannot be read" in str(live.view()), 10, "the why")
        assert "put back its spec" in live.refusal("resume")
        nothing_for_v12(ground)
        ground.write(text)
        live.until("Held")
        resumed(ground, live)
