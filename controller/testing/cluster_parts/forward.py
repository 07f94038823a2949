"""Carries TCP connections from a listening socket to somewhere else, and can be a bad network on the way."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

CHUNK = 65536


class Forward:
    """Accepts on `listener` and connects each to what `dial` returns. A dial that fails hangs up on the client."""

    def __init__(self, listener: socket.socket, dial: Callable[[], socket.socket]) -> None:
        self._listener, self._dial = listener, dial
        self.port = int(listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.delay = 0.0  # seconds that every piece of data waits, in both directions
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept_all, name=f"forward-{self.port}", daemon=True)
        self._acceptor.start()

    def freeze(self) -> None:
        """Nothing arrives any more, in both directions, and no connection closes: a cable that was pulled."""
        self._flowing.clear()

    def thaw(self) -> None:
        """What was held back arrives."""
        self._flowing.set()

    def drop(self) -> int:
        """Hang up on every connection there is; how many. New ones are accepted."""
        with self._lock:
            sockets = list(self._open)
        for sock in sockets:
            _hang_up(sock)
        return len(sockets) // 2

    def stop(self) -> None:
        """Close everything. Stopping twice is harmless."""
        self._stopped.set()
        self._flowing.set()
        _hang_up(self._listener)
        self._acceptor.join(10)
        self.drop()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept_all(self) -> None:
        while not self._stopped.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), name=f"forward-{self.port}", daemon=True)
            thread.start()
            self._threads = [*(one for one in self._threads if one.is_alive()), thread]

    def _serve(self, client: socket.socket) -> None:
        """One connection, from its start to the end of both directions."""
        with client:
            try:
                server = self._dial()
            except OSError:
                return
            with server, self._known(client, server):
                server.settimeout(None)
                back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                back.start()
                self._pump(client, server)
                back.join()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self._stopped.wait(self.delay)
                self._flowing.wait()
                sink.sendall(data)
        with contextlib.suppress(OSError):
            self._flowing.wait()
            sink.shutdown(socket.SHUT_WR)

    @contextlib.contextmanager
    def _known(self, *sockets: socket.socket) -> Iterator[None]:
        with self._lock:
            self._open.update(sockets)
        try:
            if self._stopped.is_set():
                self.drop()
            yield
        finally:
            with self._lock:
                self._open.difference_update(sockets)


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
