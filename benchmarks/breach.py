"""From the metrics page whose counts first make the tick breach to Envoy verified at zero candidate traffic.

Real Envoy, real requests through it, the daemon as a process of its own; the page is written here, at a random instant
within the tick. Several rollouts share one Envoy and one daemon, each with its own route and client.
"""

import contextlib
import http.client
import random
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.children import BenchError, Child, child, until
from benchmarks.table import Row, percentile
from controller.demo import facts
from controller.traffic.envoy_process import stop_envoy
from controller.web.client import DaemonUnavailableError, call

ROLLOUTS, ROUNDS, QUICK_ROUNDS = 5, 10, 2
TICK, SLACK = 2.0, 2.0
REQUESTS_PER_SECOND = 20.0
BAD = 200

SPEC = """\
apiVersion: tidegate.dev/v1alpha1
kind: ModelRollout
metadata: {{name: {name}, namespace: bench}}
spec:
  version: {version}
  initialStable: v1
  versions:
  - {{name: v1, backendRef: {{kind: Host, name: 127.0.0.1, port: {backend}}}, bundle: {{weights: "v1"}}}}
{candidate}  routes:
  - envoy:
      {{listen: "127.0.0.1:{listen}", admin: "127.0.0.1:{admin}", configDir: "{folder}", hosts: [{name}.example.com]}}
  metrics:
    scrape: {{urls: ["http://127.0.0.1:{backend}/metrics"], scrapeInterval: 2s, timeout: 1s}}
  slos:
{slos}  stages:
  - {{name: canary-50, canary: {{weight: 50}}, minDuration: 1h}}
  - {{name: full, full: {{}}, minDuration: 1h}}
  analysis: {{interval: 2s}}
"""
CANDIDATE = """\
  - {{name: {name}, backendRef: {{kind: Host, name: localhost, port: {backend}}}, bundle: {{weights: "{name}"}}}}
"""
SERIES = 'judged_total{{rollout="{}",slo="{}",verdict="{}",version="{}"}} {}'
SLO = """\
  - name: {name}
    indicator:
      ratio:
        bad: {{metric: judged_total, match: {{rollout: [{rollout}], slo: [{name}], verdict: [bad]}}}}
        total: {{metric: judged_total, match: {{rollout: [{rollout}], slo: [{name}], verdict: [ok, bad]}}}}
    objective: {{max: 1%}}
"""


@dataclass(frozen=True, slots=True)
class Zero:
    """One rollback, in seconds from the page; `late`: the candidate's requests in the second after it."""

    sampled: float
    decided: float
    verified: float
    late: int


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Envoy and the clients hang up when it suits them: nothing is wrong with the page."""


class Page:
    """The judge's page and the model server, on one port."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str, str], int] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def add(self, rollout: str, version: str, ok: int = 0, bad: int = 0) -> float:
        """Count so many more answers of the SLO `harm`, all SLOs' series exist; returns when it was done."""
        with self._lock:
            for slo in ("harm", "groundedness"):
                for verdict, more in (("ok", ok), ("bad", bad if slo == "harm" else 0)):
                    key = (rollout, slo, verdict, version)
                    self._counts[key] = self._counts.get(key, 0) + more
            return time.time()

    def text(self) -> str:
        """The page as it is now."""
        with self._lock:
            lines = [SERIES.format(*key, count) for key, count in self._counts.items()]
        return "\n".join([*lines, ""])

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = page.text().encode() if self.path == "/metrics" else b"{}"
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """Say nothing."""

        return Handler


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a rollout is tried."""

    folder: Path
    page: Page
    listen: int
    admin: int
    daemon: Child

    def view(self, name: str) -> dict[str, Any]:
        """The rollout as the daemon shows it; empty when it cannot be asked."""
        with contextlib.suppress(DaemonUnavailableError):
            found: Any = call(self.folder / "state" / "tidegate.sock", "get", {"name": name})["rollouts"]
            return dict(found[0])
        return {}


def measure(quick: bool) -> list[Row]:
    """One row with the goal, and how the time was spent."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as name, contextlib.ExitStack() as stack:
        folder, page, ended = Path(name), Page(), threading.Event()
        stack.callback(page.close)
        stack.callback(stop_envoy, str(folder / "envoy"))
        for part in ("rollouts", "state"):
            (folder / part).mkdir()
        names = [f"bot-{number}" for number in range(ROLLOUTS)]
        listen, admin = _free(2)
        argv = ["-m", "controller", "run", "--rollouts", str(folder / "rollouts"), "--state-dir"]
        argv += [str(folder / "state"), "--http", "127.0.0.1:0", "--log", "json"]
        for one in names:
            page.add(one, "v1")
            _want(folder, page.port, listen, admin, one, "v1")
        ground = Ground(folder, page, listen, admin, stack.enter_context(child(argv, folder / "daemon.log")))
        for one in names:
            until(partial(_serves, ground, one), 60, f"v1 to serve {one}", ground.daemon)
            stack.enter_context(_customers(ground, one, ended))
        stack.callback(ended.set)
        found = _rounds(ground, names, QUICK_ROUNDS if quick else ROUNDS)
    return _rows(found)


