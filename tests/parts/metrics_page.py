"""A `/metrics` page of a test's own, in this process, that can fail in the ways real ones do."""

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.parts.net import LOOPBACK

TEXT = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with an answer. `delay` is in seconds, `body` replaces the page, `drop` hangs up."""

    status: int = 200
    delay: float = 0.0
    body: bytes | None = None
    content_type: str = TEXT
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


HEALTHY = Fault()
GARBAGE = Fault(body=b"\x00\xff<html>not metrics</html>{{{\n")
BROKEN = Fault(status=500, body=b"internal error\n")
DROPPED = Fault(drop=True)


class MetricsPage:
    """Serves `text` at every path on a free loopback port; `.target` is "host:port"; see `.url`."""

    def __init__(self, text: str = "") -> None:
        self._lock = threading.Lock()
        self._text, self._fault, self._asked = text, HEALTHY, 0
        self._stopped = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="metrics-page")
        self._thread.start()

    @property
    def target(self) -> str:
        return f"{LOOPBACK}:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.target}/metrics"

    @property
    def asked(self) -> int:
        """How many requests came in so far."""
        with self._lock:
            return self._asked

    def set(self, text: str) -> None:
        with self._lock:
            self._text = text

    def fail(self, fault: Fault = BROKEN) -> None:
        """Every answer has this fault from now on, until `heal`."""
        with self._lock:
            self._fault = fault

    def heal(self) -> None:
        self.fail(HEALTHY)

    def stop(self) -> None:
        """Close the port; delayed answers end at once. Stopping twice is harmless."""
        self._stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def next_answer(self) -> tuple[bytes, Fault]:
        """What a request gets now; waits out the fault's delay. Called by the server's threads."""
        with self._lock:
            self._asked += 1
            text, fault = self._text, self._fault
        if fault.delay:
            self._stopped.wait(fault.delay)
        return (text.encode() if fault.body is None else fault.body), fault


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, page: MetricsPage) -> None:
        self.page = page
        super().__init__((LOOPBACK, 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10  # seconds; a client that connects and says nothing must not keep `stop` waiting

    def do_GET(self) -> None:
        body, fault = self.server.page.next_answer()
        if fault.drop:
            self.close_connection = True
            return
        with suppress(ConnectionError):  # the client lost its patience: that is what a delay is for
            self._answer(body, fault)

    def _answer(self, body: bytes, fault: Fault) -> None:
        self.send_response(fault.status)
        self.send_header("Content-Type", fault.content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass
