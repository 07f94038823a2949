"""SQLite as it really fails: each fault has a defined outcome, in time, and heals where it can."""

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event

from controller.domain.decision import Reason
from controller.domain.names import RolloutKey
from controller.domain.record import StaleWriteError, StoreSettingsError, StoreUnavailableError
from controller.store.database import check_settings
from controller.store.sqlite_file import set_aside
from controller.store.store import SqlStore, open_store
from controller.testing.conformance.store_samples import KEY, a_position, a_record, with_alert, with_notice
from tests.store.rigs import (
    as_nobody,
    finished,
    open_folder,
    python,
    small_disk,
    unavailable,
    until_unavailable,
    url_of,
    writing,
)

NOW = datetime(2026, 1, 5, 13, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tidegate.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    with open_store(url_of(path), ("slack",)) as opened:
        yield opened


def test_the_file_is_private_and_in_wal_mode(store: SqlStore, path: Path) -> None:
    store.commit(a_record(1))
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_two_processes_work_side_by_side_and_a_stale_write_is_refused(store: SqlStore, path: Path) -> None:
    store.commit(a_record(1))
    code = """
import sys
from controller.store.store import open_store
from controller.testing.conformance.store_samples import a_record
with open_store(sys.argv[1], ()) as store:
    assert store.load()[0].seq == 1
    store.commit(a_record(2))
"""
    finished(python(code, url_of(path)))
    with pytest.raises(StaleWriteError, match=r"assistants/support-bot: cannot write number 2, stored is 2"):
        store.commit(a_record(2))
    store.commit(a_record(3))


def test_processes_that_open_at_once_migrate_once(path: Path) -> None:
    code = "import sys; from controller.store.store import open_store; open_store(sys.argv[1]).close()"
    children = [python(code, url_of(path)) for _ in range(4)]
    for child in children:
        finished(child)
    with open_store(url_of(path)) as store:
        store.commit(a_record(1))


def test_threads_take_turns(store: SqlStore) -> None:
    def work(number: int) -> None:
        for seq in range(1, 21):
            store.commit(a_record(seq, RolloutKey("assistants", f"bot-{number}")))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [one.seq for one in store.load()] == [20] * 6


def test_locked_by_another_writer(store: SqlStore, path: Path) -> None:
    store.commit(a_record(1))
    with writing(path):
        with unavailable("database is locked: another process holds it"):
            store.commit(a_record(2))
        assert store.load()[0].seq == 1, "reading goes on"
        assert not store.due(NOW, 10)
    store.commit(a_record(2))


def test_many_threads_behind_a_lock_all_come_back_in_time(store: SqlStore, path: Path) -> None:
    def commit(number: int) -> None:
        with unavailable("locked|no turn|no answer"):
            store.commit(a_record(1, RolloutKey("assistants", f"bot-{number}")))
        done.append(number)

    done: list[int] = []
    with writing(path):
        threads = [threading.Thread(target=commit, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert len(done) == 10


def test_opens_while_another_process_writes(store: SqlStore, path: Path) -> None:
    store.commit(a_record(1))
    with writing(path), open_store(url_of(path)) as again:
        assert again.load()[0].seq == 1


def test_a_full_file_refuses_whole_ticks_and_heals(store: SqlStore) -> None:
    engine = store._database._engine
    engine.dispose()
    pages = [60]

    @event.listens_for(engine, "connect")
    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages[0]}")

    done, said = until_unavailable(lambda seq: store.commit(with_notice(a_record(seq), Reason.HELD)))
    assert "full: there is no room: free some" in said
    assert done > 0
    assert (store.load()[0].seq, len(store.journal(KEY, 5000))) == (done, done)
    pages[0] = 100_000
    engine.dispose()
    store.commit(with_notice(a_record(done + 1), Reason.RESUMED))


def test_a_full_disk_refuses_whole_ticks_and_heals() -> None:
    with small_disk() as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 800_000)
        with open_store(url_of(disk / "tidegate.db"), ("slack",)) as store:
            done, said = until_unavailable(lambda seq: store.commit(with_notice(a_record(seq), Reason.HELD)))
            assert "there is no room" in said or "disk reports an error" in said
            assert (store.load()[0].seq, len(store.journal(KEY, 5000))) == (done, done)
            ballast.unlink()
            store.commit(with_notice(a_record(done + 1), Reason.RESUMED))


def test_a_file_that_is_no_database_is_left_alone_until_it_is_set_aside(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this was never a database, but it might be somebody's thesis" * 100)
    before = path.read_bytes()
    with unavailable("not a database: the file is damaged: restore a backup, or move it away"):
        open_store(url_of(path))
    assert path.read_bytes() == before
    moved = set_aside(url_of(path), NOW)
    assert moved == (path.with_name("tidegate.db.corrupt-20260105T130000Z"),)
    assert moved[0].read_bytes() == before
    with open_store(url_of(path)) as store:
        store.commit(a_record(1))


def test_a_file_with_a_damaged_page_is_refused_when_opened(path: Path) -> None:
    with open_store(url_of(path)) as store:
        for number in range(30):
            store.commit(a_record(1, RolloutKey("assistants", f"bot-{number}")))
    damage(path, "rollout")
    with unavailable("the file is damaged: restore a backup"):
        open_store(url_of(path))


def test_damage_that_comes_later_is_an_error_of_the_read(store: SqlStore, path: Path) -> None:
    for number in range(30):
        store.commit(a_record(1, RolloutKey("assistants", f"bot-{number}")))
    store._database.close()
    damage(path, "rollout")
    with unavailable("damaged"):
        store.load()


def test_the_wal_is_set_aside_with_its_database(path: Path) -> None:
    with open_store(url_of(path)) as store:
        store.commit(a_record(1))
        ends = sorted(file.name.partition("Z")[2] for file in set_aside(url_of(path), NOW))
        assert ends == ["", "-shm", "-wal"]
        with pytest.raises(StoreUnavailableError, match="deleted or replaced"):
            store.commit(a_record(2))


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_taken_away_is_noticed_and_never_made_anew(store: SqlStore, path: Path, replaced: bool) -> None:
    store.commit(a_record(1))
    path.rename(path.with_name("elsewhere"))
    if replaced:
        path.touch()
    for work in (lambda: store.commit(a_record(2)), store.load, lambda: store.due(NOW, 1)):
        with unavailable("the file was deleted or replaced while in use.*put it back, or restart"):
            work()
    assert path.exists() == replaced
    path.with_name("elsewhere").rename(path)
    store.commit(a_record(2))


def test_a_deleted_wal_is_noticed(store: SqlStore, path: Path) -> None:
    store.commit(a_record(1))
    os.unlink(f"{path}-wal")
    with unavailable("its -wal file was deleted"):
        store.commit(a_record(2))


def test_a_folder_that_cannot_be_written_keeps_ticks_out_and_says_so() -> None:
    with open_folder() as folder:
        path = folder / "tidegate.db"
        with open_store(url_of(path)) as store:
            store.commit(a_record(1))
        path.chmod(0o644)
        folder.chmod(0o555)
        with as_nobody(), unavailable("let the daemon's user write to the file and to its folder"):
            commit_once(path, 2)
        with as_nobody(), unavailable("Permission denied.*let the daemon's user write"):
            open_store(url_of(folder / "new.db"))
        folder.chmod(0o755)
        with open_store(url_of(path)) as store:
            assert store.load()[0].seq == 1
            store.commit(a_record(2))


def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    open_store(url_of(path)).close()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE tidegate_version SET version_num = '9999'")
    with unavailable("stands on step 9999, this version knows 0001 at most"):
        open_store(url_of(path))


@pytest.mark.parametrize(("table", "column"), [("rollout", "position"), ("evidence", "packed")])
def test_a_row_that_does_not_read_back_takes_no_other_with_it(
    store: SqlStore, path: Path, table: str, column: str
) -> None:
    other = RolloutKey("assistants", "sales-bot")
    store.commit(a_record(1))
    store.commit(a_record(1, other))
    with closing(sqlite3.connect(path)) as file, file:
        mine = "SELECT id FROM rollout WHERE name = 'support-bot'"
        where = f"id IN ({mine})" if table == "rollout" else f"rollout_id IN ({mine})"
        file.execute(f"UPDATE {table} SET {column} = CAST('tg2' || substr({column}, 4) AS BLOB) WHERE {where}")
    well, spoilt = store.load()
    assert (well.key, well.unread, well.position) == (other, None, a_record(1, other).position)
    assert (spoilt.key, spoilt.seq) == (KEY, 1)
    assert spoilt.unread is not None
    assert "assistants/support-bot: a stored" in spoilt.unread.why
    assert "its format is 'tg2'" in spoilt.unread.why
    assert (spoilt.position.stable is None) == (table == "rollout")
    assert (spoilt.evidence is None) == (table == "evidence")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d", "tidegate.db", "oracle"])
def test_a_url_that_cannot_keep_anything_is_refused_without_telling_secrets(url: str) -> None:
    with pytest.raises(StoreSettingsError, match=r"use sqlite:///FILE|as in sqlite:///tidegate\.db") as said:
        open_store(url)
    with pytest.raises(StoreSettingsError):
        check_settings(url, Path("anywhere"))
    assert "secret" not in str(said.value)


def test_settings_that_no_waiting_mends(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreSettingsError, match="does not exist: make it, mount it, or correct the URL"):
        check_settings(url_of(tmp_path / "typo" / "tidegate.db"), tmp_path / "state")
    with pytest.raises(StoreSettingsError, match="is a folder: name a file in it"):
        check_settings(url_of(tmp_path), tmp_path)
    check_settings(url_of(tmp_path / "state" / "tidegate.db"), tmp_path / "state")
    check_settings("postgresql+psycopg://nobody@127.0.0.1:1/nothing", tmp_path)


def test_a_hung_disk_does_not_hang_the_tick(store: SqlStore) -> None:
    heal = threading.Event()

    @event.listens_for(store._database._engine, "before_cursor_execute")
    def hang(*_: object) -> None:
        heal.wait(30)

    with unavailable("no answer in 0.48 s; whether it was written is not known"):
        store.commit(a_record(1))
    heal.set()
    # It was late, not lost: the same number is stale once it arrives.
    with pytest.raises(StaleWriteError):
        store.commit(a_record(1))


def test_nothing_but_packed_nouns_and_names_is_kept(store: SqlStore, path: Path) -> None:
    store.commit(with_alert(with_notice(a_record(1), Reason.BREACHED), "breach"))
    with closing(sqlite3.connect(path)) as other:
        tables = other.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        columns = {
            f"{table}.{column[1]}"
            for (table,) in tables
            if not table.startswith("sqlite_")
            for column in other.execute(f"PRAGMA table_info({table})")
            if column[2] == "BLOB"
        }
    assert columns == {
        *("rollout.position", "evidence.packed", "measurement.packed"),
        *("spec_snapshot.packed", "journal.facts", "outbox.alert"),
    }


def test_a_spec_is_kept_once_for_all_decisions_under_it(store: SqlStore, path: Path) -> None:
    for seq in range(1, 4):
        store.commit(with_notice(a_record(seq), Reason.HELD))
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*), min(content_hash) FROM spec_snapshot").fetchone() == (1, "c0ffee")
        assert other.execute("SELECT DISTINCT spec, engine, digest, judge FROM journal").fetchall() == [
            ("c0ffee", "1", "sha256:9b3e", None)
        ]


def test_what_cannot_be_packed_is_not_written_by_half(store: SqlStore) -> None:
    store.commit(a_record(1))
    broken = with_notice(a_record(2), Reason.HELD, actor="\ud800")
    with pytest.raises(StoreUnavailableError):
        store.commit(broken)
    assert store.load()[0].position == a_position(10)
    assert (store.load()[0].seq, store.journal(KEY, 1)) == (1, ())


def commit_once(path: Path, seq: int) -> None:
    with open_store(url_of(path)) as store:
        store.commit(a_record(seq))


def damage(path: Path, table: str) -> None:
    """Overwrite the pages of one table, from its root page on, as a bad disk would."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = other.execute("PRAGMA page_size").fetchone()[0]
        root = other.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xa5" * size)
