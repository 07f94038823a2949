"""A backend that runs in this process, listens in a network namespace, and counts who came."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from controller.testing.cluster_parts.netns import Netns

PORT = 8000


class Backend:
    """Answers every request with its name, until `stop`; `address`:`port` is where it listens."""

    def __init__(self, name: str, netns: Netns, address: str, port: int = PORT) -> None:
        self.name, self.address, self.port = name, address, port
        self._lock = threading.Lock()
        self._count = 0
        self._server = _Server(self, netns)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name=f"backend-{name}")
        self._thread.start()

    @property
    def count(self) -> int:
        """How many requests came so far."""
        with self._lock:
            return self._count

    def reset(self) -> int:
        """Count from zero again; what it was."""
        with self._lock:
            was, self._count = self._count, 0
            return was

    def note(self) -> None:
        """One more request. Called by the server's threads."""
        with self._lock:
            self._count += 1

    def stop(self) -> None:
        """Close its port; stopping twice is harmless."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # Envoy keeps connections open for an hour

    def __init__(self, backend: Backend, netns: Netns) -> None:
        self.backend = backend
        super().__init__((backend.address, backend.port), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = netns.listen(backend.address, backend.port)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True  # head and body are two writes: without it each answer waits 40 ms

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.backend.note()
        body = self.server.backend.name.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *args: object) -> None:
        """Nothing: what the tests send is not for the terminal."""
