"""The small HTTP server: pages, mistakes, and a stop that waits for nobody."""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from controller.web.http import ListenError, Page, PageServer, json_page, parse_address


def broken() -> Page:
    raise RuntimeError("bug")


@pytest.fixture
def server() -> Iterator[PageServer]:
    pages = {"/metrics": lambda: Page(b"up 1\n"), "/healthz": lambda: json_page({"ok": 0}, good=False), "/bug": broken}
    server = PageServer("127.0.0.1:0", pages)
    server.start()
    yield server
    server.stop()


def get(server: PageServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://{server.address}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_serves_its_pages_and_names_them_when_asked_for_another(server: PageServer) -> None:
    assert get(server, "/metrics?x=1") == (200, b"up 1\n")
    assert get(server, "/metrics", "HEAD") == (200, b"")
    status, body = get(server, "/healthz")
    assert (status, json.loads(body)) == (503, {"ok": 0})
    assert get(server, "/nothing")[0] == 404
    assert b"/metrics" in get(server, "/nothing")[1]
    assert get(server, "/metrics", "POST")[0] == 501


def test_a_broken_page_is_a_500_and_the_others_go_on(server: PageServer) -> None:
    assert get(server, "/bug")[0] == 500
    assert get(server, "/metrics")[0] == 200


def test_a_port_that_is_taken_is_told(server: PageServer) -> None:
    with pytest.raises(ListenError, match="choose another address"):
        PageServer(server.address, {}).start()


@pytest.mark.parametrize("text", ["", "nonsense", "host:", "host:70000", "1.2.3.4:http"])
def test_an_address_that_is_none_is_told(text: str) -> None:
    with pytest.raises(ListenError, match="host:port"):
        parse_address(text)


def test_addresses() -> None:
    assert parse_address(":9464") == ("127.0.0.1", 9464)
    assert parse_address("[::1]:0") == ("::1", 0)
    with pytest.raises(ListenError):
        PageServer("host.invalid:0", {}).start()


def test_stops_within_a_second_whoever_is_connected() -> None:
    server = PageServer("127.0.0.1:0", {"/metrics": lambda: Page(b"")})
    server.start()
    host, port = parse_address(server.address)
    clients = [socket.create_connection((host, port)) for _ in range(30)]
    clients[0].sendall(b"GET /metr")
    began = time.monotonic()
    server.stop()
    server.stop()
    assert time.monotonic() - began < 1
    for client in clients:
        client.close()
