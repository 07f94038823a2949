"""The Unix socket on which people's requests come in; the kernel says who asks."""

import contextlib
import errno
import os
import pwd
import socket
import stat
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from socketserver import StreamRequestHandler, UnixStreamServer

import structlog

from controller.web.connections import LOOK_SECONDS, Connections
from controller.web.protocol import MOST_REQUEST_BYTES, ProtocolError, Request, checked_path, encode, parse_request

log = structlog.get_logger("web")
SOCKET_MODE = 0o660
CLIENT_TIMEOUT_SECONDS = 5
PROBE_SECONDS = 1.0
MOST_DRAINED, DRAIN_SECONDS = 64, 0.05

Answer = Mapping[str, object] | Iterable[Mapping[str, object]]


class RequestRefusedError(Exception):
    """Raised by the handler for what cannot be done; the text goes to the one who asked."""


class SocketInUseError(Exception):
    """The socket's path is taken or cannot be used; says by what and what to do."""


class ControlServer:
    """Answers requests at `path` from `start` to `stop`.

    `handle` is called from one thread per connection; it returns one document, or an iterable of documents that are
    sent one by one and closed when the reader goes away.
    """

    def __init__(self, path: Path, handle: Callable[[Request], Answer]) -> None:
        self._path, self._handle = path, handle
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._inode: int | None = None

    def start(self) -> None:
        """Listen. Raises SocketInUseError, SocketPathError."""
        # Made under another name and renamed: nobody ever meets it with the wrong mode or without a listener.
        making = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        checked_path(making)
        try:
            _make_way(self._path)
            making.unlink(missing_ok=True)
            self._server = _Server(str(making), self._handle)
            making.chmod(SOCKET_MODE)
            self._inode = making.stat().st_ino
            making.rename(self._path)
        except OSError as error:
            self._abandon(making)
            raise SocketInUseError(
                f"cannot listen on {self._path} ({error.strerror or error}): "
                "make its folder writable for this user, or choose another path"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(LOOK_SECONDS,), name="control", daemon=True
        )
        self._thread.start()

    def _abandon(self, making: Path) -> None:
        if self._server is not None:
            self._server.server_close()
            self._server = None
        with contextlib.suppress(OSError):
            making.unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop within a second and remove the socket, if it is still ours. Harmless when it never started."""
        if self._server is None or self._thread is None:
            return
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        self._server.stop()
        self._thread.join(1.0)
        self._server = self._thread = None


def _make_way(path: Path) -> None:
    """A socket on which nobody listens may be replaced; nothing else may. Raises SocketInUseError, OSError."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise SocketInUseError(f"{path} exists and is no socket: move it away or choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_SECONDS)
        code = probe.connect_ex(checked_path(path))
    if code not in (errno.ECONNREFUSED, errno.ENOENT):
        raise SocketInUseError(f"another daemon listens on {path}: stop it, or give this one another path")


class _Server(Connections, UnixStreamServer):
    request_queue_size = 16

    def __init__(self, path: str, handle: Callable[[Request], Answer]) -> None:
        self.handle = handle
        super().__init__(path, _Handler)


class _Handler(StreamRequestHandler):
    server: _Server
    timeout = CLIENT_TIMEOUT_SECONDS

    def handle(self) -> None:
        """One request, one answer (or stream), and the connection is over."""
        with contextlib.suppress(_ReaderGoneError):
            line = self._read()
            if line:
                self._answer(line)

    def _read(self) -> bytes:
        try:
            line = self.rfile.readline(MOST_REQUEST_BYTES + 1)
        except OSError as error:
            raise _ReaderGoneError from error
        if len(line) > MOST_REQUEST_BYTES:
            self._drain()
        return line

    def _drain(self) -> None:
        # A connection that is closed with something unread is reset, and the answer lost with it.
        with contextlib.suppress(OSError):
            self.connection.settimeout(DRAIN_SECONDS)
            for _ in range(MOST_DRAINED):
                if not self.rfile.read1(MOST_REQUEST_BYTES):
                    break

    def _answer(self, line: bytes) -> None:
        try:
            self._send(self.server.handle(parse_request(line, peer_name(self.connection))))
        except (ProtocolError, RequestRefusedError) as error:
            self._write({"ok": False, "error": str(error)})
        except _ReaderGoneError:
            raise
        except Exception as error:  # a fault in one request must not end the daemon, nor be silent
            log.error("request_failed", exc_info=error)
            self._write({"ok": False, "error": f"internal error ({type(error).__name__}), see the log"})

    def _send(self, answer: Answer) -> None:
        if isinstance(answer, Mapping):
            self._write({"ok": True, "result": answer})
            return
        try:
            for item in answer:
                self._write({"ok": True, "item": item})
            self._write({"ok": True, "end": True})
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()

    def _write(self, document: Mapping[str, object]) -> None:
        try:
            self.wfile.write(encode(document))
        except OSError as error:
            raise _ReaderGoneError from error


class _ReaderGoneError(Exception):
    """The one who asked is gone, or reads too slowly."""


def peer_name(connection: socket.socket) -> str:
    """The user on the other side, as the kernel knows it; `uid 1234` for one without a name."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
