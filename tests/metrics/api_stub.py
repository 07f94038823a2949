"""A server that speaks as much of Prometheus's API as a fault needs: a real one rarely warns or answers nonsense."""

import gzip
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

from tests.parts.net import LOOPBACK


@dataclass(frozen=True)
class Asked:
    """One request as it came in. `form` holds the first value of each field of the body."""

    method: str
    path: str
    form: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """`trickle` sends the body byte by byte, so many seconds apart; `cut` promises more bytes than come."""

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    zipped: bool = False
    trickle: float = 0.0
    cut: int = 0


def matrix(*series: tuple[dict[str, str], Sequence[tuple[float, str]]], **more: Any) -> Reply:
    """An answer to a range selector; `more` may be warnings or infos."""
    result = [{"metric": labels, "values": values} for labels, values in series]
    return json_reply({"status": "success", "data": {"resultType": "matrix", "result": result}, **more})


def vector(*values: str, **more: Any) -> Reply:
    """An answer to an expression."""
    result = [{"metric": {"n": str(n)}, "value": [0, value]} for n, value in enumerate(values)]
    return json_reply({"status": "success", "data": {"resultType": "vector", "result": result}, **more})


def json_reply(content: object, status: int = 200) -> Reply:
    return Reply(json.dumps(content).encode(), status)


class ApiStub:
    """Answers every request with what `answer` says of it; remembers all requests."""

    def __init__(self, answer: Callable[[Asked], Reply] | Reply) -> None:
        self.asked: list[Asked] = []
        self.answer = answer
        self.stopped = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="api-stub")
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        return self.answer if isinstance(self.answer, Reply) else self.answer(asked)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, stub: ApiStub) -> None:
        self.stub = stub
        super().__init__((LOOPBACK, 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._answer({name: values[0] for name, values in parse_qs(body).items()})

    def _answer(self, form: dict[str, str]) -> None:
        reply = self.server.stub.reply(Asked(self.command, self.path, form, dict(self.headers)))
        body = gzip.compress(reply.body) if reply.zipped else reply.body
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(body) + reply.cut))
        if reply.zipped:
            self.send_header("Content-Encoding", "gzip")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # the client lost its patience: that is what a trickle is for
            self._send(body, reply.trickle)

    def _send(self, body: bytes, trickle: float) -> None:
        if not trickle:
            self.wfile.write(body)
            return
        for byte in body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.stub.stopped.wait(trickle):
                return

    def log_message(self, *args: object) -> None:
        pass
