"""The HTTP/1.1 of the demo's servers: keep-alive, honest refusals, and a clean end."""

import http.client
import socket
from collections.abc import Iterator

import pytest

from controller.demo.serving import MAX_BODY_BYTES, LoopbackServer, Reply, Request, Stream, json_reply
from controller.demo.talk import ask


def echo(request: Request) -> Reply:
    return json_reply({"got": request.json()})


def broken(request: Request) -> Reply:
    raise KeyError("a secret of the request")


def two_pieces(request: Request) -> Stream:
    return Stream(iter([b"data: 1\n\n", b"data: [DONE]\n\n"]))


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    server = LoopbackServer(0, {"POST /echo": echo, "GET /broken": broken, "GET /stream": two_pieces})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def connection(server: LoopbackServer) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    yield connection
    connection.close()


def test_keeps_one_connection_for_many_requests(connection: http.client.HTTPConnection) -> None:
    sockets = set()
    for number in range(3):
        connection.request("POST", "/echo", b'{"n": %d}' % number)
        assert connection.getresponse().read() == b'{"got": {"n": %d}}' % number
        connection.request("GET", "/stream")
        assert connection.getresponse().read() == b"data: 1\n\ndata: [DONE]\n\n"
        sockets.add(connection.sock.getsockname())
    assert len(sockets) == 1


def test_takes_a_chunked_body(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/echo", iter([b'{"a"', b": 1}"]), encode_chunked=True)
    assert connection.getresponse().read() == b'{"got": {"a": 1}}'


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_refuses_what_is_no_json_object(connection: http.client.HTTPConnection, body: bytes) -> None:
    connection.request("POST", "/echo", body)
    response = connection.getresponse()
    assert response.status == 400
    assert b"JSON" in response.read()


@pytest.mark.parametrize(
    "headers",
    [b"Content-Length: %d" % (MAX_BODY_BYTES + 1), b"Content-Length: -1", b"Transfer-Encoding: chunked\r\n\r\n-5"],
)
def test_refuses_a_body_without_a_sensible_length_and_hangs_up(server: LoopbackServer, headers: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n")
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in answer


def test_a_bug_is_a_500_without_the_requests_text(server: LoopbackServer, capsys: pytest.CaptureFixture[str]) -> None:
    said = ask(server.port, "GET", "/broken")
    assert said.status == 500
    written = capsys.readouterr().out
    assert '"error": "KeyError"' in written
    assert "secret" not in written + said.body.decode()


def test_names_the_known_pages(server: LoopbackServer) -> None:
    said = ask(server.port, "GET", "/nothing")
    assert said.status == 404
    assert b"POST /echo" in said.body


def test_stop_hangs_up_on_idle_readers(server: LoopbackServer, connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/echo", b"{}")
    connection.getresponse().read()
    server.stop()
    assert ask(server.port, "POST", "/echo", {}).status == 0
    assert connection.sock.recv(1) == b""
