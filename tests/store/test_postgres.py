"""A real PostgreSQL that stops, hangs, is locked and comes back: the tick is told in time, all heals by itself."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg
import pytest

from controller.domain.names import RolloutKey
from controller.domain.record import StaleWriteError
from controller.store.store import SqlStore, open_store
from controller.testing.conformance.store_samples import KEY, START, a_record, with_alert
from tests.parts.net import wait_until
from tests.parts.postgres import Postgres
from tests.store.rigs import finished, python, unavailable

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def store(postgres_url: str) -> Iterator[SqlStore]:
    with open_store(postgres_url, ("slack",)) as opened:
        yield opened


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        yield connection


@contextmanager
def hanging(postgres: Postgres) -> Iterator[None]:
    """The server's processes neither answer nor go away."""
    server = psutil.Process(postgres.child.pid)
    family = [server, *server.children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in reversed(family):
            process.send_signal(signal.SIGCONT)


def test_stopped_in_the_middle_and_back_again(store: SqlStore, postgres: Postgres) -> None:
    store.commit(a_record(1))
    postgres.stop()
    try:
        for _ in range(3):
            with unavailable("it is not reachable: see that it runs"):
                store.commit(a_record(2))
        with unavailable("it is not reachable"):
            store.due(START, 1)
    finally:
        postgres.start()
    store.commit(a_record(2))
    assert store.load()[0].seq == 2


def test_restarted_between_two_ticks_nobody_notices(store: SqlStore, postgres: Postgres) -> None:
    store.commit(a_record(1))
    postgres.restart()
    store.commit(a_record(2))


def test_a_hanging_server_does_not_hang_the_tick(store: SqlStore, postgres: Postgres) -> None:
    store.commit(a_record(1))
    with hanging(postgres), unavailable("no answer in 0.48 s; whether it was written is not known"):
        store.commit(a_record(2))
    # What was sent arrives when the server goes on: the next number is found by reading.
    wait_until(lambda: store.load()[0].seq == 2, 10, "the late commit")
    store.commit(a_record(3))


def test_a_row_locked_by_somebody_else(store: SqlStore, postgres_url: str) -> None:
    store.commit(a_record(1))
    with connected(postgres_url) as other:
        other.execute("SELECT * FROM rollout FOR UPDATE")
        with unavailable("another process holds it"):
            store.commit(a_record(2))
        assert store.load()[0].seq == 1, "reading goes on"
        store.commit(a_record(1, RolloutKey("assistants", "sales-bot")))
    store.commit(a_record(2))


def test_of_two_replicas_that_write_the_same_number_one_is_stale(store: SqlStore, postgres_url: str) -> None:
    outcomes: list[str] = []

    def write(mine: SqlStore, start: threading.Barrier) -> None:
        start.wait()
        try:
            mine.commit(with_alert(a_record(1), "the same"))
            outcomes.append("written")
        except StaleWriteError:
            outcomes.append("stale")

    with open_store(postgres_url, ("slack",)) as other:
        barrier = threading.Barrier(2)
        threads = [threading.Thread(target=write, args=(one, barrier)) for one in (store, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert sorted(outcomes) == ["stale", "written"]
    assert len(store.due(a_record(1).at, 9)) == 1
    assert store.load()[0].key == KEY


def test_replicas_that_start_at_once_migrate_once(postgres_url: str) -> None:
    code = "import sys; from controller.store.store import open_store; open_store(sys.argv[1]).close()"
    children = [python(code, postgres_url) for _ in range(3)]
    for child in children:
        finished(child)
    with open_store(postgres_url) as store:
        store.commit(a_record(1))


def test_the_short_name_of_the_url_means_the_same(postgres_url: str) -> None:
    with open_store(postgres_url.replace("+psycopg", "")) as store:
        store.commit(a_record(1))


def test_a_wrong_address_is_told_without_the_password(postgres: Postgres) -> None:
    wrong = postgres.url_of("nowhere").replace("postgres@", "postgres:hunter2@")
    with unavailable(r"postgres:\*\*\*@.*database \"nowhere\" does not exist.*user and password in the URL"):
        open_store(wrong)


def test_a_read_only_server_is_told_as_such(store: SqlStore, postgres_url: str) -> None:
    with connected(postgres_url) as other:
        name = other.info.dbname
        other.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    store.close()
    with unavailable("read-only transaction: it cannot be written"):
        store.commit(a_record(1))
