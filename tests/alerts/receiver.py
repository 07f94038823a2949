"""A real HTTP receiver of webhooks that can be made to misbehave, and stopped in a second."""

import json
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from controller.testing.conformance.alerts import Mood

STATUS = {Mood.BROKEN: 500, Mood.LIMITED: 429, Mood.FORBIDS: 403, Mood.GONE: 410}


@dataclass(frozen=True)
class Taken:
    path: str
    authorization: str | None
    text: str

    @property
    def document(self) -> dict[str, object]:
        loaded = json.loads(self.text)
        assert isinstance(loaded, dict)
        return loaded


class Receiver:
    """Listens on a free loopback port. `refused` closes the port and `ok` opens the same one again."""

    def __init__(self) -> None:
        self.mood, self.taken, self.tries = Mood.OK, list[Taken](), 0
        self.headers: dict[str, str] = {}
        self.released = threading.Event()
        self._server: _Server | None = None
        self.port = 0
        self._open()

    def _open(self) -> None:
        if self._server is not None:
            return
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.receiver = self
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def feel(self, mood: Mood) -> None:
        self.released.set()
        self.mood = mood
        if mood is Mood.REFUSED:
            self.close()
        else:
            self.released = threading.Event()
            self._open()

    def close(self) -> None:
        self.released.set()
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None


class _Server(ThreadingHTTPServer):
    receiver: Receiver
    block_on_close = True
    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that gave up is expected."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    answers: ClassVar[dict[Mood, bytes]] = {Mood.OK: b"ok"}

    def do_POST(self) -> None:
        receiver = self.server.receiver
        released, mood = receiver.released, receiver.mood
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        receiver.tries += 1
        if mood is Mood.SLOW:
            released.wait(20)
            return
        if mood is Mood.GARBAGE:
            self.connection.sendall(b"\x00\x01 SSH-2.0-nonsense\r\n\r\n")
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if mood is Mood.OK:
            receiver.taken.append(Taken(self.path, self.headers.get("Authorization"), text))
        body = self.answers.get(mood, b"no")
        self.send_response(STATUS.get(mood, 200))
        if mood is Mood.LIMITED:
            self.send_header("Retry-After", "7")
        for name, value in receiver.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Quiet."""
