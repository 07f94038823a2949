"""What our threaded servers share: a limit to connections, and a stop that waits for no client."""

import contextlib
import socket
import sys
import threading
import time
from socketserver import BaseServer, ThreadingMixIn

import structlog

log = structlog.get_logger("web")
MOST_CONNECTIONS = 64
GRACE_SECONDS = 0.5
LOOK_SECONDS = 0.5
"""How often a server looks whether it is to stop, should it not be woken for that."""


class Connections(ThreadingMixIn, BaseServer):
    """Mix in before a socketserver class."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: object) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(*arguments)  # type: ignore[arg-type]  # whatever the real server takes

    def verify_request(self, request: object, client_address: object) -> bool:  # noqa: ARG002 - the base class's
        """One connection too many is closed at once."""
        with self._guard:
            return len(self._open) < MOST_CONNECTIONS

    def process_request(self, request: object, client_address: object) -> None:
        """Answer in a thread, and know that it is open."""
        assert isinstance(request, socket.socket)
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: object) -> None:
        """The connection is over."""
        assert isinstance(request, socket.socket)
        super().shutdown_request(request)
        with self._guard:
            self._open.discard(request)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class's
        """A client that went away is no error of ours; anything else is one."""
        error = sys.exception()
        if not isinstance(error, OSError):
            log.error("request_failed", exc_info=error)

    def stop(self) -> None:
        """Take no more, cut what is open, and wait for its threads for half a second at most."""
        listening: socket.socket = self.socket  # type: ignore[attr-defined]  # of the real server
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)  # wakes it, so that it sees at once that it is to stop
        self.shutdown()
        self.server_close()
        with self._guard:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + GRACE_SECONDS
        while self._open and time.monotonic() < deadline:
            time.sleep(0.005)
