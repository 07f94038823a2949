"""Views and requests on an API server that has a bad day: no hammering, no lies, and back again by themselves."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.cluster.connect import Access, Connection, connect
from controller.cluster.listing import Pace
from controller.cluster.objects import ClusterObjects
from controller.cluster.views import ClusterViews
from controller.domain.cluster import (
    LEASE,
    ClusterError,
    ClusterUnavailableError,
    ConflictError,
    InvalidObjectError,
    ObjectRef,
    Operation,
)
from tests.cluster_unit.odd_server import OddServer, an_odd_server, for_a_while, lease, leases, status

ONE = ObjectRef(LEASE, "ns", "one")
PACE = Pace(watch=1.0, grace=1.0, fresh=2.0, relist=600.0, backoff_first=0.2, backoff_longest=0.8)


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[tuple[OddServer, Connection]]:
    with an_odd_server(tmp_path) as (server, kubeconfig):
        connection = connect(Access(kubeconfig, read_seconds=1.0, whole_seconds=2.0))
        yield server, connection
        connection.close()


@contextmanager
def following(connection: Connection, pace: Pace = PACE) -> Iterator[tuple[ClusterViews, list[ObjectRef]]]:
    views, heard = ClusterViews(connection, pace), list[ObjectRef]()
    views.follow(LEASE, "ns", heard.append)
    try:
        yield views, heard
    finally:
        views.close()


def until(holds: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def why(views: ClusterViews) -> str:
    try:
        views.get(ONE)
    except ClusterError as error:
        return str(error)
    return ""


def test_a_server_that_refuses_lists_is_asked_more_and_more_rarely(odd: tuple[OddServer, Connection]) -> None:
    server, connection = odd
    server.list = lambda request: request.say(500, status(500, "etcd is away"))
    with following(connection) as (views, _):
        assert 3 <= for_a_while(3.0, server.asked)["list"] <= 9
        assert "was never listed yet" in why(views)
        assert "etcd is away" in why(views)
        server.list = lambda request: request.say(200, leases(5, "one"))
        until(lambda: not why(views))
        assert views.get(ONE)


def test_watches_that_end_at_once_are_no_busy_loop(odd: tuple[OddServer, Connection]) -> None:
    server, connection = odd
    server.watch = lambda request: request.stream()
    with following(connection):
        until(lambda: server.asked["watch"])
        assert sum(for_a_while(3.0, server.asked).values()) <= 12


def test_a_server_that_lists_but_does_not_watch_is_not_hammered(odd: tuple[OddServer, Connection]) -> None:
    server, connection = odd
    server.watch = lambda request: request.say(503, status(503, "no watches today"))
    with following(connection) as (views, _):
        until(lambda: server.asked["watch"])
        assert sum(for_a_while(3.0, server.asked).values()) <= 20
        assert not why(views)  # listed again and again: it is current, though dear


def test_a_watch_that_is_always_too_old_is_not_hammered(odd: tuple[OddServer, Connection]) -> None:
    server, connection = odd
    server.watch = lambda request: request.stream({"type": "ERROR", "object": status(410, "too old")})
    with following(connection):
        until(lambda: server.asked["watch"])
        assert sum(for_a_while(3.0, server.asked).values()) <= 25


def test_too_old_is_listed_again_and_what_was_missed_is_told(odd: tuple[OddServer, Connection]) -> None:
    server, connection = odd
    server.list = lambda request: request.say(200, leases(5, "one", "two"))
    with following(connection) as (views, heard):
        until(lambda: len(heard) == 2)
        server.list = lambda request: request.say(200, leases(9, "one"))
        server.watch = lambda request: request.stream({"type": "ERROR", "object": status(410, "too old")})
        until(lambda: len(heard) == 4)
        server.watch = lambda request: request.stream(seconds=1)
        assert heard[2:] == [ObjectRef(LEASE, "ns", "two"), ONE]
        assert views.get(ObjectRef(LEASE, "ns", "two")) is None


def test_a_connection_that_breaks_is_followed_by_a_list(odd: tuple[OddServer, Connection]) -> None:
    server, connection = odd
    server.watch = lambda request: request.stream(seconds=1.5, cut=True)
    with following(connection) as (views, _):
        until(lambda: server.asked["list"] >= 2)
        assert not why(views)


def test_a_server_that_falls_silent_is_not_believed_for_long(odd: tuple[OddServer, Connection]) -> None:
    server, connection = odd
    with following(connection) as (views, _):
        until(lambda: not why(views))
        server.list = server.watch = lambda request: request.stall(30)
        until(lambda: "is not current since" in why(views))
        server.list = lambda request: request.say(200, leases(5, "one"))
        server.watch = lambda request: request.stream(seconds=1)
        until(lambda: not why(views))


def test_after_a_while_everything_is_listed_again(odd: tuple[OddServer, Connection]) -> None:
    server, connection = odd
    with following(connection, Pace(watch=1.0, relist=2.5)):
        until(lambda: server.asked["list"] >= 2)
    assert server.asked["watch"] >= 2


def test_events_and_bookmarks_move_the_watch_on(odd: tuple[OddServer, Connection]) -> None:
    server, connection = odd
    since: list[str] = []
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "40"}}}
    added = {"type": "ADDED", "object": lease("one", 30)}

    def answer(request: object) -> None:
        path = request.path  # type: ignore[attr-defined]
        since.append(path.partition("resourceVersion=")[2].partition("&")[0])
        events = [added, bookmark] if len(since) == 1 else []
        request.stream(*events, seconds=1)  # type: ignore[attr-defined]

    server.watch = answer
    with following(connection) as (views, heard):
        until(lambda: len(since) >= 2)
        assert heard == [ONE]
        assert views.get(ONE)
    assert since[:2] == ["1", "40"]
    assert server.asked["list"] == 1


def test_an_older_event_does_not_undo_what_was_learned(odd: tuple[OddServer, Connection]) -> None:
    server, connection = odd
    server.list = lambda request: request.say(200, leases(5, "one"))
    old = {"type": "MODIFIED", "object": lease("one", 7, "old")}
    server.watch = lambda request: request.stream(old, seconds=1)
    with following(connection) as (views, heard):
        views.learn(ONE, lease("one", 1_000, "new"))
        until(lambda: server.asked["watch"] >= 2)
        document = views.get(ONE)
        assert document is not None
        assert document["spec"] == {"holderIdentity": "new"}
        assert heard in ([ONE], [])


ANSWERS: dict[str, tuple[int, object, type[ClusterError], str]] = {
    "too many requests": (429, status(429, "slow down"), ClusterUnavailableError, "slow down"),
    "gateway": (502, b"<html>bad gateway</html>", ClusterUnavailableError, "HTTP 502"),
    "not JSON": (200, b"<html>log in</html>", ClusterUnavailableError, "is that really an API server"),
    "gone": (410, status(410, "expired"), ClusterUnavailableError, "too old"),
    "conflict": (409, status(409, "the object has been modified"), ConflictError, "read it again"),
    "bad request": (400, status(400, "no such field"), InvalidObjectError, "no such field"),
    "too large": (413, b"", InvalidObjectError, "HTTP 413"),
    "a redirect": (302, b"", InvalidObjectError, "HTTP 302"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_every_answer_has_its_error(
    answer: tuple[int, object, type[ClusterError], str], odd: tuple[OddServer, Connection]
) -> None:
    server, connection = odd
    code, body, kind, words = answer
    server.list = lambda request: request.say(code, body, Retry_After="7")
    api = ClusterObjects(connection)
    for ask in (lambda: api.list(LEASE, "ns"), lambda: api.patch(ONE, [Operation("add", "/spec", {})])):
        with pytest.raises(kind) as raised:
            ask()
        assert words in str(raised.value)
        if code == 429:
            assert raised.value.retry_after == 7  # type: ignore[attr-defined]


def test_an_answer_that_trickles_is_given_up(odd: tuple[OddServer, Connection]) -> None:
    server, connection = odd

    def trickle(request: object) -> None:
        request.send_response(200)  # type: ignore[attr-defined]
        request.send_header("Content-Length", "100000")  # type: ignore[attr-defined]
        request.end_headers()  # type: ignore[attr-defined]
        while not server.ending.wait(0.2):
            try:
                request.wfile.write(b" ")  # type: ignore[attr-defined]
            except OSError:
                return

    server.list = trickle
    started = time.monotonic()
    with pytest.raises(ClusterUnavailableError, match="too slowly"):
        ClusterObjects(connection).list(LEASE, "ns")
    assert time.monotonic() - started < 4
