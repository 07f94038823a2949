"""Model servers that answer with their own name, and a client that hears who answered."""

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from controller.domain.names import VersionName
from controller.domain.route import BackendRef
from tests.parts.net import LOOPBACK


class ModelServer(ThreadingHTTPServer):
    """One version. `heard` are the headers of each request; while `held`, an answer does not end."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.name = name
        self.heard: list[dict[str, str]] = []
        self.held = threading.Event()
        self.released = threading.Event()

    @property
    def backend(self) -> BackendRef:
        return BackendRef("Host", LOOPBACK, self.server_port)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ModelServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.heard.append({name.lower(): value for name, value in self.headers.items()})
        body = self.server.name.encode()
        self.send_response(200)
        self.send_header("content-length", str(2 * len(body) if self._stream() else len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self._stream():
            self.wfile.flush()
            self.server.held.set()
            self.server.released.wait(20)
            self.wfile.write(body)

    def _stream(self) -> bool:
        return self.headers.get("x-stream") == "1"

    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextmanager
def a_model(name: str) -> Iterator[ModelServer]:
    """Serving inside the `with`, on a free loopback port."""
    server = ModelServer(name)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def ask(port: int, requests: int, headers: Mapping[str, str] | None = None, path: str = "/") -> list[VersionName]:
    """POST that often over one connection; the names of those who answered 200."""
    heard = []
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    try:
        for _ in range(requests):
            connection.request("POST", path, b"hello", dict(headers or {}))
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status == 200:
                heard.append(VersionName(text))
    finally:
        connection.close()
    return heard
