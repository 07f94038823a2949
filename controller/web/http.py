"""A small HTTP server for pages that are made when asked for: `/metrics`, `/healthz`, `/readyz`."""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer

import structlog

from controller.web.connections import LOOK_SECONDS, Connections

log = structlog.get_logger("web")
DEFAULT_ADDRESS = "127.0.0.1:9464"
CLIENT_TIMEOUT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200


Pages = Mapping[str, Callable[[], Page]]


class ListenError(Exception):
    """The address cannot be listened on; says why and what to do."""


def json_page(document: Mapping[str, object], good: bool = True) -> Page:
    """A document as JSON: 200 when good, else 503."""
    return Page(json.dumps(document, ensure_ascii=False).encode() + b"\n", "application/json", 200 if good else 503)


class PageServer:
    """Serves `pages` at `address` (`host:port`, port 0 takes a free one) from `start` to `stop`."""

    def __init__(self, address: str, pages: Pages) -> None:
        self._asked, self._pages = address, pages
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Listen; returns `host:port` as it is. Raises ListenError."""
        host, port = parse_address(self._asked)
        try:
            self._server = _Server((host, port), self._pages)
        except OSError as error:
            raise ListenError(
                f"cannot serve /metrics on {self._asked} ({error.strerror or error}): "
                "stop what listens there or choose another address (port 0 takes a free one)"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(LOOK_SECONDS,), name="web", daemon=True
        )
        self._thread.start()
        return self.address

    @property
    def address(self) -> str:
        """Where it listens. Raises RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("the page server is not started")
        host, port = self._server.server_address[:2]
        return f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"

    def stop(self) -> None:
        """Stop within a second, whoever is connected. Harmless when it never started."""
        if self._server is None or self._thread is None:
            return
        self._server.stop()
        self._thread.join(1.0)
        self._server = self._thread = None


def parse_address(text: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port` or `:port` (loopback). Raises ListenError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ListenError(f"`{text}` is no address: write host:port, such as {DEFAULT_ADDRESS}")
    return host.strip("[]") or "127.0.0.1", int(port)


class _Server(Connections, TCPServer):
    # TCPServer and not HTTPServer: the latter asks DNS for our own name before it listens.
    allow_reuse_address = True
    request_queue_size = 32

    def __init__(self, address: tuple[str, int], pages: Pages) -> None:
        self.pages = pages
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "tidegate", ""
    timeout = CLIENT_TIMEOUT_SECONDS

    def do_GET(self) -> None:
        """Any of the pages."""
        self._send(self._page(), with_body=True)

    def do_HEAD(self) -> None:
        """The same without its body."""
        self._send(self._page(), with_body=False)

    def _page(self) -> Page:
        path = self.path.split("?")[0]
        make = self.server.pages.get(path)
        if make is None:
            return Page(f"no such page; known: {', '.join(sorted(self.server.pages))}\n".encode(), status=404)
        try:
            return make()
        except Exception:  # one broken page must not take the others with it
            log.exception("page_failed", path=path)
            return Page(b"internal error, see the log\n", status=500)

    def _send(self, page: Page, with_body: bool) -> None:
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if with_body:
            self.wfile.write(page.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Nothing: a scrape every few seconds is no news."""
