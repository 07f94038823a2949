"""What a rollout stands on in these tests: model servers with a health of their own, and a judge's exact counts."""

import http.client
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.parts.metrics_page import MetricsPage
from tests.parts.net import LOOPBACK

METRIC = "llm_eval_results_total"


class Model(ThreadingHTTPServer):
    """One version. `health` is what GET answers, `chat` what POST answers; None: not until the test is over."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str, health: int | None = 200, chat: int | None = 200) -> None:
        super().__init__((LOOPBACK, 0), _Answers)
        self.name, self.health, self.chat = name, health, chat
        self.over = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer whoever still waits, and close the port."""
        self.over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that lost its patience is expected."""


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Model

    def do_GET(self) -> None:
        self._answer(self.server.health)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer(self.server.chat)

    def _answer(self, status: int | None) -> None:
        if status is None:
            self.server.over.wait(60)
            self.close_connection = True
            return
        body = self.server.name.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


class Judge:
    """Counts on a real metrics page: exact, and written at once. `hazards` are the scenarios it knows."""

    def __init__(self, page: MetricsPage, hazards: tuple[str, ...] = ("none", "ssh")) -> None:
        self.page, self.hazards = page, hazards
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self.missing: frozenset[str] = frozenset()
        for version in ("v11", "v12", "v13"):
            for verdict in ("ok", "bad", "error"):
                for hazard in hazards:
                    self._counts[version, verdict, hazard] = 0
        self.write()

    def count(self, version: str, ok: int = 0, bad: int = 0, error: int = 0, hazard: str = "ssh") -> None:
        """New results; good ones found no hazard, bad ones found `hazard`."""
        self._counts[version, "ok", "none"] += ok
        self._counts[version, "bad", hazard] += bad
        self._counts[version, "error", "none"] += error
        self.write()

    def reset(self) -> None:
        """The judge was restarted: all of its counters begin at zero."""
        for key in self._counts:
            self._counts[key] = 0
        self.write()

    def write(self) -> None:
        self.page.set(self.text())

    def text(self) -> str:
        lines = [f"# TYPE {METRIC} counter"]
        for (version, verdict, hazard), value in sorted(self._counts.items()):
            if hazard in self.missing:
                continue
            labels = f'evaluation="harm",version="{version}",verdict="{verdict}",hazard="{hazard}"'
            lines.append(f"{METRIC}{{{labels}}} {value}")
        return "\n".join(lines) + "\n"


def ask(port: int, requests: int, headers: Mapping[str, str] | None = None) -> Counter[str]:
    """So many chat requests through Envoy; who answered how many."""
    heard: Counter[str] = Counter()
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    try:
        for _ in range(requests):
            connection.request("POST", "/v1/chat/completions", b"{}", dict(headers or {}))
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status == 200:
                heard[text] += 1
    finally:
        connection.close()
    return heard
