"""A synthetic metrics server in a process of its own: Prometheus' instant queries for range selectors, and pages.

Series are those of one judge over a fleet of deployments; counters grow by arithmetic, nothing is stored. A page
`/metrics/N` holds the first N deployments; `/asked` tells how many queries and pages were asked for. Everything else
is answered with 200, so that it can stand for a model server too.

    python -m benchmarks.synthetic DEPLOYMENTS      (says its port on the first line)
"""

import json
import re
import sys
import time
import zlib
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from typing import ClassVar
from urllib.parse import parse_qs

from benchmarks.specs import EVALUATIONS, HAZARDS, fleet_name

METRIC = "llm_eval_results_total"
SCRAPE = 15.0
PER_SECOND = {("none", "ok"): 2.0, ("none", "bad"): 0.0, ("none", "error"): 0.002}
PER_SECOND_OF_HAZARD = {"ok": 0.05, "bad": 0.0004, "error": 0.0005}
CONDITION = re.compile(r'(\w+)(=~|=)"((?:\\.|[^"\\])*)"')
WINDOW = re.compile(r"\[(\d+)s\]$")
TYPE = "text/plain; version=0.0.4; charset=utf-8"

Line = tuple[dict[str, str], str, float]


@lru_cache(maxsize=2000)
def series(deployment: str) -> tuple[Line, ...]:
    """Labels, the same as JSON, and answers per second, for every series of one deployment."""
    found: list[Line] = []
    busy = 0.5 + zlib.crc32(deployment.encode()) % 1000 / 1000
    for version, evaluation, hazard, verdict in product(
        ("v1", "v2"), EVALUATIONS, ("none", *HAZARDS), ("ok", "bad", "error")
    ):
        labels = {"deployment": deployment, "evaluation": evaluation, "evaluator": "rules", "hazard": hazard}
        labels |= {"instance": "judge:9000", "job": "judge", "verdict": verdict, "version": version}
        rate = PER_SECOND.get((hazard, verdict), PER_SECOND_OF_HAZARD[verdict])
        found.append((labels, json.dumps({"__name__": METRIC, **labels}), rate * busy))
    return tuple(found)


def matrix(query: str, at: float, born: float) -> str:
    """The answer to `metric{...}[Ns]` at an instant."""
    wanted = {label: values_of(sign, text) for label, sign, text in CONDITION.findall(query)}
    window = WINDOW.search(query)
    step, first = SCRAPE, at - float(window.group(1) if window else 60)
    instants = [k * step for k in range(int(first // step) + 1, int(at // step) + 1)]
    rows = []
    for deployment in sorted(wanted.get("deployment", ())):
        for labels, text, rate in series(deployment):
            if all(labels.get(label, "") in values for label, values in wanted.items()):
                values = ",".join([f'[{one:.3f},"{int(rate * (one - born))}"]' for one in instants])
                rows.append(f'{{"metric":{text},"values":[{values}]}}')
    return f'{{"status":"success","data":{{"resultType":"matrix","result":[{",".join(rows)}]}}}}'


def page(deployments: int, at: float, born: float) -> str:
    """The judge's page in the text format."""
    lines = [f"# TYPE {METRIC} counter"]
    for number in range(deployments):
        for labels, _, rate in series(fleet_name(number)):
            inside = ",".join(f'{name}="{value}"' for name, value in labels.items() if name not in ("instance", "job"))
            lines.append(f"{METRIC}{{{inside}}} {int(rate * (at - born))}")
    return "\n".join([*lines, ""])


def values_of(sign: str, text: str) -> frozenset[str]:
    """What a matcher of PromQL lets through, when it is `=` or a list of words."""
    return frozenset(text.replace("\\", "").split("|")) if sign == "=~" else frozenset((text,))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    born: ClassVar[float] = 0.0
    asked: ClassVar[int] = 0
    bytes_sent: ClassVar[int] = 0

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        if not self.path.startswith("/api/v1/query"):
            self._answer("{}", "application/json")
            return
        _Handler.asked += 1
        self._answer(matrix(form["query"][0], float(form["time"][0]), self.born), "application/json", counted=True)

    def do_GET(self) -> None:
        if self.path == "/asked":
            told = {"asked": _Handler.asked, "bytes": _Handler.bytes_sent}
            self._answer(json.dumps(told), "application/json")
        elif self.path.startswith("/metrics/"):
            _Handler.asked += 1
            self._answer(page(int(self.path.rpartition("/")[2]), time.time(), self.born), TYPE, counted=True)
        else:
            self._answer("{}", "application/json")

    def _answer(self, text: str, kind: str, *, counted: bool = False) -> None:
        body = text.encode()
        if counted:
            _Handler.bytes_sent += len(body)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the library gives
        """Say nothing."""


def main() -> None:
    """Serve until killed."""
    for number in range(int(sys.argv[1])):
        series(fleet_name(number))
    _Handler.born = time.time() - 3600
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
