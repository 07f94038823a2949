"""An API server that behaves oddly on purpose, as real ones do on bad days: it answers as a script says."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; `is_watch` and the answers that a script may give."""

    protocol_version = "HTTP/1.1"
    server: "OddServer"

    def do_GET(self) -> None:
        self.server.asked["watch" if self.is_watch else "list"] += 1
        (self.server.watch if self.is_watch else self.server.list)(self)

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.list(self)

    @property
    def is_watch(self) -> bool:
        return "watch" in parse_qs(urlsplit(self.path).query)

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def say(self, code: int, body: object, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def stall(self, seconds: float) -> None:
        self.server.ending.wait(seconds)

    def stream(self, *events: object, seconds: float = 0.0, cut: bool = False) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            line = json.dumps(event).encode() + b"\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()
        self.server.ending.wait(seconds)
        if cut:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")


class OddServer(ThreadingHTTPServer):
    """`list` and `watch` answer; `asked` counts."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.asked: Counter[str] = Counter()
        self.ending = threading.Event()
        self.list: Answer = lambda request: request.say(200, leases(1))
        self.watch: Answer = lambda request: request.stream(seconds=1)


@contextmanager
def an_odd_server(folder: Path) -> Iterator[tuple[OddServer, Path]]:
    """The server, and a kubeconfig for it."""
    server = OddServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    path = folder / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                "users": [{"name": "c", "user": {}}],
            }
        )
    )
    try:
        yield server, path
    finally:
        server.ending.set()
        server.shutdown()
        thread.join(5)
        server.server_close()


def leases(version: int, *names: str) -> dict[str, object]:
    return {"metadata": {"resourceVersion": str(version)}, "items": [lease(name, version) for name in names]}


def lease(name: str, version: int, holder: str = "me") -> dict[str, object]:
    metadata = {"name": name, "namespace": "ns", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"holderIdentity": holder}}


def status(code: int, message: str, **more: object) -> dict[str, object]:
    return {"kind": "Status", "code": code, "reason": "Odd", "message": message, **more}


def for_a_while(seconds: float, asked: Counter[str]) -> Counter[str]:
    """What is asked in that time. The time itself is what is tested: how often, and not when."""
    before = Counter(asked)
    time.sleep(seconds)
    return asked - before
