"""Stands between a client and the API server: carries every request, and answers or breaks those it is told to."""

import contextlib
import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.certificates import key_pair
from controller.testing.cluster_parts.users import write_kubeconfig

PIECE = 65536
KEPT = ("Content-Type", "Accept", "Authorization", "User-Agent")
REASONS = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: RBAC verb, plural, sub-resource."""

    verb: str
    plural: str
    part: str = ""

    @staticmethod
    def read(method: str, path: str) -> "Asked":
        split = urlsplit(path)
        words = split.path.strip("/").split("/")[2 if path.startswith("/api/") else 3 :]
        words = words[2:] if words[:1] == ["namespaces"] and len(words) > 2 else words
        plural, name, part = [*words, "", "", ""][:3]
        watch = "watch" in parse_qs(split.query)
        verbs = {"GET": "watch" if watch else "get" if name else "list", "POST": "create", "DELETE": "delete"}
        return Asked(verbs.get(method, method.lower()), plural, part)


def failure(code: int) -> dict[str, object]:
    """What a real API server says then."""
    told = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code}
    return {**told, "reason": REASONS[code], "message": f"meddled with: {REASONS[code]}"}


@dataclass(slots=True)
class _Plan:
    fits: Callable[[Asked], bool]
    code: int
    times: float
    headers: dict[str, str]


class Meddler:
    """Listens on a loopback port until `stop`; `kubeconfig` leads through it."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        pair = key_pair(folder / "meddler")
        self._folder, self._ca = folder, pair.cert
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        self.upstream = server
        self.trust = ssl.create_default_context(cafile=server.ca_file)
        self.lock = threading.Lock()
        self.streams: list[Stream] = []
        self.asked: list[Asked] = []
        self._plans: list[_Plan] = []
        self._server = _Server(self, context)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="meddler")
        self._thread.start()

    def kubeconfig(self, user: str = "admin") -> Path:
        port = self._server.server_address[1]
        path, token = self._folder / "meddler" / f"{user}.yaml", self.upstream.token_of(user)
        return write_kubeconfig(path, server=f"https://127.0.0.1:{port}", ca_file=self._ca, token=token, name=user)

    def answer(self, code: int, fits: Callable[[Asked], bool], times: float = 1, **headers: str) -> None:
        """The next `times` requests that fit are answered with `code` and never carried on."""
        with self.lock:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            self._plans.append(_Plan(fits, code, times, named))

    def heal(self) -> None:
        """Everything is carried on again."""
        with self.lock:
            self._plans.clear()

    def left(self) -> float:
        """How many more requests will be answered so."""
        with self.lock:
            return sum(plan.times for plan in self._plans)

    def watches(self, plural: str = "") -> list["Stream"]:
        """Those that are open now."""
        with self.lock:
            return [one for one in self.streams if plural in ("", one.asked.plural)]

    def hang_up(self) -> None:
        """Every open watch breaks; new ones are carried on."""
        for one in self.watches():
            one.cut()

    def stop(self) -> None:
        """Close everything."""
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    def planned(self, asked: Asked) -> _Plan | None:
        """What is done with it instead."""
        with self.lock:
            self.asked.append(asked)
            for plan in self._plans:
                if plan.times > 0 and plan.fits(asked):
                    plan.times -= 1
                    return plan
        return None


class Stream:
    """A watch under way. What the API server tells is carried on until somebody meddles with it."""

    def __init__(self, asked: Asked, client: socket.socket, upstream: HTTPSConnection) -> None:
        self.asked, self._client, self._upstream = asked, client, upstream
        self._lock = threading.Lock()
        self._mute = False

    def carry(self, piece: bytes) -> None:
        """One chunk; an empty one is the end."""
        with self._lock:
            if not self._mute:
                self._client.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))

    def fail(self, code: int) -> None:
        """An event of type ERROR in the middle, as the API server tells it, and then the end."""
        line = json.dumps({"type": "ERROR", "object": failure(code)}).encode() + b"\n"
        self.carry(line)
        self.carry(b"")
        self.cut()

    def tear(self) -> None:
        """The connection breaks in the middle of an event."""
        self.carry(b'{"type":"MODIFIED","object":{"kind":"Wid')
        self.cut()

    def mute(self) -> None:
        """Half-open: nothing is carried any more, not even an end, and nothing closes."""
        with self._lock:
            self._mute = True

    def cut(self) -> None:
        """Hang up, on both sides."""
        self.mute()
        for sock in (self._client, self._upstream.sock):
            with contextlib.suppress(OSError, AttributeError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def handle_method(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = Asked.read(self.command, self.path)
        plan = self.server.meddler.planned(asked)
        if plan is not None:
            self._say(plan.code, json.dumps(failure(plan.code)).encode(), plan.headers)
            return
        with self._asked_of_the_server(body) as (upstream, answer):
            if asked.verb == "watch" and answer.status == 200:
                self._stream(asked, upstream, answer)
            else:
                self._say(answer.status, answer.read(), {"Content-Type": "application/json"})

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Every method is carried in the same way."""
        if name.startswith("do_"):
            return self.handle_method
        raise AttributeError(name)

    @contextlib.contextmanager
    def _asked_of_the_server(self, body: bytes) -> Iterator[tuple[HTTPSConnection, HTTPResponse]]:
        meddler = self.server.meddler
        upstream = HTTPSConnection("127.0.0.1", meddler.upstream.port, context=meddler.trust)
        try:
            sent = {name: self.headers[name] for name in KEPT if name in self.headers}
            upstream.request(self.command, self.path, body or None, sent)
            with upstream.getresponse() as answer:
                yield upstream, answer
        finally:
            upstream.close()

    def _say(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, asked: Asked, upstream: HTTPSConnection, answer: HTTPResponse) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        meddler, stream = self.server.meddler, Stream(asked, self.connection, upstream)
        with meddler.lock:
            meddler.streams.append(stream)
        try:
            while piece := answer.read1(PIECE):
                stream.carry(piece)
            stream.carry(b"")
            if stream._mute:
                self.rfile.read(1)  # half-open until the client gives up
        finally:
            with meddler.lock:
                meddler.streams.remove(stream)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 64

    def __init__(self, meddler: Meddler, context: ssl.SSLContext) -> None:
        self.meddler, self._context = meddler, context
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: object, client_address: object) -> None:
        """In the thread of the connection, so that a slow handshake holds nobody up."""
        assert isinstance(request, socket.socket)
        with self._context.wrap_socket(request, server_side=True) as tls:
            with self._lock:
                self._open.add(tls)
            try:
                _Handler(tls, client_address, self)
            finally:
                with self._lock:
                    self._open.discard(tls)

    def hang_up(self) -> None:
        """Connections that clients keep."""
        for stream in self.meddler.watches():
            stream.cut()
        with self._lock:
            kept = tuple(self._open)
        for one in kept:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Broken connections are what this is for."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError | HTTPException | ValueError):
            raise error


@contextlib.contextmanager
def a_meddler(server: ApiServer, folder: Path) -> Iterator[Meddler]:
    """Stopped in the end."""
    meddler = Meddler(server, folder)
    try:
        yield meddler
    finally:
        meddler.stop()