def _rounds(ground: Ground, names: list[str], rounds: int) -> list[Zero]:
    found: list[Zero] = []
    faults: list[BaseException] = []

    def work(name: str, seed: int) -> None:
        chance = random.Random(seed)
        try:
            for number in range(rounds):
                found.append(_once(ground, name, f"c{number}", chance))
        except BaseException as fault:  # noqa: BLE001 - raised below, in the thread that measures
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(name, seed)) for seed, name in enumerate(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise BenchError(f"{type(faults[0]).__name__}: {faults[0]}") from faults[0]
    return found


def _once(ground: Ground, name: str, candidate: str, chance: random.Random) -> Zero:
    """One run: into the canary, good answers, bad ones short of a breach, and then the page that breaches."""
    page = ground.page
    page.add(name, candidate)
    _want(ground.folder, page.port, ground.listen, ground.admin, name, candidate)
    _until(ground, name, lambda view: view["phase"] == "Progressing" and view["traffic"]["verified"], "the canary")
    page.add(name, candidate, ok=2)
    _until(ground, name, lambda view: _harm(view)["total"] >= 2, "good answers to be counted")
    page.add(name, candidate, bad=BAD)
    _until(ground, name, lambda view: _harm(view)["bad"] >= BAD, "the first bad answers to be counted")
    if ground.view(name)["phase"] != "Progressing":
        raise BenchError(f"{name} left the canary before the page that should make it")
    time.sleep(chance.uniform(0, TICK))
    written = page.add(name, candidate, bad=BAD)
    view = _until(ground, name, lambda view: view["phase"] == "RolledBack", "the rollback")
    after = _requests(ground, name, candidate)
    time.sleep(1.0)
    late = _requests(ground, name, candidate) - after
    breach = view["breach"]

    def after_page(what: str) -> float:
        return datetime.fromisoformat(breach[f"{what}_at"]).timestamp() - written

    return Zero(after_page("measured"), after_page("decided"), after_page("verified"), late)


def _until(ground: Ground, name: str, ready: Any, what: str) -> dict[str, Any]:
    last: dict[str, Any] = {}

    def so() -> bool:
        last.clear()
        last.update(ground.view(name))
        time.sleep(0.08)
        return bool(last) and bool(ready(last))

    try:
        until(so, 60, f"{what} of {name}", ground.daemon)
    except BenchError as error:
        raise BenchError(f"{last.get('phase')} {last.get('message')}: {error}"[:400]) from error
    return last


def _harm(view: dict[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one for one in view["slos"] if one["slo"] == "harm"]
    return found[0] if found else {"total": 0, "bad": 0}


def _requests(ground: Ground, name: str, version: str) -> int:
    """What Envoy itself counted for the candidate, live and mirrored."""
    found = facts._clusters(ground.admin)
    return sum(count for cluster, count in found.items() if f"/{name}/" in cluster and f"/{version}/" in cluster)


def _serves(ground: Ground, name: str) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return _request(http.client.HTTPConnection("127.0.0.1", ground.listen, timeout=5), name) == 200
    return False


@contextlib.contextmanager
def _customers(ground: Ground, name: str, ended: threading.Event) -> Iterator[None]:
    """Real requests through Envoy, all the time."""

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", ground.listen, timeout=5)
        while not ended.wait(1 / REQUESTS_PER_SECOND):
            try:
                _request(connection, name)
            except (OSError, http.client.HTTPException):
                connection.close()
        connection.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    ended.set()
    thread.join()


def _request(connection: http.client.HTTPConnection, name: str) -> int:
    connection.request("POST", "/v1/chat/completions", b"{}", {"Host": f"{name}.example.com"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _want(folder: Path, backend: int, listen: int, admin: int, name: str, version: str) -> None:
    target = folder / "rollouts" / f"{name}.yaml"
    candidate = CANDIDATE.format(name=version, backend=backend) if version != "v1" else ""
    slos = "".join(SLO.format(name=slo, rollout=name) for slo in ("harm", "groundedness"))
    text = SPEC.format(
        name=name, version=version, backend=backend, candidate=candidate, listen=listen, admin=admin,
        folder=folder / "envoy", slos=slos,
    )  # fmt: skip
    draft = target.with_suffix(".tmp")
    draft.write_text(text)
    draft.replace(target)


def _free(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _rows(found: list[Zero]) -> list[Row]:
    goal, times = TICK + SLACK, [one.verified for one in found]
    worst = percentile(times, 0.99)
    late = sum(one.late for one in found)
    note = (
        "wall time from the write of the page, at a random instant of the tick, to verified zero, of which 1 s is the "
        "quiet second that verifies it"
    )
    return [
        Row("breach", f"page -> Envoy verified at zero: p99 of {len(times)}, ticks of {TICK:g} s", f"{worst:.2f} s",
            f"<= {goal:g} s", worst <= goal, note, {"seconds": times}),
        Row("breach", "  its p50, largest", f"{percentile(times, 0.5):.2f} s, {max(times):.2f} s"),
        Row("breach", "  until sampled: p50, largest", _two([one.sampled for one in found])),
        Row("breach", "  sampled -> decided: p50, largest", _two([one.decided - one.sampled for one in found])),
        Row("breach", "  decided -> verified: p50, largest", _two([one.verified - one.decided for one in found])),
        Row("breach", "  the candidate's requests in Envoy in the second after that, all runs", f"{late}", "0",
            late == 0),
    ]  # fmt: skip


def _two(values: list[float]) -> str:
    return f"{percentile(values, 0.5):.2f} s, {max(values):.2f} s"
