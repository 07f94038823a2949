"""A metrics server in a process of its own: Prometheus' instant queries for range selectors; nothing is stored.

Counters grow by arithmetic and the newest sample is as old as the query. A deployment turns bad at the instant that
`POST /turn` names (JSON: deployment -> [Unix time, how]). `counts`: from then on 400 of its v2's answers are bad by
every SLO, at once, and all that follow. `leak`: it leaks one secret. `/asked` tells how many queries there were.
Everything else is answered with 200: it stands for model servers.

    python -m benchmarks.kubernetes.metrics      (says its port on the first line)
"""

import json
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs

from benchmarks.kubernetes.fleet import INTERVAL, family
from benchmarks.synthetic import CONDITION, WINDOW, values_of

SUDDENLY = 400
PER_SECOND = {("none", "ok"): 4.0, ("none", "bad"): 0.004, ("leak", "ok"): 2.0, ("leak", "bad"): 0.0}
Turn = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Counter:
    """One series: what it counts, its labels as JSON, and answers per second."""

    version: str
    hazard: str
    verdict: str
    labels: str
    rate: float


@lru_cache(maxsize=20_000)
def series(metric: str, deployment: str) -> tuple[Counter, ...]:
    """Every series of one deployment. Only harm is told by hazard."""
    busy = 0.5 + zlib.crc32(deployment.encode()) % 1000 / 1000
    found = []
    for version in ("v1", "v2"):
        for (hazard, verdict), rate in PER_SECOND.items():
            labels = {"__name__": metric, "deployment": deployment, "verdict": verdict, "version": version}
            if metric == family("harm"):
                labels["hazard"] = hazard
            elif hazard != "none":
                continue
            found.append(Counter(version, hazard, verdict, json.dumps(labels), rate * busy))
    return tuple(found)


def value(counter: Counter, born: float, turn: Turn | None, at: float) -> int:
    """The counter at an instant."""
    told = (counter.hazard, counter.verdict)
    if turn is None or at < turn[0]:
        return int(counter.rate * (at - born))
    when, how = turn
    if how == "leak":
        return int(counter.rate * (at - born)) + (told == ("leak", "bad"))
    good = int(counter.rate * ((when if counter.hazard == "none" else at) - born))
    return good + (SUDDENLY + int(PER_SECOND["none", "ok"] * (at - when))) * (told == ("none", "bad"))


def matrix(query: str, at: float, born: float, turned: Mapping[str, Turn]) -> str:
    """The answer to `metric{...}[Ns]` at an instant."""
    conditions = {label: values_of(sign, text) for label, sign, text in CONDITION.findall(query)}
    window = WINDOW.search(query)
    steps = int(float(window.group(1) if window else 60) // INTERVAL)
    instants = [at - step * INTERVAL for step in range(steps, -1, -1)]
    rows = ",".join(_rows(query.partition("{")[0], conditions, instants, born, turned))
    return f'{{"status":"success","data":{{"resultType":"matrix","result":[{rows}]}}}}'


def _rows(
    metric: str,
    conditions: Mapping[str, frozenset[str]],
    instants: list[float],
    born: float,
    turned: Mapping[str, Turn],
) -> Iterator[str]:
    for deployment in sorted(conditions.get("deployment", ())):
        for one in series(metric, deployment):
            if one.version in conditions.get("version", (one.version,)) and one.verdict in conditions.get(
                "verdict", (one.verdict,)
            ):
                turn = turned.get(deployment) if one.version == "v2" else None
                values = [f'[{at:.3f},"{value(one, born, turn, at)}"]' for at in instants]
                yield f'{{"metric":{one.labels},"values":[{",".join(values)}]}}'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    born: ClassVar[float] = 0.0
    asked: ClassVar[int] = 0
    turned: ClassVar[dict[str, Turn]] = {}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/turn":
            self.turned.update({name: (at, how) for name, (at, how) in json.loads(body).items()})
            self._answer("{}")
        elif self.path.startswith("/api/v1/query"):
            _Handler.asked += 1
            form = parse_qs(body)
            self._answer(matrix(form["query"][0], float(form["time"][0]), self.born, self.turned))
        else:
            self._answer("{}")

    def do_GET(self) -> None:
        self._answer(json.dumps({"asked": self.asked}) if self.path == "/asked" else "{}")

    def _answer(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the library gives
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    """A hundred probes come at once."""


def main() -> None:
    """Serve until killed."""
    _Handler.born = time.time() - 3600
    server = _Server(("127.0.0.1", 0), _Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
