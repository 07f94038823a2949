"""A light HTTP/1.1 server for this machine alone: keep-alive, JSON, streams. Every server of the demo is one.

Log lines are JSON on standard output and never hold a request's or an answer's text.
"""

import argparse
import ipaddress
import json
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BODY_BYTES = 1 << 20
LOOPBACK = "127.0.0.1"
INSIDE = ipaddress.ip_network("10.77.0.0/16")
"""Addresses that only exist in the network namespace of the demo on Kubernetes."""


class RefusedRequestError(Exception):
    """A request that cannot be served; the text goes to the one who asked."""

    def __init__(self, problem: str, status: int = 400) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its body read completely."""

    headers: Message
    body: bytes = field(repr=False)

    def json(self) -> dict[str, object]:
        """The body as a JSON object; RefusedRequestError when it is none."""
        try:
            document = json.loads(self.body)
        except ValueError as error:
            raise RefusedRequestError("the body is not JSON") from error
        if not isinstance(document, dict):
            raise RefusedRequestError("the body is not a JSON object")
        return document


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer."""

    body: bytes = field(repr=False)
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that is sent piece by piece (server-sent events); closed when the reader goes away."""

    pieces: Iterator[bytes] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


Route = Callable[[Request], Reply | Stream]


def json_reply(document: object, status: int = 200) -> Reply:
    """A document as a JSON answer."""
    return Reply(json.dumps(document).encode(), status)


def say(event: str, **details: object) -> None:
    """Write one JSON log line at once."""
    sys.stdout.write(json.dumps({"event": event, **details}) + "\n")
    sys.stdout.flush()


def local_address(text: str) -> str:
    """For argparse: an address that nobody outside of this machine reaches."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no IP address") from None
    if not (address.is_loopback or address in INSIDE):
        raise argparse.ArgumentTypeError(f"{text}: only 127.0.0.1 and {INSIDE} (the demo's own network) are allowed")
    return text


class LoopbackServer:
    """Serves `routes` ("POST /judge" → function) on `address`; port 0 takes a free one."""

    def __init__(self, port: int, routes: Mapping[str, Route], address: str = LOOPBACK) -> None:
        self._http = _Server((address, port), _Handler)
        self._http.routes = routes
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._http.server_address[1])

    def start(self) -> None:
        """Begin to answer, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection; returns when the handlers are done, after 1 s at most."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._http.close_connections()

    def serve_until_signalled(self, name: str) -> None:
        """Announce the port, answer until SIGTERM or SIGINT, then stop. For a program's main thread."""
        over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        self.start()
        say("listening", program=name, port=self.port)
        over.wait()
        self.stop()
        say("stopped", program=name)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    routes: Mapping[str, Route]

    def __init__(self, address: tuple[str, int], handler: type["_Handler"]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class's
        error = sys.exception()
        if not isinstance(error, OSError):  # a reader that went away is no error of ours
            say("connection_failed", error=type(error).__name__)

    def close_connections(self) -> None:
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        deadline = time.monotonic() + 1
        while self.connections and time.monotonic() < deadline:
            time.sleep(0.005)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "tidegate-demo"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.connections.discard(self.connection)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Say nothing: a log line per request costs more than the answer."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        answer = self._answer()
        if isinstance(answer, Stream):
            self._send_stream(answer)
        else:
            self._send(answer)

    def _answer(self) -> Reply | Stream:
        try:
            request = Request(self.headers, self._read_body())
            return self._route()(request)
        except RefusedRequestError as refusal:
            return json_reply({"error": {"message": str(refusal)}}, refusal.status)
        except Exception as error:  # noqa: BLE001 - a bug in one answer becomes a 500, never a cut connection
            self.close_connection = True  # its body may not have been read to the end
            say("answer_failed", path=self.path.split("?")[0], error=type(error).__name__)
            return json_reply({"error": {"message": "internal error"}}, 500)

    def _route(self) -> Route:
        path = self.path.split("?")[0]
        route = self.server.routes.get(f"{self.command} {path}") or self.server.routes.get(f"{self.command} *")
        if route is None:
            known = ", ".join(sorted(self.server.routes))
            raise RefusedRequestError(f"no such page; known: {known}", 404)
        return route

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._read_chunks()
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            raise RefusedRequestError(f"a body of up to {MAX_BODY_BYTES} bytes with its length is expected", 413)
        return self.rfile.read(int(length))

    def _read_chunks(self) -> bytes:
        body = b""
        while True:
            size = _chunk_size(self.rfile.readline(64))
            if size is None or len(body) + size > MAX_BODY_BYTES:
                self.close_connection = True
                raise RefusedRequestError(f"a body of up to {MAX_BODY_BYTES} bytes is expected", 413)
            body += self.rfile.read(size)
            self.rfile.readline(64)
            if size == 0:
                return body

    def _send(self, reply: Reply) -> None:
        self._send_head(reply.status, reply.content_type, {**reply.headers, "Content-Length": str(len(reply.body))})
        self.wfile.write(reply.body)

    def _send_stream(self, stream: Stream) -> None:
        try:
            self._send_head(200, "text/event-stream", {**stream.headers, "Transfer-Encoding": "chunked"})
            for piece in stream.pieces:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        finally:
            close = getattr(stream.pieces, "close", None)
            if close is not None:
                close()

    def _send_head(self, status: int, content_type: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _chunk_size(line: bytes) -> int | None:
    digits = line.split(b";")[0].strip()
    return int(digits, 16) if re.fullmatch(rb"[0-9A-Fa-f]{1,8}", digits) else None
